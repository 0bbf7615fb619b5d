# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures of our vde_switch, read by tcpdump and tshark: files, FIFOs, streams, filters, drops."""

import errno
import json
import os
import re
import signal
import socket
import stat
import struct
import subprocess

import pytest

from vslib.console import PROMPT, Console
from vslib.frames import BROADCAST, arp, ether, icmp_echo, mac, numbered, tag, udp4
from vslib.proc import wait_until
from vslib.sides import tool

ONE, TWO = mac(1), mac(2)
UDP = udp4(ONE, TWO, '10.0.0.1', '10.0.0.2', 1000, 53, b'question')
PING = icmp_echo(TWO, ONE, '10.0.0.2', '10.0.0.1', 7, 1)
ARP = arp(1, ONE, '10.0.0.1', BROADCAST, '10.0.0.2')


class Net:
    """Our switch with plugs on ports 1, 2 and 3, and captures to end."""

    def __init__(self, lab, ours):
        self.lab = lab
        self.ours = ours
        self.switch = lab.switch(ours, '--allow-path', lab.dir)
        self.one, self.two, self.three = (lab.raw(self.switch, port=port) for port in (1, 2, 3))
        self.ok = self.switch.ok

    def send(self, plug, *some):
        """Send frames and wait until the switch has handled them."""
        for frame in some:
            plug.send(frame)
        self.switch.sync()

    def talk(self):
        """Three frames of three kinds, from port 1, 2 and 1."""
        self.send(self.one, ARP)
        self.send(self.two, PING)
        self.send(self.one, UDP)

    def captures(self):
        """capture/print as JSON."""
        return json.loads('\n'.join(self.ok('json capture/print')))

    def start(self, *words):
        """capture/start; returns the number."""
        return int(re.fullmatch(r'Capture (\d{4})', self.ok(f'capture/start {" ".join(words)}')[0])[1])

    def capture(self, *options, stdout=None):
        """A running vde_capture, known to the switch."""
        before = len(self.captures())
        proc = self.lab.spawn([self.ours.program('vde_capture'), '-M', self.switch.mgmt_path,
                               *options], stdout=stdout)
        wait_until(lambda: len(self.captures()) > before or proc.poll() is not None, 5,
                   lambda: f'capture runs: {proc.describe()}')
        return proc


@pytest.fixture
def net(lab, ours):
    """A Net."""
    return Net(lab, ours)


def fields(lab, path, *names):
    """What tshark finds: a tuple of the fields' texts for each frame."""
    argv = [tool('tshark'), '-n', '-r', path, '-T', 'fields']
    for name in names:
        argv += ['-e', name]
    result = lab.run(argv)
    assert result.status == 0, result
    return [tuple(line.split('\t')) for line in result.out.splitlines()]


def tcpdump(lab, path):
    """The lines tcpdump prints."""
    result = lab.run([tool('tcpdump'), '-nr', path])
    assert result.status == 0, result
    return result.out.splitlines()


def statistics(data):
    """(received, dropped) summed over the statistics blocks; checks that all blocks are whole."""
    at = received = dropped = 0
    while at < len(data):
        kind, length = struct.unpack_from('=II', data, at)
        assert length >= 12 and struct.unpack_from('=I', data, at + length - 4)[0] == length
        option = at + 20
        while kind == 5 and option < at + length - 4:
            code, size = struct.unpack_from('=HH', data, option)
            if code == 4:
                received += struct.unpack_from('=Q', data, option + 4)[0]
            elif code == 5:
                dropped += struct.unpack_from('=Q', data, option + 4)[0]
            option += 4 + (size + 3) // 4 * 4
        at += length
    assert at == len(data)
    return received, dropped


def read(path):
    """The bytes of a file."""
    with open(path, 'rb') as stream:
        return stream.read()


