# SPDX-License-Identifier: GPL-2.0-or-later
"""vde_switch --takeover: a new process goes on in the place of a running switch, and nobody notices."""

import json
import os
import re
import signal
import socket
import struct
import sys
import threading
import time

import pytest

from vslib import takeover
from vslib.console import Console
from vslib.frames import BROADCAST, TEST_TYPE, is_type, mac, number_of, numbered, tag
from vslib.pace import PacedPair
from vslib.plugs import request_v3, settle, sockaddr_un
from vslib.proc import fd_count, pid_exists, wait_until
from vslib.sides import need_tun, tool

ROOT = os.geteuid() == 0
ROUNDS = 20


def state(switch):
    """Everything the console tells that must not change, of a switch at rest."""
    lines = {command: switch.ok(command) for command in (
        'port/allprint', 'port/counters', 'vlan/allprint', 'vlan/counters', 'port/showinfo',
        'hash/showinfo', 'fstp/showinfo', 'ds/showinfo')}
    lines['hash'] = sorted(re.sub(r'age \d+', '', line) for line in switch.ok('hash/print'))
    lines['tree'] = [re.sub(r'age \d+', '', line) for line in switch.ok('fstp/print')]
    info = json.loads(''.join(switch.ok('json showinfo')))
    return lines, {key: info[key] for key in ('mac', 'ctl_dir', 'mgmt', 'hub', 'numports',
                                              'max_frame', 'queue_size', 'buffers_size')}


def configure(switch):
    """Some of everything that can be set on the console."""
    for line in ('port/setnumports 40', 'vlan/create 7', 'vlan/create 4094', 'port/create 9',
                 'port/setuser 9 4321', 'port/setgroup 9 99', 'port/create 11',
                 'port/setvlan 11 4094', 'port/create 12', 'port/setvlan 12 4095',
                 'port/allocatable 12 1', 'vlan/addport 7 9', 'hash/setexpire 777',
                 'hash/setgcint 5', 'hash/setminper 9', 'hash/setsize 64', 'fstp/bonus 7 9 -5',
                 'fstp/setedge 7 9 1'):
        switch.ok(line)


# --- nobody notices --------------------------------------------------------------------------------

def test_twenty_takeovers(lab, ours):
    """Old plugs, ring plugs, VLANs, consoles: no frame is lost, everything stays as it was."""
    switch = lab.switch(ours, '--queue-size', 1 << 20)
    configure(switch)
    for line in ('port/create 21', 'port/setvlan 21 4095', 'vlan/addport 7 21', 'port/create 22',
                 'port/setvlan 22 4095', 'vlan/addport 7 22', 'debug/add port/descr'):
        switch.ok(line)
    old = lab.raw(switch, port=1, descr='old one'), lab.raw(switch, port=2, descr='old two')
    tagged = lab.raw(switch, port=21), lab.raw(switch, port=22)
    host = lab.lib(ours)
    rings = host.open(switch.path, descr='ring one'), host.open(switch.path, descr='ring two')
    settle(*old, *rings)
    assert [entry for entry in switch.ok('port/counters') if ' ring ' in entry], 'no ring plugs'
    for plug in (*old, *rings, *tagged):
        plug.drain()
    before = state(switch)
    other = Console(switch.mgmt_path)
    with PacedPair(*old) as pair, PacedPair(*rings, first=0xb0) as ring_pair, \
            PacedPair(*tagged, first=0xc0, tags=tag(7)) as tagged_pair:
        for turn in range(ROUNDS):
            switch.take_over()
            if turn == 0:
                fds = fd_count(switch.pid)
            other.ok('showinfo')
        # No more than after the first; what brought the state may still be open for a moment.
        wait_until(lambda: fd_count(switch.pid) <= fds, what='the same descriptors')
        for one in (pair, ring_pair, tagged_pair):
            one.wait_rounds(20)
    for one in (pair, ring_pair, tagged_pair):
        assert one.slowest < 3
    switch.sync()
    after = state(switch)
    assert after[1] == before[1]
    for command in ('vlan/allprint', 'port/showinfo', 'hash/showinfo', 'fstp/showinfo', 'tree',
                    'ds/showinfo'):
        assert after[0][command] == before[0][command], command
    assert set(before[0]['hash']) <= set(after[0]['hash'])
    strip = re.compile(r'(pkts|bytes) +\d+')
    assert [strip.sub('', line) for line in after[0]['port/allprint']] == \
        [strip.sub('', line) for line in before[0]['port/allprint']]
    port = switch.port(1)
    assert port.packets_in >= pair.rounds and port.packets_out >= pair.rounds
    assert not any(counters['drops'][reason] for entry in
                   json.loads(''.join(switch.ok('json port/counters')))
                   for counters in [entry['counters']] for reason in counters['drops'])
    lab.raw(switch, port=3, descr='a late one')                 # the subscription has passed, too
    wait_until(lambda: any('a late one' in line for line in switch.console.events)
               or switch.ok('showinfo') is None, 5, 'debug line')


