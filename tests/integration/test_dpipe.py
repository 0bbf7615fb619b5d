# SPDX-License-Identifier: GPL-2.0-or-later
"""dpipe: chains, filters, files, status (reference 3.2). Both sides where they agree."""

import fcntl
import os
import pathlib
import signal
import subprocess

import pytest

from vslib.frames import BROADCAST, mac, numbered, number_of
from vslib.proc import pid_exists, wait_until

# Says NAME, then tells on stderr what it heard.
END = 'echo "from $0"; read -r x; echo "$0: $x" >&2'
FILTER = 'read -r x; echo "$0($x)"'


def end(name):
    """A command at the end of a chain."""
    return ['sh', '-c', END, name]


def through(name):
    """A filter for one line."""
    return ['sh', '-c', FILTER, name]


def run(lab, side, *argv, **how):
    """dpipe to its end; Debian's cannot lead a session, so a shell does."""
    shell = [] if side.ours else ['sh', '-c', '"$@"; exit $?', 'sh']
    return lab.run([*shell, side.program('dpipe'), *argv], **how)


@pytest.mark.parametrize('middle, at_b, at_a', [
    (['='], 'from A', 'from B'),
    (['=}', *through('F'), '}='], 'F(from A)', 'from B'),
    (['={', *through('F'), '{='], 'from A', 'F(from B)'),
    (['=}', *through('F'), '}=}', *through('G'), '}='], 'G(F(from A))', 'from B'),
    (['={', *through('F'), '{={', *through('G'), '{='], 'from A', 'F(G(from B))'),
    (['=}', *through('F'), '}={', *through('G'), '{='], 'F(from A)', 'G(from B)'),
    (['={', *through('F'), '{=}', *through('G'), '}='], 'G(from A)', 'F(from B)'),
], ids=['=', '=} }=', '={ {=', '}=}', '{={', '}={', '{=}'])
def test_ways(lab, side, middle, at_b, at_a):
    """Who hears what through which filters."""
    done = run(lab, side, *end('A'), *middle, *end('B'))
    assert done.status == 0
    assert sorted(done.err.splitlines()) == [f'A: {at_a}', f'B: {at_b}']


def test_middle_command(lab, side):
    """Left on the standard descriptors, right on those that the environment names."""
    middle = ('echo left; read -r x; echo "M: $x" >&2; '
              'eval "echo right >&$ALTERNATE_STDOUT; read -r y <&$ALTERNATE_STDIN"; '
              'echo "M: $y" >&2')
    done = run(lab, side, *end('A'), '=', 'sh', '-c', middle, '=', *end('B'))
    assert sorted(done.err.splitlines()) == ['A: left', 'B: right', 'M: from A', 'M: from B']


def test_alternate_numbers(lab, ours):
    """The first free ones; only commands that have two neighbours are told."""
    tell = 'echo "$0 ${ALTERNATE_STDIN-none} ${ALTERNATE_STDOUT-none}" >&2'
    argv = []
    for name in 'ABC':
        argv += ['sh', '-c', tell, name, '=']
    null = os.open('/dev/null', os.O_RDONLY)
    taken = fcntl.fcntl(null, fcntl.F_DUPFD, 20)
    env = dict(lab.env(), ALTERNATE_STDIN='9', ALTERNATE_STDOUT='8')
    done = run(lab, ours, *argv[:-1], env=env, pass_fds=[taken])
    os.close(taken)
    os.close(null)
    assert sorted(done.err.splitlines()) == ['A none none', 'B 3 4', 'C none none']


def test_many_commands(lab, ours):
    """A long chain passes a line all the way."""
    pass_on = 'read -r x; eval "echo $x >&$ALTERNATE_STDOUT"; exec 0<&- 1>&-'
    argv = ['sh', '-c', 'echo far']
    for _ in range(40):
        argv += ['=', 'sh', '-c', pass_on]
    done = run(lab, ours, *argv, '=', 'sh', '-c', 'read -r x; echo "got $x" >&2')
    assert (done.status, done.err) == (0, 'got far\n')


def test_descriptors_are_closed(lab, ours):
    """A command sees its own pipes and no others: the end of one ends its neighbour's input."""
    count = 'ls /proc/self/fd | wc -l >&2; cat'
    done = run(lab, ours, 'true', '=', 'sh', '-c', count)
    assert (done.status, done.err.strip()) == (0, '4')      # 0, 1, 2 and the listing itself


# --- status ---------------------------------------------------------------------------------------

@pytest.mark.parametrize('argv, status', [
    (['sh', '-c', 'exit 3', '=', 'sh', '-c', 'exit 4'], 4),
    (['sh', '-c', 'exit 4', '=', '/no/such/command'], 127),
    (['/no/such/command', '=', 'sh', '-c', 'cat >/dev/null; exit 5'], 5),
    (['-n', 'true', '=', 'sh', '-c', 'exit 6'], 6),
    (['true', '=', 'true', '=', 'sh', '-c', 'exit 7'], 7),
], ids=lambda value: str(value) if isinstance(value, int) else '')
def test_status(lab, ours, argv, status):
    """That of the last command."""
    assert run(lab, ours, *argv).status == status


def test_status_of_signal(lab, ours):
    """128 and the number; Debian's forgets it."""
    assert run(lab, ours, 'true', '=', 'sh', '-c', 'kill -9 $$').status == 137


