/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "cleanup.h"

#define EVENTS_PER_WAIT 64
#define NO_SLOT         UINT32_MAX
#define TIMER_EVENT     0 /* the event data of timer_fd: no loop_ref */
#define NEVER           UINT64_MAX

/*
 * A source's slot. The slots are a growing array with a free list through `next_free`; the
 * generation goes up at each removal, so that an old reference no longer matches.
 */
struct source {
	const struct loop_class *class; /* NULL: the slot is free */
	void *object;
	int fd;
	uint32_t generation;
	uint32_t next_free;
	uint32_t ready; /* EPOLLIN, EPOLLOUT: of a regular file that is always ready for them */
	bool regular;
};

struct deferred {
	void (*free_object)(void *object);
	void *object;
};

struct loop {
	int epoll_fd;
	int signal_fd;
	uint64_t now;
	uint64_t turn;

	struct source *sources;
	uint32_t num_sources;
	uint32_t free_source;
	uint32_t num_ready; /* regular files that wait for something */

	struct loop_timer **heap; /* binary heap by due time */
	size_t heap_len;
	size_t heap_room;
	uint64_t firing; /* timers up to this time are being fired; 0: none */
	int timer_fd;    /* wakes for the first of them, or earlier */
	uint64_t armed;  /* when it does; NEVER: not at all */

	struct loop_task tasks; /* head of a ring */

	struct deferred *deferred;
	size_t deferred_len;
	size_t deferred_room;

	loop_ref signal_ref;
	void (*signal_handler)(struct loop *loop, void *object, const siginfo_t *info);
	void *signal_object;

	bool stopping;
	int status;
};

/* The descriptors of the loop itself. */
static int loop_open(struct loop *loop)
{
	/* Edge-triggered: its count of expirations need not be read. */
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = TIMER_EVENT };

	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return -errno;
	loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (loop->timer_fd < 0)
		return -errno;
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->timer_fd, &event) < 0 ? -errno : 0;
}

int loop_new(struct loop **ret)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return -ENOMEM;
	loop->epoll_fd = loop->timer_fd = loop->signal_fd = -1;
	loop->armed = NEVER;
	r = loop_open(loop);
	if (r < 0) {
		loop_free(loop);
		return r;
	}
	loop->free_source = NO_SLOT;
	loop->tasks.next = loop->tasks.prev = &loop->tasks;
	loop->now = clock_now();
	*ret = loop;
	return 0;
}

static void loop_run_deferred(struct loop *loop)
{
	/* A destructor may defer another object: the array may grow while it is walked. */
	for (size_t i = 0; i < loop->deferred_len; i++)
		loop->deferred[i].free_object(loop->deferred[i].object);
	loop->deferred_len = 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	loop_run_deferred(loop);
	if (loop->signal_fd >= 0)
		(void)close(loop->signal_fd);
	if (loop->timer_fd >= 0)
		(void)close(loop->timer_fd);
	if (loop->epoll_fd >= 0)
		(void)close(loop->epoll_fd);
	free(loop->sources);
	free(loop->heap);
	free(loop->deferred);
	free(loop);
}

/* --- sources -------------------------------------------------------------------------- */

static loop_ref source_ref(const struct loop *loop, uint32_t slot)
{
	return (uint64_t)loop->sources[slot].generation << 32 | (slot + 1);
}

static struct source *source_find(struct loop *loop, loop_ref ref)
{
	uint32_t slot = (uint32_t)ref - 1;

	if (ref == 0 || slot >= loop->num_sources)
		return NULL;
	if (!loop->sources[slot].class || loop->sources[slot].generation != ref >> 32)
		return NULL;
	return &loop->sources[slot];
}

static int source_grow(struct loop *loop)
{
	uint32_t count = loop->num_sources ? loop->num_sources * 2 : 16;
	struct source *sources = realloc(loop->sources, count * sizeof(*sources));

	if (!sources)
		return -ENOMEM;
	for (uint32_t i = count; i-- > loop->num_sources;) {
		sources[i] = (struct source){ .next_free = loop->free_source };
		loop->free_source = i;
	}
	loop->sources = sources;
	loop->num_sources = count;
	return 0;
}

/* What a regular file is watched for; its number among those ready is kept. */
static void source_set_ready(struct loop *loop, struct source *source, uint32_t events)
{
	loop->num_ready -= source->ready != 0;
	source->ready = events & (EPOLLIN | EPOLLOUT);
	loop->num_ready += source->ready != 0;
}