@pytest.mark.parametrize('suffix', ['', '[ring=no]'], ids=['rings', 'datagrams'])
def test_a_fast_stream(lab, ours, suffix):
    """Tens of thousands of frames a second, and one takeover after another: all come, in order."""
    count = 40000
    switch = lab.switch(ours)
    host = lab.lib(ours)
    one, two = host.open(switch.path + suffix), host.open(switch.path + suffix)
    result = []

    def stream():
        head = BROADCAST + mac(1) + struct.pack('>H', TEST_TYPE)
        result.extend(host.call(op='stream', sender=one.ident, receiver=two.ident, head=head.hex(),
                                count=count, rate=25000, patience=20))

    thread = threading.Thread(target=stream)
    thread.start()
    taken = 0
    while thread.is_alive():
        switch.take_over()
        taken += 1
    thread.join()
    assert taken > 10
    assert result == [count, 0, 0]
    for number, name in ((1, 'in_packets'), (2, 'out_packets')):
        entry = json.loads(''.join(switch.ok(f'json port/counters {number}')))[0]
        assert entry['counters'][name] == count and not any(entry['counters']['drops'].values())


def test_state_to_the_byte(lab, ours):
    """A switch at rest says the same after it as before, counters and addresses included."""
    switch = lab.switch(ours, '--macaddr', '02:11:22:33:44:55', '--priority', 0x1234, '-m', '0666')
    configure(switch)
    plugs = [lab.raw(switch) for _ in range(4)]
    settle(*plugs)
    for number, plug in enumerate(plugs):
        plug.send(numbered(BROADCAST, mac(number), number))
    switch.sync()
    before = state(switch)
    assert len(before[0]['hash']) == 4
    switch.take_over('-n', 5, '--macaddr', '02:99:99:99:99:99', '-x')     # it knows better
    assert state(switch) == before
    switch.take_over()
    assert state(switch) == before


def test_hub(lab, ours):
    """A hub stays one, and one that became a switch stays that."""
    switch = lab.switch(ours, '-x')
    switch.take_over()
    assert 'HUB=true' in switch.ok('port/showinfo')
    switch.ok('port/sethub 0')
    switch.take_over('-x')
    assert 'HUB=false' in switch.ok('port/showinfo')


def test_a_stream(lab, ours):
    """A sender that never stops, and a reader that comes late: its queue passes, in order."""
    count, size = 6000, 1000
    switch = lab.switch(ours)
    one, two = lab.raw(switch), lab.raw(switch)
    settle(one, two)

    def blast():
        for number in range(count):
            one.send(numbered(BROADCAST, mac(1), number, size))

    sender = threading.Thread(target=blast)
    sender.start()
    try:
        for _ in range(3):
            switch.take_over()
    finally:
        sender.join()
    switch.sync()
    queued = json.loads(''.join(switch.ok('json port/counters')))[1]['endpoints'][0]
    assert queued['queued_frames'] > 1000
    switch.take_over()
    for number in range(count):
        frame = two.recv(10)
        assert frame == numbered(BROADCAST, mac(1), number, size), f'frame {number}'
    wait_until(lambda: 'queued 0 frames' in ''.join(switch.ok('port/counters 2')), 5, 'queue empty')
    assert two.drain() == []


