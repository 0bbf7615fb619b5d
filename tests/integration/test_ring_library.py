# SPDX-License-Identifier: GPL-2.0-or-later
"""libvdeplug on rings: when it uses them, that the old calls behave as on sockets, and batches."""

import errno
import os
import signal
import socket
import struct
import threading
import time

import pytest

from vslib.frames import BROADCAST, ether, ipv4, mac, numbered, number_of
from vslib.plugs import LibraryError
from vslib.proc import wait_until

CSUM, TSO4, TSO6, USO, RING = 1, 2, 4, 8, 1 << 32
STOP = 0x7fffffff
PLAIN = (0,) * 6            # the offload header of a complete frame
HEAD = (BROADCAST + mac(1) + b'\x88\xb5').hex()
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason='needs root: other users')


@pytest.fixture
def host(lab, ours):
    """Our library."""
    return lab.lib(ours)


@pytest.fixture
def switch(lab, ours):
    """Our switch: it has rings."""
    return lab.switch(ours)


@pytest.fixture
def pair(host, switch):
    """Two connections with rings, in one process."""
    return host.open(switch.path), host.open(switch.path)


class Background:
    """A call in a thread; result() is what it gave."""

    def __init__(self, call):
        self.got = []
        self.thread = threading.Thread(target=lambda: self.got.append(call()), daemon=True)
        self.thread.start()

    def result(self, timeout=20):
        """Wait for it."""
        self.thread.join(timeout)
        assert self.got, 'the call did not end'
        return self.got[0]


def has_ring(plug):
    """Whether the connection goes through rings."""
    return bool(plug.features(0) & RING)


# --- when -----------------------------------------------------------------------------------------

def test_parameter(host, switch):
    """Rings unless they are turned off."""
    assert has_ring(host.open(switch.path))
    assert has_ring(host.open(f'{switch.path}[ring=yes]'))
    assert not has_ring(host.open(f'{switch.path}[ring=no]'))


def test_debian(lab, host, debian):
    """A switch without rings is no problem, unless they are insisted on."""
    switch = lab.switch(debian)
    assert not has_ring(host.open(switch.path))
    with pytest.raises(LibraryError) as caught:
        host.open(f'{switch.path}[ring=yes]')
    assert caught.value.errno == errno.EOPNOTSUPP
    assert 'without ring=yes' in host.strerror()


def test_same_network(host, switch):
    """A plug with rings, and one with datagrams."""
    one, two = host.open(switch.path), host.open(f'{switch.path}[ring=no]')
    one.send(numbered(BROADCAST, mac(1), 1, size=1514))
    assert two.expect() == numbered(BROADCAST, mac(1), 1, size=1514)
    two.send(numbered(mac(1), mac(2), 2))
    assert number_of(one.expect()) == 2


