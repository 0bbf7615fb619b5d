# SPDX-License-Identifier: GPL-2.0-or-later
"""The project's own unit tests under umvu: those with processes, threads, signals, descriptors and filters."""

import platform
import re
import subprocess

import pytest

from vslib.proc import PATIENCE
from vslib.sides import BUILD, SIDES, clean_env

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

PROGRAMS = ['capture_sink', 'daemon', 'filter', 'io', 'loop', 'mgmt_client', 'relay', 'ring_handover',
            'ring_port', 'ring_rx', 'ring_threads', 'sandbox', 'shared_lock', 'spawn', 'stream',
            'takeover_pack', 'tap_io', 'umvu_channel', 'view_segment']


def run(directory, *command):
    """(status, the names of the cases that passed) of a program of cmocka's."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=directory, env=clean_env(directory),
                          timeout=30 * PATIENCE, stdin=subprocess.DEVNULL, check=False)
    return done.returncode, re.findall(r'\[ +OK \] (\w+)', done.stdout + done.stderr)


@pytest.mark.parametrize('name', PROGRAMS)
def test_same(lab, name):
    """Each case passes that passes bare, but for what a filter with a listener is needed for."""
    program = BUILD / f'tests/unit/test_{name}'
    status, passed = run(lab.dir, program)
    assert status == 0 and passed
    for way in ('dispatch', 'filter'):
        status, inside = run(lab.dir, SIDES['ours'].program('umvu'), f'--trap={way}', program)
        assert status == 0 and set(passed) - set(inside) <= {'test_checks_as_the_kernel'}, way
