/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A ring between pages that nobody may touch, so that a step outside of it ends the test. */
#pragma once

#include "test.h"

#include <sys/mman.h>

#include "base/ring.h"

#define RIG_SIZE RING_MIN
#define RIG_PAGE 65536 /* as large as pages are anywhere */

struct ring_rig {
	uint8_t *map;
	struct ring_shared *shared;
	uint8_t *data;
	struct ring_producer p;
	struct ring_consumer c;
};

#define RIG_MAP (4 * RIG_PAGE + RIG_SIZE)

/* Both counters at START, as if that many bytes had passed. */
static inline void ring_rig_at(struct ring_rig *rig, uint32_t start, bool guarded)
{
	memset(rig->shared, 0, sizeof(*rig->shared));
	ring_producer_init(&rig->p, rig->shared, rig->data, RIG_SIZE, guarded);
	ring_consumer_init(&rig->c, rig->shared, rig->data, RIG_SIZE);
	atomic_store(&rig->shared->head, start);
	atomic_store(&rig->shared->tail, start);
	assert_int_equal(ring_producer_resume(&rig->p), 0);
	assert_int_equal(ring_consumer_resume(&rig->c), 0);
}

/* Page without access, the shared words, one without, the data, one without. */
static inline int ring_rig_setup(void **state)
{
	struct ring_rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->map = mmap(NULL, RIG_MAP, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(rig->map != MAP_FAILED);
	rig->shared = (struct ring_shared *)(void *)(rig->map + RIG_PAGE);
	rig->data = rig->map + 3 * RIG_PAGE;
	assert_int_equal(mprotect(rig->shared, RIG_PAGE, PROT_READ | PROT_WRITE), 0);
	assert_int_equal(mprotect(rig->data, RIG_SIZE, PROT_READ | PROT_WRITE), 0);
	ring_rig_at(rig, 0, false);
	*state = rig;
	return 0;
}

static inline int ring_rig_teardown(void **state)
{
	struct ring_rig *rig = *state;

	(void)munmap(rig->map, RIG_MAP);
	free(rig);
	return 0;
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, ring_rig_setup, ring_rig_teardown)
