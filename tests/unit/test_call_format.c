/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "json_check.h"
#include "vuos/resident/call_format.h"
#include "vuos/resident/calls.h"

#define OUTPUT 32768

/* The memory of a program that is not there: this process's own, as far as reads are allowed. */
struct memory {
	unsigned reads;   /* that were asked for */
	unsigned allowed; /* so many succeed */
	bool page_only;   /* and only inside of `page` */
};

/* Addresses below this are nowhere. */
#define NOWHERE 4096

static uint64_t at(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

static char page[8192] __attribute__((aligned(4096))); /* strings may be read up to a page's end */

/*
 * Through a pipe: the kernel says what is no memory, and sanitizers do not mind that strings are read in
 * chunks, beyond their ends.
 */
static int kernel_copy(uint64_t address, void *to, size_t len)
{
	static int fds[2];

	if (!fds[1])
		assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	if (syscall(SYS_write, fds[1], address, len) != (long)len) {
		while (read(fds[0], to, len) > 0) /* what it took before the fault */
			;
		return -EFAULT;
	}
	assert_int_equal(read(fds[0], to, len), len);
	return 0;
}

static int read_memory(void *context, uint64_t address, void *to, size_t len)
{
	struct memory *m = context;

	assert_true(len <= 512);
	if (m->reads++ >= m->allowed || address < NOWHERE)
		return -EFAULT;
	if (m->page_only && (address < at(page) || address - at(page) > sizeof(page) - len))
		return -EFAULT;
	return kernel_copy(address, to, len);
}

/* A call, and what is to be written of it. $0 to $5 in a text are the arguments in hex. */
struct sample {
	long number;
	uint64_t arguments[6];
	int64_t result;
	const char *text;
};

/* Both parts of a sample in one text; the length that they want. */
static size_t format(const struct sample *s, enum call_form form, struct memory *m, char *to, size_t room)
{
	struct call_format f = { form, CALL_STRING_MAX, CALL_ELEMENTS_MAX, read_memory, m };
	size_t len = call_format_enter(&f, (uint64_t)s->number, s->arguments, to, room);
	size_t used = len < room ? len : room;

	return len +
	       call_format_exit(&f, (uint64_t)s->number, s->arguments, s->result, to + used, room - used);
}

static void expand(const struct sample *s, char *to)
{
	for (const char *from = s->text; *from; from++) {
		if (*from == '$')
			to += sprintf(to, "%#lx", (unsigned long)s->arguments[*++from - '0']);
		else
			*to++ = *from;
	}
	*to = '\0';
}

static void check_text(const struct sample *s)
{
	static char text[OUTPUT], expected[OUTPUT];
	struct memory m = { 0, 10000 };

	assert_true(format(s, CALL_TEXT, &m, text, sizeof(text)) < sizeof(text));
	expand(s, expected);
	assert_string_equal(text, expected);
}

/* Whatever cannot be read: the text ends, and is JSON. */
static void check_failing_reads(const struct sample *s)
{
	static char text[OUTPUT];
	struct memory m = { 0, 10000 };
	unsigned reads;

	format(s, CALL_JSON, &m, text, sizeof(text));
	reads = m.reads;
	for (unsigned allowed = 0; allowed <= reads; allowed++) {
		m = (struct memory){ 0, allowed };
		assert_true(format(s, CALL_JSON, &m, text, sizeof(text)) < sizeof(text));
		if (!json_check(text))
			print_message("%u reads: %s\n", allowed, text);
		assert_true(json_check(text));
		m = (struct memory){ 0, allowed };
		assert_true(format(s, CALL_TEXT, &m, text, sizeof(text)) < sizeof(text));
	}
}

/* Any room: nothing behind it is touched, the text is the beginning of the whole one. */
static void check_rooms(const struct sample *s, enum call_form form)
{
	static char whole[OUTPUT], text[OUTPUT];
	struct call_format f = { form, CALL_STRING_MAX, CALL_ELEMENTS_MAX, read_memory, NULL };
	struct memory m = { 0, 1u << 30 };
	size_t len[2];

	f.context = &m;
	for (int part = 0; part < 2; part++)
		for (size_t room = OUTPUT; room != SIZE_MAX;
		     room = room == OUTPUT ? len[part] + 1 : room - 1) {
			char *to = room == OUTPUT ? whole : text;
			size_t got;

			memset(text, '#', sizeof(text));
			got = part ? call_format_exit(&f, (uint64_t)s->number, s->arguments, s->result,
						      to, room)
				   : call_format_enter(&f, (uint64_t)s->number, s->arguments, to, room);
			if (room == OUTPUT)
				len[part] = got;
			assert_int_equal(got, len[part]);
			if (room == OUTPUT || room == 0)
				continue;
			assert_int_equal(text[MIN(room - 1, got)], '\0');
			assert_memory_equal(text, whole, MIN(room - 1, got));
			assert_int_equal(text[room], '#');
		}
}

static void check(const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		check_text(&samples[i]);
		check_failing_reads(&samples[i]);
		check_rooms(&samples[i], CALL_TEXT);
		check_rooms(&samples[i], CALL_JSON);
	}
}

