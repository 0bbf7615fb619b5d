# SPDX-License-Identifier: GPL-2.0-or-later
"""hub://, switch://, multi:// and bonding:// with clients that come by rings."""

import contextlib
import errno
import os
import resource
import signal
import socket
import stat
import time

import pytest

from vslib import frames, ring
from vslib.frames import BROADCAST, mac, numbered
from vslib.mixed import mixed_host, served
from vslib.plugs import LibraryError, Refused
from vslib.proc import wait_until
from vslib.ring import RawRing, Refusal, super_frame, tcp_data

NODES = ('hub', 'switch', 'multi', 'bonding')
SIZES = (14, 15, 59, 60, 1514, 4097, 9234)
CLIENTS_MAX = 256
ALL = ring.CSUM | ring.TSO4 | ring.TSO6 | ring.USO
PLAIN = (0,) * 6


class Network:
    """A node of ours in a process of its own, and clients of all kinds."""

    def __init__(self, lab, scheme, options=''):
        self.lab = lab
        self.path = lab.path(scheme)
        self.process = mixed_host(lab)
        self.node = self.process.open(f'{scheme}://{self.path}{options}')

    def ring(self, **how):
        """A client by rings, byte by byte."""
        with served(self.node):
            return self.lab.raw_ring(self.path, **how)

    def raw(self, **how):
        """A client by datagrams."""
        with served(self.node):
            return self.lab.raw(self.path, **how)

    def library(self, options=''):
        """A client by libvdeplug."""
        with served(self.node):
            return mixed_host(self.lab).open(f'vde://{self.path}{options}')

    def settled(self):
        """All events are served."""
        with served(self.node):
            pass
        self.node.drain()

    def works(self):
        """A new client can join and be heard, and hears."""
        with self.ring() as client:
            frame = numbered(BROADCAST, mac(77), 77)
            client.send(frame)
            self.node.expect(frame)
            self.node.send(frame)
            client.expect(frame)


def memory_of(process, name='vde-ring'):
    """Bytes of ring memory that a process holds and that exist."""
    total, counts = 0, False
    with open(f'/proc/{process.proc.pid}/smaps', encoding='ascii') as maps:
        for line in maps:
            if '-' in line.split(' ', 1)[0]:
                counts = name in line
            elif counts and line.startswith('Rss:'):
                total += int(line.split()[1]) * 1024
    return total


# --------------------------------------------------------------------------------------- frames

@pytest.mark.parametrize('scheme', NODES)
@pytest.mark.parametrize('kind', ['ring', 'library'])
def test_sizes_both_ways(lab, scheme, kind):
    """Frames between host and client."""
    network = Network(lab, scheme)
    client = getattr(network, kind)()
    for number, size in enumerate(SIZES):
        frame = frames.ether(BROADCAST, mac(1), number.to_bytes(4, 'big'), size=size)
        client.send(frame)
        assert network.node.recv() == frame
        frame = frames.ether(BROADCAST, mac(2), number.to_bytes(4, 'big'), size=size)
        network.node.send(frame)
        assert client.recv() == frame
    assert network.node.close() == 0
    assert not os.path.exists(network.path)


def test_transport(lab):
    """The library comes by the ring unless it is told not to, and a node may have none."""
    network = Network(lab, 'hub')
    assert not any(name.startswith('fd') for name in os.listdir(network.path))
    one, two = network.library(), network.library('[ring=no]')
    assert one.features(0) >> 32 == 1 and two.features(0) >> 32 == 0
    assert sum(name.startswith('fd') for name in os.listdir(network.path)) == 1
    network.node.close()
    network.node = network.process.open(f'hub://{network.path}[ring=no]')
    assert os.listdir(network.path) == ['ctl']
    three = network.library()
    assert three.features(0) >> 32 == 0 and network.node.features(0) >> 32 == 0
    frame = numbered(BROADCAST, mac(1), 1)
    three.send(frame)
    assert network.node.recv() == frame
    with pytest.raises(LibraryError):
        network.process.open(f'hub://{lab.path("x")}[ring=perhaps]')


