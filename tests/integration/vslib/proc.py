# SPDX-License-Identifier: GPL-2.0-or-later
"""Child processes whose end is certain and whose stderr is kept, and waiting for conditions.

Every child is the leader of its own session: a program that signals its process group (dpipe does)
never reaches pytest, and close() reaches everything the child started.
"""

import os
import select
import signal
import subprocess
import tempfile
import time


# Times are said for a machine with nothing else to do. What has to happen gets this many times as
# long, so that a loaded machine fails no test; a test that passes never waits for it.
PATIENCE = 4


class TimeExpired(AssertionError):
    """A condition did not come true in time."""


def wait_until(condition, timeout=5.0, what=None):
    """Call condition() until it returns something true, and return that.

    timeout is in seconds, times PATIENCE. The pause between calls grows from 2 ms to 50 ms. `what` (a
    string or a function that makes one) says in the error what was waited for.
    """
    timeout *= PATIENCE
    deadline = time.monotonic() + timeout
    pause = 0.002
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() >= deadline:
            if callable(what):
                what = what()
            raise TimeExpired(f'not within {timeout} s: {what or condition}')
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def pid_exists(pid):
    """True while the process runs (a zombie does not count)."""
    try:
        with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as stat:
            return stat.read().rpartition(')')[2].split()[0] not in 'ZX'
    except (FileNotFoundError, ProcessLookupError):
        return False


def fd_count(pid):
    """Number of open descriptors of a process of ours."""
    return len(os.listdir(f'/proc/{pid}/fd'))


class Proc:
    """A running program.

    stdin and stdout are as in subprocess.Popen (default: nothing to read, output kept in the log
    with stderr). The log is shown by pytest when the test fails.
    """

    def __init__(self, argv, *, env=None, cwd=None, stdin=subprocess.DEVNULL, stdout=None,
                 stderr=None, pass_fds=(), name=None, umask=-1):
        self.argv = [os.fspath(arg) for arg in argv]
        self.name = name or os.path.basename(self.argv[0])
        self.log = tempfile.TemporaryFile(prefix='vslog')
        self.popen = subprocess.Popen(
            self.argv, env=env, cwd=cwd, stdin=stdin, stdout=stdout or self.log,
            stderr=stderr or self.log, pass_fds=pass_fds, start_new_session=True, umask=umask)
        self.pid = self.popen.pid
        self.stdin = self.popen.stdin
        self.stdout = self.popen.stdout

    def output(self):
        """What the program wrote so far to the descriptors that were not piped."""
        return os.pread(self.log.fileno(), 1 << 20, 0).decode(errors='replace')

    def poll(self):
        """The exit status (negative: a signal), or None while it runs."""
        return self.popen.poll()

    def wait(self, timeout=5.0):
        """Wait for the end and return the exit status (negative: a signal)."""
        timeout *= PATIENCE
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeExpired(f'{self.name} did not end within {timeout} s') from None

    def signal(self, number):
        """Send a signal to the program alone."""
        self.popen.send_signal(number)

    def close(self):
        """Kill what is left of the program and its children; safe to repeat."""
        for pipe in (self.stdin, self.stdout):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass
        if self.popen.returncode is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.popen.wait(5)

    def describe(self):
        """Command, state and log, for the report of a failed test."""
        status = self.poll()
        state = 'running' if status is None else f'status {status}'
        return f'$ {" ".join(self.argv)}\n[pid {self.pid}, {state}]\n{self.output()}'


class Result:
    """How a program that ran to its end went."""

    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err

    def __repr__(self):
        return f'Result(status={self.status}, out={self.out!r}, err={self.err!r})'


def run(argv, *, env=None, cwd=None, stdin=b'', timeout=15.0, pass_fds=(), umask=-1):
    """Run a program to its end with stdin as its whole input; text results, status as Proc.wait."""
    timeout *= PATIENCE
    with subprocess.Popen([os.fspath(arg) for arg in argv], env=env, cwd=cwd,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          pass_fds=pass_fds, start_new_session=True, umask=umask) as child:
        try:
            out, err = child.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            out, err = child.communicate()
            raise TimeExpired(f'{argv[0]} did not end within {timeout} s; '
                              f'stdout {out!r}, stderr {err!r}') from None
    return Result(child.returncode, out.decode(errors='replace'), err.decode(errors='replace'))


def readable(descriptor, timeout):
    """True when the descriptor has input or hung up within timeout seconds."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(max(0, timeout * 1000)))
