/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program restricts itself by landlock(7) to the files that it names. Whatever it executes afterwards, the
 * kernel executes the resident: so that file is allowed, too, before the restriction begins. Nothing else
 * that the resident does for the program needs more than what the program does.
 */
#include <linux/fcntl.h>
#include <linux/landlock.h>

#include "vuos/resident/dispatch.h"
#include "vuos/resident/reserved.h"

static long allow(uint64_t ruleset, long file, uint64_t access)
{
	const struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = (int32_t)file };

	return NATIVE(__NR_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/* What the ruleset does not know of cannot be allowed, and need not. */
static void allow_resident(uint64_t ruleset)
{
	const uint64_t execute = LANDLOCK_ACCESS_FS_EXECUTE, read = LANDLOCK_ACCESS_FS_READ_FILE;
	long reserved = reserved_get(RESERVED_RESIDENT), file = reserved;

	if (reserved < 0)
		file = NATIVE(__NR_openat, AT_FDCWD, process.self, O_PATH | O_CLOEXEC, 0);
	if (file < 0)
		return;
	if (allow(ruleset, file, execute | read) == -EINVAL && allow(ruleset, file, execute) == -EINVAL)
		(void)allow(ruleset, file, read);
	if (reserved < 0)
		(void)NATIVE(__NR_close, file);
}

long call_landlock_restrict_self(struct context *c, struct call *call)
{
	long r;

	(void)c;
	allow_resident(CALL_ARG(call, 0));
	r = native_call(call->raw);
	if (r == 0)
		process.is_restricted = true;
	return r;
}
