# SPDX-License-Identifier: GPL-2.0-or-later
"""ptp:// through rings: how the ends come to them, and what happens when one goes."""

import os
import signal
import socket
import threading
import time

import pytest

from vslib import frames, ring
from vslib.frames import BROADCAST, mac, numbered
from vslib.mixed import mixed_host, served
from vslib.plugs import LibraryError
from vslib.proc import readable, wait_until
from vslib.ring import RawRing, RingMemory, Refusal, super_frame, tcp_data
from vslib.sides import SIDES

SIZES = (14, 15, 60, 1514, 4097, 9234)
ALL = ring.CSUM | ring.TSO4 | ring.TSO6 | ring.USO
RING = 1 << 32
OFFER = b'\0\0\0\0VDER'
PLAIN = (0,) * 6


def end(lab, options='', mod_side=SIDES['ours']):
    """An end in a process of its own."""
    return mixed_host(lab, SIDES['ours'], mod_side).open(f'ptp://{lab.path("p")}{options}')


def pair(lab, options=('', '')):
    """Both ends, the listener and the connecting one; rings, if any, are in use."""
    one = end(lab, options[0])
    with served(one):
        two = end(lab, options[1])
    wait_until(lambda: [plug.drain() for plug in (one, two)] and not one.wait_readable(0) and
               not two.wait_readable(0), 5, 'both have agreed')
    return one, two


def raw_connect(lab):
    """A connecting end of the test's own, which has seen the listener's message."""
    raw = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    raw.settimeout(5)
    raw.connect(lab.path('p'))
    return raw


def raw_ring(lab, listener, **how):
    """A connecting end that has asked for rings, and uses them."""
    control = raw_connect(lab)
    with served(listener):
        assert control.recv(100) == OFFER
        peer = lab.keep(RawRing(control=control, **how))
        control.send(b'\0')
        assert control.recv(100) == b'\0'
    return peer


def check(one, two, number=1):
    """Frames go both ways."""
    for sender, receiver in ((one, two), (two, one)):
        frame = numbered(BROADCAST, mac(1), number, size=100)
        sender.send(frame)
        assert receiver.recv() == frame


def kill(plug):
    """kill -9 of the process that has it."""
    plug.host.proc.signal(signal.SIGKILL)
    plug.host.proc.wait()


# -------------------------------------------------------------------------------- coming together

def test_sizes_both_ways(lab):
    """All sizes, in both roles, through rings."""
    one, two = pair(lab)
    assert one.features(0) == two.features(0) == RING
    for number, size in enumerate(SIZES):
        frame = frames.ether(BROADCAST, mac(1), number.to_bytes(4, 'big'), size=size)
        for sender, receiver in ((one, two), (two, one)):
            sender.send(frame)
            assert receiver.recv() == frame
    two.close()
    one.close()
    assert not os.path.exists(lab.path('p'))


@pytest.mark.parametrize('options', [('[ring=no]', ''), ('', '[ring=no]'), ('[ring=no]',) * 2])
def test_turned_off(lab, options):
    """Either end may say no."""
    one, two = pair(lab, options)
    assert one.features(0) == two.features(0) == 0
    check(one, two)
    with pytest.raises(LibraryError):
        one.host.open(f'ptp://{lab.path("q")}[ring=perhaps]')


def test_old_connecting_end(lab):
    """Who reads one byte and then sends frames is served as before, and one that only hears, too."""
    one = end(lab)
    with raw_connect(lab) as old:
        with served(one):
            assert old.recv(1) == b'\0'
        for number in range(3):
            frame = numbered(BROADCAST, mac(1), number)
            one.send(frame)
            assert old.recv(1000) == frame
            old.send(frame)
            assert one.recv() == frame
        assert not readable(old, 0)
        assert one.features(0) == 0


