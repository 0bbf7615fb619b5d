/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Captures. Each has a filter, a sink, and an interface block for each port it has seen a frame of. A
 * frame becomes one block in the sink's buffer, or, when the reader is so slow that it does not
 * fit, a count; so what is written is always a sequence of whole blocks. A capture ends by
 * capture/stop, when its reader goes away or half-closes, or when writing fails: then the
 * statistics are the last block. It takes no frames from then on, but keeps its number until the
 * sink is empty.
 *
 * The whole switch is captured on input, so that each frame is there once. Of a single port both
 * directions are seen, and marked.
 */
#include "vde/switch/capture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "vde/switch/capture_filter.h"
#include "vde/switch/capture_sink.h"
#include "vde/switch/console.h"
#include "vde/switch/sandbox.h"
#include "vde/switch/takeover_message.h"
#include "wire/pcapng.h"

/* More than an interface or packet block has beside names and the frame. */
#define BLOCK_OVERHEAD 128

struct capture_interface {
	unsigned port;
	uint64_t received; /* frames, with those dropped */
	uint64_t dropped;
};

struct capture {
	struct capture_sink sink;
	struct vde_switch *sw;
	struct capture *next;
	unsigned number;
	int port;
	uint32_t snap_len;
	char *where;       /* owned */
	char *filter_text; /* owned */
	struct capture_filter *filter;
	struct stat file;
	struct capture_interface *interfaces; /* owned */
	unsigned num_interfaces, interface_room;
	uint16_t place[PORT_LIMIT + 1]; /* a port's interface, plus one */
	uint64_t frames, bytes, dropped;
	bool ending;
};

struct capture_set {
	struct capture *first;
};

int capture_new(struct vde_switch *sw)
{
	sw->captures = calloc(1, sizeof(*sw->captures));
	return sw->captures ? 0 : -ENOMEM;
}

static void free_capture(void *object)
{
	struct capture *capture = object;

	capture_sink_close(&capture->sink);
	capture_filter_free(capture->filter);
	free(capture->interfaces);
	free(capture->filter_text);
	free(capture->where);
	free(capture);
}

/* Frames. */

static bool wants(const struct capture *capture, const struct port *port)
{
	return !capture->ending &&
	       (capture->port == CAPTURE_ALL_PORTS || capture->port == (int)port->number);
}

bool capture_wants(const struct vde_switch *sw, const struct port *port)
{
	const struct capture *capture = sw->captures->first;

	while (capture && !wants(capture, port))
		capture = capture->next;
	return capture != NULL;
}

static uint64_t wall_clock(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts); /* cannot fail with this clock */
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Adds the interface of a port seen for the first time; its block is written when it fits. */
static struct capture_interface *add_interface(struct capture *capture, unsigned port)
{
	char name[32];

	if (!capture_sink_has_room(&capture->sink, BLOCK_OVERHEAD))
		return NULL;
	if (capture->num_interfaces == capture->interface_room) {
		unsigned room = capture->interface_room ? 2 * capture->interface_room : 4;
		void *grown = reallocarray(capture->interfaces, room,
					   sizeof(*capture->interfaces));

		if (!grown)
			return NULL;
		capture->interfaces = grown;
		capture->interface_room = room;
	}
	(void)snprintf(name, sizeof(name), "port %u", port);
	pcapng_interface(&capture->sink.buffer, name, NULL, capture->snap_len);
	capture->interfaces[capture->num_interfaces] = (struct capture_interface){ .port = port };
	capture->place[port] = (uint16_t)++capture->num_interfaces;
	return &capture->interfaces[capture->num_interfaces - 1];
}

static void record(struct capture *capture, unsigned port, enum pcapng_direction direction,
		   const uint8_t *data, size_t len)
{
	size_t kept = capture->snap_len ? MIN(len, capture->snap_len) : len;
	unsigned place = capture->place[port];
	struct capture_interface *interface;

	if (!capture_filter_match(capture->filter, data, len))
		return;
	interface = place ? &capture->interfaces[place - 1] : add_interface(capture, port);
	if (!interface) {
		capture->dropped++;
		return;
	}
	interface->received++;
	if (!capture_sink_has_room(&capture->sink, kept + BLOCK_OVERHEAD)) {
		interface->dropped++;
		capture->dropped++;
		return;
	}
	pcapng_packet(&capture->sink.buffer, (uint32_t)(interface - capture->interfaces),
		      wall_clock(), data, kept, len, direction);
	capture->frames++;
	capture->bytes += len;
	capture_sink_kick(&capture->sink);
}

