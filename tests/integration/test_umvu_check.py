# SPDX-License-Identifier: GPL-2.0-or-later
"""umvu --check: what a machine allows, also one that allows less."""

import ctypes
import json
import platform
import struct
import subprocess

import pytest

from vslib.sides import SIDES, tool

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

EPERM = 1
CALLS = {'openat2': 437, 'landlock_create_ruleset': 444, 'memfd_create': 319, 'membarrier': 324, 'unshare': 272}


def deny(*names):
    """A function that makes its process, and what it starts, be refused these calls, as in a container."""
    code = struct.pack('HBBI', 0x20, 0, 0, 0)                                  # load the number
    for name in names:
        code += struct.pack('HBBI', 0x15, 0, 1, CALLS[name])                   # is it that?
        code += struct.pack('HBBI', 0x06, 0, 0, 0x50000 | EPERM)
    code += struct.pack('HBBI', 0x06, 0, 0, 0x7fff0000)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack('HxxxxxxQ', len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None)

    def apply(_keep=buffer):
        assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
    return apply


def check(*wrapper, before=None):
    """({name: row}, able, status)"""
    done = subprocess.run([*wrapper, SIDES['ours'].program('umvu'), '--check', '--json'], text=True,
                          timeout=30, capture_output=True, check=False, preexec_fn=before)
    assert done.stderr == ''
    told = json.loads(done.stdout)
    return {row['name']: row for row in told['checks']}, told['able'], done.returncode


def test_here():
    """This machine can run programs; each row has what its form promises."""
    rows, able, status = check()
    assert able and status == 0 and len(rows) > 12
    for row in rows.values():
        assert set(row) == {'name', 'what', 'has', 'needed', 'detail', 'without'}
        assert (row['without'] is None) == row['has']
    assert all(row['has'] for row in rows.values() if row['needed'])


def test_as_text():
    """The same, for people."""
    rows = check()[0]
    text = subprocess.run([SIDES['ours'].program('umvu'), '--check'], text=True, timeout=30, check=True,
                          stdout=subprocess.PIPE).stdout
    for row in rows.values():
        assert row['what'] in text and (row['without'] or '') in text
    assert text.endswith('Programs can run under umvu here.\n')


def test_in_a_container():
    """What a filter refuses is found missing, with its remedy; programs run none the less."""
    rows, able, status = check(before=deny('openat2', 'landlock_create_ruleset', 'membarrier', 'unshare'))
    assert able and status == 0
    for name in ('openat2', 'landlock', 'membarrier', 'user_namespaces', 'unfiltered'):
        assert not rows[name]['has'] and rows[name]['without'], name
    assert 'filter of a container' in rows['landlock']['detail'] and 'in force' in rows['unfiltered']['detail']
    done = subprocess.run([SIDES['ours'].program('umvu'), 'echo', 'x'], text=True, capture_output=True,
                          timeout=30, check=False,
                          preexec_fn=deny('openat2', 'landlock_create_ruleset', 'membarrier'))
    assert (done.returncode, done.stdout, done.stderr) == (0, 'x\n', '')


def test_what_is_needed():
    """Without it the status says that nothing can run, and so does umvu itself."""
    rows, able, status = check(before=deny('memfd_create'))
    assert not able and status == 1
    assert not rows['memfd']['has'] and rows['memfd']['needed']
    done = subprocess.run([SIDES['ours'].program('umvu'), 'echo', 'x'], text=True, capture_output=True,
                          timeout=30, check=False, preexec_fn=deny('memfd_create'))
    assert (done.returncode, done.stdout) == (126, '') and 'memory' in done.stderr


def test_limits():
    """Of descriptors and of address space."""
    rows = check(tool('prlimit'), '--nofile=200:200', '--as=200000000')[0]
    assert not rows['descriptors']['has'] and '200' in rows['descriptors']['detail']
    assert not rows['address_space']['has']


def test_inside():
    """A view holds no other, which is said as what is needed."""
    rows, able, status = check(SIDES['ours'].program('umvu'))
    assert not able and status == 1
    assert [row['name'] for row in rows.values() if row['needed'] and not row['has']] == ['outside']
