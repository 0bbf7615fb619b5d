/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory: what mmap and its relatives promise. */
#include "conformance.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/resource.h>

static sigjmp_buf back;

static void jumping(int signo)
{
	siglongjmp(back, signo);
}

static void *map(void *at, size_t len, int protection, int more)
{
	return mmap(at, len, protection, MAP_PRIVATE | MAP_ANONYMOUS | more, -1, 0);
}

static bool can_write(volatile char *at)
{
	handle(SIGSEGV, jumping, 0);
	handle(SIGBUS, jumping, 0);
	if (sigsetjmp(back, 1))
		return false;
	*at = 1;
	return true;
}

CASE(mmap_errors, "zero=EINVAL flags=EINVAL odd=EINVAL huge=ENOMEM noreplace=EEXIST type=EACCES")
{
	char *memory = map(NULL, PAGE, PROT_READ, 0);
	int fd = open("file", O_WRONLY | O_CREAT, 0600);

	TRY("zero", map(NULL, 0, PROT_READ, 0));
	TRY("flags", mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0));
	TRY("odd", map(memory + 1, PAGE, PROT_READ, MAP_FIXED));
	TRY("huge", map(NULL, (size_t)1 << 60, PROT_READ, 0));
	TRY("noreplace", map(memory, PAGE, PROT_READ, MAP_FIXED_NOREPLACE));
	TRY("type", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
}

CASE(mmap_fixed_replaces, "before=7 after=0 write=1 protected=0")
{
	char *memory = map(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, 0);

	memory[PAGE] = 7;
	say("before=%d", memory[PAGE]);
	NEED(map(memory + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_FIXED) == memory + PAGE);
	say("after=%d", memory[PAGE]);
	say("write=%d", can_write(memory + PAGE));
	NEED(mprotect(memory + PAGE, PAGE, PROT_READ) == 0);
	say("protected=%d", can_write(memory + PAGE));
}

CASE(munmap_holes, "hole=0 left=1 right=1 again=0 odd=EINVAL zero=EINVAL")
{
	char *memory = map(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, 0);

	NEED(munmap(memory + PAGE, PAGE) == 0);
	say("hole=%d left=%d right=%d", can_write(memory + PAGE), can_write(memory),
	    can_write(memory + 2 * PAGE));
	TRY("again", munmap(memory + PAGE, PAGE));
	TRY("odd", munmap(memory + 1, PAGE));
	TRY("zero", munmap(memory, 0));
}

CASE(munmap_wrong, "wrap=EINVAL kernel=EINVAL mprotect=ENOMEM madvise=ENOMEM")
{
	char *memory = map(NULL, PAGE, PROT_READ, 0);

	NEED(munmap(memory, PAGE) == 0);
	TRY("wrap", munmap(memory, SIZE_MAX & ~(PAGE - 1)));
	TRY("kernel", munmap(KERNEL_POINTER, PAGE));
	TRY("mprotect", mprotect(memory, PAGE, PROT_READ));
	TRY("madvise", madvise(memory, PAGE, MADV_DONTNEED));
}

