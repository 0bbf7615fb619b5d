# SPDX-License-Identifier: GPL-2.0-or-later
"""ptp://: two ends.

Debian's plug-in (4.0.1) speaks an older protocol, two datagram sockets PATH and PATH+; ours joins an
end of that as the second one. What is tested with raw sockets is the newer one: sequenced packets and
an acknowledgement byte.
"""

import concurrent.futures
import contextlib
import os
import signal
import socket
import threading
import time

import pytest

from vslib import frames
from vslib.frames import BROADCAST, mac, numbered
from vslib.mixed import mixed_host, served
from vslib.plugs import LibraryError
from vslib.proc import readable, wait_until
from vslib.sides import SIDES

SIZES = (14, 15, 60, 1514, 4097, 9234, 20000)
EISCONN = 106


def end(lab, lib_side=SIDES['ours'], mod_side=SIDES['ours'], **how):
    """An end in a process of its own."""
    return mixed_host(lab, lib_side, mod_side).open(f'ptp://{lab.path("p")}', **how)


def pair(lab, lib_side=SIDES['ours']):
    """Both ends, ours: the listener and the connecting one."""
    listener = end(lab, lib_side)
    with served(listener):
        return listener, end(lab)


def check(one, two, number=1):
    """Frames go both ways."""
    for sender, receiver in ((one, two), (two, one)):
        frame = numbered(BROADCAST, mac(1), number, size=100)
        sender.send(frame)
        assert receiver.recv() == frame


def raw_end(lab, timeout=5.0):
    """A sequenced-packet socket of the test's own."""
    raw = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    raw.settimeout(timeout)
    return raw


def test_sizes_both_ways(lab, lib_side):
    """All sizes, in both roles; at the end the name is gone."""
    one, two = pair(lab, lib_side)
    for number, size in enumerate(SIZES):
        frame = frames.ether(BROADCAST, mac(1), number.to_bytes(4, 'big'), size=size)
        for sender, receiver in ((one, two), (two, one)):
            sender.send(frame)
            assert receiver.recv() == frame
    assert one.ctlfd() == two.ctlfd() == -1
    two.close()
    one.close()
    assert not os.path.exists(lab.path('p'))


def test_protocol_of_the_listener(lab):
    """One byte, 0, then one frame per message; a third gets EISCONN, in the byte and as errno."""
    listener = end(lab)
    with raw_end(lab) as peer, raw_end(lab) as third:
        peer.connect(lab.path('p'))
        with served(listener):
            assert peer.recv(1) == b'\0'
        frame = numbered(BROADCAST, mac(1), 1)
        peer.send(frame)
        assert listener.recv() == frame
        listener.send(frame)
        assert peer.recv(1000) == frame
        with served(listener):
            third.connect(lab.path('p'))
            assert third.recv(100) == bytes([EISCONN])
            assert third.recv(100) == b''
            with pytest.raises(LibraryError) as refused:
                end(lab)
            assert refused.value.errno == EISCONN
        peer.send(frame)
        assert listener.recv() == frame


def test_protocol_of_the_connecting_end(lab):
    """It takes the byte: 0, also with more behind it, or why not."""
    with raw_end(lab) as listener:
        listener.bind(lab.path('p'))
        listener.listen(5)
        process = mixed_host(lab)
        for ack in (b'\0', b'\0more for others', bytes([EISCONN]), bytes([13])):
            request = {'op': 'open', 'vnl': f'ptp://{lab.path("p")}', 'descr': '', 'args': None,
                       'version': 1}
            with contextlib.ExitStack() as stack:
                stop = answer_in_background(listener, ack, stack)
                if ack[0]:
                    with pytest.raises(LibraryError) as refused:
                        process.call(**request)
                    assert refused.value.errno == ack[0]
                else:
                    process.call(op='close', conn=process.call(**request))
                stop()


def answer_in_background(listener, ack, stack):
    """Accept one connection and send the byte."""
    def work():
        connection, _ = listener.accept()
        stack.enter_context(connection)
        connection.send(ack)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return lambda: thread.join(5)


def test_listener_that_is_not_read(lab):
    """Neither side of a listener that does nothing hangs: ETIMEDOUT after 2 s."""
    end(lab)
    start = time.monotonic()
    with pytest.raises(LibraryError, match='timed out'):
        end(lab)
    assert 1.9 < time.monotonic() - start < 4


