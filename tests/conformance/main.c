/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conformance --list: the names of all cases.
 * conformance NAME: runs one, in the current directory, which should be empty. "NAME: what was observed";
 * status 1 and another line when something else was expected, 77 when it cannot be run by an ordinary user,
 * or on this machine.
 */
#include "conformance.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

extern const struct test_case *const __start_cases[], *const __stop_cases[];
extern const struct helper *const __start_helpers[], *const __stop_helpers[];

enum { STATUS_BROKEN = 99, TEXT_SIZE = 64 << 10 };

struct observed {
	_Atomic int len;
	char text[TEXT_SIZE];
};
static struct observed *observed;
const char *own_path;

void say(const char *format, ...)
{
	char word[512];
	va_list arguments;
	int len, at;

	va_start(arguments, format);
	len = vsnprintf(word + 1, sizeof(word) - 1, format, arguments) + 1;
	va_end(arguments);
	word[0] = ' ';
	if (len >= (int)sizeof(word))
		len = sizeof(word) - 1;
	at = atomic_fetch_add(&observed->len, len);
	if (at + len < TEXT_SIZE)
		memcpy(observed->text + at, word, (size_t)len);
}

void say_result(const char *label, long result)
{
	if (result == -1)
		say("%s=%s", label, strerrorname_np(errno));
	else
		say("%s=%ld", label, result);
}

void need_true(bool fine, const char *what)
{
	if (fine)
		return;
	(void)fprintf(stderr, "needed: %s (%s)\n", what, strerror(errno));
	_exit(STATUS_BROKEN);
}

/* @exit STATUS */
HELPER(exit)
{
	return argc > 2 ? atoi(argv[2]) : 0;
}

/* What it says, if anything, goes where it writes. */
static int run_helper(const struct helper *helper, int argc, char **argv)
{
	int status;

	observed = shared(sizeof(*observed));
	status = helper->run(argc, argv);
	if (observed->len)
		(void)printf("%s\n", observed->text + 1);
	return status;
}

static int run_case(const struct test_case *test)
{
	if (test->as_root && geteuid() != 0)
		return STATUS_SKIPPED;
	observed = shared(sizeof(*observed));
	test->run();
	(void)printf("%s:%s\n", test->name, observed->text);
	if (!test->expected || strcmp(observed->text[0] ? observed->text + 1 : "", test->expected) == 0)
		return 0;
	(void)printf("expected: %s\n", test->expected);
	return 1;
}

int main(int argc, char **argv)
{
	static char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

	own_path = path;
	if (argc > 1 && argv[1][0] == '@') {
		for (const struct helper *const *at = __start_helpers; at < __stop_helpers; at++)
			if (strcmp((*at)->name, argv[1]) == 0)
				return run_helper(*at, argc, argv);
		return STATUS_BROKEN;
	}
	NEED(argc == 2 && len > 0);
	for (const struct test_case *const *at = __start_cases; at < __stop_cases; at++) {
		if (strcmp(argv[1], "--list") == 0)
			(void)puts((*at)->name);
		else if (strcmp((*at)->name, argv[1]) == 0)
			return run_case(*at);
	}
	return strcmp(argv[1], "--list") == 0 ? 0 : STATUS_BROKEN;
}

/* --- what cases are made of -------------------------------------------------------------------- */

const char *signal_name(int signo)
{
	static char text[32];

	if (signo >= SIGRTMIN && signo <= SIGRTMAX)
		(void)snprintf(text, sizeof(text), "SIGRT%d", signo - SIGRTMIN);
	else
		(void)snprintf(text, sizeof(text), "SIG%s", sigabbrev_np(signo) ? sigabbrev_np(signo) : "?");
	return text;
}

void say_status(const char *label, int status)
{
	if (WIFEXITED(status))
		say("%s=exit:%d", label, WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		say("%s=%s", label, signal_name(WTERMSIG(status)));
	else if (WIFSTOPPED(status))
		say("%s=stopped:%s", label, signal_name(WSTOPSIG(status)));
	else if (WIFCONTINUED(status))
		say("%s=continued", label);
	else
		say("%s=?%x", label, (unsigned)status);
}

pid_t start(void (*run)(void))
{
	pid_t pid = fork();

	NEED(pid >= 0);
	if (pid == 0) {
		run();
		_exit(0);
	}
	return pid;
}

int wait_status(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		NEED(errno == EINTR);
	return status;
}

void say_end(const char *label, void (*run)(void))
{
	say_status(label, wait_status(start(run)));
}

void *at_end(size_t len)
{
	size_t room = (len + PAGE - 1) / PAGE * PAGE;
	char *memory = mmap(NULL, room + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(memory != MAP_FAILED && mprotect(memory + room, PAGE, PROT_NONE) == 0);
	return memory + room - len;
}

char *text_at_end(const char *text)
{
	return strcpy(at_end(strlen(text) + 1), text);
}

void *nowhere(void)
{
	return at_end(0);
}

void *shared(size_t len)
{
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	NEED(memory != MAP_FAILED);
	return memory;
}

void pause_shortly(void)
{
	(void)nanosleep(&(struct timespec){ .tv_nsec = 500 * 1000 }, NULL);
}

void wait_asleep(pid_t tid)
{
	char path[64], text[512];
	const char *state;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)tid);
	do {
		pause_shortly();
		NEED(read_file(path, text, sizeof(text)) > 0);
		state = strrchr(text, ')');
	} while (!state || state[2] != 'S');
}

void wait_number(const volatile int *number, int wanted)
{
	while (*number != wanted)
		pause_shortly();
}

void handle(int signo, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	NEED(sigaction(signo, &action, NULL) == 0);
}

void handle_info(int signo, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO };

	NEED(sigaction(signo, &action, NULL) == 0);
}

sigset_t set_of(int first, ...)
{
	sigset_t set;
	va_list more;

	(void)sigemptyset(&set);
	va_start(more, first);
	for (int signo = first; signo; signo = va_arg(more, int))
		NEED(sigaddset(&set, signo) == 0);
	va_end(more);
	return set;
}

void block(int signo)
{
	sigset_t set = set_of(signo, 0);

	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
}

void unblock(int signo)
{
	sigset_t set = set_of(signo, 0);

	NEED(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
}

bool is_blocked(int signo)
{
	sigset_t set;

	NEED(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
	return sigismember(&set, signo) == 1;
}

bool is_pending(int signo)
{
	sigset_t set;

	NEED(sigpending(&set) == 0);
	return sigismember(&set, signo) == 1;
}

void write_file(const char *path, const char *text, int mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	NEED(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	NEED(fchmod(fd, (mode_t)mode) == 0 && close(fd) == 0);
}

void copy_file(const char *from, const char *to, int mode)
{
	static char bytes[1 << 16];
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	ssize_t len;

	NEED(in >= 0 && out >= 0);
	while ((len = read(in, bytes, sizeof(bytes))) > 0)
		NEED(write(out, bytes, (size_t)len) == len);
	NEED(len == 0 && fchmod(out, (mode_t)mode) == 0 && close(in) == 0 && close(out) == 0);
}

size_t read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		(void)close(fd);
	text[len > 0 ? len : 0] = '\0';
	return len > 0 ? (size_t)len : 0;
}
