/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs for seccomp(2) in classic BPF: whether the kernel would take one, and what it says of a call.
 * This is memory only: nothing here makes a call, and tests have the same code.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#pragma GCC visibility push(hidden)

/* Whether all of it may be run: it ends, and reads nothing but the call and what it has written. */
bool filter_is_valid(const struct sock_filter *code, size_t len);

/*
 * What a valid program returns for DATA. *USED gets a bit for each 4 bytes of DATA that it has looked at,
 * beside those that are set already.
 */
uint32_t filter_run(const struct sock_filter *code, const struct seccomp_data *data, uint32_t *used);

/* The bit of a field of struct seccomp_data, or of its lower half. */
#define FILTER_USED(field) (1u << (offsetof(struct seccomp_data, field) / 4))

#pragma GCC visibility pop