void capture_frame(struct vde_switch *sw, const struct port *port,
		   enum capture_direction direction, const uint8_t *data, size_t len)
{
	for (struct capture *at = sw->captures->first; at; at = at->next) {
		if (!wants(at, port))
			continue;
		if (direction == CAPTURE_IN)
			record(at, port->number, PCAPNG_INBOUND, data, len);
		else if (at->port != CAPTURE_ALL_PORTS)
			record(at, port->number, PCAPNG_OUTBOUND, data, len);
	}
}

/* The end of a capture. */

static void finish(struct capture *capture)
{
	uint64_t now = wall_clock();

	if (capture->ending)
		return;
	capture->ending = true;
	for (unsigned i = 0; i < capture->num_interfaces; i++)
		pcapng_statistics(&capture->sink.buffer, i, now, capture->interfaces[i].received,
				  capture->interfaces[i].dropped);
	capture_sink_finish(&capture->sink);
}

static void unlink_capture(struct capture *capture)
{
	struct capture **at = &capture->sw->captures->first;

	while (*at != capture)
		at = &(*at)->next;
	*at = capture->next;
}

static void sink_asked_to_end(struct capture_sink *sink)
{
	finish(container_of(sink, struct capture, sink));
}

static void sink_ended(struct capture_sink *sink)
{
	struct capture *capture = container_of(sink, struct capture, sink);

	if (sink->error == -EPIPE || sink->error == -ECONNRESET)
		log_info("capture %u: the reader of %s is gone", capture->number, capture->where);
	else if (sink->error)
		log_error_errno(sink->error, "capture %u to %s ends", capture->number,
				capture->where);
	if (capture->dropped)
		log_notice("capture %u to %s: %llu frames dropped", capture->number,
			   capture->where, (unsigned long long)capture->dropped);
	capture->ending = true;
	unlink_capture(capture);
	loop_defer_free(capture->sw->loop, free_capture, capture);
}

int capture_stop(struct vde_switch *sw, unsigned number)
{
	struct capture *at = sw->captures->first;

	while (at && at->number != number)
		at = at->next;
	if (!at)
		return -ENOENT;
	finish(at);
	return 0;
}

void capture_free(struct vde_switch *sw)
{
	if (!sw->captures)
		return;
	while (sw->captures->first) {
		struct capture *capture = sw->captures->first;

		finish(capture);
		if (sw->captures->first != capture)
			continue; /* all was written, it ended by itself */
		unlink_capture(capture);
		free_capture(capture);
	}
	free(sw->captures);
	sw->captures = NULL;
}

/* The start of a capture. */

static void cleanup_capture(struct capture **capture)
{
	if (*capture)
		free_capture(*capture);
}

#define auto_capture CLEANUP(cleanup_capture)

static bool number_taken(const struct vde_switch *sw, unsigned number)
{
	const struct capture *at = sw->captures->first;

	while (at && at->number != number)
		at = at->next;
	return at != NULL;
}

/* A capture without a sink. */
static int prepare(struct vde_switch *sw, const struct capture_request *request,
		   struct capture **ret, struct error *error)
{
	auto_capture struct capture *capture = calloc(1, sizeof(*capture));
	int r;

	if (!capture)
		return error_set(error, ENOMEM, "no memory for a capture");
	capture->sink.fd = -1;
	capture->sink.asked_to_end = sink_asked_to_end;
	capture->sink.ended = sink_ended;
	capture->sw = sw;
	capture->port = request->port;
	capture->snap_len = request->snap_len;
	capture->number = 1;
	while (number_taken(sw, capture->number))
		capture->number++;
	if (capture->number > CAPTURE_MAX)
		return error_set(error, ENOSPC,
				 "there are %d captures, which is the most: end one with "
				 "capture/stop",
				 CAPTURE_MAX);
	if (request->port != CAPTURE_ALL_PORTS && !port_find(sw, request->port))
		return error_set(error, ENXIO, "there is no port %d", request->port);
	r = capture_filter_new(request->filter, &capture->filter, error);
	if (r < 0)
		return r;
	capture->filter_text = strdup(request->filter);
	if (!capture->filter_text)
		return error_set(error, ENOMEM, "no memory for a capture");
	*ret = TAKE_PTR(capture);
	return 0;
}

