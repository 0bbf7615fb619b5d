/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/load.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define END_PAUSE_MS 5

struct seen {
	uint64_t first, last, received, bad, reordered;
	uint32_t expected;
	bool ended;
};

/* One frame of a batch that came at NOW. */
static void count_frame(struct settings *s, struct seen *seen, const struct vde_frame *frame,
			uint64_t now)
{
	struct load_frame f;

	if (!frame_parse(frame->data, frame->len, &f))
		return;
	if (f.kind == FRAME_HELLO) {
		greet_back(s);
		return;
	}
	seen->ended = f.kind != FRAME_LOAD;
	if (seen->ended)
		return;
	seen->last = now;
	if (seen->received++ == 0)
		seen->first = now;
	seen->bad += frame->len != (size_t)s->size;
	seen->reordered += f.number < seen->expected;
	seen->expected = f.number + 1;
}

static int receive_all(struct settings *s, struct seen *seen)
{
	CLEANUP(link_batch_free) struct link_batch batch = { 0 };

	while (!seen->ended) {
		int r = link_take(s->link, &batch);
		uint64_t now = clock_now();

		if (is_final(r))
			return r;
		for (unsigned i = 0; i < batch.count && !seen->ended; i++)
			count_frame(s, seen, &batch.frames[i], now);
		link_return(s->link, &batch);
	}
	return 0;
}

int run_recv(struct settings *s)
{
	struct seen seen = { 0 };
	int r = say_ready();

	if (r == 0)
		r = receive_all(s, &seen);
	if (r < 0)
		return r;
	(void)printf("{\"received\": %ju, \"seconds\": %.9f, \"bad\": %ju, \"reordered\": %ju, "
		     "\"cpu\": %.9f, \"link\": \"%s\"}\n", (uintmax_t)seen.received,
		     (double)(seen.last - seen.first) / NS_PER_SEC, (uintmax_t)seen.bad,
		     (uintmax_t)seen.reordered, (double)cpu_now() / NS_PER_SEC, link_name(s->link));
	return 0;
}

static void fill(const struct settings *s, struct vde_frame *frame, uint32_t number)
{
	if (!s->mode.super) {
		frame_make(frame->data, ASKER, ANSWERER, FRAME_LOAD, number);
		return;
	}
	frame_super_headers(frame->data, ASKER, ANSWERER, frame->len);
	frame_super_number(frame->data, number);
	frame->vnet = (struct vde_vnet){
		.flags = VDE_VNET_NEEDS_CSUM, .gso_type = VDE_VNET_GSO_TCPV4,
		.hdr_len = FRAME_HEADERS, .gso_size = FRAME_SEGMENT, .csum_start = 34,
		.csum_offset = 16,
	};
}

/* What the link refuses is tried again: it says by that how fast it is. */
static int send_batch(struct settings *s, struct link_batch *batch, uint32_t *number)
{
	int r = link_room(s->link, batch, (size_t)s->size);

	for (unsigned i = 0; r == 0 && i < batch->count; i++)
		fill(s, &batch->frames[i], (*number)++);
	return r < 0 ? r : link_push(s->link, batch);
}

static void say_end(struct settings *s, uint32_t sent)
{
	frame_make(s->frame, ASKER, ANSWERER, FRAME_END, sent);
	do
		(void)link_send(s->link, s->frame, FRAME_SIZE_MIN);
	while (!input_ended(END_PAUSE_MS));
}

int run_send(struct settings *s)
{
	CLEANUP(link_batch_free) struct link_batch batch = { 0 };
	uint64_t start, now;
	uint32_t sent = 0;
	int r = meet(s);

	start = now = clock_now();
	while (!is_final(r) && now < start + (uint64_t)s->milliseconds * NS_PER_MSEC) {
		r = send_batch(s, &batch, &sent);
		now = clock_now();
	}
	if (is_final(r))
		return r;
	(void)printf("{\"sent\": %u, \"seconds\": %.9f, \"cpu\": %.9f, \"link\": \"%s\"}\n", sent,
		     (double)(now - start) / NS_PER_SEC, (double)cpu_now() / NS_PER_SEC,
		     link_name(s->link));
	(void)fflush(stdout);
	say_end(s, sent);
	return 0;
}

int run_burst(struct settings *s)
{
	int r = 0;

	for (int i = 0; i < s->count && !is_final(r); i++) {
		frame_make(s->frame, ASKER, 0, FRAME_LOAD, (uint32_t)i);
		r = (int)link_send(s->link, s->frame, (size_t)MIN(s->size, FRAME_PLAIN_MAX));
	}
	if (!is_final(r))
		r = say_ready();
	while (r == 0 && !input_ended(-1))
		;
	return r;
}
