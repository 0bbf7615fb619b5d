# SPDX-License-Identifier: GPL-2.0-or-later
"""vdens: namespaces, interfaces, what the command gets, how it ends, and the frames in between."""

import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import time

import pytest

from vslib import frames
from vslib.frames import BROADCAST, mac, numbered
from vslib.netns import Shell, up_command
from vslib.proc import TimeExpired, fd_count, readable, wait_until
from vslib.sides import kernel_lacks, tool

CAP_NET = 0x3c00                # BIND_SERVICE, BROADCAST, ADMIN, RAW
CAP_SYS_ADMIN = 1 << 21


def pair(lab, side_one, side_two, vnl, **how):
    """Two namespaces on a network, 10.1.0.1 and 10.1.0.2, up, and known to hear each other."""
    one = lab.namespace(side_one, vnl, name='one', **how)
    one.run('true')             # it has its port before the other one
    two = lab.namespace(side_two, vnl, name='two', **how)
    one.up('10.1.0.1/24')
    two.up('10.1.0.2/24')
    status, output = one.ping('10.1.0.2')
    assert status == 0, output
    return one, two


# --- two namespaces ------------------------------------------------------------------------

def test_ping_through_switch(lab, switch, plug_side):
    """Each side's vdens on each side's switch; also a ping of the largest size unfragmented."""
    one, two = pair(lab, plug_side, plug_side, switch.path)
    assert two.ping('10.1.0.1', size=1472)[0] == 0
    assert one.ping('10.1.0.2', count=5)[0] == 0


def test_ours_and_debians_together(lab, ours, debian, switch):
    """One vdens of each side on a switch."""
    pair(lab, ours, debian, switch.path)


SERVER = '''
import hashlib, socket, sys
s = socket.create_server(("", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
c = s.accept()[0]
h = hashlib.sha256()
while data := c.recv(1 << 20):
    h.update(data)
c.sendall(h.hexdigest().encode())
'''
CLIENT = '''
import hashlib, random, socket, sys
c = socket.create_connection((sys.argv[1], int(sys.argv[2])))
r = random.Random(sys.argv[3])
h = hashlib.sha256()
for i in range(int(sys.argv[4])):
    data = r.randbytes(r.choice((1, 100, 1448, 5000, 65536, 300000)))
    h.update(data)
    c.sendall(data)
c.shutdown(socket.SHUT_WR)
assert c.recv(1000, socket.MSG_WAITALL).decode() == h.hexdigest()
'''


def transfer(lab, receiver, sender, address, port, rounds=60):
    """A few megabytes of TCP in pieces of many sizes; the receiver's hash has to be the sender's."""
    server = lab.write('server.py', SERVER)
    client = lab.write('client.py', CLIENT)
    ready = lab.path(f'ready{port}')
    python = tool('python3')
    listening = receiver.start(f'{python} {server} {port} >{ready}')
    wait_until(lambda: os.path.exists(ready) and os.path.getsize(ready), 10, 'the server')
    sender.run(f'{python} {client} {address} {port} seed{port} {rounds}', timeout=40)
    assert receiver.result(listening, 10)[0] == 0


def test_tcp_arrives_unchanged(lab, ours, debian, switch):
    """Super-frames: TCP over IPv4 and IPv6 from ours to ours, to Debian's and back, by its hash."""
    one = lab.namespace(ours, switch.path, name='one')
    two = lab.namespace(ours, switch.path, name='two')
    three = lab.namespace(debian, switch.path, name='three')
    for number, space in enumerate((one, two, three), 1):
        space.up(f'10.1.0.{number}/24')
        space.run(f"{tool('ip')} addr add fd01::{number}/64 dev vde0 nodad")
    transfer(lab, two, one, '10.1.0.2', 7001)
    transfer(lab, two, one, 'fd01::2', 7002)
    transfer(lab, three, one, '10.1.0.3', 7003)
    transfer(lab, one, three, 'fd01::1', 7004, rounds=20)


def test_tcp_in_vlan(lab, ours, switch):
    """A VLAN interface on top of vde0: super-frames with a tag are cut and joined, too."""
    switch.ok('vlan/create 5')
    one, two = pair(lab, ours, ours, switch.path)
    for number, space in enumerate((one, two), 1):
        switch.ok(f'vlan/addport 5 {number}')
        status, output = space.status(f"{tool('ip')} link add link vde0 name v5 type vlan id 5")
        if 'Unknown device type' in output:
            kernel_lacks('VLAN interfaces (module 8021q)')
        assert status == 0, output
        space.up(f'10.5.0.{number}/24', 'v5')
    transfer(lab, two, one, '10.5.0.2', 7005)


