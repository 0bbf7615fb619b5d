# SPDX-License-Identifier: GPL-2.0-or-later
"""The spanning tree of vde_switch: with Linux's bridge, with itself, and with its old dialect.

Linux's bridge is made in the namespace of a vdens that is joined to the switch twice, so that there
is a loop across both. Its times are the shortest it takes; as root it gives them to the switch.
"""

import json
import re
import struct

import pytest

from vslib.frames import BROADCAST, TEST_TYPE, Parsed, is_test, mac, number_of, numbered, tag
from vslib.proc import TimeExpired, wait_until

GROUP = bytes.fromhex('0180c2000000')
FAST = 'forward_delay 200 hello_time 100 max_age 600'
PORT_LINE = re.compile(r' -- Port (\d{4}) tagged=(\d) portcost=(\d+) role=(\S+)')
LONGEST = 20            # s: maximum age and two delays of the times above, and room


def bridge_id(priority, address):
    """As a number."""
    return priority << 48 | int.from_bytes(address, 'big')


def bpdu(root, bridge=None, *, cost=0, port=0x8001, age=0, max_age=6, hello=1, delay=2, flags=0,
         version=0, kind=0, vlan=None):
    """A configuration BPDU; times in seconds."""
    body = struct.pack('>HBBBQIQHHHHH', 0, version, kind, flags, root, cost,
                       root if bridge is None else bridge, port,
                       *(int(value * 256) for value in (age, max_age, hello, delay)))
    unit = b'\x42\x42\x03' + body
    tags = b'' if vlan is None else tag(vlan)
    frame = GROUP + mac(99) + tags + struct.pack('>H', len(unit)) + unit
    return frame + bytes(max(0, 60 - len(frame)))


def is_bpdu(frame):
    """Frames to the bridge group address."""
    return frame[:6] == GROUP


class Heard:
    """The fields of a configuration BPDU."""

    def __init__(self, frame):
        self.parsed = Parsed(frame)
        self.vlan = self.parsed.vlan
        assert self.parsed.ethertype == 38 and self.parsed.payload[:3] == b'\x42\x42\x03'
        (self.protocol, self.version, self.kind, self.flags, self.root, self.cost, self.bridge,
         self.port, self.age, self.max_age, self.hello, self.delay) = struct.unpack(
             '>HBBBQIQHHHHH', self.parsed.payload[3:38])


def tree(switch, vlan=0):
    """fstp/print of one VLAN as JSON."""
    lines = switch.ok(f'json fstp/print {vlan}')
    return json.loads('\n'.join(lines))[0]


def roles(switch, vlan=0):
    """{port: role}, from the text."""
    found = {}
    for line in switch.ok(f'fstp/print {vlan}'):
        if matched := PORT_LINE.fullmatch(line):
            found[int(matched[1])] = matched[4]
    return found


def states(switch, vlan=0):
    """{port: state}."""
    return {port['port']: port['state'] for port in tree(switch, vlan)['ports']}


def wait_states(switch, wanted, timeout=LONGEST, vlan=0):
    """Wait until the named ports have these states."""
    wait_until(lambda: wanted.items() <= states(switch, vlan).items(), timeout,
               lambda: f'{wanted} in {switch.ok(f"json fstp/print {vlan}")}')


def bridge_states(space):
    """{interface: state} of the kernel's bridge ports."""
    lines = space.run('ip -d -o link show type tun').splitlines()
    return {matched[1]: matched[2] for line in lines
            if (matched := re.match(r'\d+: (\w+):.*bridge_slave state (\w+)', line))}


def make_bridge(space, priority, address='10.9.0.1/24'):
    """Linux's bridge br0 over all interfaces of vdens."""
    status, text = space.status(f'ip link add br0 address 02:00:00:00:00:01 type bridge '
                                f'stp_state 1 {FAST} priority {priority}')
    if status:
        pytest.skip(f'missing: bridges in user namespaces ({text.strip()})')
    space.run(f'for i in vde0 vde1; do ip link set $i master br0; ip link set $i up; done; '
              f'ip addr add {address} dev br0; ip link set br0 up')


