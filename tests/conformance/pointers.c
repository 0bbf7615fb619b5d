/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arguments that are wrong: pointers, lengths, flags; and such as are only just right. */
#include "conformance.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>

#define SET_SIZE 8

CASE(efault_read, "none=EFAULT kernel=EFAULT odd=EFAULT zero=0")
{
	int fd = open("/dev/zero", O_RDONLY);

	TRY("none", read(fd, nowhere(), 10));
	TRY("kernel", read(fd, KERNEL_POINTER, 10));
	TRY("odd", read(fd, ODD_POINTER, 10));
	TRY("zero", read(fd, nowhere(), 0));
}

CASE(efault_read_across_pages, "file=6 again=EFAULT zeros=10")
{
	int fd;

	write_file("file", "0123456789abcdef", 0600);
	fd = open("file", O_RDONLY);
	TRY("file", read(fd, at_end(6), 16));
	TRY("again", read(fd, nowhere(), 16));
	fd = open("/dev/zero", O_RDONLY);
	TRY("zeros", read(fd, at_end(10), 20));
}

CASE(efault_write, "pipe=EFAULT kernel=EFAULT part=6")
{
	int fds[2], fd = open("file", O_WRONLY | O_CREAT, 0600);

	NEED(pipe(fds) == 0);
	TRY("pipe", write(fds[1], nowhere(), 10));
	TRY("kernel", write(fds[1], KERNEL_POINTER, 10));
	TRY("part", write(fd, at_end(6), 10));
}

CASE(efault_vectors, "readv=EFAULT writev=EFAULT element=EFAULT count=EINVAL pread=EFAULT")
{
	struct iovec vector = { nowhere(), 10 };
	int fd = open("/dev/zero", O_RDWR);

	TRY("readv", readv(fd, nowhere(), 1));
	TRY("writev", writev(fd, nowhere(), 1));
	TRY("element", readv(fd, &vector, 1));
	TRY("count", readv(fd, &vector, 100000));
	TRY("pread", pread(fd, nowhere(), 10, 0));
}

CASE(efault_paths, "open=EFAULT openat=EFAULT stat=EFAULT lstat=EFAULT access=EFAULT mkdir=EFAULT "
		   "unlink=EFAULT rename=EFAULT chdir=EFAULT readlink=EFAULT symlink=EFAULT chmod=EFAULT "
		   "truncate=EFAULT")
{
	char *bad = nowhere(), text[100];
	struct stat st;

	TRY("open", open(bad, O_RDONLY));
	TRY("openat", openat(AT_FDCWD, KERNEL_POINTER, O_RDONLY));
	TRY("stat", syscall(SYS_stat, bad, &st));
	TRY("lstat", syscall(SYS_lstat, bad, &st));
	TRY("access", access(bad, R_OK));
	TRY("mkdir", mkdir(bad, 0700));
	TRY("unlink", unlink(bad));
	TRY("rename", rename("a", bad));
	TRY("chdir", chdir(bad));
	TRY("readlink", readlink(bad, text, sizeof(text)));
	TRY("symlink", symlink(bad, "link"));
	TRY("chmod", chmod(bad, 0700));
	TRY("truncate", truncate(bad, 0));
}

CASE(efault_path_odd, "open=EFAULT stat=EFAULT access=EFAULT readlink=EFAULT statx=EFAULT")
{
	char text[100];

	TRY("open", open(ODD_POINTER, O_RDONLY));
	TRY("stat", syscall(SYS_newfstatat, AT_FDCWD, ODD_POINTER, text, 0));
	TRY("access", access(ODD_POINTER, R_OK));
	TRY("readlink", readlink(ODD_POINTER, text, sizeof(text)));
	TRY("statx", syscall(SYS_statx, AT_FDCWD, ODD_POINTER, 0, 0, text));
}

CASE(path_at_end_of_memory, "stat=0 open=0 access=0 short=0 readlink=4 unterminated=EFAULT")
{
	char *text = at_end(6), name[10];
	struct stat st;

	write_file("plain", "", 0600);
	NEED(symlink("goal", "link") == 0);
	TRY("stat", stat(text_at_end("plain"), &st));
	TRY("open", open(text_at_end("plain"), O_RDONLY) < 0);
	TRY("access", access(text_at_end("/proc/self/stat"), R_OK));
	TRY("short", access(text_at_end("/"), R_OK));
	TRY("readlink", readlink(text_at_end("link"), name, sizeof(name)));
	memcpy(text, "/proc/", 6);
	TRY("unterminated", stat(text, &st));
}

