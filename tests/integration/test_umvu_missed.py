# SPDX-License-Identifier: GPL-2.0-or-later
"""No call of a program is missed: somebody outside counts them, too (tests/conformance/notifier.c).

The kernel asks an outside process about each call. Bare, those are the program's; their numbers and counts
are what umvu's trace has of the same program. Inside, those that the kernel sees are made by the resident:
one that comes from an instruction elsewhere would have gone past it.
"""

import collections
import json
import os
import platform
import subprocess

import pytest

from vslib.proc import PATIENCE
from vslib.sides import BUILD, SIDES, tool

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

NOTIFIER = BUILD / 'tests/conformance/notifier'
STORM = BUILD / 'tests/conformance/storm'
MODES = [(f'--trap={trap}', f'--patch={patch}') for trap in ('dispatch', 'filter')
         for patch in ('never', 'normal', 'first')]
EXECVE = 59

# What makes the same calls each time: so nothing that reads a pipe, which may come in pieces.
SAME = {
    'true': ['/bin/true'],
    'ls': ['/bin/ls', '-l', '/etc/apt'],
    'find': ['/usr/bin/find', '/etc/apt', '/etc/dpkg'],
    'wc': ['/usr/bin/wc', '/etc/passwd', '/etc/group'],
    'sort': ['/usr/bin/sort', '/etc/passwd'],
    'loop': ['/bin/sh', '-c', 'i=0; while [ $i -lt 200 ]; do i=$((i + 1)); : >/dev/null; done; cd /; pwd'],
    'traps': ['/bin/sh', '-c', 'trap "echo usr" USR1; kill -USR1 $$; kill -USR1 $$; (exit 3); echo $?'],
    'children': ['/bin/sh', '-c', '/bin/true; /bin/ls / >/dev/null; (exit 5); exit 4'],
    'python': ['/usr/bin/python3', '-S', '-E', '-c', 'import os\nfor n in range(500): os.stat("/")\n'],
    'perl': ['/usr/bin/perl', '-e', 'for (1..300) { -e "/etc/passwd" } fork or exit 3; wait; print $? >> 8'],
    'awk': ['/usr/bin/mawk', 'BEGIN { while ((getline line <"/etc/group") > 0) print line; system("exit 3") }'],
}
# What does not, with threads and signals at any time: only that none is missed can be said.
PYTHON = '''
import threading, subprocess
threads = [threading.Thread(target=subprocess.run, args=(["/bin/true"],)) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
'''
WILD = {
    'pipes': ['/bin/bash', '-c', 'seq 2000 | sort -rn | tee >(wc -l) | head -1; for i in {1..20}; do '
              '/bin/true & done; wait'],
    'python-threads': ['/usr/bin/python3', '-c', PYTHON],
    'storm-spawn': [STORM, 'spawn', '200'],
    'storm-threads': [STORM, 'thread_signals', '200'],
    'storm-fork': [STORM, 'fork', '200'],
}


def resident():
    """The resident's file, as /proc names it."""
    return os.path.realpath(BUILD / 'libexec/virtualsquare/umvu-resident')


def count_outside(lab, *command, program=None):
    """({number: count}, missed calls, status, output) of a command, as the kernel tells."""
    file = lab.path('counts')
    done = subprocess.run([NOTIFIER, file, program or resident(), *command], capture_output=True, cwd=lab.dir,
                          env=lab.env(PYTHONHASHSEED='0'), timeout=60 * PATIENCE, check=False)
    with open(file, encoding='utf-8') as stream:
        lines = [line.split() for line in stream]
    counts = {int(line[0]): int(line[1]) for line in lines if line[0] != 'missed'}
    return counts, [line[1:] for line in lines if line[0] == 'missed'], done.returncode, done.stdout


def count_inside(lab, mode, command):
    """({number: count}, status, output) as our trace has it."""
    file = lab.path('trace')
    done = subprocess.run([SIDES['ours'].program('umvu'), *mode, '--trace', '--trace-output', file,
                           '--trace-format=json', *command], capture_output=True, cwd=lab.dir,
                          env=lab.env(PYTHONHASHSEED='0'), timeout=60 * PATIENCE, check=False)
    with open(file, encoding='utf-8') as stream:
        entries = [json.loads(line).get('trace', {}) for line in stream]
    os.unlink(file)
    counts = collections.Counter(entry['number'] for entry in entries if 'number' in entry)
    return dict(counts), done.returncode, done.stdout


@pytest.mark.parametrize('name', SAME)
def test_counts_are_equal(lab, name):
    """Number by number, with each trap and at each time of patching."""
    command = SAME[name]
    tool(os.path.basename(command[0]))
    bare, _, status, output = count_outside(lab, *command)
    assert sum(bare.values()) > 20 and bare[EXECVE] >= 1
    for mode in MODES:
        counts, inside, text = count_inside(lab, mode, command)
        differ = {number: (bare.get(number), counts.get(number)) for number in {*bare, *counts}
                  if bare.get(number) != counts.get(number)}
        assert not differ and (inside, text) == (status, output), (mode, 'number: (bare, inside)', differ)


@pytest.mark.parametrize('mode', MODES, ids=' '.join)
@pytest.mark.parametrize('name', [*SAME, *WILD])
def test_none_is_missed(lab, name, mode):
    """The kernel sees none that the resident did not make."""
    command = {**SAME, **WILD}[name]
    if command[0] != STORM:
        tool(os.path.basename(command[0]))
    counts, missed, status, _ = count_outside(lab, SIDES['ours'].program('umvu'), *mode, *command)
    assert sum(counts.values()) > 50
    assert not missed
    assert status == count_outside(lab, *command)[2]


def test_missed_ones_are_seen(lab):
    """Of a program that is taken for the resident, and has its instructions elsewhere, each is missed."""
    counts, missed, _, _ = count_outside(lab, '/bin/true', program=os.path.realpath('/bin/true'))
    assert len(missed) >= sum(counts.values()) - 3 > 10