def test_socket_modes(lab):
    """`ring` has what `ctl` has."""
    network = Network(lab, 'hub', '[mode=620]')
    names = {name: os.stat(os.path.join(network.path, name)) for name in ('ctl', 'ring')}
    assert {stat.S_IMODE(status.st_mode) for status in names.values()} == {0o620}
    assert len({(status.st_uid, status.st_gid) for status in names.values()}) == 1


def test_mixed_hub(lab):
    """Everybody hears everything but what they said, whatever they came by."""
    network = Network(lab, 'hub')
    plugs = [network.ring(), network.raw(), network.ring(), network.library()]
    for number, sender in enumerate([*plugs, network.node]):
        frame = numbered(BROADCAST, mac(number), number, size=200 + number)
        sender.send(frame)
        for plug in [network.node, *plugs]:
            if plug is not sender:
                assert plug.recv() == frame, (plug, sender)
    assert not any(plug.drain() for plug in [network.node, *plugs])


def test_mixed_switch(lab):
    """A learned address gets its frames alone, across transports."""
    network = Network(lab, 'switch')
    one, two = network.ring(), network.raw()
    one.send(numbered(BROADCAST, mac(1), 1))
    assert network.node.recv() and two.recv()
    two.send(numbered(mac(1), mac(2), 2))
    fence = numbered(BROADCAST, mac(2), 3)
    two.send(fence)
    assert network.node.recv() == fence
    assert [frames.number_of(one.recv()) for _ in range(2)] == [2, 3]
    one.send(numbered(mac(2), mac(1), 4))
    one.send(numbered(BROADCAST, mac(1), 5))
    assert frames.number_of(network.node.recv()) == 5
    assert [frames.number_of(two.recv()) for _ in range(2)] == [4, 5]
    one.close()
    network.settled()
    two.send(numbered(mac(1), mac(2), 6))        # forgotten with its port
    assert frames.number_of(network.node.recv()) == 6


def test_bonding_and_multi(lab):
    """In turn to each; to all."""
    for scheme, wanted in (('bonding', [[0, 2], [1, 3]]), ('multi', [[0, 1, 2, 3]] * 2)):
        network = Network(lab, scheme)
        plugs = [network.ring(), network.raw()]
        for number in range(4):
            network.node.send(numbered(BROADCAST, mac(9), number))
        got = [[frames.number_of(frame) for frame in plug.drain()] for plug in plugs]
        assert sorted(got) == wanted
        plugs[0].send(numbered(BROADCAST, mac(1), 7))
        assert frames.number_of(network.node.recv()) == 7 and not plugs[1].drain()


def test_between_clients(lab):
    """Frames pass when the host looks, also when none of them is for it."""
    network = Network(lab, 'switch')
    one, two = network.ring(), network.ring()
    for plug, number in ((one, 1), (two, 2)):
        plug.send(numbered(BROADCAST, mac(number), 0))
    network.settled()
    for plug in (one, two):
        plug.drain()
    for number in range(500):
        one.send(numbered(mac(2), mac(1), number))
    while network.node.wait_readable(0):        # a call has a budget
        assert network.node.recv_batch() == []
    assert [frames.number_of(frame) for frame in two.drain()] == list(range(500))


# ----------------------------------------------------------------------------- datafd and batches

def test_datafd(lab):
    """Readable exactly while there is something."""
    network = Network(lab, 'hub')
    client = network.ring()
    network.settled()
    assert not network.node.wait_readable(0)
    sent = [numbered(BROADCAST, mac(1), number) for number in range(5)]
    for frame in sent:
        client.send(frame)
    for frame in sent:
        assert network.node.wait_readable(0)
        assert network.node.recv_result()[2] == frame
    assert not network.node.wait_readable(0)
    client.ring.ring()                      # for nothing
    assert network.node.wait_readable(0)
    assert network.node.recv_result()[0] == 1
    assert not network.node.wait_readable(0)