def test_old_listener(lab):
    """A listener whose message is one byte is never asked."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.settimeout(5)
        listener.bind(lab.path('p'))
        listener.listen(1)
        accepted = []

        def work():
            accepted.append(listener.accept()[0])
            accepted[0].send(b'\0')

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        two = end(lab)
        thread.join(5)
        with accepted[0] as old:
            frame = numbered(BROADCAST, mac(1), 1)
            two.send(frame)
            assert old.recv(1000) == frame
            old.send(frame)
            assert two.recv() == frame


def test_order_over_the_change(lab):
    """Frames sent as messages, while both agree, come before those in the ring."""
    one = end(lab)
    control = raw_connect(lab)
    with served(one):
        assert control.recv(100) == OFFER
    control.send(ring.hello())
    for number in range(5):
        control.send(numbered(BROADCAST, mac(1), number))
    assert one.wait_readable()
    assert [frames.number_of(one.recv()) for _ in range(5)] == list(range(5))
    message, fds = ring.receive_with_fds(control)
    memory = RingMemory(message, fds)
    memory.put(bytes(16) + numbered(BROADCAST, mac(1), 6))
    memory.publish()
    memory.ring()
    assert one.recv(0.2) is None            # not before the byte
    control.send(numbered(BROADCAST, mac(1), 5))
    control.send(b'\0')
    assert [frames.number_of(one.recv()) for _ in range(2)] == [5, 6]
    assert control.recv(100) == b'\0'
    frame = numbered(BROADCAST, mac(1), 7)
    one.send(frame)
    assert memory.take()[1] == frame and not readable(control, 0)
    control.send(numbered(BROADCAST, mac(1), 8))    # the socket tells the end only
    memory.put(bytes(16) + numbered(BROADCAST, mac(1), 9))
    memory.publish()
    assert frames.number_of(one.recv()) == 9
    memory.close()
    control.close()


def test_listener_that_only_sends(lab):
    """It comes to rings without ever receiving."""
    one = end(lab)
    frame = numbered(BROADCAST, mac(1), 1)
    with raw_connect(lab) as control:
        one.send(frame)
        assert control.recv(100) == OFFER and control.recv(100) == frame
        control.send(ring.hello())
        one.send(frame)
        message, fds = ring.receive_with_fds(control)
        memory = RingMemory(message, fds)
        assert control.recv(100) == frame
        control.send(b'\0')
        one.send(frame)
        assert control.recv(100) == b'\0'
        assert memory.take()[1] == frame
        memory.close()


def test_connecting_end_that_only_sends(lab):
    """The same of the other end, whose listener answers late."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.settimeout(5)
        listener.bind(lab.path('p'))
        listener.listen(1)
        accepted = []

        def work():
            accepted.append(listener.accept()[0])
            accepted[0].send(OFFER)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        two = end(lab)
        thread.join(5)
        with accepted[0] as peer:
            peer.settimeout(5)
            asked = peer.recv(4096)
            assert ring.HEADER.unpack_from(asked)[3] == ring.HELLO
            frame = numbered(BROADCAST, mac(1), 1)
            two.send(frame)
            assert peer.recv(1000) == frame
            refusal = ring.HEADER.pack(ring.MAGIC, ring.HEADER.size, ring.MAJOR, ring.REFUSAL, 12,
                                       0, 0)
            peer.send(refusal)
            two.send(frame)
            got = [peer.recv(1000) for _ in range(2)]
            assert frame in got                 # and a byte that nobody needs
            two.send(frame)
            assert peer.recv(1000) == frame
            peer.send(frame)
            assert two.recv() == frame


@pytest.mark.parametrize('how', [{'major': 2}, {'sizes': (5, 5)},
                                 {'required': 1 << 40, 'offered': 1 << 40}])
def test_refused_hello(lab, how):
    """Refused with a sentence; frames go on as messages."""
    one = end(lab)
    with raw_connect(lab) as control:
        with served(one):
            assert control.recv(100) == OFFER
            with pytest.raises(Refusal):
                RawRing(control=control.dup(), **how)
        frame = numbered(BROADCAST, mac(1), 1)
        control.send(frame)
        assert one.recv() == frame
        one.send(frame)
        assert control.recv(1000) == frame


def test_second_thoughts(lab):
    """An end that cannot use what it was given says so by its byte."""
    one = end(lab)
    with raw_connect(lab) as control:
        with served(one):
            assert control.recv(100) == OFFER
            peer = RawRing(control=control.dup())
            control.send(b'\x0c')
        peer.ring.close()
        frame = numbered(BROADCAST, mac(1), 1)
        one.send(frame)
        assert control.recv(1000) == frame
        control.send(frame)
        assert one.recv() == frame
        assert one.features(0) == 0


# --------------------------------------------------------------------------- datafd and batches

def test_datafd(lab):
    """Readable exactly while there is something, at either end."""
    for receiver, sender in (lambda pair: (pair, pair[::-1]))(pair(lab)):
        assert not receiver.wait_readable(0)
        sent = [numbered(BROADCAST, mac(1), number) for number in range(5)]
        for frame in sent:
            sender.send(frame)
        for frame in sent:
            assert receiver.wait_readable(0)
            assert receiver.recv_result()[2] == frame
        assert not receiver.wait_readable(0)


