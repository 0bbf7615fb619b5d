# SPDX-License-Identifier: GPL-2.0-or-later
"""VLANs of vde_switch: what goes where, tagged or not, for every kind of port and frame.

The rules (reference 3.3) are written as a model; every frame of the matrix is sent into every port
and what comes out of all others is compared with it.
"""

import errno

import pytest

from vslib import frames
from vslib.frames import BROADCAST, TPID_AD, Parsed, ether, mac, mac_text, numbered, tag
from vslib.proc import wait_until

NO_VLAN = 4095

# port: (untagged VLAN, VLANs it is a tagged member of)
PORTS = {
    1: (0, ()),
    2: (10, ()),
    3: (10, (20,)),
    4: (0, (10, 20)),
    5: (20, (10,)),
    6: (NO_VLAN, (10, 20)),
    7: (NO_VLAN, ()),
    8: (30, (0,)),
}
VLANS = (10, 20, 30)


def sized(dst, src, payload, tags=b''):
    """A frame of 60 bytes without its tags, the same whatever they are."""
    return ether(dst, src, payload.ljust(46, b'.'), tags=tags)


class Net:
    """A switch with a plug on each port of PORTS, and what they should hear."""

    def __init__(self, lab, switch):
        self.switch = switch
        for vlan in VLANS:
            switch.ok(f'vlan/create {vlan}')
        self.plugs = {port: lab.raw(switch, port=port) for port in PORTS}
        for port, (untagged, tagged) in PORTS.items():
            if untagged:
                switch.ok(f'port/setvlan {port} {untagged}')
            for vlan in tagged:
                switch.ok(f'vlan/addport {vlan} {port}')

    def hear(self, port, frame):
        """Send a frame into a port; {port: frame} of what came out."""
        self.plugs[port].send(frame)
        self.switch.sync()
        heard = {}
        for number, plug in self.plugs.items():
            got = plug.drain()
            assert len(got) < 2, f'port {number} heard twice'
            if got:
                heard[number] = got[0]
        return heard


def members(port):
    """The VLANs a port is in."""
    untagged, tagged = PORTS[port]
    return {untagged, *tagged} - {NO_VLAN}


def expected(port, vlan, pcp, payload):
    """{port: frame} for a broadcast that belongs to a VLAN when it came into a port."""
    wanted = {}
    if vlan == NO_VLAN or vlan not in members(port):
        return wanted
    for other in PORTS:
        if other == port or vlan not in members(other):
            continue
        tags = b'' if PORTS[other][0] == vlan else tag(vlan, pcp)
        wanted[other] = sized(BROADCAST, mac(port), payload, tags=tags)
    return wanted


@pytest.fixture
def net(lab, switch):
    """The network of the matrix."""
    return Net(lab, switch)


def test_configuration_is_shown(net):
    """vlan/print says what was set up."""
    vlans = net.switch.vlans()
    assert set(vlans) == {0, *VLANS}
    for vlan, ports in vlans.items():
        assert set(ports) == {port for port in PORTS if vlan in members(port)}
        for port, (tagged, active, status) in ports.items():
            assert (tagged, active, status) == (PORTS[port][0] != vlan, True, 'Forwarding')


def test_untagged_frames(net):
    """They belong to the port's own VLAN; a port without one drops them."""
    for port, (untagged, _) in PORTS.items():
        payload = b'untagged' + bytes([port])
        frame = sized(BROADCAST, mac(port), payload)
        assert net.hear(port, frame) == expected(port, untagged, 0, payload), port


@pytest.mark.parametrize('vlan', [10, 20, 30, 40, 4093, 1034, 2058])
def test_tagged_frames(net, vlan):
    """They belong to their VLAN if the port is a member; 1034 and 2058 are not 10 (12 bits)."""
    for port in PORTS:
        payload = b'tagged' + bytes([port])
        frame = sized(BROADCAST, mac(port), payload, tags=tag(vlan, pcp=5))
        assert net.hear(port, frame) == expected(port, vlan, 5, payload), port


def test_priority_survives(net):
    """Priority and drop eligible bits go on from tag to tag."""
    for pcp in range(8):
        frame = sized(BROADCAST, mac(4), bytes([pcp]), tags=tag(10, pcp, dei=1))
        heard = net.hear(4, frame)
        assert heard[6] == frame
        assert Parsed(heard[2]).vlan is None


def test_a_new_tag_has_no_priority(net):
    """A tag that the switch adds carries the VLAN alone."""
    heard = net.hear(2, sized(BROADCAST, mac(2), b'x'))
    assert heard[4][12:16] == tag(10)
    assert heard[4] == sized(BROADCAST, mac(2), b'x', tags=tag(10))


