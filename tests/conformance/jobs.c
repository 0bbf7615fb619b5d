/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stopping and going on; process groups, sessions, and jobs on a pseudo-terminal. */
#include "conformance.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

static volatile sig_atomic_t count;
static int terminal, master;

static void telling(int signo)
{
	say("[%s]", signal_name(signo));
}

static void counting(int signo)
{
	(void)signo;
	count++;
}

static void stop_by(int signo)
{
	(void)raise(signo);
	say("behind");
}

static void say_wait(const char *label, pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, WUNTRACED | WCONTINUED) < 0)
		NEED(errno == EINTR);
	say_status(label, status);
}

CASE(stop_and_continue, "stop=stopped:SIGSTOP go=continued behind end=exit:0 stop=stopped:SIGTSTP go=continued "
			"behind end=exit:0")
{
	static const int signals[] = { SIGSTOP, SIGTSTP };

	NEED(setpgid(0, 0) == 0 || getpgrp() == getpid()); /* not an orphan, which SIGTSTP does not stop */
	for (int i = 0; i < 2; i++) {
		int gate[2];
		pid_t pid;
		char byte;

		NEED(pipe(gate) == 0);
		pid = fork();
		if (pid == 0) {
			NEED(setpgid(0, 0) == 0);
			(void)raise(signals[i]);
			(void)read(gate[0], &byte, 1);
			say("behind");
			_exit(0);
		}
		say_wait("stop", pid);
		NEED(kill(pid, SIGCONT) == 0);
		say_wait("go", pid);
		NEED(write(gate[1], "x", 1) == 1);
		say_wait("end", pid);
	}
}

CASE(stop_handled, "[SIGTSTP] [SIGCONT] ignored=0 blocked=1 dropped=0")
{
	handle(SIGTSTP, telling, 0);
	handle(SIGCONT, telling, 0);
	NEED(raise(SIGTSTP) == 0 && raise(SIGCONT) == 0);
	handle(SIGTSTP, SIG_IGN, 0);
	TRY("ignored", raise(SIGTSTP));
	handle(SIGTSTP, telling, 0);
	handle(SIGCONT, counting, 0);
	block(SIGTSTP);
	NEED(raise(SIGTSTP) == 0);
	say("blocked=%d", is_pending(SIGTSTP));
	NEED(raise(SIGCONT) == 0); /* takes what waits of the others */
	say("dropped=%d", is_pending(SIGTSTP));
	unblock(SIGTSTP);
}

CASE(continue_runs_handler, "stop=stopped:SIGSTOP [SIGCONT] end=exit:3")
{
	pid_t pid = fork();

	if (pid == 0) {
		handle(SIGCONT, telling, 0);
		(void)raise(SIGSTOP);
		_exit(3);
	}
	say_wait("stop", pid);
	NEED(kill(pid, SIGCONT) == 0);
	say_status("end", wait_status(pid));
}

CASE(kill_while_stopped, "stop=stopped:SIGSTOP end=SIGKILL stop=stopped:SIGSTOP end=SIGTERM")
{
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			stop_by(SIGSTOP);
			_exit(0);
		}
		say_wait("stop", pid);
		NEED(kill(pid, i ? SIGTERM : SIGKILL) == 0);
		if (i)
			NEED(kill(pid, SIGCONT) == 0);
		say_status("end", wait_status(pid));
	}
}

CASE(process_groups, "leader=1 member=1 kill=0 end=SIGTERM end=SIGTERM session=EPERM gone=ESRCH")
{
	pid_t first = fork(), second;

	if (first == 0)
		for (;;)
			(void)pause();
	NEED(setpgid(first, first) == 0);
	second = fork();
	if (second == 0)
		for (;;)
			(void)pause();
	NEED(setpgid(second, first) == 0);
	say("leader=%d member=%d", getpgid(first) == first, getpgid(second) == first);
	TRY("kill", kill(-first, SIGTERM));
	say_status("end", wait_status(first));
	say_status("end", wait_status(second));
	NEED(setpgid(0, 0) == 0 || getpgrp() == getpid());
	TRY("session", setsid());
	TRY("gone", kill(-first, SIGTERM));
}

/* --- a terminal ------------------------------------------------------------------------------------- */

static void open_terminal(void)
{
	const char *slave;

	master = posix_openpt(O_RDWR | O_NOCTTY);
	NEED(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 && (slave = ptsname(master)));
	NEED(setsid() > 0);
	terminal = open(slave, O_RDWR);
	NEED(terminal >= 0 && tcgetpgrp(terminal) == getpgrp());
}