def join(lab, debian, one, two, *ports):
    """Links between the same ports of two switches."""
    for port in ports:
        lab.spawn([debian.program('vde_plug'), f'vde://{one.path}[{port}]',
                   f'vde://{two.path}[{port}]'])


def edge_plug(lab, switch, port):
    """A raw plug on a port that forwards at once."""
    switch.ok(f'fstp/setedge 0 {port} 1')
    return lab.raw(switch, port=port)


def assert_one_copy(switch, one, two, space, start):
    """Broadcasts of one reach two exactly once, also after all that is in flight has arrived."""
    one.drain()
    two.drain()
    for number in range(start, start + 5):
        one.send(numbered(BROADCAST, mac(1), number))
    space.run('true')
    switch.sync()
    # A copy that circles passes here again within this many replies of the kernel's bridge.
    status, text = space.status('ping -n -q -i 0.02 -c 5 -w 3 10.9.0.2 2>&1; true')
    assert status == 0, text
    got = [number_of(frame) for frame in two.drain() if is_test(frame)]
    assert got == list(range(start, start + 5))
    assert not [frame for frame in one.drain() if is_test(frame)]


@pytest.fixture
def loop(lab, ours, debian):
    """Our switch and a namespace with two interfaces on its ports 5 and 6; host on port 20."""
    switch = lab.switch(ours, '-F', '--macaddr', '02:00:00:00:00:0b')
    for port in (20, 21, 22):
        switch.ok(f'fstp/setedge 0 {port} 1')
    space = lab.namespace(debian, f'{switch.path}[5]', f'{switch.path}[6]')
    wait_until(lambda: {5, 6} <= set(roles(switch)), what='both links')
    return switch, space


def host(lab, debian, switch):
    """A host behind port 20 of the switch."""
    space = lab.namespace(debian, f'{switch.path}[20]')
    space.up('10.9.0.2/24')
    return space


def reaches(space, address='10.9.0.1'):
    """Ping; several tries within 5 s."""
    status, text = space.ping(address)
    assert status == 0, text


def test_kernel_is_root(lab, loop, debian):
    """One link is used, the other one when that is gone; a silent loss is found by the age.

    When the other one comes to forward the root is notified; its acknowledgement ends that.
    """
    switch, space = loop
    make_bridge(space, 4096)
    wait_states(switch, {5: 'forwarding', 6: 'blocking'})
    assert roles(switch)[5] == 'Root' and roles(switch)[6] == 'Alternate/Backup'
    seen = tree(switch)
    assert (seen['max_age'], seen['hello_time'], seen['forward_delay']) == (6, 1, 2)
    assert not seen['rootswitch'] and seen['rootport'] == 5
    wait_until(lambda: set(bridge_states(space).values()) == {'forwarding'}, 10)
    peer = host(lab, debian, switch)
    reaches(peer)
    one, two = edge_plug(lab, switch, 21), edge_plug(lab, switch, 22)
    assert_one_copy(switch, one, two, space, 100)

    space.run('ip link set vde0 nomaster')      # the link stays up
    wait_states(switch, {6: 'forwarding'})
    assert roles(switch)[6] == 'Root' and roles(switch)[5] == 'Designated'
    reaches(peer)
    space.run('ip link set vde0 master br0')
    wait_states(switch, {5: 'forwarding', 6: 'blocking'})
    wait_until(lambda: set(bridge_states(space).values()) == {'forwarding'}, 10)
    assert_one_copy(switch, one, two, space, 200)
    reaches(peer)
    notified = [port['bpdus']['tcn_out'] for port in tree(switch)['ports'] if port['port'] == 6]
    assert notified == [1], f'{notified}: the topology change was not acknowledged, or never told'

    ident = switch.port(5).endpoints[0][0]
    switch.ok(f'port/epclose 5 {ident}')
    wait_states(switch, {6: 'forwarding'})
    reaches(peer)
    switch.check_healthy()


