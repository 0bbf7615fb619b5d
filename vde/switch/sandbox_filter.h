/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of the sandbox that limits system calls. */
#pragma once

#include "base/error.h"

/* Built with AddressSanitizer, whose leak check needs more than the switch does. */
#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANDBOX_SANITIZED
#endif
#endif

/* Sets the filter for this thread; needs no_new_privs. A kernel without filters is no error. */
int sandbox_filter(struct error *error);