def test_whole_switch_to_a_file(lab, net):
    """Each frame once, as it came in, on the interface of its port."""
    path = lab.path('all.pcapng')
    number = net.start(path)
    net.talk()
    assert net.captures() == [{
        'number': number, 'to': path, 'port': None, 'snaplen': 262144, 'filter': '', 'frames': 3,
        'bytes': len(ARP) + len(PING) + len(UDP), 'dropped': 0, 'ending': False}]
    text = net.ok('capture/print')
    assert text[0] == f'Capture 0001 to {path} of all ports'
    net.ok(f'capture/stop {number}')
    assert net.captures() == []
    lines = tcpdump(lab, path)
    assert len(lines) == 3
    assert 'ARP, Request who-has 10.0.0.2' in lines[0]
    assert '10.0.0.2 > 10.0.0.1: ICMP echo request' in lines[1]
    assert '10.0.0.1.1000 > 10.0.0.2.53' in lines[2]
    seen = fields(lab, path, 'frame.interface_name', 'frame.len', 'frame.packet_flags')
    assert seen == [('port 1', str(len(ARP)), '0x00000001'),
                    ('port 2', str(len(PING)), '0x00000001'),
                    ('port 1', str(len(UDP)), '0x00000001')]
    assert statistics(read(path)) == (3, 0)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_one_port_has_both_directions(lab, net):
    """What port 2 sends and gets, marked as such; what does not concern it is not there."""
    path = lab.path('two.pcapng')
    net.talk()                              # the addresses are known from here on
    net.start(path, 'port', '2')
    net.talk()
    net.send(net.three, icmp_echo(mac(3), ONE, '10.0.0.3', '10.0.0.1', 1, 1))
    net.ok('capture/stop 1')
    assert fields(lab, path, 'frame.packet_flags', '_ws.col.Protocol') == [
        ('0x00000002', 'ARP'), ('0x00000001', 'ICMP'), ('0x00000002', 'DNS')]


@pytest.mark.parametrize('words, kinds', [
    ('icmp', ['ICMP']),
    ('not arp', ['ICMP', 'DNS']),
    ('filter port 53', ['DNS']),
    ('port all filter port domain or arp', ['ARP', 'DNS']),
    ('port 1 src host 10.0.0.2', ['ICMP']),
    ('port 3 udp', []),
])
def test_filters(lab, net, words, kinds):
    """Filters choose, alone and with a port in front."""
    path = lab.path('some.pcapng')
    net.send(net.one, ARP)
    net.send(net.two, PING)                 # learned, so that the rest does not reach port 3
    net.start(path, words)
    net.talk()
    net.ok('capture/stop 1')
    assert [row[0] for row in fields(lab, path, '_ws.col.Protocol')] == kinds


def test_snap_length(lab, net):
    """The beginning is kept, and how long the frame was."""
    path = lab.path('short.pcapng')
    net.start(path, 'snaplen 34')
    net.send(net.one, numbered(BROADCAST, ONE, 1, size=9000))
    net.ok('capture/stop 1')
    assert fields(lab, path, 'frame.len', 'frame.cap_len') == [('9000', '34')]


def test_vlan_tags(lab, net):
    """On input a frame is shown as it came; on output before the tag changes."""
    net.ok('vlan/create 5')
    net.ok('vlan/addport 5 1')
    net.ok('port/setvlan 2 5')
    net.start(lab.path('in.pcapng'), 'vlan 5')
    net.start(lab.path('out.pcapng'), 'port 2')
    net.send(net.one, ether(BROADCAST, ONE, tags=tag(5, pcp=3), size=64))
    net.ok('capture/stop 1')
    net.ok('capture/stop 2')
    for name in ('in', 'out'):
        assert fields(lab, lab.path(f'{name}.pcapng'), 'vlan.id', 'vlan.priority',
                      'frame.len') == [('5', '3', '64')]
    assert len(net.two.expect()) == 60      # the plug got it without


def test_two_captures_at_once(lab, net):
    """Each has its own filter and ends on its own."""
    net.start(lab.path('a'), 'arp')
    net.start(lab.path('b'), 'icmp')
    net.talk()
    net.ok('capture/stop 1')
    net.talk()
    net.ok('capture/stop 2')
    assert len(tcpdump(lab, lab.path('a'))) == 1
    assert len(tcpdump(lab, lab.path('b'))) == 2


def test_fifo(lab, net):
    """tcpdump reads the FIFO while the capture runs; its end ends the capture."""
    path = lab.path('fifo')
    os.mkfifo(path, 0o600)
    answer = net.switch.console.fails(f'capture/start {path}', errno.ENXIO)
    assert answer.lines == [f'nobody reads the FIFO {path}: start the reader first']
    reader = lab.spawn([tool('tcpdump'), '-lnr', path, '-c', '2'])

    def started():
        return net.switch.console.command(f'capture/start {path}').code == 0
    wait_until(started, 5, 'tcpdump opens the FIFO')
    net.talk()
    assert reader.wait() == 0
    lines = [line for line in reader.output().splitlines() if ' > ' in line or 'ARP' in line]
    assert len(lines) == 2 and 'ARP' in lines[0] and 'ICMP' in lines[1]
    wait_until(lambda: net.captures() == [], 5, 'the capture without a reader ends')
    net.switch.check_healthy()


