# SPDX-License-Identifier: GPL-2.0-or-later
"""Options of vde_switch, daemon mode, files it leaves and finds, signals, exit statuses.

Reference 3.3. Debian's ignores wrong options and numbers and goes on; ours says what is wrong and
ends with status 1 before it has made anything.
"""

import os
import re
import signal
import socket
import stat
import subprocess

import pytest

from vslib.console import Console
from vslib.frames import BROADCAST, is_type, mac, numbered
from vslib.proc import pid_exists, wait_until
from vslib.sides import need_tun, tool
from vslib.switch import answers


def switch_command(lab, side, *options, name='s'):
    """A command line with its own directory."""
    return [side.program('vde_switch'), '-s', lab.path(name), *map(str, options)]


def run_switch(lab, side, *options, stdin=b'', **how):
    """Run one to its end; with nothing on stdin it ends as soon as it reads it."""
    return lab.run(switch_command(lab, side, *options), stdin=stdin, **how)


class Daemon:
    """A switch that was started with -d; ended by its pid file."""

    def __init__(self, lab, side, *options, **how):
        self.pid_file = lab.path('pid')
        self.mgmt = lab.path('mgmt')
        self.done = lab.run([*how.pop('prefix', ()), *switch_command(
            lab, side, '-d', '-p', self.pid_file, '-M', self.mgmt, *options)], **how)
        self.path = lab.path('s')
        lab.keep(self)

    def pid(self):
        """The process of the pid file, 0 when there is none."""
        try:
            with open(self.pid_file, encoding='ascii') as stream:
                return int(stream.read() or 0)
        except FileNotFoundError:
            return 0

    def wait_up(self):
        """Debian's parent returns before the sockets are there."""
        wait_until(lambda: self.pid() and answers(self.mgmt), 5, 'the daemon')

    def close(self):
        """End of the test."""
        pid = self.pid()
        if pid and pid_exists(pid):
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not pid_exists(pid), 5, f'end of {pid}')


# --- information --------------------------------------------------------------------------------

@pytest.mark.parametrize('option', ['-h', '--help', '-help'])
def test_help(lab, side, option):
    """On stdout, status 1, nothing made; it names every option."""
    done = run_switch(lab, side, option)
    assert done.status == 1
    assert not os.path.exists(lab.path('s'))
    assert done.out.startswith('Usage: vde_switch')
    for name in ('-h', '-v', '-n', '-x', '-F', '-s', '-m', '-g', '-d', '-p', '-f', '-M', '-t',
                 '--help', '--version', '--numports', '--hub', '--fstp', '--macaddr', '--priority',
                 '--hashsize', '--sock', '--mode', '--dirmode', '--group', '--daemon', '--pidfile',
                 '--rcfile', '--mgmt', '--mgmtmode', '--mgmtgroup', '--tap'):
        assert re.search(rf'(^|[\s,]){name}\b', done.out), name


@pytest.mark.parametrize('option', ['-v', '--version', '-version'])
def test_version(lab, side, option):
    """On stdout, status 0, nothing made."""
    done = run_switch(lab, side, option)
    assert done.status == 0
    assert re.search(r'\d+\.\d+', done.out.splitlines()[0])
    assert not done.err
    assert not os.path.exists(lab.path('s'))


# --- wrong use ----------------------------------------------------------------------------------

@pytest.mark.parametrize('options', [
    ('--nonsense',), ('-n',), ('-n', 'x'), ('-n', '0'), ('-n', '-3'), ('--hashsize', 'x'),
    ('--hashsize', '0'), ('--priority', 'x'), ('--priority', '65536'), ('-m', '999'),
    ('-m', 'rw'), ('--dirmode', '9'), ('--mgmtmode', 'x'), ('--macaddr', 'zz'),
    ('--macaddr', '1:2:3'), ('--macaddr', '01:00:00:00:00:01'), ('-g', 'no-such-group'),
    ('-M', '/nonexistent/x'), ('an operand',), ('-x', '-F'), ('-f', '/nonexistent')],
    ids=' '.join)
def test_wrong_options(lab, ours, options):
    """Ours: status 1, a sentence on stderr, no directory."""
    done = run_switch(lab, ours, *options)
    assert done.status == 1, done
    assert 'vde_switch' in done.err
    assert not os.path.exists(lab.path('s'))


@pytest.mark.parametrize('options, what', [
    (('--macaddr', 'zz'), 'zz'), (('-n', '0'), 'port'), (('-g', 'no-such-group'), 'no-such-group'),
    (('operand',), '')], ids=lambda value: ' '.join(value))