#define CHECK(samples) check(samples, ARRAY_SIZE(samples))

static void files(void **state)
{
	static const char long_text[] = "0123456789012345678901234567890123456789";
	struct stat st = { .st_dev = makedev(8, 1),
			   .st_ino = 42,
			   .st_nlink = 1,
			   .st_mode = S_IFREG | 0644,
			   .st_uid = 1000,
			   .st_gid = 100,
			   .st_size = 12 };
	struct iovec iov[] = { { (char *)"abc", 3 }, { (char *)"defgh", 5 } };
	int fds[2] = { 3, 4 };
	struct sample samples[] = {
		{ SYS_openat,
		  { -100ull, at("/etc/passwd"), O_CLOEXEC, 0666 },
		  3,
		  "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 3" },
		{ SYS_openat,
		  { 5, at("a"), O_WRONLY | O_CREAT | O_TRUNC, 0640 },
		  -EACCES,
		  "openat(5, \"a\", O_WRONLY|O_CREAT|O_TRUNC, 0640) = -1 EACCES (Permission denied)" },
		{ SYS_open,
		  { at("/tmp"), O_RDWR | O_TMPFILE | 0x80000000, 0 },
		  4,
		  "open(\"/tmp\", O_RDWR|O_TMPFILE|0x80000000, 0) = 4" },
		{ SYS_open, { 0, 3 }, -EFAULT, "open(NULL, 0x3) = -1 EFAULT (Bad address)" },
		{ SYS_open, { 16, 0 }, -EFAULT, "open(0x10, O_RDONLY) = -1 EFAULT (Bad address)" },
		{ SYS_read,
		  { 3, at("a\n\"\1\377"), 100 },
		  5,
		  "read(3, \"a\\n\\\"\\x01\\xff\", 100) = 5" },
		{ SYS_read,
		  { 3, at("abc"), 100 },
		  -EINTR,
		  "read(3, $1, 100) = -1 EINTR (Interrupted system call)" },
		{ SYS_read,
		  { 3, at("abc"), 100 },
		  -512,
		  "read(3, $1, 100) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)" },
		{ SYS_read, { 3, at("abc"), 100 }, 0, "read(3, \"\", 100) = 0" },
		{ SYS_write,
		  { 1, at(long_text), 40 },
		  40,
		  "write(1, \"01234567890123456789012345678901\"..., 40) = 40" },
		{ SYS_writev,
		  { 1, at(iov), 2 },
		  8,
		  "writev(1, [{iov_base=\"abc\", iov_len=3}, {iov_base=\"defgh\", iov_len=5}], 2) = 8" },
		{ SYS_readv,
		  { 1, at(iov), 2 },
		  4,
		  "readv(1, [{iov_base=\"abc\", iov_len=3}, {iov_base=\"d\", iov_len=5}], 2) = 4" },
		{ SYS_fstat,
		  { 3, at(&st) },
		  0,
		  "fstat(3, {st_dev=makedev(8, 1), st_ino=42, st_nlink=1, st_mode=S_IFREG|0644, "
		  "st_uid=1000, "
		  "st_gid=100, st_size=12, ...}) = 0" },
		{ SYS_pipe2, { at(fds), O_CLOEXEC }, 0, "pipe2([3, 4], O_CLOEXEC) = 0" },
		{ SYS_lseek, { 3, -5ull, SEEK_END }, 100, "lseek(3, -5, SEEK_END) = 100" },
		{ SYS_fcntl, { 3, F_GETFL }, 2, "fcntl(3, F_GETFL) = 2" },
		{ SYS_fcntl, { 3, F_SETFD, FD_CLOEXEC }, 0, "fcntl(3, F_SETFD, FD_CLOEXEC) = 0" },
		{ SYS_access,
		  { at("x"), R_OK | X_OK },
		  -ENOENT,
		  "access(\"x\", R_OK|X_OK) = -1 ENOENT (No such file or directory)" },
		{ SYS_access, { at("x"), F_OK }, 0, "access(\"x\", F_OK) = 0" },
		{ SYS_chown, { at("x"), 0, -1ull }, 0, "chown(\"x\", 0, -1) = 0" },
		{ SYS_umask, { 022 }, 0177, "umask(022) = 0177" },
	};

	(void)state;
	CHECK(samples);
}

