/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of a system call, as a tracer shows it:
 *
 *	openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3
 *	read(3, "root:x:0:0:root:/root:/bin/bash\n"..., 4096) = 1570
 *	stat("/nothing", 0x7ffe0b2c) = -1 ENOENT (No such file or directory)
 *	poll([{fd=0, events=POLLIN}], 1, -1) = 1 (fds=[{fd=0, events=POLLIN, revents=POLLIN}])
 *
 * or the same as a JSON object:
 *
 *	{"call":"openat","number":257,"arguments":{"dfd":"AT_FDCWD","filename":"/etc/passwd",
 *	"flags":["O_RDONLY","O_CLOEXEC"]},"result":3}
 *
 * The first part is written before the call is made and ends before the first argument that the call
 * fills; the second part, written when the result is there, goes on from there. Both together are one
 * line (without its end) or one object. What an argument is that the call changes (`inout`) is told
 * twice: as it was among the arguments, and as it is after the result (in JSON: "changed").
 *
 * In JSON, sets of flags are arrays, addresses and octal numbers strings, a string that was cut is
 * {"cut": "..."}, memory that could not be read or is not valid {"at": "0x..."}, and a byte of a string
 * is the code point of its value.
 *
 * Everything comes from the tables (calls.h). Freestanding: nothing is called but memcpy, memset,
 * memmove, memcmp. The stack that is used is a few structures, never more with hostile arguments: types
 * are defined before they are used, so they do not nest without end; what is counted is limited by
 * `elements_max` and `string_max`.
 */
#pragma once

#include "vuos/resident/call_text.h"

#define CALL_STRING_MAX   32 /* by default */
#define CALL_ELEMENTS_MAX 32

struct call_format {
	enum call_form form;
	uint32_t string_max;   /* bytes of a string or buffer that are shown; paths are shown whole */
	uint32_t elements_max; /* elements of an array */
	/* Reads LEN bytes (at most 512) of the program's memory; 0, or negative if not all can be read. */
	int (*read)(void *context, uint64_t address, void *to, size_t len);
	void *context;
};

/*
 * Both write at most ROOM bytes, NUL included, and return the length of the whole text: it was cut if
 * that is not less than ROOM. ARGUMENTS are six, as they were in the registers; RESULT is what the
 * kernel returned, a negative errno if the call failed.
 */
size_t call_format_enter(const struct call_format *format, uint64_t number, const uint64_t arguments[6],
			 char *to, size_t room);
size_t call_format_exit(const struct call_format *format, uint64_t number, const uint64_t arguments[6],
			int64_t result, char *to, size_t room);

/* A signal (siginfo_t) that a handler gets, as `--- SIGCHLD {...} ---`; returns as those. */
size_t call_format_signal(const struct call_format *format, const void *info, char *to, size_t room);
/* The end of a process: +++ exited with 1 +++, or +++ killed by SIGTERM +++ by a SIGNAL that is not 0. */
size_t call_format_end(const struct call_format *format, int signal, int status, char *to, size_t room);