def test_listener_that_only_sends(lab):
    """vde_send accepts, too; frames before that are dropped with success."""
    listener = end(lab)
    frame = numbered(BROADCAST, mac(1), 1)
    listener.send(frame)
    with raw_end(lab) as peer:
        peer.connect(lab.path('p'))
        assert not readable(peer, 0)
        listener.send(frame)
        assert peer.recv(1) == b'\0'
        assert peer.recv(100) == frame


def test_listener_is_woken(lab):
    """The datafd is readable when somebody connects, and then no more."""
    listener = end(lab)
    assert not listener.wait_readable(0)
    with raw_end(lab) as peer:
        peer.connect(lab.path('p'))
        assert listener.wait_readable()
        assert listener.recv_result()[:2] == (1, 11)
        assert not listener.wait_readable(0)
        peer.send(numbered(BROADCAST, mac(1), 1))
        assert listener.recv_result()[0] == 60


def test_stale_socket(lab):
    """kill -9 of the listener (reference 5.3: fatal upstream): the next end takes the name."""
    first = end(lab)
    first.host.proc.signal(signal.SIGKILL)
    first.host.proc.wait()
    assert os.path.exists(lab.path('p'))
    listener = end(lab)
    with served(listener):
        check_with = end(lab)
    check(listener, check_with)


@pytest.mark.parametrize('how', ['close', 'kill'])
def test_listener_goes(lab, how):
    """The other end takes its place, and the network goes on with a new one."""
    first, second = pair(lab)
    if how == 'close':
        first.close()
    else:
        first.host.proc.signal(signal.SIGKILL)
        first.host.proc.wait()
    with served(second):
        wait_until(lambda: os.path.exists(lab.path('p')), 5, 'it listens')
        third = end(lab)
    check(second, third)


@pytest.mark.parametrize('how', ['close', 'kill'])
def test_connecting_end_goes(lab, how):
    """The listener waits for another."""
    first, second = pair(lab)
    frame = numbered(BROADCAST, mac(1), 1)
    second.send(frame)                  # what it said before is still delivered
    if how == 'close':
        second.close()
    else:
        second.host.proc.signal(signal.SIGKILL)
        second.host.proc.wait()
    assert first.recv() == frame
    with served(first):
        third = end(lab)
    check(first, third)


def test_peer_is_replaced_without_loss(lab):
    """Somebody connects before the listener saw the end of the one before."""
    listener = end(lab)
    path = lab.path('p')
    with raw_end(lab) as one, raw_end(lab) as two:
        one.connect(path)
        with served(listener):
            one.recv(1)
        sent = [numbered(BROADCAST, mac(1), number) for number in range(5)]
        for frame in sent:
            one.send(frame)
        one.close()
        two.connect(path)
        assert [listener.recv() for _ in sent] == sent
        with served(listener):
            assert two.recv(1) == b'\0'


def test_sending_notices_the_end(lab):
    """An end that only sends finds a new peer, too."""
    first, second = pair(lab)
    first.close()
    frame = numbered(BROADCAST, mac(1), 1)
    second.send(frame)                  # dropped; it listens from now on
    with raw_end(lab) as third:
        third.connect(lab.path('p'))
        second.send(frame)
        assert third.recv(1) == b'\0'
        assert third.recv(100) == frame


def test_place_lost(lab):
    """The listener went and two others were faster: the end of the network, not a busy loop."""
    first, second = pair(lab)
    first.host.proc.signal(signal.SIGKILL)
    first.host.proc.wait()
    with raw_end(lab) as listener:
        os.unlink(lab.path('p'))
        listener.bind(lab.path('p'))
        listener.listen(5)
        assert second.wait_readable()
        assert second.recv_result()[0] == 1
        connection, _ = listener.accept()
        with connection:
            connection.send(bytes([EISCONN]))
            assert second.wait_readable()
            result, error, _ = second.recv_result()
            assert (result, error) == (0, EISCONN)
            assert second.recv_result()[0] == 0