@pytest.mark.parametrize('options', ['', '[ring=no]'])
def test_batches(lab, options):
    """Many frames in one call, until it is full; then the descriptor tells when there is room."""
    for receiver, sender in (lambda pair: (pair, pair[::-1]))(pair(lab, (options, options))):
        batch = [numbered(BROADCAST, mac(1), number, size=1500) for number in range(1000)]
        done = sender.send_batch(*batch)
        assert 10 < done < 1000
        assert sender.send_batch(*batch[done:]) == 0
        got = []
        while receiver.wait_readable(0):
            got += [frame for frame, _ in receiver.recv_batch(50)]
        assert got == batch[:done]
        assert sender.wait_readable()
        sender.recv_batch()
        more = sender.send_batch(*batch[:100])
        assert more == 100 or (options and more > 0)
        assert [frame for frame, _ in receiver.recv_batch(1000)] == batch[:more]
        sender.drain()
        receiver.drain()


def test_slow_peer(lab):
    """vde_send waits for it once, then drops; afterwards all is well."""
    one, two = pair(lab)
    start = time.monotonic()
    for number in range(1500):
        one.send(numbered(BROADCAST, mac(1), number, size=1514))
    assert time.monotonic() - start < 10
    seen = [frames.number_of(frame) for frame in two.drain()]
    assert 100 < len(seen) < 1500 and seen == list(range(len(seen)))
    check(one, two, 5000)


def test_third(lab):
    """A third is refused while frames flow through the ring."""
    one, two = pair(lab)
    with served(one), pytest.raises(LibraryError, match='already'):
        end(lab)
    check(one, two)


# --------------------------------------------------------------------------------- super-frames

def test_super_frames(lab):
    """Cut for a program that did not ask for them, and as they are for one that did."""
    one, two = pair(lab)
    data = os.urandom(5500)
    frame, vnet = super_frame(mac(2), mac(1), data)
    for receiver, sender in ((one, two), (two, one)):
        assert sender.features(ALL) == ALL | RING
        assert sender.send_batch((frame, vnet), numbered(BROADCAST, mac(1), 1)) == 2
        assert b''.join(tcp_data(receiver.recv()) for _ in range(6)) == data
        assert frames.number_of(receiver.recv()) == 1
        assert not receiver.wait_readable(0)
        receiver.features(ALL)
        assert sender.send_batch((frame, vnet)) == 1
        (got, got_vnet), = receiver.recv_batch()
        assert got[54:] == data and got_vnet[:4] == (1, 1, 54, 1000)
        sender.features(0)
        receiver.features(0)


def test_super_frames_as_messages(lab):
    """Without rings they are cut by the sender."""
    one, two = pair(lab, ('[ring=no]', ''))
    data = os.urandom(5500)
    frame, vnet = super_frame(mac(2), mac(1), data)
    one.features(ALL)
    assert one.send_batch((frame, vnet), (frame[:30], vnet)) == 2
    assert b''.join(tcp_data(two.recv()) for _ in range(6)) == data
    assert not two.drain()


# ------------------------------------------------------------------------------- going and coming

@pytest.mark.parametrize('how', ['close', 'kill'])
@pytest.mark.parametrize('who', [0, 1])
def test_end_goes(lab, how, who):
    """What it said is heard; the other end takes its place, or waits; the next one comes to rings."""
    ends = pair(lab)
    gone, stays = ends[who], ends[1 - who]
    before = stays.host.call(op='fds')
    sent = [numbered(BROADCAST, mac(1), number) for number in range(50)]
    for frame in sent:
        gone.send(frame)
    if how == 'close':
        gone.close()
    else:
        kill(gone)
    assert [stays.recv() for _ in sent] == sent
    with served(stays):
        wait_until(lambda: os.path.exists(lab.path('p')), 5, 'it listens')
        third = end(lab)
    check(stays, third)
    assert stays.features(0) == third.features(0) == RING
    third.close()
    stays.drain()
    assert stays.host.call(op='fds') <= before + 1      # a listener


@pytest.mark.parametrize('how', ['close', 'kill'])
def test_sending_notices_the_end(lab, how):
    """An end that only sends, to a ring that nobody reads, finds a new peer."""
    one, two = pair(lab)
    if how == 'close':
        one.close()
    else:
        kill(one)
    frame = numbered(BROADCAST, mac(1), 1)
    for _ in range(600):
        two.send(frame)
    with raw_connect(lab) as third:
        two.send(frame)
        assert third.recv(100) == OFFER
        assert third.recv(100) == frame


