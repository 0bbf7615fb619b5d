/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvdeplug: connections to virtual Ethernet networks.
 *
 * A network is named by a virtual network locator (VNL), `SCHEME://ADDRESS`; see vnl(7). All
 * functions may be called from several threads; a connection is closed by one of them after the
 * others have stopped using it. Frames are Ethernet frames without FCS.
 */
#ifndef LIBVDEPLUG_H
#define LIBVDEPLUG_H

#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LIBVDEPLUG_INTERFACE_VERSION 1

/* Bytes of the largest payload and of a buffer for any frame (header and VLAN tag included). */
#define VDE_MAXMTU     9216
#define VDE_ETHBUFSIZE (VDE_MAXMTU + 14 + 4)

struct vdeconn;
typedef struct vdeconn VDECONN;

/* Wishes about the port of a switch. */
struct vde_open_args {
	int port;    /* 0: first free; negative: the management port (port 0) */
	char *group; /* group owner of the data socket; NULL: none */
	mode_t mode; /* permissions of the data socket; 0 means 0700 */
};

/*
 * Joins the network VNL; NULL or "" is the user's default network. DESCR describes the caller to
 * the switch; ARGS may be NULL. Blocks while the network answers. Returns a connection that the
 * caller ends with vde_close(), or NULL with errno set; vde_strerror() then has a sentence.
 */
#define vde_open(vnl, descr, args) \
	vde_open_real((vnl), (descr), LIBVDEPLUG_INTERFACE_VERSION, (args))
VDECONN *vde_open_real(char *vnl, char *descr, int interface_version, struct vde_open_args *args);

/*
 * The reason of this thread's last failed vde_open(), for people: it names the locator, where in it
 * the problem is, and what to do. Several lines are possible; no final newline. Valid until the
 * thread's next vde_open(). Never NULL; "" when nothing failed.
 */
const char *vde_strerror(void);

/*
 * Receives one frame into BUF of LEN bytes; FLAGS is ignored. Returns its length (14 or more); 1 when
 * there was nothing for the caller after all (try again when vde_datafd() is readable); 0 at
 * the end of the network; -1 with errno on an error. May block while no frame is there.
 */
ssize_t vde_recv(VDECONN *conn, void *buf, size_t len, int flags);

/*
 * Sends the frame of LEN bytes at BUF; FLAGS is ignored. Returns LEN when it was sent or dropped
 * (networks drop what they cannot carry), -1 with errno on an error.
 */
ssize_t vde_send(VDECONN *conn, const void *buf, size_t len, int flags);

/* Descriptor to poll for input; never read from it directly. */
int vde_datafd(VDECONN *conn);

/* Descriptor that becomes readable when the network is gone, or -1 when there is none. */
int vde_ctlfd(VDECONN *conn);

/* Leaves the network and frees CONN. Returns 0. */
int vde_close(VDECONN *conn);

/*
 * Frames on a byte stream: each behind its length as 16 bits, big endian.
 */
#define PACKET_LENGTH_ERROR 1

struct vdestream;
typedef struct vdestream VDESTREAM;

/*
 * FDOUT (borrowed) is where vdestream_send() writes. FRECV gets each frame that vdestream_recv()
 * completes; FERR (or NULL) is told of a length that cannot be. Returns NULL with ENOMEM.
 */
VDESTREAM *vdestream_open(void *opaque, int fdout,
			  ssize_t (*frecv)(void *opaque, void *buf, size_t count),
			  void (*ferr)(void *opaque, int type, char *format, ...));

/* Writes one frame; returns the bytes written with its header, -1 with errno, 0 if too long. */
ssize_t vdestream_send(VDESTREAM *stream, const void *buf, size_t len);

/* Feeds LEN bytes as they were read; they may end anywhere. */
void vdestream_recv(VDESTREAM *stream, unsigned char *buf, size_t len);

void vdestream_close(VDESTREAM *stream);

#ifdef __cplusplus
}
#endif

#endif
