# SPDX-License-Identifier: GPL-2.0-or-later
"""A program on a pseudo-terminal, and what a person sees on its screen."""

import fcntl
import os
import pty
import re
import struct
import termios
import time

from .proc import Proc, TimeExpired, readable

SEQUENCE = re.compile(r'\x1b\[(\??)([0-9;]*)([A-Za-z@])')


class Screen:
    """Rows of text made of what a line editor may send to a VT100 without scrolling back."""

    def __init__(self):
        self.rows = ['']
        self.column = 0
        self.rest = ''

    def put(self, char):
        """One printable character at the cursor."""
        row = self.rows[-1].ljust(self.column)
        self.rows[-1] = row[:self.column] + char + row[self.column + 1:]
        self.column += 1

    def sequence(self, private, parameter, final):
        """A control sequence."""
        count = int(parameter or 1) if parameter.isdigit() or not parameter else 1
        row = self.rows[-1]
        if private or final in 'mhl':
            return
        if final == 'K':
            self.rows[-1] = row[:self.column] if parameter in ('', '0') else ''
        elif final == 'J':
            self.rows[-1] = row[:self.column]
        elif final == 'P':
            self.rows[-1] = row[:self.column] + row[self.column + count:]
        elif final == '@':
            self.rows[-1] = row[:self.column] + ' ' * count + row[self.column:]
        elif final == 'C':
            self.column += count
        elif final == 'D':
            self.column = max(0, self.column - count)
        else:
            raise AssertionError(f'unexpected sequence {parameter}{final}')

    def feed(self, text):
        """What the program wrote."""
        text = self.rest + text
        self.rest = ''
        at = 0
        while at < len(text):
            char = text[at]
            if char == '\x1b':
                matched = SEQUENCE.match(text, at)
                if not matched:
                    self.rest = text[at:]
                    return
                self.sequence(*matched.groups())
                at = matched.end()
                continue
            if char == '\n':
                self.rows.append('')
            elif char == '\r':
                self.column = 0
            elif char == '\b':
                self.column = max(0, self.column - 1)
            elif char not in '\a\0':
                self.put(char)
            at += 1

    def text(self):
        """All rows, without blanks at their ends."""
        return '\n'.join(row.rstrip() for row in self.rows)


class Terminal:
    """A program whose standard descriptors are a pseudo-terminal. proc: its Proc."""

    def __init__(self, argv, *, env, name=None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 200, 0, 0))
        env = {**env, 'TERM': 'vt100', 'INPUTRC': '/dev/null'}
        self.proc = Proc(argv, env=env, stdin=slave, stdout=slave, stderr=slave, name=name)
        os.close(slave)
        self.screen = Screen()
        self.seen = 0

    def type(self, keys):
        """Type, as fast as the terminal takes it."""
        os.write(self.master, keys.encode())

    def read(self, timeout):
        """Take what was written; False when nothing came within timeout seconds."""
        if not readable(self.master, timeout):
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:         # the program ended
            return False
        self.screen.feed(data.decode(errors='replace'))
        return bool(data)

    def wait(self, pattern, timeout=5.0):
        """Wait until what is behind the last expect() matches; returns the match."""
        deadline = time.monotonic() + timeout
        while True:
            matched = re.compile(pattern, re.M).search(self.screen.text(), self.seen)
            if matched:
                return matched
            if time.monotonic() >= deadline:
                raise TimeExpired(f'no {pattern!r} on the screen:\n{self.screen.text()}')
            if not self.read(min(0.1, max(0, deadline - time.monotonic()))) and (
                    self.proc.poll() is not None):
                raise TimeExpired(f'no {pattern!r}, the program ended:\n{self.screen.text()}')

    def expect(self, pattern, timeout=5.0):
        """wait(), then look only at what comes behind."""
        matched = self.wait(pattern, timeout)
        self.seen = matched.end()
        return matched

    def line(self):
        """The row of the cursor."""
        return self.screen.rows[-1].rstrip()

    def wait_line(self, text, timeout=5.0):
        """Wait until the row of the cursor is that text (blanks at the end apart)."""
        deadline = time.monotonic() + timeout
        while self.line() != text.rstrip():
            left = deadline - time.monotonic()
            if left <= 0 or not self.read(left) and self.proc.poll() is not None:
                raise TimeExpired(f'no {text!r}, on the screen is:\n{self.screen.text()}')

    def wait_end(self, timeout=5.0):
        """The exit status, when the program has ended and its last words are read."""
        status = self.proc.wait(timeout)
        while self.read(0.05):
            pass
        return status

    def close(self):
        """End the program."""
        self.proc.close()
        os.close(self.master)


__all__ = ['Screen', 'Terminal']
