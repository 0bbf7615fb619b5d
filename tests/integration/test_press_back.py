# SPDX-License-Identifier: GPL-2.0-or-later
"""A receiver that is slower than its senders: nothing is lost if it reads at all, and nobody else suffers."""

import json
import signal
import threading

import pytest

from vslib.frames import BROADCAST, TEST_TYPE, mac, numbered, number_of
from vslib.proc import wait_until

STOP = 0x7fffffff
COUNT = 6000                # frames of 787 bytes in the middle: four times a ring


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
    """Four senders at full speed, one receiver that reads all the while: nothing is lost."""
    switch = lab.switch(ours)
    receiver = lab.lib(ours).open(switch.path)
    senders = [lab.lib(ours).open(switch.path) for _ in range(4)]
    introduce(receiver, *senders)
    threads = [threading.Thread(target=sender.ask, args=['flood'], kwargs={
        'first': index * COUNT, 'count': COUNT, 'seed': index, 'head': head(1, 2 + index)})
        for index, sender in enumerate(senders)]
    for thread in threads:
        thread.start()
    got = [[] for _ in senders]
    while sum(map(len, got)) < len(senders) * COUNT:
        number = number_of(receiver.expect())
        got[number // COUNT].append(number)
    for thread in threads:
        thread.join()
    for index, numbers in enumerate(got):
        assert numbers == list(range(index * COUNT, (index + 1) * COUNT))
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