@pytest.mark.parametrize('options, largest', [('', 60000), ('[ring=no]', 8972)])
def test_jumbo_frames(lab, ours, options, largest):
    """Large frames through our switch; what is longer than a network carries is dropped, not fatal."""
    switch = lab.switch(ours)
    one = lab.namespace(ours, switch.path + options, name='one')
    two = lab.namespace(ours, switch.path + options, name='two')
    one.up('10.1.0.1/24', mtu=largest + 28)
    two.up('10.1.0.2/24', mtu=largest + 28)
    assert one.ping('10.1.0.2', size=largest)[0] == 0
    transfer(lab, two, one, '10.1.0.2', 7006)
    if options:
        for space in (one, two):
            space.run(f"{tool('ip')} link set vde0 mtu 20000")
        assert one.status(f"{tool('ping')} -n -q -c 1 -W 1 -s 15000 -M do 10.1.0.2")[0] != 0
        assert one.ping('10.1.0.2')[0] == 0


def test_back_pressure_loses_nothing(lab, ours, switch):
    """UDP faster than anything: the kernel may drop at the interface's queue, vdens does not.

    What left that queue arrives at the switch, however slow it is.
    """
    one, _two = pair(lab, ours, ours, switch.path, options=['-v', '--relay'])
    one.run(f'''{tool('python3')} -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(3000): s.sendto(bytes(1000), ("10.1.0.2", 9))
' ''')

    def counts():
        link = json.loads(one.run(f"{tool('ip')} -s -j link show vde0"))[0]
        return link['stats64']['tx']['packets'], switch.port(1).packets_in
    wait_until(lambda: len(set(counts())) == 1, 10, lambda: f'equal counts: {counts()}')
    assert counts()[0] > 1000
    assert one.exit() == 0
    assert 'dropped 0' in one.proc.output() and not re.search('dropped [1-9]', one.proc.output())


# --- interfaces ----------------------------------------------------------------------------

def links(space):
    """{name: flags} of the interfaces in a namespace."""
    listing = space.run(f"{tool('ip')} -o link show")
    return {name: flags for name, flags in re.findall(r'^\d+: (\S+): <([^>]*)>', listing, re.M)}


def has_carrier(space):
    """Whether vde0, which is up, has carrier."""
    return 'LOWER_UP' in links(space)['vde0'].split(',')


def test_one_interface_that_is_down(lab, switch, plug_side):
    """vde0 exists and is down; so is lo."""
    space = lab.namespace(plug_side, switch.path)
    found = links(space)
    assert sorted(found) == ['lo', 'vde0']
    assert 'UP' not in found['vde0'].split(',') and 'UP' not in found['lo'].split(',')


@pytest.mark.parametrize('vnl', ['no', '-', ''])
def test_no_interface(lab, plug_side, vnl):
    """The words that stand for no network."""
    assert sorted(links(lab.namespace(plug_side, vnl))) == ['lo']


def test_prefix(lab, plug_side):
    """-i, in both forms of the command line."""
    assert 'eth0' in links(lab.namespace(plug_side, 'null://', options=['-i', 'eth']))
    multi = lab.namespace(plug_side, 'null://', 'null://', options=['-i', 'eth'])
    assert sorted(links(multi)) == ['eth0', 'eth1', 'lo']


def test_wrong_prefix(lab, ours):
    """A prefix that cannot begin a name is refused before anything is done."""
    for prefix in ('a/b', 'a b', '%d', 'abcdefghijklmno', 'x:'):
        result = lab.run([ours.program('vdens'), '-i', prefix, 'null://', 'true'])
        assert result.status == 1 and prefix in result.err, result


def test_router_between_two_switches(lab, ours, plug_side):
    """-m: a namespace with two interfaces routes between two others."""
    left, right = lab.switch(ours, name='left'), lab.switch(ours, name='right')
    router = lab.namespace(plug_side, left.path, right.path, name='router')
    router.up('10.1.0.254/24', 'vde0')
    router.up('10.2.0.254/24', 'vde1')
    router.run('echo 1 >/proc/sys/net/ipv4/ip_forward')
    one = lab.namespace(plug_side, left.path, name='one')
    two = lab.namespace(plug_side, right.path, name='two')
    for number, space in enumerate((one, two), 1):
        space.up(f'10.{number}.0.1/24')
        space.run(f"{tool('ip')} route add default via 10.{number}.0.254")
    status, output = one.ping('10.2.0.1', count=2)
    assert status == 0, output