static void memory_and_processes(void **state)
{
	static const char *const argv[] = { "ls", "-l", NULL };
	struct timespec ts = { 1, 500 };
	struct clone_args ca = { .flags = CLONE_VM | CLONE_VFORK,
				 .exit_signal = SIGCHLD,
				 .stack = 0x1000,
				 .stack_size = 0x9000 };
	struct rlimit limit = { 1024, RLIM_INFINITY };
	struct utsname name = { "Linux", "host", "6.18", "#1", "x86_64", "(none)" };
	int status[] = { 3 << 8, SIGSEGV | 0x80, SIGTRAP << 8 | 0x7f, 0xffff };
	struct sample samples[] = {
		{ SYS_mmap,
		  { 0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1ull, 0 },
		  0x7f0000001000,
		  "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0x0) = "
		  "0x7f0000001000" },
		{ SYS_mmap,
		  { 0, 8192, PROT_NONE, MAP_SHARED, 3, 4096 },
		  -ENOMEM,
		  "mmap(NULL, 8192, PROT_NONE, MAP_SHARED, 3, 0x1000) = -1 ENOMEM (Cannot allocate "
		  "memory)" },
		{ SYS_brk, { 0 }, 0x555555560000, "brk(NULL) = 0x555555560000" },
		{ SYS_execve,
		  { at("/bin/ls"), at(argv), 0 },
		  0,
		  "execve(\"/bin/ls\", [\"ls\", \"-l\"], NULL) = 0" },
		{ SYS_exit_group, { 1 }, 0, "exit_group(1) = ?) = 0" },
		{ SYS_clone,
		  { CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | SIGCHLD, 0, 0, 0x7000, 0 },
		  77,
		  "clone(CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, NULL, NULL, 0x7000, NULL) = "
		  "77" },
		{ SYS_clone, { SIGCHLD }, 77, "clone(SIGCHLD, NULL) = 77" },
		{ SYS_clone3,
		  { at(&ca), 64 },
		  77,
		  "clone3({flags=CLONE_VM|CLONE_VFORK, pidfd=NULL, child_tid=NULL, parent_tid=NULL, "
		  "exit_signal=SIGCHLD, stack=0x1000, stack_size=36864, tls=NULL}, 64) = 77" },
		{ SYS_wait4,
		  { -1ull, at(&status[0]), WNOHANG, 0 },
		  77,
		  "wait4(-1, [{exited=3}], WNOHANG, NULL) = 77" },
		{ SYS_wait4,
		  { 5, at(&status[1]), 0, 0 },
		  5,
		  "wait4(5, [{killed=SIGSEGV, core=1}], 0, NULL) = 5" },
		{ SYS_wait4,
		  { 5, at(&status[2]), 0, 0 },
		  5,
		  "wait4(5, [{stopped=SIGTRAP}], 0, NULL) = 5" },
		{ SYS_wait4, { 5, at(&status[3]), 0, 0 }, 5, "wait4(5, [{continued=1}], 0, NULL) = 5" },
		{ SYS_prlimit64,
		  { 0, RLIMIT_NOFILE, 0, at(&limit) },
		  0,
		  "prlimit64(0, RLIMIT_NOFILE, NULL, {rlim_cur=1024, rlim_max=RLIM64_INFINITY}) = 0" },
		{ SYS_uname,
		  { at(&name) },
		  0,
		  "uname({sysname=\"Linux\", nodename=\"host\", release=\"6.18\", version=\"#1\", "
		  "machine=\"x86_64\", domainname=\"(none)\"}) = 0" },
		{ SYS_clock_nanosleep,
		  { CLOCK_MONOTONIC, TIMER_ABSTIME, at(&ts), 0 },
		  0,
		  "clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, {tv_sec=1, tv_nsec=500}, NULL) = 0" },
		{ SYS_futex,
		  { 0x5000, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2, 0 },
		  -EAGAIN,
		  "futex(0x5000, FUTEX_WAIT|FUTEX_PRIVATE_FLAG, 2, NULL) = -1 EAGAIN (Resource "
		  "temporarily unavailable)" },
		{ SYS_futex, { 0x5000, FUTEX_WAKE, 1 }, 0, "futex(0x5000, FUTEX_WAKE, 1) = 0" },
		{ SYS_prctl, { PR_SET_NAME, at("worker") }, 0, "prctl(PR_SET_NAME, \"worker\") = 0" },
		{ SYS_getpid, { 0 }, 4711, "getpid() = 4711" },
		{ 500,
		  { 1, 2, 3, 4, 5, 0x66 },
		  -ENOSYS,
		  "syscall_500(0x1, 0x2, 0x3, 0x4, 0x5, 0x66) = -1 ENOSYS (Function not implemented)" },
		{ 400, { 0 }, 5, "syscall_400(0x0, 0x0, 0x0, 0x0, 0x0, 0x0) = 5" },
	};

	(void)state;
	/* What does not return has no second part. */
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		if (samples[i].number == SYS_exit_group)
			check_rooms(&samples[i], CALL_TEXT);
		else
			check(&samples[i], 1);
}

