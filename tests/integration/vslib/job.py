# SPDX-License-Identifier: GPL-2.0-or-later
"""A program as the leader of a session on a pseudo-terminal, at which a test types."""

import os
import pty
import select
import signal
import time

from .proc import PATIENCE


class Terminal:
    """A program on a pseudo-terminal of its own session."""

    def __init__(self, argv, env, cwd):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execve(argv[0], argv, env)
        self.text = ''

    def expect(self, words, timeout=10):
        """Reads until the words have come; they are taken from the text."""
        deadline = time.monotonic() + timeout * PATIENCE
        while words not in self.text:
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f'{words!r} did not come: {self.text!r}'
            try:
                self.text += os.read(self.master, 4096).decode(errors='replace')
            except OSError:
                raise AssertionError(f'{words!r} did not come before the end: {self.text!r}') from None
        self.text = self.text.partition(words)[2]

    def send(self, text):
        """Types."""
        os.write(self.master, text.encode())

    def end(self):
        """The status; what is left of the program is killed."""
        try:
            deadline = time.monotonic() + 10 * PATIENCE
            while time.monotonic() < deadline:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    return os.waitstatus_to_exitcode(status)
                time.sleep(0.01)
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            return None
        finally:
            os.close(self.master)
