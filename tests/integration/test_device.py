# SPDX-License-Identifier: GPL-2.0-or-later
"""TAPs that the switch serves by itself: those that plugs hand over, and its own (-t)."""

import errno
import json
import os
import pathlib
import signal
import time

import pytest

from test_vdens import has_carrier, pair, transfer
from vslib.device import REFUSAL, WELCOME, Device
from vslib.frames import BROADCAST, mac, mac_text, numbered, tag
from vslib.lab import sanitizer_library
from vslib.netns import up_command
from vslib.pace import PacedPair
from vslib.plugs import settle
from vslib.proc import pid_exists, wait_until
from vslib.sides import need_tun, tool

PUMP = pathlib.Path(__file__).with_name('vslib') / 'pump.py'


def listing(switch):
    """json port/allprint."""
    return json.loads('\n'.join(switch.ok('json port/allprint')))


def transports(switch):
    """The transports of all endpoints, in order of their ports."""
    return [endpoint['transport'] for port in listing(switch) for endpoint in port['endpoints']]


def port_with(switch, transport):
    """The number of the port that has an endpoint of that kind."""
    return next(port['port'] for port in listing(switch)
                if any(endpoint['transport'] == transport for endpoint in port['endpoints']))


def counters(switch, port):
    """The counters of the port with that number."""
    return next(entry['counters'] for entry in listing(switch) if entry['port'] == port)


def silent(space, address):
    """Whether a ping is not answered within a second."""
    return space.status(f"{tool('ping')} -n -q -c 1 -W 1 {address}")[0] != 0


def sleeps_of(pid):
    """How often the process has gone to sleep so far, and been interrupted."""
    with open(f'/proc/{pid}/status', encoding='ascii') as status:
        return [line for line in status if 'ctxt_switches' in line]


# --- vdens -----------------------------------------------------------------------------------

def test_vdens_hands_over(lab, ours):
    """vdens gives its interface to the switch, says so, and sleeps while frames pass."""
    switch = lab.switch(ours)
    report = lab.path('report')
    one, two = pair(lab, ours, ours, switch.path, options=['-J', report])
    assert transports(switch) == ['device', 'device']
    with open(report, encoding='utf-8') as stream:
        interface = json.load(stream)['interfaces'][0]
    assert interface['transport'] == 'device' and interface['name'] == 'vde0'
    assert mac_text(bytes.fromhex(interface['mac'].replace(':', ''))) in str(switch.macs())
    before = sleeps_of(two.proc.pid)
    assert one.ping('10.1.0.2', count=3)[0] == 0
    transfer(lab, two, one, '10.1.0.2', 7001, rounds=20)
    assert sleeps_of(two.proc.pid) == before
    assert one.exit(7) == 7
    wait_until(lambda: len(transports(switch)) == 1, 5, 'the port of the first to go')


@pytest.mark.parametrize('mtu', [1500, 9000])
def test_tcp_unchanged(lab, ours, mtu):
    """TCP over both IP versions, both ways, in super-frames that nobody cuts."""
    switch = lab.switch(ours)
    one = lab.namespace(ours, switch.path, name='one')
    two = lab.namespace(ours, switch.path, name='two')
    for number, space in enumerate((one, two), 1):
        space.up(f'10.1.0.{number}/24', mtu=mtu)
        space.run(f"{tool('ip')} addr add fd01::{number}/64 dev vde0 nodad")
    transfer(lab, two, one, '10.1.0.2', 7001)
    transfer(lab, one, two, 'fd01::1', 7002)
    for port in (1, 2):
        found = counters(switch, port)
        assert found['super_in'] > 20 and found['super_out'] > 20, found
        del found['drops']['refused']       # while the other interface was still down
        assert not any(found['drops'].values()), found
        # What is counted is what would be on a wire of that MTU.
        assert found['in_bytes'] <= found['in_packets'] * (mtu + 14)


