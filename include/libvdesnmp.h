/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvdesnmp: the ports of a switch as an SNMP agent wants them (IF-MIB, RFC 2863). One switch for
 * each process; not for several threads.
 */
#ifndef LIBVDESNMP_H
#define LIBVDESNMP_H

#ifdef __cplusplus
extern "C" {
#endif

/* ifAdminStatus and ifOperStatus. */
enum adminstatus { ADMINSTATUS_UP = 1, ADMINSTATUS_DOWN, ADMINSTATUS_TESTING };
enum operstatus {
	OPERSTATUS_UP = 1,
	OPERSTATUS_DOWN,
	OPERSTATUS_TESTING,
	OPERSTATUS_UNKNOWN,
	OPERSTATUS_DORMANT,
	OPERSTATUS_NOTPRESENT,
	OPERSTATUS_LOWERLAYERDOWN,
};

typedef struct traffic {
	long octects; /* bytes */
	long ucastpkts;
	long discards;
	long errors;
	long unknownprotos;
} traffic_t;

typedef struct vde_port_stats {
	short active;
	int index;           /* port number; 0: there is no such port now */
	char desc[255];      /* of the first endpoint */
	int mtu;             /* bytes; 0 while the port is not there */
	int speed;           /* bits per second */
	char phyaddress[17]; /* aa:bb:cc:dd:ee:ff when one station is behind the port, else "" */
	enum adminstatus adminstatus;
	enum operstatus operstatus;
	long time_lastchange; /* hundredths of a second since vde_snmp_init() or the reset */
	traffic_t *in;        /* from the port into the switch */
	traffic_t *out;
} vde_port_stats;

typedef struct vde_stats {
	int numports;
	vde_port_stats *ports; /* port N at N - 1; moves when the number of ports is changed */
} vde_stats_t;

enum vde_snmp_event_kind { VDE_SNMP_PORT_UP, VDE_SNMP_PORT_DOWN };

/*
 * Connects to the management socket PATH of a switch that counts (`counters=true`), and reads its
 * ports. Returns 0, or -1 with errno set. May block as vdemgmt_sendcmd(3) does; so may all below.
 */
int vde_snmp_init(char *path);
void vde_snmp_close(void);

/* The statistics as of the last update; belongs to the library. */
vde_stats_t *vde_snmp_get_stats(void);

/* Reads them again. 0, or -1 with errno. */
int vde_snmp_update(void);

/* The descriptor: when it is readable, call vde_snmp_event(). */
int vde_snmp_getfd(void);

/* Takes what the switch reported, and calls the callbacks. 0, or -1 when the switch is gone. */
int vde_snmp_event(void);

/*
 * Has CALLBACK called with the place in `ports` (port number - 1) of each port that comes up (EVENT 0)
 * or goes down (1); its result is ignored. 0, or -1 with EINVAL.
 */
int vde_snmp_register_callback(int event, int (*callback)(int portindex));

/* Lets time start anew: every time_lastchange is 0. Returns 0. */
int vde_snmp_reset_lastchange(void);

/* Prints STATS on standard error. */
void vde_snmp_dumpstats(vde_stats_t *stats);

#ifdef __cplusplus
}
#endif

#endif
