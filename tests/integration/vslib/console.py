# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of vde_switch's management socket that knows its text to the byte."""

import re
import socket
import time

from .proc import TimeExpired, readable

PROMPT = b'\nvde$ '
DATA_START = '0000 DATA END WITH \'.\''
GREETING = re.compile(
    rb'VDE switch V\.(\S+)\n'
    rb'\(C\) Virtual Square Team \(coord\. R\. Davoli\) 2005,2006,2007 - GPLv2\n')
RESULT = re.compile(r'1(\d{3}) (.*)')
EVENT = re.compile(r'3(\d{3}) (\S+) (.*)')


class Answer:
    """What one command printed.

    code: the errno of the result line (0 = success), None if there was no result line.
    message: its text. lines: the data block, None if there was none. events: asynchronous lines
    that came meanwhile. raw: all bytes up to and with the prompt.
    """

    def __init__(self, raw):
        self.raw = raw
        self.code = self.message = self.lines = None
        self.events = []
        self.stray = []
        block = None
        text = raw[:-len(PROMPT)] if raw.endswith(PROMPT) else raw
        for line in text.decode(errors='replace').split('\n'):
            if block is not None and line == '.':
                self.lines, block = block, None
            elif block is not None:
                block.append(line)
            elif line == DATA_START:
                block = []
            elif RESULT.fullmatch(line):
                code, self.message = RESULT.fullmatch(line).groups()
                self.code = int(code)
            elif EVENT.fullmatch(line):
                self.events.append(line)
            elif line:
                self.stray.append(line)

    def __repr__(self):
        return f'Answer({self.raw!r})'


