# SPDX-License-Identifier: GPL-2.0-or-later
"""umvu: programs that take away what exec needs (the root, /proc, descriptors, limits), and go on."""

import os
import pathlib
import platform
import resource
import shutil
import stat
import subprocess

import pytest

from vslib.sides import tool

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

WAYS = ('dispatch', 'filter')
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason='needs root')


@pytest.fixture(name='same')
def same_(lab, ours):
    """A function that runs a command bare and with both traps: the output has to be the same."""
    def run(command, **how):
        bare = lab.run(command, timeout=30, **how)
        for way in WAYS:
            done = lab.run([ours.program('umvu'), f'--trap={way}', *command], timeout=30, **how)
            assert (done.status, done.out, done.err) == (bare.status, bare.out, bare.err)
        return bare
    return run


def make_root(lab):
    """A directory with busybox and nothing more."""
    root = pathlib.Path(lab.path('root'))
    (root / 'bin').mkdir(parents=True)
    shutil.copy(tool('busybox'), root / 'bin/busybox')
    for name in ('sh', 'echo', 'ls', 'cat', 'chroot'):
        (root / 'bin' / name).symlink_to('busybox')
    (root / 'bin/script').write_text('#!/bin/sh\nexec /bin/echo "$0" "$@"\n')
    (root / 'bin/script').chmod(0o755)
    return root


@needs_root
def test_chroot(lab, same):
    """In another root, without /proc, programs and scripts are executed as before."""
    root = make_root(lab)
    done = same(['chroot', str(root), '/bin/sh', '-c',
                 '/bin/echo one; /bin/script two; /bin/chroot /bin /busybox echo three; '
                 '(/bin/ls / | /bin/cat)'])
    assert done.out == 'one\n/bin/script two\nthree\nbin\n' and done.status == 0


def can(lab, *command):
    """Whether the machine allows that at all."""
    return lab.run(command).status == 0


def test_namespaces(lab, same):
    """With namespaces of its own a program goes on to execute others, also where all is mounted over."""
    command = ['unshare', '-rmn']
    if not can(lab, *command, 'true'):
        pytest.skip('user namespaces are not allowed here')
    done = same([*command, '/bin/sh', '-c', 'id -u; mount -t tmpfs none /proc && ls /proc; /bin/echo on'])
    assert done.out.split() == ['0', 'on']


@pytest.mark.parametrize('name', ['all', 'noproc', 'proc', 'cleared'])
def test_bubblewrap(lab, same, name):
    """bwrap makes a root of its own, closes what it has inherited, and executes the program there."""
    wrap = [tool('bwrap'), '--unshare-all', '--ro-bind', '/usr', '/usr', '--symlink', 'usr/lib', '/lib',
            '--symlink', 'usr/lib64', '/lib64', '--symlink', 'usr/bin', '/bin']
    more = {'all': ['--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp', '--die-with-parent',
                    '--new-session'],
            'noproc': [], 'proc': ['--proc', '/proc'], 'cleared': ['--clearenv', '--setenv', 'A', 'b']}[name]
    if not can(lab, *wrap, '--proc', '/proc', '/bin/true'):
        pytest.skip('bubblewrap cannot run here')
    script = 'env true && echo $A; ls / | sort | tail -2; sh -c "exec /bin/echo two"; ls /proc/self/fd 2>&1'
    done = same([*wrap, *more, '/bin/sh', '-c', script])
    assert done.status in (0, 2) and 'two' in done.out


CLOSERS = {
    'loop': 'import os\nfor fd in range(3, 2000):\n try: os.close(fd)\n except OSError: pass\n',
    'closerange': 'import os\nos.closerange(3, 1 << 30)\n',
    'listing': 'import os\nfor fd in os.listdir("/proc/self/fd"):\n'
               ' if int(fd) > 2:\n  try: os.close(int(fd))\n  except OSError: pass\n',
    'marked': 'import fcntl\nfor fd in range(3, 2000):\n'
              ' try: fcntl.fcntl(fd, fcntl.F_SETFD, 1)\n except OSError: pass\n',
    'subprocess': 'import subprocess\nsubprocess.run(["/bin/echo", "first"], close_fds=True)\n',
}


@pytest.mark.parametrize('name', CLOSERS)
def test_closefrom(same, name):
    """Whoever closes all descriptors that there may be can execute programs all the same."""
    script = CLOSERS[name] + 'import os\nos.execv("/bin/sh", ["sh", "-c", "/bin/echo fine; /bin/true"])\n'
    assert same(['/usr/bin/python3', '-c', script]).out.endswith('fine\n')


def test_descriptors_listed(same):
    """A listing of descriptors is as it is outside, whoever's it is."""
    same(['/bin/sh', '-c', 'ls /proc/self/fd /proc/thread-self/fdinfo | wc -l'])
    same(['/usr/bin/python3', '-c', 'import os; print(sorted(os.listdir("/proc/self/fd"), key=int))'])


@pytest.mark.parametrize('limit', [20, 64, 256, 1024])
def test_small_limits(lab, ours, limit):
    """With a low hard limit too programs are executed, and see the limit that was set."""
    script = f'ulimit -n {limit}; exec "$@"'
    inner = 'ulimit -n; ulimit -Hn; /bin/sh -c "ulimit -n; /bin/true && exec /bin/echo fine"'
    for way in WAYS:
        command = [ours.program('umvu'), f'--trap={way}', '/bin/sh', '-c', inner]
        done = lab.run(['/bin/sh', '-c', script, 'sh', *command])
        assert done.out == f'{limit}\n' * 3 + 'fine\n', done


def test_limit_of_its_own(same):
    """A program that changes its limit of descriptors sees what it has set, and so do its children."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft > 300 or hard > 300
    same(['/bin/sh', '-c', 'ulimit -n; ulimit -Sn 300; ulimit -n; /bin/sh -c "ulimit -n"; '
          'ulimit -Sn $(ulimit -Hn); ulimit -n; ulimit -n 10; /bin/sh -c "ulimit -n; ulimit -Hn"'])


def test_inherited_at_the_place(lab, ours):
    """Where a descriptor of the caller's has our numbers, it stays the program's."""
    with open(lab.path('file'), 'w', encoding='ascii') as file:
        file.write('kept\n')
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1100:
        pytest.skip('the limit of descriptors is too low')
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1100), hard))
    fd = os.open(lab.path('file'), os.O_RDONLY)
    try:
        os.dup2(fd, 1024)
        done = subprocess.run([ours.program('umvu'), '/bin/sh', '-c', 'exec /bin/cat /proc/self/fd/1024'],
                              pass_fds=[1024], capture_output=True, text=True, timeout=30, check=False)
        assert stat.S_ISREG(os.fstat(1024).st_mode)
    finally:
        os.close(1024)
        os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert done.stdout == 'kept\n', done