def test_vde_capture_to_a_file(lab, net):
    """An interrupt ends it cleanly, with statistics in the file and numbers for the user."""
    path = lab.path('v.pcapng')
    proc = net.capture('-p', '1', '-s', '60', '-w', path, 'udp', 'or', 'icmp')
    assert net.captures()[0]['filter'] == 'udp or icmp'
    assert net.captures()[0]['to'] == f'process {proc.pid}'
    net.talk()
    proc.signal(signal.SIGINT)
    assert proc.wait() == 0
    assert proc.output() == 'vde_capture: 2 frames captured, 0 dropped\n'
    assert fields(lab, path, '_ws.col.Protocol', 'frame.packet_flags') == [
        ('ICMP', '0x00000002'), ('DNS', '0x00000001')]
    assert statistics(read(path)) == (2, 0)
    assert net.captures() == []


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
def test_vde_capture_ends_by_signal(net, lab, number):
    """Others than the interrupt, too."""
    proc = net.capture('-w', lab.path('x'))
    proc.signal(number)
    assert proc.wait() == 0
    assert statistics(read(lab.path('x'))) == (0, 0)


def test_vde_capture_into_tshark(lab, net):
    """The pipeline of the manual page."""
    shark = subprocess.Popen([tool('tshark'), '-n', '-l', '-r', '-', '-T', 'fields', '-e',
                              '_ws.col.Protocol'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, env=lab.env(), text=True)
    proc = net.capture('-w', '-', stdout=shark.stdin)
    shark.stdin.close()
    net.talk()
    proc.signal(signal.SIGINT)
    assert proc.wait() == 0
    with shark.stdout:
        assert shark.stdout.read().split() == ['ARP', 'ICMP', 'DNS']
    assert shark.wait(10) == 0


def test_vde_capture_count(lab, net):
    """It ends by itself after -c frames, and writes no more than those."""
    proc = net.capture('-c', '2', '-w', lab.path('c'))
    for number in range(5):
        net.one.send(numbered(BROADCAST, ONE, number))
    assert proc.wait() == 0
    assert len(fields(lab, lab.path('c'), 'frame.len')) == 2
    assert '2 frames captured' in proc.output()
    wait_until(lambda: net.captures() == [], 5, 'the switch ends it, too')


def test_vde_capture_reader_leaves(net):
    """A closed pipe is an orderly end, at once, not only at the next frame."""
    proc = net.capture(stdout=subprocess.PIPE)
    assert os.read(proc.stdout.fileno(), 8)[:4] == b'\x0a\x0d\x0d\x0a'
    proc.stdout.close()
    assert proc.wait() == 0
    wait_until(lambda: net.captures() == [], 5, 'the switch notices')


def test_vde_capture_when_the_switch_ends(lab, net):
    """What was captured is complete."""
    proc = net.capture('-w', lab.path('x'))
    net.talk()
    net.switch.stop()
    assert proc.wait() == 0
    assert 'ended by the switch' in proc.output()
    assert statistics(read(lab.path('x'))) == (3, 0)


def test_vde_capture_errors(lab, net, ours):
    """Each says what is wrong and what helps; a file that exists is not emptied for nothing."""
    program = ours.program('vde_capture')
    mgmt = net.switch.mgmt_path
    kept = lab.write('kept', 'precious')
    for argv, status, words in (
            ([], 2, '-M SOCKET'),
            (['-M', lab.path('nosuch')], 1, 'cannot connect to'),
            (['-M', mgmt, '-p', '30'], 1, 'there is no port 30'),
            (['-M', mgmt, '-p', 'x'], 2, 'port'),
            (['-M', mgmt, '-w', kept, 'host', 'example'], 1, 'instead of "example"'),
            (['-M', mgmt, 'udp', 'and'], 1, 'wrong filter'),
            (['-M', mgmt, 'udp\nshutdown'], 1, ''),
            (['-M', mgmt, '-w', '/nonexistent/x'], 1, 'cannot write to /nonexistent/x')):
        result = lab.run([program, *argv])
        assert result.status == status and words in result.err, (argv, result)
        assert not result.out
    assert read(kept) == b'precious'
    assert net.captures() == []
    net.switch.check_healthy()


def test_vde_capture_on_a_terminal(lab, net, ours):
    """Binary never goes to a terminal."""
    master, slave = os.openpty()
    try:
        proc = lab.spawn([ours.program('vde_capture'), '-M', net.switch.mgmt_path], stdout=slave)
        assert proc.wait() == 1
        assert 'no use on a terminal' in proc.output()
    finally:
        os.close(master)
        os.close(slave)


def test_vde_capture_on_an_old_switch(lab, ours, debian):
    """Debian's switch has no captures: the error says so."""
    switch = lab.switch(debian)
    result = lab.run([ours.program('vde_capture'), '-M', switch.mgmt_path])
    assert result.status == 1
    assert 'the switch has no captures' in result.err


def test_stream_on_a_plain_connection(net):
    """capture/stream by hand: success line, then pcap-ng; shutting down one's side ends it."""
    console = Console(net.switch.mgmt_path)
    console.write('capture/stream arp\n')
    assert console.read_until(b'\n') == b'1000 Success\n'
    net.talk()
    console.socket.shutdown(socket.SHUT_WR)
    assert statistics(console.read_eof()) == (1, 0)
    console.close()
    assert net.captures() == []


def test_stream_keeps_what_was_said_before(net):
    """Answers that the client has not read yet come first, whole."""
    console = Console(net.switch.mgmt_path)
    console.write('help\n' * 200 + 'capture/stream\n')
    for _ in range(200):
        assert console.read_until(PROMPT).endswith(b'1000 Success\n' + PROMPT)
    assert console.read_until(b'\n') == b'1000 Success\n'
    console.socket.shutdown(socket.SHUT_WR)
    assert statistics(console.read_eof()) == (0, 0)
    console.close()
    net.switch.check_healthy()


def test_stream_refused(net):
    """An error leaves the console as it was."""
    answer = net.switch.console.fails('capture/stream port 9', errno.ENXIO)
    assert answer.lines == ['there is no port 9']
    net.ok('showinfo')
    net.switch.console.fails('json capture/stream', errno.EOPNOTSUPP)


def test_slow_reader_loses_frames_and_nobody_else(net):
    """A reader that stalls: the switch goes on, drops, counts, and the stream stays whole."""
    console = Console(net.switch.mgmt_path)
    console.write('capture/stream port 1\n')
    assert console.read_until(b'\n') == b'1000 Success\n'
    big = numbered(TWO, ONE, 1, size=9000)
    net.send(net.two, ARP.replace(ONE, TWO))
    sent = 0
    while net.captures()[0]['dropped'] < 50:
        for _ in range(100):
            net.one.send(big)
            net.two.drain()
        sent += 100
        assert sent < 5000
    net.switch.sync()
    dropped = net.captures()[0]['dropped']
    net.ok('capture/stop 1')
    received, lost = statistics(console.read_eof(10))
    assert lost == dropped
    assert received >= sent
    console.close()


def test_console_errors(lab, net):
    """What is refused, and how."""
    console = net.switch.console
    for line, code, words in (
            ('capture/start', errno.EINVAL, 'capture/start FILE'),
            (f'capture/start {lab.path("x")} port 77', errno.ENXIO, 'no port 77'),
            (f'capture/start {lab.path("x")} port http', errno.EINVAL, 'filter port http'),
            (f'capture/start {lab.path("x")} snaplen x', errno.EINVAL, 'number of bytes'),
            (f'capture/start {lab.path("no/x")}', errno.ENOENT, 'cannot write'),
            ('capture/start /dev/null', errno.EINVAL, 'neither a file nor a FIFO'),
            ('capture/stop', errno.EINVAL, None),
            ('capture/stop 1', errno.ENOENT, None),
            ('capture/stop 17', errno.EINVAL, None)):
        answer = console.fails(line, code)
        assert (answer.lines is None) == (words is None), line
        if words:
            assert words in answer.lines[0], line
    assert not os.path.exists(lab.path('x'))


def test_number_of_captures_is_bounded(lab, net):
    """Sixteen, and a place that gets free is used again."""
    for number in range(1, 17):
        assert net.start(lab.path(f'c{number}')) == number
    answer = net.switch.console.fails(f'capture/start {lab.path("more")}', errno.ENOSPC)
    assert 'capture/stop' in answer.lines[0]
    net.ok('capture/stop 5')
    assert net.start(lab.path('more')) == 5
    before = net.switch.fds()
    for number in range(1, 17):
        net.ok(f'capture/stop {number}')
    wait_until(lambda: net.switch.fds() == before - 16, 5, 'all files are closed')


def test_capture_from_an_rc_file(lab, ours):
    """A capture that begins with the switch, before the sandbox, ends with it in order."""
    path = lab.path('boot.pcapng')
    rc = lab.write('boot.rc', f'capture/start {path} icmp\n')
    switch = lab.switch(ours, '-f', rc)
    one = lab.raw(switch, port=1)
    one.send(PING)
    one.send(UDP)
    switch.sync()
    switch.stop()
    assert len(tcpdump(lab, path)) == 1
    assert statistics(read(path)) == (1, 0)
