# SPDX-License-Identifier: GPL-2.0-or-later
"""The sandbox of our vde_switch: what it holds back, what still works, and what it says."""

import errno
import os
import signal
import subprocess

import pytest

from vslib.console import Console
from vslib.frames import BROADCAST, mac, number_of, numbered
from vslib.plugs import settle
from vslib.proc import run, wait_until
from vslib.sides import lacking, tool
from vslib.switch import answers


def landlock():
    """True if the kernel has landlock."""
    probe = ('import ctypes, sys; '
             'sys.exit(ctypes.CDLL(None).syscall(444, None, 0, 1) < 1)')
    return run(['/usr/bin/python3', '-c', probe]).status == 0


@pytest.fixture
def files():
    """For tests of which files can be reached."""
    if not landlock():
        lacking('landlock in the kernel')


@pytest.fixture(params=[False, True], ids=['as-is', 'unprivileged'])
def prefix(request, lab):
    """What to start programs with: as the user of the tests, and (when root) as nobody."""
    if not request.param:
        return []
    if os.geteuid() != 0:
        pytest.skip('not root: the other case is the unprivileged one')
    os.chmod(lab.dir, 0o777)
    os.chmod(lab.home, 0o777)
    return [tool('setpriv'), '--reuid=nobody', '--regid=nogroup', '--clear-groups']


def status_field(pid, name):
    """A field of /proc/PID/status."""
    with open(f'/proc/{pid}/status', encoding='ascii') as stream:
        return next(line.split()[1] for line in stream if line.startswith(f'{name}:'))


def test_is_in_force(lab, ours):
    """A filter and no new privileges; neither with --no-sandbox."""
    switch = lab.switch(ours)
    wait_until(lambda: status_field(switch.pid, 'Seccomp') == '2', 5, 'filter set')
    assert status_field(switch.pid, 'NoNewPrivs') == '1'
    other = lab.switch(ours, '--no-sandbox', name='other')
    other.sync()
    assert status_field(other.pid, 'Seccomp') == '0'
    assert status_field(other.pid, 'NoNewPrivs') == '0'


def test_everything_still_works(lab, ours, prefix):
    """Clients, ports, users, modes, plug-ins, captures, a clean end: all from within."""
    rc = lab.write('boot.rc', 'vlan/create 7\n')
    switch = lab.switch(ours, '-m', '660', '-f', rc, '-p', lab.path('pid'), '--allow-path', lab.dir,
                        argv_prefix=prefix)
    one, two = (lab.raw(switch, port=port, mode=0o777) for port in (1, 2))
    one.send(numbered(BROADCAST, mac(1), 1))
    assert two.expect()
    assert 7 in switch.vlans()
    switch.ok('port/create 9')
    switch.ok('port/setuser 9 nobody')
    switch.ok('port/setgroup 9 daemon')
    switch.ok(f'load {rc}')                         # in the start-up file's directory
    switch.ok('plugin/add dump')
    switch.ok('debug/add dump')
    switch.ok('dump/active 1')
    one.send(numbered(BROADCAST, mac(1), 2))
    switch.console.wait_event('dump/packetin')
    switch.ok(f'capture/start {lab.path("c.pcapng")}')
    one.close()
    wait_until(lambda: len(switch.endpoints()) == 1, 5, 'the plug is gone')
    switch.ok('capture/stop 1')
    assert os.path.getsize(lab.path('c.pcapng')) > 0
    assert os.path.exists(lab.path('pid'))
    assert switch.stop() == 0
    assert not os.path.exists(lab.path('pid'))


def test_library_client(lab, ours, plug_side):
    """A client that is not ours, with a socket of its own in another place."""
    switch = lab.switch(ours)
    plug = lab.stream(plug_side, switch.path)
    raw = lab.raw(switch)
    settle(plug, raw)
    raw.send(numbered(BROADCAST, mac(1), 1))
    assert plug.expect(lambda frame: number_of(frame) == 1)
    elsewhere = lab.path('elsewhere')
    os.mkdir(elsewhere)
    other = lab.raw(switch, where=elsewhere)
    raw.send(numbered(BROADCAST, mac(1), 2))
    assert other.expect(lambda frame: number_of(frame) == 2)
    other.send(numbered(BROADCAST, mac(2), 3))
    assert raw.expect(lambda frame: number_of(frame) == 3)