def test_queue_that_is_too_large_now(lab, ours):
    """With less memory than before, what finds no place is counted as dropped."""
    switch = lab.switch(ours)
    one, two = lab.raw(switch), lab.raw(switch)
    settle(one, two)
    for number in range(6000):
        one.send(numbered(BROADCAST, mac(1), number, 1400))
    switch.sync()
    switch.take_over('--buffer-size', 1)
    entry = json.loads(''.join(switch.ok('json port/counters')))[1]['endpoints'][0]
    assert entry['counters']['drops']['no_buffer'] > 1000
    got = [number_of(frame) for frame in iter(lambda: two.recv(0.2), None)]
    assert got == list(range(len(got))) and len(got) > 100


def test_tap(lab, ours):
    """An interface of the kernel stays up, and answers; -t for it again is no second one."""
    need_tun()
    space = lab.plain_namespace()
    path, mgmt = lab.path('tap'), lab.path('tap.mgmt')
    command = f'{ours.program("vde_switch")} -d -s {path} -t vstap'
    space.run(f'{command} -M {mgmt} -p {lab.path("pid")}')
    space.run(f'{tool("ip")} addr add 10.9.0.1/24 dev vstap && {tool("ip")} link set vstap up')
    plug = lab.raw(path)
    console = Console(mgmt)

    def arp():
        plug.send(BROADCAST + mac(5) + bytes.fromhex('0806000108000604 0001'.replace(' ', '')) +
                  mac(5) + bytes((10, 9, 0, 2)) + bytes(6) + bytes((10, 9, 0, 1)) + bytes(18))
        answer = plug.expect(is_type(0x0806), 5)
        while answer[20:22] != b'\0\2':
            answer = plug.expect(is_type(0x0806), 5)
        return answer[22:28]

    address = arp()
    ports = [line for line in console.ok('port/print') if 'endpoint' in line]
    for _ in range(3):
        space.run(f'{command} --takeover')
        assert arp() == address
        assert [line for line in console.ok('port/print') if 'endpoint' in line] == ports
    space.run(f'{ours.program("vde_switch")} -d -s {path} -t vsmore --takeover')
    assert len([line for line in console.ok('port/print') if 'tuntap' in line]) == 2
    console.command('showinfo')
    with open(lab.path('pid'), encoding='ascii') as pid:
        number = int(pid.read())
    os.kill(number, 15)
    wait_until(lambda: not pid_exists(number), 5, 'end')
    assert not os.path.exists(path) and not os.path.exists(mgmt)


def test_namespaces(lab, ours):
    """Two vdens, whose TAPs the switch serves by itself, ping each other all the time."""
    need_tun()
    switch = lab.switch(ours)
    one, two = (lab.namespace(ours, switch.path) for _ in range(2))
    one.up('10.9.1.1/24')
    two.up('10.9.1.2/24')
    assert one.ping('10.9.1.2')[0] == 0
    transports = re.findall(r'ID \d+ (\w+)', ''.join(switch.ok('port/counters')))
    assert transports == ['device', 'device'], transports
    pings = one.start(f'{tool("ping")} -q -i 0.005 -c 200 10.9.1.2')
    for _ in range(10):
        switch.take_over()
    status, output = one.result(pings, 20)
    assert status == 0 and ' 0% packet loss' in output and 'duplicates' not in output, output
    assert re.findall(r'ID \d+ (\w+)', ''.join(switch.ok('port/counters'))) == transports
    one.exit()
    switch.ok('showinfo')
    wait_until(lambda: len(switch.endpoints()) == 1, 5, 'one plug left')


# --- those who are not plugs yet, or no plugs at all ----------------------------------------------------

def test_new_plugs_get_names_of_their_own(lab, ours):
    """Ids are descriptor numbers, and another process has those, too: none is given twice."""
    switch = lab.switch(ours)
    plugs = [lab.raw(switch) for _ in range(6)]
    for _ in range(3):
        switch.take_over()
        plugs += [lab.raw(switch) for _ in range(6)]
        ids = [entry[1] for entry in switch.endpoints()]
        assert len(ids) == len(plugs) == len(set(ids))
        assert len({plug.peer for plug in plugs}) == len(plugs)
    settle(*plugs[::5])


