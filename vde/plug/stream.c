/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The vdestream_* calls. The reader is wire/vde_stream, which keeps half a header and half a frame
 * for the next call. The writer puts header and frame out with one call, and finishes what a full
 * pipe took only in part: half a frame would put the reader out of step for good.
 */
#include <libvdeplug.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "base/io.h"
#include "wire/vde_stream.h"

struct vdestream {
	void *opaque;
	int fdout; /* borrowed */
	ssize_t (*frecv)(void *opaque, void *buf, size_t count);
	void (*ferr)(void *opaque, int type, char *format, ...);
	struct vde_stream reader;
};

PUBLIC VDESTREAM *vdestream_open(void *opaque, int fdout,
				 ssize_t (*frecv)(void *opaque, void *buf, size_t count),
				 void (*ferr)(void *opaque, int type, char *format, ...))
{
	VDESTREAM *stream = malloc(sizeof(*stream));

	if (!stream) {
		errno = ENOMEM;
		return NULL;
	}
	stream->opaque = opaque;
	stream->fdout = fdout;
	stream->frecv = frecv;
	stream->ferr = ferr;
	vde_stream_reset(&stream->reader);
	return stream;
}

/* Writes what is left of header and frame after the first DONE bytes. */
static int stream_finish(int fd, const struct iovec iov[2], size_t done)
{
	int r = 0;

	if (done < iov[0].iov_len) {
		r = io_write_all(fd, (char *)iov[0].iov_base + done, iov[0].iov_len - done);
		done = iov[0].iov_len;
	}
	done -= iov[0].iov_len;
	if (r == 0)
		r = io_write_all(fd, (char *)iov[1].iov_base + done, iov[1].iov_len - done);
	return r;
}

PUBLIC ssize_t vdestream_send(VDESTREAM *stream, const void *buf, size_t len)
{
	uint8_t header[VDE_STREAM_HEADER_SIZE];
	struct iovec iov[2] = { { header, sizeof(header) }, { (void *)(uintptr_t)buf, len } };
	ssize_t n;
	int r;

	if (len > VDE_STREAM_FRAME_MAX)
		return 0;
	vde_stream_put_header(header, len);
	do
		n = writev(stream->fdout, iov, 2);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	r = stream_finish(stream->fdout, iov, (size_t)n);
	if (r < 0) {
		errno = -r;
		return -1;
	}
	return (ssize_t)(sizeof(header) + len);
}

static void stream_frame(void *context, const uint8_t *frame, size_t len)
{
	VDESTREAM *stream = context;

	/* Both buffers that a frame can stand in are writable; only the handler's type is const. */
	(void)stream->frecv(stream->opaque, (void *)(uintptr_t)frame, len);
}

static void stream_oversized(void *context, size_t len)
{
	VDESTREAM *stream = context;
	char format[] = "Packet length error: %zu bytes, at most %d fit";

	if (stream->ferr)
		stream->ferr(stream->opaque, PACKET_LENGTH_ERROR, format, len, VDE_STREAM_FRAME_MAX);
}

PUBLIC void vdestream_recv(VDESTREAM *stream, unsigned char *buf, size_t len)
{
	static const struct vde_stream_handler handler = { stream_frame, stream_oversized };

	vde_stream_feed(&stream->reader, buf, len, &handler, stream);
}

PUBLIC void vdestream_close(VDESTREAM *stream)
{
	free(stream);
}