def test_switch_becomes_root(lab, loop, debian):
    """The kernel's bridge gives up its root: then it blocks, and has our times."""
    switch, space = loop
    make_bridge(space, 4096)
    wait_states(switch, {5: 'forwarding', 6: 'blocking'})
    wait_until(lambda: set(bridge_states(space).values()) == {'forwarding'}, 10)
    peer = host(lab, debian, switch)
    reaches(peer)
    space.run('ip link set br0 type bridge priority 61440')
    wait_until(lambda: tree(switch)['rootswitch'], 10)
    wait_until(lambda: sorted(bridge_states(space).values()) == ['blocking', 'forwarding'], 10,
               lambda: bridge_states(space))
    assert roles(switch)[5] == roles(switch)[6] == 'Designated'
    assert bridge_states(space)['vde0'] == 'forwarding'
    assert ' root_port 1 ' in space.run('ip -d link show br0')  # vde0
    reaches(peer)
    one, two = edge_plug(lab, switch, 21), edge_plug(lab, switch, 22)
    assert_one_copy(switch, one, two, space, 300)


def test_bpdu_bytes(lab, ours):
    """What goes out is 802.1D, and without a tag where the port is untagged."""
    switch = lab.switch(ours, '--macaddr', '02:00:00:00:00:0b', '--priority', '0x6000')
    plug = lab.raw(switch, port=7)
    switch.ok('fstp/setfstp 1')
    frame = plug.expect(is_bpdu)
    heard = Heard(frame)
    assert len(frame) == 60 and heard.vlan is None
    assert frame[6:12] == bytes.fromhex('02000000000b')
    assert (heard.protocol, heard.version, heard.kind, heard.flags) == (0, 0, 0, 0)
    assert heard.root == heard.bridge == 0x600002000000000b
    assert (heard.cost, heard.port, heard.age) == (0, 0x8007, 0)
    assert (heard.max_age, heard.hello, heard.delay) == (20 * 256, 2 * 256, 15 * 256)


def test_tree_of_each_vlan(lab, ours):
    """Tagged ports get tagged BPDUs, VLANs have roots of their own, roles are shown for both."""
    switch = lab.switch(ours, '-F', '--macaddr', '02:00:00:00:00:0b')
    switch.ok('vlan/create 5')
    switch.ok('port/create 7')
    switch.ok('vlan/addport 5 7')
    plug = lab.raw(switch, port=7)
    assert Heard(plug.expect(lambda frame: is_bpdu(frame) and Parsed(frame).vlan == 5)).version == 0
    plug.expect(lambda frame: is_bpdu(frame) and Parsed(frame).vlan is None)
    plug.send(bpdu(bridge_id(0x1000, mac(9)), vlan=5))
    wait_until(lambda: roles(switch, 5) == {7: 'Root'})
    assert roles(switch, 0) == {7: 'Designated'}
    lines = switch.ok('fstp/print 5')
    assert lines == [
        'FST DATA VLAN 0005  ',
        ' ++ root 10:00:02:00:00:00:00:09',
        ' ++ designated 10:00:02:00:00:00:00:09',
        ' ++ rootport 0007 cost 2 age 0 bonusport 0000 bonuscost 0',
        ' -- Port 0007 tagged=1 portcost=2 role=Root']
    wait_states(switch, {7: 'forwarding'}, vlan=5)      # 2 s twice
    assert states(switch, 0) == {7: 'listening'}        # 15 s twice


def test_events(lab, ours):
    """The debug lines that vde_autolink and others read."""
    switch = lab.switch(ours, '-F', '--macaddr', '02:00:00:00:00:0b')
    switch.ok('debug/add fstp')
    switch.ok('vlan/create 5')
    switch.console.wait_event(r'^3045 fstp/root Port 0000 VLAN 00:05 -> 80:00:02:00:00:00:00:0b$')
    plug = lab.raw(switch, port=7)
    plug.send(bpdu(bridge_id(0x1000, mac(9))))
    switch.console.wait_event(r'^3041 fstp/\+ Port 0007 VLAN 00:00$')
    switch.console.wait_event(r'^3045 fstp/root Port 0007 VLAN 00:00 -> 10:00:02:00:00:00:00:09$')
    switch.console.wait_event(r'^3044 fstp/status Port 0007 VLAN 00:00 learning$')
    switch.console.wait_event(r'^3044 fstp/status Port 0007 VLAN 00:00 learning\+forwarding$')
    switch.console.wait_event(r'^3042 fstp/- Port 0007 VLAN 00:00$', 10)    # 6 s after
    switch.console.wait_event(r'^3045 fstp/root Port 0000 VLAN 00:00 -> 80:00:02:00:00:00:00:0b$')
    plug.send(bpdu(bridge_id(0x1000, mac(9))))
    switch.console.wait_event(r'^3041 fstp/\+ Port 0007 VLAN 00:00$')
    plug.close()
    switch.console.wait_event(r'^3042 fstp/- Port 0007 VLAN 00:00$')
    switch.ok('fstp/setfstp 0')
    switch.console.wait_event(r'^3045 fstp/root Port 0000 VLAN 00:00 -> 80:00:02:00:00:00:00:0b$')


