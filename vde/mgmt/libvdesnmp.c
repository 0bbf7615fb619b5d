/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvdesnmp: the switch's tables read through libvdemgmt into the counters of IF-MIB.
 *
 * Events tell what changed at once: the first endpoint of a port lets it come up, its removal lets
 * it go down. Whether a port still has endpoints after one left is not in the event: the tables are
 * read again then. A change that only an update finds is reported in the same way.
 */
#include "libvdesnmp.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/util.h"
#include "libvdemgmt.h"

#define PORT_MTU     1500
#define PORT_SPEED   1000000000
#define PORTS_MAX    65536
#define NUM_EVENTS   2
#define MAC_LENGTH   17

/* The library's interface has no handle: this is the one session of the process. */
struct snmp {
	struct vdemgmt *conn;
	vde_stats_t stats;
	traffic_t *traffic; /* in and out of each port */
	uint64_t start;     /* ns */
	bool stale;         /* an event tells that the tables changed */
	int (*callbacks[NUM_EVENTS])(int portindex);
};

static struct snmp snmp;

static int fail(int code)
{
	errno = code;
	return -1;
}

static const char *next_line(const struct vdemgmt_out *out, const char *line)
{
	line = line ? line + strlen(line) + 1 : out->buf;
	return line && line < out->buf + out->sz ? line : NULL;
}

/* The number behind WORD in LINE, or -1. */
static long number_after(const char *line, const char *word)
{
	const char *at = strstr(line, word);
	char *end;
	long value;

	if (!at)
		return -1;
	at += strlen(word);
	value = strtol(at, &end, 10);
	return end == at ? -1 : value;
}

/* Runs COMMAND; 0, or -1 with errno. The caller empties OUT with vdemgmt_rstout(). */
static int ask(const char *command, struct vdemgmt_out *out)
{
	int code = vdemgmt_sendcmd(snmp.conn, command, out);

	return code > 0 ? fail(code) : code;
}

static vde_port_stats *port_of(long number)
{
	return number >= 1 && number <= snmp.stats.numports ? &snmp.stats.ports[number - 1] : NULL;
}

static long hundredths(void)
{
	return (long)((clock_now() - snmp.start) / (10 * NS_PER_MSEC));
}

/* Brings a port up or down and tells, unless it is so already. */
static void set_active(vde_port_stats *port, bool active, bool tell)
{
	int event = active ? VDE_SNMP_PORT_UP : VDE_SNMP_PORT_DOWN;

	if (port->active == active)
		return;
	port->active = active;
	port->adminstatus = active ? ADMINSTATUS_UP : ADMINSTATUS_DOWN;
	port->operstatus = active ? OPERSTATUS_UP : OPERSTATUS_DOWN;
	port->time_lastchange = tell ? hundredths() : 0;
	if (tell && snmp.callbacks[event])
		(void)snmp.callbacks[event]((int)(port - snmp.stats.ports));
}

static void forget_port(vde_port_stats *port)
{
	port->index = 0;
	port->desc[0] = '\0';
	port->mtu = port->speed = 0;
	port->adminstatus = ADMINSTATUS_DOWN;
	port->operstatus = OPERSTATUS_NOTPRESENT;
	*port->in = *port->out = (traffic_t){ 0 };
}

/* Room for NUMPORTS ports; what is known of those that stay is kept. */
static int set_numports(long numports)
{
	vde_port_stats *ports;
	traffic_t *traffic;

	if (numports < 0 || numports > PORTS_MAX)
		return fail(EPROTO);
	if (numports == snmp.stats.numports)
		return 0;
	ports = calloc((size_t)numports + 1, sizeof(*ports));
	traffic = calloc((size_t)numports + 1, 2 * sizeof(*traffic));
	if (!ports || !traffic) {
		free(ports);
		free(traffic);
		return fail(ENOMEM);
	}
	for (int i = 0; i < numports; i++) {
		bool old = i < snmp.stats.numports;

		if (old)
			ports[i] = snmp.stats.ports[i];
		ports[i].in = &traffic[2 * i];
		ports[i].out = &traffic[2 * i + 1];
		if (!old)
			forget_port(&ports[i]);
	}
	free(snmp.stats.ports);
	free(snmp.traffic);
	snmp.stats = (vde_stats_t){ (int)numports, ports };
	snmp.traffic = traffic;
	return 0;
}