CASE(efault_status_buffers,
     "stat=EFAULT fstat=EFAULT lstat=EFAULT newfstatat=EFAULT statx=EFAULT statfs=EFAULT")
{
	void *bad = nowhere();

	TRY("stat", syscall(SYS_stat, "/", bad));
	TRY("fstat", syscall(SYS_fstat, 0, bad));
	TRY("lstat", syscall(SYS_lstat, "/", bad));
	TRY("newfstatat", syscall(SYS_newfstatat, AT_FDCWD, "/", bad, 0));
	TRY("statx", syscall(SYS_statx, AT_FDCWD, "/", 0, STATX_ALL, bad));
	TRY("statfs", statfs("/", bad));
}

CASE(path_forms, "empty=ENOENT null=EFAULT readlink=EINVAL long=ENAMETOOLONG exe=ENAMETOOLONG slash=ENOTDIR")
{
	char name[5000], text[10];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	TRY("empty", access("", R_OK));
	TRY("null", syscall(SYS_access, NULL, R_OK));
	TRY("readlink", readlink("/proc/self/exe", text, 0));
	TRY("long", access(name, R_OK));
	memcpy(name, "/proc/self/", 11);
	TRY("exe", access(name, R_OK));
	TRY("slash", access("/proc/self/exe/", R_OK));
}

CASE(readlink_exe_buffers, "bad=EFAULT kernel=EFAULT one=1 end=4 begin=/ bytes=kept")
{
	char *end = at_end(4), text[3] = "zzz";

	TRY("bad", readlink("/proc/self/exe", nowhere(), 100));
	TRY("kernel", readlink("/proc/self/exe", KERNEL_POINTER, 100));
	TRY("one", readlink("/proc/self/exe", text, 1));
	TRY("end", readlink("/proc/self/exe", end, 4));
	say("begin=%c bytes=%s", text[0], text[1] == 'z' ? "kept" : "changed");
}

CASE(efault_getcwd, "bad=EFAULT small=ERANGE zero=ERANGE")
{
	char text[4096];

	TRY("bad", syscall(SYS_getcwd, nowhere(), 4096));
	TRY("small", syscall(SYS_getcwd, text, 1));
	TRY("zero", syscall(SYS_getcwd, nowhere(), 0));
}

CASE(efault_pipe, "pipe=EFAULT pipe2=EFAULT flags=EINVAL socketpair=EFAULT next=same")
{
	int before = dup(0), after;

	TRY("pipe", syscall(SYS_pipe, nowhere()));
	TRY("pipe2", syscall(SYS_pipe2, KERNEL_POINTER, 0));
	TRY("flags", syscall(SYS_pipe2, nowhere(), 0x1));
	TRY("socketpair", syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, nowhere()));
	after = dup(0);
	say("next=%s", after == before + 1 ? "same" : "other");
}

CASE(efault_poll, "poll=EFAULT ppoll=EFAULT timeout=EFAULT mask=EFAULT size=EINVAL select=EFAULT epoll=EFAULT "
		  "many=EINVAL")
{
	struct pollfd none = { -1, 0, 0 };
	struct timespec zero = { 0 };
	int fd = epoll_create1(0);

	TRY("poll", syscall(SYS_poll, nowhere(), 1, 0));
	TRY("ppoll", syscall(SYS_ppoll, nowhere(), 1, &zero, NULL, SET_SIZE));
	TRY("timeout", syscall(SYS_ppoll, &none, 1, nowhere(), NULL, SET_SIZE));
	TRY("mask", syscall(SYS_ppoll, &none, 1, &zero, nowhere(), SET_SIZE));
	TRY("size", syscall(SYS_ppoll, &none, 1, &zero, nowhere(), 4));
	TRY("select", syscall(SYS_select, 1, nowhere(), NULL, NULL, NULL));
	TRY("epoll", syscall(SYS_epoll_ctl, fd, EPOLL_CTL_ADD, 0, nowhere()));
	TRY("many", syscall(SYS_epoll_wait, fd, nowhere(), 0, 0));
}