@pytest.mark.parametrize('argv', [
    [], ['true'], ['true', '='], ['=', 'true'], ['a', '=', '=', 'b'], ['a', '=}', 'b'],
    ['a', '=}', 'b', '=', 'c'], ['a', '}=', 'b'], ['--no-such', 'a', '=', 'b'],
])
def test_usage(lab, ours, argv):
    """What is no chain is refused before anything runs."""
    done = run(lab, ours, *argv)
    assert done.status == 255
    assert 'dpipe' in done.err


def test_waits_for_all(lab, side):
    """It ends with the last command to end, not with the last of the line."""
    path = lab.path('late')
    done = run(lab, side, 'sh', '-c', f'sleep 0.3; echo x > {path}', '=', 'true')
    assert done.status == 0
    assert os.path.exists(path)


# --- signals and files ------------------------------------------------------------------------------

def start(lab, side, *options):
    """A chain that stays, and its pid and pgrp files."""
    pid, group = lab.path('pid'), lab.path('pgrp')
    proc = lab.spawn([side.program('dpipe'), '-p', pid, '-P', group, *options,
                      'sleep', '50', '=', 'sleep', '51'])
    wait_until(lambda: os.path.exists(pid) and os.path.exists(group) and
               pathlib.Path(pid).read_text().endswith('\n') and
               pathlib.Path(group).read_text().endswith('\n'))
    return proc, int(pathlib.Path(pid).read_text()), int(pathlib.Path(group).read_text())


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals(lab, ours, number):
    """The group goes, the files go, the status is the last command's."""
    proc, pid, group = start(lab, ours)
    assert pid == proc.pid
    children = wait_until(lambda: pathlib.Path(
        f'/proc/{pid}/task/{pid}/children').read_text().split())
    os.kill(pid, number)
    assert proc.wait() == 128 + signal.SIGTERM
    assert not any(pid_exists(int(child)) for child in children)
    assert not os.path.exists(lab.path('pid')) and not os.path.exists(lab.path('pgrp'))


def test_group_file(lab, ours):
    """kill -- NUMBER reaches the chain."""
    proc, pid, group = start(lab, ours)
    assert group == -pid
    os.killpg(-group, signal.SIGTERM)
    assert proc.wait() == 143


def test_second_signal_insists(lab, ours):
    """Commands that ignore SIGTERM are killed by the second one."""
    proc = lab.spawn([ours.program('dpipe'), 'true', '=', 'sh', '-c',
                      'trap "" TERM; echo x > ready; while :; do sleep 0.05; done'], cwd=lab.dir)
    wait_until(lambda: os.path.exists(lab.path('ready')))
    proc.signal(signal.SIGTERM)

    def insist():
        if proc.poll() is None:
            proc.signal(signal.SIGTERM)
        return proc.poll() is not None

    wait_until(insist)
    assert proc.wait() == 137


def test_no_wrapper(lab, ours):
    """-n: the process is the last command; a cleaner removes the files behind it."""
    proc, pid, group = start(lab, ours, '-n')
    wait_until(lambda: pathlib.Path(f'/proc/{pid}/comm').read_text() == 'sleep\n')
    assert pathlib.Path(f'/proc/{pid}/cmdline').read_bytes() == b'sleep\x0051\0'
    os.killpg(-group, signal.SIGTERM)
    assert proc.wait() == -signal.SIGTERM
    wait_until(lambda: not os.path.exists(lab.path('pid')))
    wait_until(lambda: not os.path.exists(lab.path('pgrp')))


def test_no_clean(lab, ours):
    """-N leaves the files."""
    proc, _pid, group = start(lab, ours, '-N')
    os.killpg(-group, signal.SIGTERM)
    proc.wait()
    assert os.path.exists(lab.path('pid')) and os.path.exists(lab.path('pgrp'))


def test_daemon(lab, ours):
    """-d returns when all run; stdio is let go."""
    pid = lab.path('pid')
    done = lab.run([ours.program('dpipe'), '-d', '-p', pid, 'sleep', '50', '=', 'sleep', '51'])
    assert (done.status, done.out, done.err) == (0, '', '')
    number = int(pathlib.Path(pid).read_text())
    assert os.getsid(number) == number
    os.kill(number, signal.SIGTERM)
    wait_until(lambda: not pid_exists(number))
    assert not os.path.exists(pid)


def test_ready_fd(lab, ours):
    """A newline once all run."""
    read, write = os.pipe()
    proc = lab.spawn([ours.program('dpipe'), '--ready-fd', str(write), 'sleep', '50', '=', 'cat'],
                     pass_fds=[write])
    os.close(write)
    assert os.read(read, 10) == b'\n'
    assert os.read(read, 10) == b''
    os.close(read)
    proc.signal(signal.SIGTERM)
    proc.wait()


def test_session_leader(lab, ours):
    """Works where it leads a session already (Debian's does not)."""
    done = lab.run(['setsid', '-w', ours.program('dpipe'), 'true', '=', 'sh', '-c', 'exit 9'])
    assert done.status == 9, done.err


def test_cable(lab, ours, plug_side):
    """dpipe vde_plug A = vde_plug B joins two switches."""
    one, two = lab.switch(ours, name='one'), lab.switch(ours, name='two')
    plug = plug_side.program('vde_plug')
    lab.spawn([ours.program('dpipe'), plug, '-D', 'cable', one.path, '=', plug, '-D', 'cable',
               two.path], stdout=subprocess.DEVNULL)
    one.wait_endpoint('cable')
    two.wait_endpoint('cable')
    left, right = lab.raw(one), lab.raw(two)
    for size in (60, 1514):
        left.send(numbered(BROADCAST, mac(1), size, size=size))
        assert number_of(right.expect()) == size
        right.send(numbered(BROADCAST, mac(2), size + 1, size=size))
        assert number_of(left.expect()) == size + 1
