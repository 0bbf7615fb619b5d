/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An interface of the host, through libpcap, as the end of a relay. */
#pragma once

#include "relay.h"

/*
 * Opens the Ethernet interface NAME (borrowed) for all frames that others sent: those of the host
 * itself (with the interface's own source address) do not come, so that nothing goes round in circles.
 */
int end_pcap_new(const char *name, struct relay_end **ret, struct error *error);