def test_ways_not_to_hand_over(lab, ours):
    """--relay, ring=no and --device-ports none: this process carries the frames, as with others."""
    switch = lab.switch(ours)
    report = lab.path('report')
    one = lab.namespace(ours, switch.path, options=['--relay', '-J', report])
    two = lab.namespace(ours, f'vde://{switch.path}[ring=no]')
    closed = lab.switch(ours, '--device-ports', 'none', name='closed')
    three = lab.namespace(ours, closed.path)
    for space in (one, two, three):
        space.up('10.1.0.1/24')
    assert 'device' not in transports(switch) + transports(closed)
    with open(report, encoding='utf-8') as stream:
        assert json.load(stream)['interfaces'][0]['transport'] == 'relay'
    two.run(f"{tool('ip')} addr flush dev vde0; {tool('ip')} addr add 10.1.0.2/24 dev vde0")
    assert one.ping('10.1.0.2')[0] == 0


def test_mixed(lab, ours, debian):
    """A device, a relay and Debian's vdens in one switch: super-frames are cut for whom it must be."""
    switch = lab.switch(ours)
    one = lab.namespace(ours, switch.path, name='one')
    two = lab.namespace(debian, switch.path, name='two')
    three = lab.namespace(ours, f'vde://{switch.path}[ring=no]', name='three')
    for number, space in enumerate((one, two, three), 1):
        space.up(f'10.1.0.{number}/24')
    device = port_with(switch, 'device')
    transfer(lab, two, one, '10.1.0.2', 7001)
    transfer(lab, three, one, '10.1.0.3', 7002)
    found = counters(switch, device)
    assert found['super_in'] > 20, found
    transfer(lab, one, two, '10.1.0.1', 7003)
    transfer(lab, one, three, '10.1.0.1', 7004)
    found = counters(switch, device)
    assert found['super_out'] > 20, 'segments of an old plug are joined for the interface'
    assert found['out_bytes'] <= found['out_packets'] * 1514


def test_no_storm_of_retransmissions(lab, ours):
    """iperf3 both ways: what is lost can be counted on the fingers."""
    switch = lab.switch(ours)
    iperf = tool('iperf3')
    one, two = pair(lab, ours, ours, switch.path)
    two.run(f'{iperf} -s >/dev/null 2>&1 &')
    wait_until(lambda: ':5201' in two.run(f"{tool('ss')} -ltn"), 10, 'the server')
    for reverse in ('', '-R'):
        end = json.loads(one.run(f'{iperf} -c 10.1.0.2 -t 1 -J {reverse}', timeout=20))['end']
        segments = end['sum_sent']['bytes'] / 1448
        assert end['sum_sent']['retransmits'] < max(100, segments / 1000), end['sum_sent']
        assert end['sum_received']['bytes'] > 10e6


def test_switch_killed(lab, ours):
    """The switch goes: the interface has no carrier, vdens says so and waits for the command."""
    switch = lab.switch(ours)
    one, _two = pair(lab, ours, ours, switch.path)
    assert has_carrier(one)
    switch.proc.signal(signal.SIGKILL)
    wait_until(lambda: not has_carrier(one), 5, 'the carrier gone')
    wait_until(lambda: 'is gone' in one.proc.output(), 5, 'a warning')
    assert str(switch.path) in one.proc.output()
    assert one.exit(3) == 3


def test_vdens_killed(lab, ours):
    """vdens goes without a word: so does its port, and nobody else notices."""
    switch = lab.switch(ours)
    paced = [lab.raw(switch), lab.raw(switch)]
    settle(*paced)
    with PacedPair(*paced):
        one, two = pair(lab, ours, ours, switch.path)
        assert transports(switch).count('device') == 2
        fds = switch.fds()
        two.proc.signal(signal.SIGKILL)
        wait_until(lambda: transports(switch).count('device') == 1, 5, 'its port gone')
        assert switch.fds() == fds - 2
        assert silent(one, '10.1.0.2')


def test_interface_deleted(lab, ours):
    """The interface is deleted from inside: vdens says that, and the port goes."""
    switch = lab.switch(ours)
    one = lab.namespace(ours, switch.path)
    one.run(f"{tool('ip')} link del vde0")
    wait_until(lambda: not transports(switch), 5, 'its port gone')
    wait_until(lambda: 'the interface vde0 is gone' in one.proc.output(), 5, 'a warning')
    switch.sync()