def test_no_vlan_4095(net):
    """4095 is reserved: a frame that carries it goes nowhere."""
    for port in PORTS:
        assert net.hear(port, sized(BROADCAST, mac(port), b'x', tags=tag(4095))) == {}


def test_service_tags_are_data(net):
    """0x88a8 is no tag of ours: the frame is untagged."""
    frame = sized(BROADCAST, mac(1), b'x', tags=tag(10, tpid=TPID_AD))
    assert net.hear(1, frame)[4] == frame
    inside = frame[:12] + tag(10) + frame[12:]
    assert net.hear(5, inside)[2] == frame


def test_double_tags(net):
    """The outer tag counts, the inner one is data."""
    frame = sized(BROADCAST, mac(4), b'x', tags=tag(10) + tag(20))
    heard = net.hear(4, frame)
    assert set(heard) == {2, 3, 5, 6}
    assert heard[2] == frame[:12] + frame[16:]
    assert heard[6] == frame


def test_priority_tags(net):
    """Tag with VLAN 0: VLAN 0, as for a member of it; what other ports hear is tagged or not."""
    payload = b'priority'
    frame = sized(BROADCAST, mac(1), payload, tags=tag(0, pcp=6))
    assert net.hear(1, frame) == expected(1, 0, 6, payload)
    heard = net.hear(7, sized(BROADCAST, mac(7), payload, tags=tag(0, pcp=6)))
    assert heard == {}


def test_short_tagged_frames(net):
    """Cut inside or right behind the tag: no crash, and nothing that was not sent."""
    whole = sized(BROADCAST, mac(4), b'', tags=tag(10))
    for size in range(12, 20):
        for number, heard in net.hear(4, whole[:size]).items():
            assert len(heard) <= size + 4, number
    assert net.hear(4, whole)[6] == whole


def test_learning_is_per_vlan(net):
    """One address on two ports in two VLANs: each VLAN has its own entry."""
    here = sized(BROADCAST, mac(0x77), b'x', tags=tag(10))
    there = sized(BROADCAST, mac(0x77), b'x')
    net.hear(6, here)
    net.hear(1, there)
    assert net.switch.macs()[mac_text(mac(0x77)), 10] == 6
    assert net.switch.macs()[mac_text(mac(0x77)), 0] == 1
    to_it = sized(mac(0x77), mac(0x78), b'y')
    assert net.hear(2, to_it) == {6: sized(mac(0x77), mac(0x78), b'y', tags=tag(10))}
    assert net.hear(4, to_it) == {1: to_it}
    assert net.switch.ok('hash/find 02:00:00:00:00:77 10')[0].split(' to ')[0].endswith('VLAN 0010')


def test_delport(net):
    """A port that left a VLAN hears no more of it, and may not send into it."""
    frame = sized(BROADCAST, mac(6), b'x', tags=tag(20))
    assert set(net.hear(6, frame)) == {3, 4, 5}
    net.switch.ok('vlan/delport 20 4')
    assert set(net.hear(6, frame)) == {3, 5}
    assert net.hear(4, sized(BROADCAST, mac(4), b'x', tags=tag(20))) == {}
    net.switch.ok('vlan/addport 20 4')
    assert set(net.hear(6, frame)) == {3, 4, 5}


def test_setvlan_moves_a_port(net):
    """The untagged VLAN changes; the port leaves the old one."""
    frame = sized(BROADCAST, mac(2), b'x')
    assert set(net.hear(2, frame)) == {3, 4, 5, 6}
    net.switch.ok('port/setvlan 2 0')
    assert set(net.hear(2, frame)) == {1, 4, 8}
    assert 2 not in net.switch.vlans()[10]
    net.switch.ok('port/setvlan 2 4095')
    assert net.hear(2, frame) == {}
    assert 2 not in net.switch.vlans()[0]


def test_removed_vlan_is_gone(lab, switch):
    """After vlan/remove its frames go nowhere, and its number may be used again."""
    switch.ok('vlan/create 10')
    one, two = lab.raw(switch), lab.raw(switch)
    for port in (1, 2):
        switch.ok(f'vlan/addport 10 {port}')
    frame = numbered(BROADCAST, mac(1), 1, tags=tag(10))
    one.send(frame)
    assert two.recv() == frame
    for port in (1, 2):
        switch.ok(f'vlan/delport 10 {port}')
    switch.ok('vlan/remove 10')
    one.send(frame)
    switch.sync()
    assert not two.drain()
    switch.ok('vlan/create 10')
    assert switch.vlans()[10] == {}


