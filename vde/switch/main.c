/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vde_switch: start, signals, end. The order of the start matters: what may fail comes before
 * daemon_ready(), so that it reaches the terminal and the exit status; the sandbox comes last.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/sched.h>
#include <linux/sched/types.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "vde/switch/console.h"
#include "vde/switch/control.h"
#include "vde/switch/options.h"
#include "vde/switch/plugin_host.h"
#include "vde/switch/sandbox.h"
#include "vde/switch/stp.h"
#include "vde/switch/takeover.h"
#include "vde/switch/tap.h"

#define SYSTEM_RC "/etc/vde2/vde_switch.rc"
#define SLICE     (10 * NS_PER_MSEC)
#ifndef SCHED_OTHER
#define SCHED_OTHER SCHED_NORMAL
#endif

/* The start-up file when none is named: the user's, else the system's, else NULL. */
static const char *default_rc(char path[PATH_MAX])
{
	const char *home = getenv("HOME");

	if (home && snprintf(path, PATH_MAX, "%s/.vde2/vde_switch.rc", home) < PATH_MAX &&
	    access(path, R_OK) == 0)
		return path;
	return access(SYSTEM_RC, R_OK) == 0 ? SYSTEM_RC : NULL;
}

/* Errors of single lines are logged and do not stop the switch; a file that cannot be read does. */
static int run_rc(struct vde_switch *sw, struct error *error)
{
	char path[PATH_MAX];
	const char *rc = sw->settings.rc_file ? sw->settings.rc_file : default_rc(path);
	int r = rc ? console_run_file(sw, NULL, rc, NULL) : 0;

	if (r < 0)
		return error_set_errno(error, -r, "cannot run the commands in '%s'", rc);
	return 0;
}

/*
 * In the place of a running switch. What can fail comes before takeover_commit(): until then the other one
 * goes on; from then on this one does, whatever happens.
 */
static int switch_take_over(struct vde_switch *sw, struct takeover *t, struct error *error)
{
	int r = switch_init(sw);

	if (r < 0)
		return error_set_errno(error, -r, "cannot start");
	r = sandbox_check(sw, error);
	if (r == 0)
		r = takeover_receive_all(sw, t, error);
	for (unsigned i = 0; r == 0 && i < sw->settings.taps.count; i++)
		if (!takeover_has_tap(sw, sw->settings.taps.item[i]))
			r = tap_open(sw, sw->settings.taps.item[i], error);
	if (r == 0)
		r = console_start(sw, error);
	if (r == 0)
		r = takeover_adopt_pid(sw, t, error);
	if (r == 0)
		r = sandbox_enter(sw, error);
	return r == 0 ? takeover_commit(sw, t, error) : r;
}

static int switch_succeed(struct vde_switch *sw, struct takeover **t, struct error *error)
{
	struct error warning = { 0 };
	int r = takeover_ask(&sw->settings, t, error);

	if (r == 0)
		r = switch_take_over(sw, *t, error);
	if (r < 0) {
		log_error("%s", error_text(error));
		takeover_abandon(sw, *t, error_text(error));
	}
	if (daemon_ready(&sw->settings.daemon, &warning) < 0)
		log_warning("%s", error_text(&warning));
	if (sw->settings.is_daemon)
		log_to_syslog("vde_switch");
	return 0;
}

static int switch_start(struct vde_switch *sw, struct error *error)
{
	int r = switch_init(sw);

	if (r < 0)
		return error_set_errno(error, -r, "cannot start");
	if (sw->settings.fstp)
		(void)stp_enable(sw, true); /* refused in hub mode only, which excludes -F */
	r = sandbox_check(sw, error);
	if (r == 0)
		r = control_open(sw, error);
	if (r == 0)
		r = console_new(sw, error);
	for (unsigned i = 0; r == 0 && i < sw->settings.taps.count; i++)
		r = tap_open(sw, sw->settings.taps.item[i], error);
	if (r == 0)
		r = run_rc(sw, error);
	if (r == 0)
		r = daemon_ready(&sw->settings.daemon, error);
	if (r == 0 && sw->settings.is_daemon)
		log_to_syslog("vde_switch");
	return r == 0 ? sandbox_enter(sw, error) : r;
}

/* HUP ends a switch on a terminal, and makes a daemon read its start-up file again. */
static void on_signal(struct loop *loop, void *object, const siginfo_t *info)
{
	struct vde_switch *sw = object;
	struct error error = { 0 };

	if (info->si_signo != SIGHUP || !sw->settings.is_daemon) {
		loop_stop(loop, EXIT_SUCCESS);
		return;
	}
	plugin_host_event(sw, DEBUG_SIG_HUP, SIGHUP);
	if (run_rc(sw, &error) < 0)
		log_error("%s", error_text(&error));
}

static int switch_signals(struct vde_switch *sw)
{
	static const int ignored[] = { SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGPROF, SIGVTALRM };
	sigset_t set;

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	return loop_signals(sw->loop, &set, on_signal, sw);
}

/*
 * Asks for long turns on the processor (sched_setattr(2); Linux 6.12). Plugs that were woken by a frame
 * run at once all the same, and then the switch goes on where it was instead of having slept: a round
 * trip on one processor takes 5 to 10 % less, and less, too, beside a program that computes. Elsewhere
 * nothing happens.
 */
static void prefer_long_slices(void)
{
	struct sched_attr attr = { .size = sizeof(attr) };

	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) < 0 || attr.sched_policy != SCHED_OTHER)
		return;
	attr.sched_runtime = SLICE;
	(void)syscall(SYS_sched_setattr, 0, &attr, 0);
}

static int switch_run(struct vde_switch *sw, struct takeover **t, struct error *error)
{
	int r = loop_new(&sw->loop);

	if (r == 0)
		r = switch_signals(sw);
	if (r < 0)
		return error_set_errno(error, -r, "cannot start");
	r = sw->settings.takeover ? switch_succeed(sw, t, error) : switch_start(sw, error);
	if (r < 0)
		return r;
	r = loop_run(sw->loop);
	daemon_notify("STOPPING=1");
	return r < 0 ? error_set_errno(error, -r, "waiting for events") : r;
}

int main(int argc, char **argv)
{
	struct vde_switch sw = { 0 };
	struct takeover *takeover = NULL; /* settings borrow from it */
	struct error error = { 0 };
	int status;

	log_set_program("vde_switch");
	if (options_parse(&sw.settings, argc, argv, &status) < 0)
		return status;
	control_raise_limits();
	prefer_long_slices();
	if (daemon_begin(&sw.settings.daemon, &error) < 0) {
		log_error("%s", error_text(&error));
		return EXIT_FAILURE;
	}
	status = switch_run(&sw, &takeover, &error);
	if (status < 0)
		log_error("%s", error_text(&error));
	switch_done(&sw);
	takeover_free(takeover);
	return status < 0 ? EXIT_FAILURE : status;
}