def test_interface_down_and_up(lab, ours):
    """An interface that is down takes nothing, which is counted; up again it works as before."""
    switch = lab.switch(ours)
    one, two = pair(lab, ours, ours, switch.path)
    two.run(f"{tool('ip')} link set vde0 down")
    assert silent(one, '10.1.0.2')
    assert counters(switch, 2)['drops']['refused'] > 0
    two.run(f"{tool('ip')} link set vde0 up")
    assert one.ping('10.1.0.2')[0] == 0
    assert transports(switch) == ['device', 'device']


def test_plug2tap(lab, ours):
    """vde_plug2tap hands over a TAP that it has made itself."""
    need_tun()
    switch = lab.switch(ours)
    space = lab.plain_namespace()
    log = lab.path('log')
    pid = space.run(f"{ours.program('vde_plug2tap')} -s {switch.path} -p 3 tap0 "
                    f'</dev/null >{log} 2>&1 & echo $!').strip()
    switch.wait_endpoint('vde_plug2tap')
    assert transports(switch) == ['device'] and switch.port(3).endpoints
    space.run(up_command('10.1.0.9/24', 'tap0'))
    other = lab.namespace(ours, switch.path)
    other.up('10.1.0.1/24')
    assert other.ping('10.1.0.9')[0] == 0
    switch.proc.signal(signal.SIGKILL)
    wait_until(lambda: not pid_exists(int(pid)), 5, 'its end')
    assert space.run(f'wait {pid}; echo $?').strip() == '0'


# --- what is taken, and what is not ------------------------------------------------------------

@pytest.mark.parametrize('kind', ['tap', 'tap10'])
def test_device_frames(lab, ours, kind):
    """Frames of all sizes pass both ways, whichever of the two headers the TAP has."""
    switch = lab.switch(ours)
    device, plug = Device(lab, switch), lab.raw(switch)
    device.join(kind)
    settle(device, plug)
    for size in (60, 61, 600, 1514):
        there, back = numbered(mac(2), mac(1), size, size), numbered(mac(1), mac(2), size, size)
        device.send(there)
        assert plug.expect(there) == there
        plug.send(back)
        assert device.expect(back) == back


def test_device_tags(lab, ours):
    """A device on a tagged port gets and gives tags; on an untagged one it sees none."""
    switch = lab.switch(ours)
    tagged, untagged = Device(lab, switch), Device(lab, switch)
    tagged.join()
    untagged.join()
    for line in ('vlan/create 5', 'port/setvlan 2 5', 'vlan/addport 5 1'):
        switch.ok(line)
    there, back = numbered(BROADCAST, mac(1), 1), numbered(BROADCAST, mac(2), 2)
    tagged.send(there[:12] + tag(5) + there[12:])
    assert untagged.expect(there)
    untagged.send(back)
    assert tagged.expect(back[:12] + tag(5) + back[12:])


@pytest.mark.parametrize('kind, reason', [
    ('pipe', 'no attached TAP'), ('null', 'no attached TAP'), ('socket', 'no attached TAP'),
    ('unattached', 'no attached TAP'), ('tun', 'no TAP'), ('plain', 'IFF_VNET_HDR'),
    ('header20', '10 or 12 bytes'), ('none', 'exactly one descriptor')])
def test_refused_devices(lab, ours, kind, reason):
    """What is no TAP, or not such a one, is refused with a sentence; nothing of it stays."""
    switch = lab.switch(ours)
    switch.sync()
    fds = switch.fds()
    device = Device(lab, switch)
    device.call('make', kind=kind)
    message, code, text = device.hello()
    assert (message, code) == (REFUSAL, errno.EOPNOTSUPP) and reason in text, (message, code, text)
    wait_until(lambda: switch.fds() == fds, 5, lambda: f'{switch.fds()} descriptors, not {fds}')
    assert not transports(switch)


