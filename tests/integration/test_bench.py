# SPDX-License-Identifier: GPL-2.0-or-later
"""The bench itself: a short run gives a table, JSON and a plot. How fast anything is, it tells."""

import json
import os
import platform
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from vslib.proc import run
from vslib.sides import BUILD, REPO

SVG = '{http://www.w3.org/2000/svg}'


@pytest.fixture
def bench(lab, ours, debian):
    """bench(options): runs it, with the built load generator and both sides there."""
    if ours.sanitized():
        pytest.skip('numbers of a sanitized build mean nothing')
    for side in (ours, debian):
        side.program('vde_switch')
        side.library()
    environment = lab.env(VS_BUILD=os.path.abspath(BUILD))
    return lambda *options, timeout=50: run([sys.executable, REPO / 'bench/run', *options],
                                            env=environment, timeout=timeout)


def test_frames(lab, bench):
    """One quick round of frames: each contender has numbers, and they are told three times."""
    done = bench('--quick', '--only', 'frames', '--json', lab.path('b.json'),
                 '--svg', lab.path('b.svg'))
    assert done.status == 0, done
    with open(lab.path('b.json'), encoding='utf-8') as stream:
        told = json.load(stream)
    assert not [why for why in told['missing'] if 'switch' in why], told['missing']
    rates = {(row['group'], row['contender']): row for row in told['results']
             if row['metric'] == 'frames'}
    for size in ('64 bytes', '1514 bytes'):
        for switch in ('our', "Debian's"):
            for plug in ('our', "Debian's"):
                row = rates[size, f'{switch} switch, {plug} plugs']
                assert row['least'] <= row['median'] <= row['greatest']
                assert row['median'] > 100 and row['values'] == [row['median']]
                assert row['contender'] in done.out
    assert {goal['met'] for goal in told['goals']} <= {True, False}
    assert len(told['goals']) == 11
    plot = ElementTree.parse(lab.path('b.svg')).getroot()
    bars = plot.findall(f'{SVG}rect')
    assert plot.tag == f'{SVG}svg' and len(bars) == 1 + len(told['results'])


@pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')
def test_costs_of_umvu(lab, bench):
    """What a resident costs in memory is told, with the goals."""
    done = bench('--quick', '--only', 'costs', '--json', lab.path('b.json'), '--svg', lab.path('b.svg'))
    assert done.status == 0, done
    with open(lab.path('b.json'), encoding='utf-8') as stream:
        told = json.load(stream)
    assert not [why for why in told['missing'] if 'umvu' in why], told['missing']
    seen = {(row['metric'], row['group'], row['contender']): row['median'] for row in told['results']}
    for group in ('a process', 'a thread'):
        assert 0 < seen['private', group, 'native'] <= seen['private', group, 'umvu'], seen
    assert seen['traced', 'getppid', 'umvu --trace'] > 0
    assert len(told['goals']) == 3


def test_wrong_option(bench):
    """A measurement that does not exist is an error that names those that do."""
    done = bench('--only', 'nothing')
    assert done.status == 2
    for name in ('frames', 'roundtrip', 'tcp', 'idle'):
        assert name in done.err


def test_nothing_to_measure_with(lab, bench):
    """Without a build the bench says what is missing, and fails."""
    done = run([sys.executable, REPO / 'bench/run', '--quick', '--only', 'roundtrip'],
               env=lab.env(VS_BUILD=lab.path('empty')), timeout=50)
    assert done.status == 1
    assert 'not measured: roundtrip' in done.out