def test_half_a_request(lab, ours):
    """Who has connected, and said half of what it wants, says the rest to the successor."""
    switch = lab.switch(ours)
    path = lab.path('half')
    with socket.socket(socket.AF_UNIX) as control, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as data, \
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.connect(os.path.join(switch.path, 'ring'))
        data.bind(path)
        control.settimeout(20)
        control.connect(os.path.join(switch.path, 'ctl'))
        wanted = request_v3(path, b'in two halves')
        control.sendall(wanted[:10])
        switch.sync()
        switch.take_over()
        control.sendall(wanted[10:])
        assert len(control.recv(4096)) == len(sockaddr_un(path))
        switch.wait_endpoint('in two halves')


def test_console_with_answers_on_their_way(lab, ours):
    """Commands that wait for their turn, answers that were not read, half a line: all pass."""
    switch = lab.switch(ours)
    console = Console(switch.mgmt_path)
    console.socket.setblocking(False)
    sent, text = 0, b'help\n' * 100
    try:
        while sent < 200:
            console.socket.send(text)
            sent += 1
    except BlockingIOError:
        pass
    assert sent > 1
    switch.sync()
    for _ in range(3):
        switch.take_over()
    console.socket.setblocking(True)
    console.socket.settimeout(20)
    answers = 0
    while answers < 100 * (sent - 1):
        lines = console.read_until(b'\nvde$ ')
        assert lines.startswith(b"0000 DATA END WITH '.'\nCOMMAND PATH") and b'1000 Success' in lines
        answers += 1


def test_console_with_half_a_line(lab, ours):
    """The end of a command is read by the successor."""
    switch = lab.switch(ours)
    console = Console(switch.mgmt_path)
    console.write('port/cre')
    switch.sync()
    switch.take_over()
    assert console.command('ate 5').code == 0
    assert 5 in switch.ports()


def test_captures(lab, ours):
    """One to a file and one to a connection go on, each a whole pcap-ng file without a gap."""
    switch = lab.switch(ours, '--allow-path', lab.dir)
    one, two = lab.raw(switch), lab.raw(switch)
    settle(one, two)
    target = lab.path('net.pcapng')
    switch.ok(f'capture/start {target}')
    stream = Console(switch.mgmt_path)
    stream.write('capture/stream port 1\n')
    wait_until(lambda: len(switch.ok('capture/print')) == 4, 5, 'two captures')
    for turn in range(5):
        for number in range(20):
            one.send(numbered(BROADCAST, mac(1), 20 * turn + number))
        if turn == 3:
            switch.sync()
        switch.take_over()
    switch.sync()
    assert len(switch.ok('capture/print')) == 4
    switch.ok('capture/stop 1')
    switch.ok('capture/stop 2')
    streamed = stream.read_eof().partition(b'1000 Success\n')[2]
    with open(target, 'rb') as file:
        stored = file.read()
    for data in stored, streamed:
        seen = []
        at = 0
        while at < len(data):
            kind, length = struct.unpack_from('=II', data, at)
            if kind == 6:
                size = struct.unpack_from('=I', data, at + 20)[0]
                number = number_of(data[at + 28:at + 28 + size])
                if number is not None and number < 100:
                    seen.append(number)
            at += length
        assert at == len(data) and seen == list(range(100))


def test_tree_goes_on(lab, ours):
    """Ports that the spanning tree has opened stay open: they do not wait again."""
    switch = lab.switch(ours, '-F', '-p', lab.path('pid'))
    switch.ok('port/create 1')
    switch.ok('port/create 2')
    switch.ok('fstp/setedge 0 1 1')
    switch.ok('fstp/setedge 0 2 1')
    one, two, late = lab.raw(switch, port=1), lab.raw(switch, port=2), lab.raw(switch, port=3)
    one.send(numbered(BROADCAST, mac(1), 1))
    two.expect(numbered(BROADCAST, mac(1), 1))
    switch.sync()
    before = json.loads(''.join(switch.ok('json fstp/print')))[0]
    with PacedPair(one, two) as pair:
        for _ in range(3):
            switch.take_over()
        pair.wait_rounds(10)
    after = json.loads(''.join(switch.ok('json fstp/print')))[0]
    assert [(port['port'], port['state'], port['role']) for port in after['ports']] == \
        [(port['port'], port['state'], port['role']) for port in before['ports']]
    assert [port['state'] for port in after['ports']] == ['forwarding', 'forwarding', 'listening']
    assert after['ports'][0]['became_forwarding'] == 1
    assert [frame for frame in late.drain() if number_of(frame)] == []


