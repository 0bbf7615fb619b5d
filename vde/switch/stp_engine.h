/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Spanning Tree Protocol (IEEE 802.1D-1998 clause 8) of one bridge in one VLAN. It knows
 * nothing of sockets, frames or the switch: what it wants done goes through struct stp_ops, and the
 * time comes from there. stp_engine.c has the theory.
 */
#pragma once

#include "base/util.h"
#include "wire/bpdu.h"

#define STP_PORT_LIMIT  16383 /* the highest number of a port */
#define STP_NO_DEADLINE UINT64_MAX
#define STP_PORT_COST   2      /* stp_engine.c tells why */
#define STP_ID_PRIORITY 0x8000 /* of a port, in its identifier */

enum stp_state {
	STP_DISABLED,   /* no link, not a member, or the protocol is off */
	STP_BLOCKING,   /* only listens to BPDUs */
	STP_LISTENING,  /* takes part in the protocol, nothing else */
	STP_LEARNING,   /* learns addresses */
	STP_FORWARDING, /* everything */
	STP_NUM_STATES,
};

/* "disabled", "blocking" ... */
const char *stp_state_name(enum stp_state state);

enum stp_event {
	STP_EVENT_UP,    /* the link came up */
	STP_EVENT_DOWN,  /* the link went down */
	STP_EVENT_OPEN,  /* it is the root port, or designated */
	STP_EVENT_EDGE,  /* it is designated, and no bridge is behind it */
	STP_EVENT_SHUT,  /* it is neither: another way is better */
	STP_EVENT_DELAY, /* the forward delay is over */
	STP_NUM_EVENTS,
};

/* The state that follows STATE at EVENT; STATE itself where the event changes nothing. */
enum stp_state stp_next_state(enum stp_state state, enum stp_event event);

enum stp_role {
	STP_ROLE_NONE, /* disabled */
	STP_ROLE_EDGE, /* designated, and no bridge was heard */
	STP_ROLE_ROOT,
	STP_ROLE_ALTERNATE, /* or backup: another port serves this segment */
	STP_ROLE_DESIGNATED,
	STP_NUM_ROLES,
};

/* "Unknown", "Edge", "Root", "Alternate/Backup", "Designated". */
const char *stp_role_name(enum stp_role role);

/* What bridges compare, most significant first; a smaller one is better. */
struct stp_vector {
	uint64_t root;   /* bridge identifier */
	uint32_t cost;   /* of the path to it */
	uint64_t bridge; /* identifier of the bridge that says so */
	uint16_t port;   /* identifier of its port */
};

/* Times that the root decides for all, 1/256 s. */
struct stp_times {
	uint16_t max_age;
	uint16_t hello_time;
	uint16_t forward_delay;
};

extern const struct stp_times stp_default_times; /* 20, 2 and 15 s */

struct stp_counters {
	uint64_t config_in, tcn_in;
	uint64_t rapid_in;   /* of 802.1w; they only tell that there is a bridge */
	uint64_t dialect_in; /* of the old VDE dialect */
	uint64_t bad_in;     /* neither of these */
	uint64_t config_out, tcn_out;
	uint64_t forwarding; /* times that it came to forward */
};

/* A port in one VLAN. Read by others, written by the engine only (except `count`). */
struct stp_port {
	unsigned number;
	uint16_t id; /* STP_ID_PRIORITY and the number */
	enum stp_state state;
	bool up;         /* has a link and is a member */
	bool admin_edge; /* the operator says that no bridge is behind it */
	bool edge;       /* and none was heard since */
	bool neighbour;  /* a bridge was heard since the link came up */
	bool deaf;       /* that one does not listen: it is obeyed, never led */
	bool config_pending;
	bool topology_change_ack;
	struct stp_vector designated; /* the best known on this segment */
	uint64_t heard;               /* ns: when it was heard */
	uint16_t message_age;         /* and how old it was then, 1/256 s */
	uint64_t message_age_due, forward_delay_due, hold_due; /* ns; 0: not running */
	struct stp_counters count;
};

struct stp_engine;

/* CONTEXT is what stp_engine_new() was given. None may call the engine. */
struct stp_ops {
	uint64_t (*now)(void *context); /* ns, never goes back */
	void (*send)(void *context, const struct stp_port *port, const struct bpdu *bpdu);
	void (*set_state)(void *context, const struct stp_port *port);
	void (*flush)(void *context); /* forget all addresses of the VLAN */
	void (*root_changed)(void *context, const struct stp_engine *engine);
	/* A bridge was heard on PORT for the first time, or is gone. */
	void (*neighbour)(void *context, const struct stp_port *port);
};