CASE(efault_times, "nanosleep=EFAULT clock=EFAULT gettime=EFAULT settime=EFAULT setitimer=EFAULT old=EFAULT "
		   "create=EFAULT range=EINVAL negative=EINVAL")
{
	struct timespec wrong = { .tv_nsec = 1000000000 }, before = { .tv_sec = -1 };

	TRY("nanosleep", syscall(SYS_nanosleep, nowhere(), NULL));
	TRY("clock", syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, KERNEL_POINTER, NULL) ? -1 : 0);
	TRY("gettime", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, nowhere()));
	TRY("settime", syscall(SYS_clock_settime, CLOCK_REALTIME, nowhere()));
	TRY("setitimer", syscall(SYS_setitimer, ITIMER_REAL, nowhere(), NULL));
	TRY("old", syscall(SYS_getitimer, ITIMER_REAL, nowhere()));
	TRY("create", syscall(SYS_timer_create, CLOCK_MONOTONIC, nowhere(), nowhere()));
	TRY("range", syscall(SYS_nanosleep, &wrong, NULL));
	TRY("negative", syscall(SYS_nanosleep, &before, NULL));
}

CASE(efault_futex, "wait=EFAULT wake=EFAULT timeout=EFAULT differs=EAGAIN odd=EINVAL")
{
	uint32_t words[2] = { 1, 2 };

	TRY("wait", syscall(SYS_futex, nowhere(), FUTEX_WAIT, 0, NULL, NULL, 0));
	TRY("wake", syscall(SYS_futex, nowhere(), FUTEX_WAKE, 1, NULL, NULL, 0));
	TRY("timeout", syscall(SYS_futex, words, FUTEX_WAIT, 1, nowhere(), NULL, 0));
	TRY("differs", syscall(SYS_futex, words, FUTEX_WAIT, 9, NULL, NULL, 0));
	TRY("odd", syscall(SYS_futex, (char *)words + 1, FUTEX_WAIT, 0, NULL, NULL, 0));
}

CASE(efault_sockets, "accept=EINVAL bind=EFAULT connect=EFAULT sendto=EFAULT recvfrom=EAGAIN sendmsg=EFAULT "
		     "recvmsg=EFAULT getsockopt=EFAULT name=EFAULT")
{
	int fds[2], fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char text[4] = "abc";

	NEED(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds) == 0);
	TRY("accept", accept(fd, nowhere(), nowhere()));
	TRY("bind", syscall(SYS_bind, fd, nowhere(), 10));
	TRY("connect", syscall(SYS_connect, fd, nowhere(), 10));
	TRY("sendto", sendto(fds[0], nowhere(), 3, 0, NULL, 0));
	TRY("recvfrom", recvfrom(fds[1], text, 3, 0, NULL, NULL));
	TRY("sendmsg", syscall(SYS_sendmsg, fds[0], nowhere(), 0));
	TRY("recvmsg", syscall(SYS_recvmsg, fds[0], nowhere(), 0));
	TRY("getsockopt", getsockopt(fd, SOL_SOCKET, SO_TYPE, nowhere(), nowhere()));
	TRY("name", syscall(SYS_getsockname, fd, nowhere(), nowhere()));
}

CASE(efault_various, "uname=EFAULT getrandom=EFAULT getdents=EFAULT sysinfo=EFAULT rlimit=EFAULT wait=EFAULT "
		     "rusage=EFAULT affinity=EFAULT times=EFAULT getgroups=EFAULT ioctl=EFAULT fcntl=EFAULT")
{
	int fd = open("/", O_RDONLY | O_DIRECTORY), pipe_fd[2];
	pid_t pid = fork();

	NEED(pipe(pipe_fd) == 0);
	if (pid == 0)
		_exit(0);
	TRY("uname", syscall(SYS_uname, nowhere()));
	TRY("getrandom", syscall(SYS_getrandom, nowhere(), 10, 0));
	TRY("getdents", syscall(SYS_getdents64, fd, nowhere(), 4096));
	TRY("sysinfo", syscall(SYS_sysinfo, nowhere()));
	TRY("rlimit", syscall(SYS_prlimit64, 0, 0, nowhere(), NULL));
	TRY("wait", syscall(SYS_wait4, pid, nowhere(), 0, NULL));
	TRY("rusage", syscall(SYS_getrusage, 0, nowhere()));
	TRY("affinity", syscall(SYS_sched_getaffinity, 0, 128, nowhere()));
	TRY("times", syscall(SYS_times, nowhere()));
	TRY("getgroups", syscall(SYS_getresuid, nowhere(), nowhere(), nowhere()));
	TRY("ioctl", syscall(SYS_ioctl, pipe_fd[0], 0x541b /* FIONREAD */, nowhere()));
	TRY("fcntl", syscall(SYS_fcntl, fd, F_GETLK, nowhere()));
}