class Impostor:
    """A socket in place of the switch's `ring`. Each connection is given to `serve`."""

    def __init__(self, switch, kind=socket.SOCK_SEQPACKET, serve=None, listen=True):
        path = os.path.join(switch.path, 'ring')
        os.unlink(path)
        self.socket = socket.socket(socket.AF_UNIX, kind)
        self.socket.bind(path)
        self.asked = 0
        if listen and kind != socket.SOCK_DGRAM:
            self.socket.listen(8)
        self.thread = threading.Thread(target=self.run, args=[serve], daemon=True)
        if serve:
            self.thread.start()

    def run(self, serve):
        """Until the socket is shut down."""
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            self.asked += 1
            with peer:
                serve(peer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.thread.is_alive():
            self.socket.shutdown(socket.SHUT_RDWR)
            self.thread.join()
        self.socket.close()


def message(kind, error=0, major=1, items=b''):
    """A message of the ring protocol (wire/vde_ring.h)."""
    return struct.pack('=IIHHIQQ', 0x52454456, 32 + len(items), major, kind, error, 0, 0) + items


def text_item(text):
    """The sentence of a refusal."""
    data = text.encode()
    return struct.pack('=HH', 12, len(data)) + data.ljust((len(data) + 3) & ~3, b'\0')


def answer(reply):
    """Serve: read the request, send this."""
    def serve(peer):
        peer.recv(4096)
        peer.send(reply)
    return serve


def test_no_rings_there(host, switch):
    """No socket, one that nobody serves, another kind, another version: the old protocol."""
    path = os.path.join(switch.path, 'ring')
    with Impostor(switch, listen=False):
        assert not has_ring(host.open(switch.path))
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with Impostor(switch, kind):
            assert not has_ring(host.open(switch.path))
    with Impostor(switch, serve=answer(message(2, major=2))) as other:
        assert not has_ring(host.open(switch.path))
        assert other.asked == 1
    with Impostor(switch, serve=answer(message(3, errno.EPROTONOSUPPORT))):
        assert not has_ring(host.open(switch.path))
    os.unlink(path)
    assert not has_ring(host.open(switch.path))
    with open(path, 'w', encoding='ascii'):
        pass
    assert not has_ring(host.open(switch.path))
    assert len(switch.endpoints()) == 7


@pytest.mark.parametrize('code', [errno.EPERM, errno.EACCES, errno.EADDRINUSE, errno.ENOSPC,
                                  errno.ENOENT, errno.ECONNREFUSED])
def test_refused(host, switch, code):
    """What a switch with rings refuses is not tried in another way; its words are passed on."""
    with Impostor(switch, serve=answer(message(3, code, items=text_item('not you')))):
        with pytest.raises(LibraryError) as caught:
            host.open(switch.path)
    assert 'not you' in host.strerror()
    assert caught.value.errno == (code if code not in (errno.ENOENT, errno.ECONNREFUSED)
                                  else errno.EREMOTEIO)
    assert switch.endpoints() == []


@pytest.mark.parametrize('reply', [b'', b'x' * 40, message(2), message(1), message(9)])
def test_nonsense(host, switch, reply):
    """What is no answer is an error."""
    with Impostor(switch, serve=answer(reply)):
        with pytest.raises(LibraryError):
            host.open(switch.path)
    assert host.strerror()
    assert switch.endpoints() == []


def test_silence(host, switch):
    """Two seconds, and then an error: a switch that hangs would hang in the old protocol, too."""
    done = threading.Event()
    with Impostor(switch, serve=lambda peer: done.wait(10)):
        begin = time.monotonic()
        with pytest.raises(LibraryError) as caught:
            host.open(switch.path)
        assert 1.5 < time.monotonic() - begin < 6
        done.set()
    assert caught.value.errno == errno.ETIMEDOUT
    assert 'does not answer' in host.strerror()


@needs_root
def test_access_denied(lab, ours):
    """A switch for others is not entered by the back door."""
    switch = lab.switch(ours, '-m', '0600')
    os.chmod(lab.dir, 0o755)
    os.chmod(switch.path, 0o755)
    os.chmod(os.path.join(switch.path, 'ctl'), 0o666)
    done = lab.run(['setpriv', '--reuid', '65534', '--clear-groups', ours.program('vde_plug'),
                    switch.path])
    if 'failed to execute' in done.err:
        pytest.skip('another user cannot reach the build')
    assert done.status == 1
    assert 'no permission to use the switch' in done.err
    assert switch.endpoints() == []


# --- the old calls --------------------------------------------------------------------------------

def test_blocking(lab, ours, switch):
    """A receive waits for a frame."""
    plug, other = lab.lib(ours).open(switch.path), lab.lib(ours).open(switch.path)
    call = Background(plug.recv_result)
    for number in range(1, 4):
        switch.sync()
        assert not call.got
        other.send(numbered(BROADCAST, mac(1), number))
        assert number_of(call.result()[2]) == number
        call = Background(plug.recv_result)
    switch.kill()
    assert call.result()[0] == 0
    switch.start()


def test_nonblocking(pair, switch):
    """O_NONBLOCK: EAGAIN, once per call and as often as asked."""
    one, two = pair
    two.ask('nonblock', on=True)
    assert two.recv_result()[:2] == (-1, errno.EAGAIN)
    one.send(numbered(BROADCAST, mac(1), 7))
    assert two.wait_readable()
    assert number_of(two.recv_result()[2]) == 7
    assert not two.wait_readable(0)
    assert two.recv_result()[:2] == (-1, errno.EAGAIN)
    two.ask('nonblock', on=False)
    assert two.recv_frame(0) is None


def test_datafd_is_for_life(pair):
    """One number, another than that of the control descriptor."""
    one, two = pair
    numbers = {(plug.datafd(), plug.ctlfd()) for plug in (one, two, one, two)}
    assert len(numbers) == 2
    assert len({number for two_numbers in numbers for number in two_numbers}) == 4
    assert not one.ctl_readable()


@pytest.mark.parametrize('descr', ['itest-lib', 'QEMU'])
def test_once_per_readiness(lab, ours, switch, descr):
    """As QEMU does it: poll, one receive, which always gives a frame, and nothing is forgotten."""
    sender = lab.lib(ours).open(switch.path, descr='sender')
    receiver = lab.lib(ours).open(switch.path, descr=descr)
    port = switch.wait_endpoint(descr)
    call = Background(lambda: receiver.ask('once_per_readiness', last=STOP, timeout=20))
    for seed in range(20):
        sender.ask('flood', first=seed * 500, count=500, seed=seed, head=HEAD)
    assert switch.port(port).packets_out > 5000
    # Again and again, since a receiver that is slow loses frames.
    wait_until(lambda: [sender.send(numbered(BROADCAST, mac(1), STOP)), call.got][1], 20)
    numbers, others = call.result()
    assert others == []
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == STOP
    assert len(numbers) > 1000


def test_threads(lab, ours, switch):
    """Several threads receive from one connection: each frame comes once."""
    sender, receiver = lab.lib(ours).open(switch.path), lab.lib(ours).open(switch.path)
    call = Background(lambda: receiver.ask('threads', threads=4, stop=STOP))
    switch.sync()
    sender.ask('flood', first=0, count=2000, seed=1, head=HEAD)
    for _ in range(4):
        sender.send(numbered(BROADCAST, mac(1), STOP))
    numbers, failed = call.result()
    assert failed == []
    assert sorted(numbers) == list(range(2000))


def test_fork(lab, ours, switch):
    """A child and its parent use one connection; the port lives as long as one of them does."""
    sender, forked = lab.lib(ours).open(switch.path), lab.lib(ours).open(switch.path)
    call = Background(lambda: forked.ask('fork', stop=STOP, first=5000, count=300, head=HEAD))
    switch.sync()
    sender.ask('flood', first=0, count=1000, seed=1, head=HEAD)
    for _ in range(2):
        sender.send(numbered(BROADCAST, mac(1), STOP))
    parent, child, status = call.result()
    assert status == 0
    assert sorted(parent + child) == list(range(1000))
    got = sorted(number_of(sender.expect()) for _ in range(600))
    assert got == list(range(5000, 5600))
    assert len(switch.endpoints()) == 2
    forked.send(numbered(BROADCAST, mac(1), 9))
    assert number_of(sender.expect()) == 9


def test_killed_switch(pair, switch):
    """What is there comes out; then 0 and EPIPE, and the control descriptor tells."""
    one, two = pair
    one.send(numbered(BROADCAST, mac(1), 7))
    assert two.wait_readable()
    switch.kill()
    assert two.ctl_readable(5)
    assert number_of(two.recv_result()[2]) == 7
    assert not two.wait_readable(0)         # as a datagram socket: programs watch nothing else
    assert two.recv_result()[0] == 0
    for call in (two.recv_batch, two.rx_get):
        with pytest.raises(LibraryError) as caught:
            call()
        assert caught.value.errno == errno.EPIPE
    with pytest.raises(LibraryError) as caught:
        two.send_result(numbered(BROADCAST, mac(1), 1))
    assert caught.value.errno == errno.EPIPE
    with pytest.raises(LibraryError) as caught:
        two.send_batch(numbered(BROADCAST, mac(1), 1))
    assert caught.value.errno == errno.EPIPE
    assert two.close() == 0
    switch.start()


def test_stopped_switch(pair, switch):
    """A full ring: one wait of 50 ms, then drops; batches are short, and the descriptor tells."""
    one, two = pair
    frames = [numbered(BROADCAST, mac(1), number, size=1514) for number in range(64)]
    switch.proc.signal(signal.SIGSTOP)
    try:
        assert wait_until(lambda: one.send_batch(*frames) < 64)
        assert one.send_batch(*frames) == 0
        begin = time.monotonic()
        for frame in frames:
            one.send(frame)
        assert time.monotonic() - begin < 2     # a wait for each would take 3.2 s
        one.ask('nonblock', on=True)
        with pytest.raises(LibraryError) as caught:
            one.send_result(frames[0])
        assert caught.value.errno == errno.EAGAIN
        assert not one.wait_readable(0)
    finally:
        switch.proc.signal(signal.SIGCONT)
    assert one.wait_readable()                  # there is room
    assert one.send_batch(*frames) == 64
    two.drain()
    one.recv_result()                           # takes the signal off
    assert not one.wait_readable(0)


def test_descriptors(host, switch):
    """A connection leaves nothing behind."""
    before = host.call(op='fds')
    for _ in range(3):
        plugs = [host.open(switch.path) for _ in range(3)]
        for plug in plugs:
            plug.send(numbered(BROADCAST, mac(1), 7))
            plug.rx_get()
            assert plug.close() == 0
    assert host.call(op='fds') == before
    wait_until(lambda: switch.endpoints() == [])


# --- batches --------------------------------------------------------------------------------------

@pytest.fixture(params=['ring', 'datagram', 'udp'])
def any_pair(request, host, switch):
    """Two connections of each kind: with operations of its own, and what the library does instead."""
    if request.param != 'udp':
        vnl = switch.path + ('' if request.param == 'ring' else '[ring=no]')
        return host.open(vnl), host.open(vnl)
    probes = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for probe in probes:
        probe.bind(('127.0.0.1', 0))
    here, there = (probe.getsockname()[1] for probe in probes)
    for probe in probes:
        probe.close()
    return (host.open(f'udp://127.0.0.1:{here}->127.0.0.1:{there}'),
            host.open(f'udp://127.0.0.1:{there}->127.0.0.1:{here}'))


def collect(receive, count):
    """That many frames from calls that do not wait."""
    got = []
    wait_until(lambda: [got.extend(receive()), len(got) >= count][1])
    return got


def test_batch_round_trip(any_pair):
    """Copying and lending, both ways, frames of any size in order."""
    one, two = any_pair
    frames = [numbered(BROADCAST, mac(1), number, size=60 + 100 * number) for number in range(40)]
    sent = 0
    got = []

    def step(send):
        nonlocal sent
        if sent < len(frames):
            sent += send(*frames[sent:sent + 7])
        return two.recv_batch(5) if send == one.send_batch else lend()

    def lend():
        lent = two.rx_get(5)
        two.rx_put(len(lent))
        return lent

    for send in (one.send_batch, one.transmit):
        sent, got = 0, []
        wait_until(lambda: [got.extend(step(send)), one.recv_batch(), len(got) >= len(frames)][2])
        assert got == [(frame, PLAIN) for frame in frames]
    assert two.recv_batch() == []
    assert two.rx_get() == []


def test_small_buffers(any_pair):
    """A frame that is larger than its buffer is dropped, not cut."""
    one, two = any_pair
    for size in (1000, 100, 101, 60):
        assert one.send_batch(numbered(BROADCAST, mac(1), size, size=size)) == 1
    got = []
    wait_until(lambda: [got.extend(two.recv_batch(1, 100)), one.recv_batch(), len(got) >= 2][2])
    assert [number_of(frame) for frame, _ in got] == [100, 60]


def test_features(any_pair):
    """All hold everywhere, since the library does what the network cannot."""
    one, _two = any_pair
    ring = one.features(0)
    assert ring in (0, RING)
    assert one.features(CSUM | TSO4 | TSO6 | USO) == CSUM | TSO4 | TSO6 | USO | ring
    assert one.features(TSO4) == ring
    assert one.features(1 << 60 | CSUM) == CSUM | ring


def super_frame(payload=30000, segment=1448):
    """(frame, vnet) of a TCP super-frame whose checksum is left to be made."""
    tcp = struct.pack('>HHIIBBHHH', 1000, 80, 5, 6, 5 << 4, 0x18, 500, 0, 0)
    data = bytes(index * 7 & 0xff for index in range(payload))
    frame = ether(mac(2), mac(1), ipv4('10.0.0.1', '10.0.0.2', 6, tcp + data), 0x800)
    return frame, (1, 1, 54, segment, 34, 16)


def check_pieces(pieces, payload=30000, segment=1448):
    """Frames for the wire that carry the stream."""
    data = b''
    for piece, vnet in pieces:
        assert vnet == PLAIN
        assert len(piece) <= 54 + segment
        assert struct.unpack('>I', piece[38:42])[0] == 5 + len(data)
        total = sum(struct.unpack(f'>{(len(piece) - 26) // 2}H',
                                  piece[26:len(piece) - (len(piece) & 1)]))
        total += (piece[-1] << 8 if len(piece) & 1 else 0) + 6 + len(piece) - 34
        while total >> 16:
            total = (total & 0xffff) + (total >> 16)
        assert total == 0xffff      # the pseudo header's sum, and that of the segment
        data += piece[54:]
    assert data == super_frame(payload)[0][54:]


def test_super_frame(any_pair):
    """Sent on any network; who did not ask for them receives frames for the wire."""
    one, two = any_pair
    one.features(CSUM | TSO4)
    frame, vnet = super_frame()
    for send in (one.send_batch, lambda *f: one.transmit(*f, size=40000)):
        got = []
        assert send((frame, vnet)) == 1
        wait_until(lambda: [got.extend(two.recv_batch()), one.recv_batch(), len(got) >= 21][2])
        check_pieces(got)


def test_super_frame_whole(pair):
    """From ring to ring it stays whole for those who asked, until they change their mind."""
    one, two = pair
    one.features(CSUM | TSO4)
    two.features(CSUM | TSO4)
    frame, vnet = super_frame()
    for receive in (two.recv_batch, two.rx_get):
        assert one.send_batch((frame, vnet)) == 1
        [(data, told)] = collect(receive, 1)
        assert told == vnet
        assert data[54:] == frame[54:] and len(data) == len(frame)
    two.rx_put(1)
    assert one.send_batch((frame, vnet)) == 1
    assert two.wait_readable()
    two.features(0)
    check_pieces(collect(two.recv_batch, 21))
    assert not two.wait_readable(0)


# --- busy polling ---------------------------------------------------------------------------------

def test_busy_poll(host, switch):
    """A locator's parameter, and a call; it changes nothing but the time that things take."""
    one, two = host.open(f'{switch.path}[busy_poll=50]'), host.open(switch.path)
    assert two.ask('busy_poll', usec=100) == 0
    for number in range(200):
        one.send(numbered(BROADCAST, mac(1), number))
        assert number_of(two.expect()) == number
        two.send(numbered(BROADCAST, mac(2), number))
        assert number_of(one.expect()) == number
    assert one.recv_frame(0) is None
    assert host.open(f'{switch.path}[ring=no]').ask('busy_poll', usec=100) == 0
    for wrong in ('x', '-1', '1000001'):
        with pytest.raises(LibraryError) as caught:
            host.open(f'{switch.path}[busy_poll={wrong}]')
        assert caught.value.errno == errno.EINVAL
        assert 'microseconds' in host.strerror()
