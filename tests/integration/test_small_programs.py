# SPDX-License-Identifier: GPL-2.0-or-later
"""vde_plug2tap, vde_pcapplug, vde_tunctl and randmac."""

import os
import re
import signal
import subprocess

import pytest

from vslib import frames
from vslib.frames import BROADCAST, mac, numbered
from vslib.plugs import StreamPlug
from vslib.proc import pid_exists, readable, wait_until
from vslib.sides import tool

IP = '10.1.0.1'


def plug_in(lab, side, program, *options, space=None, stop='exec'):
    """A shell in a plain network namespace in which a program runs in the background."""
    space = space or lab.plain_namespace()
    words = ' '.join(f"'{option}'" for option in options)
    space.run(f'{side.program(program)} {words} >{lab.path(program)}.log 2>&1 & echo $! '
              f'>{lab.path(program)}.pid')
    return space


def wait_link(space, name, flags='<'):
    """Wait until an interface is there."""
    ip = tool('ip')
    wait_until(lambda: flags in space.status(f'{ip} -o link show {name}')[1] and
               space.status(f'{ip} -o link show {name}')[0] == 0, 5, f'interface {name}')


def asks(source, target=IP):
    """An ARP request from a test address."""
    return frames.arp(1, source, '10.1.0.9', b'\0' * 6, target)


def is_reply(frame):
    """An ARP reply."""
    return frame[12:14] == b'\x08\x06' and frame[20:22] == b'\0\2'


# --- vde_plug2tap --------------------------------------------------------------------------

def test_plug2tap_ping(lab, switch, plug_side):
    """A TAP that the program makes, on a switch, pinged from a vdens and back."""
    space = plug_in(lab, plug_side, 'vde_plug2tap', '-s', switch.path, 'tap7')
    wait_link(space, 'tap7')
    other = lab.namespace(plug_side, switch.path)
    other.up('10.1.0.2/24')
    ip = tool('ip')
    space.run(f'{ip} addr add {IP}/24 dev tap7 && {ip} link set tap7 up')
    status, output = other.ping(IP)
    assert status == 0, output
    assert space.status(f"{tool('ping')} -n -q -c 1 -w 5 10.1.0.2")[0] == 0


def test_plug2tap_persistent(lab, switch, plug_side):
    """A TAP from vde_tunctl is joined, stays, and carries plain frames for the next program."""
    ip, tunctl = tool('ip'), plug_side.program('vde_tunctl')
    space = lab.plain_namespace()
    space.run(f'{tunctl} -t tap8 && {ip} addr add {IP}/24 dev tap8 && {ip} link set tap8 up')
    plug_in(lab, plug_side, 'vde_plug2tap', '-s', switch.path, 'tap8', space=space)
    switch.wait_endpoint('plug2tap')
    plug = lab.raw(switch)
    plug.send(asks(mac(1)))
    assert plug.expect(is_reply)
    assert 'vnet_hdr off' in space.run(f'{ip} -d link show tap8')
    space.run(f'kill $(cat {lab.path("vde_plug2tap.pid")})')
    switch.wait_no_endpoint('plug2tap')
    space.run(f'{ip} link show tap8')
    space.run(f'{tunctl} -d tap8')
    assert space.status(f'{ip} link show tap8')[0] != 0


def test_plug2tap_port_and_description(lab, switch, plug_side):
    """-p asks for a port; the switch knows the program by name."""
    space = plug_in(lab, plug_side, 'vde_plug2tap', '-p', '5', '-s', switch.path, 'tap7')
    wait_link(space, 'tap7')
    assert switch.wait_endpoint('plug2tap') == 5


@pytest.mark.parametrize('kept', [False, True], ids=['own', 'persistent'])
def test_plug2tap_stream(lab, plug_side, kept):
    """-s -: frames on standard input and output."""
    ip = tool('ip')
    make = f"{plug_side.program('vde_tunctl')} -b -t tap9 >&2" if kept else 'true'
    script = (f"{make}; (until {ip} link set tap9 up; do sleep 0.02; done 2>/dev/null; "
              f"{ip} addr add {IP}/24 dev tap9; echo up >{lab.path('up')}) >&2 & "
              f"exec {plug_side.program('vde_plug2tap')} -s - tap9")
    plug = lab.keep(StreamPlug([tool('unshare'), '-Urn', 'sh', '-c', script], env=lab.env()))
    wait_until(lambda: os.path.exists(lab.path('up')), 5, 'the interface')
    plug.send(asks(mac(1)))
    assert plug.expect(is_reply)
    frame = frames.icmp_echo(mac(1), b'\xff' * 6, '10.1.0.9', IP, 1, 1)
    plug.send(frame)
    # The end of the stream is the regular end.
    plug.proc.stdin.close()
    assert plug.proc.wait() == 0