def test_end_in_the_middle(lab):
    """An end that goes at each step of the agreement leaves the other in order."""
    one = end(lab)
    for steps in range(4):
        control = raw_connect(lab)
        with served(one):
            assert control.recv(100) == OFFER
            if steps:
                control.send(ring.hello())
            if steps > 1:
                _, fds = ring.receive_with_fds(control)
                for descriptor in fds:
                    os.close(descriptor)
            if steps > 2:
                control.send(b'\0')
                assert control.recv(100) == b'\0'
        control.close()
    peer = raw_ring(lab, one)
    check(one, peer)
    two_fds = one.host.call(op='fds')
    peer.close()
    check(one, raw_ring(lab, one))
    assert one.host.call(op='fds') == two_fds


def test_replaced_without_loss(lab):
    """Somebody connects before the listener saw the end of the one before."""
    one = end(lab)
    first = raw_ring(lab, one)
    sent = [numbered(BROADCAST, mac(1), number) for number in range(300)]
    for frame in sent:
        first.send(frame)
    first.close()
    with raw_connect(lab) as second:
        assert [one.recv() for _ in sent] == sent
        with served(one):
            assert second.recv(100) == OFFER


# --------------------------------------------------------------------------------- hostile peers

@pytest.mark.parametrize('harm', ['head', 'length', 'tail'])
def test_broken_ring(lab, harm):
    """A peer that writes nonsense is gone; there is place for another."""
    one = end(lab)
    peer = raw_ring(lab, one)
    if harm == 'head':
        peer.ring.set(0, ring.HEAD, 1 << 30)
    elif harm == 'length':
        peer.ring.put(b'x' * 100)
        peer.ring.memory[peer.ring.offsets[0]:peer.ring.offsets[0] + 4] = b'\xff' * 4
        peer.ring.set(0, ring.HEAD, peer.ring.head)
    else:
        peer.ring.set(1, ring.TAIL, 4096)
    peer.ring.ring()
    wait_until(lambda: one.send_result(numbered(BROADCAST, mac(9), 1)) and
               (one.recv(0) or peer.gone(0)), 5, 'it is ended')
    check(one, raw_ring(lab, one))


def test_hostile_doorbell(lab):
    """Rings without a word, before and after the agreement, do not keep the program awake."""
    one = end(lab)
    control = raw_connect(lab)
    with served(one):
        assert control.recv(100) == OFFER
        peer = lab.keep(RawRing(control=control))
    peer.ring.ring()
    one.drain()
    assert not one.wait_readable(0)
    with served(one):
        control.send(b'\0')
        assert control.recv(100) == b'\0'
    for _ in range(3):
        peer.ring.ring()
        one.drain()
        assert not one.wait_readable(0)
    check(one, peer)


@pytest.mark.parametrize('answer', ['fds', 'short', 'unsealed'])
def test_hostile_listener(lab, answer):
    """A WELCOME that does not hold is not used; frames go as messages."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.settimeout(5)
        listener.bind(lab.path('p'))
        listener.listen(1)
        accepted = []
        items = (ring.item(ring.SIZES, b'\0\0\1\0' * 2) +
                 ring.item(ring.OFFSETS, (4096).to_bytes(8, 'little') +
                           (4096 + 65536).to_bytes(8, 'little')))
        welcome = ring.HEADER.pack(ring.MAGIC, ring.HEADER.size + len(items), ring.MAJOR,
                                   ring.WELCOME, 0, 0, 0) + items
        memory = os.memfd_create('test', os.MFD_ALLOW_SEALING)
        os.ftruncate(memory, 4096 + 2 * 65536)
        pipes = os.pipe()
        fds = {'fds': [], 'short': [memory], 'unsealed': [memory, pipes[1], pipes[0]]}[answer]

        def work():
            accepted.append(listener.accept()[0])
            accepted[0].send(OFFER)
            accepted[0].recv(4096)
            socket.send_fds(accepted[0], [welcome], fds)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        two = end(lab)
        thread.join(5)
        for descriptor in (memory, *pipes):
            os.close(descriptor)
        with accepted[0] as peer:
            peer.settimeout(5)
            assert peer.recv(100) not in (b'', b'\0')       # the byte says why
            frame = numbered(BROADCAST, mac(1), 1)
            two.send(frame)
            assert peer.recv(1000) == frame
            peer.send(frame)
            assert two.recv() == frame
            assert two.features(0) == 0
