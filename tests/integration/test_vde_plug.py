# SPDX-License-Identifier: GPL-2.0-or-later
"""vde_plug: streams, commands, pairs of networks, login shell, logs (reference 3.1)."""

import os
import pathlib
import signal
import socket
import subprocess

import pytest

from vslib import frames
from vslib.frames import BROADCAST, ether, mac, numbered, number_of
from vslib.plugs import framed, settle
from vslib.proc import pid_exists, readable, wait_until
from vslib.sides import tool

NO_LOGIN = ('This is a Virtual Distributed Ethernet (vde) tunnel broker. \n'
            'This is not a login shell, only vde_plug can be executed\n')


def run(lab, side, *argv, **how):
    """vde_plug to its end, standard input empty."""
    return lab.run([side.program('vde_plug'), *argv], **how)


# --- streams --------------------------------------------------------------------------------------

def test_stream(lab, switch, plug_side):
    """Frames of all sizes both ways."""
    plug = lab.stream(plug_side, switch.path, '-D', 'stream')
    switch.wait_endpoint('stream')
    other = lab.raw(switch)
    for number, size in enumerate((60, 61, 1000, 1514)):
        plug.send(numbered(BROADCAST, mac(1), number, size=size))
        assert number_of(other.expect()) == number
        frame = other.send(numbered(BROADCAST, mac(2), number, size=size))
        assert plug.expect() == frame


def test_any_cut(lab, ours, switch):
    """Frames arrive wherever the stream is cut, within the length, too."""
    plug = lab.stream(ours, switch.path, '-D', 'cut')
    switch.wait_endpoint('cut')
    other = lab.raw(switch)
    data = b''.join(framed(numbered(BROADCAST, mac(1), n, size=60)) for n in range(3))
    for cut in (1, 2, 3, 30, 61, 62, 63, 64, 125):
        plug.write(data[:cut])
        switch.sync()       # time for the first part to be read
        plug.write(data[cut:])
        assert [number_of(other.expect()) for _ in range(3)] == [0, 1, 2]


def test_strange_lengths(lab, ours, switch):
    """Nothing, less than a header, and too much are skipped without losing step."""
    plug = lab.stream(ours, switch.path, '-D', 'odd')
    switch.wait_endpoint('odd')
    other = lab.raw(switch)
    fence = numbered(BROADCAST, mac(1), 9)
    plug.write(b'\0\0' + framed(b'x' * 13) + framed(b'y' * 20000) + framed(fence))
    other.expect_only(fence)


def test_many_frames(lab, ours):
    """Nothing is lost or reordered between two streams, at any size: ptp presses back."""
    path = lab.path('ptp')
    one = lab.stream(ours, f'ptp://{path}')
    two = lab.stream(ours, f'ptp://{path}')
    settle(one, two)
    sizes = [60, 1514, 9014, 100]
    blob = b''.join(framed(numbered(mac(2), mac(1), n, size=sizes[n % 4])) for n in range(2000))
    one.write(blob)
    received = [two.expect() for _ in range(2000)]
    assert [number_of(frame) for frame in received] == list(range(2000))
    assert [len(frame) for frame in received[:4]] == sizes


def test_slow_reader(lab, ours):
    """A reader that stops gets whole frames in order once it goes on."""
    switch = lab.switch(ours)
    sender = lab.raw(switch)
    proc = lab.spawn([ours.program('vde_plug'), '-D', 'slow', switch.path], stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE)
    switch.wait_endpoint('slow')
    for number in range(3000):
        sender.send(numbered(BROADCAST, mac(1), number, size=1000))
    switch.sync()
    proc.stdin.close()              # ends it; what it holds is passed on first
    data = proc.stdout.read()
    assert proc.wait() == 0
    numbers = []
    while data:
        length = int.from_bytes(data[:2], 'big')
        assert length == 1000 and len(data) >= 1002
        numbers.append(number_of(data[2:1002]))
        data = data[1002:]
    assert len(numbers) > 60        # at least what a pipe holds
    assert numbers == sorted(numbers)


def test_frames_in_front_of_end(lab, ours):
    """What was read before the end of input is still sent."""
    switch = lab.switch(ours)       # Debian's looks at the end first
    other = lab.raw(switch)
    proc = lab.spawn([ours.program('vde_plug'), switch.path], stdin=subprocess.PIPE)
    proc.stdin.write(b''.join(framed(numbered(BROADCAST, mac(1), n)) for n in range(5)))
    proc.stdin.close()
    assert proc.wait() == 0
    assert [number_of(other.expect()) for _ in range(5)] == list(range(5))


