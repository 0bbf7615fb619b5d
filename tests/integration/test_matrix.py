# SPDX-License-Identifier: GPL-2.0-or-later
"""Either switch with either side's plugs and namespaces: the drop-in promise, pair by pair.

Every test runs for {our, Debian's} vde_switch with {our, Debian's} vde_plug, library or vdens.
"""

import os
import re
import stat
import struct

import pytest

from vslib import frames
from vslib.frames import (ARP, BROADCAST, DEBIAN_SWITCH_CUT, IPV4, Parsed, arp, icmp_echo, is_test,
                          is_type, mac, numbered, tag)
from vslib.netns import ping_command
from vslib.plugs import LibraryError, settle
from vslib.proc import wait_until

SIZES = (60, 61, 64, 512, 1500, 1514, 1518, 4000, 9000, 9014)


def fits(switch, size):
    """Whether a frame of that size passes whole."""
    return switch.side.ours or size <= DEBIAN_SWITCH_CUT


def two_plugs(lab, switch, plug_side, *options):
    """Two vde_plugs, connected."""
    plugs = [lab.stream(plug_side, switch.path, '-D', f'm{n}', *options) for n in range(2)]
    for number in range(2):
        switch.wait_endpoint(f'm{number}')
    settle(*plugs)
    return plugs


def test_frames_of_every_size(lab, switch, plug_side):
    """60 to 9014 bytes, both ways, unicast and broadcast."""
    one, two = two_plugs(lab, switch, plug_side)
    for number, size in enumerate(size for size in SIZES if fits(switch, size)):
        for sender, receiver, src, dst in ((one, two, 1, 2), (two, one, 2, 1)):
            for to in (mac(dst), BROADCAST):
                frame = numbered(to, mac(src), number, size=size)
                sender.send(frame)
                assert receiver.expect(is_test) == frame, size


def test_bursts_both_ways(lab, switch, plug_side):
    """Back to back in both directions: in order and unchanged; none lost in our switch."""
    one, two = two_plugs(lab, switch, plug_side)
    count = 200
    for number in range(count):
        one.send(numbered(mac(2), mac(1), number, size=1200))
        two.send(numbered(mac(1), mac(2), number, size=90))
    for plug, size in ((two, 1200), (one, 90)):
        got = []
        while len(got) < count:
            frame = plug.recv(5 if switch.side.ours else 0.5)
            if frame is None:
                break
            got.append(frame)
        assert all(len(frame) == size for frame in got)
        numbers = [frames.number_of(frame) for frame in got]
        if switch.side.ours:
            assert numbers == list(range(count))
        else:
            assert numbers == sorted(set(numbers)) and numbers


def test_library_both_ways(lab, switch, plug_side):
    """The library itself, without a program around it."""
    host = lab.lib(plug_side)
    one, two = host.open(switch.path, descr='lib one'), host.open(switch.path)
    assert switch.wait_endpoint('lib one') == 1
    settle(one, two)
    for number, size in enumerate(size for size in SIZES if fits(switch, size)):
        frame = numbered(mac(2), mac(1), number, size=size)
        one.send(frame)
        assert two.expect(is_test) == frame
        answer = numbered(mac(1), mac(2), number, size=size)
        two.send(answer)
        assert one.expect(is_test) == answer


@pytest.mark.parametrize('vnl', ['{dir}[5]', 'vde://{dir}[port=5]', '{dir}[portgroup=5]'])
def test_numbered_port(lab, switch, plug_side, vnl):
    """Every way to name a port in the locator."""
    lab.stream(plug_side, vnl.format(dir=switch.path), '-D', 'fifth')
    assert switch.wait_endpoint('fifth') == 5


def test_port_option(lab, switch, plug_side):
    """vde_plug --port N, and port 0 by [0]."""
    lab.stream(plug_side, switch.path, '-D', 'by option', '--port', '6')
    assert switch.wait_endpoint('by option') == 6
    lab.stream(plug_side, f'{switch.path}[0]', '-D', 'management')
    assert switch.wait_endpoint('management') == 0


