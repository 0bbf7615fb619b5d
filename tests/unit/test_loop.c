/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "base/loop.h"
#include "fault.h"

struct end { /* one end of a socket pair that the loop watches */
	int fd, other;
	loop_ref ref;
	int calls;
	uint32_t events;
	struct end *victim; /* removed when this one is ready */
	struct loop_task task;
	bool stop;
};

struct fixture {
	struct loop *loop;
	struct end ends[80];
	size_t num_ends;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	return f && loop_new(&f->loop) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < f->num_ends; i++) {
		loop_remove(f->loop, &f->ends[i].ref);
		(void)close(f->ends[i].fd);
		(void)close(f->ends[i].other);
	}
	loop_free(f->loop);
	free(f);
	return 0;
}

static void end_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct end *end = object;
	char byte;

	assert_int_equal(fd, end->fd);
	end->calls++;
	end->events = events;
	(void)read(fd, &byte, 1);
	if (end->victim)
		loop_remove(loop, &end->victim->ref);
	if (end->stop)
		loop_stop(loop, 5);
}

static const struct loop_class end_class = { "end", end_ready };

static struct end *add_end(struct fixture *f)
{
	struct end *end = &f->ends[f->num_ends++];
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	end->fd = pair[0];
	end->other = pair[1];
	assert_int_equal(loop_add(f->loop, &end_class, end->fd, EPOLLIN, end, &end->ref), 0);
	assert_true(end->ref != 0);
	return end;
}

static void poke(struct end *end)
{
	assert_int_equal(write(end->other, "x", 1), 1);
}

static void sources(void **state)
{
	struct fixture *f = *state;
	struct end *end = add_end(f);
	loop_ref none = 0;

	assert_int_equal(loop_run_once(f->loop, 0), 0);
	assert_int_equal(end->calls, 0);
	poke(end);
	assert_int_equal(loop_run_once(f->loop, 1000), 0);
	assert_int_equal(end->calls, 1);
	assert_int_equal(end->events, EPOLLIN);
	assert_int_equal(loop_modify(f->loop, end->ref, EPOLLOUT), 0);
	assert_int_equal(loop_run_once(f->loop, 1000), 0);
	assert_int_equal(end->events, EPOLLOUT);
	assert_int_equal(loop_modify(f->loop, end->ref, 0), 0);
	poke(end);
	assert_int_equal(loop_run_once(f->loop, 0), 0);
	assert_int_equal(end->calls, 2);
	loop_remove(f->loop, &end->ref);
	assert_int_equal(end->ref, 0);
	loop_remove(f->loop, &end->ref);
	loop_remove(f->loop, &none);
	assert_int_equal(loop_modify(f->loop, 0, EPOLLIN), -ENOENT);
}

/* Two sources ready in one batch; whichever runs first removes the other. */
static void event_of_a_removed_source_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct end *one = add_end(f), *two = add_end(f);

	one->victim = two;
	two->victim = one;
	poke(one);
	poke(two);
	assert_int_equal(loop_run_once(f->loop, 1000), 0);
	assert_int_equal(one->calls + two->calls, 1);
}

static void replace_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct fixture *f = object;
	struct end *old = &f->ends[1], *fresh = &f->ends[2];

	(void)fd;
	(void)events;
	loop_remove(loop, &old->ref);
	fresh->fd = old->fd; /* the same descriptor and slot, another object */
	fresh->other = -1;
	assert_int_equal(loop_add(loop, &end_class, fresh->fd, EPOLLIN, fresh, &fresh->ref), 0);
	loop_remove(loop, &f->ends[0].ref);
}

