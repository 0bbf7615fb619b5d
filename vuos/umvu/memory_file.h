/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of memory that umvu shares with the processes of a view. */
#pragma once

#include <stddef.h>

/*
 * A file called NAME, of zeros, of *SIZE bytes or, where RLIMIT_FSIZE allows no more, of fewer: then *SIZE is a
 * multiple of UNIT, and at least LEAST. *RET_BASE is where all of it is mapped for reading and writing. Its
 * descriptor, which is not one of the standard ones and can be sealed; or a negative errno (-EFBIG: the limit).
 */
int memory_file_make(const char *name, size_t unit, size_t least, size_t *size, void **ret_base);
