# SPDX-License-Identifier: GPL-2.0-or-later
"""A plug that offers its TAP to the switch, right or wrong on purpose; in a namespace of its own."""

import json
import pathlib
import subprocess
import sys

from .plugs import Plug
from .proc import Proc
from .sides import need_tun, tool

CHILD = pathlib.Path(__file__).with_name('device_child.py')
WELCOME, REFUSAL = 2, 3


class Device(Plug):
    """make(kind), then hello(); up() makes it a plug whose frames pass through its interface."""

    def __init__(self, lab, switch, *, user_space=True):
        need_tun()
        prefix = [tool('unshare'), '-Urn' if user_space else '-n', '--']
        self.proc = Proc([*prefix, sys.executable, '-S', CHILD], env=lab.env(),
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, name='device')
        self.ring = f'{switch.path}/ring'
        lab.keep(self, self.proc)

    def call(self, op, **request):
        """One request to the process."""
        self.proc.stdin.write(json.dumps({'op': op, **request}).encode() + b'\n')
        self.proc.stdin.flush()
        line = self.proc.stdout.readline()
        assert line, f'gone: {self.proc.describe()}'
        answer = json.loads(line)
        assert 'error' not in answer, answer
        return answer['result']

    def hello(self, **how):
        """(message, errno, text) of the switch's answer."""
        return tuple(self.call('hello', path=self.ring, **how))

    def join(self, kind='tap'):
        """Make it, have it taken, bring it up."""
        self.call('make', kind=kind)
        assert self.hello()[0] == WELCOME
        self.call('up')
        return self

    def send_frame(self, frame):
        self.call('send', frame=frame.hex())

    def recv_frame(self, timeout):
        got = self.call('recv', timeout=timeout)
        return None if got is None else bytes.fromhex(got)

    def close(self):
        self.proc.close()


__all__ = ['Device', 'WELCOME', 'REFUSAL']
