# SPDX-License-Identifier: GPL-2.0-or-later
"""What umvu does while a program runs: statuses, orphans, signals, and jobs of a shell."""

import os
import platform
import signal
import subprocess

import pytest

from vslib.job import Terminal
from vslib.proc import pid_exists, wait_until

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

USAGE = 2


def words(path):
    """The words of a file that a program has finished writing (its last word is a dot), or nothing yet."""
    try:
        with open(path, encoding='ascii') as stream:
            found = stream.read().split()
    except FileNotFoundError:
        return None
    return found[:-1] if found[-1:] == ['.'] else None


@pytest.fixture
def start(lab, ours):
    """A function that starts umvu with arguments, on sh with a script (Proc)."""
    def run(*options, script, **how):
        return lab.spawn([ours.program('umvu'), *options, '/bin/bash', '-c', script], cwd=lab.dir, **how)
    return run


# --- ends -------------------------------------------------------------------------------------------


@pytest.mark.parametrize('number', ['HUP', 'INT', 'KILL', 'SEGV', 'TERM', 'RTMIN'])
def test_status_of_signal(lab, ours, number):
    """As a shell says it."""
    done = lab.run([ours.program('umvu'), '/bin/bash', '-c', f'kill -{number} $$; sleep 100'])
    assert done.status == 128 + (signal.SIGRTMIN if number == 'RTMIN' else getattr(signal, f'SIG{number}'))


def test_parent(start, lab):
    """The program's parent is umvu, in the same session and process group, which lets go of its directory."""
    umvu = start(script='echo $PPID $(ps -o pgid=,sid= -p $$) . >said; read </dev/null; exec sleep 100')
    parent, group, session = map(int, wait_until(lambda: words(lab.path('said'))))
    assert (parent, group, session) == (umvu.pid, umvu.pid, umvu.pid)
    with open(f'/proc/{umvu.pid}/stat', encoding='ascii') as stat:
        assert '(umvu)' in stat.read()


def test_wrong_words(lab, ours):
    """--orphans names its words."""
    done = lab.run([ours.program('umvu'), '--orphans=adopt', '/bin/true'])
    assert done.status == USAGE and 'leave' in done.err


ORPHAN = 'setsid sh -c \'echo $$ . >said; while [ ! -e go ]; do sleep 0.01; done; echo late . >end\' & ' \
         'while [ ! -s said ]; do sleep 0.01; done; exit 5'


def test_orphans_wait(start, lab):
    """umvu ends with the last process, with the program's status."""
    umvu = start('--orphans=wait', script=ORPHAN)
    orphan, = map(int, wait_until(lambda: words(lab.path('said'))))
    wait_until(lambda: f'PPid:\t{umvu.pid}' in open(f'/proc/{orphan}/status', encoding='ascii').read())
    assert umvu.poll() is None
    lab.write('go', '')
    assert umvu.wait() == 5
    assert words(lab.path('end')) == ['late']


def test_orphans_leave(start, lab):
    """umvu ends with the program; the other goes on."""
    umvu = start('--orphans=leave', script=ORPHAN)
    assert umvu.wait() == 5
    assert words(lab.path('end')) is None
    lab.write('go', '')
    assert wait_until(lambda: words(lab.path('end'))) == ['late']


@pytest.mark.parametrize('option', ['--kill-on-exit', '--orphans=kill'])
def test_orphans_kill(start, lab, option):
    """Nothing is left: children of children, other sessions, those that ignore signals, those that fork."""
    umvu = start(option, script='''
        trap "" TERM HUP INT
        setsid sh -c 'sleep 100 & echo $! $$ . >one; wait' &
        (trap "" TERM; while :; do sleep 0.01; done) &
        kill -STOP $!; echo $! . >two
        while [ ! -s one ] || [ ! -s two ]; do sleep 0.01; done
        exit 6''')
    assert umvu.wait() == 6
    left = [int(pid) for name in ('one', 'two') for pid in words(lab.path(name))]
    assert len(left) == 3 and not any(map(pid_exists, left))