CASE(efault_sigaction, "new=EFAULT kernel=EFAULT odd=EFAULT old=EFAULT kept=handler both=EFAULT")
{
	struct sigaction seen;
	struct {
		uint64_t handler, flags, restorer, mask;
	} action = { .handler = (uint64_t)SIG_IGN };

	TRY("new", syscall(SYS_rt_sigaction, SIGUSR1, nowhere(), NULL, SET_SIZE));
	TRY("kernel", syscall(SYS_rt_sigaction, SIGUSR1, KERNEL_POINTER, NULL, SET_SIZE));
	TRY("odd", syscall(SYS_rt_sigaction, SIGUSR1, ODD_POINTER, NULL, SET_SIZE));
	/* The action is set before the old one is handed out. */
	TRY("old", syscall(SYS_rt_sigaction, SIGUSR1, &action, nowhere(), SET_SIZE));
	NEED(sigaction(SIGUSR1, NULL, &seen) == 0);
	say("kept=%s", seen.sa_handler == SIG_IGN ? "handler" : "default");
	TRY("both", syscall(SYS_rt_sigaction, SIGUSR1, at_end(8), nowhere(), SET_SIZE));
}

CASE(bad_sigaction, "zero=EINVAL large=EINVAL negative=EINVAL kill=EINVAL stop=EINVAL size=EINVAL ask_kill=0 "
		    "order=EFAULT")
{
	struct sigaction action = { .sa_handler = SIG_IGN };
	char room[64] = { 0 };

	TRY("zero", syscall(SYS_rt_sigaction, 0, room, NULL, SET_SIZE));
	TRY("large", syscall(SYS_rt_sigaction, 65, room, NULL, SET_SIZE));
	TRY("negative", syscall(SYS_rt_sigaction, -1, room, NULL, SET_SIZE));
	TRY("kill", sigaction(SIGKILL, &action, NULL));
	TRY("stop", sigaction(SIGSTOP, &action, NULL));
	TRY("size", syscall(SYS_rt_sigaction, SIGUSR1, room, NULL, 4));
	TRY("ask_kill", sigaction(SIGKILL, NULL, &action));
	TRY("order", syscall(SYS_rt_sigaction, 65, nowhere(), NULL, SET_SIZE));
}

CASE(efault_sigprocmask, "new=EFAULT odd=EFAULT old=EFAULT blocked=1 how=EINVAL how_null=0 size=EINVAL end=0")
{
	sigset_t set = set_of(SIGUSR1, 0);

	TRY("new", syscall(SYS_rt_sigprocmask, SIG_BLOCK, nowhere(), NULL, SET_SIZE));
	TRY("odd", syscall(SYS_rt_sigprocmask, SIG_BLOCK, ODD_POINTER, NULL, SET_SIZE));
	TRY("old", syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, nowhere(), SET_SIZE));
	say("blocked=%d", is_blocked(SIGUSR1));
	TRY("how", syscall(SYS_rt_sigprocmask, 7, &set, NULL, SET_SIZE));
	TRY("how_null", syscall(SYS_rt_sigprocmask, 7, NULL, &set, SET_SIZE));
	TRY("size", syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 16));
	TRY("end", syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, at_end(8), SET_SIZE));
}

CASE(efault_signal_calls, "pending=EFAULT size=EINVAL suspend=EFAULT wait=EFAULT info=EFAULT queue=EFAULT "
			  "signalfd=EFAULT mask_size=EINVAL short=0")
{
	sigset_t set = set_of(SIGUSR1, 0);
	struct timespec zero = { 0 };

	block(SIGUSR1);
	TRY("pending", syscall(SYS_rt_sigpending, nowhere(), SET_SIZE));
	TRY("size", syscall(SYS_rt_sigpending, &set, 9));
	TRY("suspend", syscall(SYS_rt_sigsuspend, nowhere(), SET_SIZE));
	TRY("wait", syscall(SYS_rt_sigtimedwait, nowhere(), NULL, &zero, SET_SIZE));
	NEED(raise(SIGUSR1) == 0);
	set = set_of(SIGUSR1, 0);
	TRY("info", syscall(SYS_rt_sigtimedwait, &set, nowhere(), &zero, SET_SIZE));
	TRY("queue", syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, nowhere()));
	TRY("signalfd", syscall(SYS_signalfd4, -1, nowhere(), SET_SIZE, 0));
	TRY("mask_size", syscall(SYS_rt_sigsuspend, &set, 4));
	TRY("short", syscall(SYS_rt_sigpending, at_end(4), 4));
}