def test_router_forwards_super_frames(lab, ours):
    """TCP through a router in a namespace: joined on the way in, cut again on the way out."""
    left, right = lab.switch(ours, name='left'), lab.switch(ours, name='right')
    router = lab.namespace(ours, left.path, right.path, name='router')
    router.up('10.1.0.254/24', 'vde0')
    router.up('10.2.0.254/24', 'vde1')
    router.run('echo 1 >/proc/sys/net/ipv4/ip_forward')
    one = lab.namespace(ours, left.path, name='one')
    two = lab.namespace(ours, right.path, name='two')
    for number, space in enumerate((one, two), 1):
        space.up(f'10.{number}.0.1/24')
        space.run(f"{tool('ip')} route add default via 10.{number}.0.254")
    transfer(lab, two, one, '10.2.0.1', 7007)


def test_multi_with_many_and_none(lab, ours):
    """-m with twelve networks, among them words for none, which take no number."""
    vnls = ['null://'] * 6 + ['no', '-'] + ['null://'] * 6
    space = lab.namespace(ours, *vnls)
    assert sorted(links(space)) == sorted(['lo'] + [f'vde{n}' for n in range(12)])


def test_stream_of_a_command(lab, ours, switch, plug_side):
    """=COMMAND: the interface is joined to the stream of a command, here a plug on a switch."""
    plug = f"={plug_side.program('vde_plug')} {switch.path}"
    one = lab.namespace(ours, plug)
    two = lab.namespace(ours, switch.path)
    one.up('10.1.0.1/24')
    two.up('10.1.0.2/24')
    status, output = one.ping('10.1.0.2')
    assert status == 0, output


def test_command_stream_ends(lab, ours):
    """The command of =COMMAND ends: said on standard error, no carrier, and life goes on."""
    space = lab.namespace(ours, '=true')
    wait_until(lambda: 'is gone' in space.proc.output(), 5, 'a message')
    space.run(f"{tool('ip')} link set vde0 up")
    assert not has_carrier(space)
    assert space.exit(4) == 4


def test_down_interface_drops(lab, ours, switch):
    """Frames for an interface that is down are dropped; vdens lives, and works once it is up."""
    space = lab.namespace(ours, switch.path)
    plug = lab.raw(switch)
    for number in range(100):
        plug.send(numbered(BROADCAST, mac(1), number))
    switch.sync()
    space.up('10.1.0.1/24')
    asked = frames.arp(1, mac(1), '10.1.0.2', b'\0' * 6, '10.1.0.1')
    plug.send(asked)
    assert plug.expect(lambda frame: frame[12:14] == b'\x08\x06' and frame[20:22] == b'\0\2')


def test_interface_deleted(lab, ours, switch):
    """The command deletes the interface: said once; the command goes on."""
    space = lab.namespace(ours, switch.path)
    space.run(f"{tool('ip')} link del vde0")
    wait_until(lambda: 'vde0 is gone' in space.proc.output(), 5, 'a message')
    assert space.exit(3) == 3


def test_network_ends(lab, ours, switch_side):
    """The switch stops: one message, the carrier goes, the command runs on and its status counts."""
    switch = lab.switch(switch_side)
    space = lab.namespace(ours, switch.path)
    space.up('10.1.0.1/24')
    assert has_carrier(space)
    switch.stop()
    wait_until(lambda: 'is gone' in space.proc.output(), 5, 'a message')
    assert not has_carrier(space)
    space.status(f"{tool('ping')} -c 1 -W 1 10.1.0.2")
    assert space.proc.output().count('is gone') == 1
    assert space.exit(9) == 9


def test_sleeps_while_idle(lab, ours, switch):
    """With nothing to carry the parent does not wake up, nor after its network has gone."""
    def turns(pid):
        text = pathlib.Path(f'/proc/{pid}/status').read_text()
        return sum(int(n) for n in re.findall(r'ctxt_switches:\s+(\d+)', text))

    space = lab.namespace(ours, switch.path, 'null://')
    space.run('sleep 0.2')
    before = turns(space.proc.pid)
    space.run('sleep 0.2')
    assert turns(space.proc.pid) - before <= 3
    switch.stop()
    wait_until(lambda: 'is gone' in space.proc.output(), 5, 'a message')
    before = turns(space.proc.pid)
    space.run('sleep 0.2')
    assert turns(space.proc.pid) - before <= 3


# --- what the command gets -----------------------------------------------------------------

def caps(space, name='CapAmb'):
    """A capability set of the shell."""
    return int(re.search(rf'{name}:\s+(\w+)', space.run('cat /proc/$$/status'))[1], 16)


