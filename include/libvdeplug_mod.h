/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvdeplug_mod: for those who write a plug-in of libvdeplug, a shared object
 * `libvdeplug_SCHEME.so` that exports `vdeplug_ops`.
 */
#ifndef LIBVDEPLUG_MOD_H
#define LIBVDEPLUG_MOD_H

#include <errno.h>
#include <stdint.h>
#include <sys/types.h>

#include <libvdeplug.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MAXDESCR      128 /* of a description, with its NUL */
#define CONNECTED_P2P

/*
 * What a plug-in does. The strings given to vde_open_real may be changed in place and are gone
 * when it returns; it returns NULL with errno, and EPROTONOSUPPORT makes the loader look on.
 * vde_close returns 0 to have the object unloaded.
 */
struct vdeplug_module {
	int flags; /* 0 */
	VDECONN *(*vde_open_real)(char *vnl, char *descr, int interface_version,
				  struct vde_open_args *args);
	ssize_t (*vde_recv)(VDECONN *conn, void *buf, size_t len, int flags);
	ssize_t (*vde_send)(VDECONN *conn, const void *buf, size_t len, int flags);
	int (*vde_datafd)(VDECONN *conn);
	int (*vde_ctlfd)(VDECONN *conn);
	int (*vde_close)(VDECONN *conn);
};

/*
 * What a plug-in may do beyond that, exported as `vdeplug_ops_ext`; other loaders never look. A member
 * that is NULL, or lies behind `size`, is done by the library with the old operations. The calls
 * are those of libvdeplug.h.
 */
struct vdeplug_ops_ext {
	size_t size; /* of this struct, as the plug-in was compiled */
	uint64_t (*vde_features)(VDECONN *conn, uint64_t features);
	int (*vde_recv_batch)(VDECONN *conn, struct vde_frame *frames, unsigned count);
	int (*vde_send_batch)(VDECONN *conn, const struct vde_frame *frames, unsigned count);
	int (*vde_rx_get)(VDECONN *conn, struct vde_frame *frames, unsigned count);
	void (*vde_rx_put)(VDECONN *conn, unsigned count);
	int (*vde_tx_get)(VDECONN *conn, struct vde_frame *frames, unsigned count, size_t len);
	int (*vde_tx_commit)(VDECONN *conn, const struct vde_frame *frames, unsigned count);
	int (*vde_busy_poll)(VDECONN *conn, unsigned usec);
	/*
	 * As vde_open_real, for vde_open_tap(); on the connection that it makes vde_datafd gives -1, vde_recv
	 * and vde_send fail. NULL: EOPNOTSUPP.
	 */
	VDECONN *(*vde_open_tap)(char *vnl, char *descr, int interface_version,
				 struct vde_open_args *args, int tap_fd);
};

/* Every plug-in's connection begins with these two, which the loader fills. */
struct vdeconn {
	void *handle;
	struct vdeplug_module *module;
	unsigned char data[];
};

/* One parameter of a locator: VALUE gets the text behind `=`, "" without one. */
struct vdeparms {
	char *tag; /* NULL ends the array */
	char **value;
};

/*
 * Splits STR at slashes, in place: the first element stays in STR, each other is TAG or TAG=VALUE
 * and fills its entry of PARMS. A tag may be cut short; the first entry that begins with it wins.
 * Quotes, backslash and %XX protect characters. Returns 0; -1 with EINVAL for an unknown tag
 * (reported on standard error).
 */
int vde_parseparms(char *str, struct vdeparms *parms);

/* The same for `PATH[ELEMENT/ELEMENT...]`. An entry with an empty tag takes the bare word. */
int vde_parsepathparms(char *str, struct vdeparms *parms);

/* The text between the outermost braces, which are cut off STR; NULL when STR is empty. */
char *vde_parsenestparms(char *str);

/* A number in C syntax with any run of the suffixes k, m, g, t (powers of 1024). */
unsigned long long strtoullm(const char *numstr);

/* NULL: -1. "": the effective group. Digits: that number. Else the group's number, or -1. */
gid_t vde_grnam2gid(const char *name);

/*
 * Says why an open fails, for vde_strerror(): errno value CODE and one sentence. Weak, since
 * other builds of this library lack it: call it through vde_error_set(), which sets errno, too.
 */
void vde_error_text(int code, const char *format, ...)
	__attribute__((weak, format(printf, 2, 3)));

#define vde_error_set(code, ...)                         \
	do {                                             \
		int vde_code_ = (code);                  \
		if (vde_error_text)                      \
			vde_error_text(vde_code_, __VA_ARGS__); \
		errno = vde_code_;                       \
	} while (0)

/*
 * A table of what was learned about MAC addresses: MAC and VLAN to a payload of fixed size, with
 * the time last seen. Bounded: a new address may take the place of an old one.
 */
struct vde_hashtable;

#define vde_hash_init(type, hash_size, seed) _vde_hash_init(sizeof(type), (hash_size), (seed))

/* SIZE entries, rounded up to a power of two; 0 gives NULL. Freed with vde_hash_fini(). */
struct vde_hashtable *_vde_hash_init(size_t payload_size, unsigned int hash_size, uint64_t seed);

/* The payload (borrowed), or NULL: unknown, multicast, or last seen before TOO_OLD (seconds). */
void *vde_find_in_hash(struct vde_hashtable *table, unsigned char *dst, int vlan, time_t too_old);

/* Stores PAYLOAD for SRC, seen NOW; a multicast source is ignored. */
void vde_find_in_hash_update(struct vde_hashtable *table, unsigned char *src, int vlan,
			     void *payload, time_t now);

/* Forgets every entry with this payload. */
void vde_hash_delete(struct vde_hashtable *table, void *payload);

void vde_hash_fini(struct vde_hashtable *table);

#ifdef __cplusplus
}
#endif

#endif
