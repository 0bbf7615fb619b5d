/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The usual use of calls that no other case makes: those without arguments, which cannot be swept (sweep.c),
 * those that may not be made with anything, and calls with a path, on a file and on the program's own name.
 */
#include "conformance.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <utime.h>

#define CALL(name, ...) TRY(#name, syscall(SYS_##name, ##__VA_ARGS__))

CASE(plain_without_arguments, "egid=1 munlockall=0 inotify=1 restart_syscall=EINTR sched_yield=0")
{
	int fd;

	say("egid=%d", syscall(SYS_getegid) == getegid());
	CALL(munlockall);
	fd = (int)syscall(SYS_inotify_init);
	say("inotify=%d", fd >= 0);
	CALL(restart_syscall);
	CALL(sched_yield);
}

CASE(plain_refused, "reboot=EPERM vhangup=EPERM")
{
	if (geteuid() == 0)
		NEED(setresuid(65534, 65534, 65534) == 0);
	CALL(reboot, 0xfee1dead, 672274793, 0, NULL);
	CALL(vhangup);
}

CASE(plain_wrong, "syncfs=EBADF set_robust_list=EINVAL rseq=EINVAL pidfd_send_signal=EBADF "
		  "rt_tgsigqueueinfo=EPERM ptrace=ESRCH landlock_restrict_self=EBADF")
{
	siginfo_t forged = { .si_code = SI_USER };

	CALL(syncfs, -1);
	CALL(set_robust_list, NULL, 1);
	CALL(rseq, NULL, 1, 0, 0);
	CALL(pidfd_send_signal, -1, 0, NULL, 0);
	CALL(rt_tgsigqueueinfo, getppid(), getppid(), SIGUSR1, &forged);
	CALL(ptrace, 7, 0x7ffffffe, 0, 0); /* PTRACE_CONT */
	NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CALL(landlock_restrict_self, -1, 0);
}

CASE(plain_sync, "sync=0")
{
	write_file("file", "text", 0600);
	CALL(sync);
}

static volatile int got_value, got_code;

static void take_value(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	got_value = info->si_value.sival_int;
	got_code = info->si_code;
}

CASE(plain_queued_signals, "queue=0 value=7 code=-1 thread=0 value=8 code=-1 pidfd=0 value=9")
{
	siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_QUEUE };
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	handle_info(SIGUSR1, take_value, 0);
	info.si_value.sival_int = 7;
	TRY("queue", syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
	say("value=%d code=%d", got_value, got_code);
	info.si_value.sival_int = 8;
	TRY("thread", syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGUSR1, &info));
	say("value=%d code=%d", got_value, got_code);
	info.si_value.sival_int = 9;
	TRY("pidfd", syscall(SYS_pidfd_send_signal, fd, SIGUSR1, &info, 0));
	say("value=%d", got_value);
}

CASE(plain_shared_memory, "attached=1 child=exit:0 byte=x detached=0 again=EINVAL")
{
	int id = shmget(IPC_PRIVATE, PAGE, 0600), status;
	char *at = shmat(id, NULL, 0);
	pid_t pid;

	NEED(id >= 0 && shmctl(id, IPC_RMID, NULL) == 0);
	say("attached=%d", at != (void *)-1);
	pid = fork();
	if (pid == 0) {
		*at = 'x';
		_exit(0);
	}
	NEED(waitpid(pid, &status, 0) == pid);
	say_status("child", status);
	say("byte=%c", *at);
	TRY("detached", shmdt(at));
	TRY("again", shmdt(at));
}

/* --- memory, events ---------------------------------------------------------------------------------- */

CASE(plain_memory, "pkey_mprotect=0 wrong=EINVAL mseal=0 munmap=EPERM mprotect=EPERM read=0 remap_file_pages=0")
{
	char *at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *sealed = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CALL(pkey_mprotect, at, PAGE, PROT_READ, -1);
	TRY("wrong", syscall(SYS_pkey_mprotect, at, PAGE, PROT_READ, 1000));
	TRY("mseal", syscall(462, sealed, PAGE, 0));
	TRY("munmap", munmap(sealed, PAGE));
	TRY("mprotect", mprotect(sealed, PAGE, PROT_READ | PROT_WRITE));
	say("read=%d", *sealed);
	CALL(remap_file_pages, at, PAGE, 0, 2, 0);
}

static void nothing(int signo)
{
	(void)signo;
}

