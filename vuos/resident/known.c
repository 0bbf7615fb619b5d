/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. A small program makes most of its calls in the dynamic loader, once or twice each,
 * and is gone before patching has paid: its traps cost more than all else that we do for it. But the
 * sites are those of all programs before. So each process remembers which sites of its libraries have
 * trapped, and hands that on at exec. Of the dynamic loader, in which all programs make the same calls, the
 * next program patches them when it maps the file, all between one pair of mprotect(2); of other
 * libraries when they trap, but those that were patched before at the first time.
 *
 * A site of the loader is worth that if its page is, since the page has to be copied: if what trapped in it in
 * one process would have cost more than the copy. A file is recognized by its place, size and time, and what
 * is patched by its bytes, as ever; so an entry that is wrong does no harm.
 *
 * The tables change without a lock, by one thread at a time: who finds it busy forgets what it had to
 * note. Readers are at most misled.
 */
#include "vuos/resident/known.h"

#include "vuos/resident/lock.h"
#include "vuos/resident/patch.h"

#include <asm/stat.h>

#define FILES_MAX 6
#define SITES_MAX 128
#define WORTH     4 /* traps in a page */

struct file {
	uint64_t dev, ino, size, seconds, nanoseconds;
};

/* In order of file and offset. */
struct site {
	uint32_t offset;
	uint16_t number; /* of the call */
	uint8_t file;    /* from 1 */
	uint8_t traps;   /* the most in one process */
};

/* In the state, too, with fewer sites. */
struct known {
	uint32_t num_files, num_sites;
	struct file files[FILES_MAX];
	struct site sites[SITES_MAX];
};

static struct known known HOT;
static struct lock lock HOT;

static bool is_sane(const struct known *state, size_t len)
{
	if (state->num_files > FILES_MAX || state->num_sites > SITES_MAX ||
	    len < offsetof(struct known, sites) + state->num_sites * sizeof(struct site))
		return false;
	for (uint32_t i = 0; i < state->num_sites; i++)
		if (!state->sites[i].file || state->sites[i].file > state->num_files)
			return false;
	return true;
}

void known_start(const void *state)
{
	size_t len;
	const struct known *saved = exec_state_find(state, EXEC_KNOWN, offsetof(struct known, sites), &len);

	if (saved && is_sane(saved, len))
		memcpy(&known, saved, offsetof(struct known, sites) + saved->num_sites * sizeof(struct site));
}

void known_save(struct exec_writer *writer)
{
	if (!known.num_sites || !lock_try(&lock))
		return;
	(void)exec_state_add(writer, EXEC_KNOWN, &known,
			     offsetof(struct known, sites) + known.num_sites * sizeof(struct site));
	lock_drop(&lock);
}

static bool is_same(const struct file *a, const struct file *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->size == b->size && a->seconds == b->seconds &&
	       a->nanoseconds == b->nanoseconds;
}

uint8_t known_file(long fd)
{
	struct stat st;
	struct file file;
	uint32_t number = 0;

	if (process.patching == PATCH_NEVER || NATIVE(__NR_fstat, fd, &st) < 0)
		return 0;
	file = (struct file){ .dev = st.st_dev, .ino = st.st_ino, .size = (uint64_t)st.st_size,
			      .seconds = st.st_mtime, .nanoseconds = st.st_mtime_nsec };
	if (!lock_try(&lock))
		return 0;
	while (number < known.num_files && !is_same(&known.files[number], &file))
		number++;
	if (number < FILES_MAX && number == known.num_files)
		known.files[known.num_files++] = file;
	lock_drop(&lock);
	return number < FILES_MAX ? (uint8_t)(number + 1) : 0;
}

/* The first site that is not before OFFSET in FILE. */
static uint32_t place_of(uint8_t file, uint64_t offset)
{
	uint32_t i = 0;

	while (i < known.num_sites && (known.sites[i].file < file ||
				       (known.sites[i].file == file && known.sites[i].offset < offset)))
		i++;
	return i;
}

unsigned known_note(uint8_t file, uint64_t offset, uint64_t number, unsigned traps)
{
	struct site *site;
	uint32_t i;

	if (!file || offset > UINT32_MAX || number > UINT16_MAX || !lock_try(&lock))
		return traps;
	i = place_of(file, offset);
	site = &known.sites[i];
	if (i < known.num_sites && site->file == file && site->offset == offset) {
		traps = site->traps = (uint8_t)MAX(site->traps, traps);
	} else if (known.num_sites < SITES_MAX) {
		memmove(site + 1, site, (known.num_sites - i) * sizeof(*site));
		*site = (struct site){ (uint32_t)offset, (uint16_t)number, file, (uint8_t)traps };
		known.num_sites++;
	}
	lock_drop(&lock);
	return traps;
}

/* Traps in the page of site I, and behind its last site: *RET_NEXT. */
static unsigned page_traps(uint32_t i, uint32_t end, uint32_t *ret_next)
{
	uint64_t page = PAGE_DOWN(known.sites[i].offset);
	unsigned traps = 0;

	for (; i < end && PAGE_DOWN(known.sites[i].offset) == page; i++)
		traps += known.sites[i].traps;
	*ret_next = i;
	return traps;
}

void known_patch(uint8_t file, uint64_t offset, uint64_t begin, uint64_t end)
{
	struct patch_site worth[SITES_MAX];
	uint32_t i, last, next, n = 0;

	if (!file || !known.num_sites || !lock_try(&lock))
		return;
	i = place_of(file, offset);
	last = place_of(file, offset + (end - begin));
	for (; i < last; i = next) {
		unsigned traps = page_traps(i, last, &next);

		for (uint32_t k = i; k < next && traps >= WORTH; k++)
			worth[n++] = (struct patch_site){ begin + known.sites[k].offset - offset,
							  known.sites[k].number };
	}
	lock_drop(&lock);
	if (n)
		patch_ahead(begin, end, worth, n);
}