int loop_add(struct loop *loop, const struct loop_class *class, int fd, uint32_t events,
	     void *object, loop_ref *ret)
{
	struct epoll_event ev = { .events = events };
	struct source *source;
	uint32_t slot;

	if (loop->free_source == NO_SLOT) {
		int r = source_grow(loop);

		if (r < 0)
			return r;
	}
	slot = loop->free_source;
	source = &loop->sources[slot];
	ev.data.u64 = source_ref(loop, slot);
	source->regular = epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0;
	if (source->regular && errno != EPERM)
		return -errno;
	if (source->regular)
		source_set_ready(loop, source, events);
	loop->free_source = source->next_free;
	source->class = class;
	source->object = object;
	source->fd = fd;
	*ret = ev.data.u64;
	return 0;
}

int loop_modify(struct loop *loop, loop_ref ref, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u64 = ref };
	struct source *source = source_find(loop, ref);

	if (!source)
		return -ENOENT;
	if (source->regular) {
		source_set_ready(loop, source, events);
		return 0;
	}
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &ev) < 0 ? -errno : 0;
}

void loop_remove(struct loop *loop, loop_ref *ref)
{
	struct source *source = source_find(loop, *ref);

	if (source) {
		if (source->regular)
			source_set_ready(loop, source, 0);
		else /* fails only when the descriptor is closed already: then it is gone */
			(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
		source->class = NULL;
		source->generation++;
		source->next_free = loop->free_source;
		loop->free_source = (uint32_t)(source - loop->sources);
	}
	*ref = 0;
}

static void source_dispatch(struct loop *loop, loop_ref ref, uint32_t events)
{
	struct source *source = source_find(loop, ref);

	if (source)
		source->class->ready(loop, source->object, source->fd, events);
}

static void loop_dispatch_regular(struct loop *loop)
{
	for (uint32_t i = 0; loop->num_ready && i < loop->num_sources; i++)
		if (loop->sources[i].ready)
			source_dispatch(loop, source_ref(loop, i), loop->sources[i].ready);
}

/* --- time ----------------------------------------------------------------------------- */

uint64_t loop_now(const struct loop *loop)
{
	return loop->now;
}

uint64_t loop_turn(const struct loop *loop)
{
	return loop->turn;
}

uint64_t loop_update_now(struct loop *loop)
{
	return loop->now = clock_now();
}

static void heap_place(struct loop *loop, size_t i, struct loop_timer *timer)
{
	loop->heap[i] = timer;
	timer->place = i + 1;
}

static void heap_up(struct loop *loop, size_t i, struct loop_timer *timer)
{
	while (i > 0 && timer->due < loop->heap[(i - 1) / 2]->due) {
		heap_place(loop, i, loop->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_place(loop, i, timer);
}

static void heap_down(struct loop *loop, size_t i, struct loop_timer *timer)
{
	size_t child;

	while ((child = 2 * i + 1) < loop->heap_len) {
		if (child + 1 < loop->heap_len && loop->heap[child + 1]->due < loop->heap[child]->due)
			child++;
		if (timer->due <= loop->heap[child]->due)
			break;
		heap_place(loop, i, loop->heap[child]);
		i = child;
	}
	heap_place(loop, i, timer);
}

int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t due)
{
	loop_timer_cancel(loop, timer);
	if (loop->heap_len == loop->heap_room) {
		size_t room = loop->heap_room ? loop->heap_room * 2 : 16;
		struct loop_timer **heap = realloc(loop->heap, room * sizeof(struct loop_timer *));

		if (!heap)
			return -ENOMEM;
		loop->heap = heap;
		loop->heap_room = room;
	}
	/* What a handler arms for this time or earlier waits for the next turn, after the others. */
	timer->due = due <= loop->firing ? loop->firing + 1 : due;
	heap_up(loop, loop->heap_len++, timer);
	return 0;
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
	size_t i = timer->place;
	struct loop_timer *last;

	if (i-- == 0)
		return;
	timer->place = 0;
	last = loop->heap[--loop->heap_len];
	if (last == timer)
		return;
	if (i > 0 && last->due < loop->heap[(i - 1) / 2]->due)
		heap_up(loop, i, last);
	else
		heap_down(loop, i, last);
}

static void loop_fire_timers(struct loop *loop)
{
	loop->firing = loop->now;
	while (loop->heap_len > 0 && loop->heap[0]->due <= loop->firing) {
		struct loop_timer *timer = loop->heap[0];

		loop_timer_cancel(loop, timer);
		timer->fire(loop, timer);
	}
	loop->firing = 0;
}

/* --- deferred work -------------------------------------------------------------------- */

void loop_task_add(struct loop *loop, struct loop_task *task)
{
	if (task->queued)
		return;
	task->queued = true;
	task->next = &loop->tasks;
	task->prev = loop->tasks.prev;
	task->prev->next = task;
	loop->tasks.prev = task;
}

void loop_task_cancel(struct loop *loop, struct loop_task *task)
{
	(void)loop;
	if (!task->queued)
		return;
	task->queued = false;
	task->prev->next = task->next;
	task->next->prev = task->prev;
}

static void loop_run_tasks(struct loop *loop)
{
	struct loop_task batch = loop->tasks;

	if (batch.next == &loop->tasks)
		return;
	/* The ring goes to a head of its own: what tasks add is for the next turn. */
	batch.next->prev = batch.prev->next = &batch;
	loop->tasks.next = loop->tasks.prev = &loop->tasks;
	while (batch.next != &batch) {
		struct loop_task *task = batch.next;

		loop_task_cancel(loop, task);
		task->run(loop, task);
	}
}

void loop_defer_free(struct loop *loop, void (*free_object)(void *object), void *object)
{
	if (loop->deferred_len == loop->deferred_room) {
		size_t room = loop->deferred_room ? loop->deferred_room * 2 : 16;
		struct deferred *list = realloc(loop->deferred, room * sizeof(*list));

		if (!list)
			return; /* leaked: safer than freeing what this batch may still use */
		loop->deferred = list;
		loop->deferred_room = room;
	}
	loop->deferred[loop->deferred_len++] = (struct deferred){ free_object, object };
}

/* --- signals -------------------------------------------------------------------------- */

static void loop_signal_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct signalfd_siginfo raw;

	(void)events;
	while (read(fd, &raw, sizeof(raw)) == (ssize_t)sizeof(raw)) {
		siginfo_t info = { .si_signo = (int)raw.ssi_signo, .si_code = raw.ssi_code };

		info.si_pid = (pid_t)raw.ssi_pid;
		info.si_uid = raw.ssi_uid;
		loop->signal_handler(loop, object, &info);
	}
}

static const struct loop_class signal_class = { "signal", loop_signal_ready };

void loop_end_signals(sigset_t *set)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

	(void)sigemptyset(set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction action;

		/* A blocked signal reaches a signalfd even when it is ignored. */
		if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			(void)sigaddset(set, signals[i]);
	}
}

