# SPDX-License-Identifier: GPL-2.0-or-later
"""hub://, switch://, multi:// and bonding:// with clients that come by rings."""

import contextlib
import errno
import os
import socket
import stat
import time

import pytest

from vslib import frames, ring
from vslib.frames import BROADCAST, mac, numbered
from vslib.mixed import mixed_host, served
from vslib.plugs import LibraryError, Refused, settle
from vslib.proc import readable, wait_until
from vslib.sides import SIDES

NODES = ('hub', 'switch', 'multi', 'bonding')
SIZES = (14, 15, 59, 60, 1514, 4097, 9234)
CLIENTS_MAX = 256


class Network:
    """A node of ours in a process of its own, and clients of both kinds."""

    def __init__(self, lab, scheme, options=''):
        self.lab = lab
        self.path = lab.path(scheme)
        self.process = mixed_host(lab)
        self.node = self.process.open(f'{scheme}://{self.path}{options}')

    def ring(self, **how):
        """A client by rings."""
        with served(self.node):
            return self.lab.raw_ring(self.path, **how)

    def raw(self, **how):
        """A client by datagrams."""
        with served(self.node):
            return self.lab.raw(self.path, **how)

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


@pytest.mark.parametrize('scheme', NODES)
def test_sizes_both_ways(lab, scheme):
    """Frames between host and client."""
    network = Network(lab, scheme)
    client = network.ring()
    for number, size in enumerate(SIZES):
        frame = frames.ether(BROADCAST, mac(1), number.to_bytes(4, 'big'), size=size)
        client.send(frame)
        assert network.node.recv() == frame
        frame = frames.ether(BROADCAST, mac(2), number.to_bytes(4, 'big'), size=size)
        network.node.send(frame)
        assert client.recv() == frame
    assert network.node.close() == 0
    assert not os.path.exists(network.path)