def test_plug2tap_daemon(lab, ours, switch):
    """-d returns when everything works; the pid file; TERM ends it with nothing left."""
    space = lab.plain_namespace()
    space.run(f"{ours.program('vde_plug2tap')} -d -P {lab.path('pid')} -s {switch.path} tap7")
    with open(lab.path('pid'), encoding='ascii') as stream:
        pid = int(stream.read())
    assert os.getsid(pid) == pid
    space.run(f"{tool('ip')} link show tap7")
    switch.wait_endpoint('plug2tap')
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not pid_exists(pid), 5, 'its end')
    assert not os.path.exists(lab.path('pid'))
    # a switch that has the interface itself lets go of it when it sees that end
    wait_until(lambda: space.status(f"{tool('ip')} link show tap7")[0] != 0, 5, 'no interface')


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT, signal.SIGHUP],
                         ids=lambda number: number.name)
def test_plug2tap_ends_by_signal(lab, ours, number):
    """TERM, INT and HUP end it with status 0; --ready-fd tells when it works."""
    ready, ready_out = os.pipe()
    run = lab.spawn([tool('unshare'), '-Urn', ours.program('vde_plug2tap'), '--ready-fd',
                     str(ready_out), '-s', 'null://', 'tap7'], pass_fds=[ready_out])
    os.close(ready_out)
    assert readable(ready, 5) and os.read(ready, 9) == b'\n'
    os.close(ready)
    run.signal(number)
    assert run.wait() == 0


def test_plug2tap_network_ends(lab, ours, switch_side):
    """The switch stops: the program ends with status 0, as the original does."""
    switch = lab.switch(switch_side)
    ready, ready_out = os.pipe()
    run = lab.spawn([tool('unshare'), '-Urn', ours.program('vde_plug2tap'), '--ready-fd',
                     str(ready_out), '-s', switch.path, 'tap7'], pass_fds=[ready_out])
    os.close(ready_out)
    assert readable(ready, 5) and os.read(ready, 9) == b'\n'
    os.close(ready)
    switch.stop()
    assert run.wait() == 0


@pytest.mark.parametrize('program', ['vde_plug2tap', 'vde_pcapplug'])
def test_plug_usage(lab, plug_side, program):
    """Wrong command lines and -h: usage on standard error, 255; a missing network: 1."""
    name = plug_side.program(program)
    wrong = [['-h'], ['--no-such-option', 'tap7'], []]
    if name == '/usr/bin/vde_pcapplug':     # opens the network before it misses the interface
        wrong.pop()
    for arguments in wrong:
        result = lab.run([name, *arguments])
        assert (result.status, result.out) == (255, ''), result
        assert result.err
    result = lab.run([tool('unshare'), '-Urn', name, '-s', '/nonexistent/switch', 'tap7'])
    assert result.status == 1 and '/nonexistent/switch' in result.err, result


def test_plug_errors(lab, ours):
    """What cannot be opened is named, with what helps."""
    program = ours.program('vde_plug2tap')
    for name in ('a/b', 'averyveryverylongname', 'x:'):
        result = lab.run([tool('unshare'), '-Urn', program, '-s', 'null://', name])
        assert result.status == 1 and name in result.err, result
    result = lab.run([tool('unshare'), '-Urn', program, '-s', 'null://', 'lo'])
    assert result.status == 1 and "'lo'" in result.err, result
    if os.geteuid() == 0:
        result = lab.run([tool('setpriv'), '--bounding-set', '-all', '--inh-caps', '-all', program,
                          '-s', 'null://', 'tap7'])
        assert result.status == 1 and 'CAP_NET_ADMIN' in result.err, result
    result = lab.run([tool('unshare'), '-Urn', ours.program('vde_pcapplug'), '-s', 'null://', 'nope'])
    assert result.status == 1 and "'nope'" in result.err, result


# --- vde_pcapplug --------------------------------------------------------------------------

@pytest.fixture
def cable(lab, ours, switch):
    """vde_pcapplug on one end (h0) of a cable (veth) whose other end is p0; a plug on the switch."""
    ip = tool('ip')
    space = lab.plain_namespace()
    space.run(f'{ip} link add h0 type veth peer name p0 && {ip} link set h0 up && '
              f'{ip} addr add {IP}/24 dev p0 && {ip} link set p0 up')
    # Answers for p0 must not come from h0, which is in the same namespace.
    space.run('echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore')
    plug_in(lab, ours, 'vde_pcapplug', '-s', switch.path, 'h0', space=space)
    switch.wait_endpoint('pcapplug')
    return space, lab.raw(switch)


