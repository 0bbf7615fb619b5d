/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The event loop of a program: epoll(7), timers, deferred work, signals. One thread.
 *
 * Life cycle rules:
 * 1. The kernel's event data is a typed reference (slot and generation), not a pointer: an event
 *    that was already fetched for a source removed meanwhile is dropped.
 * 2. Handlers never block and never run the loop again.
 * 3. Work given to loop_task_add() runs once, after the handlers of this batch (what a task adds
 *    runs in the next turn); a handler that has to free an object others may still refer to in
 *    this batch calls loop_defer_free().
 * 4. `now` is read once per wake-up; loop_now() gives it to all handlers.
 * 5. Order of a turn: wait, due timers, ready sources, tasks, deferred frees.
 */
#pragma once

#include <signal.h>
#include <sys/epoll.h>

#include "clock.h"
#include "util.h"

struct loop;

/* A registered descriptor; 0 is none. Stays safe after removal. */
typedef uint64_t loop_ref;

/* What a kind of source does; one const object for each kind. */
struct loop_class {
	const char *name; /* for tracing */
	void (*ready)(struct loop *loop, void *object, int fd, uint32_t events);
};

/* Creates a loop that the caller frees with loop_free(). Negative errno on failure. */
int loop_new(struct loop **ret);
void loop_free(struct loop *loop);

/*
 * Watches FD (borrowed; the caller closes it after loop_remove()) for EVENTS (EPOLLIN ...,
 * EPOLLET). A regular file, which epoll refuses with -EPERM, is always ready for the EPOLLIN and
 * EPOLLOUT among them.
 */
int loop_add(struct loop *loop, const struct loop_class *class, int fd, uint32_t events,
	     void *object, loop_ref *ret);
int loop_modify(struct loop *loop, loop_ref ref, uint32_t events);
/* Stops watching and sets *REF to 0; a 0 does nothing. */
void loop_remove(struct loop *loop, loop_ref *ref);

/* ns of CLOCK_MONOTONIC at this wake-up. */
uint64_t loop_now(const struct loop *loop);
/* How many times it has woken up: two handlers see the same number when they run in one turn. */
uint64_t loop_turn(const struct loop *loop);
/* Reads the clock again, for handlers that took long. */
uint64_t loop_update_now(struct loop *loop);

/* A timer; part of its owner, zero-initialised, cancelled before the owner goes. */
struct loop_timer {
	void (*fire)(struct loop *loop, struct loop_timer *timer);
	uint64_t due;  /* ns */
	size_t place;  /* in the heap, plus one; 0: not set */
};

/*
 * Arms or moves TIMER to DUE (ns); fires once. What a timer's handler arms fires in the next turn
 * at the earliest. -ENOMEM.
 */
int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t due);
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);
static inline bool loop_timer_armed(const struct loop_timer *timer)
{
	return timer->place != 0;
}

/* Work to do once after this batch; part of its owner. Adding it twice means once. */
struct loop_task {
	void (*run)(struct loop *loop, struct loop_task *task);
	struct loop_task *next;
	struct loop_task *prev;
	bool queued;
};

void loop_task_add(struct loop *loop, struct loop_task *task);
void loop_task_cancel(struct loop *loop, struct loop_task *task);

/* Calls FREE_OBJECT(object) after this batch. When memory is short the object is leaked. */
void loop_defer_free(struct loop *loop, void (*free_object)(void *object), void *object);

/* Makes *SET those of SIGTERM, SIGINT and SIGHUP that this process was not started to ignore. */
void loop_end_signals(sigset_t *set);

/* Blocks the signals of SET and calls HANDLER for each that arrives (signalfd). Once per loop. */
int loop_signals(struct loop *loop, const sigset_t *set,
		 void (*handler)(struct loop *loop, void *object, const siginfo_t *info),
		 void *object);

/* Runs until loop_stop(); returns its status, or a negative errno when waiting fails. */
int loop_run(struct loop *loop);
/* One turn; waits at most TIMEOUT_MS (-1: no limit, 0: not at all). */
int loop_run_once(struct loop *loop, int timeout_ms);
/* Makes loop_run() return STATUS (0 or more) after this batch, or at once when it is not running. */
void loop_stop(struct loop *loop, int status);