/* A slot that is used again in the same batch must not get its predecessor's event. */
static void stale_reference_to_a_used_slot(void **state)
{
	static const struct loop_class replace_class = { "replace", replace_ready };
	struct fixture *f = *state;
	struct end *first = add_end(f), *old = add_end(f);
	loop_ref stale = old->ref;

	loop_remove(f->loop, &first->ref);
	poke(first); /* ready before the other, so that it is handled first */
	assert_int_equal(loop_add(f->loop, &replace_class, first->fd, EPOLLIN, f, &first->ref), 0);
	poke(old);
	assert_int_equal(loop_run_once(f->loop, 1000), 0);
	assert_int_equal(old->calls, 0);
	assert_int_equal(f->ends[2].calls, 0);
	assert_int_equal(loop_modify(f->loop, stale, EPOLLIN), -ENOENT);
	assert_int_equal(loop_run_once(f->loop, 1000), 0);
	assert_int_equal(f->ends[2].calls, 1); /* its own event comes in the next turn */
	loop_remove(f->loop, &f->ends[2].ref);
}

static void more_than_one_batch(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 80; i++)
		poke(add_end(f));
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_run_once(f->loop, 0), 0);
	for (int i = 0; i < 80; i++)
		assert_int_equal(f->ends[i].calls, 1);
}

static void regular_file_is_always_ready(void **state)
{
	struct fixture *f = *state;
	struct end file = { .fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC) };

	assert_true(file.fd >= 0);
	assert_int_equal(loop_add(f->loop, &end_class, file.fd, EPOLLIN, &file, &file.ref), 0);
	assert_int_equal(loop_run_once(f->loop, -1), 0);
	assert_int_equal(loop_run_once(f->loop, -1), 0);
	assert_int_equal(file.calls, 2);
	assert_int_equal(file.events, EPOLLIN);
	assert_int_equal(loop_modify(f->loop, file.ref, 0), 0);
	assert_int_equal(loop_run_once(f->loop, 0), 0);
	assert_int_equal(file.calls, 2);
	assert_int_equal(loop_modify(f->loop, file.ref, EPOLLOUT), 0);
	assert_int_equal(loop_run_once(f->loop, -1), 0);
	assert_int_equal(file.events, EPOLLOUT);
	loop_remove(f->loop, &file.ref);
	assert_int_equal(loop_run_once(f->loop, 0), 0);
	assert_int_equal(file.calls, 3);
	(void)close(file.fd);
}

static void bad_descriptor(void **state)
{
	struct fixture *f = *state;
	loop_ref ref = 77;

	assert_int_equal(loop_add(f->loop, &end_class, 9999, EPOLLIN, NULL, &ref), -EBADF);
	assert_int_equal(ref, 77);
}

struct clocked {
	struct loop_timer timer;
	uint64_t again; /* due time at which the handler arms it again; UINT64_MAX: not */
	int fired;
	int order;
};

static int order;

static void clocked_fire(struct loop *loop, struct loop_timer *timer)
{
	struct clocked *c = container_of(timer, struct clocked, timer);

	assert_false(loop_timer_armed(timer));
	assert_true(timer->due <= loop_now(loop));
	c->fired++;
	c->order = ++order;
	if (c->again != UINT64_MAX)
		assert_int_equal(loop_timer_set(loop, timer, c->again), 0);
}

#define CLOCKED { .timer = { .fire = clocked_fire }, .again = UINT64_MAX }

static void timers_fire_in_order(void **state)
{
	struct fixture *f = *state;
	struct clocked c[3] = { CLOCKED, CLOCKED, CLOCKED };
	uint64_t now = clock_now();

	order = 0;
	assert_int_equal(loop_timer_set(f->loop, &c[0].timer, now + 3), 0);
	assert_int_equal(loop_timer_set(f->loop, &c[1].timer, now + 1), 0);
	assert_int_equal(loop_timer_set(f->loop, &c[2].timer, now + 2), 0);
	assert_int_equal(loop_run_once(f->loop, -1), 0);
	assert_int_equal(c[1].order, 1);
	assert_int_equal(c[2].order, 2);
	assert_int_equal(c[0].order, 3);
	assert_false(loop_timer_armed(&c[0].timer));
}