def test_wrong_options_of_both(lab, side, options, what):
    """What Debian's refuses too."""
    done = run_switch(lab, side, *options)
    assert done.status == 1
    assert what in done.err
    assert not os.path.exists(lab.path('s'))


def test_no_directory_to_be_in(lab, side):
    """The parent of the control directory is not there: said, with the path, and a status."""
    where = lab.path('nothing', 's')
    done = lab.run([side.program('vde_switch'), '-s', where])
    assert done.status not in (0, None) and done.status > 0
    assert where in done.err
    assert 'No such file or directory' in done.err


def test_a_file_in_place_of_the_directory(lab, side):
    """Refused; the file stays."""
    lab.write('s', 'precious')
    done = run_switch(lab, side)
    assert done.status > 0
    assert open(lab.path('s'), encoding='ascii').read() == 'precious'


# --- each option --------------------------------------------------------------------------------

@pytest.mark.parametrize('form', ['-s', '--sock', '--vdesock', '--unix', '-sock', '-unix'])
def test_forms_of_sock(lab, side, form):
    """Aliases, and long names with one dash."""
    where = lab.path('elsewhere')
    done = lab.run([side.program('vde_switch'), form, where], stdin=b'ds/showinfo\n')
    assert done.status == 0, done
    assert f'ctl dir {where}' in done.out


@pytest.mark.parametrize('form', ['-n 7', '-n7', '--numports 7', '--numports=7', '-numports 7'])
def test_numports(lab, side, form):
    """Number of ports, in every form of option."""
    done = run_switch(lab, side, *form.split(), stdin=b'port/showinfo\n')
    assert 'Numports=7\n' in done.out


@pytest.mark.parametrize('option', ['-x', '--hub'])
def test_hub(lab, switch_side, option):
    """Everything goes everywhere, but not to port 0."""
    switch = lab.switch(switch_side, option)
    assert switch.ok('port/showinfo')[1] == 'HUB=true'
    one, two, three = (lab.raw(switch) for _ in range(3))
    management = lab.raw(switch, kind=1)
    for number in range(2):
        frame = numbered(mac(2), mac(1), number)
        one.send(frame)
        assert two.recv() == frame
        assert three.recv() == frame
        answer = numbered(mac(1), mac(2), number)
        two.send(answer)
        assert one.recv() == answer
        assert three.recv() == answer
    switch.sync()
    assert not management.drain()
    assert not switch.macs()


@pytest.mark.parametrize('option', ['-F', '--fstp'])
def test_fstp(lab, switch_side, option):
    """On from the start; the switch says so and speaks."""
    switch = lab.switch(switch_side, option, '--priority', '0x7000',
                        '--macaddr', '02:00:00:00:00:0a')
    assert switch.ok('fstp/showinfo')[:2] == ['MAC 02:00:00:00:00:0a Priority 28672 (0x7000)',
                                              'FSTP=true']
    plug = lab.raw(switch)
    unit = plug.expect(lambda frame: frame[:6] == bytes.fromhex('0180c2000000'), timeout=10)
    assert unit[14:17] == bytes.fromhex('424203')


@pytest.mark.parametrize('text', ['02:00:00:00:be:ef', '2.0.0.0.BE.ef', '02:0:0:0:be:EF'])
def test_macaddr(lab, switch_side, text):
    """Both separators, one or two digits."""
    switch = lab.switch(switch_side, '--macaddr', text)
    assert ' MAC 02:00:00:00:be:ef ' in switch.ok('showinfo')[3]


def test_default_macs_differ(lab, switch_side):
    """00:ff and four random bytes."""
    macs = {lab.switch(switch_side, name=f'sw{n}').ok('showinfo')[3].split()[3] for n in range(4)}
    assert len(macs) == 4
    assert all(text.startswith('00:ff:') for text in macs)


@pytest.mark.parametrize('given, used', [(64, 64), (100, 128), (1, 1), (129, 256)])
def test_hashsize(lab, switch_side, given, used):
    """Rounded up to a power of two, with a warning when that changes it."""
    switch = lab.switch(switch_side, '--hashsize', given)
    assert switch.ok('hash/showinfo')[0] == f'Hash size {used}'
    warned = re.search('power of (2|two)', switch.proc.output())
    assert bool(warned) == (given != used)


