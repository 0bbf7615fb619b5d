/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvdesnmp as an agent uses it: snmp_client SOCKET; prints the ports that are there after each line
 * on standard input, and events as they come.
 */
#include <libvdesnmp.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The layout that programs were compiled against. */
#define FIELD(name, where)                                             \
	_Static_assert(__builtin_offsetof(vde_port_stats, name) == (where), #name)
#ifdef __LP64__
FIELD(index, 4);
FIELD(desc, 8);
FIELD(mtu, 264);
FIELD(speed, 268);
FIELD(phyaddress, 272);
FIELD(adminstatus, 292);
FIELD(operstatus, 296);
FIELD(time_lastchange, 304);
FIELD(in, 312);
FIELD(out, 320);
_Static_assert(sizeof(vde_port_stats) == 328, "port");
_Static_assert(sizeof(traffic_t) == 40, "traffic");
_Static_assert(sizeof(vde_stats_t) == 16, "stats");
#endif

static int on_up(int index)
{
	(void)printf("up %d\n", index);
	return 0;
}

static int on_down(int index)
{
	(void)printf("down %d\n", index);
	return 0;
}

static void print_ports(void)
{
	vde_stats_t *stats = vde_snmp_get_stats();

	(void)printf("ports %d\n", stats->numports);
	for (int i = 0; i < stats->numports; i++) {
		vde_port_stats *port = &stats->ports[i];

		if (port->active)
			(void)printf("port %d desc <%s> mac <%.17s> status %d %d in %ld/%ld out %ld/%ld\n",
				     port->index, port->desc, port->phyaddress, port->adminstatus,
				     port->operstatus, port->in->ucastpkts, port->in->octects,
				     port->out->ucastpkts, port->out->octects);
	}
	(void)puts("end");
}

int main(int argc, char **argv)
{
	char line[16];

	(void)setvbuf(stdout, NULL, _IONBF, 0);
	(void)printf("init %d\n", vde_snmp_init(argv[argc - 1]));
	if (vde_snmp_getfd() < 0)
		return 1;
	(void)printf("register %d %d %d\n", vde_snmp_register_callback(0, on_up),
		     vde_snmp_register_callback(1, on_down), vde_snmp_register_callback(7, on_up));
	for (;;) {
		struct pollfd pollers[] = { { .fd = 0, .events = POLLIN },
					    { .fd = vde_snmp_getfd(), .events = POLLIN } };

		if (poll(pollers, 2, -1) < 0)
			return 2;
		if (pollers[1].revents && vde_snmp_event() < 0) {
			(void)puts("gone");
			return 3;
		}
		if (!pollers[0].revents)
			continue;
		if (read(0, line, sizeof(line)) <= 0)
			return 0;
		(void)printf("update %d\n", vde_snmp_update());
		print_ports();
	}
}