def test_new_ports_are_in_vlan_0(lab, net):
    """A port that comes later starts untagged in VLAN 0, and hears nothing else."""
    net.plugs[9] = lab.raw(net.switch)
    assert 9 in net.switch.vlans()[0]
    assert 9 in net.hear(1, sized(BROADCAST, mac(1), b'x'))
    assert 9 not in net.hear(2, sized(BROADCAST, mac(2), b'x'))


def test_settings_outlive_the_plug(lab, switch):
    """A port keeps its VLAN while no plug is on it."""
    switch.ok('vlan/create 10')
    switch.ok('port/create 4')
    switch.ok('port/setvlan 4 10')
    with lab.raw(switch, port=4, descr='first'):
        switch.wait_endpoint('first')
    switch.wait_no_endpoint('first')
    assert switch.port(4).vlan == 10
    lab.raw(switch, port=4)
    assert switch.vlans()[10][4] == (False, True, 'Forwarding')


def test_port_0_in_vlans(lab, switch):
    """The management port can be put into a VLAN like any other."""
    switch.ok('vlan/create 10')
    management, one = lab.raw(switch, kind=1), lab.raw(switch)
    switch.ok('port/setvlan 0 10')
    switch.ok('vlan/addport 10 1')
    frame = numbered(BROADCAST, mac(1), 1, tags=tag(10))
    one.send(frame)
    heard = management.recv()
    assert heard == frame[:12] + frame[16:]


def test_every_vlan_id(lab, switch):
    """1 to 4094 at once on ours (Debian's: 4093), then frames of some of them."""
    last = 4094 if switch.side.ours else 4093
    console = switch.console
    plugs = lab.raw(switch), lab.raw(switch)
    for vlan in range(1, last + 1):
        console.ok(f'vlan/create {vlan}')
    console.fails(f'vlan/create {last + 1}', errno.EINVAL)
    assert len(switch.vlans()) == last + 1
    for vlan in (1, 2, 1023, 1024, 2048, 4093, last):
        for port in (1, 2):
            switch.ok(f'vlan/addport {vlan} {port}')
        frame = numbered(BROADCAST, mac(1), vlan, tags=tag(vlan))
        plugs[0].send(frame)
        assert plugs[1].recv() == frame, vlan


def test_vlan_4094_untagged(lab, ours):
    """The highest VLAN works untagged and tagged (upstream: off by one)."""
    switch = lab.switch(ours)
    switch.ok('vlan/create 4094')
    one, two = lab.raw(switch), lab.raw(switch)
    switch.ok('port/setvlan 1 4094')
    switch.ok('vlan/addport 4094 2')
    one.send(frames.numbered(BROADCAST, mac(1), 1))
    assert Parsed(two.recv()).vlan == 4094
    two.send(numbered(BROADCAST, mac(2), 2, tags=tag(4094)))
    assert one.recv() == numbered(BROADCAST, mac(2), 2, tags=tag(4094))[:12] + numbered(
        BROADCAST, mac(2), 2, tags=tag(4094))[16:]


def test_largest_frame_grows_by_its_tag(lab, ours):
    """A frame of 9230 bytes untagged comes out with its tag, 9234 bytes, whole."""
    switch = lab.switch(ours)
    switch.ok('vlan/create 10')
    one, two = lab.raw(switch), lab.raw(switch)
    switch.ok('port/setvlan 1 10')
    switch.ok('vlan/addport 10 2')
    frame = numbered(BROADCAST, mac(1), 1, size=9230)
    one.send(frame)
    assert two.recv() == frame[:12] + tag(10) + frame[12:]


def test_hub_mode_passes_tags(lab, switch_side):
    """A hub repeats every frame as it is."""
    switch = lab.switch(switch_side, '-x')
    one, two = lab.raw(switch), lab.raw(switch)
    for vlan in (0, 7, 4095):
        frame = numbered(BROADCAST, mac(1), vlan, tags=tag(vlan, pcp=3))
        one.send(frame)
        assert two.recv() == frame


def test_many_changes_under_traffic(lab, ours):
    """Members come and go while frames flow: none is lost between two that stay."""
    switch = lab.switch(ours)
    switch.ok('vlan/create 10')
    one, two = lab.raw(switch, port=1), lab.raw(switch, port=2)
    lab.raw(switch, port=3)
    for port in (1, 2):
        switch.ok(f'vlan/addport 10 {port}')
    for number in range(300):
        switch.console.write(f'vlan/{"add" if number % 2 else "del"}port 10 3\n')
        one.send(numbered(BROADCAST, mac(1), number, tags=tag(10)))
        assert frames.number_of(two.recv()) == number
        switch.console.read_until(b'vde$ ')
    wait_until(lambda: 3 in switch.vlans()[10], 5, 'port 3 in the VLAN')
