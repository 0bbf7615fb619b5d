# SPDX-License-Identifier: GPL-2.0-or-later
"""Two plugs that talk all the time, to show that nobody disturbs them."""

import threading
import time

from .frames import BROADCAST, mac, number_of, numbered
from .proc import wait_until


class PacedPair:
    """Sends numbered frames to and fro in a thread of its own, each when the last one arrived.

    The plugs are its own for that time. In a `with` block; at its end every frame has to have
    arrived, in order, none later than `patience` seconds. rounds: how many went both ways.
    """

    def __init__(self, one, two, *, first=0xa0, size=200, tags=b'', patience=3.0, pause=0.001):
        self.plugs = one, two
        self.macs = mac(first), mac(first + 1)
        self.size, self.tags = size, tags
        self.patience, self.pause = patience, pause
        self.rounds = 0
        self.slowest = 0.0
        self.error = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _one_way(self, sender, receiver, number):
        """One frame from plug to plug."""
        frame = numbered(self.macs[receiver], self.macs[sender], number, self.size, self.tags)
        start = time.monotonic()
        self.plugs[sender].send(frame)
        while True:
            left = self.patience - (time.monotonic() - start)
            got = self.plugs[receiver].recv(max(left, 0))
            assert got is not None, f'frame {number} did not come within {self.patience} s'
            if got == frame:
                break
            assert got[6:12] != self.macs[sender] or not number_of(got), (
                f'frame {number_of(got)} instead of {number}, {len(got)} bytes')
        self.slowest = max(self.slowest, time.monotonic() - start)

    def _run(self):
        try:
            while not self.stop.is_set():
                self._one_way(0, 1, 2 * self.rounds + 1)
                self._one_way(1, 0, 2 * self.rounds + 2)
                self.rounds += 1
                self.stop.wait(self.pause)
        except (AssertionError, OSError) as failed:
            self.error = failed

    def __enter__(self):
        for sender, plug in enumerate(self.plugs):      # both addresses become known: number 0
            plug.send(numbered(BROADCAST, self.macs[sender], 0, self.size, self.tags))
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.wait_rounds(10)
        finally:
            self.stop.set()
            self.thread.join()

    def wait_rounds(self, count, timeout=10.0):
        """Return after that many more rounds; an error if a frame was lost."""
        wanted = self.rounds + count
        wait_until(lambda: self.error or self.rounds >= wanted, timeout,
                   lambda: f'round {wanted}, there were {self.rounds}')
        if self.error:
            raise AssertionError(f'after {self.rounds} rounds: {self.error}') from self.error


__all__ = ['PacedPair']