def test_two_descriptors(lab, ours):
    """Two TAPs in one request are none."""
    switch = lab.switch(ours)
    device = Device(lab, switch)
    device.call('make', kind='tap')
    assert device.hello(copies=2)[0] == REFUSAL
    assert not transports(switch)


@pytest.mark.skipif(os.geteuid() != 0, reason='needs root, to be two users')
@pytest.mark.parametrize('whose', ['same-user', 'any', 'none'])
def test_other_users(lab, ours, whose):
    """A TAP of another user is taken only with --device-ports any."""
    os.chmod(lab.dir, 0o755)
    switch = lab.switch(ours, '-m', '666', '--device-ports', whose)
    own, other = Device(lab, switch, user_space=False), Device(lab, switch, user_space=False)
    own.call('make', kind='tap')
    assert own.hello()[0] == (REFUSAL if whose == 'none' else WELCOME)
    other.call('make', kind='tap')
    message, code, text = other.hello(uid=65534)
    if whose == 'any':
        assert message == WELCOME
    else:
        assert (message, code) == (REFUSAL, errno.EOPNOTSUPP) and '--device-ports' in text


def test_blocking_flag(lab, ours):
    """The owner makes the description blocking, again and again: the switch never waits for it."""
    switch = lab.switch(ours)
    device, plug = Device(lab, switch).join(), lab.raw(switch)
    settle(device, plug)
    paced = [lab.raw(switch), lab.raw(switch)]
    settle(*paced)
    with PacedPair(*paced) as pace:
        device.call('flip')
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            device.send(numbered(mac(2), mac(1), 1))
            assert plug.expect()
            plug.send(numbered(mac(1), mac(2), 2))
            assert device.expect()
        before = pace.rounds
        wait_until(lambda: pace.rounds > before, 5, 'others go on')


def test_owner_changes_header(lab, ours):
    """The owner changes the header behind the switch's back: it harms its own frames only."""
    switch = lab.switch(ours)
    device, plug = Device(lab, switch).join(), lab.raw(switch)
    paced = [lab.raw(switch), lab.raw(switch)]
    settle(*paced)
    with PacedPair(*paced):
        for size in (60000, 13, 10):
            device.call('header', size=size)
            for number in range(50):
                device.send(numbered(BROADCAST, mac(1), number))
                plug.send(numbered(mac(1), mac(2), number))
            switch.sync()


def test_control_socket_closed(lab, ours):
    """The control socket's end is the port's end, whoever still holds the interface."""
    switch = lab.switch(ours)
    switch.sync()
    fds = switch.fds()
    device = Device(lab, switch).join()
    device.call('drop')
    wait_until(lambda: switch.fds() == fds, 5, lambda: f'{switch.fds()} descriptors, not {fds}')
    assert not transports(switch)


def test_device_and_interface_gone(lab, ours):
    """An interface that is deleted ends the port, and the plug is told by its control socket."""
    switch = lab.switch(ours)
    device = Device(lab, switch).join()
    device.call('run', command='ip link del t0')
    assert device.call('gone', timeout=5.0)
    wait_until(lambda: not transports(switch), 5, 'its port gone')


# --- the switch's own TAPs ---------------------------------------------------------------------

ETHTOOL_TSO = '''
import array, fcntl, socket, struct
word = array.array('B', struct.pack('II', 0x1e, 0))
request = struct.pack('16sP16x', b'tap0', word.buffer_info()[0])
fcntl.ioctl(socket.socket(), 0x8946, request)
print(struct.unpack('II', word.tobytes())[1])
'''


def switch_with_tap(lab, ours, *options, **how):
    """A switch with -t in a namespace of its own, and what runs a command there."""
    need_tun()
    switch = lab.switch(ours, '-t', 'tap0', *options,
                        argv_prefix=[tool('unshare'), '-Urn', '--'], **how)
    inside = [tool('nsenter'), '--preserve-credentials', '-U', '-n', '-t', str(switch.pid)]

    def run(command, timeout=20.0):
        result = lab.run([*inside, '/bin/sh', '-c', command], timeout=timeout)
        assert result.status == 0, result
        return result.out
    return switch, run