/* Writes the head; from here on it takes frames. */
static void begin(struct capture *capture)
{
	struct capture **end = &capture->sw->captures->first;

	pcapng_section(&capture->sink.buffer, "vde_switch (VirtualSquare) " VS_VERSION);
	if (capture->port != CAPTURE_ALL_PORTS)
		(void)add_interface(capture, (unsigned)capture->port);
	capture_sink_kick(&capture->sink);
	while (*end)
		end = &(*end)->next;
	*end = capture;
	log_info("capture %u to %s begins", capture->number, capture->where);
}

static int open_error(const struct vde_switch *sw, int code, const char *path,
		      struct error *error)
{
	if (code == ENXIO)
		return error_set(error, ENXIO,
				 "nobody reads the FIFO %s: start the reader first", path);
	if (sandbox_explain(sw, code, path, error)) {
		size_t len = strlen(error->text);

		(void)snprintf(error->text + len, sizeof(error->text) - len,
			       "; or capture with vde_capture, which writes the file itself");
		return -code;
	}
	return error_set_errno(error, code, "cannot write to %s", path);
}

/*
 * A file is made if need be, but only where there is none: opening a stranger's FIFO with O_CREAT is
 * refused by the kernel (fs.protected_fifos).
 */
static int open_target(const struct vde_switch *sw, const char *path, struct error *error)
{
	int flags = O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
	int fd = open(path, flags);

	if (fd < 0 && errno == ENOENT)
		fd = open(path, flags | O_CREAT | O_EXCL, 0600);
	return fd < 0 ? open_error(sw, errno, path, error) : fd;
}

static int check_target(const struct capture *capture, int fd, const char *path,
			struct error *error)
{
	const struct stat *file = &capture->file;

	if (!S_ISREG(file->st_mode) && !S_ISFIFO(file->st_mode))
		return error_set(error, EINVAL, "%s is neither a file nor a FIFO", path);
	for (const struct capture *at = capture->sw->captures->first; at; at = at->next)
		if (at->file.st_ino == file->st_ino && at->file.st_dev == file->st_dev)
			return error_set(error, EEXIST, "capture %u writes to %s already",
					 at->number, path);
	if (S_ISREG(file->st_mode) && ftruncate(fd, 0) < 0)
		return error_set_errno(error, errno, "cannot empty %s", path);
	return 0;
}

int capture_start(struct vde_switch *sw, const struct capture_request *request, const char *path,
		  struct error *error)
{
	auto_capture struct capture *capture = NULL;
	auto_close int fd = -1;
	unsigned number;
	int r = prepare(sw, request, &capture, error);

	if (r < 0)
		return r;
	fd = open_target(sw, path, error);
	if (fd < 0)
		return fd;
	if (fstat(fd, &capture->file) < 0)
		return error_set_errno(error, errno, "cannot look at %s", path);
	r = check_target(capture, fd, path, error);
	if (r < 0)
		return r;
	capture->where = strdup(path);
	r = capture->where ? capture_sink_open(&capture->sink, sw->loop, fd, CAPTURE_BUFFER)
			   : -ENOMEM;
	if (r < 0)
		return error_set_errno(error, -r, "cannot write to %s", path);
	(void)TAKE_FD(fd);
	number = capture->number;
	begin(TAKE_PTR(capture));
	return (int)number;
}

static char *peer_name(int fd)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);
	char *name;

	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len); /* 0: nobody knows */
	return asprintf(&name, "process %ld", (long)peer.pid) < 0 ? NULL : name;
}

