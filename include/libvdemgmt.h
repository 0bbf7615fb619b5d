/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvdemgmt: commands to, and events from, the management socket of a switch or another console of
 * the same protocol. A connection is used by one thread at a time.
 */
#ifndef LIBVDEMGMT_H
#define LIBVDEMGMT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vdemgmt;

/* The data of an answer: lines, each ending with a newline and a NUL. */
struct vdemgmt_out {
	char *buf; /* malloc'd; NULL when there was no data */
	size_t sz; /* bytes, all newlines and NULs included */
};

/*
 * Connects to the management socket PATH and reads the greeting; waits 10 s at most for each part of
 * it. Returns a connection that the caller ends with vdemgmt_close(), or NULL with errno set.
 */
struct vdemgmt *vdemgmt_open(const char *path);
void vdemgmt_close(struct vdemgmt *conn);

/* The descriptor, for poll(2): readable when vdemgmt_asyncrecv() has something to do. */
int vdemgmt_getfd(struct vdemgmt *conn);

/*
 * How long the console may be silent before a call gives up, in milliseconds; -1: for ever. The start
 * value is 10000.
 */
void vdemgmt_settimeout(struct vdemgmt *conn, int milliseconds);

/*
 * Runs the command line CMD (without a newline) and waits for its result. Returns 0, or the errno
 * value that the console answered, or -1 with errno set when there was no result: ETIMEDOUT,
 * ECONNRESET, ESHUTDOWN (the command ended the session), ENOMSG (an empty line or comment), EINVAL.
 * OUT, unless NULL, is overwritten with the data (also when the command failed).
 * Callbacks of events that came meanwhile are called before it returns.
 */
int vdemgmt_sendcmd(struct vdemgmt *conn, const char *cmd, struct vdemgmt_out *out);

/* Frees the data and OUT itself, which must have been malloc'd. */
void vdemgmt_freeout(struct vdemgmt_out *out);

/* Frees the data and makes OUT empty, wherever it is stored. */
void vdemgmt_rstout(struct vdemgmt_out *out);

/*
 * EVENT is what was registered, TAG the number of the event, DATA what stands behind EVENT in the line
 * with a final newline: "02\n" for `port/+ 02` and EVENT "port/+", "+ 02\n" for EVENT "port".
 */
typedef void vdemgmt_callback(const char *event, int tag, const char *data);

/*
 * Switches the events on whose category starts with EVENT, as `debug/add` does, and has CALLBACK
 * called for them. Of several registrations that match, the longest is called. Returns 0; the
 * errno value of the console (22: no such category); -1 with errno: EEXIST when EVENT is
 * registered, or as vdemgmt_sendcmd().
 */
int vdemgmt_asyncreg(struct vdemgmt *conn, const char *event, vdemgmt_callback *callback);

/* Ends it, and switches the events off that no other registration covers. */
void vdemgmt_asyncunreg(struct vdemgmt *conn, const char *event);

/*
 * Calls the callbacks of the events that have come; waits for one if there is none, as long as the
 * time-out allows. A callback may send commands.
 */
void vdemgmt_asyncrecv(struct vdemgmt *conn);

/* Of the greeting; borrowed until vdemgmt_close(). The version is what follows `V.`. */
const char *vdemgmt_getbanner(struct vdemgmt *conn);
const char *vdemgmt_getprompt(struct vdemgmt *conn);
const char *vdemgmt_getversion(struct vdemgmt *conn);

/*
 * The commands, sorted, without the menus: a NULL-terminated array for vdemgmt_freecommandlist().
 * NULL with errno set on failure.
 */
char **vdemgmt_commandlist(struct vdemgmt *conn);
void vdemgmt_freecommandlist(char **list);

#ifdef __cplusplus
}
#endif

#endif