def test_batches(lab):
    """The host takes and gives many frames in one call."""
    network = Network(lab, 'hub')
    plugs = [network.ring(), network.raw()]
    network.settled()
    for number in range(30):
        plugs[number % 2].send(numbered(BROADCAST, mac(1), number))
    got = []
    while network.node.wait_readable(0):
        part = network.node.recv_batch(7)
        assert len(part) <= 7 and all(vnet == PLAIN for _, vnet in part)
        got += [frames.number_of(frame) for frame, _ in part]
    assert sorted(got) == list(range(30))
    assert network.node.recv_batch(7) == []
    for plug in plugs:
        plug.drain()
    sent = [numbered(BROADCAST, mac(9), number, size=100 + number) for number in range(50)]
    assert network.node.send_batch(*sent) == 50
    for plug in plugs:
        assert plug.drain() == sent


def test_batch_buffers(lab):
    """A frame longer than its buffer is dropped for the host, and passed on."""
    network = Network(lab, 'hub')
    one, two = network.ring(), network.ring()
    long, short = numbered(BROADCAST, mac(1), 1, size=1000), numbered(BROADCAST, mac(1), 2)
    one.send(long)
    one.send(short)
    assert network.node.recv_batch(4, 100) == [(short, PLAIN)]
    assert two.drain() == [long, short]


def test_full_client(lab):
    """A client that takes nothing loses its own frames; a batch to it alone is told."""
    network = Network(lab, 'hub')
    slow = network.ring(sizes=(1 << 16, 1 << 16))
    network.settled()
    start = time.monotonic()
    for number in range(200):
        network.node.send(numbered(BROADCAST, mac(9), number, size=1514))
    assert time.monotonic() - start < 5     # it was waited for once
    seen = [frames.number_of(frame) for frame in slow.drain()]
    assert 10 < len(seen) < 100 and seen == list(range(len(seen)))
    network.settled()
    batch = [numbered(BROADCAST, mac(9), number, size=1514) for number in range(60)]
    done = network.node.send_batch(*batch)
    assert 10 < done < 60 and network.node.send_batch(*batch[done:]) == 0
    assert not network.node.wait_readable(0)
    assert slow.drain() == batch[:done]
    assert network.node.wait_readable()     # there is room
    network.node.recv_batch()
    assert network.node.wait_readable(0)    # still, for who looks a second time
    assert network.node.send_batch(*batch[done:]) == 60 - done
    network.node.recv_batch()
    assert not network.node.wait_readable(0)
    fast = network.ring()
    assert network.node.send_batch(*batch) == 60
    assert fast.drain() == batch


# ---------------------------------------------------------------------------------- super-frames

def test_super_frames(lab):
    """As they are to those that take them, cut and complete to all others."""
    network = Network(lab, 'hub')
    sender, taker = network.ring(offered=ALL), network.ring(offered=ALL)
    ring_plain, raw = network.ring(), network.raw()
    data = os.urandom(10500)
    frame, vnet = super_frame(mac(2), mac(1), data)
    assert sender.try_send(frame, vnet)
    pieces = [network.node.recv() for _ in range(11)]
    assert [len(piece) - 54 for piece in pieces] == [1000] * 10 + [500]
    assert b''.join(map(tcp_data, pieces)) == data
    assert raw.drain() == pieces
    assert ring_plain.drain() == pieces
    got_vnet, got = taker.recv_super()
    assert got[54:] == data and got_vnet[:4] == (1, 1, 54, 1000)
    assert taker.recv_super(0) is None and sender.recv_super(0) is None
    assert not network.node.wait_readable(0)