static void timer_waits(void **state)
{
	struct fixture *f = *state;
	struct clocked soon = CLOCKED, late = CLOCKED;
	uint64_t start = clock_now();

	assert_int_equal(loop_timer_set(f->loop, &late.timer, start + 3600 * NS_PER_SEC), 0);
	assert_int_equal(loop_timer_set(f->loop, &soon.timer, start + 5 * NS_PER_MSEC), 0);
	while (!soon.fired)
		assert_int_equal(loop_run_once(f->loop, -1), 0);
	assert_true(clock_now() - start >= 5 * NS_PER_MSEC);
	assert_int_equal(late.fired, 0);
	assert_int_equal(loop_timer_set(f->loop, &late.timer, 1), 0); /* moved to the past */
	assert_int_equal(loop_run_once(f->loop, -1), 0);
	assert_int_equal(late.fired, 1);
}

/* The kernel's timer is not set anew for each change: none of them may be missed. */
static void timer_moves_while_armed(void **state)
{
	struct fixture *f = *state;
	struct clocked c = CLOCKED, other = CLOCKED;
	uint64_t start = clock_now();

	assert_int_equal(loop_timer_set(f->loop, &c.timer, start + 3600 * NS_PER_SEC), 0);
	assert_int_equal(loop_run_once(f->loop, 0), 0);
	assert_int_equal(loop_timer_set(f->loop, &c.timer, start + 4 * NS_PER_MSEC), 0);
	assert_int_equal(loop_run_once(f->loop, 0), 0);
	assert_int_equal(loop_timer_set(f->loop, &c.timer, start + 12 * NS_PER_MSEC), 0);
	assert_int_equal(loop_timer_set(f->loop, &other.timer, start + 8 * NS_PER_MSEC), 0);
	assert_int_equal(loop_run_once(f->loop, 0), 0);
	loop_timer_cancel(f->loop, &other.timer);
	while (!c.fired)
		assert_int_equal(loop_run_once(f->loop, 5000), 0);
	assert_true(clock_now() - start >= 12 * NS_PER_MSEC);
	assert_true(clock_now() - start < 4 * NS_PER_SEC);
	assert_int_equal(other.fired, 0);
}

/* Without a timer nothing wakes the loop but its time-out, also after one was due. */
static void fired_timer_is_over(void **state)
{
	struct fixture *f = *state;
	struct clocked c = CLOCKED;
	uint64_t start;

	assert_int_equal(loop_timer_set(f->loop, &c.timer, clock_now()), 0);
	while (!c.fired)
		assert_int_equal(loop_run_once(f->loop, -1), 0);
	assert_int_equal(loop_run_once(f->loop, 0), 0); /* the kernel's may come after the clock */
	start = clock_now();
	assert_int_equal(loop_run_once(f->loop, 3), 0);
	assert_true(clock_now() - start >= 2 * NS_PER_MSEC);
}

static void cancelled_timers_do_not_fire(void **state)
{
	struct fixture *f = *state;
	struct clocked c = CLOCKED;

	loop_timer_cancel(f->loop, &c.timer);
	assert_int_equal(loop_timer_set(f->loop, &c.timer, 1), 0);
	assert_true(loop_timer_armed(&c.timer));
	loop_timer_cancel(f->loop, &c.timer);
	assert_false(loop_timer_armed(&c.timer));
	assert_int_equal(loop_run_once(f->loop, 0), 0);
	assert_int_equal(c.fired, 0);
}

/* A handler that is always due again runs once in a turn, and the others get theirs. */
static void greedy_timer_starves_nobody(void **state)
{
	struct fixture *f = *state;
	struct clocked greedy = CLOCKED, a = CLOCKED, b = CLOCKED;

	greedy.again = 0;
	assert_int_equal(loop_timer_set(f->loop, &greedy.timer, 1), 0);
	assert_int_equal(loop_timer_set(f->loop, &a.timer, 2), 0);
	assert_int_equal(loop_timer_set(f->loop, &b.timer, 3), 0);
	assert_int_equal(loop_run_once(f->loop, 0), 0);
	assert_int_equal(greedy.fired, 1);
	assert_int_equal(a.fired, 1);
	assert_int_equal(b.fired, 1);
	assert_int_equal(loop_run_once(f->loop, -1), 0);
	assert_int_equal(greedy.fired, 2);
	loop_timer_cancel(f->loop, &greedy.timer);
}

