/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A switch without sockets that lives for one input: each line of it is a console command, or, behind
 * an exclamation mark, a frame from one of four endpoints. Commands that read or write files named in
 * the input are left out.
 */
#include "fuzz.h"

#include <sys/eventfd.h>

#include "vde/switch/console.h"
#include "vde/switch/endpoint.h"
#include "vde/switch/forward.h"

#define ENDPOINTS 4

static int sink_write(struct endpoint *ep, struct mmsghdr *msgs, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		size_t len = 0;

		for (size_t p = 0; p < msgs[i].msg_hdr.msg_iovlen; p++)
			len += msgs[i].msg_hdr.msg_iov[p].iov_len;
		FUZZ_CHECK(len == msgs[i].msg_len && len >= 14);
	}
	return ep->id % 2 ? (int)count : 0; /* every second one never reads */
}

static void sink_close(struct vde_switch *sw, struct endpoint *ep)
{
	(void)sw;
	(void)ep;
}

static const struct endpoint_class sink_class = {
	.module = "sink",
	.transport = "sink",
	.write = sink_write,
	.close = sink_close,
};

static void attach(struct vde_switch *sw, int id)
{
	const struct port_client client = { .uid = 0 };
	struct endpoint *ep = calloc(1, sizeof(*ep));
	struct port *port;

	FUZZ_CHECK(ep);
	FUZZ_CHECK(port_acquire(sw, 0, false, &client, &port) == 0);
	*ep = (struct endpoint){ .class = &sink_class, .id = id, .control_fd = -1,
				 .data_fd = eventfd(0, EFD_CLOEXEC), .data_events = EPOLLIN };
	endpoint_attach(sw, port, ep);
}

static void start(struct vde_switch *sw)
{
	sw->settings = (struct switch_settings){
		.num_ports = 8, .hash_size = 16, .max_macs = 8, .queue_size = 65600,
		.buffer_size = 1, .max_frame = 1518, .max_consoles = 1, .no_stdin = true,
		.daemon = DAEMON_INIT,
	};
	FUZZ_CHECK(loop_new(&sw->loop) == 0);
	FUZZ_CHECK(switch_init(sw) == 0);
	FUZZ_CHECK(console_new(sw, NULL) == 0);
	sw->dir = strdup("/nowhere");
	FUZZ_CHECK(sw->dir);
	for (int id = 0; id < ENDPOINTS; id++)
		attach(sw, id);
}

static void send_frame(struct vde_switch *sw, const char *line, size_t len)
{
	struct port *port = port_find(sw, len ? 1 + (unsigned char)line[0] % ENDPOINTS : 1);
	uint32_t frame_len = (uint32_t)MIN(len, (size_t)1519);

	if (!port || !port_active(port))
		return;
	memcpy(forward_buffer(sw->forward, 0), line, frame_len);
	forward_batch(sw, port->endpoints, &frame_len, 1);
}

static bool touches_files(const char *line)
{
	return strstr(line, "load") || strstr(line, "capture/start") || strstr(line, "plugin/add");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vde_switch sw = { 0 };
	struct strbuf out = { 0 };
	char *text = malloc(size + 1), *rest = text;
	const char *end = text + size;

	FUZZ_CHECK(text);
	memcpy(text, data, size);
	text[size] = '\0';
	start(&sw);
	while (rest < end) {
		char *newline = memchr(rest, '\n', (size_t)(end - rest));
		size_t len = (size_t)((newline ? newline : end) - rest);

		if (newline)
			*newline = '\0';
		if (rest[0] == '!')
			send_frame(&sw, rest + 1, len - 1);
		else if (!touches_files(rest))
			(void)console_run_line(&sw, NULL, rest, &out);
		strbuf_clear(&out);
		rest += len + 1;
	}
	strbuf_done(&out);
	switch_done(&sw);
	free(text);
	return 0;
}
