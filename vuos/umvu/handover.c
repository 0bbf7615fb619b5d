/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)

/*
 * Which signals of faults this process ignores, and which it blocks (MASK): the kernel does not do that for
 * the resident, which has to know.
 */
static struct exec_signals fault_signals(const sigset_t *mask)
{
	static const int signals[] = { SIGSYS, SIGSEGV, SIGBUS, SIGILL, SIGTRAP };
	struct exec_signals found = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		uint64_t bit = UINT64_C(1) << (signals[i] - 1);
		struct sigaction action;

		if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			found.ignored |= bit;
		if (sigismember(mask, signals[i]) > 0)
			found.blocked |= bit;
	}
	return found;
}

bool handover_is_restricted(void)
{
	static const char free_to_go[] = "unconfined";
	char label[sizeof(free_to_go) - 1];
	auto_close int fd = open("/proc/self/attr/current", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, label, sizeof(label));

	return n > 0 && !(n == sizeof(label) && memcmp(label, free_to_go, sizeof(label)) == 0);
}

static size_t write_block(const struct handover *handover, void *block, size_t room)
{
	const struct exec_signals signals = fault_signals(handover->mask);
	struct exec_writer writer;

	exec_state_begin(&writer, block, room);
	(void)exec_state_add(&writer, EXEC_BASE, &handover->base, sizeof(handover->base));
	exec_state_add_text(&writer, EXEC_PATH, handover->path);
	if (handover->trace)
		(void)exec_state_add(&writer, EXEC_TRACE, handover->trace, sizeof(*handover->trace));
	exec_state_add_text(&writer, EXEC_RESIDENT, handover->resident);
	if (handover->reserved.present)
		(void)exec_state_add(&writer, EXEC_RESERVED, &handover->reserved, sizeof(handover->reserved));
	(void)exec_state_add(&writer, EXEC_SIGNALS, &signals, sizeof(signals));
	return exec_state_end(&writer);
}

int handover_make(const struct handover *handover, struct error *error)
{
	uint64_t block[4 * EXEC_STATE_ROOM / sizeof(uint64_t)]; /* two paths fit */
	size_t len = write_block(handover, block, sizeof(block));
	auto_close int fd = memfd_create("umvu", MFD_ALLOW_SEALING);

	if (!len)
		return error_set(error, ENAMETOOLONG, "%s: the name is too long", handover->path);
	if (fd < 0 || write(fd, block, len) != (ssize_t)len || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return error_set_errno(error, errno, "cannot make a file of memory");
	return TAKE_FD(fd);
}
