/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The switch: one instance, one loop, one thread.
 *
 *	plug_*, tap     where endpoints come from: they make a struct endpoint and feed frames
 *	forward         classifies a batch of frames, learns, and gives each endpoint its share
 *	port, vlan      the tables that the console edits and forward obeys
 *	stp             decides which port of which VLAN forwards (802.1D), when it is on
 *	console         commands, asynchronous debug lines; cmd_*.c has one file a menu
 *
 * Ownership: the switch owns ports, VLANs, the MAC table, consoles and captures; a port owns its
 * endpoints; an endpoint owns its descriptors and its queue. Endpoints and consoles are freed
 * after the batch (loop_defer_free), everything else at once.
 */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "base/daemon.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/option.h"
#include "base/pool.h"
#include "vde/switch/hold.h"
#include "wire/ether.h"

struct capture_set;
struct console_set;
struct control;
struct debug_set;
struct dynamic_command;
struct endpoint;
struct mac_table;
struct plug_rings;
struct plugin_host;
struct port;
struct stp;
struct tap_buffers;
struct vlan;

/* Of whom the switch takes TAPs (plug_device.h). */
enum device_ports {
	DEVICE_PORTS_SAME_USER, /* of its own, and root */
	DEVICE_PORTS_ANY,
	DEVICE_PORTS_NONE,
};

/* What the command line decides; strings are borrowed from argv. */
struct switch_settings {
	/* the table of ports */
	int num_ports;
	bool hub;
	bool fstp;
	uint8_t mac[ETHER_ADDR_SIZE];
	bool mac_given;
	int priority; /* of the bridge in STP */
	int hash_size;
	int max_macs;
	/* the control directory */
	const char *dir;
	mode_t mode;
	mode_t dir_mode;
	bool mode_given, dir_mode_given;
	const char *group;
	enum device_ports device_ports;
	/* console and daemon */
	struct daemon daemon;
	bool is_daemon; /* same as daemon.detach, kept when it has detached */
	const char *rc_file;
	const char *mgmt;
	mode_t mgmt_mode;
	const char *mgmt_group;
	bool no_stdin;
	struct option_list taps;
	/* limits */
	int queue_size;   /* bytes waiting for one endpoint at most */
	int buffer_size;  /* MiB of all queues together at most */
	int busy_poll;    /* us to stay awake after the last frame of a ring */
	int ring_size;    /* bytes of the largest ring that a plug gets, each way */
	int max_frame;    /* bytes of the largest frame on datagram ports */
	int max_pending;  /* control connections without a valid request */
	int max_consoles;
	struct {
		bool queue_size, buffer_size, busy_poll, ring_size, max_frame, max_macs,
			max_pending, max_consoles, device_ports;
	} given; /* which of the limits are on the command line */
	bool takeover; /* go on in the place of the switch that runs in DIR */
	/* sandbox */
	bool no_sandbox;
	struct option_list allow_paths;
	const char *log_level;
};

struct vde_switch {
	struct loop *loop; /* owned */
	struct switch_settings settings;
	uint8_t mac[ETHER_ADDR_SIZE];
	uint64_t start; /* ns */
	char *dir;      /* absolute, owned; NULL before the directory is made */
	char *mgmt;     /* absolute path of the management socket, owned; NULL: none */

	struct port **ports; /* [0..num_ports], NULL: no such port */
	unsigned num_ports;  /* the highest number */
	struct vlan **vlans; /* [VLAN_COUNT] */
	bool hub;
	bool took_over; /* endpoints may have ids of another process */

	struct forward *forward;
	struct mac_table *macs;
	struct pool chunks; /* of the output queues */
	struct holds holds; /* of endpoints that are not read now */
	struct control *control;
	struct console_set *consoles;
	struct dynamic_command *commands; /* of plug-ins, borrowed */
	unsigned load_depth;              /* files of commands being run */
	struct debug_set *debug;
	struct stp *stp;
	struct capture_set *captures;
	struct plugin_host *plugins;
	struct plug_rings *rings;
	struct tap_buffers *tap_buffers;
};

/*
 * Makes the tables as SW's loop and settings say; -ENOMEM. No file or socket is touched. Whatever it
 * returns, switch_done() is called in the end, which closes and frees everything, the loop too.
 */
int switch_init(struct vde_switch *sw);
void switch_done(struct vde_switch *sw);

/* The name shown for a user or group number; "NONE" for (id_t)-1. TEXT has NAME_TEXT_SIZE bytes. */
#define NAME_TEXT_SIZE 64
const char *switch_user_name(uid_t uid, char text[NAME_TEXT_SIZE]);
const char *switch_group_name(gid_t gid, char text[NAME_TEXT_SIZE]);
