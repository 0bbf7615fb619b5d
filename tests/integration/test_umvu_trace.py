# SPDX-License-Identifier: GPL-2.0-or-later
"""umvu --trace: beside strace, with many writers, and as JSON."""

import collections
import json
import platform
import re
import subprocess

import pytest

from vslib.sides import SIDES, tool

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')


def trace(lab, *command, options=()):
    """(lines of the trace, what the program wrote, its status)."""
    file = lab.path('trace')
    done = subprocess.run([SIDES['ours'].program('umvu'), '--trace', file, *options, *command],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
                          check=False)
    with open(file, encoding='utf-8') as stream:
        return stream.read().splitlines(), done.stdout, done.returncode


def names(lines):
    """The calls of lines without a process's number; exec is made before the program is there."""
    return [name for line in lines if (name := line.split('(')[0]) not in ('execve', '')
            and line[0] not in '+-']


@pytest.mark.parametrize('command', [['/bin/true'], ['cat', '/etc/hostname'], ['ls', '/'],
                                     ['sh', '-c', 'cd /; pwd'], ['cat', '/nonexistent']])
def test_the_same_calls_as_strace(lab, command):
    """Call by call what strace sees of a bare run."""
    file = lab.path('strace')
    subprocess.run([tool('strace'), '-qq', '-o', file, *command], stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT, timeout=60, check=False)
    with open(file, encoding='utf-8', errors='replace') as stream:
        bare = names(stream.read().splitlines())
    lines, _, _ = trace(lab, *command)
    assert names([line.partition(' ')[2] for line in lines]) == bare
    assert len(bare) > 20


def test_what_a_line_says(lab):
    """Arguments, results, errors, and how long it took."""
    lines, output, status = trace(lab, 'cat', '/nonexistent/file')
    assert status == 1 and 'No such file' in output
    opened = [line for line in lines if '"/nonexistent/file"' in line and ' openat(' in line]
    assert len(opened) == 1
    assert re.fullmatch(r'\d+ openat\(AT_FDCWD, "/nonexistent/file", O_RDONLY\) = '
                        r'-1 ENOENT \(No such file or directory\) <\d\.\d{6}>', opened[0])
    assert re.fullmatch(r'\d+ exit_group\(1\) = \?', lines[-1])


def test_exec(lab):
    """One that fails comes back, and the line says so; one that does not is unfinished."""
    lines, _, status = trace(lab, 'sh', '-c', '/bin/true; exec /nonexistent')
    assert status == 127
    text = '\n'.join(lines)
    assert re.search(r'execve\("/bin/true", \["/bin/true"\], 0x[0-9a-f]+ <unfinished \.\.\.>', text)
    assert re.search(r'<\.\.\. exec resumed>\) = -1 ENOENT', text)


def test_threads_and_processes(lab):
    """Each line is whole, whoever writes beside; nothing is lost or twice."""
    program = ('import os, threading\n'
               'def work():\n    for _ in range(200): os.getppid()\n'
               'for _ in range(3):\n    os.fork()\n'
               'threads = [threading.Thread(target=work) for _ in range(4)]\n'
               '[thread.start() for thread in threads]\n[thread.join() for thread in threads]\n'
               'try:\n    while True: os.wait()\nexcept ChildProcessError: pass\n')
    lines, _, status = trace(lab, 'python3', '-S', '-c', program)
    assert status == 0
    assert not [line for line in lines if not re.match(r'\d+ (\w+\(|<\.\.\.)', line)]
    calls = collections.Counter(line.split()[0] for line in lines if ' getppid()' in line)
    assert sorted(calls.values())[-32:] == [200] * 32   # Python makes a few for itself


def test_json(lab):
    """One object a line."""
    lines, _, status = trace(lab, 'sh', '-c', '/bin/true; exec /nonexistent',
                             options=['--trace-format', 'json'])
    assert status == 127
    calls = [json.loads(line) for line in lines]
    assert {'thread', 'trace'} == set(calls[0])
    assert calls[-1]['trace']['call'] == 'exit_group'
    execs = [entry['trace'] for entry in calls if entry['trace']['call'] == 'execve']
    assert [entry['arguments']['filename'] for entry in execs] == ['/bin/true'] + ['/nonexistent'] * 2


def test_wrong_files(lab):
    """A trace that cannot be written is told before anything runs."""
    done = subprocess.run([SIDES['ours'].program('umvu'), '--trace', '/nonexistent/trace', 'echo', 'x'],
                          capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (126, '')
    assert '/nonexistent/trace' in done.stderr
    done = subprocess.run([SIDES['ours'].program('umvu'), '--trace-format', 'xml', 'echo'],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2 and 'neither text nor json' in done.stderr