static void no_return(void **state)
{
	struct call_format f = { CALL_TEXT, CALL_STRING_MAX, CALL_ELEMENTS_MAX, read_memory, NULL };
	uint64_t arguments[6] = { 1 };
	char text[100];

	(void)state;
	call_format_enter(&f, SYS_exit_group, arguments, text, sizeof(text));
	assert_string_equal(text, "exit_group(1) = ?");
	f.form = CALL_JSON;
	call_format_enter(&f, SYS_exit_group, arguments, text, sizeof(text));
	assert_string_equal(text,
			    "{\"call\":\"exit_group\",\"number\":231,\"arguments\":{\"error_code\":1}}");
}

static void signals(void **state)
{
	uint64_t mask = 1ull << (SIGHUP - 1) | 1ull << (SIGTERM - 1) | 1ull << (34 - 1);
	uint64_t all = ~(1ull << (SIGKILL - 1));
	struct {
		uint64_t handler, flags, restorer, mask;
	} act = { 0x401000, SA_RESTART | 0x04000000, 0x402000, 1 }, ignore = { 1, 0, 0, 0 };
	siginfo_t child = { .si_signo = SIGCHLD, .si_code = CLD_EXITED };
	siginfo_t fault = { .si_signo = SIGSEGV, .si_code = SEGV_MAPERR };
	siginfo_t user = { .si_signo = SIGUSR1, .si_code = SI_USER };
	struct sample samples[] = {
		{ SYS_rt_sigaction,
		  { SIGINT, at(&act), at(&ignore), 8 },
		  0,
		  "rt_sigaction(SIGINT, {sa_handler=0x401000, sa_flags=SA_RESTORER|SA_RESTART, "
		  "sa_restorer=0x402000, "
		  "sa_mask=[SIGHUP]}, {sa_handler=SIG_IGN, sa_flags=0, sa_restorer=NULL, sa_mask=[]}, 8) "
		  "= 0" },
		{ SYS_rt_sigprocmask,
		  { SIG_BLOCK, at(&mask), at(&all), 8 },
		  0,
		  "rt_sigprocmask(SIG_BLOCK, [SIGHUP, SIGTERM, SIGRT_2], ~[SIGKILL], 8) = 0" },
		{ SYS_kill, { -1ull, 0 }, -ESRCH, "kill(-1, 0) = -1 ESRCH (No such process)" },
		{ SYS_tgkill, { 5, 6, 35 }, 0, "tgkill(5, 6, SIGRT_3) = 0" },
		{ SYS_waitid,
		  { P_PID, 7, at(&child), WEXITED, 0 },
		  0,
		  "waitid(P_PID, 7, {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=7, si_uid=1000, "
		  "si_status=3, "
		  "si_utime=0, si_stime=0}, WEXITED, NULL) = 0" },
		{ SYS_rt_sigtimedwait,
		  { at(&mask), at(&fault), 0, 8 },
		  SIGSEGV,
		  "rt_sigtimedwait([SIGHUP, SIGTERM, SIGRT_2], {si_signo=SIGSEGV, si_code=SEGV_MAPERR, "
		  "si_addr=0x10}, "
		  "NULL, 8) = SIGSEGV" },
		{ SYS_rt_sigtimedwait,
		  { at(&mask), at(&user), 0, 8 },
		  SIGUSR1,
		  "rt_sigtimedwait([SIGHUP, SIGTERM, SIGRT_2], {si_signo=SIGUSR1, si_code=SI_USER, "
		  "si_pid=5, si_uid=6}, "
		  "NULL, 8) = SIGUSR1" },
	};

	(void)state;
	child.si_pid = 7;
	child.si_uid = 1000;
	child.si_status = 3;
	fault.si_addr = (void *)0x10;
	user.si_pid = 5;
	user.si_uid = 6;
	CHECK(samples);
}