def test_plugins_are_loaded_again(lab, ours):
    """By the file that they came from."""
    switch = lab.switch(ours)
    switch.ok('plugin/add dump')
    plugins = switch.ok('plugin/list')
    switch.take_over()
    assert switch.ok('plugin/list') == plugins and 'dump' in plugins[-1]
    assert any(line.startswith('dump/') for line in switch.ok('help dump'))


# --- settings, files, service managers -----------------------------------------------------------------

def test_limits(lab, ours):
    """Those of the running switch, but for what the successor is told."""
    switch = lab.switch(ours, '--queue-size', 1 << 20, '--max-frame', 4000)
    switch.take_over('--max-frame', 5000)
    info = json.loads(''.join(switch.ok('json showinfo')))
    assert info['queue_size'] == 1 << 20 and info['max_frame'] == 5000


def test_management_socket(lab, ours):
    """It can be named again, and added where there is none; another one is refused."""
    switch = lab.switch(ours)
    switch.take_over('-M', switch.mgmt_path)
    switch.ok('showinfo')
    done = lab.run([ours.program('vde_switch'), '-s', switch.path, '--takeover', '-M',
                    lab.path('other'), '--nostdin'])
    assert done.status == 1 and switch.mgmt_path in done.err
    switch.ok('showinfo')
    assert not os.path.exists(lab.path('other'))
    bare = lab.switch(ours, name='bare', mgmt=False)
    bare.mgmt_path = lab.path('bare.mgmt')
    bare.take_over('-M', bare.mgmt_path)
    bare.ok('showinfo')


def test_daemon_and_pid_file(lab, ours):
    """The pid file has the successor's number, the service manager is told, and -d answers as ever."""
    notify = lab.path('notify')
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(notify)
    manager.settimeout(20)
    env = lab.env(NOTIFY_SOCKET=notify)
    path, pid_file, mgmt = lab.path('net'), lab.path('net.pid'), lab.path('net.mgmt')
    program = ours.program('vde_switch')

    def pid():
        with open(pid_file, encoding='ascii') as file:
            return int(file.read())

    try:
        assert lab.run([program, '-d', '-s', path, '-p', pid_file, '-M', mgmt],
                       env=env).status == 0
        assert manager.recv(100) == b'READY=1'
        for more in [], ['-p', pid_file]:
            old = pid()
            done = lab.run([program, '-d', '-s', path, '--takeover', *more], env=env)
            assert done.status == 0, done.err
            wait_until(lambda: not pid_exists(old), 5, 'end of the old one')
            new = pid()
            assert new != old and pid_exists(new)
            assert {manager.recv(100), manager.recv(100)} == {
                b'READY=1', f'MAINPID={new}'.encode()}
        old = pid()
        done = lab.run([program, '-d', '-s', path, '--takeover', '-p', lab.path('new.pid')],
                       env=env)
        assert done.status == 0, done.err
        wait_until(lambda: not os.path.exists(pid_file), 5, 'the old pid file goes')
        pid_file = lab.path('new.pid')
        assert pid() != old
    finally:
        manager.close()
        number = pid()
        os.kill(number, 15)
    wait_until(lambda: not pid_exists(number), 5, 'end')
    assert not [name for name in os.listdir(lab.dir) if 'net' in name or 'pid' in name]


STUB = ('import os, sys; os.environ["LISTEN_PID"] = str(os.getpid()); '
        'os.dup2(int(sys.argv[1]), 3); os.execv(sys.argv[2], sys.argv[2:])')


def test_inherited_sockets_stay(lab, ours):
    """A socket of the service manager passes, and its name is not removed at the end either."""
    net = lab.path('net')
    os.mkdir(net)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f'{net}/ctl')
        listener.listen(16)
        old = lab.spawn([sys.executable, '-c', STUB, str(listener.fileno()),
                         ours.program('vde_switch'), '-s', net, '--nostdin'],
                        env=lab.env(LISTEN_FDS='1'), pass_fds=(listener.fileno(),))
        wait_until(lambda: os.path.exists(f'{net}/ring'), 5, 'switch up')
    one, two = lab.raw(net), lab.raw(net)
    new = lab.spawn([ours.program('vde_switch'), '-s', net, '--takeover', '--nostdin'])
    assert old.wait() == 0
    three = lab.raw(net)
    settle(one, two, three)
    for plug in one, two, three:
        plug.close()
    new.signal(15)
    assert new.wait() == 0
    assert os.listdir(net) == ['ctl']