def test_super_frames_of_the_host(lab):
    """The host takes them after vde_features(), and sends them."""
    network = Network(lab, 'hub')
    taker, raw = network.ring(offered=ALL), network.raw()
    assert network.node.features(ALL) == ALL | 1 << 32
    data = os.urandom(5000)
    frame, vnet = super_frame(mac(2), mac(1), data)
    assert taker.try_send(frame, vnet)
    (got, got_vnet), = network.node.recv_batch()
    assert got[54:] == data and got_vnet[:4] == (1, 1, 54, 1000)
    assert b''.join(map(tcp_data, raw.drain())) == data
    assert network.node.send_batch((frame, vnet), numbered(BROADCAST, mac(9), 1)) == 2
    assert taker.recv_super()[1][54:] == data and frames.number_of(taker.recv()) == 1
    assert b''.join(map(tcp_data, raw.drain()[:5])) == data
    assert network.node.features(0) == 1 << 32
    assert taker.try_send(frame, vnet)
    assert b''.join(tcp_data(network.node.recv()) for _ in range(5)) == data


def test_super_frame_in_parts(lab):
    """The host takes the pieces one by one, and the descriptor says so; the sender may be gone."""
    network = Network(lab, 'hub')
    sender = network.ring(offered=ALL)
    data = os.urandom(5000)
    assert sender.try_send(*super_frame(mac(2), mac(1), data))
    got = b''
    for _ in range(5):
        assert network.node.wait_readable(0)
        (piece, _), = network.node.recv_batch(1)
        got += tcp_data(piece)
        if sender:
            sender.close()
            sender = None
    assert got == data
    network.settled()
    assert not network.node.wait_readable(0)


def test_changed_mind(lab):
    """A notice changes what a client takes."""
    network = Network(lab, 'hub')
    sender, other = network.ring(offered=ALL), network.ring()
    frame, vnet = super_frame(mac(2), mac(1), os.urandom(3000))
    other.ring.put((1).to_bytes(8, 'little') + ALL.to_bytes(8, 'little'), ring.NOTICE)
    other.ring.publish()
    network.settled()
    sender.try_send(frame, vnet)
    network.settled()
    assert other.recv_super()[0][1] == 1 and other.recv_super(0) is None


@pytest.mark.parametrize('vnet', [
    (1, 1, 54, 10, 34, 16),             # segments too small
    (1, 3, 54, 1000, 34, 16),           # UFO
    (1, 4, 54, 1000, 34, 16),           # IPv6 in an IPv4 packet
    (1, 5, 54, 1000, 34, 16),
    (0, 77, 0, 0, 0, 0),
])
def test_nonsense_offload(lab, vnet):
    """An offload header that contradicts its frame costs that frame."""
    network = Network(lab, 'hub')
    client, other = network.ring(offered=ALL), network.ring(offered=ALL)
    frame, _ = super_frame(mac(2), mac(1), os.urandom(3000))
    client.try_send(frame, vnet)
    fence = numbered(BROADCAST, mac(1), 1)
    client.send(fence)
    assert network.node.recv() == fence
    assert other.recv() == fence


# ------------------------------------------------------------------------------- going and coming

def test_last_words(lab):
    """What a client wrote before it went is taken, and its place is free."""
    network = Network(lab, 'hub')
    client, other = network.ring(), network.raw()
    sent = [numbered(BROADCAST, mac(1), number) for number in range(400)]
    for frame in sent:
        client.send(frame)
    client.close()
    got = [network.node.recv() for _ in sent]
    assert got == sent and other.drain()[:10] == sent[:10]
    before = network.process.call(op='fds')
    network.ring().close()
    network.settled()
    assert network.process.call(op='fds') <= before


@pytest.mark.parametrize('how', ['kill', 'close'])
def test_library_client_goes(lab, how):
    """A program on a ring that ends or crashes leaves nothing."""
    network = Network(lab, 'hub')
    network.ring().close()
    network.settled()
    before = network.process.call(op='fds')
    client = network.library()
    if how == 'kill':
        client.host.proc.signal(signal.SIGKILL)
        client.host.proc.wait()
    else:
        client.close()
    wait_until(lambda: network.settled() or network.process.call(op='fds') == before, 5, 'it is gone')
    assert not network.node.wait_readable(0)
    network.works()