def test_killed_umvu(start, lab):
    """With --kill-on-exit the program dies with umvu, else it goes on."""
    umvu = start('--kill-on-exit', script='echo $$ . >said; exec sleep 100')
    pid, = map(int, wait_until(lambda: words(lab.path('said'))))
    umvu.signal(signal.SIGKILL)
    umvu.wait()
    wait_until(lambda: not pid_exists(pid))
    os.unlink(lab.path('said'))
    umvu = start(script='echo $$ . >said; while [ ! -e go ]; do sleep 0.01; done; echo on . >end')
    wait_until(lambda: words(lab.path('said')))
    umvu.signal(signal.SIGKILL)
    umvu.wait()
    lab.write('go', '')
    assert wait_until(lambda: words(lab.path('end'))) == ['on']


def test_closed_output(start, lab):
    """What the program closes is closed: the reader of a pipe sees its end, though umvu runs."""
    umvu = start(stdout=subprocess.PIPE,
                 script='echo hello; exec >&-; while [ ! -e go ]; do sleep 0.01; done; exit 4')
    assert umvu.stdout.read() == b'hello\n'
    assert umvu.poll() is None
    lab.write('go', '')
    assert umvu.wait() == 4


def test_ignored_children(lab, ours):
    """Who ignores SIGCHLD, and blocks a signal, hands that on; and umvu sees the end nevertheless."""
    script = ('import signal, sys\n'
              'print(signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN, signal.pthread_sigmask(0, []))\n'
              'sys.exit(3)')
    starter = ('import os, signal, sys\n'
               'signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n'
               'signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])\n'
               'os.execv(sys.argv[1], sys.argv[1:])')
    command = ['/usr/bin/python3', '-c', script]
    bare = lab.run(['/usr/bin/python3', '-c', starter, *command])
    inside = lab.run(['/usr/bin/python3', '-c', starter, ours.program('umvu'), *command])
    assert bare.out.startswith('True {<Signals.SIGUSR2')
    assert (inside.status, inside.out) == (bare.status, bare.out) == (3, bare.out)


# --- signals -------------------------------------------------------------------------------------------

LISTEN = 'for name in HUP INT QUIT USR1 USR2 TERM WINCH ALRM; do trap "echo $name >>got" $name; done; ' \
         'trap "exit 8" RTMIN; : >got; echo $$ . >said; while :; do sleep 0.01; done'


def got(lab):
    """The signals that the program has had."""
    with open(lab.path('got'), encoding='ascii') as stream:
        return stream.read().split()


def test_signals_are_passed_on(start, lab):
    """Each that somebody sends to umvu comes to the program, once."""
    umvu = start(script=LISTEN)
    wait_until(lambda: words(lab.path('said')))
    sent = []
    for name in ('HUP', 'INT', 'QUIT', 'USR1', 'USR2', 'TERM', 'WINCH', 'ALRM'):
        umvu.signal(getattr(signal, f'SIG{name}'))
        sent.append(name)
        wait_until(lambda: got(lab) == sent, what=lambda: f'{got(lab)} {sent}')
    umvu.signal(signal.SIGRTMIN)
    assert umvu.wait() == 8


def test_signals_of_the_view(start, lab):
    """What a program sends to its group, and so to umvu, does not come back to it."""
    umvu = start(script='trap "echo one >>got" USR1; : >got; kill -USR1 0; kill -USR1 $PPID; '
                        'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.01; done; exit 7')
    assert umvu.wait() == 7
    assert got(lab) == ['one']


def test_term_ends_the_view(start, lab):
    """When the program has ended, the others get what comes."""
    umvu = start(script=ORPHAN)
    orphan, = map(int, wait_until(lambda: words(lab.path('said'))))
    wait_until(lambda: f'PPid:\t{umvu.pid}' in open(f'/proc/{orphan}/status', encoding='ascii').read())
    umvu.signal(signal.SIGTERM)
    assert umvu.wait() == 5
    assert not pid_exists(orphan)


# --- jobs ------------------------------------------------------------------------------------------------


@pytest.fixture
def shell(lab):
    """An interactive shell, not in a view, on a terminal."""
    terminal = Terminal(['/bin/bash', '--norc', '--noprofile', '-i'], lab.env(PS1='$ ', TERM='dumb'), lab.dir)
    terminal.expect('$ ')
    yield terminal
    terminal.send('\x03\nexit 0\n')
    terminal.end()


