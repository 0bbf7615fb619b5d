/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting another program. All of it stands in the header: libvdeplug.a is one object file, in whose
 * users' programs no name of ours may be in the way.
 */
#pragma once

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

/* A descriptor of the new program. Close-on-exec ones that are not named do not come along. */
struct spawn_fd {
	int from; /* ours */
	int to;   /* its number there, which may be the same */
};

/* What spawn_program() starts. All is borrowed. */
struct spawn_plan {
	char *const *argv; /* ended by NULL; the first is searched in PATH */
	const struct spawn_fd *fds; /* in this order: what was overwritten by one is no `from` of a later one */
	size_t num_fds;
	const sigset_t *defaults; /* signals that are not ignored there, though they may be here */
	bool own_group;           /* it leads a process group */
};

static inline int spawn_set_attributes(posix_spawnattr_t *attributes, const struct spawn_plan *plan)
{
	int group = plan->own_group ? POSIX_SPAWN_SETPGROUP : 0, r;
	sigset_t none;

	(void)sigemptyset(&none);
	r = posix_spawnattr_setsigmask(attributes, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attributes, plan->defaults);
	if (r == 0)
		r = posix_spawnattr_setflags(attributes, (short)(POSIX_SPAWN_SETSIGMASK |
								 POSIX_SPAWN_SETSIGDEF | group));
	return r;
}

static inline int spawn_set_fds(posix_spawn_file_actions_t *actions, const struct spawn_plan *plan)
{
	int r = 0;

	/* Onto itself, too: that makes it stay open across exec. */
	for (size_t i = 0; r == 0 && i < plan->num_fds; i++)
		r = posix_spawn_file_actions_adddup2(actions, plan->fds[i].from, plan->fds[i].to);
	return r;
}

/*
 * Starts a program with our environment, and with no signal blocked. 0, and *ret is its process, which
 * the caller waits for; a negative errno when it cannot be executed.
 */
static inline int spawn_program(const struct spawn_plan *plan, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r == 0) {
		r = spawn_set_attributes(&attributes, plan);
		if (r == 0)
			r = spawn_set_fds(&actions, plan);
		if (r == 0)
			r = posix_spawnp(ret, plan->argv[0], &actions, &attributes, plan->argv, environ);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}
