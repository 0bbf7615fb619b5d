# SPDX-License-Identifier: GPL-2.0-or-later
"""Many at once: namespaces on one switch, plugs that come and go, ports by the hundred."""

import os
import resource
import threading

import pytest

from vslib import frames
from vslib.frames import BROADCAST, mac, numbered
from vslib.netns import ping_command
from vslib.pace import PacedPair
from vslib.proc import wait_until

SPACES = 32


@pytest.mark.slow
def test_32_namespaces(lab, switch_side, plug_side):
    """Each of 32 vdens pings every other one (992 pings); Debian's switch loses some, and is asked again."""
    switch = lab.switch(switch_side, '-n', 64)
    spaces = [lab.namespace(plug_side, switch.path, name=f'vdens{n}') for n in range(SPACES)]
    for number, space in enumerate(spaces):
        space.up(f'10.32.0.{number + 1}/24')
    wait_until(lambda: len(switch.endpoints()) == SPACES, 10, 'all on the switch')
    waiting = []
    for number, space in enumerate(spaces):
        others = ' '.join(str(other + 1) for other in range(SPACES) if other != number)
        ping = f"{ping_command('10.32.0.$peer')} >/dev/null"
        pings = ' || '.join([ping] * (1 if switch_side.ours else 8))
        waiting.append(space.start(
            f'for peer in {others}; do {pings} || echo "no answer of $peer"; done'))
    for space, count in zip(spaces, waiting):
        status, output = space.result(count, timeout=60)
        assert status == 0 and not output.strip(), f'{space.proc.name}: {output}'
    assert len(switch.macs()) == SPACES


def test_1000_plugs_come_and_go(lab, switch_side):
    """1,000 plugs connect, talk and leave, ten at a time, while two others lose nothing."""
    switch = lab.switch(switch_side, '-n', 300)
    switch.sync()
    one, two = lab.raw(switch, port=200), lab.raw(switch, port=201)
    with PacedPair(one, two, first=0xffff00) as pair:
        pair.wait_rounds(3)
        before = switch.fds()
        for start in range(0, 1000, 10):
            plugs = [lab.raw(switch) for _ in range(10)]
            plugs[0].send(numbered(BROADCAST, mac(start), start))
            for plug in plugs:
                plug.close()
        if switch_side.ours:                # Debian's forgets some of them (observed)
            wait_until(lambda: switch.fds() == before, 10, lambda: f'{before}: {switch.fds()}')
    if switch_side.ours:
        assert len(switch.endpoints()) == 2
        assert len([name for name in os.listdir(switch.path) if name[0].isdigit()]) == 2


def test_1000_ports_at_once(lab, ours):
    """1,000 plugs stay: a broadcast reaches each, unicast only one."""
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 5000:
        pytest.skip(f'only {hard} descriptors')
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 10000), hard))
    try:
        switch = lab.switch(ours, '-n', 1100)
        plugs = [lab.raw(switch) for _ in range(1000)]
        assert len(switch.endpoints()) == 1000
        frame = numbered(BROADCAST, mac(0), 1, size=1000)
        plugs[0].send(frame)
        for plug in plugs[1:]:
            assert plug.recv() == frame
        for number in (1, 500, 999):
            plugs[number].send(numbered(mac(0), mac(number), number))
            assert frames.number_of(plugs[0].recv()) == number
        plugs[0].send(numbered(mac(999), mac(0), 2))
        assert frames.number_of(plugs[999].recv()) == 2
        switch.sync()
        assert not any(plug.drain() for plug in plugs)
        for plug in plugs:
            plug.close()
        wait_until(lambda: not switch.endpoints(), 10, 'all gone')
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_eight_talk_at_once(lab, ours):
    """Four pairs at full speed in threads of their own: each gets all of its frames."""
    switch = lab.switch(ours)
    pairs = [(lab.raw(switch), lab.raw(switch)) for _ in range(4)]
    count = 3000
    errors = []

    def talk(number, sender, receiver):
        try:
            src, dst = mac(10 + number), mac(20 + number)
            receiver.send(numbered(src, dst, 0))
            sender.expect(lambda frame: frame[6:12] == dst)
            for sent in range(count):
                sender.send(numbered(dst, src, sent, size=600))
                got = receiver.expect(lambda frame: frame[6:12] == src)
                assert frames.number_of(got) == sent
        except AssertionError as failed:
            errors.append(f'pair {number}: {failed}')
    threads = [threading.Thread(target=talk, args=(number, *pair))
               for number, pair in enumerate(pairs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
