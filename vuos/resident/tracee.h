/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Those whom a thread of this process traces: what their tracer's resident has to remember. */
#pragma once

#include "vuos/resident/arch/x86_64/registers.h"
#include "vuos/resident/context.h"

/* Why a tracee has stopped, as its tracer knows it. */
enum tracee_stop {
	STOP_NONE,   /* it runs, or has stopped and nobody has waited for it yet */
	STOP_REAL,   /* the kernel's reason */
	STOP_ENTER,  /* the stops of traced.h */
	STOP_EXIT,
	STOP_SIGNAL,
	STOP_START,
};

/* How it was continued last. */
enum tracee_mode { MODE_CONT, MODE_CALLS, MODE_STEP, MODE_EMULATE, MODE_EMULATE_STEP };

/* What a program that begins stops for, one after the other. */
enum {
	START_EVENT = 1, /* PTRACE_EVENT_EXEC */
	START_EXIT = 2,  /* of execve(2) */
	START_SIGNAL = 4, /* SIGTRAP, as without PTRACE_O_TRACEEXEC */
};

struct tracee {
	int32_t tid; /* 0: free; -1: free, but the row was used */
	uint8_t stop, mode;
	uint8_t start, start_now; /* START_: what is to come, what it is at */
	bool is_seized, is_foreign; /* foreign: not of a view, so it is as the kernel has it */
	bool is_known;  /* is_foreign was found out */
	bool is_fresh;  /* nobody has continued it yet */
	bool is_born;   /* and it is behind the call that has made it */
	bool is_diverted; /* its tracer wants it to leave a call, and to go on somewhere else */
	uint8_t patching; /* of its process, before it was traced */
	uint8_t late;     /* a signal that the tracer has sent at the stop before a call; 0: none */
	int32_t status;   /* of the stop, as wait(2) says it */
	uint32_t options;
	uint32_t traced;  /* what was written to its context; 0: nothing yet */
	uint64_t context; /* 0: not known yet */
	uint64_t message; /* of PTRACE_EVENT_EXEC */
};

/* NULL: there is none; or (MAKE) there is no room. */
struct tracee *tracee_find(int32_t tid, bool make);
/* One that is traced since its parent is (NULL: not known yet which). */
struct tracee *tracee_born(int32_t tid, const struct tracee *parent);
void tracee_drop(int32_t tid);
/* Whether this process has traced somebody. */
bool tracees_any(void);
/* The first, or the one behind T; NULL: there are no more. */
struct tracee *tracee_next(struct tracee *t);
/*
 * ptrace_wait.c: some may have stopped, and nobody waits for them: those whose stop is hidden are continued.
 * True: there is nothing left that a wait would find.
 */
bool tracees_serve(void);
/* In a child, which traces nobody. */
void tracees_forget(void);

/* Whether it has a resident like ours. */
bool tracee_is_ours(struct tracee *t);

/* Words of its memory, and its context's: 0 or -errno. */
long tracee_peek(const struct tracee *t, uint64_t at, uint64_t *ret);
long tracee_poke(const struct tracee *t, uint64_t at, uint64_t word);
long tracee_read(const struct tracee *t, uint64_t at, void *to, size_t len); /* LEN: of whole words */
long tracee_write(const struct tracee *t, uint64_t at, const void *from, size_t len);

#define TRACEE_FIELD(t, member) ((t)->context + offsetof(struct context, member))

static inline uint64_t tracee_field(const struct tracee *t, uint64_t at)
{
	uint64_t word = 0;

	(void)tracee_peek(t, at, &word);
	return word;
}

/* `traced` of its context becomes BITS. */
void tracee_set_traced(struct tracee *t, uint32_t bits);
/* What it is to be by how the tracee was continued. */
uint32_t tracee_wanted(const struct tracee *t);
/* Adds to `work`. */
void tracee_add_work(const struct tracee *t, uint32_t bits);

/*
 * It has stopped for the first time since its resident began: it is told that it is traced, and call
 * sites that are patched get their instructions back.
 */
void tracee_adopt(struct tracee *t, const struct registers *real);
/* Undoes that. */
void tracee_release(struct tracee *t);

/* ptrace_wait.c: STATUS of a tracee as its tracer is to see it. False: it is not to see it. */
bool tracee_stopped(int32_t tid, int32_t *status);

/*
 * Notes a signal as if its resident had done that. False: there is one already. REAL are its registers,
 * which are changed where it must not sleep any more.
 */
bool tracee_note(struct tracee *t, const struct registers *real, const struct siginfo *info);
/* The same for a signal of the tracer's own; 0: none. */
void tracee_send(struct tracee *t, const struct registers *real, int signo);
