/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing pcap-ng files (draft-ietf-opsawg-pcapng): section header, interface description and
 * enhanced packet blocks in host byte order. Time stamps are in nanoseconds since 1970.
 */
#pragma once

#include "base/strbuf.h"

enum pcapng_direction {
	PCAPNG_UNKNOWN = 0,
	PCAPNG_INBOUND = 1,  /* received by the interface */
	PCAPNG_OUTBOUND = 2, /* sent by it */
};

#define PCAPNG_LINKTYPE_ETHERNET 1

/* Appends the section header; APPLICATION names the writer. */
void pcapng_section(struct strbuf *out, const char *application);

/* Appends an interface description; interfaces number from 0 in order. SNAP_LEN 0: no limit. */
void pcapng_interface(struct strbuf *out, const char *name, const char *description,
		      uint32_t snap_len);

/*
 * Appends a packet of ORIGINAL_LEN bytes of which the first CAPTURED_LEN are at DATA, seen on
 * interface number INTERFACE at TIME_NS.
 */
void pcapng_packet(struct strbuf *out, uint32_t interface, uint64_t time_ns, const void *data,
		   size_t captured_len, size_t original_len, enum pcapng_direction direction);

/* Appends interface statistics: frames seen and dropped by the capture itself. */
void pcapng_statistics(struct strbuf *out, uint32_t interface, uint64_t time_ns, uint64_t received,
		       uint64_t dropped);
