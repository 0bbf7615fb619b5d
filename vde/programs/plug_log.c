/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vde/programs/plug_log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <syslog.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "wire/ether.h"
#include "wire/ip.h"

#define PROGRAM        "vde_plug"
#define UNKNOWN_ORIGIN "UNKNOWN_IP_ADDRESS"
#define TAGS_MAX       4 /* stacked VLAN tags that are looked behind */

static void find_user(char *text, size_t size)
{
	const struct passwd *entry = getpwuid(getuid());

	if (entry)
		(void)snprintf(text, size, "%s", entry->pw_name);
	else
		(void)snprintf(text, size, "%u", (unsigned)getuid());
}

static void find_origin(char *text, size_t size)
{
	const char *ssh = getenv("SSH_CLIENT");
	size_t len = ssh ? strcspn(ssh, " ") : 0;

	if (len)
		(void)snprintf(text, size, "%.*s", (int)len, ssh);
	else
		(void)snprintf(text, size, "%s", UNKNOWN_ORIGIN);
}

int plug_log_init(struct plug_log *log, bool events, bool addresses)
{
	uint64_t seed = 0;

	*log = (struct plug_log){ .events = events, .addresses = addresses };
	if (!events)
		return 0;
	find_user(log->user, sizeof(log->user));
	find_origin(log->from, sizeof(log->from));
	openlog(PROGRAM, 0, LOG_USER);
	if (!addresses)
		return 0;
	(void)getrandom(&seed, sizeof(seed), 0); /* without it the table is only easier to guess */
	return map_init(&log->seen, PLUG_LOG_ADDRESSES, seed);
}

void plug_log_done(struct plug_log *log)
{
	map_done(&log->seen);
}

bool plug_log_wanted_by_group(void)
{
	auto_free gid_t *groups = NULL;
	gid_t wanted;
	int count = getgroups(0, NULL);

	if (parse_group(PLUG_LOG_GROUP, &wanted) < 0)
		return false;
	if (getgid() == wanted || getegid() == wanted)
		return true;
	groups = calloc((size_t)MAX(count, 1), sizeof(*groups));
	count = groups ? getgroups(count, groups) : 0;
	for (int i = 0; i < count; i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

void plug_log_event(const struct plug_log *log, const char *event)
{
	if (log->events)
		syslog(LOG_USER | LOG_INFO, "%s: user %s IP %s", event, log->user, log->from);
}

/* The source address in a frame, and the VLAN of its outermost tag (0: untagged). */
static int frame_source(const void *frame, size_t len, struct ip_source *ret, uint16_t *ret_vlan)
{
	struct cursor c = cursor_of(frame, len);
	uint16_t type;

	(void)cursor_take(&c, ETHER_HEADER_SIZE - sizeof(type));
	type = cursor_be16(&c);
	*ret_vlan = 0;
	for (int i = 0; i < TAGS_MAX; i++) {
		uint16_t tci;

		if (type != ETHER_TYPE_VLAN && type != ETHER_TYPE_SERVICE_VLAN)
			break;
		tci = cursor_be16(&c);
		type = cursor_be16(&c);
		if (i == 0)
			*ret_vlan = VLAN_ID(tci);
	}
	return c.ok ? ip_find_source(type, c, ret) : -EBADMSG;
}

/* 0.0.0.0 and :: are used by those who have no address yet. */
static bool is_unspecified(const struct ip_source *source)
{
	static const uint8_t none[sizeof(source->addr)];

	return memcmp(source->addr, none, sizeof(none)) == 0;
}

/* Sixteen bytes and a VLAN in 64 bits: the table's seed keeps others from choosing collisions. */
static uint64_t source_key(const struct plug_log *log, const struct ip_source *source,
			   uint16_t vlan)
{
	uint64_t halves[2];

	memcpy(halves, source->addr, sizeof(halves));
	return map_hash(map_hash(halves[0], log->seen.seed) ^ halves[1], log->seen.seed) ^
	       ((uint64_t)vlan << 8 | source->version);
}

/* Returns whether SOURCE is new, and remembers it. */
static bool is_new(struct plug_log *log, const struct ip_source *source, uint16_t vlan)
{
	uint64_t key = source_key(log, source, vlan);

	if (log->full || map_find(&log->seen, key))
		return false;
	if (map_set(&log->seen, key, 1) == 0)
		return true;
	log->full = true;
	syslog(LOG_USER | LOG_INFO, "user %s Real-IP %s uses more than %d addresses: no more are logged",
	       log->user, log->from, PLUG_LOG_ADDRESSES);
	return false;
}

void plug_log_frame(struct plug_log *log, const void *frame, size_t len)
{
	struct ip_source source = { 0 };
	char text[INET6_ADDRSTRLEN];
	uint16_t vlan;

	if (!log->addresses || frame_source(frame, len, &source, &vlan) < 0)
		return;
	if (is_unspecified(&source) || !is_new(log, &source, vlan))
		return;
	(void)inet_ntop(source.version == 4 ? AF_INET : AF_INET6, source.addr, text, sizeof(text));
	syslog(LOG_USER | LOG_INFO, "user %s Real-IP %s has got VDE-IP%u %s on vlan %u", log->user, log->from,
	       source.version, text, vlan);
}
