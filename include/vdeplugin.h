/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For those who write a plug-in of vde_switch: a shared object that exports `vde_plugin_data`,
 * and that registers commands, debug categories and event callbacks in a constructor and takes
 * them back in a destructor. It is loaded by `plugin/add` into the switch's only thread: nothing
 * in it may block. vdeplugin(3) has an example.
 */
#ifndef VDEPLUGIN_H
#define VDEPLUGIN_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <syslog.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Functions in these tables have different arguments: `()` says that on purpose. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"

/* What a command takes; its function gets, in this order, what it asked for. */
#define NOARG    0
#define INTARG   1    /* int, decimal; 0 when it is missing */
#define STRARG   2    /* char *, the rest of the line */
#define WITHFILE 0x40 /* FILE * first: for printoutc(), becomes the data block */
#define WITHFD   0x80 /* then int: number of the console, -1 in a configuration file */

/*
 * A command. `doit` returns 0 or a positive errno value (a negative number ends the session); a
 * row without it is a heading of `help`, by custom with "============" as syntax.
 */
struct comlist {
	const char *path;
	const char *syntax;
	const char *help;
	int (*doit)();
	unsigned char type;
	struct comlist *next; /* the switch's */
};

/* A debug category. Only the first three fields are the plug-in's. */
struct dbgcl {
	const char *path;
	const char *help; /* NULL: events only, consoles cannot subscribe */
	int tag;
	int *fds; /* consoles that subscribed: nfds of them */
	int (**fun)();
	void **funarg;
	unsigned short nfds;
	unsigned short nfun; /* callbacks that were added */
	unsigned short maxfds;
	unsigned short maxfun;
	struct dbgcl *next;
};

struct plugin {
	const char *name;
	const char *help;
	void *handle;
	struct plugin *next;
};

/* Tags, shown in octal in front of asynchronous lines. */
#define D_PACKET 01000
#define D_MGMT   02000
#define D_IN     01
#define D_OUT    02
#define D_PLUS   01
#define D_MINUS  02
#define D_DESCR  03
#define D_STATUS 04
#define D_ROOT   05
#define D_HASH   010
#define D_PORT   020
#define D_EP     030
#define D_FSTP   040

/* Adds and takes back N commands. They and their strings stay the plug-in's. */
void addcl(int n, struct comlist *commands);
void delcl(int n, struct comlist *commands);
#define ADDCL(table) addcl((int)(sizeof(table) / sizeof((table)[0])), (table))
#define DELCL(table) delcl((int)(sizeof(table) / sizeof((table)[0])), (table))

/* Adds and takes back N debug categories. */
void adddbgcl(int n, struct dbgcl *categories);
void deldbgcl(int n, struct dbgcl *categories);
#define ADDDBGCL(table) adddbgcl((int)(sizeof(table) / sizeof((table)[0])), (table))
#define DELDBGCL(table) deldbgcl((int)(sizeof(table) / sizeof((table)[0])), (table))

/*
 * Calls FUNCTION(struct dbgcl *event, void *arg, va_list values) for each event of all categories
 * whose path begins with PATH. 0, or an errno value: EINVAL, there is no such category; for
 * eventdel() ENOENT, it was not registered. Adding the same twice means once.
 *
 *	port/+ port/-           int port
 *	port/ep/+ port/ep/-     int port, int endpoint
 *	port/descr              int port, int endpoint, char *description
 *	hash/+ hash/-           uint64_t: address in the low 48 bits, first byte lowest; VLAN above
 *	fstp/status fstp/+ -    int port, int VLAN
 *	fstp/root               int port, int VLAN
 *	mgmt/+ mgmt/-           int console
 *	sig/hup                 int signal
 *	packet/in packet/out    int port, unsigned char *frame, int length
 *
 * The callback of a packet returns 0 to let it pass, another length (the frame may be changed in
 * place; it cannot grow above the switch's largest frame), or a negative number to drop it.
 */
int eventadd(int (*function)(), const char *path, void *arg);
int eventdel(int (*function)(), const char *path, void *arg);

/* Calls the callbacks of a category of the plug-in's own; what the last of them returned. */
int eventout(struct dbgcl *category, ...);
#define EVENTOUT(category, ...) \
	((category)->nfun ? eventout((category), __VA_ARGS__) : 0)

/* Sends `3TTT PATH text` to the consoles that subscribed; the newline is added. */
void debugout(struct dbgcl *category, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
#define DBGOUT(category, ...)                                  \
	do {                                                   \
		if ((category)->nfds)                          \
			debugout((category), __VA_ARGS__);     \
	} while (0)

/* A line of a command's data block (the newline is added); to the log when FILE is NULL. */
void printoutc(FILE *file, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line of the log; PRIORITY as in syslog(3). */
void printlog(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The user of a port; (uid_t)-1 when nobody is on it. */
uid_t port_user(int port);

/* The description of a port's endpoint, counted from 0, or NULL. Borrowed for this call. */
char *port_descr(int port, int endpoint);

/* Seconds since the switch was started. */
time_t qtime(void);

/* The original's protection against its timer signal; this switch has none: they do nothing. */
void qtime_csenter(void);
void qtime_csexit(void);

/*
 * Calls FUNCTION(ARG) every PERIOD seconds (at least 1), TIMES times (0: for ever). The number for
 * qtimer_del(), or 0 when there is no memory or there are too many.
 */
unsigned int qtimer_add(time_t period, int times, void (*function)(void *arg), void *arg);
void qtimer_del(unsigned int number);

/* Hands a connected stream socket over as a console. 0, or an errno value. */
int mgmtnewfd(int fd);

#pragma GCC diagnostic pop

#ifdef __cplusplus
}
#endif

#endif