static void run_on_terminal(void (*run)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		open_terminal();
		run();
		_exit(0);
	}
	say_status("end", wait_status(pid));
}

static pid_t job(void (*run)(void))
{
	pid_t pid = fork();

	NEED(pid >= 0);
	if (pid == 0) {
		NEED(setpgid(0, 0) == 0);
		run();
		_exit(0);
	}
	(void)setpgid(pid, pid);
	return pid;
}

static void read_terminal(void)
{
	char text[20];
	ssize_t len = read(terminal, text, sizeof(text));

	say("read=%zd", len);
}

static void background_read(void)
{
	pid_t pid = job(read_terminal);

	say_wait("background", pid);
	block(SIGTTOU);
	NEED(tcsetpgrp(terminal, pid) == 0);
	NEED(kill(pid, SIGCONT) == 0);
	say_wait("foreground", pid);
	NEED(write(master, "abc\n", 4) == 4);
	say_wait("done", pid);
	NEED(tcsetpgrp(terminal, getpgrp()) == 0);
	say("back=%d", tcgetpgrp(terminal) == getpgrp());
}

CASE(terminal_background_read,
     "background=stopped:SIGTTIN foreground=continued read=4 done=exit:0 back=1 end=exit:0")
{
	run_on_terminal(background_read);
}

static void set_foreground(void)
{
	TRY("set", tcsetpgrp(terminal, getpgrp()));
}

static void set_foreground_handled(void)
{
	handle(SIGTTOU, counting, 0);
	TRY("set", tcsetpgrp(terminal, getpgrp()));
	say("count=%d", count);
}

static void set_foreground_ignored(void)
{
	handle(SIGTTOU, SIG_IGN, 0);
	TRY("set", tcsetpgrp(terminal, getpgrp()));
}

static void background_set(void)
{
	pid_t pid = job(set_foreground);

	say_wait("default", pid);
	NEED(kill(pid, SIGKILL) == 0);
	say_wait("killed", pid);
	say_wait("handled", job(set_foreground_handled));
	say_wait("ignored", job(set_foreground_ignored));
}

CASE(terminal_background_set, "default=stopped:SIGTTOU killed=SIGKILL set=EINTR count=1 handled=exit:0 set=0 "
			      "ignored=exit:0 end=exit:0")
{
	run_on_terminal(background_set);
}

static void typed_keys(void)
{
	static const char keys[] = { 3, 28, 26 };
	int gate[2];

	block(SIGTTOU);
	for (int i = 0; i < 3; i++) {
		pid_t pid;
		char byte;

		NEED(pipe(gate) == 0);
		pid = fork();
		if (pid == 0) {
			NEED(setpgid(0, 0) == 0 && tcsetpgrp(terminal, getpgrp()) == 0);
			(void)write(gate[1], "x", 1);
			for (;;)
				(void)pause();
		}
		NEED(read(gate[0], &byte, 1) == 1);
		NEED(write(master, &keys[i], 1) == 1);
		say_wait("key", pid);
		(void)kill(pid, SIGKILL);
	}
}

CASE(terminal_keys, "key=SIGINT key=SIGQUIT key=stopped:SIGTSTP end=exit:0")
{
	run_on_terminal(typed_keys);
}

static void hang_up(void)
{
	handle(SIGHUP, telling, 0);
	block(SIGHUP);
	NEED(close(master) == 0);
	{
		sigset_t set = set_of(SIGHUP, 0);

		say("%s", signal_name(sigwaitinfo(&set, NULL)));
	}
	TRY("read", read(terminal, &(char){ 0 }, 1));
}

CASE(terminal_hangs_up, "SIGHUP read=0 end=exit:0")
{
	run_on_terminal(hang_up);
}

static void size_changes(void)
{
	struct winsize size = { .ws_row = 7, .ws_col = 9 };
	sigset_t set = set_of(SIGWINCH, 0);

	block(SIGWINCH);
	handle(SIGWINCH, telling, 0);
	NEED(ioctl(master, TIOCSWINSZ, &size) == 0);
	say("%s", signal_name(sigwaitinfo(&set, NULL)));
	NEED(ioctl(terminal, TIOCGWINSZ, &size) == 0);
	say("size=%d,%d", size.ws_row, size.ws_col);
}

CASE(terminal_size, "SIGWINCH size=7,9 end=exit:0")
{
	run_on_terminal(size_changes);
}