def test_shared_port(lab, switch, plug_side):
    """Plugs of one user on one port hear the same, and not each other."""
    a = lab.stream(plug_side, f'{switch.path}[4]', '-D', 'share a')
    b = lab.stream(plug_side, f'{switch.path}[4]', '-D', 'share b')
    for descr in ('share a', 'share b'):
        assert switch.wait_endpoint(descr) == 4
    other = lab.raw(switch)
    frame = numbered(BROADCAST, mac(9), 1)
    other.send(frame)
    assert a.expect(is_test) == frame
    assert b.expect(is_test) == frame
    a.send(numbered(BROADCAST, mac(1), 2))
    assert frames.number_of(other.recv()) == 2
    fence = numbered(BROADCAST, mac(9), 3)
    other.send(fence)
    b.expect_only(fence)


def test_refused_port(lab, ours, plug_side):
    """A port above the limit of our switch: the plug ends with an error instead of hanging.

    Debian's switch leaves the client waiting (test_defects.py).
    """
    switch = lab.switch(ours)
    plug = lab.stream(plug_side, f'{switch.path}[77]')
    assert plug.proc.wait() != 0


def test_vlans(lab, switch, plug_side):
    """Tagged on one port, untagged on the other."""
    tagged, untagged = two_plugs(lab, switch, plug_side)
    switch.ok('vlan/create 12')
    ports = [switch.wait_endpoint(f'm{n}') for n in range(2)]
    switch.ok(f'vlan/addport 12 {ports[0]}')
    switch.ok(f'port/setvlan {ports[1]} 12')
    frame = numbered(BROADCAST, mac(1), 1, tags=tag(12, pcp=3))
    tagged.send(frame)
    assert untagged.expect(is_test) == frame[:12] + frame[16:]
    answer = numbered(mac(1), mac(2), 2)
    untagged.send(answer)
    assert tagged.expect(is_test) == answer[:12] + tag(12) + answer[12:]


def data_socket(switch, port):
    """lstat of the switch's data socket on a port."""
    [name] = [name for name in os.listdir(switch.path) if re.match(rf'{port:03}\.\d+$', name)]
    return os.lstat(os.path.join(switch.path, name))


@pytest.mark.parametrize('how', ['locator', 'option'])
def test_mode(lab, switch, plug_side, how):
    """The mode that the client wants for the data socket is set on the switch's end."""
    more = '/ring=no' if plug_side.ours else ''         # rings have no such socket
    if how == 'locator':
        lab.stream(plug_side, f'{switch.path}[port=3/mode=640{more}]', '-D', 'mode')
    else:
        lab.stream(plug_side, f'{switch.path}[port=3{more}]', '-D', 'mode', '-m', '640')
    assert switch.wait_endpoint('mode') == 3
    wait_until(lambda: stat.S_IMODE(data_socket(switch, 3).st_mode) == 0o640, 5,
               lambda: f'mode 0640: {data_socket(switch, 3)}')


def test_library_arguments(lab, switch, plug_side):
    """port, group and mode of struct vde_open_args; a negative port is port 0."""
    host = lab.lib(plug_side)
    host.open(switch.path, descr='args', args={'port': 9, 'group': None, 'mode': 0o600})
    assert switch.wait_endpoint('args') == 9
    host.open(switch.path, descr='negative', args={'port': -1, 'group': None, 'mode': 0o700})
    assert switch.wait_endpoint('negative') == 0
    with pytest.raises(LibraryError):
        host.open(lab.path('nothing'))


def test_description(lab, switch, plug_side):
    """What the switch shows names the program, the user and the process."""
    plug = lab.stream(plug_side, switch.path, '-D', 'who am i')
    switch.wait_endpoint('who am i')
    [text] = [endpoint[3] for endpoint in switch.endpoints()]
    assert re.match(r'who am i user=\S+ pid=\d+', text)
    assert f'pid={plug.proc.pid}' in text


def test_plugs_end_with_the_switch(lab, switch, plug_side):
    """A switch that stops, or is killed, ends its plugs; after a restart new ones connect."""
    for stop in (switch.stop, switch.kill):
        plug = lab.stream(plug_side, switch.path, '-D', 'before')
        switch.wait_endpoint('before')
        stop()
        assert plug.proc.wait() is not None
        switch.start()
        one, two = two_plugs(lab, switch, plug_side)
        frame = numbered(BROADCAST, mac(1), 1)
        one.send(frame)
        assert two.expect(is_test) == frame
        one.close()
        two.close()
        switch.wait_no_endpoint('m0')
        switch.wait_no_endpoint('m1')