def test_shut_ports_pass_nothing(lab, ours):
    """A listening port passes no data; an edge port does, until it hears a BPDU."""
    switch = lab.switch(ours, '-F')
    one = edge_plug(lab, switch, 1)
    two = edge_plug(lab, switch, 2)
    shut = lab.raw(switch, port=3)
    switch.wait_endpoint('itest')
    one.send(numbered(BROADCAST, mac(1), 1))
    assert number_of(two.expect()) == 1
    shut.send(numbered(BROADCAST, mac(3), 2))
    switch.sync()
    assert not [frame for frame in shut.drain() + two.drain() if is_test(frame)]
    assert ('02:00:00:00:00:03', 0) not in switch.macs()
    two.send(bpdu(bridge_id(0xf000, mac(9))))
    wait_until(lambda: roles(switch)[2] == 'Designated')
    one.send(numbered(BROADCAST, mac(1), 3))
    switch.sync()
    assert not [frame for frame in two.drain() if is_test(frame)]


def test_off_forwards_bpdus(lab, ours):
    """Without the tree BPDUs are data; with it the whole block stays inside."""
    switch = lab.switch(ours)
    one, two = lab.raw(switch, port=1), lab.raw(switch, port=2)
    frame = bpdu(bridge_id(0x1000, mac(9)))
    lldp = bytes.fromhex('0180c200000e') + mac(9) + struct.pack('>H', TEST_TYPE) + bytes(46)
    for wanted in (frame, lldp):
        one.send(wanted)
        assert two.expect(wanted) == wanted
    for port in (1, 2):
        switch.ok(f'fstp/setedge 0 {port} 1')
    switch.ok('fstp/setfstp 1')
    one.send(lldp)
    one.send(numbered(BROADCAST, mac(1), 7))
    assert number_of(two.expect()) == 7
    assert lldp not in two.drain()


def test_garbage(lab, ours):
    """Malformed BPDUs are counted and change nothing."""
    switch = lab.switch(ours, '-F')
    plug = edge_plug(lab, switch, 1)
    good = bpdu(bridge_id(0, mac(9)))
    bad = [GROUP + mac(9),                              # ends before its length
           GROUP + mac(9) + b'\x00\x26',
           GROUP + mac(9) + b'\x00\x26' + b'\x42\x42',
           good[:30],                                   # ends inside
           good[:14] + b'\xaa\xaa\x03' + good[17:],     # another LLC
           good[:17] + b'\x00\x01' + good[19:],         # another protocol
           good[:20] + b'\x55' + good[21:],             # another type
           good[:12] + b'\x05\xdd' + good[14:],         # longer than the frame
           bpdu(0, age=6), bpdu(0, age=255)]            # too old
    for frame in bad:
        plug.send(frame)
    wait_until(lambda: tree(switch)['ports'][0]['bpdus']['malformed_in'] == len(bad) - 1,
               what=lambda: tree(switch))
    seen = tree(switch)
    assert seen['rootswitch'] and seen['ports'][0]['bpdus']['config_in'] == 2
    switch.check_healthy()


def old_bpdu(root, bridge, port, age=0):
    """What vde-2 sends: whole seconds, bytes exchanged."""
    return bpdu(root, bridge, port=port, age=age, max_age=40, hello=4, delay=0, flags=0x7c,
                version=2, kind=2)