CASE(efault_sigaltstack, "new=EFAULT old=EFAULT set=1 size=ENOMEM flags=EINVAL disable=0 end=0")
{
	stack_t stack = { .ss_sp = at_end(16384), .ss_size = 16384 },
		small = { .ss_sp = stack.ss_sp, .ss_size = 100 };
	stack_t wrong = { .ss_sp = stack.ss_sp, .ss_size = 16384, .ss_flags = 0x77 }, seen, *end = at_end(24);
	stack_t none = { .ss_flags = SS_DISABLE };

	TRY("new", syscall(SYS_sigaltstack, nowhere(), NULL));
	TRY("old", syscall(SYS_sigaltstack, &stack, nowhere()));
	NEED(sigaltstack(NULL, &seen) == 0);
	say("set=%d", seen.ss_sp == stack.ss_sp && seen.ss_size == 16384);
	TRY("size", sigaltstack(&small, NULL));
	TRY("flags", sigaltstack(&wrong, NULL));
	TRY("disable", sigaltstack(&none, NULL));
	TRY("end", sigaltstack(NULL, end));
}

CASE(efault_clone3,
     "args=EFAULT small=EINVAL large=E2BIG zero=EINVAL tail=E2BIG flag=EINVAL signal=EINVAL "
     "stack=EINVAL stack_size=EINVAL sighand=EINVAL both=EINVAL thread=EINVAL pidfd=EFAULT set_tid=EINVAL")
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	char large[4096 + 8] = { 0 };

	TRY("args", syscall(SYS_clone3, nowhere(), sizeof(args)));
	TRY("small", syscall(SYS_clone3, &args, 63));
	TRY("large", syscall(SYS_clone3, large, 4097));
	TRY("zero", syscall(SYS_clone3, &args, 0));
	memset(large + 200, 1, 8);
	TRY("tail", syscall(SYS_clone3, large, 300));
	args.flags = 1ull << 60;
	TRY("flag", syscall(SYS_clone3, &args, sizeof(args)));
	args = (struct clone_args){ .exit_signal = 100 };
	TRY("signal", syscall(SYS_clone3, &args, sizeof(args)));
	args = (struct clone_args){ .exit_signal = SIGCHLD, .stack = (uint64_t)&args };
	TRY("stack", syscall(SYS_clone3, &args, sizeof(args)));
	args = (struct clone_args){ .exit_signal = SIGCHLD, .stack_size = 4096 };
	TRY("stack_size", syscall(SYS_clone3, &args, sizeof(args)));
	args = (struct clone_args){ .exit_signal = SIGCHLD, .flags = CLONE_SIGHAND };
	TRY("sighand", syscall(SYS_clone3, &args, sizeof(args)));
	args = (struct clone_args){ .flags = CLONE_SIGHAND | CLONE_VM | CLONE_CLEAR_SIGHAND };
	TRY("both", syscall(SYS_clone3, &args, sizeof(args)));
	args = (struct clone_args){ .flags = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND, .exit_signal = SIGCHLD };
	TRY("thread", syscall(SYS_clone3, &args, sizeof(args)));
	args = (struct clone_args){ .exit_signal = SIGCHLD,
				    .flags = CLONE_PIDFD,
				    .pidfd = (uint64_t)nowhere() };
	TRY("pidfd", syscall(SYS_clone3, &args, sizeof(args)));
	args = (struct clone_args){ .exit_signal = SIGCHLD, .set_tid_size = 100 };
	TRY("set_tid", syscall(SYS_clone3, &args, sizeof(args)));
}