def test_own_tap(lab, ours, debian):
    """-t: super-frames both ways with vdens, joined segments from Debian's."""
    switch, run = switch_with_tap(lab, ours)
    run(up_command('10.1.0.9/24', 'tap0'))
    one, two = lab.namespace(ours, switch.path), lab.namespace(debian, switch.path)
    one.up('10.1.0.1/24')
    two.up('10.1.0.2/24')
    assert sorted(transports(switch)) == ['datagram', 'device', 'tap']
    receive = lab.write('receive.py', '''
import socket, sys
server = socket.create_server(("", int(sys.argv[1])))
open(sys.argv[2], "w").close()
connection, total = server.accept()[0], 0
while data := connection.recv(1 << 20):
    total += len(data)
connection.sendall(b"%d" % total)
''')
    send = lab.write('send.py', '''
import socket, sys
connection = socket.create_connection(("10.1.0.9", int(sys.argv[1])))
connection.sendall(bytes(5_000_000))
connection.shutdown(socket.SHUT_WR)
assert connection.recv(99, socket.MSG_WAITALL) == b"5000000"
''')
    python = tool('python3')
    port_of_tap = port_with(switch, 'tap')
    for number, space in enumerate((one, two), 7001):
        before = counters(switch, port_of_tap)['super_out']
        ready = lab.path(f'ready{number}')
        server = lab.spawn([tool('nsenter'), '--preserve-credentials', '-U', '-n', '-t',
                            str(switch.pid), python, receive, str(number), ready])
        wait_until(lambda: os.path.exists(ready), 10, 'the server')
        space.run(f'{python} {send} {number}', timeout=20)
        assert server.wait() == 0
        assert counters(switch, port_of_tap)['super_out'] > before + 20
    assert run(f"{python} {lab.write('tso.py', ETHTOOL_TSO)}") == '1\n'


def test_own_tap_left_plain(lab, ours):
    """A TAP that stays has no offloads when the switch has gone: who comes next may know none."""
    need_tun()
    space = lab.plain_namespace()
    space.run(f"{tool('ip')} tuntap add dev tap0 mode tap")
    python, path = tool('python3'), lab.path('sw')
    script = lab.write('tso.py', ETHTOOL_TSO)
    pid = space.run(f"{ours.program('vde_switch')} -t tap0 -s {path} --nostdin "
                    f"</dev/null >{lab.path('log')} 2>&1 & echo $!").strip()
    wait_until(lambda: space.run(f'{python} {script}') == '1\n', 5, 'its offloads')
    space.run(f'kill {pid}; wait {pid} || true')
    assert space.run(f'{python} {script}') == '0\n'


# --- the plug-in tap ---------------------------------------------------------------------------

@pytest.mark.parametrize('features', [0, 1, 7, 15])
def test_plugin_tap(lab, ours, features):
    """tap:// gives and takes super-frames if the program asks for them, and plain frames if not."""
    need_tun()
    switch = lab.switch(ours)
    space, other = lab.plain_namespace(), lab.namespace(ours, switch.path)
    log = lab.write('log', '')
    preload = f'LD_PRELOAD={sanitizer_library()} ASAN_OPTIONS=detect_leaks=0' if ours.sanitized() else ''
    space.run(f"{preload} {tool('python3')} -S {PUMP} {ours.library()} {features} tap://tap0 "
              f'vde://{switch.path} </dev/null >{log} 2>&1 &')
    wait_until(lambda: 'ready' in open(log, encoding='utf-8').read(), 10, 'the pump')
    space.run(up_command('10.1.0.9/24', 'tap0'))
    other.up('10.1.0.1/24')
    transfer(lab, other, space, '10.1.0.1', 7001, rounds=30)
    transfer(lab, space, other, '10.1.0.9', 7002, rounds=30)
    found = counters(switch, port_with(switch, 'ring'))
    assert (found['super_in'] > 10) == (features & 2 > 0), found
    assert found['super_out'] > 10, 'what comes is cut by the library, not by the switch'
    assert not found['drops']['offload'], found