#define MANY 300

/* The heap against a sorted order, with timers moved and cancelled at random. */
static void many_timers(void **state)
{
	struct fixture *f = *state;
	static struct clocked c[MANY];
	uint64_t random = 99, last = 0;

	for (int i = 0; i < MANY; i++) {
		c[i] = (struct clocked)CLOCKED;
		assert_int_equal(loop_timer_set(f->loop, &c[i].timer, 1 + test_random(&random) % 1000), 0);
	}
	for (int i = 0; i < MANY; i++) {
		if (i % 3 == 0)
			loop_timer_cancel(f->loop, &c[i].timer);
		else if (i % 3 == 1)
			assert_int_equal(loop_timer_set(f->loop, &c[i].timer,
							1 + test_random(&random) % 1000), 0);
	}
	order = 0;
	assert_int_equal(loop_run_once(f->loop, 0), 0);
	assert_int_equal(order, MANY - MANY / 3);
	for (int rank = 1; rank <= order; rank++)
		for (int i = 0; i < MANY; i++)
			if (c[i].order == rank) {
				assert_true(c[i].timer.due >= last);
				last = c[i].timer.due;
			}
	for (int i = 0; i < MANY; i++)
		assert_int_equal(c[i].fired, i % 3 != 0);
}

struct work {
	struct loop_task task;
	int runs;
	bool again;
	struct work *cancels;
};

static void work_run(struct loop *loop, struct loop_task *task)
{
	struct work *w = container_of(task, struct work, task);

	w->runs++;
	if (w->cancels)
		loop_task_cancel(loop, &w->cancels->task);
	if (w->again)
		loop_task_add(loop, task);
}

#define WORK { .task = { .run = work_run } }

static void tasks(void **state)
{
	struct fixture *f = *state;
	struct work once = WORK, again = WORK, first = WORK, cancelled = WORK, never = WORK;

	again.again = true;
	first.cancels = &cancelled;
	loop_task_add(f->loop, &once.task);
	loop_task_add(f->loop, &once.task);
	loop_task_add(f->loop, &again.task);
	loop_task_add(f->loop, &first.task);
	loop_task_add(f->loop, &cancelled.task);
	loop_task_add(f->loop, &never.task);
	loop_task_cancel(f->loop, &never.task);
	loop_task_cancel(f->loop, &never.task);
	assert_int_equal(loop_run_once(f->loop, -1), 0); /* does not wait: work is there */
	assert_int_equal(once.runs, 1);
	assert_int_equal(again.runs, 1); /* what a task adds is for the next turn */
	assert_int_equal(cancelled.runs, 0);
	assert_int_equal(never.runs, 0);
	assert_int_equal(loop_run_once(f->loop, -1), 0);
	assert_int_equal(again.runs, 2);
	assert_int_equal(once.runs, 1);
	loop_task_cancel(f->loop, &again.task);
}

struct chain {
	struct loop *loop;
	struct chain *next;
	int *freed;
};

static void chain_free(void *object)
{
	struct chain *c = object;

	++*c->freed;
	if (c->next)
		loop_defer_free(c->loop, chain_free, c->next);
	free(c);
}

static struct chain *chain_new(struct loop *loop, struct chain *next, int *freed)
{
	struct chain *c = malloc(sizeof(*c));

	assert_non_null(c);
	*c = (struct chain){ loop, next, freed };
	return c;
}

static void deferred_frees(void **state)
{
	struct fixture *f = *state;
	struct chain *head = NULL;
	int freed = 0;

	for (int i = 0; i < 20; i++)
		loop_defer_free(f->loop, chain_free, chain_new(f->loop, NULL, &freed));
	for (int i = 0; i < 30; i++) /* each destructor defers the next one */
		head = chain_new(f->loop, head, &freed);
	loop_defer_free(f->loop, chain_free, head);
	assert_int_equal(freed, 0);
	assert_int_equal(loop_run_once(f->loop, 0), 0);
	assert_int_equal(freed, 50);
}

