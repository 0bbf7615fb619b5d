# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that mean harm, while two others talk and lose nothing (ours).

The two are in a VLAN of their own, so that they only share the switch itself with the others.
"""

import os
import random
import resource
import socket
import stat
import threading

import pytest

from vslib.console import Console
from vslib.frames import BROADCAST, mac, numbered, tag
from vslib.pace import PacedPair
from vslib.plugs import Refused, request_v1, request_v3
from vslib.proc import wait_until


@pytest.fixture
def switch(lab, ours):
    """Our switch with a VLAN for the pair."""
    made = lab.switch(ours, '-n', 64, '-m', '0666')
    made.ok('vlan/create 10')
    return made


@pytest.fixture
def pair(lab, switch):
    """A paced pair on ports 61 and 62; after the test it has to have lost nothing."""
    plugs = [lab.raw(switch, port=port, descr='pair') for port in (61, 62)]
    for port in (61, 62):
        switch.ok(f'port/setvlan {port} 10')
    with PacedPair(*plugs) as running:
        yield running
    switch.check_healthy()


def connect(switch, timeout=2.0):
    """A bare control connection."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(os.path.join(switch.path, 'ctl'))    # waits while the backlog is full
    connection.settimeout(timeout)
    return connection


def settled(switch, before):
    """Everything that came is gone again."""
    wait_until(lambda: switch.fds() <= before, 10, lambda: f'{before} descriptors: {switch.fds()}')


def test_garbage_requests(switch, pair):
    """Random bytes of every length on the control socket."""
    dice = random.Random(1)
    switch.sync()
    before = switch.fds()
    for size in (*range(0, 300), 1000, 4096, 65536):
        with connect(switch) as connection:
            connection.setblocking(False)
            try:
                connection.send(dice.randbytes(size))
            except (BlockingIOError, BrokenPipeError):
                pass
    settled(switch, before)
    assert len(switch.endpoints()) == 2
    pair.wait_rounds(5)


