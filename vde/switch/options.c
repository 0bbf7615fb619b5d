/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vde/switch/options.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/ring.h"
#include "vde/switch/mactable.h"
#include "vde/switch/outq.h"
#include "vde/switch/port.h"

#define SETTING(field) offsetof(struct switch_settings, field)
/* A field that a takeover sets, unless it is given. */
#define LIMIT(field)   .offset = SETTING(field), .given_offset = SETTING(given.field)

static int set_mac(void *settings, const char *argument, struct error *error)
{
	struct switch_settings *s = settings;

	if (parse_mac(argument, s->mac) < 0)
		return error_set(error, EINVAL,
				 "'%s' is not a MAC address such as 02:11:22:33:44:55", argument);
	if (ether_is_multicast(s->mac))
		return error_set(error, EINVAL, "'%s' is a group address", argument);
	s->mac_given = true;
	return 0;
}

static int set_hash_size(void *settings, const char *argument, struct error *error)
{
	struct switch_settings *s = settings;
	long long value;

	if (parse_int(argument, 1, 1 << 20, &value) < 0)
		return error_set(error, EINVAL, "'%s' is not a number from 1 to %d", argument, 1 << 20);
	s->hash_size = (int)mac_table_round_size((uint32_t)value);
	if (s->hash_size != value)
		log_warning("--hashsize: %lld is not a power of two, %d is used", value,
			    s->hash_size);
	return 0;
}

static int set_ring_size(void *settings, const char *argument, struct error *error)
{
	struct switch_settings *s = settings;
	long long value;

	if (parse_int(argument, RING_MIN, RING_MAX, &value) < 0 || !ring_size_valid((uint64_t)value))
		return error_set(error, EINVAL, "'%s' is not a power of two from %u to %u", argument,
				 RING_MIN, RING_MAX);
	s->ring_size = (int)value;
	return 0;
}

static int set_device_ports(void *settings, const char *argument, struct error *error)
{
	static const char *const words[] = {
		[DEVICE_PORTS_SAME_USER] = "same-user",
		[DEVICE_PORTS_ANY] = "any",
		[DEVICE_PORTS_NONE] = "none",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!str_equal(argument, words[i]))
			continue;
		((struct switch_settings *)settings)->device_ports = (enum device_ports)i;
		return 0;
	}
	return error_set(error, EINVAL, "'%s' is none of same-user, any, none", argument);
}

static int set_log_level(void *settings, const char *argument, struct error *error)
{
	int level = log_level_parse(argument);

	(void)settings;
	if (level < 0)
		return error_set(error, EINVAL,
				 "'%s' is none of error, warning, notice, info, debug", argument);
	log_set_level((enum log_level)level);
	return 0;
}