int capture_stream(struct vde_switch *sw, const struct capture_request *request,
		   struct console *console, struct error *error)
{
	auto_capture struct capture *capture = NULL;
	auto_strbuf struct strbuf queued = { 0 };
	auto_close int fd = -1;
	int r = prepare(sw, request, &capture, error);

	if (r < 0)
		return r;
	fd = console_take_fd(sw, console, &queued);
	if (fd < 0)
		return error_set(error, -fd,
				 "a capture can be sent to a management connection only: use "
				 "vde_capture");
	capture->where = peer_name(fd);
	r = capture->where ? capture_sink_open(&capture->sink, sw->loop, fd, CAPTURE_BUFFER)
			   : -ENOMEM;
	if (r < 0)
		return 0; /* the connection is closed: there is nobody left to tell */
	(void)TAKE_FD(fd);
	strbuf_append(&capture->sink.buffer, strbuf_text(&queued), queued.len);
	strbuf_puts(&capture->sink.buffer, "1000 Success\n");
	begin(TAKE_PTR(capture));
	return 0;
}

/* Listing. */

static void print_one(const struct capture *capture, struct strbuf *out)
{
	strbuf_printf(out, "Capture %04u to %s", capture->number, capture->where);
	if (capture->port == CAPTURE_ALL_PORTS)
		strbuf_puts(out, " of all ports");
	else
		strbuf_printf(out, " of port %04d", capture->port);
	if (capture->snap_len != CAPTURE_SNAP_LEN)
		strbuf_printf(out, " snaplen %u", capture->snap_len);
	if (*capture->filter_text)
		strbuf_printf(out, " filter %s", capture->filter_text);
	strbuf_printf(out, "%s\n frames %10llu          bytes %20llu          dropped %10llu\n",
		      capture->ending ? " (ending)" : "", (unsigned long long)capture->frames,
		      (unsigned long long)capture->bytes, (unsigned long long)capture->dropped);
}

static void print_json(const struct capture *capture, struct json *json)
{
	json_object(json, NULL);
	json_uint(json, "number", capture->number);
	json_string(json, "to", capture->where);
	if (capture->port == CAPTURE_ALL_PORTS)
		json_null(json, "port");
	else
		json_int(json, "port", capture->port);
	json_uint(json, "snaplen", capture->snap_len);
	json_string(json, "filter", capture->filter_text);
	json_uint(json, "frames", capture->frames);
	json_uint(json, "bytes", capture->bytes);
	json_uint(json, "dropped", capture->dropped);
	json_bool(json, "ending", capture->ending);
	json_end(json);
}

void capture_print(const struct vde_switch *sw, struct strbuf *out, struct json *json)
{
	if (json)
		json_array(json, NULL);
	for (const struct capture *at = sw->captures->first; at; at = at->next)
		if (json)
			print_json(at, json);
		else
			print_one(at, out);
	if (json)
		json_end(json);
}

/* Takeover. */

static const struct takeover_field capture_fields[] = {
	TAKEOVER_FIELD(struct capture, number),  TAKEOVER_FIELD(struct capture, port),
	TAKEOVER_FIELD(struct capture, snap_len), TAKEOVER_FIELD(struct capture, frames),
	TAKEOVER_FIELD(struct capture, bytes),   TAKEOVER_FIELD(struct capture, dropped),
	TAKEOVER_FIELD(struct capture, ending),
};

static const struct takeover_field interface_fields[] = {
	TAKEOVER_FIELD(struct capture_interface, port),
	TAKEOVER_FIELD(struct capture_interface, received),
	TAKEOVER_FIELD(struct capture_interface, dropped),
};

#define INTERFACES_A_MESSAGE 512

/* The message of the capture has as many interfaces as fit, those of its bytes the others. */
static void pack_interfaces(const struct capture *capture, unsigned *at, struct takeover_message *m)
{
	for (unsigned n = 0; n < INTERFACES_A_MESSAGE && *at < capture->num_interfaces; n++, ++*at)
		takeover_put_fields(m, ITEM_INTERFACE, &capture->interfaces[*at], interface_fields,
				    ARRAY_SIZE(interface_fields));
}