/* `Numports=32`, `counters=true`. */
static int read_limits(void)
{
	struct vdemgmt_out out = { 0 };
	bool counters = false;
	long numports = -1;
	int r = ask("port/showinfo", &out);

	for (const char *line = NULL; (line = next_line(&out, line));) {
		if (str_starts(line, "Numports="))
			numports = number_after(line, "Numports=");
		counters |= str_starts(line, "counters=true");
	}
	vdemgmt_rstout(&out);
	if (r < 0)
		return r;
	return counters ? set_numports(numports) : fail(ENOTSUP);
}

static void read_traffic(traffic_t *traffic, const char *line)
{
	traffic->ucastpkts = MAX(number_after(line, "pkts"), 0);
	traffic->octects = MAX(number_after(line, "bytes"), 0);
}

/* A line of a port's block behind the first. */
static void read_port_line(vde_port_stats *port, const char *line)
{
	const char *colon = strchr(line, ':');

	if (str_starts(line, " IN:")) {
		read_traffic(port->in, line);
	} else if (str_starts(line, " OUT:")) {
		read_traffic(port->out, line);
	} else if (str_starts(line, "  -- endpoint") && colon && !port->desc[0]) {
		(void)str_copy(port->desc, sizeof(port->desc),
			       colon + 1 + strspn(colon + 1, " "));
		port->desc[strcspn(port->desc, "\n")] = '\0';
	}
}

/* `Port 0001 untagged_vlan=0000 ACTIVE - Unnamed Allocatable` */
static vde_port_stats *read_port_head(const char *line, bool tell)
{
	vde_port_stats *port = port_of(number_after(line, "Port "));

	if (!port)
		return NULL;
	forget_port(port);
	port->index = (int)(port - snmp.stats.ports) + 1;
	port->mtu = PORT_MTU;
	port->speed = PORT_SPEED;
	set_active(port, strstr(line, " ACTIVE") != NULL, tell);
	port->adminstatus = port->active ? ADMINSTATUS_UP : ADMINSTATUS_DOWN;
	port->operstatus = port->active ? OPERSTATUS_UP : OPERSTATUS_DOWN;
	return port;
}