def test_pcapplug_carries(cable):
    """What is beyond the interface is on the network."""
    _space, plug = cable
    plug.send(asks(mac(1)))
    reply = plug.expect(is_reply)
    plug.send(frames.icmp_echo(mac(1), reply[6:12], '10.1.0.9', IP, 7, 1))
    # The answer is for 10.1.0.9: its address is asked for first, or known from our question.
    echo = plug.expect(lambda frame: frame[12:14] == b'\x08\0' and frame[23] == 1)
    assert echo[:6] == mac(1) and echo[34] == 0


def test_pcapplug_keeps_the_host_out(cable):
    """What the host sends on that interface is not carried, what its neighbours send is."""
    space, plug = cable
    ip, ping = tool('ip'), tool('ping')
    own = re.search(r'link/ether (\S+)', space.run(f'{ip} link show h0'))[1]
    beyond = re.search(r'link/ether (\S+)', space.run(f'{ip} link show p0'))[1]
    space.run(f'{ip} addr add 10.1.0.3/24 dev h0')
    space.status(f'{ping} -n -q -c 1 -w 1 -I h0 10.1.0.77')
    space.status(f'{ping} -n -q -c 1 -w 1 -I p0 10.1.0.78')
    seen = []
    plug.expect(lambda frame: seen.append(frame) or (
        frame[6:12].hex(':') == beyond and frame[38:42] == bytes([10, 1, 0, 78])))
    assert own not in [frame[6:12].hex(':') for frame in seen]


def test_pcapplug_large_frames(cable):
    """Up to 1514 bytes each way; what exceeds the interface's MTU is dropped, and nothing ends."""
    _space, plug = cable
    plug.send(numbered(BROADCAST, mac(1), 1, size=9000))
    plug.send(asks(mac(1)))
    reply = plug.expect(is_reply)
    ping = frames.icmp_echo(mac(1), reply[6:12], '10.1.0.9', IP, 7, 1, data=bytes(1472))
    assert len(ping) == 1514
    plug.send(ping)
    echo = plug.expect(lambda frame: frame[12:14] == b'\x08\0' and frame[23] == 1)
    assert len(echo) == 1514


def test_pcapplug_interface_goes(lab, cable):
    """The interface is deleted: it says so and ends with status 1."""
    space, _plug = cable
    pid = int(open(lab.path('vde_pcapplug.pid'), encoding='ascii').read())
    space.run(f"{tool('ip')} link del h0")
    wait_until(lambda: not pid_exists(pid), 5, 'its end')
    assert space.run(f'wait {pid}; echo $?').strip() == '1'
    assert 'h0' in open(lab.path('vde_pcapplug.log'), encoding='utf-8').read()


# --- vde_tunctl ----------------------------------------------------------------------------

def test_tunctl(lab, plug_side):
    """Making and removing, what is printed, kinds and owners."""
    ip, tunctl = tool('ip'), plug_side.program('vde_tunctl')
    space = lab.plain_namespace()
    uid = space.run('id -u').strip()
    owned = f"persistent and owned by uid {uid}\n"
    assert space.run(f'{tunctl}') == f"Set 'tap0' {owned}"
    assert space.run(f'{tunctl} -b') == 'tap1\n'
    assert space.run(f'{tunctl} -b -n') == 'tun0\n'
    assert space.run(f'{tunctl} -t tunnel') == f"Set 'tunnel' {owned}"
    assert space.run(f'{tunctl} -n -t other') == f"Set 'other' {owned}"
    kinds = {name: re.search(r'tun type (\w+)', space.run(f'{ip} -d link show {name}'))[1]
             for name in ('tap0', 'tap1', 'tun0', 'tunnel', 'other')}
    assert kinds == {'tap0': 'tap', 'tap1': 'tap', 'tun0': 'tun', 'tunnel': 'tun', 'other': 'tun'}
    assert space.run(f'{tunctl} -d tap0') == "Set 'tap0' nonpersistent\n"
    assert space.run(f'{tunctl} -d tunnel') == "Set 'tunnel' nonpersistent\n"
    space.run(f'{tunctl} -n -d other')
    left = re.findall(r'^\d+: (\w+)', space.run(f'{ip} -o link'), re.M)
    assert sorted(left) == ['lo', 'tap1', 'tun0']


def test_tunctl_more(lab, ours):
    """-g, removal of any kind without -n, and the errors."""
    ip, tunctl = tool('ip'), ours.program('vde_tunctl')
    space = lab.plain_namespace()
    gid = space.run('id -g').strip()
    assert space.run(f'{tunctl} -g {gid} -t tap5') == (
        f"Set 'tap5' persistent and owned by gid {gid}\n")
    assert f'group {gid}' in space.run(f'{ip} -d link show tap5').replace('group root', 'group 0')
    space.run(f'{tunctl} -n -t other && {tunctl} -d other && {tunctl} -d tap5')
    assert re.findall(r'^\d+: (\w+)', space.run(f'{ip} -o link'), re.M) == ['lo']
    for arguments, words in (('-u nobodyhere', 'neither a username'), ('-d nothere', 'nothere'),
                             ('-d lo', "'lo'"), ('-t a/b', "'a/b'"), ('-f /dev/null', '/dev/net/tun'),
                             ('-f /nonexistent', '/nonexistent'), ('word', 'word'),
                             ('-t sixteencharacter', 'sixteencharacter')):
        status, output = space.status(f'{tunctl} {arguments}')
        assert status == 1 and words in output, (arguments, status, output)
    assert re.findall(r'^\d+: (\w+)', space.run(f'{ip} -o link'), re.M) == ['lo']


