/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vuos/resident/counters.h"

#include "vuos/resident/context.h"
#include "vuos/resident/patch.h"
#include "vuos/resident/thread_list.h"

static struct counters ended; /* of threads that are not there any more */

void counters_take(struct context *c)
{
	for (int i = 0; i < COUNTERS; i++) {
		(void)__atomic_fetch_add(&ended.of[i], c->counters.of[i], __ATOMIC_RELAXED);
		c->counters.of[i] = 0;
	}
}

void counters_forked(struct context *c)
{
	if (!process.tells_counters)
		return;
	ended = c->counters = (struct counters){ 0 };
}

/* Those of a thread that counts just now are as good as its last ones. */
static struct counters sum(void)
{
	struct counters all = ended;
	struct context *c = NULL;

	thread_list_lock();
	while ((c = thread_list_next(context_here(), c)))
		for (int i = 0; i < COUNTERS; i++)
			all.of[i] += c->counters.of[i];
	thread_list_unlock();
	return all;
}

void counters_tell(void)
{
	static const char *const what[COUNTERS] = { " fast, ", " trapped, ", " deferred, ", " restarted, ",
						    " rolled back, " };
	char line[COUNTERS * 40], number[24], *at = line;
	struct counters all;

	if (!process.tells_counters)
		return;
	all = sum();
	for (int i = 0; i < COUNTERS; i++) {
		at = text_put_number(at, all.of[i], 10);
		at = text_put(at, what[i]);
	}
	(void)text_put(text_put_number(at, patch_count(), 10), " sites patched");
	(void)text_put_number(number, (uint64_t)NATIVE(__NR_getpid), 10);
	complain("counters of ", number, " (", text_base_name(process.program), "): ", line, NULL);
}
