# SPDX-License-Identifier: GPL-2.0-or-later
"""A receiver that is slower than its senders: what waits for it, who does, and that nobody else has to."""

import json
import signal
import threading

import pytest

from vslib.frames import BROADCAST, TEST_TYPE, mac, numbered, number_of
from vslib.ring import CSUM, TSO4, RawRing, super_frame
from vslib.proc import wait_until

STOP = 0x7fffffff
COUNT = 6000                # frames of 787 bytes in the middle: four times a ring
SHARE = 3000                # of each of four senders: not more than ring and queue together


@pytest.fixture
def host(lab, ours):
    """Our library."""
    return lab.lib(ours)


def head(dst, src):
    """What stands before the number, for `flood`."""
    return (mac(dst) + mac(src) + TEST_TYPE.to_bytes(2, 'big')).hex()


def introduce(*plugs):
    """The switch knows plug N by the address N, from 1 on; nothing is left to receive."""
    for number, plug in enumerate(plugs, 1):
        plug.send(numbered(BROADCAST, mac(number), number))
    for number, plug in enumerate(plugs, 1):
        for _ in range(len(plugs) - 1):
            assert number_of(plug.expect()) != number


def drops(switch, port):
    """Frames for a port that the switch has dropped."""
    entry = json.loads(''.join(switch.ok(f'json port/counters {port}')))[0]
    return sum(entry['counters']['drops'].values())


def received(plug, last=STOP):
    """The numbers that come until the last one, in this order."""
    numbers, others = plug.ask('once_per_readiness', last=last, timeout=20)
    assert others == [] and numbers[-1] == last
    return numbers[:-1]


@pytest.mark.parametrize('suffix', ['', '[ring=no]'], ids=['ring', 'datagram'])
def test_late_receiver(lab, ours, host, suffix):
    """It reads when all was sent: everything comes, in order, and the counters say so."""
    switch = lab.switch(ours)
    one, two = host.open(switch.path), host.open(switch.path + suffix)
    introduce(one, two)
    one.ask('flood', first=0, count=COUNT, seed=1, head=head(2, 1))
    one.send(numbered(mac(2), mac(1), STOP))
    assert received(two) == list(range(COUNT))
    assert drops(switch, 2) == 0
    assert switch.port(2).packets_out == COUNT + 2