def test_job(shell, ours):
    """umvu as a job of a shell: stopped, in the foreground again, interrupted."""
    shell.send(f"{ours.program('umvu')} sh -c 'echo ready; exec cat'\n")
    shell.expect('ready\r\n')
    shell.send('typed\n')
    shell.expect('typed\r\ntyped')
    shell.send('\x1a')
    shell.expect('Stopped')
    shell.send('jobs -r | wc -l; fg\n')
    shell.expect("0\r\n")
    shell.expect('exec cat')
    shell.send('again\n')
    shell.expect('again\r\nagain')
    shell.send('\x03')
    shell.expect('$ ')
    shell.send('echo status $?\n')
    shell.expect('status 130')


def test_job_in_the_background(shell, ours):
    """It reads in the background, and stops; it is continued by its number, and goes on."""
    shell.send(f"{ours.program('umvu')} sh -c 'read line; echo got $line; exit 5' &\n")
    shell.send('while [ -z "$(jobs -s)" ]; do :; done; echo stopped $((1 + 1))\n')
    shell.expect('stopped 2')
    shell.send('fg\n')
    shell.expect('exit 5')
    shell.send('words\n')
    shell.expect('got words')
    shell.send('echo status $?\n')
    shell.expect('status 5')


def test_job_that_catches(shell, ours):
    """A program that goes on after an interrupt and does not stop is neither lost nor stopped."""
    shell.send(f"{ours.program('umvu')} bash -c 'trap \"echo caught\" INT; trap \"\" TSTP; echo ready; "
               "while read line; do echo got $line; done; exit 3'\n")
    shell.expect('ready\r\n')
    shell.send('\x03')
    shell.expect('caught')
    shell.send('\x1a')
    shell.send('after\n')
    shell.expect('got after')
    shell.send('\x04')
    shell.expect('$ ')
    shell.send('echo status $?\n')
    shell.expect('status 3')


def test_shell_in_the_view(shell, ours):
    """An interactive shell inside has its own jobs, and `suspend` gives the terminal back."""
    shell.send(f"PS1='in> ' {ours.program('umvu')} bash --norc --noprofile -i\n")
    shell.expect('in> ')
    shell.send("sh -c 'echo ready; exec cat'\n")
    shell.expect('ready\r\n')
    shell.send('\x1a')
    shell.expect('Stopped')
    shell.expect('in> ')
    shell.send('suspend -f\n')
    shell.expect('Stopped')
    shell.expect('$ ')
    shell.send('echo outer $((1 + 1)); fg\n')
    shell.expect('outer 2')
    shell.expect('-i')
    shell.send('\n')
    shell.expect('in> ')
    shell.send('kill -9 %1; while [ -n "$(jobs -s)" ]; do :; done; exit 4\n')
    shell.expect('exit 4')
    shell.expect('$ ')
    shell.send('echo status $?\n')
    shell.expect('status 4')


def test_terminal_goes(lab, ours):
    """umvu leads the session: when the terminal goes, the program is told, as if it led it."""
    terminal = Terminal([ours.program('umvu'), '/bin/bash', '-c',
                         'trap "echo hup . >end; exit" HUP; echo ready; while :; do sleep 0.01; done'],
                        lab.env(), lab.dir)
    terminal.expect('ready')
    os.close(terminal.master)
    assert wait_until(lambda: words(lab.path('end'))) == ['hup']
    wait_until(lambda: os.waitpid(terminal.pid, os.WNOHANG)[0])


def test_job_is_killed(shell, ours, lab):
    """SIGCONT after SIGTERM, as shells do it, ends a stopped job."""
    shell.send(f"{ours.program('umvu')} sh -c 'echo $$ . >said; exec sleep 100'\n")
    pid, = map(int, wait_until(lambda: words(lab.path('said'))))
    shell.send('\x1a')
    shell.expect('Stopped')
    shell.send('kill %1\n')
    wait_until(lambda: not pid_exists(pid))
