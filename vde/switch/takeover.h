/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A running switch is taken over by a new process (`vde_switch --takeover`): maybe a newer version of the
 * program. Those who are connected notice nothing.
 *
 * Theory of operation. The successor connects to DIR/ring and sends TAKEOVER (wire/vde_ring.h). Only
 * the switch's own user and root may; and the successor trusts only a switch of its own user or root. Then
 *
 *	old switch                           successor
 *	  HELLO: settings, limits   ------>  makes its tables, loads nothing yet
 *	  runs on                   <------  TAKEOVER again: go
 *	  stops, inside the handler
 *	  of that message
 *	  SCRIPT ... DONE           ------>  builds everything, touches nothing; enters its sandbox
 *	  waits                     <------  COMMIT, or FAILED with a sentence
 *	  ends                               its loop begins to turn
 *
 * Who owns the traffic is settled by one event: that COMMIT is sent. Until then the old switch owns
 * everything: when the successor fails, dies or is late, the old one leaves its handler, and all that has
 * happened is a pause. From then on the successor owns everything: the old one only ends, by
 * _exit(2), so nothing is closed in a way that anybody could notice, and no name is removed. A late
 * COMMIT cannot be: whose patience ends shuts the connection down first, so that a COMMIT cannot be sent
 * any more, and then looks whether one had been. The successor, whose COMMIT fails, ends likewise.
 *
 * While it lasts neither process reads or writes. Frames wait where the kernel has them: in the sockets,
 * the TAPs, the rings, all of which pass as descriptors. Frames that the old switch has queued pass
 * in messages. Indices of rings pass, too: what stands in the shared memory is the plug's to change.
 *
 * What passes (takeover_message.h has the messages). What can be said in console commands goes as a script
 * that the successor runs (takeover_script.c): ports, VLANs, access rules, settings of hash and tree, plug-ins.
 * The rest are messages: counters, endpoints with their queues, learned addresses, the spanning
 * trees with their timers, listening sockets, connections without a request yet, consoles with what they have
 * still to get and the events they asked for, captures with what waits for their readers. Settings of the
 * command line pass, too; takeover.c tells which of them the successor's own command line may
 * change. What does not pass: standard input, which is the process's own, and what plug-ins of the switch have
 * in memory; they are loaded again.
 *
 * A new class of endpoints needs: pack() and unpack() in its struct endpoint_class (endpoint.h; a class
 * with nothing but data_fd, control_fd and queue needs only unpack(), as plug_dgram.c's), and a place in the
 * table of takeover_unpack.c. A new kind of state needs a message, or a console command in the script. When
 * the meaning of a message changes, TAKEOVER_VERSION does; numbers are only ever added at the
 * end of a table of fields, where an older process ignores them, and a newer one copes without.
 */
#pragma once

#include "vde/switch/endpoint.h"
#include "vde/switch/takeover_message.h"

/* --- the old switch ------------------------------------------------------------------------- */

/*
 * Answers the request on FD (not owned) for VERSION of the protocol with HELLO. ERROR has the sentence
 * for the refusal: -EPERM, -EPROTONOSUPPORT, -EOPNOTSUPP.
 */
int takeover_offer(struct vde_switch *sw, int fd, uint32_t version, struct error *error);

/*
 * Hands everything over to the process at the other end of FD. Does not return if that took it; returns,
 * with a line in the log, when it did not. Blocks, at most TAKEOVER_PATIENCE.
 */
void takeover_hand_over(struct vde_switch *sw, int fd);
#define TAKEOVER_PATIENCE (3 * NS_PER_SEC)

/* --- the successor ----------------------------------------------------------------------------- */

struct takeover;

/*
 * Asks the switch in the control directory of the settings, and changes the settings to what that one
 * was told. Before switch_init(). *ret is the caller's (takeover_free()).
 */
int takeover_ask(struct switch_settings *settings, struct takeover **ret, struct error *error);

/* Receives everything into SW, whose tables are made. */
int takeover_receive_all(struct vde_switch *sw, struct takeover *t, struct error *error);

/* What passed does not need an interface to be opened that is there already. */
bool takeover_has_tap(const struct vde_switch *sw, const char *name);

/* Takes the pid file, which becomes ours by daemon_ready(). */
int takeover_adopt_pid(struct vde_switch *sw, struct takeover *t, struct error *error);

/* From the return of 0 on SW is the switch. */
int takeover_commit(struct vde_switch *sw, struct takeover *t, struct error *error);

/*
 * Instead of switch_done() after a failure before that: tells the other side the reason, takes back what was
 * made here, and ends the process without touching what is another's. T may be NULL.
 */
_Noreturn void takeover_abandon(struct vde_switch *sw, struct takeover *t, const char *reason);

/* NULL is fine. The settings borrow from it: after the last use of them. */
void takeover_free(struct takeover *t);

/* --- between the files of the takeover ------------------------------------------------------------ */

/* takeover_pack.c: everything from SCRIPT to what comes before DONE. */
int takeover_pack(const struct vde_switch *sw, const struct takeover_link *link,
		  struct error *error);

/* takeover_script.c: the settings as console commands, appended. */
void takeover_script(const struct vde_switch *sw, struct strbuf *out);

struct capture;
struct console;

/* takeover_unpack.c: one message into SW. U is zero at first. */
struct takeover_unpack {
	struct endpoint *ep;     /* the last ones: what belongs to them follows */
	struct console *console;
	struct capture *capture;
	unsigned num_endpoints;
};
int takeover_unpack(struct vde_switch *sw, struct takeover_unpack *u, struct takeover_message *m,
		    struct error *error);

/* Counters, in ITEM_COUNTERS and ITEM_DROP. */
void takeover_put_counters(struct takeover_message *m, const struct counters *counters);
int takeover_get_counters(const struct takeover_message *m, struct counters *counters);

/* An entry of the MAC table in ITEM_MAC_ENTRIES. */
struct takeover_mac {
	uint64_t key;
	uint32_t seen;
	uint32_t port;
};

/* Of TAKEOVER_ENDPOINT and TAKEOVER_MACS, both ways. */
#define TAKEOVER_ENDPOINT_FIELDS 5
extern const struct takeover_field takeover_endpoint_fields[TAKEOVER_ENDPOINT_FIELDS];
#define TAKEOVER_MACS_FIELDS 3
extern const struct takeover_field takeover_macs_fields[TAKEOVER_MACS_FIELDS];