static int compare_numbers(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Ports that the listing lacks are not there any more. SEEN has COUNT port numbers. */
static void drop_unseen(int *seen, size_t count, bool tell)
{
	qsort(seen, count, sizeof(*seen), compare_numbers);
	for (int i = 0; i < snmp.stats.numports; i++) {
		int number = i + 1;

		if (bsearch(&number, seen, count, sizeof(*seen), compare_numbers))
			continue;
		set_active(&snmp.stats.ports[i], false, tell);
		forget_port(&snmp.stats.ports[i]);
	}
}

static int read_ports(bool tell)
{
	struct vdemgmt_out out = { 0 };
	vde_port_stats *port = NULL;
	size_t count = 0;
	int *seen, r = ask("port/allprint", &out);

	if (r < 0 && errno == ENXIO) /* no ports at all */
		r = 0;
	seen = calloc((size_t)snmp.stats.numports + 1, sizeof(*seen));
	if (!seen)
		r = -1;
	for (const char *line = NULL; r == 0 && (line = next_line(&out, line));) {
		if (str_starts(line, "Port ")) {
			port = read_port_head(line, tell);
			if (port && count < (size_t)snmp.stats.numports)
				seen[count++] = port->index;
		} else if (port) {
			read_port_line(port, line);
		}
	}
	if (r == 0)
		drop_unseen(seen, count, tell);
	free(seen);
	vdemgmt_rstout(&out);
	return r;
}

/* The address of the only station behind each port. A port with several has none. */
static int read_addresses(void)
{
	struct vdemgmt_out out = { 0 };
	int r = ask("hash/print", &out);

	for (int i = 0; i < snmp.stats.numports; i++)
		memset(snmp.stats.ports[i].phyaddress, 0, MAC_LENGTH);
	for (const char *line = NULL; r == 0 && (line = next_line(&out, line));) {
		const char *mac = strstr(line, "Addr: ");
		vde_port_stats *port = port_of(number_after(line, "to port: "));

		if (!mac || !port || strnlen(mac + 6, MAC_LENGTH) < MAC_LENGTH)
			continue;
		if (!port->phyaddress[0])
			memcpy(port->phyaddress, mac + 6, MAC_LENGTH);
		else if (memcmp(port->phyaddress, mac + 6, MAC_LENGTH) != 0)
			port->phyaddress[0] = '*';
	}
	for (int i = 0; i < snmp.stats.numports; i++)
		if (snmp.stats.ports[i].phyaddress[0] == '*')
			memset(snmp.stats.ports[i].phyaddress, 0, MAC_LENGTH);
	vdemgmt_rstout(&out);
	return r;
}

static int read_tables(bool tell)
{
	if (read_limits() < 0 || read_ports(tell) < 0 || read_addresses() < 0)
		return -1;
	snmp.stale = false;
	return 0;
}

/* `port/descr`: `Port 02 FD  7 -> "text"`. */
static void take_description(vde_port_stats *port, const char *data)
{
	const char *from = strchr(data, '"'), *to = strrchr(data, '"');

	if (from && to > from && (size_t)(to - from) <= sizeof(port->desc)) {
		memcpy(port->desc, from + 1, (size_t)(to - from) - 1);
		port->desc[to - from - 1] = '\0';
	}
}

/* DATA is `+ 02`, `- 02`, `ep/+ Port 02 FD  7`, `ep/- ...` or `descr Port 02 ...`. */
static void on_port_event(const char *event, int tag, const char *data)
{
	bool of_port = data[0] == '+' || data[0] == '-';
	vde_port_stats *port = port_of(number_after(data, of_port ? " " : "Port "));

	(void)event;
	(void)tag;
	snmp.stale = true;
	if (!port)
		return;
	if (str_starts(data, "descr "))
		take_description(port, data);
	else if (str_starts(data, "ep/+ "))
		set_active(port, true, true);
	else if (str_starts(data, "- "))
		set_active(port, false, true);
}

static int start_session(const char *path)
{
	snmp.conn = vdemgmt_open(path);
	if (!snmp.conn)
		return -1;
	snmp.start = clock_now();
	int code = vdemgmt_asyncreg(snmp.conn, "port", on_port_event);

	if (code > 0)
		errno = code;
	return code != 0 ? -1 : read_tables(false);
}

PUBLIC int vde_snmp_init(char *path)
{
	int r;

	vde_snmp_close();
	r = start_session(path);
	if (r < 0) {
		int saved = errno;

		vde_snmp_close();
		errno = saved;
	}
	return r;
}

PUBLIC void vde_snmp_close(void)
{
	vdemgmt_close(snmp.conn);
	free(snmp.stats.ports);
	free(snmp.traffic);
	snmp.conn = NULL;
	snmp.stats = (vde_stats_t){ 0 };
	snmp.traffic = NULL;
	snmp.stale = false;
}

PUBLIC vde_stats_t *vde_snmp_get_stats(void)
{
	return &snmp.stats;
}

PUBLIC int vde_snmp_update(void)
{
	return snmp.conn ? read_tables(true) : fail(ENOTCONN);
}

PUBLIC int vde_snmp_getfd(void)
{
	return snmp.conn ? vdemgmt_getfd(snmp.conn) : -1;
}

PUBLIC int vde_snmp_event(void)
{
	char byte;

	if (!snmp.conn)
		return fail(ENOTCONN);
	vdemgmt_asyncrecv(snmp.conn);
	if (recv(vdemgmt_getfd(snmp.conn), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		return fail(ECONNRESET);
	return snmp.stale ? read_tables(true) : 0;
}

PUBLIC int vde_snmp_register_callback(int event, int (*callback)(int portindex))
{
	if (event < 0 || event >= NUM_EVENTS)
		return fail(EINVAL);
	snmp.callbacks[event] = callback;
	return 0;
}

PUBLIC int vde_snmp_reset_lastchange(void)
{
	snmp.start = clock_now();
	for (int i = 0; i < snmp.stats.numports; i++)
		snmp.stats.ports[i].time_lastchange = 0;
	return 0;
}

static void dump_port(const vde_port_stats *port)
{
	(void)fprintf(stderr,
		      " port: %d\n  desc: %s\n  mtu: %d\n  speed: %d\n  phyaddr: %.17s\n"
		      "  adminstatus: %d\n  operstatus: %d\n  lastchange: %ld\n"
		      "   in->ucastpkts: %ld\n   in->octects: %ld\n"
		      "   out->ucastpkts: %ld\n   out->octects: %ld\n",
		      port->index, port->desc, port->mtu, port->speed, port->phyaddress,
		      port->adminstatus, port->operstatus, port->time_lastchange,
		      port->in->ucastpkts, port->in->octects, port->out->ucastpkts,
		      port->out->octects);
}

PUBLIC void vde_snmp_dumpstats(vde_stats_t *stats)
{
	(void)fprintf(stderr, "numports: %d\n", stats->numports);
	for (int i = 0; i < stats->numports; i++)
		if (stats->ports[i].index)
			dump_port(&stats->ports[i]);
}