def test_debugclients_is_accepted(lab, switch_side):
    """Old command lines have it; it does nothing."""
    switch = lab.switch(switch_side, '-D', '5', '--debugclients', '6')
    assert switch.ok('showinfo')


def test_no_management_socket(lab, switch_side):
    """Without -M there is none, and showinfo on stdin has no line of it."""
    done = run_switch(lab, switch_side, stdin=b'showinfo\n')
    assert done.status == 0
    assert 'pid ' in done.out and 'mgmt ' not in done.out


# --- rc files -----------------------------------------------------------------------------------

def test_rcfile(lab, switch_side):
    """Lines of the file are commands, run before anybody can connect."""
    rc = lab.write('rc', '# a comment\nport/create 9\nvlan/create 5\nport/setvlan 9 5\n')
    for option in ('-f', '--rcfile'):
        switch = lab.switch(switch_side, option, rc, name=f'sw{option}')
        assert switch.port(9).vlan == 5
        assert 'rc' in os.listdir(lab.dir)


def test_rcfile_of_the_user(lab, switch_side):
    """~/.vde2/vde_switch.rc is read without being asked for; -f overrides it."""
    os.mkdir(os.path.join(lab.home, '.vde2'))
    lab.write('home/.vde2/vde_switch.rc', 'port/create 8\n')
    assert set(lab.switch(switch_side, name='one').ports()) == {8}
    other = lab.write('other', 'port/create 9\n')
    assert set(lab.switch(switch_side, '-f', other, name='two').ports()) == {9}


def test_rcfile_without_final_newline(lab, switch_side):
    """The last line counts as well."""
    rc = lab.write('rc', 'port/create 9\nport/create 10')
    assert set(lab.switch(switch_side, '-f', rc).ports()) == {9, 10}


def test_rcfile_errors_are_logged(lab, ours):
    """Reference 5.3: silent in Debian's. The line and its number are named; the rest is run."""
    rc = lab.write('rc', 'port/create 9\nport/create 9\nnonsense here\nport/create 10\n')
    switch = lab.switch(ours, '-f', rc)
    assert set(switch.ports()) == {9, 10}
    log = switch.proc.output()
    assert 'nonsense here' in log
    assert 'File exists' in log
    assert rc in log


# --- files --------------------------------------------------------------------------------------

def test_names_of_a_running_switch(lab, switch):
    """The directory with ctl, the management socket; all gone at the end."""
    assert stat.S_ISSOCK(os.lstat(os.path.join(switch.path, 'ctl')).st_mode)
    assert stat.S_ISSOCK(os.lstat(switch.mgmt_path).st_mode)
    lab.raw(switch)
    assert switch.stop() == 0
    assert not switch.leftovers()


def test_second_switch_in_the_same_directory(lab, switch):
    """Refused while the first one answers, which goes on."""
    done = lab.run([switch.side.program('vde_switch'), '-s', switch.path])
    assert done.status > 0
    assert re.search('could not bind|in use', done.err, re.I), done.err
    one, two = lab.raw(switch), lab.raw(switch)
    one.send(numbered(BROADCAST, mac(1), 1))
    assert two.recv()


def test_management_socket_in_use(lab, ours):
    """A second switch may not take over a management socket that answers, nor go on without one."""
    switch = lab.switch(ours)
    done = run_switch(lab, ours, '-M', switch.mgmt_path)
    assert done.status == 1
    assert switch.mgmt_path in done.err
    assert Console(switch.mgmt_path).ok('showinfo')


def test_stale_names_are_replaced(lab, switch):
    """After kill -9 the next one starts in the same place."""
    lab.raw(switch)
    switch.kill()
    assert os.path.lexists(os.path.join(switch.path, 'ctl'))
    switch.start()
    one, two = lab.raw(switch), lab.raw(switch)
    one.send(numbered(BROADCAST, mac(1), 1))
    assert two.recv()
    assert switch.stop() == 0


def test_only_stale_names_are_removed(lab, ours):
    """Sockets that somebody holds, other names, and other files stay when a switch starts."""
    os.mkdir(lab.path('switch.ctl'))
    held = {}
    for name in ('007.7', '.00007-00000', 'other', '7.x', '.7'):
        held[name] = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        held[name].bind(lab.path('switch.ctl', name))
    for name in ('other', '7.x', '.7'):
        held.pop(name).close()              # stale, but no names of ours
    for name in ('001.5', '.00001-00000'):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
            dead.bind(lab.path('switch.ctl', name))
    lab.write('switch.ctl/002.5', 'a file')
    switch = lab.switch(ours)
    names = set(os.listdir(switch.path)) - {'ctl', 'ring'}
    assert names == {'007.7', '.00007-00000', 'other', '7.x', '.7', '002.5'}
    for stream in held.values():
        stream.close()
    for name in names:
        os.unlink(os.path.join(switch.path, name))