CASE(mremap_moves, "kept=9 grown=1 fixed=1 kept=9 old=0 errors=EFAULT odd=EINVAL")
{
	char *memory = map(NULL, PAGE, PROT_READ | PROT_WRITE, 0), *place = map(NULL, 2 * PAGE, PROT_NONE, 0);

	memory[5] = 9;
	memory = mremap(memory, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	say("kept=%d grown=%d", memory[5], can_write(memory + PAGE));
	say("fixed=%d", mremap(memory, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
	say("kept=%d old=%d", place[5], can_write(memory));
	errno = 0;
	(void)mremap(memory, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	say("errors=%s", strerrorname_np(errno));
	TRY("odd", mremap(place + 1, PAGE, PAGE, MREMAP_MAYMOVE));
}

CASE(brk_grows, "grown=1 zero=1 written=1 back=1 gone=0")
{
	char *begin = sbrk(0), *page = (char *)(((uintptr_t)begin + PAGE - 1) & ~(PAGE - 1));
	bool zero = true;

	say("grown=%d", sbrk(1 << 20) == begin && sbrk(0) == begin + (1 << 20));
	for (char *at = page; at < begin + (1 << 20); at += PAGE)
		zero &= *at == 0;
	say("zero=%d written=%d", zero, can_write(begin + (1 << 20) - 1));
	say("back=%d", sbrk(-(1 << 20)) != (void *)-1 && sbrk(0) == begin);
	say("gone=%d", can_write(page + PAGE));
}

/* Nothing that we have put somewhere is in the way. */
CASE(brk_grows_far, "grown=1")
{
	char *begin = sbrk(0);

	for (int i = 0; i < 100; i++)
		(void)getppid();
	say("grown=%d", sbrk(1 << 29) == begin && can_write(begin + (1 << 29) - 1));
}

CASE(brk_limits, "far=1 low=1 limit=ENOMEM")
{
	char *begin = sbrk(0);
	const struct rlimit limit = { 1 << 20, 1 << 20 };

	say("far=%d", (char *)syscall(SYS_brk, 0x7fffffff0000) == begin);
	say("low=%d", (char *)syscall(SYS_brk, 1) == begin);
	NEED(setrlimit(RLIMIT_DATA, &limit) == 0);
	TRY("limit", (long)sbrk(64 << 20));
}

CASE(mprotect_growth, "execute=1 none=0 again=1 shared=EACCES")
{
	unsigned char *code = map(NULL, PAGE, PROT_READ | PROT_WRITE, 0);
	int fd;

	memcpy(code, "\xb8\x07\x00\x00\x00\xc3", 6); /* mov $7, %eax; ret */
	NEED(mprotect(code, PAGE, PROT_READ | PROT_EXEC) == 0);
	say("execute=%d", ((int (*)(void))(uintptr_t)code)() == 7);
	NEED(mprotect(code, PAGE, PROT_NONE) == 0);
	say("none=%d", can_write((char *)code));
	NEED(mprotect(code, PAGE, PROT_READ | PROT_WRITE) == 0);
	say("again=%d", can_write((char *)code));
	write_file("file", "content", 0600);
	fd = open("file", O_RDONLY);
	TRY("shared", mprotect(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), PAGE, PROT_READ | PROT_WRITE));
}

/* A call made by code that was written a moment ago. */
CASE(call_from_generated_code, "same=1 changed=1")
{
	unsigned char *code = map(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, 0);
	long (*call)(void) = (long (*)(void))(uintptr_t)code;

	memcpy(code, "\xb8\x27\x00\x00\x00\x0f\x05\xc3", 8); /* getpid */
	say("same=%d", call() == getpid());
	for (int i = 0; i < 100; i++)
		(void)call();
	code[1] = 0x6e; /* getppid */
	say("changed=%d", call() == getppid());
}

static __attribute__((noinline)) int deep(int depth)
{
	volatile char room[4000];

	room[0] = 1;
	return depth ? deep(depth - 1) + room[0] : 1;
}

CASE(stack_grows, "depth=1501 after_exec=1501")
{
	say("depth=%d", deep(1500));
	say("after_exec=%d", deep(1500));
}

CASE(grows_down, "grown=1 guard=0")
{
	char *memory = map(NULL, 64 * PAGE, PROT_NONE, 0), *stack;

	NEED(munmap(memory, 64 * PAGE) == 0);
	stack = map(memory + 60 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_GROWSDOWN | MAP_FIXED);
	NEED(stack == memory + 60 * PAGE);
	say("grown=%d", can_write(stack - 8) && can_write(stack - PAGE - 8));
	NEED(mprotect(stack + PAGE, PAGE, PROT_NONE) == 0);
	say("guard=%d", can_write(stack + PAGE));
}

CASE(shared_over_fork, "shared=5 private=1 file=6 end=exit:0")
{
	char *common = shared(PAGE), *own = map(NULL, PAGE, PROT_READ | PROT_WRITE, 0), *file;
	int fd, status;
	pid_t pid;

	write_file("file", "0123456789", 0600);
	fd = open("file", O_RDWR);
	file = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	own[0] = 1;
	pid = fork();
	if (pid == 0) {
		common[0] = 5;
		own[0] = 2;
		file[0] = '6';
		_exit(0);
	}
	status = wait_status(pid);
	NEED(pread(fd, common + 1, 1, 0) == 1);
	say("shared=%d private=%d file=%c", common[0], own[0], common[1]);
	say_status("end", status);
}

CASE(madvise_and_mincore, "dontneed=0 value=0 mincore=0 unmapped=ENOMEM bad=EFAULT odd=EINVAL lock=0")
{
	char *memory = map(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, 0);
	unsigned char pages[2];

	memory[0] = 1;
	TRY("dontneed", madvise(memory, PAGE, MADV_DONTNEED));
	say("value=%d", memory[0]);
	TRY("mincore", mincore(memory, 2 * PAGE, pages));
	NEED(munmap(memory + PAGE, PAGE) == 0);
	TRY("unmapped", mincore(memory, 2 * PAGE, pages));
	TRY("bad", mincore(memory, PAGE, nowhere()));
	TRY("odd", mincore(memory + 1, PAGE, pages));
	TRY("lock", mlock(memory, PAGE));
}