def test_denied_paths_name_the_remedy(lab, ours, files, prefix):
    """Outside of what was allowed: EACCES, and a line that says what helps."""
    inside = lab.path('inside')
    os.mkdir(inside, 0o777)
    os.chmod(inside, 0o777)
    outside = lab.path('outside')
    os.mkdir(outside, 0o777)
    os.chmod(outside, 0o777)
    script = lab.write('outside/script', 'vlan/create 9\n')
    switch = lab.switch(ours, '--allow-path', inside, argv_prefix=prefix)
    switch.ok(f'capture/start {inside}/x')
    for line, path in ((f'capture/start {outside}/x', f'{outside}/x'),
                       ('plugin/add ' + lab.write('outside/p.so', ''), f'{outside}/p.so')):
        answer = switch.console.fails(line, errno.EACCES)
        assert path in answer.lines[0] and f'--allow-path {outside}' in answer.lines[0]
    answer = switch.console.fails(f'load {script}', errno.EACCES)
    assert any(f'--allow-path {outside}' in line for line in answer.stray)
    assert 9 not in switch.vlans()
    assert 'vde_capture' in switch.console.fails(f'capture/start {outside}/y', errno.EACCES).lines[0]
    switch.check_healthy()


def test_no_sandbox(lab, ours):
    """With --no-sandbox the same commands work."""
    script = lab.write('script', 'vlan/create 9\n')
    switch = lab.switch(ours, '--no-sandbox')
    switch.ok(f'load {script}')
    switch.ok(f'capture/start {lab.path("x")}')
    assert 9 in switch.vlans()


@pytest.mark.parametrize('mode', ['--nostdin', '-d'])
def test_missing_allowed_path(lab, ours, mode):
    """A path that is not there is an error at the start, not a surprise later."""
    result = lab.run([ours.program('vde_switch'), '-s', lab.path('ctl'), mode,
                      '--allow-path', lab.path('nosuch')])
    assert result.status == 1
    assert f'--allow-path {lab.path("nosuch")}' in result.err
    assert not os.path.exists(lab.path('ctl'))


def test_daemon(lab, ours, files):
    """A daemon reads its start-up file again from within, and removes all its names."""
    rc = lab.write('boot.rc', '')
    pid_file, mgmt, ctl = lab.path('pid'), lab.path('mgmt'), lab.path('ctl')
    result = lab.run([ours.program('vde_switch'), '-d', '-s', ctl, '-M', mgmt, '-p', pid_file,
                      '-f', rc])
    assert result.status == 0, result
    with open(pid_file, encoding='ascii') as stream:
        pid = int(stream.read())
    try:
        wait_until(lambda: status_field(pid, 'Seccomp') == '2', 5, 'filter set')
        lab.write('boot.rc', 'vlan/create 8\n')
        os.kill(pid, signal.SIGHUP)

        def reloaded():
            console = Console(mgmt)
            try:
                return console.command('vlan/print 8').code == 0
            finally:
                console.close()
        wait_until(reloaded, 5, 'the new start-up file is read')
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not any(map(os.path.lexists, (pid_file, mgmt, ctl))), 5, 'all names gone')


def test_relative_paths(lab, ours, files):
    """Paths on the command line count from where the switch was started."""
    os.mkdir(lab.path('data'))
    proc = lab.spawn([ours.program('vde_switch'), '-s', 'ctl', '-M', 'mgmt', '--allow-path', 'data'],
                     cwd=lab.dir, stdin=subprocess.PIPE)
    wait_until(lambda: answers(lab.path('mgmt')), 5, proc.describe)
    console = Console(lab.path('mgmt'))
    console.ok('capture/start data/x')
    console.ok(f'capture/start {lab.path("data/y")}')
    console.close()
    proc.signal(signal.SIGTERM)
    assert proc.wait() == 0
    assert not os.path.exists(lab.path('ctl')) and not os.path.exists(lab.path('mgmt'))