/* A signal that only the call's own mask lets through ends each of them. */
CASE(plain_events, "pselect6=EINTR epoll_pwait2=EINTR io_pgetevents=EINTR none=0 none=0 none=0 blocked=1")
{
	const sigset_t free_set = set_of(0);
	const struct { const sigset_t *set; size_t size; } masked = { &free_set, 8 };
	struct timespec soon = { 20, 0 }, none = { 0, 0 };
	unsigned long context = 0;
	char events[64];
	int fd = epoll_create1(0);

	handle(SIGUSR1, nothing, SA_RESTART);
	block(SIGUSR1);
	NEED(syscall(SYS_io_setup, 1, &context) == 0);
	NEED(raise(SIGUSR1) == 0);
	CALL(pselect6, 0, NULL, NULL, NULL, &soon, &masked);
	NEED(raise(SIGUSR1) == 0);
	CALL(epoll_pwait2, fd, events, 1, &soon, &free_set, 8L);
	NEED(raise(SIGUSR1) == 0);
	CALL(io_pgetevents, context, 1, 1, events, &soon, &masked);
	TRY("none", syscall(SYS_pselect6, 0, NULL, NULL, NULL, &none, &masked));
	TRY("none", syscall(SYS_epoll_pwait2, fd, events, 1, &none, &free_set, 8L));
	TRY("none", syscall(SYS_io_pgetevents, context, 0, 1, events, &none, &masked));
	say("blocked=%d", is_blocked(SIGUSR1));
}

/* --- paths ----------------------------------------------------------------------------------------- */

/* Calls that change nothing that matters, or only what belongs to the file. */
static void try_path(const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC };
	struct timespec times[2] = { { 1000, 0 }, { 2000, 0 } };
	struct timeval old_times[2] = { { 1000, 0 }, { 2000, 0 } };
	struct { unsigned int bytes; int type; unsigned char handle[128]; } handle = { .bytes = 128 };
	char value[64];
	int mount;

	TRY("openat2", syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)) < 0);
	CALL(faccessat, AT_FDCWD, path, R_OK);
	CALL(faccessat2, AT_FDCWD, path, R_OK, AT_EACCESS);
	CALL(chown, path, -1, -1);
	CALL(fchownat, AT_FDCWD, path, -1, -1, 0);
	CALL(utime, path, NULL);
	CALL(utimes, path, old_times);
	CALL(futimesat, AT_FDCWD, path, old_times);
	CALL(utimensat, AT_FDCWD, path, times, 0);
	CALL(getxattr, path, "user.none", value, sizeof(value));
	CALL(removexattr, path, "user.none");
	TRY("setxattr", syscall(SYS_setxattr, path, "user.a", "1", 1, 0));
	TRY("listxattr", syscall(SYS_listxattr, path, value, sizeof(value)) < 0);
	CALL(fchmodat, AT_FDCWD, path, 0755);
	TRY("fchmodat2", syscall(452, AT_FDCWD, path, 0755, 0));
	CALL(name_to_handle_at, AT_FDCWD, path, &handle, &mount, AT_SYMLINK_FOLLOW);
	TRY("linkat", syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
	(void)unlink("linked");
	/* setxattrat to file_setattr, where the kernel has them. */
	for (int number = 463; number <= 469; number++) {
		errno = 0;
		say("%d=%s", number, syscall(number, AT_FDCWD, path, 0, "user.none", value, 16) == -1 ?
			    strerrorname_np(errno) : "0");
	}
}

CASE(plain_paths, ANYTHING)
{
	write_file("file", "text", 0700);
	NEED(symlink("file", "link") == 0 && mkdir("directory", 0700) == 0);
	try_path("file");
	try_path("link");
	try_path("directory");
	try_path("file/none");
}

/* As its own program, whose text is written by main(). */
HELPER(own_paths)
{
	struct stat named, own;
	int fd;

	(void)argc;
	(void)argv;
	try_path("/proc/self/exe");
	fd = open("/proc/self/exe", O_RDONLY);
	NEED(fd >= 0 && fstat(fd, &own) == 0 && stat("program", &named) == 0);
	say("same=%d", own.st_ino == named.st_ino && own.st_dev == named.st_dev);
	return 0;
}

/* A copy of the program, so that what is changed is nobody else's. */
CASE(plain_own_paths, ANYTHING)
{
	char *argv[] = { (char *)"program", (char *)"@own_paths", NULL };
	pid_t pid;

	copy_file(own_path, "program", 0700);
	pid = fork();
	if (pid == 0) {
		execv("program", argv);
		_exit(1);
	}
	NEED(pid > 0);
	say("end=%d", wait_status(pid));
}