def test_many_senders(lab, ours):
    """Four senders at full speed, one receiver that reads all the while: all comes, each in its order."""
    switch = lab.switch(ours)
    receiver = lab.lib(ours).open(switch.path)
    senders = [lab.lib(ours).open(switch.path) for _ in range(4)]
    introduce(receiver, *senders)
    threads = [threading.Thread(target=sender.ask, args=['flood'], kwargs={
        'first': index * SHARE, 'count': SHARE, 'seed': index, 'head': head(1, 2 + index)})
        for index, sender in enumerate(senders)]
    for thread in threads:
        thread.start()
    got = [[] for _ in senders]
    while sum(map(len, got)) < len(senders) * SHARE:
        number = number_of(receiver.expect())
        got[number // SHARE].append(number)
    for thread in threads:
        thread.join()
    for index, numbers in enumerate(got):
        assert numbers == list(range(index * SHARE, (index + 1) * SHARE))
    assert drops(switch, 1) == 0


def test_stuck_receiver(lab, ours, host):
    """It never reads: its frames are dropped and counted, and what its sender sends to others comes."""
    switch = lab.switch(ours, '--queue-size', 1 << 20)
    one, stuck = host.open(switch.path), host.open(switch.path)
    good = lab.lib(ours).open(switch.path)          # a process of its own, that reads meanwhile
    introduce(one, stuck, good)
    result = []
    reader = threading.Thread(target=lambda: result.extend(received(good)))
    reader.start()
    one.ask('flood_two', count=COUNT, heads=[head(2, 1), head(3, 1)])
    one.send(numbered(mac(3), mac(1), STOP))
    reader.join()
    assert result == list(range(COUNT))
    lost = drops(switch, 2)
    assert 0 < lost < COUNT
    got = [number_of(frame) for frame in stuck.drain()]
    assert got == list(range(COUNT - lost))
    assert drops(switch, 3) == 0


def test_sender_that_leaves(lab, ours, host):
    """What it had written before it closed goes out, however much it was."""
    switch = lab.switch(ours)
    one, two = host.open(switch.path), host.open(switch.path)
    introduce(one, two)
    batch = [numbered(mac(2), mac(1), number) for number in range(500)]
    sent = 0
    switch.proc.signal(signal.SIGSTOP)
    done = len(batch)
    while done == len(batch):
        done = one.send_batch(*batch)
        sent += done
    one.close()
    switch.proc.signal(signal.SIGCONT)
    assert sent > 5000
    got = []
    wait_until(lambda: [got.extend(two.recv_batch(500)), len(got) >= sent][1], 20)
    assert [number_of(frame) for frame, _ in got] == [number % 500 for number in range(sent)]
    wait_until(lambda: len(switch.endpoints()) == 1)


@pytest.fixture
def rings(lab, ours):
    """A switch, and rings that end with the test."""
    switch, made = lab.switch(ours), []

    def ring(**options):
        made.append(RawRing(switch.path, **options))
        return made[-1]
    yield switch, ring
    for one in made:
        one.close()


def test_longer_than_a_small_ring_takes(rings):
    """A frame that never fits is dropped and counted; a super-frame comes in pieces; the switch goes on."""
    switch, ring = rings
    small, tiny, big = (ring(sizes=(1 << 17, 1 << 17), offered=CSUM | TSO4),
                        ring(sizes=(1 << 16, 1 << 16)), ring(offered=CSUM | TSO4))
    small.send_frame(numbered(BROADCAST, mac(1), 1))
    tiny.send_frame(numbered(BROADCAST, mac(3), 3))
    assert sorted(number_of(big.recv_frame(5)) for _ in range(2)) == [1, 3]
    big.send_frame((mac(3) + mac(2) + TEST_TYPE.to_bytes(2, 'big')).ljust(40000, b'x'))
    big.send_frame(numbered(mac(3), mac(2), 7))
    assert [number_of(tiny.recv_frame(5)) for _ in range(2)] == [1, 7]
    assert drops(switch, 2) == 1
    frame, vnet = super_frame(mac(1), mac(2), b'x' * 65495, gso_size=1400)
    assert big.try_send(frame, vnet)
    big.send_frame(numbered(mac(1), mac(2), 8))
    assert number_of(small.recv_frame(5)) == 3
    pieces = [small.recv_frame(5) for _ in range((65495 + 1399) // 1400)]
    assert {len(piece) for piece in pieces[:-1]} == {1454}
    assert number_of(small.recv_frame(5)) == 8
    assert drops(switch, 1) == 0


def test_an_address_moves_within_a_batch(rings):
    """Frames like one before go where that one went, unless something between them says otherwise."""
    switch, ring = rings
    switch.ok('hash/setminper 0')
    one, two = ring(), ring()
    two.send_frame(numbered(BROADCAST, mac(2), 1))
    assert number_of(one.recv_frame(5)) == 1

    def moved():            # not within the second in which it was learned
        frames = [numbered(mac(2), mac(1), 10), numbered(BROADCAST, mac(2), 11),
                  numbered(mac(2), mac(1), 12)]
        for frame in frames:
            assert one.ring.put(bytes(16) + frame)
        one.ring.publish()
        one.send_frame(numbered(BROADCAST, mac(1), 13))
        got = []
        while 13 not in got:
            got.append(number_of(two.recv_frame(5)))
        return got == [10, 11, 13]
    two.send_frame(numbered(BROADCAST, mac(2), 1))
    wait_until(moved, 5, 'the address on the sender')


def test_takeover(lab, ours, host):
    """What waits for a ring is handed over with it."""
    switch = lab.switch(ours)
    one, two = host.open(switch.path), host.open(switch.path)
    introduce(one, two)
    one.ask('flood', first=0, count=COUNT, seed=1, head=head(2, 1))
    one.send(numbered(mac(2), mac(1), STOP))
    wait_until(lambda: switch.port(2).packets_out == COUNT + 2)
    switch.take_over()
    assert received(two) == list(range(COUNT))
    assert drops(switch, 2) == 0