def test_hostile_peer(lab):
    """Empty, short and long messages are no frames, and do not end the connection."""
    listener = end(lab)
    with raw_end(lab) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        peer.connect(lab.path('p'))
        with served(listener):
            peer.recv(1)
        for message in (b'', b'x', b'x' * 13, b'x' * 100000):
            peer.send(message)
        frame = numbered(BROADCAST, mac(1), 1)
        peer.send(frame)
        assert listener.recv() == frame
        peer.send(numbered(BROADCAST, mac(1), 1, size=2000))
        assert listener.wait_readable()
        assert listener.recv_result(1000)[:2] == (1, 11)        # too long for the caller
        for size in (0, 1, 13):
            assert listener.send_result(b'x' * size) == size
        listener.send(frame)
        assert peer.recv(100) == frame


def test_peer_that_does_not_read(lab):
    """vde_send waits for it once, then drops."""
    one, two = pair(lab)
    start = time.monotonic()
    for number in range(1000):
        one.send(numbered(BROADCAST, mac(1), number, size=1514))
    assert time.monotonic() - start < 10
    seen = [frames.number_of(frame) for frame in two.drain()]
    assert 10 < len(seen) < 1000 and seen == list(range(len(seen)))
    check(one, two, 5000)


@pytest.mark.parametrize('args,mode', [(None, 0o700), ({'mode': 0o660}, 0o660),
                                       ({'mode': 0}, 0o700)])
def test_mode(lab, args, mode):
    """The caller's mode is the socket's."""
    end(lab, args=args)
    assert os.stat(lab.path('p')).st_mode & 0o7777 == mode


def test_wrong_paths(lab):
    """A file in the way, no directory, no path."""
    process = mixed_host(lab)
    lab.write('file', 'text')
    for vnl, error in ((f'ptp://{lab.path("file")}', 'Socket operation on non-socket'),
                       (f'ptp://{lab.path("none", "p")}', 'No such file'), ('ptp://', 'No such file'),
                       (f'ptp://{lab.path("x" * 120)}', 'too long')):
        with pytest.raises(LibraryError, match=error):
            process.open(vnl)
    assert os.path.exists(lab.path('file'))


def test_both_start_at_once(lab):
    """Ends that start together: one listens, one connects."""
    for turn in range(5):
        path = lab.path(f'race{turn}')
        hosts = [mixed_host(lab) for _ in range(2)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            opened = [pool.submit(opener.open, f'ptp://{path}') for opener in hosts]
            done, _ = concurrent.futures.wait(opened, return_when='FIRST_COMPLETED')
            with served(done.pop().result()):
                one, two = [future.result() for future in opened]
        check(one, two)


# ------------------------------------------------------------------------- the older protocol

def test_debian_and_debian(lab, debian):
    """What Debian's plug-in does: PATH and PATH+ are datagram sockets."""
    one, two = end(lab, debian, debian), end(lab, debian, debian)
    assert os.path.exists(lab.path('p+'))
    check(one, two)
    with pytest.raises(LibraryError, match='not permitted'):
        end(lab, debian, debian)


def test_joins_debians_end(lab, debian, lib_side):
    """Ours as the second end of Debian's, with either library; a third is refused."""
    one = end(lab, debian, debian)
    two = end(lab, lib_side)
    for number, size in enumerate((14, 60, 1514, 9234)):
        frame = frames.ether(BROADCAST, mac(1), number.to_bytes(4, 'big'), size=size)
        two.send(frame)
        assert one.recv() == frame
        one.send(frame)
        assert two.recv() == frame
    with pytest.raises(LibraryError, match='already connected'):
        end(lab)
    one.close()
    for number in range(3):
        two.send(numbered(BROADCAST, mac(1), number))       # dropped
    one = end(lab, debian, debian)                          # it comes back
    two.send(numbered(BROADCAST, mac(1), 7))
    assert frames.number_of(one.recv()) == 7
    check(one, two)
    two.close()
    assert not os.path.exists(lab.path('p+'))


def test_stale_second_name(lab, debian):
    """The second end's name, left by a crash, is taken over."""
    one = end(lab, debian, debian)
    two = end(lab)
    two.host.proc.signal(signal.SIGKILL)
    two.host.proc.wait()
    one.close()
    one = end(lab, debian, debian)
    check(one, end(lab))