@pytest.mark.parametrize('method', [[], ['-c'], ['-u'], ['-c', '-u']], ids=' '.join)
def test_identity_and_capabilities(lab, plug_side, method):
    """The user stays who they are, alone in the namespace; the ambient capabilities."""
    space = lab.namespace(plug_side, 'no', options=method)
    assert space.run('id -u').strip() == str(os.geteuid())
    assert space.run('id -g').strip() == str(os.getegid())
    assert space.run('cat /proc/self/uid_map').split() == [str(os.geteuid())] * 2 + ['1']
    assert space.run('cat /proc/self/gid_map').split() == [str(os.getegid())] * 2 + ['1']
    assert space.run('cat /proc/self/setgroups').strip() == 'deny'
    assert caps(space) == CAP_NET
    for kind in ('user', 'net', 'uts')[:3 if plug_side.ours else 2]:    # Debian's is older
        assert space.run(f'readlink /proc/self/ns/{kind}').strip() != os.readlink(
            f'/proc/self/ns/{kind}')
    for kind in ('mnt', 'pid', 'ipc'):
        assert space.run(f'readlink /proc/self/ns/{kind}').strip() == os.readlink(
            f'/proc/self/ns/{kind}')


def test_sysadm(lab, plug_side):
    """-s: one more capability, and mounts of one's own."""
    space = lab.namespace(plug_side, 'no', options=['-s'])
    assert caps(space) == CAP_NET | CAP_SYS_ADMIN
    space.run(f"mount -t tmpfs none {lab.home} && touch {lab.home}/inside")
    assert not os.path.exists(f'{lab.home}/inside')


def test_no_sysadm_no_mounts(lab, plug_side):
    """Without -s the mounts are the caller's, and out of reach."""
    space = lab.namespace(plug_side, 'no')
    assert space.status(f'mount -t tmpfs none {lab.home}')[0] != 0


def test_hostname(lab, ours):
    """-H names the namespace, not the machine."""
    space = lab.namespace(ours, 'no', options=['-H', 'somewhere'])
    assert space.run('uname -n').strip() == 'somewhere'
    assert os.uname().nodename != 'somewhere'


def test_no_descriptor_leaks(lab, ours, switch):
    """The command has the caller's descriptors and no other."""
    def descriptors(vnls):
        result = lab.run([ours.program('vdens'), '-m', *vnls, '--', 'ls', '/proc/self/fd'])
        assert result.status == 0, result
        return result.out.split()

    alone = descriptors(['no'])
    assert descriptors([str(switch.path), 'null://', '=cat']) == alone


def test_no_descriptors_stay_behind(lab, ours):
    """The parent has a bounded number of descriptors for each network."""
    space = lab.namespace(ours, *['null://'] * 10)
    assert fd_count(space.proc.pid) < 10 * 3 + 15


def test_default_command(lab, ours):
    """$SHELL without a command, also with -m; without $SHELL the login shell."""
    program = ours.program('vdens')
    shell = lab.write('myshell', '#!/bin/sh\necho my shell $#\n', 0o755)
    for line in (['no'], [], ['-m'], ['-m', 'no'], ['-m', 'no', '--']):
        result = lab.run([program, *line], env=lab.env(SHELL=shell))
        assert (result.status, result.out) == (0, 'my shell 0\n'), (line, result)
    env = lab.env()
    del env['SHELL']
    result = lab.run([program, 'no'], env=env, stdin=b'echo $((6 * 7))\n')
    assert (result.status, result.out) == (0, '42\n'), result


def test_options_of_the_command_are_its_own(lab, ours):
    """Options behind the VNL belong to the command."""
    result = lab.run([ours.program('vdens'), 'no', 'echo', '-m', '--', '-x'])
    assert (result.status, result.out) == (0, '-m -- -x\n')
    result = lab.run([ours.program('vdens'), '-m', 'no', '--', 'echo', '-m', '--', '-x'])
    assert (result.status, result.out) == (0, '-m -- -x\n')


# --- an ordinary user ----------------------------------------------------------------------

def as_user(lab, ours, *argv):
    """A command line that runs our vdens as an ordinary user who may open /dev/net/tun.

    Root gives up its identity in a mount namespace where the device has its usual mode; the programs
    are copied to where that user can read them.
    """
    if os.geteuid() != 0:
        return [ours.program('vdens'), *argv]
    for directory in (lab.dir, lab.path('tree')):
        os.makedirs(directory, exist_ok=True)
        os.chmod(directory, 0o755)
    program = pathlib.Path(ours.program('vdens'))
    if not os.path.exists(lab.path('tree', 'bin')):
        os.mkdir(lab.path('tree', 'bin'))
        shutil.copy(program, lab.path('tree', 'bin'))
        shutil.copytree(program.parent.parent / 'lib', lab.path('tree', 'lib'), symlinks=True)
    script = ('mkdir -p "$1" && mount -t tmpfs -o mode=755 none "$1" && '
              'mknod -m 666 "$1/tun" c 10 200 && mount --bind "$1/tun" /dev/net/tun && shift && '
              'exec setpriv --reuid 12345 --regid 12345 --clear-groups -- "$@"')
    return [tool('unshare'), '-m', 'sh', '-ec', script, 'sh', lab.path('device'),
            lab.path('tree', 'bin', 'vdens'), *argv]