CASE(bad_clone, "sighand=EINVAL thread=EINVAL fs_newns=EINVAL pidfd=EFAULT after=exit:0")
{
	pid_t pid;

	TRY("sighand", syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0));
	TRY("thread", syscall(SYS_clone, CLONE_THREAD | CLONE_VM, 0, 0, 0, 0));
	TRY("fs_newns", syscall(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0));
	TRY("pidfd", syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, nowhere(), 0, 0));
	pid = fork();
	if (pid == 0)
		_exit(0);
	say_status("after", wait_status(pid));
}

CASE(efault_execve, "path=EFAULT kernel=EFAULT argv=EFAULT argv0=EFAULT envp=EFAULT env0=EFAULT end=EFAULT "
		    "odd=EFAULT missing=ENOENT")
{
	char *argv[] = { (char *)"true", NULL }, *bad[] = { nowhere(), NULL }, **end = at_end(8);

	end[0] = argv[0];
	TRY("path", syscall(SYS_execve, nowhere(), argv, environ));
	TRY("kernel", syscall(SYS_execve, KERNEL_POINTER, argv, environ));
	TRY("argv", syscall(SYS_execve, "/bin/true", nowhere(), environ));
	TRY("argv0", syscall(SYS_execve, "/bin/true", bad, environ));
	TRY("envp", syscall(SYS_execve, "/bin/true", argv, nowhere()));
	TRY("env0", syscall(SYS_execve, "/bin/true", argv, bad));
	TRY("end", syscall(SYS_execve, "/bin/true", end, environ));
	TRY("odd", syscall(SYS_execve, "/bin/true", ODD_POINTER, environ));
	TRY("missing", syscall(SYS_execve, "/nowhere/at/all", nowhere(), environ));
}

CASE(efault_execveat, "path=EFAULT flags=EINVAL empty=ENOENT fd=EBADF not_dir=ENOTDIR link=ELOOP")
{
	char *argv[] = { (char *)"true", NULL };
	int fd;

	write_file("plain", "", 0700);
	NEED(symlink("/bin/true", "link") == 0);
	fd = open("plain", O_RDONLY);
	TRY("path", syscall(SYS_execveat, AT_FDCWD, nowhere(), argv, environ, 0));
	TRY("flags", syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, environ, 1));
	TRY("empty", syscall(SYS_execveat, fd, "", argv, environ, 0));
	TRY("fd", syscall(SYS_execveat, 999, "true", argv, environ, 0));
	TRY("not_dir", syscall(SYS_execveat, fd, "true", argv, environ, 0));
	TRY("link", syscall(SYS_execveat, AT_FDCWD, "link", argv, environ, AT_SYMLINK_NOFOLLOW));
}

CASE(unknown_call, "none=ENOSYS negative=ENOSYS large=ENOSYS")
{
	TRY("none", syscall(1023));
	TRY("negative", syscall(-7));
	TRY("large", syscall(0x10000));
}

CASE(bad_descriptors, "read=EBADF write=EBADF close=EBADF dup=EBADF dup2=EBADF fstat=EBADF lseek=EBADF poll=1 "
		      "nval=1 mmap=EBADF ioctl=EBADF range=EINVAL")
{
	struct pollfd one = { 900, POLLIN, 0 };
	char text[10];

	TRY("read", read(900, text, 1));
	TRY("write", write(-1, text, 1));
	TRY("close", close(900));
	TRY("dup", dup(900));
	TRY("dup2", dup2(900, 5));
	TRY("fstat", syscall(SYS_fstat, 900, text));
	TRY("lseek", lseek(900, 0, SEEK_SET));
	TRY("poll", poll(&one, 1, 0));
	say("nval=%d", one.revents == POLLNVAL);
	TRY("mmap", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 900, 0));
	TRY("ioctl", syscall(SYS_ioctl, 900, 0, 0));
	TRY("range", syscall(SYS_close_range, 9, 3, 0));
}

CASE(efault_other_process, "vm_read=EFAULT vm_write=EFAULT own=5 none=ESRCH")
{
	char text[6] = "hello", copy[6] = "";
	struct iovec local = { copy, 5 }, remote = { text, 5 }, bad = { nowhere(), 5 };

	TRY("vm_read", process_vm_readv(getpid(), &local, 1, &bad, 1, 0));
	TRY("vm_write", process_vm_writev(getpid(), &remote, 1, &bad, 1, 0));
	TRY("own", process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
	TRY("none", process_vm_readv(0x3fffffff, &local, 1, &remote, 1, 0));
}
