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
 * Frames in batches. Networks with rings (a switch of this project, ptp, hub, ...) carry them through
 * shared memory, without a system call per frame; for all others the library does the same frame by
 * frame. A count that is smaller than asked for means "no more now", never an error; -1 with errno
 * is one. None of these calls blocks.
 *
 * A super-frame is up to 64 KiB of one TCP or UDP stream behind one set of headers; its offload
 * header says how it is cut. A program sees super-frames and unfinished checksums only after it has
 * asked for them with vde_features(); before that the library cuts and completes.
 */
#define VDE_SUPERMTU  65535
#define VDE_FRAME_MAX (VDE_SUPERMTU + 14 + 8) /* bytes of the largest frame: header, two tags */

/* The offload header of virtio-net (virtio 1.2, 5.1.6), in host byte order; zero: a plain frame. */
struct vde_vnet {
	uint8_t flags;        /* VDE_VNET_NEEDS_CSUM */
	uint8_t gso_type;     /* VDE_VNET_GSO_... */
	uint16_t hdr_len;     /* bytes of all headers of a super-frame */
	uint16_t gso_size;    /* bytes of payload in each segment */
	uint16_t csum_start;  /* where the checksum's range begins */
	uint16_t csum_offset; /* of the checksum field, from csum_start */
	uint16_t num_buffers; /* unused */
};

#define VDE_VNET_NEEDS_CSUM 1
#define VDE_VNET_GSO_NONE   0
#define VDE_VNET_GSO_TCPV4  1
#define VDE_VNET_GSO_TCPV6  4
#define VDE_VNET_GSO_UDP_L4 5
#define VDE_VNET_GSO_ECN    0x80

struct vde_frame {
	void *data;
	size_t len;      /* bytes of the frame; of the buffer before vde_recv_batch() */
	uint32_t flags;  /* 0 */
	struct vde_vnet vnet;
};

/* What a program can deal with. */
#define VDE_FEATURE_CSUM (UINT64_C(1) << 0) /* frames with VDE_VNET_NEEDS_CSUM */
#define VDE_FEATURE_TSO4 (UINT64_C(1) << 1)
#define VDE_FEATURE_TSO6 (UINT64_C(1) << 2)
#define VDE_FEATURE_USO  (UINT64_C(1) << 3) /* UDP super-frames */
#define VDE_FEATURE_RING (UINT64_C(1) << 32) /* told, not asked for: frames go through a ring */

/*
 * Asks for FEATURES (VDE_FEATURE_...) and returns those that hold from now on for both directions,
 * with VDE_FEATURE_RING if there is one. 0 takes all back. TSO and USO need CSUM.
 */
uint64_t vde_features(VDECONN *conn, uint64_t features);

/*
 * Receives up to COUNT frames into the buffers frames[i].data of frames[i].len bytes; sets len and
 * vnet. A frame that is larger than its buffer is dropped. Returns how many; 0: none now. -1 with
 * EPIPE at the end of the network.
 */
int vde_recv_batch(VDECONN *conn, struct vde_frame *frames, unsigned count);

/*
 * Sends up to COUNT frames; returns how many were taken (dropped ones included). Fewer: the network
 * is full; with rings vde_datafd() becomes readable when there is room again, a socket writable.
 */
int vde_send_batch(VDECONN *conn, const struct vde_frame *frames, unsigned count);

/*
 * The same without a copy. vde_rx_get() lends up to COUNT received frames, which stay where they are
 * until vde_rx_put() gives back the COUNT oldest of those that are lent; the sender may still change
 * them, so what is checked has to be copied first. vde_tx_get() gives room for up to COUNT frames of up
 * to LEN bytes each: fill data, set len and vnet, and vde_tx_commit() sends the first COUNT of them,
 * gives the room of the rest back, and returns how many were taken: all, unless the network lends no
 * room of its own (vde:// with rings does) and is full; then the others are lost. Between get and commit
 * nothing else is sent on CONN: the same thread gets EBUSY, other threads wait.
 */
int vde_rx_get(VDECONN *conn, struct vde_frame *frames, unsigned count);
void vde_rx_put(VDECONN *conn, unsigned count);
int vde_tx_get(VDECONN *conn, struct vde_frame *frames, unsigned count, size_t len);
int vde_tx_commit(VDECONN *conn, const struct vde_frame *frames, unsigned count);

/*
 * Before it sleeps on vde_datafd(), a receiver spins for up to USEC microseconds if the network has
 * rings; 0 (the default) never. It gives the processor away when somebody else wants it.
 */
int vde_busy_poll(VDECONN *conn, unsigned usec);

/*
 * Hands a TAP interface to the network VNL, which from then on reads and writes it by itself: no
 * frame passes through the caller. A vde_switch of this project does that for its own user (see
 * --device-ports there); other networks do not, and then the caller carries frames between the two.
 *
 * TAP_FD (borrowed, the network gets a duplicate) is a descriptor of /dev/net/tun attached with
 * IFF_TAP | IFF_NO_PI | IFF_VNET_HDR and a header size of 10 or 12; its offloads (TUNSETOFFLOAD)
 * are set here. While the connection lasts the caller does not read or write it. What the kernel does
 * not forbid is harmless to the network, but not to the interface's own traffic.
 *
 * Returns a connection that only has vde_ctlfd() and vde_close(), which gives the interface back; or
 * NULL with errno and vde_strerror() as vde_open(). EOPNOTSUPP: this network does not take this
 * interface; vde_open() it.
 */
VDECONN *vde_open_tap(char *vnl, char *descr, struct vde_open_args *args, int tap_fd);

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