static int pack_one(const struct capture *capture, const struct takeover_link *link)
{
	auto_takeover_message struct takeover_message m = { 0 };
	const struct strbuf *buffer = &capture->sink.buffer;
	size_t at = capture->sink.written;
	unsigned interface = 0;
	int r;

	takeover_begin(&m, TAKEOVER_CAPTURE);
	takeover_put_fields(&m, ITEM_NUMBERS, capture, capture_fields, ARRAY_SIZE(capture_fields));
	takeover_put_text(&m, ITEM_NAME, capture->where);
	takeover_put_text(&m, ITEM_FILTER, capture->filter_text);
	takeover_put_fd(&m, capture->sink.fd);
	pack_interfaces(capture, &interface, &m);
	r = takeover_send(link, &m);
	while (r == 0 && (at < buffer->len || interface < capture->num_interfaces)) {
		size_t len = MIN(buffer->len - at, (size_t)TAKEOVER_CHUNK);

		takeover_begin(&m, TAKEOVER_CAPTURE_BYTES);
		takeover_put(&m, ITEM_BYTES_OUT, buffer->data + at, len);
		pack_interfaces(capture, &interface, &m);
		r = takeover_send(link, &m);
		at += len;
	}
	return r;
}

int capture_pack(const struct vde_switch *sw, const struct takeover_link *link)
{
	int r = 0;

	for (const struct capture *at = sw->captures->first; r == 0 && at; at = at->next)
		if (!at->sink.over)
			r = pack_one(at, link);
	return r;
}

static int unpack_interface(struct capture *capture, struct cursor value)
{
	struct capture_interface interface = { 0 };
	void *grown;

	if (takeover_value_fields(value, &interface, interface_fields,
				  ARRAY_SIZE(interface_fields)) < 0 ||
	    interface.port > PORT_LIMIT || capture->num_interfaces > PORT_LIMIT)
		return -EBADMSG;
	if (capture->num_interfaces == capture->interface_room) {
		unsigned room = capture->interface_room ? 2 * capture->interface_room : 4;

		grown = reallocarray(capture->interfaces, room, sizeof(interface));
		if (!grown)
			return -ENOMEM;
		capture->interfaces = grown;
		capture->interface_room = room;
	}
	capture->interfaces[capture->num_interfaces] = interface;
	capture->place[interface.port] = (uint16_t)++capture->num_interfaces;
	return 0;
}

int capture_unpack_bytes(struct capture *capture, const struct takeover_message *m)
{
	struct cursor at = takeover_items(m), value;
	uint16_t type;
	int r = 0;

	while (r == 0 && takeover_next(&at, &type, &value)) {
		if (type == ITEM_INTERFACE)
			r = unpack_interface(capture, value);
		else if (type == ITEM_BYTES_OUT)
			strbuf_append(&capture->sink.buffer, value.at, value.left);
	}
	return r < 0 ? r : capture->sink.buffer.error;
}

int capture_unpack(struct vde_switch *sw, struct takeover_message *m, struct capture **ret,
		   struct error *error)
{
	auto_capture struct capture *capture = NULL;
	auto_free char *filter = takeover_get_text(m, ITEM_FILTER);
	auto_close int fd = takeover_take_fd(m);
	struct capture_request request = { .port = CAPTURE_ALL_PORTS,
					   .filter = filter ? filter : "" };
	struct capture **end = &sw->captures->first;
	int r = prepare(sw, &request, &capture, error);

	if (r < 0)
		return r;
	capture->where = takeover_get_text(m, ITEM_NAME);
	r = takeover_get_fields(m, ITEM_NUMBERS, capture, capture_fields,
				ARRAY_SIZE(capture_fields));
	if (r == 0)
		r = capture->where ? capture_unpack_bytes(capture, m) : -ENOMEM;
	if (r == 0)
		r = capture_sink_open(&capture->sink, sw->loop, fd, CAPTURE_BUFFER);
	if (r < 0)
		return error_set_errno(error, -r, "capture %u", capture->number);
	if (!capture->sink.socket)
		(void)fstat(fd, &capture->file);
	(void)TAKE_FD(fd);
	capture_sink_resume(&capture->sink, capture->ending);
	while (*end)
		end = &(*end)->next;
	*end = *ret = TAKE_PTR(capture);
	return 0;
}