def test_old_dialect(lab, ours, debian):
    """Two links to Debian's fstp: reported, one of them shut, and no storm."""
    switch = lab.switch(ours, '-F', '--macaddr', '02:00:00:00:00:0a', name='ours')
    old = lab.switch(debian, '-F', '--macaddr', '02:00:00:00:00:0b', name='old')
    plugs = [edge_plug(lab, switch, 1), edge_plug(lab, switch, 2)]
    join(lab, debian, switch, old, 5, 6)
    wait_until(lambda: {'Root', 'Alternate/Backup'} <= set(roles(switch).values()), 10)
    assert roles(switch)[5] == 'Root' and roles(switch)[6] == 'Alternate/Backup'
    ports = {port['port']: port for port in tree(switch)['ports']}
    assert ports[5]['old_dialect'] and ports[6]['old_dialect']
    assert tree(switch)['root'] == '00:00:02:00:00:00:00:0b'
    log = switch.proc.output()
    assert 'port 5, VLAN 0: the neighbour speaks the old dialect' in log, log
    assert 'fstp/setfstp 0' in log
    plugs[0].send(numbered(BROADCAST, mac(1), 1))
    assert number_of(plugs[1].expect()) == 1
    switch.sync()
    assert not [frame for plug in plugs for frame in plug.drain() if is_test(frame)]
    switch.check_healthy()


def test_old_dialect_in_a_ring(lab, ours, debian):
    """One switch of the dialect and two of ours: both go to it, the link between them is shut."""
    one = lab.switch(ours, '-F', '--macaddr', '02:00:00:00:00:0a', name='one')
    two = lab.switch(ours, '-F', '--macaddr', '02:00:00:00:00:0c', name='two')
    old = lab.switch(debian, '-F', '--macaddr', '02:00:00:00:00:0b', name='old')
    join(lab, debian, one, two, 7)
    join(lab, debian, one, old, 5)
    join(lab, debian, two, old, 6)
    wait_until(lambda: roles(one) == {5: 'Root', 7: 'Designated'}, 10)
    wait_until(lambda: roles(two) == {6: 'Root', 7: 'Alternate/Backup'}, 10)


def test_through_a_switch_without_fstp(lab, ours, debian):
    """What the message about the dialect advises: then our own BPDUs show the loop."""
    switch = lab.switch(ours, '-F', name='ours')
    plain = lab.switch(debian, name='plain')
    join(lab, debian, switch, plain, 5, 6)
    wait_until(lambda: sorted(roles(switch).values()) == ['Alternate/Backup', 'Designated'], 10)
    assert states(switch) == {5: 'listening', 6: 'blocking'}


def test_old_dialect_may_lead(lab, ours):
    """A single way to a switch of the dialect is used; it opens after the usual delays."""
    switch = lab.switch(ours, '-F')
    plug = lab.raw(switch, port=5)
    plug.send(old_bpdu(bridge_id(0x8000, mac(9)), bridge_id(0x8000, mac(9)), 0x8001))
    wait_until(lambda: roles(switch) == {5: 'Root'})
    assert tree(switch)['ports'][0]['bpdus']['old_dialect_in'] == 1
    plug.send(bpdu(bridge_id(0x8000, mac(9)), kind=2, version=2))   # real 802.1w: noticed only
    wait_until(lambda: tree(switch)['ports'][0]['bpdus']['rapid_in'] == 1)
    assert 'old dialect' in switch.proc.output()


def test_two_switches(lab, ours, debian):
    """Ours with ours, two links: the one with the higher identifier shuts one end."""
    one = lab.switch(ours, '-F', '--macaddr', '02:00:00:00:00:0a', name='one')
    two = lab.switch(ours, '-F', '--macaddr', '02:00:00:00:00:0b', name='two')
    join(lab, debian, one, two, 5, 6)
    wait_until(lambda: roles(two) == {5: 'Root', 6: 'Alternate/Backup'}, 10,
               lambda: roles(two))
    assert roles(one) == {5: 'Designated', 6: 'Designated'}
    assert states(two) == {5: 'listening', 6: 'blocking'}
    two.ok('fstp/bonus 0 6 1')
    wait_until(lambda: roles(two) == {5: 'Alternate/Backup', 6: 'Root'}, 10)
    assert tree(two)['cost'] == 1