def test_directory_that_exists(lab, switch_side):
    """An empty directory is used."""
    os.mkdir(lab.path('switch.ctl'))
    switch = lab.switch(switch_side)
    lab.raw(switch)


def test_foreign_files_stay(lab, ours):
    """What somebody else put into the directory is not removed with it."""
    switch = lab.switch(ours)
    kept = lab.write('switch.ctl/precious', 'x')
    switch.drop_console()
    switch.proc.signal(signal.SIGTERM)
    assert switch.proc.wait() == 0
    assert os.listdir(switch.path) == ['precious']
    assert os.path.exists(kept)


def test_default_directory_of_root(lab, switch_side):
    """Root's default is /var/run/vde.ctl; shown in a namespace with a /run of its own."""
    mgmt = lab.path('mgmt')
    program = switch_side.program('vde_switch')
    proc = lab.spawn([tool('unshare'), '-Urm', '--', '/bin/sh', '-c',
                      f'mount -t tmpfs none /run && exec {program} -M {mgmt}'],
                     stdin=subprocess.PIPE)
    wait_until(lambda: answers(mgmt) or proc.poll() is not None, 5, proc.describe)
    assert proc.poll() is None, proc.describe()
    assert Console(mgmt).ok('ds/showinfo')[0] in ('ctl dir /var/run/vde.ctl',
                                                  'ctl dir /run/vde.ctl')


# --- standard input, signals --------------------------------------------------------------------

def test_end_of_input_ends_the_switch(lab, switch):
    """In the foreground."""
    lab.raw(switch)
    switch.drop_console()
    switch.proc.stdin.close()
    assert switch.proc.wait() == 0
    assert not switch.leftovers()


def test_nostdin(lab, ours):
    """--nostdin: stdin is not looked at."""
    switch = lab.switch(ours, '--nostdin')
    switch.proc.stdin.write(b'port/create 3\n')
    switch.proc.stdin.close()
    switch.sync()
    assert not switch.ports()
    assert switch.stop() == 0


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT, signal.SIGHUP],
                         ids=lambda number: number.name)
def test_signals_that_end_it(lab, switch, number):
    """Clean up, and end with status 0, or by the same signal as a shell expects of SIGINT.

    SIGHUP only raises an event in Debian's (reference 3.3).
    """
    lab.raw(switch)
    if number == signal.SIGHUP and not switch.side.ours:
        switch.proc.signal(number)
        switch.sync()
        assert switch.proc.poll() is None
        return
    assert switch.stop(number) in ((0,) if number == signal.SIGTERM else (0, -number))


@pytest.mark.parametrize('number', [signal.SIGPIPE, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM,
                                    signal.SIGWINCH], ids=lambda number: number.name)
def test_signals_that_do_not(lab, switch, number):
    """Others are ignored."""
    one, two = lab.raw(switch), lab.raw(switch)
    for count in range(20):
        switch.proc.signal(number)
        one.send(numbered(BROADCAST, mac(1), count))
        assert two.recv()
    assert switch.proc.poll() is None


# --- daemon -------------------------------------------------------------------------------------

def test_daemon(lab, switch_side):
    """Detached: its own session, no descriptors of the starter, pid file; ends by a signal."""
    daemon = Daemon(lab, switch_side)
    assert daemon.done.status == 0, daemon.done
    daemon.wait_up()
    pid = daemon.pid()
    assert os.getsid(pid) != os.getsid(0)
    for descriptor in (0, 1, 2):
        assert os.readlink(f'/proc/{pid}/fd/{descriptor}') == '/dev/null'
    one, two = lab.raw(daemon), lab.raw(daemon)
    one.send(numbered(BROADCAST, mac(1), 1))
    assert two.recv()
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not pid_exists(pid), 5, 'the end')
    assert not os.path.exists(daemon.pid_file)
    assert not os.path.exists(daemon.path)
    assert not os.path.exists(daemon.mgmt)


def test_daemon_is_ready_when_the_parent_returns(lab, ours):
    """Ours: the command returns when the switch can be used; no waiting loop in scripts."""
    daemon = Daemon(lab, ours)
    assert daemon.done.status == 0
    assert daemon.pid()
    assert lab.raw(daemon)
    assert Console(daemon.mgmt).ok('showinfo')