static const struct option_row rows[] = {
	{ 'h', "help", .kind = OPTION_HELP, .help = "print this help and exit" },
	{ 'v', "version", .kind = OPTION_VERSION, .help = "print the version and exit" },

	{ 'n', "numports", .kind = OPTION_INT, .arg = "N", .offset = SETTING(num_ports), .min = 1,
	  .max = PORT_LIMIT, .preset = "32", .help = "number of ports" },
	{ 'x', "hub", .kind = OPTION_FLAG, .offset = SETTING(hub),
	  .help = "repeat every frame to all ports, like a hub" },
	{ 'F', "fstp", .kind = OPTION_FLAG, .offset = SETTING(fstp),
	  .help = "run the spanning tree protocol (802.1D)" },
	{ 0, "macaddr", .kind = OPTION_CALL, .arg = "MAC", .set = set_mac,
	  .help = "MAC address of the switch", .preset = "00:ff: and random" },
	{ 0, "priority", .kind = OPTION_INT, .arg = "N", .offset = SETTING(priority), .max = 0xffff,
	  .preset = "0x8000", .help = "priority in the spanning tree" },
	{ 0, "hashsize", .kind = OPTION_CALL, .arg = "N", .set = set_hash_size, .preset = "128",
	  .help = "buckets of the address table, as hash/print numbers them" },

	{ 's', "sock", "vdesock unix", OPTION_STRING, COMPLETE_DIRECTORY, "DIR",
	  SETTING(dir), .preset = VS_RUNDIR "/vde.ctl for root, /tmp/vde.ctl for others",
	  .help = "control directory: what plugs name to join" },
	{ 'm', "mode", "mod", OPTION_MODE, .arg = "OCTAL", .offset = SETTING(mode),
	  .given_offset = SETTING(mode_given), .preset = "0600",
	  .help = "permissions of the sockets: who may join" },
	{ 0, "dirmode", .kind = OPTION_MODE, .arg = "OCTAL", .offset = SETTING(dir_mode),
	  .given_offset = SETTING(dir_mode_given), .preset = "02700, or what --mode needs",
	  .help = "permissions of the control directory" },
	{ 'g', "group", .kind = OPTION_STRING, .complete = COMPLETE_GROUP, .arg = "GROUP",
	  .offset = SETTING(group), .help = "group of directory and sockets" },
	{ 't', "tap", .kind = OPTION_LIST, .complete = COMPLETE_INTERFACE, .arg = "IF",
	  .offset = SETTING(taps), .help = "attach the TAP interface IF; repeatable" },
	{ 0, "device-ports", .kind = OPTION_CALL, .arg = "WHOSE", .set = set_device_ports,
	  .given_offset = SETTING(given.device_ports),
	  .choices = "same-user any none", .preset = "same-user",
	  .help = "whose TAP interfaces the switch serves by itself, without a process of the plug's" },

	{ 'd', "daemon", .kind = OPTION_FLAG, .offset = SETTING(daemon.detach),
	  .help = "run in the background and log to syslog" },
	{ 0, "takeover", .kind = OPTION_FLAG, .offset = SETTING(takeover),
	  .help = "go on in the place of the switch that runs in DIR; nobody notices" },
	{ 'p', "pidfile", .kind = OPTION_STRING, .complete = COMPLETE_FILE, .arg = "FILE",
	  .offset = SETTING(daemon.pid_file), .help = "write the process number to FILE" },
	{ 0, "ready-fd", .kind = OPTION_INT, .arg = "FD", .offset = SETTING(daemon.ready_fd),
	  .help = "write a newline to descriptor FD once plugs can join" },
	{ 'f', "rcfile", .kind = OPTION_STRING, .complete = COMPLETE_FILE, .arg = "FILE",
	  .offset = SETTING(rc_file),
	  .preset = "~/.vde2/vde_switch.rc, else /etc/vde2/vde_switch.rc",
	  .help = "run the console commands in FILE at the start" },
	{ 'M', "mgmt", .kind = OPTION_STRING, .complete = COMPLETE_FILE, .arg = "SOCKET",
	  .offset = SETTING(mgmt), .help = "offer the console on this socket" },
	{ 0, "mgmtmode", .kind = OPTION_MODE, .arg = "OCTAL", .offset = SETTING(mgmt_mode),
	  .preset = "0600", .help = "permissions of the management socket" },
	{ 0, "mgmtgroup", .kind = OPTION_STRING, .complete = COMPLETE_GROUP, .arg = "GROUP",
	  .offset = SETTING(mgmt_group), .help = "group of the management socket" },
	{ 0, "nostdin", .kind = OPTION_FLAG, .offset = SETTING(no_stdin),
	  .help = "standard input is no console, and its end does not stop the switch" },
	{ 'D', "debugclients", .kind = OPTION_IGNORED, .arg = "N",
	  .help = "accepted for compatibility" },
	{ 0, "log-level", .kind = OPTION_CALL, .arg = "LEVEL", .set = set_log_level,
	  .choices = "error warning notice info debug", .preset = "notice",
	  .help = "how much is logged" },

	{ 0, "queue-size", .kind = OPTION_INT, .arg = "BYTES", LIMIT(queue_size),
	  .min = OUTQ_FRAME_MAX, .max = 1 << 30, .preset = "16777216",
	  .help = "most bytes that wait for one plug; what is more is dropped and counted" },
	{ 0, "buffer-size", .kind = OPTION_INT, .arg = "MIB", LIMIT(buffer_size), .min = 1,
	  .max = 1 << 16, .preset = "256", .help = "most memory of all queues together" },
	{ 0, "busy-poll", .kind = OPTION_INT, .arg = "US", LIMIT(busy_poll),
	  .max = 1000000, .preset = "0",
	  .help = "stay awake so many microseconds after a frame from a ring, if nobody wants the processor" },
	{ 0, "ring-size", .kind = OPTION_CALL, .arg = "BYTES", .set = set_ring_size,
	  .given_offset = SETTING(given.ring_size), .preset = "4194304",
	  .help = "largest ring that a plug gets, each way; a power of two" },
	{ 0, "max-frame", .kind = OPTION_INT, .arg = "BYTES", LIMIT(max_frame),
	  .min = 1518, .max = OUTQ_FRAME_MAX - ETHER_TAG_SIZE, .preset = "9234",
	  .help = "largest frame; larger ones are dropped and counted" },
	{ 0, "max-macs", .kind = OPTION_INT, .arg = "N", LIMIT(max_macs), .min = 2,
	  .max = 1 << 24, .preset = "16384",
	  .help = "most learned addresses; one port gets half of them" },
	{ 0, "max-pending", .kind = OPTION_INT, .arg = "N", LIMIT(max_pending), .min = 1,
	  .max = 4096, .preset = "128", .help = "most connections that have not asked for a port yet" },
	{ 0, "max-consoles", .kind = OPTION_INT, .arg = "N", LIMIT(max_consoles),
	  .min = 1, .max = 64, .preset = "64", .help = "most consoles at a time" },
	{ 0, "no-sandbox", .kind = OPTION_FLAG, .offset = SETTING(no_sandbox),
	  .help = "keep all rights of the process after the start" },
	{ 0, "allow-path", .kind = OPTION_LIST, .complete = COMPLETE_DIRECTORY, .arg = "DIR",
	  .offset = SETTING(allow_paths),
	  .help = "let console commands use files below DIR; repeatable" },
};