# --- what goes wrong --------------------------------------------------------------------------------

@pytest.fixture(name='pair')
def make_pair(lab, ours):
    """A switch with two plugs that talk all the time, and lose nothing whatever the test does."""
    switch = lab.switch(ours)
    configure(switch)
    one, two = lab.raw(switch), lab.raw(switch)
    with PacedPair(one, two, patience=20) as pair:
        pair.switch = switch
        yield pair
        pair.wait_rounds(10)
    switch.check_healthy()


def test_successor_dies(pair):
    """At every step before its COMMIT: the old switch goes on as if nothing had been."""
    switch = pair.switch
    fds = switch.fds()
    for messages in (0, 1, 2, 3, 5, 8, 13, None):
        successor = takeover.Successor(switch)
        assert takeover.HEADER.unpack_from(successor.ask())[3] == takeover.HELLO
        if messages != 0:
            successor.go()
        if messages is None:
            successor.receive_until(takeover.DONE)
            assert successor.fds >= 2 * 2 + 3
        else:
            for _ in range(messages):
                successor.receive()
        successor.close()
        pair.wait_rounds(5)
    switch.sync()
    wait_until(lambda: switch.fds() == fds, 5, lambda: f'{fds} descriptors, not {switch.fds()}')
    switch.take_over()


