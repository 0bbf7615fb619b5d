# SPDX-License-Identifier: GPL-2.0-or-later
"""How calls come to the resident: what --counters says, what programs know from each other, and what is not
patched."""

import platform
import re
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

LINE = re.compile(r'umvu: counters of (\d+) \((.*)\): (\d+) fast, (\d+) trapped, (\d+) deferred, '
                  r'(\d+) restarted, (\d+) rolled back, (\d+) sites patched')
# Code in a file that is mapped shared: it makes getppid(2) often enough to be patched.
SHARED = '''
import ctypes, os, sys
code = bytes.fromhex('b86e0000000f05c3') + bytes(56)
with open(sys.argv[1], 'wb') as stream:
    stream.write(code + bytes(4096 - len(code)))
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
fd = os.open(sys.argv[1], os.O_RDWR)
at = libc.mmap(None, ctypes.c_size_t(4096), 5, int(sys.argv[2]), fd, ctypes.c_long(0))
call = ctypes.CFUNCTYPE(ctypes.c_int)(at)
parents = {call() for _ in range(20)}
with open(sys.argv[1], 'rb') as stream:
    print(parents == {os.getppid()}, stream.read(len(code)) == code)
'''


@pytest.fixture
def counted(lab, ours):
    """A function that runs a program under umvu: {its name: [(fast, trapped ...)]}."""
    def run(*arguments):
        done = lab.run([ours.program('umvu'), '--counters', *arguments])
        assert done.status == 0, done
        seen = {}
        for line in done.err.splitlines():
            found = LINE.fullmatch(line)
            assert found, line
            seen.setdefault(found[2], []).append(tuple(int(number) for number in found.groups()[2:]))
        return seen
    return run


@pytest.mark.parametrize('way', ['normal', 'first', 'never'])
def test_counters(counted, way):
    """Calls from a loop are fast, unless nothing is patched."""
    seen = counted(f'--patch={way}', 'sh', '-c', 'for i in 1 2 3 4 5; do umask 022; umask 027; umask 22; done')
    (fast, trapped, *_rest, sites), = next(iter(seen.values()))
    if way == 'never':
        assert (fast, sites) == (0, 0) and trapped > 30
    else:
        assert fast > 5 and trapped > 5 and sites > 1


def test_nothing_is_said_without(lab, ours):
    """It is an option."""
    done = lab.run([ours.program('umvu'), 'true'])
    assert (done.status, done.out, done.err) == (0, '', '')


def test_signals_are_counted(counted):
    """A signal that a process sends to itself meets the resident, which is in kill(2) then."""
    seen = counted(sys.executable, '-S', '-c',
                   'import os, signal\nsignal.signal(signal.SIGUSR1, lambda *_: None)\n'
                   'for _ in range(10): os.kill(os.getpid(), signal.SIGUSR1)')
    (_fast, _trapped, deferred, *_rest), = [counts for name, rows in seen.items() if 'python' in name
                                            for counts in rows]
    assert deferred >= 10


@pytest.mark.parametrize('way', ['dispatch', 'filter'])
def test_programs_know_of_each_other(counted, way):
    """What the first one has met in the dynamic loader is patched in the next, before it runs."""
    alone, = counted(f'--trap={way}', '/bin/true')['true']
    later = counted(f'--trap={way}', 'sh', '-c', '/bin/true; /bin/true; :')['true']
    assert len(later) == 2
    for fast, trapped, *_rest in later:
        assert trapped <= alone[1] - 5 and fast >= alone[0] + 5


@pytest.mark.parametrize('flags', ['1', '2'])
def test_shared_code_is_left_alone(lab, ours, flags):
    """What is patched is our copy, and never the file."""
    done = lab.run([ours.program('umvu'), sys.executable, '-S', '-c', SHARED, lab.path('code'), flags])
    assert (done.status, done.out, done.err) == (0, 'True True\n', '')