/* Read by others, written by the engine only. */
struct stp_engine {
	const struct stp_ops *ops;
	void *context;
	bool running;
	uint64_t bridge;        /* our identifier */
	struct stp_times own;   /* used when we are the root */
	struct stp_times times; /* in use */
	uint64_t root;          /* identifier */
	uint32_t root_cost;
	struct stp_port *root_port; /* NULL: we are the root */
	uint64_t root_heard;        /* ns: when it was last heard, or we became it */
	unsigned bonus_port;        /* its cost is less by bonus_cost */
	int32_t bonus_cost;
	bool topology_change;          /* the root says so: addresses age fast */
	bool topology_change_detected; /* we did, and the root does not know yet */
	uint64_t topology_changes;     /* times that it began */
	uint64_t hello_due, tcn_due, topology_change_due, ageing_due; /* ns; 0: not running */
	struct stp_port **ports;                                      /* owned, by number */
	size_t num_ports, room;
};

/*
 * An engine that does not run yet, for the bridge BRIDGE (identifier); OPS and CONTEXT are borrowed
 * for its life. The caller frees it with stp_engine_free(). -ENOMEM.
 */
int stp_engine_new(const struct stp_ops *ops, void *context, uint64_t bridge,
		   struct stp_engine **ret);
void stp_engine_free(struct stp_engine *e);

/* Begins as root with all ports that are up listening; or ends, with all ports disabled. */
void stp_engine_start(struct stp_engine *e);
void stp_engine_stop(struct stp_engine *e);

/* Adds port NUMBER, without a link; gives the one that is there already. -EINVAL, -ENOMEM. */
int stp_engine_add_port(struct stp_engine *e, unsigned number, struct stp_port **ret);
void stp_engine_remove_port(struct stp_engine *e, unsigned number);
/* NULL when it was not added. Borrowed until it is removed. */
struct stp_port *stp_engine_port(const struct stp_engine *e, unsigned number);

void stp_engine_set_link(struct stp_engine *e, struct stp_port *port, bool up);
/* An edge port forwards at once. Ignored while a bridge is heard on it, until the link is new. */
void stp_engine_set_edge(struct stp_engine *e, struct stp_port *port, bool edge);
/* The port whose cost is less by COST (or more, if negative); there is one in a VLAN. */
void stp_engine_set_bonus(struct stp_engine *e, unsigned number, int32_t cost);
/* Changes priority or address of this bridge. */
void stp_engine_set_bridge(struct stp_engine *e, uint64_t bridge);

/* What it costs to reach the root through PORT, beyond what its neighbour says: 1 at least. */
uint32_t stp_engine_port_cost(const struct stp_engine *e, const struct stp_port *port);

/* While it does not run: what the port would begin as. */
enum stp_role stp_engine_role(const struct stp_engine *e, const struct stp_port *port);

/* A BPDU came in on PORT. Times outside the standard's bounds are brought inside. */
void stp_engine_receive(struct stp_engine *e, struct stp_port *port, const struct bpdu *bpdu);

/*
 * A configuration came from a bridge that does not listen to ours (BPDU: translated by the
 * caller): PORT is then the root port or shut, never designated.
 */
void stp_engine_receive_deaf(struct stp_engine *e, struct stp_port *port, const struct bpdu *bpdu);

struct takeover_link;
struct takeover_message;

/*
 * The state of a running engine, to go on in another process (stp_engine_pack.c). stp_engine_pack() adds to
 * M, and sends it, and more messages like it when there are many ports. stp_engine_unpack() takes each
 * of them; nothing is sent, no operation is called, and links are as they were set. -EBADMSG, -ENOMEM.
 */
int stp_engine_pack(const struct stp_engine *e, struct takeover_message *m,
		    const struct takeover_link *link);
int stp_engine_unpack(struct stp_engine *e, const struct takeover_message *m);

/* Does what is due; to be called at stp_engine_next_deadline() (ns, or STP_NO_DEADLINE). */
void stp_engine_tick(struct stp_engine *e);
uint64_t stp_engine_next_deadline(const struct stp_engine *e);