static const struct option_program program = {
	.name = "vde_switch",
	.synopsis = "[OPTION]...",
	.summary = "Runs a virtual Ethernet switch that plugs, virtual machines and namespaces join.",
	.epilogue = "The console's commands are listed by its command 'help'; see vde_switch(1).",
	.rows = rows,
	.num_rows = ARRAY_SIZE(rows),
	.style = OPTION_LONG_ONLY,
	.help_status = EXIT_FAILURE,
	.usage_status = EXIT_FAILURE,
	.operands = COMPLETE_NOTHING,
};

int options_parse(struct switch_settings *settings, int argc, char **argv, int *ret_status)
{
	int first;

	*settings = (struct switch_settings){
		.num_ports = 32,
		.priority = 0x8000,
		.hash_size = 128,
		.max_macs = 16384,
		.dir = geteuid() == 0 ? VS_RUNDIR "/vde.ctl" : "/tmp/vde.ctl",
		.mode = 0600,
		.dir_mode = 02700,
		.daemon = DAEMON_INIT,
		.mgmt_mode = 0600,
		.queue_size = 16 << 20,
		.buffer_size = 256,
		.ring_size = 4 << 20,
		.max_frame = 9234,
		.max_pending = 128,
		.max_consoles = 64,
	};
	first = option_parse(&program, argc, argv, settings, ret_status);
	if (first < 0)
		return -1;
	if (first < argc) {
		*ret_status = option_usage_error(&program, "unexpected argument '%s'", argv[first]);
		return -1;
	}
	if (settings->hub && settings->fstp) {
		*ret_status = option_usage_error(
			&program, "--fstp: a hub repeats everything, it has no spanning tree");
		return -1;
	}
	settings->is_daemon = settings->daemon.detach;
	return 0;
}