class UserShell(Shell):
    """A shell in vdens run by an ordinary user."""

    def up(self, address):
        """Give vde0 an address and bring it up."""
        self.run(up_command(address))


def user_shell(lab, ours, *argv):
    """A UserShell with these arguments for vdens."""
    shell = UserShell(as_user(lab, ours, *argv), env=lab.env(), name='vdens as user')
    return lab.keep(shell, shell.proc)


def test_ordinary_user(lab, ours):
    """Capabilities of the network and no others; the interface can be set up, with -R, -H and -s."""
    space = user_shell(lab, ours, 'null://')
    for name in ('CapAmb', 'CapEff', 'CapPrm', 'CapInh'):
        assert caps(space, name) == CAP_NET
    space.up('10.1.0.1/24')
    uid = space.run('id -u').strip()
    assert uid != '0'
    assert space.run('cat /proc/self/uid_map').split() == [uid, uid, '1']
    assert space.exit(5) == 5
    space = user_shell(lab, ours, '-s', '-H', 'elsewhere', '-R', '192.0.2.1', 'null://')
    assert caps(space, 'CapEff') == CAP_NET | CAP_SYS_ADMIN
    assert space.run('uname -n').strip() == 'elsewhere'
    assert space.run('cat /etc/resolv.conf') == 'nameserver 192.0.2.1\n'


def test_ordinary_user_on_a_network(lab, ours):
    """Two ordinary users' namespaces on a ptp network."""
    vnl = f"ptp://{lab.path('shared', 'ptp')}"
    os.mkdir(lab.path('shared'))
    os.chmod(lab.path('shared'), 0o777)
    one = user_shell(lab, ours, vnl)
    two = user_shell(lab, ours, vnl)
    one.up('10.1.0.1/24')
    two.up('10.1.0.2/24')
    status, output = one.status(f"{tool('ping')} -n -q -i 0.2 -w 5 -c 1 10.1.0.2")
    assert status == 0, output


def test_device_out_of_reach(lab, ours):
    """A /dev/net/tun without permission: the message says what to do."""
    if os.geteuid() != 0:
        pytest.skip('needs root, to take the permission away')
    line = [argument.replace('mknod -m 666', 'mknod -m 600')
            for argument in as_user(lab, ours, 'null://', 'true')]
    result = lab.run(line)
    assert result.status == 1 and 'chmod 666 /dev/net/tun' in result.err, result


# --- /etc/resolv.conf ----------------------------------------------------------------------

def test_resolvaddr(lab, plug_side):
    """-R makes a file with a line for each address."""
    space = lab.namespace(plug_side, 'no', options=['-R', '192.0.2.1,2001:db8::1'])
    assert space.run('cat /etc/resolv.conf') == 'nameserver 192.0.2.1\nnameserver 2001:db8::1\n'


def test_resolvconf(lab, plug_side):
    """-r shows a file, and what is written to it later; outside nothing changes."""
    path = lab.write('resolv', 'nameserver 192.0.2.7\n')
    outside = pathlib.Path('/etc/resolv.conf').read_text()
    space = lab.namespace(plug_side, 'no', options=['-r', path])
    assert space.run('cat /etc/resolv.conf') == 'nameserver 192.0.2.7\n'
    with open(path, 'a', encoding='ascii') as stream:
        stream.write('search example\n')
    assert space.run('tail -n 1 /etc/resolv.conf') == 'search example\n'
    assert pathlib.Path('/etc/resolv.conf').read_text() == outside


def test_resolver_environment(lab, plug_side):
    """VDE_RESOLVCONF and VDE_RESOLVADDR are defaults; addresses win."""
    path = lab.write('resolv', 'nameserver 192.0.2.7\n')
    space = lab.namespace(plug_side, 'no', env=lab.env(VDE_RESOLVCONF=path))
    assert space.run('cat /etc/resolv.conf') == 'nameserver 192.0.2.7\n'
    both = lab.env(VDE_RESOLVCONF=path, VDE_RESOLVADDR='192.0.2.8')
    space = lab.namespace(plug_side, 'no', env=both)
    assert space.run('cat /etc/resolv.conf') == 'nameserver 192.0.2.8\n'