def process_state(pid):
    """R, S, T ... or Z when it is gone."""
    try:
        with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as stat:
            return stat.read().rpartition(')')[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return 'Z'


def test_killed_in_the_middle(lab, ours, pair):
    """A real successor is killed at any moment before its COMMIT: the old switch goes on.

    It is stopped first. When the old one then sleeps, or has ended, it is known who has the switch.
    """
    switch, killed = pair.switch, 0
    for turn in range(300):
        if turn >= 24 and killed > 3:
            break
        new = lab.spawn([ours.program('vde_switch'), '-s', switch.path, '--takeover', '--nostdin'])
        deadline = time.monotonic() + (0.0005 * turn if turn < 24 else 0)   # then: as early as can be
        while time.monotonic() < deadline and switch.proc.poll() is None:
            pass
        new.signal(signal.SIGSTOP)
        wait_until(lambda: process_state(new.pid) in 'TZ', 5, 'successor stopped')
        old = switch.proc
        wait_until(lambda: old.poll() is not None or process_state(old.pid) == 'S', 5,
                   'the old one sleeps')
        if old.poll() is None:
            new.signal(signal.SIGKILL)
            killed += 1
        else:
            switch.proc = new
            new.signal(signal.SIGCONT)
        pair.wait_rounds(3)
    assert killed > 3
    switch.ok('showinfo')


def test_successor_fails(pair):
    """It tells why, and the old switch goes on, and has logged that."""
    successor = takeover.Successor(pair.switch)
    successor.ask()
    successor.go()
    successor.receive_until(takeover.DONE)
    successor.send(takeover.FAILED, (takeover.TEXT, b'no memory left'))
    successor.ended()
    pair.switch.sync()
    assert 'no memory left' in pair.switch.proc.output()


def test_successor_talks_nonsense(pair):
    """Neither a message of no kind, nor bytes of no message, is a COMMIT."""
    for send in (lambda s: s.send(77), lambda s: s.socket.send(b'COMMIT!')):
        successor = takeover.Successor(pair.switch)
        successor.ask()
        successor.go()
        successor.receive_until(takeover.DONE)
        send(successor)
        successor.ended()
        pair.wait_rounds(5)


def test_successor_never_gets_ready(pair):
    """The old switch's patience ends; a COMMIT after that cannot be sent."""
    successor = takeover.Successor(pair.switch)
    successor.ask()
    successor.go()
    start = time.monotonic()
    successor.ended()
    assert time.monotonic() - start > 2
    with pytest.raises(BrokenPipeError):
        successor.send(takeover.COMMIT)


def test_real_successor_that_cannot(lab, ours, pair):
    """What the new command line asks for is impossible: status 1, a sentence, and all is as before."""
    switch = pair.switch
    before = sorted(os.listdir(lab.dir))
    for options, word in ((['-t', 'not/a/name'], 'not/a/name'),
                          (['--allow-path', '/nowhere/at/all'], '/nowhere/at/all'),
                          (['-p', '/nowhere/at/all/pid'], '/nowhere/at/all/pid'),
                          (['-d', '-M', lab.path('m')], switch.mgmt_path)):
        done = lab.run([ours.program('vde_switch'), '-s', switch.path, '--takeover', '--nostdin',
                        *options])
        assert done.status == 1 and word in done.err, done
        pair.wait_rounds(5)
        switch.ok('showinfo')
    assert sorted(os.listdir(lab.dir)) == before


@pytest.mark.skipif(not ROOT, reason='needs root: becomes another user')
def test_strangers(lab, ours):
    """Another user is refused with a sentence, though it may join; root is refused by our program."""
    switch = lab.switch(ours, '-m', '0666', '--dirmode', '0755')
    os.chmod(lab.dir, 0o755)
    command = [ours.program('vde_switch'), '-s', switch.path, '--takeover', '--nostdin']
    stranger = [tool('setpriv'), '--reuid=4321', '--regid=4321', '--clear-groups']
    code = ('import socket,sys; s=socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); '
            's.connect(sys.argv[1]); s.send(bytes.fromhex(sys.argv[2])); print(s.recv(4096))')
    done = lab.run([*stranger, '/usr/bin/python3', '-c', code, f'{switch.path}/ring',
                    takeover.request().hex()])
    assert 'only the user that the switch runs as' in done.out, done
    switch.sync()
    assert 'user 4321' in switch.proc.output()
    theirs = lab.path('theirs')
    os.mkdir(theirs)
    os.chown(theirs, 4321, 4321)
    other = lab.spawn([*stranger, *command[:1], '-s', f'{theirs}/net', '--nostdin'])
    wait_until(lambda: os.path.exists(f'{theirs}/net/ring'), 5, 'their switch')
    done = lab.run([command[0], '-s', f'{theirs}/net', '--takeover', '--nostdin'])
    assert done.status == 1 and 'runs as user 4321' in done.err, done
    assert other.poll() is None
    switch.take_over()


@pytest.mark.parametrize('version', [0, takeover.VERSION + 1])
def test_other_version_of_the_successor(lab, ours, version):
    """It is refused with a sentence."""
    switch = lab.switch(ours)
    answer = takeover.Successor(switch).ask(version)
    assert takeover.RING_HEADER.unpack_from(answer)[3] == takeover.REFUSAL
    assert f'version {version}'.encode() in answer and b'stop it' in answer
    switch.ok('showinfo')


class OldSwitch(threading.Thread):
    """Answers a successor with what the test likes, as a running switch of any version."""

    def __init__(self, path, answers):
        super().__init__(daemon=True)
        os.mkdir(path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(f'{path}/ring')
        self.listener.listen()
        self.answers = answers
        self.start()

    def run(self):
        connection, _ = self.listener.accept()
        connection.settimeout(20)
        for answer in self.answers:
            connection.recv(4096)
            if answer:
                connection.send(answer)
        connection.close()


@pytest.mark.parametrize('answers, sentence', [
    ([takeover.refusal('not today')], 'refuses: not today'),
    ([b''], 'older than --takeover'),
    ([takeover.message(takeover.HELLO, version=2)], 'another version'),
    ([takeover.message(takeover.HELLO)], 'nonsense'),
    ([takeover.message(takeover.DONE)], 'nonsense'),
    ([b'what?'], 'no answer'),
])
def test_other_switch(lab, ours, answers, sentence):
    """Whatever the running switch is, the successor ends with a sentence and changes nothing."""
    path = lab.path('net')
    OldSwitch(path, answers)
    done = lab.run([ours.program('vde_switch'), '-s', path, '--takeover', '--nostdin'])
    assert done.status == 1 and sentence in done.err, done
    assert os.listdir(path) == ['ring']


def test_nobody_there(lab, ours):
    """The remedy is named."""
    done = lab.run([ours.program('vde_switch'), '-s', lab.path('net'), '--takeover', '--nostdin'])
    assert done.status == 1 and 'without --takeover' in done.err
    assert not os.path.exists(lab.path('net'))
