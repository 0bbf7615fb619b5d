# SPDX-License-Identifier: GPL-2.0-or-later
"""The example of docs/ring-protocol.md: compiled with nothing of ours, and run against the switch."""

import pathlib
import shutil

import pytest

from vslib.frames import BROADCAST, ether, mac, numbered
from vslib.proc import wait_until

SOURCE = pathlib.Path(__file__).resolve().parents[2] / 'docs' / 'examples' / 'ring_client.c'
HELLO = bytes.fromhex('ffffffffffff 020000000001 88b5') + b'hi' + bytes(44)


class Example:
    """A running ring_client, its output in a file."""

    def __init__(self, lab, program, directory, count):
        self.path = lab.path(f'frames{len(lab.procs)}')
        with open(self.path, 'wb') as output:
            self.proc = lab.spawn([program, directory, str(count)], stdout=output)

    def frames(self):
        """What it printed so far."""
        lines = pathlib.Path(self.path).read_text().splitlines(keepends=True)
        printed = [line.split(':') for line in lines if line.endswith('\n')]
        for size, data in printed:
            assert int(size) == len(bytes.fromhex(data))
        return [bytes.fromhex(data) for _, data in printed]


@pytest.fixture
def program(lab):
    """The example, compiled."""
    compiler = shutil.which('gcc') or shutil.which('cc')
    if not compiler:
        pytest.skip('missing: gcc')
    path = lab.path('ring_client')
    done = lab.run([compiler, '-std=gnu17', '-O2', '-Wall', '-Wextra', '-Werror', '-o', path, SOURCE])
    assert done.status == 0, done
    return path


@pytest.fixture
def start(lab, program):
    """Function that runs the example on a switch for a number of frames."""
    def run(switch, count):
        example = Example(lab, program, switch.path, count)
        switch.wait_endpoint('ring_client')
        return example
    return run


def test_it_is_self_contained():
    """Headers of the C library and of the kernel only, and short."""
    text = SOURCE.read_text()
    assert '#include "' not in text
    assert len([line for line in text.splitlines() if line.strip()]) < 150


def test_frames_both_ways(lab, ours, start):
    """Its broadcast comes to an old plug, whose frames it prints."""
    switch = lab.switch(ours)
    plug = lab.raw(switch)
    example = start(switch, 3)
    plug.expect(HELLO)
    sent = [plug.send(ether(BROADCAST, mac(1), b'x', size=size)) for size in (60, 61, 1514)]
    assert example.proc.wait() == 0
    assert example.frames() == sent
    switch.wait_no_endpoint('ring_client')


def test_two_examples(lab, ours, start):
    """The second one's frame goes from ring to ring."""
    switch = lab.switch(ours)
    plug = lab.raw(switch)
    first = start(switch, 1)
    plug.expect(HELLO)
    second = start(switch, 1)
    assert first.proc.wait() == 0
    assert first.frames() == [HELLO]
    plug.send(numbered(BROADCAST, mac(1), 7))
    assert second.proc.wait() == 0
    assert second.frames() == [numbered(BROADCAST, mac(1), 7)]


def test_round_the_ring(lab, ours, start):
    """More bytes than the ring has, with sleeps between: padding, free room, wake-ups."""
    switch = lab.switch(ours)
    plug = lab.raw(switch)
    rounds, burst, size = 12, 100, 1000
    assert rounds * burst * size > 1 << 20
    example = start(switch, rounds * burst)
    plug.expect(HELLO)
    sent = []
    for number in range(rounds):
        sent += [plug.send(numbered(BROADCAST, mac(1), number * burst + i, size=size))
                 for i in range(burst)]
        if number + 1 < rounds:
            wait_until(lambda: len(example.frames()) >= len(sent), what='printed frames')
    assert example.proc.wait() == 0
    assert example.frames() == sent


def test_switch_ends(lab, ours, start):
    """The end of the switch ends it, and is told, whichever descriptor shows it first."""
    switch = lab.switch(ours)
    plug = lab.raw(switch)
    example = start(switch, 1)
    plug.expect(HELLO)
    switch.stop()
    assert example.proc.wait() == 1
    assert example.proc.output().startswith(('poll(wait', 'read(fds[2]'))


def test_no_rings(lab, debian, program):
    """Debian's switch has none."""
    switch = lab.switch(debian)
    done = lab.run([program, switch.path, '1'])
    assert done.status == 1
    assert 'connect' in done.err and 'No such file' in done.err