def test_almost_right_requests(lab, switch, pair):
    """Each bit of a good request turned over, and each length of it."""
    switch.sync()
    before = switch.fds()
    path = lab.path('data')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as data:
        data.bind(path)
        good = request_v3(path, b'flipped')
        for bit in range(8 * 16):
            wrong = bytearray(good)
            wrong[bit // 8] ^= 1 << bit % 8
            with connect(switch) as connection:
                connection.send(wrong)
        for request in (good, request_v1(path, b'old')):
            for size in range(0, len(request), 3):
                with connect(switch) as connection:
                    connection.send(request[:size])
    settled(switch, before)
    assert {endpoint[3] for endpoint in switch.endpoints()} == {'pair'}


def test_second_request_on_a_connection(lab, switch, pair):
    """More bytes after the request, good ones or not: one endpoint at most, then none."""
    for more in (b'x', b'\0' * 1000, request_v3('/x'), None):
        plug = lab.raw(switch, descr='talks on')
        more = more or request_v3(plug.path, b'again')
        try:
            for _ in range(20):
                plug.control.send(more)
        except (BrokenPipeError, ConnectionResetError):
            pass
        switch.sync()
        assert len([1 for endpoint in switch.endpoints() if 'pair' not in endpoint[3]]) <= 1
        plug.close()
        wait_until(lambda: len(switch.endpoints()) == 2, 5, 'only the pair')


def test_ten_thousand_connections(switch, pair):
    """10,000 clients that come and go without a word."""
    switch.sync()
    before = switch.fds()
    for _ in range(10000):
        connect(switch).close()
    settled(switch, before)
    pair.wait_rounds(5)


def test_many_connections_at_once(lab, switch, pair):
    """Clients that stay and ask nothing; new ones are served, and all of it ends with them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(900, soft - 200)
    switch.sync()
    before = switch.fds()
    idle = []
    for _ in range(count):
        idle.append(connect(switch))
    lab.raw(switch, descr='in time')
    assert switch.wait_endpoint('in time')
    for connection in idle:
        connection.close()
    settled(switch, before + 2)
    assert hard >= soft


def test_switch_out_of_descriptors(lab, ours):
    """At the limit of descriptors new clients wait or are refused; it does not spin or end."""
    switch = lab.switch(ours, argv_prefix=['/bin/sh', '-c', 'ulimit -n 40; exec "$@"', 'sh'])
    one, two = lab.raw(switch), lab.raw(switch)
    with PacedPair(one, two):
        idle = [connect(switch) for _ in range(80)]
        used = cpu_time(switch)
        for _ in range(20):
            assert switch.console.ok('port/showinfo')
        for connection in idle:
            connection.close()
        wait_until(lambda: switch.fds() < 20, 5, 'descriptors closed')
        lab.raw(switch, descr='afterwards')
        switch.wait_endpoint('afterwards')
    assert cpu_time(switch) - used < 2.0


def cpu_time(switch):
    """Seconds of processor time a switch has used."""
    with open(f'/proc/{switch.pid}/stat', encoding='ascii') as line:
        fields = line.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def test_plug_that_never_reads(lab, switch, pair):
    """Frames for it pile up to a limit; the memory does not grow, others hear everything."""
    lab.raw(switch, descr='deaf')
    talker, listener = lab.raw(switch), lab.raw(switch)
    for number in range(3000):
        frame = numbered(BROADCAST, mac(1), number, size=1514)
        talker.send(frame)
        assert listener.recv() == frame
    pair.wait_rounds(5)


def test_flood(lab, switch, pair):
    """Broadcasts as fast as one client can, in another VLAN, to receivers that do not keep up."""
    flooders = [lab.raw(switch, port=port) for port in (1, 2, 3)]
    frame = numbered(BROADCAST, mac(1), 0, size=1514)
    for _ in range(6000):
        for plug in flooders:
            plug.try_send(frame)
    pair.wait_rounds(20)


def test_flood_of_broken_frames(lab, switch, pair):
    """Lengths from 0 to 64 KiB, random content."""
    dice = random.Random(2)
    plug = lab.raw(switch, sndbuf=1 << 20)
    for size in (*range(0, 100), *(dice.randrange(60000) for _ in range(300))):
        plug.send(dice.randbytes(size))
    for vlan in range(0, 4096, 7):
        plug.send(numbered(BROADCAST, mac(1), vlan, tags=tag(vlan)))
    switch.sync()
    pair.wait_rounds(5)


def test_strangers_may_not_send(lab, switch, pair):
    """A socket that never asked for a port sends to another one's data socket."""
    plug, victim = lab.raw(switch, descr='known'), lab.raw(switch)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        frame = numbered(BROADCAST, mac(0x666), 1)
        for _ in range(50):
            try:
                stranger.sendto(frame, socket.MSG_DONTWAIT, plug.peer)
            except OSError:
                break
    switch.sync()
    assert not [got for got in victim.drain() if got == frame]


def test_races_with_modes_and_names(lab, switch, pair):
    """The client's socket changes its mode, its name, or becomes something else meanwhile."""
    target = lab.write('target', 'precious', mode=0o640)
    path = lab.path('racing')
    stop = threading.Event()

    def change():
        while not stop.is_set():
            for action in (lambda: os.chmod(path, 0), lambda: os.chmod(path, 0o777),
                           lambda: os.unlink(path), lambda: os.symlink(target, path),
                           lambda: os.unlink(path)):
                try:
                    action()
                except OSError:
                    pass
    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as data, \
                    connect(switch) as connection:
                try:
                    data.bind(path)
                except OSError:
                    pass
                connection.send(request_v3(path, b'racing'))
    finally:
        stop.set()
        thread.join()
    wait_until(lambda: len(switch.endpoints()) == 2, 10, 'only the pair')
    assert stat.S_IMODE(os.stat(target).st_mode) == 0o640
    assert open(target, encoding='ascii').read() == 'precious'


def test_data_socket_names_are_attacked(lab, switch, pair):
    """Somebody who may write in the directory removes and replaces what is there."""
    plug, other = lab.raw(switch), lab.raw(switch)
    os.unlink(plug.peer)
    os.symlink('/etc/passwd', plug.peer)
    frame = numbered(BROADCAST, mac(1), 1)
    plug.send(frame)
    assert other.recv() == frame
    name = plug.peer
    plug.close()
    wait_until(lambda: len(switch.endpoints()) == 3, 5, 'the endpoint gone')
    assert os.path.exists('/etc/passwd')
    if os.path.lexists(name):
        os.unlink(name)


def test_client_dies_at_every_step(lab, switch, pair):
    """kill -9 at any moment is a closed descriptor: before, in and after the request."""
    switch.sync()
    before = switch.fds()
    for step in range(60):
        try:
            plug = lab.raw(switch, descr='dying')
        except Refused:
            continue
        if step % 3 == 0:
            plug.data.close()
            plug.control.close()
        elif step % 3 == 1:
            plug.send(numbered(BROADCAST, mac(1), step))
            plug.control.close()
        else:
            plug.data.close()
        plug.close()
    settled(switch, before + 1)
    assert len(switch.endpoints()) == 2


def test_console_flood(switch, pair):
    """Consoles that ask without reading, and hundreds that come and go; the oldest is served."""
    switch.sync()
    before = switch.fds()
    consoles = [Console(switch.mgmt_path) for _ in range(30)]
    for console in consoles:
        console.socket.setblocking(False)
        try:
            for _ in range(50):
                console.socket.send(b'help\nport/print\nhash/print\n' * 20)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
    for _ in range(300):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as brief:
            brief.connect(switch.mgmt_path)
    for console in consoles:
        console.close()
    assert switch.ok('port/showinfo')
    settled(switch, before)
    pair.wait_rounds(5)


def test_too_many_consoles(switch, pair):
    """Above the limit a console is told so and closed; those that are there go on."""
    switch.sync()
    before = switch.fds()
    opened = []
    refusal = None
    while len(opened) < 200 and refusal is None:
        console = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        console.settimeout(5)
        console.connect(switch.mgmt_path)
        opened.append(console)
        first = console.recv(4096)
        if not first.startswith(b'VDE switch V.'):
            refusal = first
    assert refusal == b'1016 Device or resource busy\n'
    assert switch.ok('port/showinfo')
    for console in opened:
        console.close()
    settled(switch, before)
    assert Console(switch.mgmt_path).ok('port/showinfo')


def test_ports_by_the_dozen_change_under_the_pair(switch, pair):
    """Commands that rearrange everything else."""
    for number in range(200):
        switch.console.command(f'port/create {number % 50 + 1}')
        switch.console.command(f'vlan/create {number + 20}')
        switch.console.command(f'port/setvlan {number % 50 + 1} {number + 20}')
        switch.console.command(f'hash/setsize {64 << number % 4}')
        switch.console.command(f'port/remove {number % 50 + 1}')
        switch.console.command(f'vlan/remove {number + 20}')
    pair.wait_rounds(5)
