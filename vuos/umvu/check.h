/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the machine allows. */
#pragma once

#include "base/error.h"
#include "options.h"

/* Prints it; the exit status of `umvu --check`. */
int check_machine(bool json);

/* Makes TRAP_ANY of the settings the one that this kernel has. -ENOSYS: it has not what is wanted. */
int check_trap(struct settings *s, struct error *error);