def test_resolver_errors(lab, ours):
    """A wrong address is quoted, a missing file named."""
    result = lab.run([ours.program('vdens'), '-R', '192.0.2.1,192.0.2', 'no', 'true'])
    assert result.status == 1 and "'192.0.2' is not an IP address" in result.err, result
    result = lab.run([ours.program('vdens'), '-r', '/nonexistent', 'no', 'true'])
    assert result.status == 1 and "'/nonexistent'" in result.err, result


@pytest.mark.parametrize('options', [['-R', '192.0.2.9'], ['-r', 'FILE'], ['-c', '-R', '192.0.2.9']],
                         ids=' '.join)
@pytest.mark.parametrize('state', ['missing', 'dangling', 'link'])
def test_resolv_conf_that_is_not_there(lab, ours, state, options):
    """Without /etc/resolv.conf, or with a link to nowhere, it still works, and so does the rest.

    Reference 3.8: in the original it must exist.
    """
    etc, run = lab.path('etc'), lab.path('run')
    os.mkdir(etc)
    os.mkdir(run)
    lab.write('etc/hostname', 'the host\n')
    os.symlink('hostname', f'{etc}/alias')
    os.mkdir(f'{etc}/sub')
    lab.write('etc/sub/file', 'deep\n')
    if state != 'missing':
        os.symlink(f'{run}/real', f'{etc}/resolv.conf')
    if state == 'link':
        lab.write('run/real', 'nameserver 203.0.113.1\n')
    path = lab.write('resolv', 'nameserver 192.0.2.9\n')
    options = [path if option == 'FILE' else option for option in options]
    inside = 'cat /etc/resolv.conf /etc/hostname /etc/alias /etc/sub/file'
    result = lab.run([tool('unshare'), '-Urm', 'sh', '-ec', f'mount --bind {etc} /etc; exec "$@"',
                      'sh', ours.program('vdens'), *options, 'no', 'sh', '-c',
                      # a second one inside: the trick works on its own result
                      f'{inside}; exec "$0" -R 192.0.2.10 no {inside}', ours.program('vdens')])
    rest = 'the host\nthe host\ndeep\n'
    assert (result.status, result.out) == (
        0, f'nameserver 192.0.2.9\n{rest}nameserver 192.0.2.10\n{rest}'), result
    assert sorted(os.listdir(etc)) == sorted(
        ['alias', 'hostname', 'sub'] + ['resolv.conf'] * (state != 'missing'))


# --- how it ends ---------------------------------------------------------------------------

@pytest.mark.parametrize('vnls', [['no'], ['null://'], ['null://', 'null://']], ids=len)
@pytest.mark.parametrize('status', [0, 1, 77, 255])
def test_exit_status(lab, ours, vnls, status):
    """The command's status is vdens's."""
    assert lab.namespace(ours, *vnls).exit(status) == status


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGABRT],
                         ids=lambda number: number.name)
def test_death_by_signal(lab, ours, number):
    """The command dies by a signal: vdens by the same."""
    result = lab.run([ours.program('vdens'), 'null://', 'sh', '-c', f'kill -{number} $$'])
    assert result.status == -number


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT,
                                    signal.SIGUSR1, signal.SIGUSR2], ids=lambda number: number.name)
@pytest.mark.parametrize('vnl', ['no', 'null://'])
def test_signals_are_passed_on(lab, ours, vnl, number):
    """A signal for vdens reaches the command, once."""
    name = number.name[3:]
    script = f"trap 'echo got; kill $!; exit 41' {name}; sleep 60 & echo ready; wait; exit 42"
    run = lab.spawn([ours.program('vdens'), vnl, 'sh', '-c', script])
    wait_until(lambda: 'ready' in run.output(), 5, 'the command')
    run.signal(number)
    assert run.wait() == 41
    assert run.output().count('got') == 1


def test_signal_ends_command(lab, ours):
    """A command that does not care dies by the signal that vdens passed on, and vdens with it."""
    run = lab.spawn([ours.program('vdens'), '-j', 'null://', 'sleep', '60'])
    wait_until(lambda: 'relay_pid' in run.output(), 5, 'the report')
    run.signal(signal.SIGTERM)
    assert run.wait() == -signal.SIGTERM


def test_command_not_run(lab, ours):
    """127 when it is not found, 126 when it cannot be executed; both are named."""
    for command, status in (('/nonexistent/x', 127), ('no-such-command', 127), ('/etc/passwd', 126)):
        result = lab.run([ours.program('vdens'), 'null://', command])
        assert result.status == status and command in result.err, result