static void sockets(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(80),
				  .sin_addr.s_addr = htonl(0x7f000001) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons(443),
				    .sin6_scope_id = 2 };
	struct sockaddr_un un = { AF_UNIX, "/run/x" }, abstract = { AF_UNIX, "\0bus" };
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	socklen_t len = sizeof(in);
	int one = 1;
	struct {
		size_t len;
		int level, type, fds[2];
	} control = { CMSG_LEN(8), SOL_SOCKET, SCM_RIGHTS, { 5, 6 } };
	struct iovec iov = { (char *)"hello", 5 };
	struct msghdr msg = { &un, 9, &iov, 1, &control, sizeof(control), MSG_CTRUNC };
	struct mmsghdr mmsg[2] = { { { 0, 0, &iov, 1, 0, 0, 0 }, 2 }, { { 0, 0, &iov, 1, 0, 0, 0 }, 4 } };
	struct pollfd fds[] = { { 0, POLLIN, POLLIN }, { 4, POLLOUT | POLLIN, 0 } };
	struct epoll_event events[] = { { EPOLLIN | EPOLLET, { .u64 = 0x10 } } };
	struct sample samples[] = {
		{ SYS_socket,
		  { AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP },
		  3,
		  "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP) = 3" },
		{ SYS_socket,
		  { AF_NETLINK, SOCK_RAW, NETLINK_ROUTE },
		  3,
		  "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) = 3" },
		{ SYS_connect,
		  { 3, at(&in), sizeof(in) },
		  -EINPROGRESS,
		  "connect(3, {sin_family=AF_INET, sin_port=80, sin_addr=\"127.0.0.1\"}, 16) = -1 "
		  "EINPROGRESS "
		  "(Operation now in progress)" },
		{ SYS_bind,
		  { 3, at(&in6), sizeof(in6) },
		  0,
		  "bind(3, {sin6_family=AF_INET6, sin6_port=443, sin6_flowinfo=0, "
		  "sin6_addr=\"2001:db8::1:0:0:a\", "
		  "sin6_scope_id=2}, 28) = 0" },
		{ SYS_bind,
		  { 3, at(&un), sizeof(un) },
		  0,
		  "bind(3, {sa_family=AF_UNIX, sun_path=\"/run/x\"}, 110) = 0" },
		{ SYS_bind,
		  { 3, at(&abstract), 6 },
		  0,
		  "bind(3, {sa_family=AF_UNIX, sun_path=\"\\x00bus\"}, 6) = 0" },
		{ SYS_bind,
		  { 3, at(&nl), sizeof(nl) },
		  0,
		  "bind(3, {nl_family=AF_NETLINK, nl_pid=0, nl_groups=0x1}, 12) = 0" },
		{ SYS_bind,
		  { 3, at("\7\0xy"), 4 },
		  -EINVAL,
		  "bind(3, {sa_family=AF_BRIDGE, sa_data=\"xy\"}, 4) = -1 EINVAL (Invalid argument)" },
		{ SYS_accept4,
		  { 3, at(&in), at(&len), SOCK_CLOEXEC },
		  4,
		  "accept4(3, {sin_family=AF_INET, sin_port=80, sin_addr=\"127.0.0.1\"}, [16], "
		  "SOCK_CLOEXEC) = 4" },
		{ SYS_setsockopt,
		  { 3, SOL_SOCKET, SO_REUSEADDR, at(&one), 4 },
		  0,
		  "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0" },
		{ SYS_setsockopt,
		  { 3, SOL_TCP, TCP_NODELAY, at(&one), 4 },
		  0,
		  "setsockopt(3, SOL_TCP, TCP_NODELAY, [1], 4) = 0" },
		{ SYS_sendmsg,
		  { 3, at(&msg), MSG_NOSIGNAL },
		  5,
		  "sendmsg(3, {msg_name={sa_family=AF_UNIX, sun_path=\"/run/x\"}, msg_namelen=9, "
		  "msg_iov=[{iov_base=\"hello\", iov_len=5}], msg_iovlen=1, msg_control=[{cmsg_len=24, "
		  "cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[5, 6]}], msg_controllen=24}, "
		  "MSG_NOSIGNAL) = 5" },
		{ SYS_recvmsg,
		  { 3, at(&msg), 0 },
		  2,
		  "recvmsg(3, {msg_name={sa_family=AF_UNIX, sun_path=\"/run/x\"}, msg_namelen=9, "
		  "msg_iov=[{iov_base=\"he\", iov_len=5}], msg_iovlen=1, msg_control=[{cmsg_len=24, "
		  "cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[5, 6]}], msg_controllen=24, "
		  "msg_flags=MSG_CTRUNC}, 0) = 2" },
		{ SYS_recvmmsg,
		  { 3, at(mmsg), 2, 0, 0 },
		  2,
		  "recvmmsg(3, [{msg_hdr={msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base=\"he\", "
		  "iov_len=5}], "
		  "msg_iovlen=1, msg_control=NULL, msg_controllen=0, msg_flags=0}, msg_len=2}, "
		  "{msg_hdr={msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base=\"hell\", iov_len=5}], "
		  "msg_iovlen=1, msg_control=NULL, msg_controllen=0, msg_flags=0}, msg_len=4}], 2, 0, "
		  "NULL) = 2" },
		{ SYS_poll,
		  { at(fds), 2, -1ull },
		  1,
		  "poll([{fd=0, events=POLLIN}, {fd=4, events=POLLIN|POLLOUT}], 2, -1) = 1 "
		  "(fds=[{fd=0, events=POLLIN, revents=POLLIN}, {fd=4, events=POLLIN|POLLOUT, "
		  "revents=0}])" },
		{ SYS_epoll_wait,
		  { 5, at(events), 10, 0 },
		  1,
		  "epoll_wait(5, [{events=EPOLLIN|EPOLLET, data=0x10}], 10, 0) = 1" },
		{ SYS_ioctl, { 3, FIONREAD, at(&one) }, 0, "ioctl(3, FIONREAD, [1]) = 0" },
		{ SYS_ioctl,
		  { 3, 0x1234, 0x4321 },
		  -ENOTTY,
		  "ioctl(3, 0x1234, 0x4321) = -1 ENOTTY (Inappropriate ioctl for device)" },
	};

	(void)state;
	inet_pton(AF_INET6, "2001:db8::1:0:0:a", &in6.sin6_addr);
	CHECK(samples);
}