@pytest.mark.parametrize('how', ['close', 'kill'])
def test_node_goes(lab, how):
    """Clients see the end on their control connection, and names are gone or taken over."""
    network = Network(lab, 'hub')
    client, plug = network.ring(), network.library()
    if how == 'close':
        network.node.close()
        assert not os.path.exists(network.path)
    else:
        network.process.proc.signal(signal.SIGKILL)
        network.process.proc.wait()
        assert sorted(os.listdir(network.path)) == ['ctl', 'ring']
        Network(lab, 'hub').works()
    assert client.gone() and plug.ctl_readable(5)


def test_fork_of_the_host(lab):
    """A child of the host that does nothing does not keep a client's place."""
    network = Network(lab, 'hub')
    clients = [network.ring() for _ in range(3)]
    child = network.process.call(op='fork_idle')
    for client in clients:
        client.close()
    network.settled()
    assert not network.node.wait_readable(0)
    network.works()
    os.kill(child, signal.SIGKILL)


# ------------------------------------------------------------------------------------ hostile peers

@pytest.mark.parametrize('request_bytes', [
    b'', b'x', ring.hello()[:-1], ring.hello() + b'xxxx', b'\0' * 64, b'x' * 5000,
    ring.hello(more=ring.item(0x8fff, b'')), ring.hello(required=1 << 40, offered=1 << 40),
    ring.hello(sizes=(12345, 1 << 16)), ring.hello(more=ring.item(ring.KIND, b'\1\0')),
    ring.hello(major=2),
])
def test_wrong_hello(lab, request_bytes):
    """Refused, with a reason where one can be told; everybody else goes on."""
    network = Network(lab, 'hub')
    with pytest.raises(Refused):
        network.ring(request=request_bytes)
    network.works()


def test_refusals(lab):
    """What is refused is said."""
    network = Network(lab, 'hub')
    for how, code in (({'major': 2}, errno.EPROTONOSUPPORT), ({'sizes': (5, 5)}, errno.EINVAL),
                      ({'required': 1 << 40, 'offered': 1 << 40}, errno.EPROTONOSUPPORT)):
        with pytest.raises(Refusal) as refused:
            network.ring(**how)
        assert refused.value.errno == code and refused.value.text


@pytest.mark.parametrize('harm', ['head', 'odd', 'length', 'tail', 'back'])
def test_broken_ring(lab, harm):
    """Nonsense in the shared words or records ends that client, and nobody else."""
    network = Network(lab, 'hub')
    client, other = network.ring(), network.ring()
    network.settled()
    if harm == 'head':
        client.ring.set(0, ring.HEAD, 1 << 30)
    elif harm == 'odd':
        client.ring.set(0, ring.HEAD, 12)
    elif harm == 'length':
        client.ring.put(b'x' * 100)
        client.ring.memory[client.ring.offsets[0]:client.ring.offsets[0] + 4] = b'\xff' * 4
        client.ring.set(0, ring.HEAD, client.ring.head)
    elif harm == 'back':
        client.send(numbered(BROADCAST, mac(1), 1))
        network.settled()
        client.ring.set(0, ring.HEAD, 0)
    else:
        client.ring.set(1, ring.TAIL, 4096)
    client.ring.ring()
    wait_until(lambda: network.node.send_result(numbered(BROADCAST, mac(9), 1)) and
               (network.settled() or client.gone(0)), 5, 'it is ended')
    other.drain()
    frame = numbered(BROADCAST, mac(2), 2)
    other.send(frame)
    assert network.node.recv() == frame
    network.works()


def test_odd_records(lab):
    """Unknown types, empty, short and long records are skipped."""
    network = Network(lab, 'hub')
    client = network.ring()
    for payload, kind in ((b'', ring.FRAME), (b'x' * 16, ring.FRAME), (b'x' * 29, ring.FRAME),
                          (b'x' * 70000, ring.FRAME), (b'hello', 77), (b'', ring.NOTICE),
                          (b'x' * 16, ring.NOTICE)):
        assert client.ring.put(payload, kind)
    frame = numbered(BROADCAST, mac(1), 1)
    client.send(frame)
    assert network.node.recv() == frame