def test_network_not_opened(lab, ours):
    """1, the locator is named, and the command is not run."""
    for vnl in ('/nonexistent/switch', 'nosuchscheme://x'):
        result = lab.run([ours.program('vdens'), vnl, 'touch', lab.path('ran')])
        assert result.status == 1 and vnl in result.err, result
        result = lab.run([ours.program('vdens'), '-m', 'null://', vnl, '--', 'touch',
                          lab.path('ran')])
        assert result.status == 1 and vnl in result.err, result
    assert not os.path.exists(lab.path('ran'))


def test_interrupted_while_opening(lab, ours):
    """A network that does not answer can be given up by a signal; nothing is left."""
    silent = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.mkdir(lab.path('silent'))
    silent.bind(lab.path('silent', 'ctl'))
    silent.listen()
    run = lab.spawn([ours.program('vdens'), lab.path('silent'), 'touch', lab.path('ran')])
    accepted = silent.accept()[0]
    run.signal(signal.SIGINT)
    assert run.wait() == -signal.SIGINT
    accepted.close()
    silent.close()
    assert not os.path.exists(lab.path('ran'))


@pytest.mark.parametrize('setting', ['max_user_namespaces', 'max_net_namespaces',
                                     'max_uts_namespaces', 'max_mnt_namespaces'])
def test_namespaces_forbidden(lab, ours, setting):
    """The error names the setting that is in the way and what to do."""
    for method in ([], ['-c'], ['-u']):
        result = lab.run([tool('unshare'), '-Ur', 'sh', '-ec',
                          f'echo 0 >/proc/sys/user/{setting}; exec "$@"', 'sh',
                          ours.program('vdens'), *method, '-s', 'no', 'true'])
        assert result.status == 1, result
        assert f'sysctl -w user.{setting}=' in result.err, result


# --- reports -------------------------------------------------------------------------------

def check_report(line, run, vnls):
    """The JSON line tells of namespaces that can be looked into."""
    report = json.loads(line)
    assert report['relay_pid'] == run.pid
    for kind, path in report['namespaces'].items():
        assert path == f"/proc/{report['pid']}/ns/{kind}"
        assert os.readlink(path) != os.readlink(f'/proc/self/ns/{kind}')
    assert [entry['vnl'] for entry in report['interfaces']] == vnls
    assert [entry['name'] for entry in report['interfaces']] == [
        f'vde{n}' for n in range(len(vnls))]
    listing = subprocess.run(
        [tool('nsenter'), '--preserve-credentials', '-U', '-n', '-t', str(report['pid']),
         tool('ip'), '-j', 'link'], check=True, capture_output=True).stdout
    real = {link['ifname']: link for link in json.loads(listing)}
    for entry in report['interfaces']:
        assert real[entry['name']]['address'] == entry['mac']
        assert real[entry['name']]['ifindex'] == entry['index']
    return report


def test_json(lab, ours):
    """-j: one line on standard error; the command runs by then."""
    run = lab.spawn([ours.program('vdens'), '-j', '-H', 'there', '-m', 'null://', '=cat', '--',
                     'sleep', '60'])
    wait_until(lambda: '\n' in run.output(), 5, 'a line')
    report = check_report(run.output(), run, ['null://', '=cat'])
    assert report['hostname'] == 'there'
    assert sorted(report['namespaces']) == ['net', 'user', 'uts']
    assert os.path.basename(os.readlink(f"/proc/{report['pid']}/exe")) in ('sleep', 'coreutils')


def test_json_file_and_ready_fd(lab, ours):
    """--json-file, then a newline on --ready-fd once it can be read."""
    ready, ready_out = os.pipe()
    run = lab.spawn([ours.program('vdens'), '-J', lab.path('report'), '--ready-fd', str(ready_out),
                     '-s', 'null://', 'sleep', '60'], pass_fds=[ready_out])
    os.close(ready_out)
    assert readable(ready, 5) and os.read(ready, 10) == b'\n'
    report = check_report(pathlib.Path(lab.path('report')).read_text(), run, ['null://'])
    assert sorted(report['namespaces']) == ['mnt', 'net', 'user', 'uts']
    os.close(ready)


