# SPDX-License-Identifier: GPL-2.0-or-later
"""Storms: signals and calls at once, under umvu. What is counted has to be right, and nothing may hang.

VS_STORM multiplies the rounds (default 1, half a minute in all).
"""

import os
import platform
import subprocess

import pytest

from vslib.sides import BUILD

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

PROGRAM = BUILD / 'tests/conformance/storm'
ROUNDS = 40000
SCALE = float(os.environ.get('VS_STORM', '1'))
LIMIT = 60 + 30 * SCALE     # seconds


def storm_names():
    """All storms; none without a build, for which test_storms_are_there fails."""
    if not PROGRAM.exists():
        return []
    return subprocess.run([PROGRAM, '--list'], capture_output=True, text=True, check=True).stdout.split()


def test_storms_are_there():
    """A build without them would pass everything."""
    assert len(storm_names()) > 10


@pytest.mark.parametrize('way', ['dispatch', 'filter'])
@pytest.mark.parametrize('name', storm_names())
@pytest.mark.timeout(LIMIT * 6)
def test_storm(lab, ours, name, way):
    """The storm's own count is right."""
    done = lab.run([ours.program('umvu'), f'--trap={way}', PROGRAM, name, str(int(ROUNDS * SCALE))],
                   timeout=LIMIT)
    assert (done.status, done.out, done.err) == (0, f'{name}: fine\n', '')
