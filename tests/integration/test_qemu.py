# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's QEMU, unchanged, on our libvdeplug: whole guests on whole networks.

The guests are emulated (no KVM), so a test takes the seconds in which their kernels boot.
"""

import hashlib
import os
import random
import socket
import struct

import pytest

from vslib import frames
from vslib.frames import BROADCAST, mac, numbered
from vslib.guest import Guest, guest_mac, initramfs, kernel_path, mapped
from vslib.netns import ping_command
from vslib.proc import readable, wait_until
from vslib.sides import tool
from vslib.switch import answers

FILE_SIZE = 1_500_000
UDHCPD = '''start 10.1.0.100
end 10.1.0.110
interface eth0
lease_file /run/leases
pidfile /run/udhcpd.pid
option subnet 255.255.255.0
'''


@pytest.fixture
def guests(lab):
    """guests(VNL, side of the library, number, files): a Guest, still booting."""
    kernel_path()

    def make(vnl, side, number, files=None):
        if side.sanitized():
            pytest.skip('QEMU cannot load a sanitized library')
        side.library()
        root = lab.write(f'root{number}', initramfs(files or {}))
        guest = Guest(vnl, number, root, lab.path(f'console{number}'), env=lab.env(side),
                      capture=lab.path(f'capture{number}'))
        return lab.keep(guest, guest.proc)
    return make


def random_file(seed):
    """Some data, and its MD5 sum as the guests print it."""
    data = random.Random(seed).randbytes(FILE_SIZE)
    return data, hashlib.md5(data).hexdigest()


def captured(path):
    """Lengths of the frames in a pcap file."""
    with open(path, 'rb') as stream:
        data = stream.read()
    at, lengths = 24, []
    while at + 16 <= len(data):
        size, length = struct.unpack_from('<8xII', data, at)
        lengths.append(length)
        at += 16 + size
    return lengths


def check_card(guest, lab, number):
    """The guest's card saw good frames only: nothing short, such as a drop result of vde_recv."""
    assert guest.counter('rx_errors') == 0
    assert guest.counter('rx_length_errors') == 0
    assert guest.counter('rx_packets') > 10
    lengths = captured(lab.path(f'capture{number}'))
    assert sum(lengths) > FILE_SIZE
    assert min(lengths) >= frames.HEADER and max(lengths) <= 1514


def fetch(guest, url):
    """MD5 sum of what a guest downloads."""
    return guest.run(f'wget -q -O /tmp/got {url} && md5sum </tmp/got', timeout=60).split()[0]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_two_guests(lab, ours, guests):
    """Two guests get addresses by DHCP, ping each other and copy a file through our switch."""
    switch = lab.switch(ours)
    data, checksum = random_file(1)
    one = guests(switch.path, ours, 1, {'www/file': data, 'udhcpd.conf': UDHCPD.encode()})
    two = guests(switch.path, ours, 2)
    for guest in (one, two):
        for name in ('libvdeplug.so', 'libvdeplug_vde.so'):
            library = ours.library('libvdeplug.so.2') if name == 'libvdeplug.so' else (
                ours.plugin('vde'))
            wait_until(lambda: mapped(guest.proc.pid, name), 20, f'{name} mapped')
            assert mapped(guest.proc.pid, name) == {str(library.resolve())}
    one.ready().up('10.1.0.1/24')
    one.run('udhcpd -S -a 300 /udhcpd.conf && httpd -h /www')
    two.ready().up()
    two.run('udhcpc -i eth0 -s /dhcp -n -q -t 10 -T 1', timeout=30)
    address = two.run("ip -4 -o addr show dev eth0 | awk '{print $4}'").strip().split('/')[0]
    assert 100 <= int(address.removeprefix('10.1.0.')) <= 110
    two.run('ping -c 3 -W 5 10.1.0.1', timeout=30)
    one.run(f'ping -c 3 -W 5 {address}', timeout=30)
    assert fetch(two, '10.1.0.1/file') == checksum

    assert {guest_mac(1), guest_mac(2)} <= {address for address, _vlan in switch.macs()}
    for number, guest in enumerate((one, two), 1):
        check_card(guest, lab, number)
        assert guest.power_off() == 0
    wait_until(lambda: not switch.endpoints(), 5, 'both guests off the switch')


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize('library, switch_of', [('ours', 'debian'), ('debian', 'ours')])
def test_guest_and_namespace(lab, ours, debian, guests, library, switch_of):
    """A guest on either library and the other side's switch, with a namespace of Debian's vdens."""
    sides = {'ours': ours, 'debian': debian}
    switch = lab.switch(sides[switch_of])
    data, checksum = random_file(2)
    guest = guests(switch.path, sides[library], 1)
    wait_until(lambda: mapped(guest.proc.pid, 'libvdeplug.so'), 20, 'the library mapped')
    assert mapped(guest.proc.pid, 'libvdeplug.so') == {
        str(sides[library].library().resolve())}
    space = lab.namespace(debian, switch.path)
    space.up('10.1.0.2/24')
    lab.write('file', data)
    space.run(f"{tool('busybox')} httpd -h {lab.dir}")
    guest.ready().up('10.1.0.1/24')
    guest.run('ping -c 3 -W 5 10.1.0.2', timeout=30)
    space.run(ping_command('10.1.0.1', 3))
    assert fetch(guest, '10.1.0.2/file') == checksum
    check_card(guest, lab, 1)
    assert guest.power_off() == 0