def test_verbose(lab, ours, switch):
    """-v tells at the end what was carried."""
    space = lab.namespace(ours, switch.path, options=['-v', '--relay'])
    space.up('10.1.0.1/24')
    plug = lab.raw(switch)
    for number in range(10):
        plug.send(numbered(BROADCAST, mac(1), number))
    plug.send(frames.arp(1, mac(1), '10.1.0.2', b'\0' * 6, '10.1.0.1'))
    assert plug.expect(lambda frame: frame[12:14] == b'\x08\x06' and frame[20:22] == b'\0\2')
    assert space.exit() == 0
    matched = re.search(rf'{re.escape(str(switch.path))}: in (\d+) frames', space.proc.output())
    assert matched and int(matched[1]) >= 11, space.proc.output()


# --- terminals -----------------------------------------------------------------------------

class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, lab, argv):
        pid, self.master = pty.fork()
        if pid == 0:
            os.execve(argv[0], argv, lab.env(PS1='$ ', TERM='dumb', HISTFILE='/dev/null'))
        self.pid = pid
        self.text = ''

    def type(self, keys):
        """Send what a user types.

        It begins with an empty line: the terminal may throw away what comes right behind a ^C or ^Z.
        """
        os.write(self.master, keys.encode() if keys < ' ' else b'\n' + keys.encode())

    def expect(self, pattern, timeout=8.0):
        """Wait for a text; what came up to its end is forgotten."""
        deadline = time.monotonic() + timeout
        while not (matched := re.search(pattern, self.text)):
            if not select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeExpired(f'no {pattern!r} on the terminal, only {self.text!r}')
            self.text += os.read(self.master, 4096).decode(errors='replace')
        self.text = self.text[matched.end():]
        return matched

    def close(self):
        """Hang up, and wait for the end of the shell."""
        os.close(self.master)
        os.waitpid(self.pid, 0)


@pytest.fixture
def terminal(lab):
    """An interactive bash on a terminal."""
    bash = tool('bash')
    made = Terminal(lab, [bash, '--norc', '--noediting', '-i'])
    yield made
    made.close()


def test_terminal_job_control(terminal, ours):
    """In an interactive shell ^C ends the foreground job, not the shell nor vdens; ^Z stops it."""
    terminal.type(f"{ours.program('vdens')} null:// {tool('bash')} --norc --noediting -i\n")
    terminal.type('echo in$((1))side\n')
    assert 'job control' not in terminal.text
    terminal.expect('in1side')
    job = 'sh -c "echo ru$((1))ns; exec sleep 60"\n'
    terminal.type(job)
    terminal.expect('ru1ns')
    terminal.type('\x03')
    terminal.expect(r'\^C')
    terminal.type('echo status$?.\n')
    terminal.expect(r'status130\.')
    terminal.type(job)
    terminal.expect('ru1ns')
    terminal.type('\x1a')
    terminal.expect('Stopped')
    terminal.type('exit 7\n')
    terminal.expect('stopped jobs')
    terminal.type('exit 7\n')
    terminal.type('echo out$((1))side $?\n')
    terminal.expect('out1side 7')


def test_terminal_interrupt_without_shell(terminal, ours):
    """^C with a plain command: it gets one SIGINT, and vdens follows it."""
    script = ('trap "echo got$((1))it" INT; sh -c "echo rea$((1))dy; exec sleep 60"; '
              'echo next; sleep 0.2; exit 9')
    terminal.type(f"{ours.program('vdens')} null:// sh -c '{script}'; echo end$?.\n")
    terminal.expect('rea1dy')
    terminal.type('\x03')
    terminal.expect('got1it')
    terminal.expect(r'end9\.')
    assert 'got1it' not in terminal.text


def test_terminal_stop_and_continue(terminal, ours):
    """^Z stops vdens and a plain command; fg continues both."""
    terminal.type(f"{ours.program('vdens')} null:// sh -c 'echo rea$((1))dy; read x; exit 6'\n")
    terminal.expect('rea1dy')
    terminal.type('\x1a')
    terminal.expect('Stopped')
    terminal.type('echo ba$((1))ck; fg\n')
    terminal.expect('ba1ck')
    terminal.expect('read x')
    terminal.type('echo end$?.\n')
    terminal.expect(r'end6\.')


def test_terminal_suspend_of_a_shell(terminal, ours):
    """A shell in vdens that suspends itself gives the terminal back to the outer shell."""
    terminal.type(f"{ours.program('vdens')} null:// {tool('bash')} --norc --noediting -i\n")
    terminal.type('echo in$((1))side\n')
    terminal.expect('in1side')
    terminal.type('suspend\n')
    terminal.expect('Stopped')
    terminal.type('echo out$((1))side; fg\n')
    terminal.expect('out1side')
    terminal.type('echo a$((1))gain; exit 3\n')
    terminal.expect('a1gain')
    terminal.type('echo end$?.\n')
    terminal.expect(r'end3\.')
