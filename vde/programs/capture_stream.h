/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What vde_capture gets from a switch: first lines of the console's protocol, up to the result of its
 * command, then pcap-ng. Bytes go in, whole blocks come out.
 */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

struct capture_stream {
	struct strbuf in;  /* as it came */
	struct strbuf out; /* whole blocks that have to be written */
	bool started;      /* the switch said yes */
	bool in_text;      /* within a data block: an explanation */
	struct strbuf text;
	uint64_t limit;    /* frames at most; 0: no limit */
	uint64_t frames;   /* in `out`, all in all */
	uint64_t dropped;  /* by the switch, as its statistics say */
};

void capture_stream_done(struct capture_stream *s);

/* True when all frames that are wanted have come. */
static inline bool capture_stream_full(const struct capture_stream *s)
{
	return s->limit && s->frames >= s->limit;
}

/* Works on what was appended to s->in. A refusal, or what is not pcap-ng, is an error. */
int capture_stream_advance(struct capture_stream *s, struct error *error);
