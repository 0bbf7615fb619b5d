/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by stp_engine.c, which has all of these, and stp_manage.c. */
#pragma once

#include "vde/switch/stp_engine.h"

uint64_t stp_now(const struct stp_engine *e);
/* The time in UNITS of 1/256 s from now, as ns. */
uint64_t stp_after(const struct stp_engine *e, uint32_t units);

bool stp_is_root(const struct stp_engine *e);

/* The only function that changes a state. */
void stp_port_event(struct stp_engine *e, struct stp_port *port, enum stp_event event);

/* Makes PORT the one that serves its segment, or begins to. */
void stp_become_designated(struct stp_engine *e, struct stp_port *port);

/* Opens or shuts PORT, as its role has it. */
void stp_select_state(struct stp_engine *e, struct stp_port *port);

/* Works out root, roles and states again after something changed. */
void stp_reconsider(struct stp_engine *e);

/* Sends a configuration, or notes it while the hold time runs; on all designated ports. */
void stp_transmit_config(struct stp_engine *e, struct stp_port *port);
void stp_generate_configs(struct stp_engine *e);

/* No bridge is behind PORT any more. */
void stp_port_lost(struct stp_engine *e, struct stp_port *port);