static int freed_at_the_end;

static void deferred_at_loop_free(void **state)
{
	struct loop *loop;

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	loop_defer_free(loop, chain_free, chain_new(loop, NULL, &freed_at_the_end));
	loop_free(loop);
	loop_free(NULL);
	assert_int_equal(freed_at_the_end, 1);
}

static void run_and_stop(void **state)
{
	struct fixture *f = *state;
	struct end *end = add_end(f);

	end->stop = true;
	poke(end);
	assert_int_equal(loop_run(f->loop), 5);
	assert_int_equal(end->calls, 1);
	loop_stop(f->loop, 7); /* before it runs: must not be lost */
	assert_int_equal(loop_run(f->loop), 7);
	poke(end);
	assert_int_equal(loop_run(f->loop), 5);
}

static int got_signal;
static pid_t signal_from;

static void on_signal(struct loop *loop, void *object, const siginfo_t *info)
{
	(void)object;
	got_signal = info->si_signo;
	signal_from = info->si_pid;
	loop_stop(loop, 0);
}

static void signals(void **state)
{
	struct fixture *f = *state;
	sigset_t set, old;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &old), 0);
	assert_int_equal(loop_signals(f->loop, &set, on_signal, NULL), 0);
	assert_int_equal(loop_signals(f->loop, &set, on_signal, NULL), -EBUSY);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(loop_run(f->loop), 0);
	assert_int_equal(got_signal, SIGUSR1);
	assert_int_equal(signal_from, getpid());
	assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
}

static void memory_runs_short(void **state)
{
	struct fixture *f = *state;
	struct clocked c = CLOCKED;
	struct loop *loop;
	loop_ref ref;
	int freed = 0;
	struct chain *leaked = chain_new(f->loop, NULL, &freed);

	fault_after(0);
	assert_int_equal(loop_new(&loop), -ENOMEM);
	assert_int_equal(loop_add(f->loop, &end_class, 0, EPOLLIN, NULL, &ref), -ENOMEM);
	assert_int_equal(loop_timer_set(f->loop, &c.timer, 1), -ENOMEM);
	assert_false(loop_timer_armed(&c.timer));
	loop_defer_free(f->loop, chain_free, leaked);
	fault_after(-1);
	assert_int_equal(loop_run_once(f->loop, 0), 0);
	assert_int_equal(freed, 0); /* never freed too early */
	free(leaked);
	add_end(f);
}

static void time_is_read_once(void **state)
{
	struct fixture *f = *state;
	uint64_t before = clock_now();

	assert_int_equal(loop_run_once(f->loop, 0), 0);
	assert_true(loop_now(f->loop) >= before);
	before = loop_now(f->loop);
	assert_int_equal(loop_now(f->loop), before);
	assert_true(loop_update_now(f->loop) > before);
	assert_true(loop_now(f->loop) > before);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(sources),
		LOOP_TEST(event_of_a_removed_source_is_dropped),
		LOOP_TEST(stale_reference_to_a_used_slot),
		LOOP_TEST(more_than_one_batch),
		LOOP_TEST(regular_file_is_always_ready),
		LOOP_TEST(bad_descriptor),
		LOOP_TEST(timers_fire_in_order),
		LOOP_TEST(timer_waits),
		LOOP_TEST(timer_moves_while_armed),
		LOOP_TEST(fired_timer_is_over),
		LOOP_TEST(cancelled_timers_do_not_fire),
		LOOP_TEST(greedy_timer_starves_nobody),
		LOOP_TEST(many_timers),
		LOOP_TEST(tasks),
		LOOP_TEST(deferred_frees),
		cmocka_unit_test(deferred_at_loop_free),
		LOOP_TEST(run_and_stop),
		LOOP_TEST(signals),
		LOOP_TEST(memory_runs_short),
		LOOP_TEST(time_is_read_once),
	};

	return RUN_TESTS(tests);
}