# --- ends -----------------------------------------------------------------------------------------

def test_end_of_input(lab, side, switch):
    """Ends with status 0."""
    assert run(lab, side, switch.path).status == 0


def test_end_of_switch(lab, ours, switch):
    """The switch goes, so does the plug."""
    plug = lab.stream(ours, switch.path, '-D', 'left')
    switch.wait_endpoint('left')
    switch.stop()
    assert plug.wait() == 0
    switch.start()


def test_end_of_reader(lab, ours, switch):
    """Nobody reads any more: it ends though nothing is written."""
    proc = lab.spawn([ours.program('vde_plug'), '-D', 'unread', switch.path],
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    switch.wait_endpoint('unread')
    proc.stdout.close()
    assert proc.wait() == 0


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals(lab, ours, switch, number):
    """End it cleanly, and the pid file is removed."""
    pid = lab.path('pid')
    proc = lab.spawn([ours.program('vde_plug'), '-p', pid, switch.path], stdin=subprocess.PIPE,
                     stdout=subprocess.DEVNULL)
    wait_until(lambda: os.path.exists(pid) and pathlib.Path(pid).read_text() == f'{proc.pid}\n')
    proc.signal(number)
    assert proc.wait() == 0
    assert not os.path.exists(pid)


def test_ignored_signal_stays_ignored(lab, ours, switch):
    """nohup works."""
    proc = lab.spawn(['nohup', ours.program('vde_plug'), '-D', 'nohup', switch.path],
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    switch.wait_endpoint('nohup')
    proc.signal(signal.SIGHUP)
    switch.sync()
    other = lab.raw(switch)
    frame = other.send(numbered(BROADCAST, mac(1), 4))
    assert os.read(proc.stdout.fileno(), 4096) == framed(frame)
    proc.signal(signal.SIGTERM)
    assert proc.wait() == 0


# --- two networks ---------------------------------------------------------------------------------

def test_two_networks(lab, ours, plug_side):
    """Joins them, each with its own options."""
    one, two = lab.switch(ours, name='one'), lab.switch(ours, name='two')
    proc = lab.spawn([plug_side.program('vde_plug'), '--port', '3', '--port2', '4', '-D', 'both',
                      one.path, two.path])
    assert one.wait_endpoint('both') == 3
    assert two.wait_endpoint('both') == 4
    left, right = lab.raw(one), lab.raw(two)
    left.send(numbered(BROADCAST, mac(1), 1, size=1514))
    assert number_of(right.expect()) == 1
    right.send(numbered(BROADCAST, mac(2), 2))
    assert number_of(left.expect()) == 2
    if plug_side.ours:              # Debian's does not look at the second one's end
        two.stop()
        assert proc.wait() == 0
        one.wait_no_endpoint('both')
        two.start()


def test_modes_of_both(lab, ours):
    """-m and -M."""
    one, two = lab.switch(ours, name='one'), lab.switch(ours, name='two')
    lab.spawn([ours.program('vde_plug'), '-m', '600', '-M', '640', one.path, two.path])
    one.wait_endpoint('vdeplug:')
    two.wait_endpoint('vdeplug:')

    def mode(switch):
        name, = [name for name in os.listdir(switch.path) if name != 'ctl']
        return os.lstat(os.path.join(switch.path, name)).st_mode & 0o700

    assert (mode(one), mode(two)) == (0o600, 0o600)


# --- commands -------------------------------------------------------------------------------------

def test_command(lab, switch, plug_side):
    """`VNL = COMMAND`: its stream is the other side; `cat` sends everything back."""
    lab.spawn([plug_side.program('vde_plug'), '-D', 'echo', switch.path, '=', 'cat'])
    switch.wait_endpoint('echo')
    other = lab.raw(switch)
    frame = other.send(numbered(BROADCAST, mac(1), 1, size=1000))
    assert other.expect() == frame


def test_command_on_default_network(lab, ours, switch):
    """`= COMMAND`."""
    default = pathlib.Path(lab.home, '.vdeplug', 'default')
    default.parent.mkdir()
    default.symlink_to(switch.path)
    lab.spawn([ours.program('vde_plug'), '-D', 'echo', '=', 'cat'])
    switch.wait_endpoint('echo')


def test_options_of_the_command(lab, ours):
    """What stands behind = is not ours, whatever it looks like; a second = is an argument."""
    script = 'printf "%s " "$@" >&2'
    done = run(lab, ours, 'null://', '=', 'sh', '-c', script, 'sh', '-p', '22', '--daemon', '=')
    assert (done.status, done.err) == (0, '-p 22 --daemon = ')


@pytest.mark.parametrize('script, status', [
    ('exit 3', 3), ('kill -9 $$', 137), ('exit 0', 0), ('exec 1>&-; cat >/dev/null; exit 6', 6),
    ('sleep 3 2>/dev/null & exit 4', 4),
])
def test_status_of_command(lab, ours, script, status):
    """Passed on, also when something keeps its pipe open."""
    assert run(lab, ours, 'null://', '=', 'sh', '-c', script).status == status


def test_command_that_cannot_run(lab, ours):
    """127, and why."""
    done = run(lab, ours, 'null://', '=', '/no/such/command')
    assert done.status == 127
    assert "cannot execute '/no/such/command': No such file" in done.err


def test_last_frames_of_command(lab, ours):
    """What it wrote before it ended arrives."""
    switch = lab.switch(ours)       # Debian's looks at the end first
    other = lab.raw(switch)
    blob = lab.write('blob', b''.join(framed(numbered(BROADCAST, mac(1), n)) for n in range(5)))
    assert run(lab, ours, switch.path, '=', 'sh', '-c', f'cat {blob}; exit 8').status == 8
    assert [number_of(other.expect()) for _ in range(5)] == list(range(5))


def test_command_ends_with_the_network(lab, ours, switch):
    """Its input ends; its status is ours."""
    proc = lab.spawn([ours.program('vde_plug'), '-D', 'cmd', switch.path, '=', 'sh', '-c',
                      'cat >/dev/null; exit 5'])
    switch.wait_endpoint('cmd')
    switch.stop()
    assert proc.wait() == 5
    switch.start()


def test_command_is_ended(lab, ours):
    """A signal ends the command, too."""
    proc = lab.spawn([ours.program('vde_plug'), 'null://', '=', 'sh', '-c',
                      f'echo $$ > {lab.path("child")}; exec sleep 50'])
    wait_until(lambda: os.path.exists(lab.path('child')) and
               pathlib.Path(lab.path('child')).read_text())
    child = int(pathlib.Path(lab.path('child')).read_text())
    proc.signal(signal.SIGTERM)
    assert proc.wait() == 0
    assert not pid_exists(child)


# --- options --------------------------------------------------------------------------------------

@pytest.mark.parametrize('argv', [
    ['--no-such'], ['--port', '0', 'null://'], ['-m', '9', 'null://'], ['a', 'b', 'c'],
    ['a', 'b', '=', 'c'], ['='], ['null://', '='], ['-D'],
])
def test_usage(lab, ours, argv):
    """Status 255 and a word about what was wrong."""
    done = run(lab, ours, *argv)
    assert done.status == 255
    assert done.err


def test_help(lab, side):
    """On standard error, status 255."""
    done = run(lab, side, '--help')
    assert (done.status, done.out) == (255, '')
    assert '--descr' in done.err


def test_open_failure(lab, side):
    """`vde_open VNL: REASON`, status 1; ours says more."""
    done = run(lab, side, lab.path('none'))
    assert done.status == 1
    assert done.err.startswith(f'vde_open {lab.path("none")}: ')
    assert 'No such file or directory' in done.err
    done = run(lab, side, 'no-such://')
    assert done.err.startswith('vde_open no-such://: ')


def test_second_open_failure(lab, ours, switch):
    """The second network is named."""
    done = run(lab, ours, switch.path, lab.path('none'))
    assert done.status == 1
    assert done.err.startswith(f'vde_open {lab.path("none")}: ')


def test_default_open_failure(lab, side):
    """An empty locator is called the default switch."""
    if any(os.path.exists(path) for path in ('/var/run/vde.ctl', '/tmp/vde.ctl')):
        pytest.skip('this machine has a default switch')
    done = run(lab, side)
    assert done.status == 1
    assert done.err.startswith('vde_open default switch: ')


def test_daemon(lab, ours, switch):
    """Errors are seen; then it is a session of its own, and its stream goes on."""
    done = run(lab, ours, '-d', lab.path('none'))
    assert (done.status, done.err[:8]) == (1, 'vde_open')
    pid = lab.path('pid')
    proc = lab.spawn([ours.program('vde_plug'), '-d', '-p', pid, '-D', 'daemon', switch.path],
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert proc.wait() == 0
    number = int(pathlib.Path(pid).read_text())
    assert os.getsid(number) == number
    switch.wait_endpoint('daemon')
    other = lab.raw(switch)
    os.write(proc.stdin.fileno(), framed(numbered(BROADCAST, mac(1), 3)))
    assert number_of(other.expect()) == 3
    os.kill(number, signal.SIGTERM)
    wait_until(lambda: not pid_exists(number) and not os.path.exists(pid))


def test_ready_fd(lab, ours, switch):
    """A newline when the network is joined."""
    read, write = os.pipe()
    proc = lab.spawn([ours.program('vde_plug'), '--ready-fd', str(write), '-D', 'ready',
                      switch.path, '=', 'cat'], pass_fds=[write])
    os.close(write)
    assert os.read(read, 10) + os.read(read, 10) == b'\n'
    os.close(read)
    assert any('ready' in endpoint[3] for endpoint in switch.endpoints())
    proc.signal(signal.SIGTERM)
    assert proc.wait() == 0


# --- login shell ----------------------------------------------------------------------------------

@pytest.mark.parametrize('argv', [['-c', 'ls'], ['-c', 'vde_plug null://'], ['-c', ''],
                                  ['-c', 'vde_plug;id']])
def test_login_refused(lab, side, argv):
    """Only one command is accepted."""
    done = run(lab, side, *argv)
    assert (done.status, done.out, done.err) == (255, '', NO_LOGIN)


def test_login_with_operands_refused(lab, ours):
    """The network is not the remote's choice."""
    assert run(lab, ours, '-c', 'vde_plug', 'null://').err == NO_LOGIN
    assert run(lab, ours, '-c', 'vde_plug', '=', 'id').err == NO_LOGIN


def test_interactive_login_refused(lab, side):
    """login(1) puts a dash in front of the name."""
    done = lab.run(['bash', '-c', f'exec -a -vde_plug {side.program("vde_plug")}'])
    assert (done.status, done.err) == (255, NO_LOGIN)


def test_login(lab, plug_side, switch):
    """`-c vde_plug` joins the user's default network."""
    default = pathlib.Path(lab.home, '.vdeplug', 'default')
    default.parent.mkdir()
    default.symlink_to(switch.path)
    proc = lab.spawn([plug_side.program('vde_plug'), '-c', 'vde_plug'], stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE)
    switch.wait_endpoint('vdeplug:')
    other = lab.raw(switch)
    frame = other.send(numbered(BROADCAST, mac(1), 5))
    assert os.read(proc.stdout.fileno(), 4096) == framed(frame)
    proc.stdin.close()
    assert proc.wait() == 0


# --- logs -----------------------------------------------------------------------------------------

class Syslog:
    """A /dev/log of its own, in a mount namespace that a program is started in."""

    SCRIPT = ('mount --rbind /dev "$1"; mount -t tmpfs tmpfs /dev; '
              'for n in null urandom random zero; do : > /dev/$n; '
              'mount --bind "$1/$n" /dev/$n; done; ln -s "$2" /dev/log; shift 2; exec "$@"')

    def __init__(self, lab):
        self.lab = lab
        self.path = lab.path('log')
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.mkdir(lab.path('olddev'))
        probe = lab.run(self.argv('true'))
        if probe.status:
            pytest.skip(f'no mount namespace here: {probe.err}')

    def argv(self, *argv):
        """The command line that runs argv with this log."""
        return [tool('unshare'), '-rm', 'sh', '-c', 'set -e; ' + self.SCRIPT, 'sh',
                self.lab.path('olddev'), self.path, *argv]

    def message(self):
        """(priority, text) of the next message."""
        assert readable(self.socket, 5), 'no message'
        data = self.socket.recv(4096).decode()
        priority, _, rest = data.partition('>')
        return int(priority[1:]), rest[16:]     # after the date


@pytest.fixture
def syslog(lab):
    """A Syslog."""
    made = Syslog(lab)
    yield made
    made.socket.close()


USER_INFO = 1 << 3 | 6


def test_syslog(lab, ours, syslog):
    """START and STOP, facility user, level info."""
    env = dict(lab.env(), SSH_CLIENT='192.0.2.9 1 22')
    assert lab.run(syslog.argv(ours.program('vde_plug'), '-l', 'null://'), env=env).status == 0
    user = 'root'       # inside its namespace
    assert syslog.message() == (USER_INFO, f'vde_plug: START: user {user} IP 192.0.2.9')
    assert syslog.message() == (USER_INFO, f'vde_plug: STOP: user {user} IP 192.0.2.9')
    lab.run(syslog.argv(ours.program('vde_plug'), '-c', 'rm'))
    assert syslog.message() == (USER_INFO,
                                f'vde_plug: FAILED: user {user} IP UNKNOWN_IP_ADDRESS')


def test_address_log(lab, ours, syslog):
    """Each source address once: IPv4 with options, IPv6 with a class, ARP, behind tags."""
    def ip4(source, ihl=5):
        header = frames.ipv4(source, '10.0.0.9', 17, b'x' * 8)
        if ihl > 5:
            header = bytes([0x40 | ihl]) + header[1:20] + b'\1' * (ihl - 5) * 4 + header[20:]
        return header

    def ip6(source, first=0x60):
        return (bytes([first, 0, 0, 0, 0, 0, 59, 64]) + socket.inet_pton(socket.AF_INET6, source) +
                b'\0' * 16)

    source = mac(1)
    sent = [
        ether(BROADCAST, source, ip4('10.0.0.1'), frames.IPV4),
        ether(BROADCAST, source, ip4('10.0.0.1'), frames.IPV4),
        ether(BROADCAST, source, ip4('10.0.0.2', ihl=7), frames.IPV4),
        ether(BROADCAST, source, ip4('10.0.0.3'), frames.IPV4, tags=frames.tag(12)),
        ether(BROADCAST, source, ip4('0.0.0.0'), frames.IPV4),
        frames.arp(1, source, '10.0.0.4', b'\0' * 6, '10.0.0.5'),
        ether(BROADCAST, source, ip6('fd00::1'), frames.IPV6),
        ether(BROADCAST, source, ip6('fd00::2', 0x6f), frames.IPV6),
        ether(BROADCAST, source, ip6('::'), frames.IPV6),
        ether(BROADCAST, source, ip4('10.0.0.6'), frames.IPV4,
              tags=frames.tag(7, tpid=frames.TPID_AD) + frames.tag(8)),
        ether(BROADCAST, source, b'\x45', frames.IPV4),
    ]
    lab.run(syslog.argv(ours.program('vde_plug'), '-L', 'null://'),
            stdin=b''.join(framed(frame) for frame in sent))
    assert 'START' in syslog.message()[1]
    wanted = [('4', '10.0.0.1', 0), ('4', '10.0.0.2', 0), ('4', '10.0.0.3', 12),
              ('4', '10.0.0.4', 0), ('6', 'fd00::1', 0), ('6', 'fd00::2', 0), ('4', '10.0.0.6', 7)]
    for version, address, vlan in wanted:
        assert syslog.message() == (
            USER_INFO, 'vde_plug: user root Real-IP UNKNOWN_IP_ADDRESS has got '
            f'VDE-IP{version} {address} on vlan {vlan}')
    assert 'STOP' in syslog.message()[1]


def test_address_log_is_bounded(lab, ours, syslog):
    """A sender that makes up addresses fills neither memory nor log."""
    blob = b''.join(
        framed(ether(BROADCAST, mac(1),
                     frames.ipv4(f'10.{n >> 16}.{n >> 8 & 255}.{n & 255}', '10.0.0.9', 17, b''),
                     frames.IPV4)) for n in range(1, 5000))
    proc = lab.spawn(syslog.argv(ours.program('vde_plug'), '-L', 'null://', '=', 'cat',
                                 lab.write('blob', blob)))
    texts = []
    while not texts or 'STOP' not in texts[-1]:
        texts.append(syslog.message()[1])
    assert proc.wait() == 0
    assert len(texts) == 4096 + 3
    assert 'no more are logged' in texts[-2]
