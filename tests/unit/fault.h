/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that runs short on request, for programs linked with the `fault` dependency: calls of
 * malloc, calloc, realloc and strdup from our own objects are counted.
 */
#pragma once

/* The call after the next COUNT ones fails, and all later ones; -1: none fails any more. */
void fault_after(int count);
