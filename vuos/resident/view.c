/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. Most programs never look at the view, so the segment is mapped when it is first needed,
 * at a place of its own (layout.h) that the program cannot take from us.
 *
 * A request (channel.h) is sent without waiting, and then the slot's word is waited for, for a second at most:
 * in the one interruptible instruction. Whatever ends that, the answer is in the slot, or the program's call
 * is made afresh, and asks again by the same number. That covers signals, a slot that two threads share, a
 * full socket, and a supervisor that has been killed, which only sending finds out. A call that another one
 * follows instead (the handler of a signal has left by longjmp) is not wanted any more, and cancelled.
 */
#include "vuos/resident/view.h"

#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/time_types.h>

#include "vuos/resident/reserved.h"

#define SEEK_END       2
#define MSG_DONTWAIT   0x40
#define MSG_NOSIGNAL   0x4000
#define POLLOUT        4
#define WAIT_MS        1000
#define WAIT_SECONDS   1
#define MIX            0x9e3779b97f4a7c15ull

/* --- the segment --------------------------------------------------------------------------------- */

/* Two threads may map it at once: the second finds the place taken, by the same. */
static long map_segment(void)
{
	long fd = reserved_get(RESERVED_SEGMENT), len, r;
	struct segment segment = { (const void *)RESIDENT_SEGMENT, 0 };

	len = fd < 0 ? fd : NATIVE(__NR_lseek, fd, 0, SEEK_END);
	if (len <= 0 || len > SEGMENT_SIZE)
		return len < 0 ? len : -EINVAL;
	r = NATIVE(__NR_mmap, RESIDENT_SEGMENT, len, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	if (is_error(r) && r != -EEXIST)
		return r;
	(void)NATIVE(__NR_madvise, RESIDENT_SEGMENT, len, MADV_DONTDUMP);
	segment.len = (size_t)len;
	if (!segment_is_valid(&segment))
		return -EINVAL;
	__atomic_store_n(&process.segment_len, (uint64_t)len, __ATOMIC_RELEASE);
	return 0;
}

bool view_segment(struct segment *ret)
{
	*ret = (struct segment){ (const void *)RESIDENT_SEGMENT,
				 __atomic_load_n(&process.segment_len, __ATOMIC_ACQUIRE) };
	if (!ret->len && map_segment() == 0)
		ret->len = process.segment_len;
	return ret->len;
}

/* --- requests ------------------------------------------------------------------------------------- */

/* What tells this call from another one of the same thread. */
static uint64_t mark_of(const struct call *call)
{
	uint64_t mark = call->pc;

	for (size_t i = 0; i < ARRAY_SIZE(call->raw); i++)
		mark = (mark ^ call->raw[i]) * MIX;
	return mark | 1;
}

static uint64_t new_sequence(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static long send_request(const struct channel_request *request)
{
	return NATIVE(__NR_sendto, reserved_get(RESERVED_CHANNEL), request,
		      offsetof(struct channel_request, data) + request->len, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
}

/* The number of this call's request: a new one, unless the call was made before, and restarted. */
static uint64_t sequence_of(struct context *c, const struct call *call, struct channel_request *request)
{
	uint64_t mark = mark_of(call);

	if (c->request.mark == mark)
		return c->request.sequence;
	if (c->request.mark) {
		request->sequence = c->request.sequence;
		request->operation = CHANNEL_CANCEL;
		(void)send_request(request);
	}
	c->request.mark = mark;
	c->request.sequence = new_sequence();
	return c->request.sequence;
}

static uint32_t load_word(const struct channel_slot *slot)
{
	return __atomic_load_n(&slot->word, __ATOMIC_ACQUIRE);
}

/* Whether the answer to REQUEST is there. */
static bool find_answer(const struct channel_slot *slot, const struct channel_request *request, long *ret)
{
	uint32_t word = load_word(slot);
	bool same = __atomic_load_n(&slot->sequence, __ATOMIC_RELAXED) == request->sequence &&
		    __atomic_load_n(&slot->pid, __ATOMIC_RELAXED) == request->pid &&
		    __atomic_load_n(&slot->tid, __ATOMIC_RELAXED) == request->tid;

	*ret = (long)__atomic_load_n(&slot->result, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return same && !(word & 1) && load_word(slot) == word;
}

/* The socket is full. The call is made afresh in any case. */
static void wait_for_room(void)
{
	struct {
		int fd;
		short events, revents;
	} poll = { .fd = (int)reserved_get(RESERVED_CHANNEL), .events = POLLOUT };

	(void)native_call((const uint64_t[7]){ __NR_poll, (uint64_t)&poll, 1, WAIT_MS });
}

static long wait_for_answer(const struct channel_slot *slot, uint32_t word,
			    const struct channel_request *request)
{
	const struct __kernel_timespec limit = { .tv_sec = WAIT_SECONDS };
	long result;

	(void)native_call((const uint64_t[7]){ __NR_futex, (uint64_t)&slot->word, FUTEX_WAIT, word,
					       (uint64_t)&limit });
	return find_answer(slot, request, &result) ? result : CALL_RESTART;
}

long view_request(struct context *c, const struct call *call, enum channel_operation operation,
		  const char *data, size_t len)
{
	struct channel_request request = { .version = CHANNEL_VERSION };
	const struct channel_slot *slot;
	struct segment segment;
	uint32_t word;
	long r;

	if (len > sizeof(request.data) || !view_segment(&segment))
		return len > sizeof(request.data) ? -ENAMETOOLONG : -EIO;
	request.pid = (int32_t)NATIVE(__NR_getpid);
	request.tid = (int32_t)NATIVE(__NR_gettid);
	request.sequence = sequence_of(c, call, &request);
	request.operation = operation;
	request.len = (uint32_t)len;
	memcpy(request.data, data, len);
	slot = (const struct channel_slot *)((const char *)segment.base + SEGMENT_SLOTS) +
	       (uint32_t)request.tid % CHANNEL_SLOTS;
	word = load_word(slot);
	r = send_request(&request);
	if (r >= 0) {
		r = wait_for_answer(slot, word, &request);
	} else if (r == -EAGAIN) {
		wait_for_room();
		r = CALL_RESTART;
	} else {
		r = -EIO;
	}
	if (r != CALL_RESTART)
		c->request.mark = 0;
	return r;
}