static void sets_and_lists(void **state)
{
	uint8_t set[8] = { 0x09 }, cpus[8] = { 0x03 };
	static uint8_t dirents[48] = {
		[16] = 24, [18] = 4, [19] = '.', [40] = 24, [43] = '.', [44] = '.'
	};
	struct sample samples[] = {
		{ SYS_select,
		  { 4, at(set), 0, 0, 0 },
		  1,
		  "select(4, [0, 3], NULL, NULL, NULL) = 1 (inp=[0, 3])" },
		{ SYS_sched_getaffinity,
		  { 0, 128, at(cpus) },
		  8,
		  "sched_getaffinity(0, 128, [0, 1]) = 8" },
		{ SYS_getdents64,
		  { 3, at(dirents), 32768 },
		  48,
		  "getdents64(3, [\".\", \"..\"], 32768) = 48" },
	};

	(void)state;
	CHECK(samples);
}

static void json(void **state)
{
	static const struct {
		struct sample sample;
		const char *expected;
	} cases[] = {
		{ { SYS_openat, { -100ull, 0, O_CLOEXEC }, 3, NULL },
		  "{\"call\":\"openat\",\"number\":257,\"arguments\":{\"dfd\":\"AT_FDCWD\",\"filename\":"
		  "null,"
		  "\"flags\":[\"O_RDONLY\",\"O_CLOEXEC\"]},\"result\":3}" },
		{ { SYS_read, { 3, 0x10, 9 }, -EIO, NULL },
		  "{\"call\":\"read\",\"number\":0,\"arguments\":{\"fd\":3,\"buf\":{\"at\":\"0x10\"},"
		  "\"count\":9},"
		  "\"result\":-1,\"error\":\"EIO\",\"message\":\"Input/output error\"}" },
		{ { SYS_poll, { 0x10, 1, 0 }, 0, NULL },
		  "{\"call\":\"poll\",\"number\":7,\"arguments\":{\"fds\":{\"at\":\"0x10\"},\"nfds\":1,"
		  "\"timeout\":0},"
		  "\"result\":0,\"changed\":{\"fds\":{\"at\":\"0x10\"}}}" },
		{ { 500, { 0 }, -516, NULL },
		  "{\"call\":\"syscall_500\",\"number\":500,\"arguments\":[\"0x0\",\"0x0\",\"0x0\","
		  "\"0x0\",\"0x0\","
		  "\"0x0\"],\"result\":null,\"error\":\"ERESTART_RESTARTBLOCK\",\"message\":"
		  "\"Interrupted by a signal\"}" },
	};
	char text[1000];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct memory m = { 0, 1000 };

		format(&cases[i].sample, CALL_JSON, &m, text, sizeof(text));
		assert_string_equal(text, cases[i].expected);
		assert_true(json_check(text));
	}
}

