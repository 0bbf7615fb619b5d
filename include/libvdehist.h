/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvdehist: line editing, history and completion between a terminal and a management socket, for
 * programs that offer the console of a switch to a remote terminal (telnet).
 *
 * The program waits for input on both descriptors itself and calls vdehist_term_to_mgmt() or
 * vdehist_mgmt_to_term(). It defines `char *prompt`, the text before each command line.
 */
#ifndef LIBVDEHIST_H
#define LIBVDEHIST_H

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Status of a session. */
#define HIST_COMMAND    0x0  /* lines are commands for the management socket */
#define HIST_NOCMD      0x1  /* lines are given to vdehist_logincmd */
#define HIST_PASSWDFLAG 0x80 /* or'd: what is typed is not shown */

struct vdehist;

/* Defined by the program; NULL, or the symbol left out, means the console's own prompt. */
extern char *prompt;

/*
 * How bytes are moved; read(2) and write(2) at first. Results are as theirs. They are called with
 * the descriptors of the session, which need not be descriptors of the kernel.
 */
extern ssize_t (*vdehist_vderead)(int fd, void *buf, size_t len);
extern ssize_t (*vdehist_vdewrite)(int fd, const void *buf, size_t len);
extern ssize_t (*vdehist_termread)(int fd, void *buf, size_t len);
extern ssize_t (*vdehist_termwrite)(int fd, const void *buf, size_t len);

/*
 * Takes a line typed while the status is not HIST_COMMAND: LEN bytes at CMD, NUL-terminated, valid
 * during the call. Its result is that of vdehist_term_to_mgmt(): not 0 ends the session.
 */
extern int (*vdehist_logincmd)(char *cmd, int len, struct vdehist *h);

/*
 * A session between the terminal TERMFD and the management socket MGMTFD, both borrowed. MGMTFD -1
 * means that there is none yet: the status is HIST_NOCMD. Otherwise the list of commands is asked
 * for at once. Returns NULL with errno set when memory is short; freed with vdehist_free().
 */
struct vdehist *vdehist_new(int termfd, int mgmtfd);
void vdehist_free(struct vdehist *h);

/*
 * Reads from the management socket once and shows what came. Returns 0, or 1 at the end of the
 * session. Blocks only where the read function does.
 */
int vdehist_mgmt_to_term(struct vdehist *h);

/*
 * Reads from the terminal once and acts upon the keys. Returns 0, or 1 when the session ends: end of
 * file, ^D on an empty line, the command `logout`; or what vdehist_logincmd returned.
 */
int vdehist_term_to_mgmt(struct vdehist *h);

int vdehist_getstatus(struct vdehist *h);
void vdehist_setstatus(struct vdehist *h, int status);
int vdehist_gettermfd(struct vdehist *h);
int vdehist_getmgmtfd(struct vdehist *h);

/* Gives the session its management socket later, and asks for the list of commands. */
void vdehist_setmgmtfd(struct vdehist *h, int mgmtfd);

#ifdef __cplusplus
}
#endif

#endif
