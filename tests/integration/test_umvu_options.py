# SPDX-License-Identifier: GPL-2.0-or-later
"""The options of umvu that are about messages and about what runs before the program."""

import os
import platform
import stat

import pytest

from vslib.sides import BUILD

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

UMVU = BUILD / 'bin/umvu'


def script(path, text, mode=0o755):
    """An executable script."""
    with open(path, 'w', encoding='utf-8') as file:
        file.write(f'#!/bin/sh\n{text}\n')
    os.chmod(path, mode)
    return path


@pytest.fixture(name='run')
def fixture_run(lab):
    """Runs umvu with a home of its own, and our programs found."""
    home = lab.path('home')
    os.makedirs(home, exist_ok=True)

    def run(*arguments):
        return lab.run(['/usr/bin/env', f'HOME={home}', f'PATH={BUILD}/bin:/usr/bin:/bin', UMVU, *arguments])
    run.home = home
    return run


def test_rc_file_of_the_user(run):
    """It runs in the view, before the program; it may be left out."""
    script(f'{run.home}/.vurc', 'echo rc; vuname lab')
    done = run('vuname', '-V')
    assert (done.status, done.out.split()) == (0, ['rc', 'lab'])
    for option in ('-N', '--norc'):
        assert run(option, '-V', 'own', 'vuname', '-V').out == 'own\n'


def test_rc_file_that_may_not_be_executed(run):
    """It is none."""
    script(f'{run.home}/.vurc', 'echo rc', 0o644)
    assert run('echo', 'program').out == 'program\n'


def test_status_of_rc_file(run):
    """It does not matter; but one that is killed ends all."""
    for status in (3, 137, 255):  # also those that a shell gives for a child that was killed
        script(f'{run.home}/.vurc', f'exit {status}')
        assert run('echo', 'program').out == 'program\n'
    script(f'{run.home}/.vurc', 'kill -9 $$')
    done = run('echo', 'program')
    assert (done.status, done.out) == (2, '') and 'was killed by signal 9' in done.err


def test_another_rc_file(run, lab):
    """Instead of the usual ones; it has to be there."""
    script(f'{run.home}/.vurc', 'echo usual')
    other = script(lab.path('other'), 'echo other; sleep 0.05')
    assert run('-f', other, 'echo', 'program').out == 'other\nprogram\n'
    assert run(f'--rc={other}', '/bin/sh', '-c', 'exit 5').status == 5
    done = run('-f', lab.path('none'), 'echo', 'program')
    assert (done.status, done.out) == (127, '') and 'no such program' in done.err


def test_rc_file_leaves_a_process_behind(run, lab):
    """The view has it as others, and waits for it in the end."""
    end = lab.path('end')
    script(f'{run.home}/.vurc', f'(while [ ! -e {end} ]; do sleep 0.01; done; echo late) &')
    done = run('/bin/sh', '-c', f'echo program; touch {end}')
    assert done.out == 'program\nlate\n'


def test_messages_to_a_file(run, lab):
    """Those of umvu and of what is in its programs."""
    path = lab.path('messages')
    script(path, 'before')
    done = run('-o', path, 'nosuch')
    with open(path, encoding='utf-8') as file:
        assert (done.status, done.err, file.read()) == (127, '', 'umvu: nosuch: there is no such program\n')
    static32 = lab.path('foreign')
    with open(static32, 'wb') as file:
        file.write(b'\x7fELF\x01\x01\x01' + bytes(9) + b'\x02\x00\x03\x00' + bytes(60))
    os.chmod(static32, stat.S_IRWXU)
    done = run('-o', path, '/bin/sh', '-c', f'{static32} 2>/dev/null; echo "$?"')
    with open(path, encoding='utf-8') as file:
        assert 'foreign' in file.read() and done.err == ''
    assert 'cannot write messages' in run('-o', f'{path}/x', 'true').err


def test_levels(run):
    """Errors are shown up to a level; a level is one digit."""
    assert run('-l', '3', 'nosuch').err != ''
    assert run('--loglevel=0', '--syslog=3', 'nosuch').err != ''
    for option in ('-l', '-s'):
        done = run(option, '8', 'true')
        assert done.status == 2 and 'not a level from 0 to 7' in done.err


def test_options_of_the_old_program(run):
    """They mean what comes nearest."""
    for option in ('-x', '--nonesting', '-S', '--noseccomp', '--seccomp'):
        assert run(option, '/bin/sh', '-c', 'exit 7').status == 7
    assert 'Seccomp:\t2' in run('--seccomp', '/bin/cat', '/proc/self/status').out
    assert 'Seccomp:\t0' in run('-S', '/bin/cat', '/proc/self/status').out


@pytest.mark.parametrize('arguments, words', [
    (['-V', 'n' * 65, 'true'], 'at most 64 bytes'),
    (['-V', 'a\nb', 'true'], 'no control characters'),
    (['--trace-split', 'true'], 'needs a name'),
    (['--trace-split', '--trace-output=-', 'true'], 'needs a name'),
    (['--check', 'ls'], 'runs no program'),
    (['--json', 'true'], 'for --check'),
    ([], 'which program'),
    (['--trace-time=clock,none', 'true'], 'none, and others'),
    (['--confine-net=udp,none', 'true'], 'none, and others'),
])
def test_wrong_usage(run, arguments, words):
    """Options that say nothing, or two things, are an error of usage before anything runs."""
    done = run(*arguments)
    assert (done.status, done.out) == (2, '') and words in done.err and '--help' in done.err


@pytest.mark.parametrize('arguments', [['-o', '/nowhere/at/all'], ['--trace-output', '/nowhere/at/all']])
def test_file_that_cannot_be_written(run, arguments):
    """It is no matter of the program's: the status is not that of one that is not found."""
    done = run(*arguments, 'true')
    assert done.status == 126 and '/nowhere/at/all' in done.err and 'No such file' in done.err


@pytest.mark.parametrize('arguments', [['umvu', '--help'], ['umvu', '--version'], ['umvu', '--check'],
                                       ['umvu', 'vuname'], ['vuname', '-a'], ['vudebug', '--version']])
def test_full_disk(lab, arguments):
    """What cannot be printed is an error."""
    done = lab.run(['/bin/sh', '-c', f'PATH={BUILD}/bin; {" ".join(arguments)} >/dev/full'])
    assert done.status == 1 and 'cannot write to standard output' in done.err