class Console:
    """A connection to a management socket; the greeting is read and checked at once."""

    def __init__(self, path, timeout=20.0):
        self.timeout = timeout
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(str(path))
            self.pending = b''
            self.greeting = self.read_until(PROMPT)
        except BaseException:
            self.socket.close()
            raise
        self.events = []
        matched = GREETING.match(self.greeting)
        assert matched, f'greeting {self.greeting!r}'
        self.version = matched[1].decode()

    def fileno(self):
        """The descriptor, for select."""
        return self.socket.fileno()

    def read_until(self, mark, timeout=None):
        """Read up to and with the mark; TimeExpired or EOFError tell what came instead."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while mark not in self.pending:
            if not readable(self.socket, deadline - time.monotonic()):
                raise TimeExpired(f'no {mark!r} on the console, only {self.pending!r}')
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(f'console closed after {self.pending!r}')
            self.pending += data
        head, _, self.pending = self.pending.partition(mark)
        return head + mark

    def read_eof(self, timeout=None):
        """Read to the end of the session and return the bytes."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while True:
            if not readable(self.socket, deadline - time.monotonic()):
                raise TimeExpired(f'console not closed, only {self.pending!r}')
            data = self.socket.recv(65536)
            if not data:
                everything, self.pending = self.pending, b''
                return everything
            self.pending += data

    def write(self, data):
        """Send raw bytes (text is encoded, nothing is added)."""
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def command(self, line, timeout=None):
        """Run one command and return its Answer; the command may fail."""
        self.write(line + '\n')
        answer = Answer(self.read_until(PROMPT, timeout))
        self.events += answer.events
        return answer

    def ok(self, line):
        """Run a command that has to succeed; returns its data lines (None without a block)."""
        answer = self.command(line)
        assert answer.code == 0, f'{line!r} gave {answer.raw!r}'
        return answer.lines

    def fails(self, line, code):
        """Run a command that has to fail with that errno; returns the Answer."""
        answer = self.command(line)
        assert answer.code == code, f'{line!r} gave {answer.raw!r}, wanted 1{code:03}'
        return answer

    def wait_event(self, pattern, timeout=None):
        """Wait for an asynchronous line that matches the regular expression; returns the line."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while True:
            while b'\n' in self.pending:
                line, _, self.pending = self.pending.partition(b'\n')
                if EVENT.fullmatch(line.decode(errors='replace')):
                    self.events.append(line.decode(errors='replace'))
            for line in self.events:
                if re.search(pattern, line):
                    self.events.remove(line)
                    return line
            if not readable(self.socket, deadline - time.monotonic()):
                raise TimeExpired(f'no event {pattern!r}; seen {self.events}, {self.pending!r}')
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(f'console closed; seen {self.events}')
            self.pending += data

    def close(self):
        """Leave without a word."""
        self.socket.close()


PORT_HEAD = re.compile(
    r'Port (\d{4}) untagged_vlan=(\d{4}) (ACTIVE|INACTIVE) - (NOT Unnamed|Unnamed) Allocatable')
PORT_USER = re.compile(
    r' Current User: (\S+) Access Control: \(User: (\S+) - Group: (\S+)\)')
PORT_COUNTER = re.compile(r' (IN|OUT):\s+pkts (.{10})\s+bytes (.{20})')
ENDPOINT = re.compile(r'  -- endpoint ID (\d{4}) module (.{12}): (.*)')


class PortInfo:
    """One block of port/print; lines that are not of the classic layout land in `extra`."""

    def __init__(self, head):
        matched = PORT_HEAD.fullmatch(head)
        assert matched, f'port line {head!r}'
        self.number, self.vlan = int(matched[1]), int(matched[2])
        self.active = matched[3] == 'ACTIVE'
        self.allocatable = matched[4] == 'Unnamed'
        self.user = self.access_user = self.access_group = None
        self.packets_in = self.bytes_in = self.packets_out = self.bytes_out = None
        self.endpoints = []         # (id, module, description)
        self.extra = []

    def add(self, line):
        """Take one more line of the block."""
        if matched := PORT_USER.fullmatch(line):
            self.user, self.access_user, self.access_group = matched.groups()
        elif matched := PORT_COUNTER.fullmatch(line):
            packets, octets = int(matched[2]), int(matched[3])
            if matched[1] == 'IN':
                self.packets_in, self.bytes_in = packets, octets
            else:
                self.packets_out, self.bytes_out = packets, octets
        elif matched := ENDPOINT.fullmatch(line):
            self.endpoints.append((int(matched[1]), matched[2].rstrip(), matched[3]))
        else:
            self.extra.append(line)


def parse_ports(lines):
    """The blocks of port/print or port/allprint, by port number."""
    ports = {}
    current = None
    for line in lines or []:
        if line.startswith('Port '):
            current = PortInfo(line)
            ports[current.number] = current
        else:
            assert current, f'line before any port: {line!r}'
            current.add(line)
    return ports


VLAN_HEAD = re.compile(r'VLAN (\d{4})')
VLAN_PORT = re.compile(r' -- Port (\d{4}) tagged=(\d) active=(\d) status=(\w+)')


def parse_vlans(lines):
    """vlan/print as {vlan: {port: (tagged, active, status)}}."""
    vlans = {}
    current = None
    for line in lines or []:
        if matched := VLAN_HEAD.fullmatch(line):
            current = vlans.setdefault(int(matched[1]), {})
        elif matched := VLAN_PORT.fullmatch(line):
            current[int(matched[1])] = (matched[2] == '1', matched[3] == '1', matched[4])
        else:
            raise AssertionError(f'vlan line {line!r}')
    return vlans


HASH_LINE = re.compile(
    r'Hash: (\d{4}) Addr: ([0-9a-f:]{17}) VLAN (\d{4}) to port: (\d{3})  age (\d+) secs')


def parse_hash(lines):
    """hash/print as {(mac text, vlan): port}."""
    table = {}
    for line in lines or []:
        matched = HASH_LINE.fullmatch(line)
        assert matched, f'hash line {line!r}'
        table[matched[2], int(matched[3])] = int(matched[4])
    return table