def test_unplugging(lab, switch, plug_side):
    """A plug that ends leaves nothing behind, neither in the switch nor in the directory."""
    names = set(os.listdir(switch.path))
    switch.sync()
    before = switch.fds()
    for number in range(5):
        plug = lab.stream(plug_side, switch.path, '-D', 'short')
        switch.wait_endpoint('short')
        if number % 2:
            plug.close()                    # killed
        else:
            plug.proc.stdin.close()         # end of input
            plug.proc.wait()
        switch.wait_no_endpoint('short')
    wait_until(lambda: switch.fds() == before, 5, 'all descriptors closed')
    assert set(os.listdir(switch.path)) == names


def test_sides_mixed_on_one_switch(lab, switch, ours, debian):
    """A plug of each side and a bare socket on the same switch."""
    a = lab.stream(ours, switch.path, '-D', 'mixed a')
    b = lab.stream(debian, switch.path, '-D', 'mixed b')
    c = lab.raw(switch, descr='mixed c')
    for descr in ('mixed a', 'mixed b', 'mixed c'):
        switch.wait_endpoint(descr)
    settle(a, b, c)
    for number, sender in enumerate((a, b, c)):
        frame = numbered(BROADCAST, mac(number), number, size=1000)
        sender.send(frame)
        for receiver in (a, b, c):
            if receiver is not sender:
                assert receiver.expect(is_test) == frame


# --- namespaces ---------------------------------------------------------------------------------

def test_namespaces_ping(lab, switch, plug_side):
    """Two vdens reach each other, over IPv4 and IPv6, with packets up to the switch's limit."""
    spaces = [lab.namespace(plug_side, switch.path, name=f'vdens{n}') for n in range(2)]
    for number, space in enumerate(spaces, 1):
        space.up(f'10.3.0.{number}/24')
        space.run(f'ip addr add fd03::{number}/64 dev vde0 nodad')
    status, output = spaces[0].ping('10.3.0.2', count=3)
    assert status == 0, output
    status, output = spaces[1].ping('fd03::1', count=2)
    assert status == 0, output
    status, output = spaces[0].ping('10.3.0.2', size=1472)
    assert status == 0, output


def test_namespaces_with_jumbo_frames(lab, ours, plug_side):
    """An MTU of 9000 through our switch (Debian's cuts at 1518 bytes: test_frames.py)."""
    switch = lab.switch(ours)
    spaces = [lab.namespace(plug_side, switch.path, name=f'vdens{n}') for n in range(2)]
    for number, space in enumerate(spaces, 1):
        space.up(f'10.3.0.{number}/24', mtu=9000)
    status, output = spaces[0].ping('10.3.0.2', size=8972)
    assert status == 0, output


def test_namespaces_of_both_sides(lab, switch, ours, debian):
    """One vdens of each side."""
    spaces = [lab.namespace(side, switch.path) for side in (ours, debian)]
    for number, space in enumerate(spaces, 1):
        space.up(f'10.4.0.{number}/24')
    for space, peer in ((spaces[0], 2), (spaces[1], 1)):
        status, output = space.status(ping_command(f'10.4.0.{peer}', 2))
        assert status == 0, output


def test_namespace_in_a_vlan(lab, switch, plug_side):
    """An untagged port for the namespace; its peer is behind a tagged one."""
    space = lab.namespace(plug_side, f'{switch.path}[2]')
    trunk = lab.raw(switch, port=1)
    switch.ok('vlan/create 30')
    switch.ok('vlan/addport 30 1')
    wait_until(lambda: len(switch.endpoints()) == 2, 5, 'the namespace')
    switch.ok('port/setvlan 2 30')
    space.up('10.30.0.2/24')
    ping = space.start(ping_command('10.30.0.1'))
    request = Parsed(trunk.expect(is_type(ARP)))
    assert request.vlan == 30
    trunk.send(arp(2, mac(1), '10.30.0.1', request.src, '10.30.0.2', tags=tag(30)))
    echo = Parsed(trunk.expect(is_type(IPV4)))
    assert echo.vlan == 30 and echo.payload[12:20] == bytes((10, 30, 0, 2, 10, 30, 0, 1))
    ident, sequence = struct.unpack('>HH', echo.payload[24:28])
    trunk.send(icmp_echo(mac(1), echo.src, '10.30.0.1', '10.30.0.2', ident, sequence,
                         echo.payload[28:], reply=True, tags=tag(30)))
    status, output = space.result(ping)
    assert status == 0, output