def test_commands(lab, ours):
    """What fstp's commands say, as Debian's (but for the cost)."""
    switch = lab.switch(ours, '--macaddr', '02:00:00:00:00:0b', '--priority', '4097')
    lab.raw(switch, port=9)
    switch.wait_endpoint('itest')
    console = switch.console
    assert switch.ok('fstp/showinfo') == ['MAC 02:00:00:00:00:0b Priority 4097 (0x1001)',
                                          'FSTP=false']
    off = ['FST DATA VLAN 0000 ROOTSWITCH FSTP IS DISABLED',
           ' ++ root 10:01:02:00:00:00:00:0b',
           ' ++ designated ff:ff:ff:ff:ff:ff:ff:ff',
           ' ++ rootport 0000 cost 0 age N bonusport 0000 bonuscost 0',
           ' -- Port 0009 tagged=0 portcost=2 role=Designated']

    def without_age():
        return [re.sub('age [0-9]+', 'age N', line) for line in switch.ok('fstp/print')]
    assert without_age() == off
    for line, code in (('fstp/setedge', 22), ('fstp/setedge 0 9', 22), ('fstp/setedge 7 9 1', 6),
                       ('fstp/setedge 0 33 1', 22), ('fstp/setedge 0 -1 1', 22),
                       ('fstp/bonus 0 9', 22), ('fstp/bonus 7 9 3', 6),
                       ('fstp/bonus 0 9 0x100000000', 22), ('fstp/print 7', 6),
                       ('fstp/print 4096', 22), ('fstp/setfstp 7', 22)):
        console.fails(line, code)
    assert console.command('fstp/print 7').lines == []
    switch.ok('fstp/setedge 0x0 011 1')
    switch.ok('fstp/bonus 0 011 0x1')
    assert switch.ok('fstp/setfstp 1') == []
    assert switch.ok('fstp/showinfo')[1] == 'FSTP=true'
    on = without_age()
    assert on[0] == 'FST DATA VLAN 0000 ROOTSWITCH '
    assert on[3] == ' ++ rootport 0000 cost 0 age N bonusport 0009 bonuscost 1'
    assert on[4] == ' -- Port 0009 tagged=0 portcost=2 role=Edge'
    assert switch.vlans()[0][9] == (False, True, 'Forwarding')
    switch.ok('port/sethub 1')
    assert switch.ok('fstp/showinfo')[1] == 'FSTP=false'
    assert switch.ok('fstp/setfstp 1') == ["Can't use fstp in hub mode"]
    assert switch.ok('fstp/showinfo')[1] == 'FSTP=false'


def test_settings_outlive_ports(lab, ours):
    """An edge port may be named before anybody is there, and after everybody has gone."""
    switch = lab.switch(ours, '-F')
    switch.ok('fstp/setedge 0 9 1')
    for _ in range(2):
        plug = lab.raw(switch, port=9)
        wait_until(lambda: states(switch) == {9: 'forwarding'})
        plug.close()
        wait_until(lambda: states(switch) == {})
    switch.ok('fstp/setedge 0 9 0')
    lab.raw(switch, port=9)
    wait_until(lambda: states(switch) == {9: 'listening'})


def test_vlan_goes_with_its_tree(lab, ours):
    """VLANs come and go while the tree is on, with ports and timers in it."""
    switch = lab.switch(ours, '-F')
    plug = lab.raw(switch, port=9)
    switch.wait_endpoint('itest')
    for _ in range(3):
        switch.ok('vlan/create 5')
        switch.ok('vlan/addport 5 9')
        plug.expect(lambda frame: is_bpdu(frame) and Parsed(frame).vlan == 5)
        switch.ok('vlan/remove 5')
        plug.drain()
    switch.console.fails('fstp/print 5', 6)
    with pytest.raises(TimeExpired):
        plug.expect(lambda frame: is_bpdu(frame) and Parsed(frame).vlan == 5, timeout=0.2)
    switch.check_healthy()
