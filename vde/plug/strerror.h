/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The reason of this thread's last failed vde_open(), inside libvdeplug. */
#pragma once

#include "base/error.h"

/* This thread's error; code 0 while nothing failed. Lives as long as the thread. */
struct error *plug_error(void);