/* Every call with every kind of argument: small numbers, all ones, and an address with bytes behind it.
 */
static void every_call(void **state)
{
	static char text[1 << 20];
	uint64_t random = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (char)test_random(&random);
	for (unsigned number = 0; number < CALL_COUNT + 5; number++)
		for (int round = 0; round < 40; round++) {
			struct sample s = { .number = number };
			struct memory m = { 0, 1u << 30, true };
			const uint64_t kinds[] = { round, ~0ull, at(page), at(page + 64),
						   test_random(&random) & 0xfff };

			for (int i = 0; i < 6; i++)
				s.arguments[i] = kinds[test_random(&random) % ARRAY_SIZE(kinds)];
			s.result = (int64_t)(test_random(&random) % 64) - 8;
			m.allowed = test_random(&random) % 3 ? 6 : 0;
			assert_true(format(&s, CALL_TEXT, &m, text, sizeof(text)) < sizeof(text));
			m.reads = 0;
			assert_true(format(&s, CALL_JSON, &m, text, sizeof(text)) < sizeof(text));
			if (call_row(number) && call_rows[number].result == CALL_TYPE_NONE)
				continue;
			if (!json_check(text))
				print_message("%s\n", text);
			assert_true(json_check(text));
		}
}

static void errors_like_libc(void **state)
{
	(void)state;
	for (unsigned i = 0; i < call_errors_count; i++) {
		const struct call_error *e = &call_errors[i];

		if (e->number >= 512)
			continue;
		assert_string_equal(call_strings + e->text, strerror(e->number));
		assert_string_equal(call_strings + e->name, strerrorname_np(e->number));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files),
		cmocka_unit_test(memory_and_processes),
		cmocka_unit_test(no_return),
		cmocka_unit_test(signals),
		cmocka_unit_test(sockets),
		cmocka_unit_test(sets_and_lists),
		cmocka_unit_test(json),
		cmocka_unit_test(every_call),
		cmocka_unit_test(errors_like_libc),
	};

	return RUN_TESTS(tests);
}
