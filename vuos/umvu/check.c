/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <linux/prctl.h>

#define HWCAP2_FSGSBASE (1 << 1)

static bool has_dispatch(void)
{
	return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0) == 0;
}

static bool has_fsgsbase(void)
{
	return getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;
}

static bool has_filter(void)
{
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}

static bool has_proc(void)
{
	return access("/proc/self/exe", F_OK) == 0;
}

static const struct {
	bool (*has)(void);
	const char *what, *without;
	bool needed;
} features[] = {
	{ has_fsgsbase, "the GS register for programs (FSGSBASE)",
	  "Linux 5.9 on a processor that has it", true },
	{ has_proc, "/proc", "mount it", true },
	{ has_dispatch, "syscall user dispatch", "Linux 5.11; without it a filter does", false },
	{ has_filter, "seccomp filters", "a kernel built with CONFIG_SECCOMP_FILTER", false },
};

int check_machine(void)
{
	bool able = has_dispatch() || has_filter();

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		bool has = features[i].has();

		able &= has || !features[i].needed;
		(void)printf("%-42s %s%s\n", features[i].what, has ? "yes" : "no: ",
			     has ? "" : features[i].without);
	}
	(void)puts(able ? "Programs can run under umvu here." : "umvu cannot run programs here.");
	return able ? EXIT_SUCCESS : STATUS_REFUSED;
}

int check_trap(struct settings *s, struct error *error)
{
	if (!has_fsgsbase())
		return error_set(error, ENOSYS, "this kernel or processor has no FSGSBASE: see umvu --check");
	if (s->trap == TRAP_ANY)
		s->trap = has_dispatch() ? TRAP_DISPATCH : TRAP_FILTER_NEW;
	if (s->trap == TRAP_DISPATCH && !has_dispatch())
		return error_set(error, ENOSYS,
				 "this kernel has no syscall user dispatch: try --trap=filter");
	return 0;
}