def test_doorbell_harm(lab):
    """A client that fills its doorbell, makes it blocking, or closes it, stops nobody."""
    network = Network(lab, 'hub')
    client, other = network.ring(), network.ring()
    for _ in range(100000):
        try:
            os.write(client.ring.ring_fd, b'x' * 4096)
        except BlockingIOError:
            break
    os.set_blocking(client.ring.ring_fd, True)
    os.set_blocking(client.ring.bell_fd, True)
    network.settled()
    assert not network.node.wait_readable(0)
    for number in range(10):
        network.node.send(numbered(BROADCAST, mac(9), number))
        other.expect(lambda frame, wanted=number: frames.number_of(frame) == wanted)
    null = os.open('/dev/null', os.O_RDWR)
    os.dup2(null, client.ring.ring_fd)      # nobody has its other end any more
    os.dup2(null, client.ring.bell_fd)
    os.close(null)
    network.settled()
    assert not network.node.wait_readable(0)
    for number in range(10):
        network.node.send(numbered(BROADCAST, mac(9), number))
    network.works()


def test_memory_is_sealed(lab):
    """A client cannot take the memory away."""
    network = Network(lab, 'hub')
    client = network.ring()
    for length in (0, 4096, 1 << 24):
        with pytest.raises(PermissionError):
            os.ftruncate(client.ring.memory_fd, length)
    network.works()


def test_unasked_descriptors(lab):
    """Descriptors with a HELLO are closed."""
    network = Network(lab, 'hub')
    network.works()
    network.settled()
    before = network.process.call(op='fds')
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with control:
        control.connect(os.path.join(network.path, 'ring'))
        with served(network.node):
            socket.send_fds(control, [ring.hello()], [0] * 20)
            message, fds = ring.receive_with_fds(control)
        for descriptor in fds:
            os.close(descriptor)
        assert message
    network.settled()
    assert network.process.call(op='fds') == before


def test_too_many_clients(lab):
    """Those that have joined stay; one more is refused with a reason, until one leaves."""
    network = Network(lab, 'hub')
    pid = network.process.proc.pid
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    try:
        with contextlib.ExitStack() as stack, served(network.node):
            clients = [stack.enter_context(RawRing(network.path, sizes=(1 << 16, 1 << 16)))
                       for _ in range(CLIENTS_MAX)]
            with pytest.raises(Refused):
                RawRing(network.path)
            clients.pop().close()
            wait_until(lambda: can_join(network, stack), 5, 'a place is free')
        network.settled()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def can_join(network, stack):
    """One more client, if it is let in."""
    try:
        stack.enter_context(RawRing(network.path))
    except Refused:
        return False
    return True


def test_silent_connections(lab):
    """Connections without a HELLO give way to clients."""
    network = Network(lab, 'hub')
    with contextlib.ExitStack() as stack:
        for _ in range(CLIENTS_MAX + 5):
            silent = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            with served(network.node):
                silent.connect(os.path.join(network.path, 'ring'))
        network.works()


# ------------------------------------------------------------------------------------------ memory

def test_memory_is_given_back(lab):
    """After a burst both rings' pages go back within 10 s; an idle client has next to none."""
    network = Network(lab, 'hub')
    client = network.ring()
    network.settled()
    assert memory_of(network.process) <= 65536
    frame = numbered(BROADCAST, mac(1), 1, size=9000)
    for _ in range(200):
        client.send(frame)
        network.node.send(frame)
        assert network.node.recv() and client.recv()
    assert memory_of(network.process) > 1 << 20
    with served(network.node):
        wait_until(lambda: memory_of(network.process) <= 256 * 1024, 10, 'memory is given back')
    assert not network.node.wait_readable(0)
    network.works()