class Bridge:
    """A QEMU without a machine: what its vde netdev receives is found in a datagram socket."""

    def __init__(self, lab, side, vnl):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(lab.path('out'))
        local, remote = (f'{end}.type=unix,{end}.path={lab.path(path)}'
                         for end, path in (('local', 'in'), ('remote', 'out')))
        self.proc = lab.spawn([
            tool('qemu-system-x86_64'), '-machine', 'none', '-nodefaults', '-no-user-config',
            '-display', 'none', '-netdev', f'vde,id=v,sock={vnl}',
            '-netdev', f'dgram,id=d,{local},{remote}',
            '-netdev', 'hubport,id=h1,hubid=0,netdev=v',
            '-netdev', 'hubport,id=h2,hubid=0,netdev=d'],
            env=lab.env(side))
        lab.keep(self)

    def recv(self, timeout=10):
        """The next frame."""
        assert readable(self.socket, timeout), self.proc.describe()
        return self.socket.recv(65536)

    def close(self):
        """The socket; the process is the lab's."""
        self.socket.close()


@pytest.fixture
def bridge(lab, ours):
    """bridge(VNL): a Bridge on our library."""
    if ours.sanitized():
        pytest.skip('QEMU cannot load a sanitized library')
    return lambda vnl: Bridge(lab, ours, vnl)


class OneWaySwitch:
    """The least that libvdeplug takes for a switch, to send what a real one never would."""

    def __init__(self, lab):
        self.path = lab.path('fake')
        lab.run(['mkdir', self.path])
        self.control = lab.keep(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        self.control.bind(f'{self.path}/ctl')
        self.control.listen()
        self.data = lab.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.data.bind(f'{self.path}/001.5')

    def accept(self, lab):
        """Let a client in; what is sent goes to it from now on."""
        assert readable(self.control, 10), 'no client'
        client = lab.keep(self.control.accept()[0])
        request = client.recv(256)
        peer = request[14:122].rstrip(b'\0').decode()
        self.data.connect(peer)
        address = struct.pack('=H108s', socket.AF_UNIX, f'{self.path}/001.5'.encode())
        client.sendall(address)


def test_runts_do_not_become_frames(lab, bridge):
    """Datagrams shorter than a header, as a broken switch might send, never reach the guest."""
    fake = OneWaySwitch(lab)
    qemu = bridge(fake.path)
    fake.accept(lab)
    for number, size in enumerate((0, 1, 2, 13, 14, 1, 0, 60)):
        fake.data.send(frames.ether(BROADCAST, mac(1), bytes([number]), size=size))
    fake.data.send(numbered(BROADCAST, mac(1), 99))
    assert [len(qemu.recv()) for _ in range(3)] == [14, 60, 60]


@pytest.mark.parametrize('scheme', ['hub', 'switch', 'ptp'])
def test_drop_results_do_not_become_frames(lab, ours, bridge, scheme):
    """Clients that come and go give no frame, though QEMU takes any result of vde_recv for one."""
    qemu = bridge(f'{scheme}://{lab.path("node")}')
    host = lab.lib(ours)
    if scheme == 'ptp':
        client = f'ptp://{lab.path("node")}'
        wait_until(lambda: os.path.exists(lab.path('node')), 10, 'ptp waiting')
    else:
        client = lab.path('node')
        wait_until(lambda: answers(lab.path('node', 'ctl')), 10, 'the node up')
    for number in range(4):
        plug = host.open(client)
        plug.send(numbered(BROADCAST, mac(1), number, size=60 + number))
        assert len(qemu.recv()) == 60 + number
        plug.close()


def test_stray_datagrams_do_not_become_frames(lab, ours, bridge):
    """Runts at a udp:// port, which are dropped there, are no frames either."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    qemu = bridge(f'udp://{port}->127.0.0.1:{port + 1}')
    wait_until(lambda: mapped(qemu.proc.pid, 'libvdeplug_udp'), 10, 'the plug-in mapped')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(('127.0.0.1', port + 1))
        for size in (0, 1, 13):
            sender.sendto(bytes(size), ('127.0.0.1', port))
        sender.sendto(numbered(BROADCAST, mac(1), 1), ('127.0.0.1', port))
    assert len(qemu.recv()) == 60