int loop_signals(struct loop *loop, const sigset_t *set,
		 void (*handler)(struct loop *loop, void *object, const siginfo_t *info),
		 void *object)
{
	if (loop->signal_fd >= 0)
		return -EBUSY;
	if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
		return -errno;
	loop->signal_fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (loop->signal_fd < 0)
		return -errno;
	loop->signal_handler = handler;
	return loop_add(loop, &signal_class, loop->signal_fd, EPOLLIN, object, &loop->signal_ref);
}

/* --- running -------------------------------------------------------------------------- */

/*
 * Sees to it that the first timer wakes the loop. The kernel is told only of one that is earlier
 * than what it knows: with a time-out at each wait it would set a timer, and cancel it, for each
 * event. The price is a wake-up for nothing when what it knows was cancelled or moved.
 */
static int loop_arm(struct loop *loop)
{
	uint64_t due = loop->heap_len > 0 ? MAX(loop->heap[0]->due, UINT64_C(1)) : NEVER;
	struct itimerspec when = { .it_value = { .tv_sec = (time_t)(due / NS_PER_SEC),
						 .tv_nsec = (long)(due % NS_PER_SEC) } };

	if (due >= loop->armed)
		return 0;
	if (timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		return -errno;
	loop->armed = due;
	return 0;
}

/* Returns how many events there are, or a negative errno. */
static int loop_wait(struct loop *loop, struct epoll_event *events, int timeout_ms)
{
	int r = loop_arm(loop);

	if (r < 0)
		return r;
	if (loop->num_ready || loop->tasks.next != &loop->tasks)
		timeout_ms = 0;
	r = epoll_wait(loop->epoll_fd, events, EVENTS_PER_WAIT, timeout_ms);
	return r < 0 ? (errno == EINTR ? 0 : -errno) : r;
}

int loop_run_once(struct loop *loop, int timeout_ms)
{
	struct epoll_event events[EVENTS_PER_WAIT];
	int n = loop_wait(loop, events, timeout_ms);

	if (n < 0)
		return n;
	loop->now = clock_now();
	loop->turn++;
	loop_fire_timers(loop);
	for (int i = 0; i < n; i++)
		if (events[i].data.u64 == TIMER_EVENT)
			loop->armed = NEVER;
		else
			source_dispatch(loop, events[i].data.u64, events[i].events);
	loop_dispatch_regular(loop);
	loop_run_tasks(loop);
	loop_run_deferred(loop);
	return 0;
}

int loop_run(struct loop *loop)
{
	int r = 0;

	while (!loop->stopping && r == 0)
		r = loop_run_once(loop, -1);
	loop->stopping = false;
	return r < 0 ? r : loop->status;
}

void loop_stop(struct loop *loop, int status)
{
	loop->stopping = true;
	loop->status = status;
}