# --- randmac -------------------------------------------------------------------------------

def addresses(side, *options, count=40):
    """That many addresses, as bytes; their form is checked."""
    found = []
    for _ in range(count):
        text = subprocess.run([side.program('randmac'), *options], check=True, text=True,
                              capture_output=True).stdout
        assert re.fullmatch(r'([0-9a-f]{2}:){5,7}[0-9a-f]{2}\n', text), text
        found.append(bytes.fromhex(text.strip().replace(':', '')))
    return found


LOCAL, GROUP = 2, 1


@pytest.mark.parametrize('options,bits', [
    ([], LOCAL), (['-l'], LOCAL), (['-g'], 0), (['-m'], LOCAL | GROUP), (['-g', '-m'], GROUP),
    (['-u'], LOCAL), (['-l', '-g'], LOCAL), (['-m', '-u'], LOCAL | GROUP)], ids=str)
def test_randmac_bits(side, options, bits):
    """The two bits with a meaning; all others vary."""
    found = addresses(side, *options)
    assert {address[0] & 3 for address in found} == {bits}
    assert all(len(address) == 6 for address in found)
    assert len(set(found)) == len(found)
    for bit in range(2, 48):
        values = {int.from_bytes(address[1:] + address[:1], 'big') >> bit & 1 for address in found}
        assert values == {0, 1}, f'bit {bit} never changes'


@pytest.mark.parametrize('options,prefix', [
    (['-q'], '525400'), (['-x'], '00163e'), (['-o', '00:11:22'], '001122'),
    (['-o', '001122'], '001122'), (['-q', '-g'], '505400'), (['-q', '-m'], '535400'),
    (['-o', '00:11:22', '-l'], '021122'), (['-q', '-x'], '00163e')], ids=str)
def test_randmac_prefix(side, options, prefix):
    """The first three bytes, with options that change their bits."""
    found = addresses(side, *options, count=10)
    assert {address[:3].hex() for address in found} == {prefix}
    assert len({address[3:] for address in found}) > 1


def test_randmac_eui64(side):
    """-e: ff:fe in the middle, the local bit inverted."""
    for options, first in (([], 0), (['-g'], LOCAL), (['-m'], GROUP)):
        for address in addresses(side, '-e', *options, count=5):
            assert len(address) == 8 and address[3:5] == b'\xff\xfe' and address[0] & 3 == first
    assert addresses(side, '-e', '-o', '00:11:22', count=1)[0][:5].hex() == '021122fffe'


def test_randmac_uppercase(lab, side):
    """-U."""
    text = ''.join(lab.run([side.program('randmac'), '-U']).out for _ in range(5))
    assert re.fullmatch(r'(([0-9A-F]{2}:){5}[0-9A-F]{2}\n){5}', text)


def test_randmac_vendor(lab, side):
    """-v: the whole name of a vendor of the list."""
    if not os.path.exists('/var/lib/ieee-data/oui.csv'):
        result = lab.run([side.program('randmac'), '-v', 'Intel Corporate'])
        assert result.status == 2
        if side.ours:
            assert 'ieee-data' in result.err
        return
    with open('/var/lib/ieee-data/oui.csv', encoding='utf-8') as stream:
        known = {line.split(',')[1].lower() for line in stream if ',Intel Corporate,' in line}
    found = {address[:3].hex() for address in addresses(side, '-v', 'Intel Corporate', count=20)}
    assert found <= known
    if side.ours:
        assert len(found) > 1       # any of theirs, not the first one only


def test_randmac_errors(lab, side):
    """1 for a wrong command line or -h, with the usage; 2 for a vendor nobody knows."""
    program = side.program('randmac')
    for arguments in (['-h'], ['-Z'], ['--no-such-option']):
        result = lab.run([program, *arguments])
        assert (result.status, result.out) == (1, ''), result
        assert 'sage' in result.err or 'invalid' in result.err or 'unrecognized' in result.err
    assert lab.run([program, '-v', 'nobody by that name']).status == 2
    if side.ours:
        for arguments in (['-o', 'zz'], ['-o', '00:11'], ['-o', '00:11:22:33'], ['word']):
            result = lab.run([program, *arguments])
            assert result.status == 1 and arguments[-1] in result.err, result