def test_daemon_with_relative_paths(lab, ours):
    """Paths are those of the directory it was started in (Debian's leaves it before it looks)."""
    command = [ours.program('vde_switch'), '-d', '-s', 's', '-p', 'pid', '-M', 'mgmt']
    done = lab.run(command, cwd=lab.dir)
    assert done.status == 0, done
    daemon = Daemon.__new__(Daemon)
    daemon.pid_file, daemon.mgmt, daemon.path = lab.path('pid'), lab.path('mgmt'), lab.path('s')
    lab.keep(daemon)
    daemon.wait_up()
    assert lab.raw(daemon)
    Console(daemon.mgmt).write('shutdown\n')
    wait_until(lambda: not os.path.exists(daemon.path) and not os.path.exists(daemon.pid_file), 5,
               'its names gone')


def test_daemon_failure_reaches_the_starter(lab, ours):
    """Whatever goes wrong before it is up: status 1 and the sentence, no process left."""
    lab.write('s', 'in the way')
    daemon = Daemon(lab, ours)
    assert daemon.done.status == 1
    assert lab.path('s') in daemon.done.err
    assert not daemon.pid()


@pytest.mark.parametrize('mode', [(), ('-d',)], ids=['foreground', 'daemon'])
def test_pidfile_that_exists(lab, ours, mode):
    """Created exclusively: another one's file is an error, and stays (Debian's removes it)."""
    lab.write('pid', f'{os.getpid()}\n')
    done = run_switch(lab, ours, *mode, '-p', lab.path('pid'))
    assert done.status == 1
    assert 'exists' in done.err
    assert not os.path.exists(lab.path('s'))
    assert open(lab.path('pid'), encoding='ascii').read() == f'{os.getpid()}\n'


def test_pidfile_in_the_foreground(lab, switch_side):
    """Written while it runs, removed at the end."""
    switch = lab.switch(switch_side, '-p', lab.path('pid'))
    if switch_side.ours:
        # it is written when the sockets are there
        wait_until(lambda: os.path.exists(lab.path('pid')) and os.path.getsize(lab.path('pid')))
        assert int(open(lab.path('pid'), encoding='ascii').read()) == switch.pid
    switch.stop()
    assert not os.path.exists(lab.path('pid'))


# --- tap ----------------------------------------------------------------------------------------

def test_tap(lab, switch_side):
    """--tap makes an interface whose frames go through the switch; it is shown as tuntap."""
    need_tun()
    shell = lab.plain_namespace()
    pid, mgmt, path = lab.path('pid'), lab.path('mgmt'), lab.path('s')
    shell.run(f'{switch_side.program("vde_switch")} -d -p {pid} -M {mgmt} -s {path} -t vstap')
    daemon = Daemon.__new__(Daemon)
    daemon.pid_file, daemon.mgmt, daemon.path = pid, mgmt, path
    lab.keep(daemon)
    daemon.wait_up()
    shell.run(f'{tool("ip")} addr add 10.9.0.1/24 dev vstap && {tool("ip")} link set vstap up')
    console = Console(mgmt)
    endpoint = [line for line in console.ok('port/print') if 'endpoint' in line]
    assert len(endpoint) == 1 and ' module tuntap      : ' in endpoint[0] and 'vstap' in endpoint[0]
    plug = lab.raw(daemon)
    shell.start(f'{tool("ping")} -c 1 -W 1 10.9.0.2')
    request = plug.expect(is_type(0x0806))
    assert request[28:32] == bytes((10, 9, 0, 1)) and request[38:42] == bytes((10, 9, 0, 2))


def test_tap_without_privilege(lab, ours):
    """The interface cannot be had: the sentence names it, and nothing is left."""
    done = run_switch(lab, ours, '-t', 'not/a/name')
    assert done.status == 1
    assert 'not/a/name' in done.err
    assert not os.path.exists(lab.path('s'))


# --- how others learn that it is up -------------------------------------------------------------

def test_notify_socket(lab, ours):
    """The sd_notify protocol: READY=1 when the sockets answer."""
    path = lab.path('notify')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(5)
        switch = lab.switch(ours, env=lab.env(NOTIFY_SOCKET=path))
        assert b'READY=1' in manager.recv(1000).split(b'\n')
        switch.stop()
        assert b'STOPPING=1' in manager.recv(1000).split(b'\n')
