# SPDX-License-Identifier: GPL-2.0-or-later
"""The conversation of a takeover, played by a test: as the successor, or as the running switch."""

import os
import socket
import struct

from . import proc

RING_MAGIC = 0x52454456
RING_HEADER = struct.Struct('=IIHHIQQ')
REFUSAL, TAKEOVER = 3, 4
RING_TEXT, RING_VERSION = 12, 64
MAGIC = 0x54454456
HEADER = struct.Struct('=IIHHI')
VERSION = 1
HELLO, SCRIPT, ENDPOINT, DONE, COMMIT, FAILED = 1, 2, 5, 14, 64, 65
TEXT = 3


def ring_message(kind, *items, error=0):
    """A message of the ring protocol; items are (type, bytes)."""
    body = b''.join(struct.pack('=HH', item, len(value)) + value + bytes(-len(value) % 4)
                    for item, value in items)
    return RING_HEADER.pack(RING_MAGIC, RING_HEADER.size + len(body), 1, kind, error, 0, 0) + body


def request(version=VERSION):
    """What a successor sends, twice."""
    return ring_message(TAKEOVER, (RING_VERSION, struct.pack('=I', version)))


def refusal(text):
    """What a switch answers that will not be taken over."""
    return ring_message(REFUSAL, (RING_TEXT, text.encode()), error=1)


def message(kind, *items, version=VERSION, fds=0):
    """A message of the takeover; items are (type, bytes)."""
    body = b''.join(struct.pack('=HHI', item, 0, len(value)) + value + bytes(-len(value) % 8)
                    for item, value in items)
    return HEADER.pack(MAGIC, HEADER.size + len(body), version, kind, fds) + body


class Successor:
    """Takes over as far as the test wants."""

    def __init__(self, switch, timeout=20.0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(timeout)
        self.socket.connect(os.path.join(switch.path, 'ring'))
        self.fds = 0

    def ask(self, version=VERSION):
        """Send the request; returns the whole answer."""
        self.socket.send(request(version))
        return self.socket.recv(1 << 17)

    def go(self):
        """The second request: from here on the switch waits."""
        self.socket.send(request())

    def receive(self):
        """The next message's kind; its descriptors are closed. None: at the end."""
        data, fds, _, _ = socket.recv_fds(self.socket, 1 << 17, 16)
        self.fds += len(fds)
        for number in fds:
            os.close(number)
        return HEADER.unpack_from(data)[3] if data else None

    def receive_until(self, kind):
        """Receive messages up to and with one of that kind."""
        while True:
            got = self.receive()
            assert got is not None, f'the switch hung up before message {kind}'
            if got == kind:
                return

    def send(self, kind, *items):
        """Send a message."""
        self.socket.send(message(kind, *items))

    def ended(self, timeout=10.0):
        """Wait until the switch has hung up."""
        self.socket.settimeout(timeout * proc.PATIENCE)
        while self.receive() is not None:
            pass

    def close(self):
        """Hang up."""
        self.socket.close()


__all__ = ['Successor', 'message', 'refusal', 'ring_message', 'request']
