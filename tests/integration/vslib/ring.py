# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of the ring protocol in pure Python: shared memory, doorbells, byte by byte.

It plays by the rules, unless a test writes to `words` and `memory` itself.
"""

import array
import contextlib
import errno
import mmap
import os
import socket
import struct
import time

from . import frames
from .plugs import Plug, Refused
from .proc import readable

MAGIC = 0x52454456
MAJOR = 1
HELLO, WELCOME, REFUSAL = 1, 2, 3
PORT, DESCRIPTION, MAX_FRAME, SIZES, OFFSETS, KIND, TEXT = 1, 5, 6, 7, 8, 10, 12
HEADER = struct.Struct('=IIHHIQQ')
PAD, FRAME, NOTICE = 0, 1, 2
FRAME_HEADER = 16
VNET = struct.Struct('=BBHHHH')
CSUM, TSO4, TSO6, USO = 1, 2, 4, 8
# Offsets of the words in one direction's struct ring_shared.
HEAD, BUSY, TAIL, PUNCHING, SLEEPS, WAITS = 0, 4, 128, 132, 256, 260


def item(kind, value):
    """One item of a message."""
    return struct.pack('=HH', kind, len(value)) + value + b'\0' * (-len(value) % 4)


def hello(*, offered=0, required=0, descr='itest-ring', sizes=None, max_frame=0, major=MAJOR, more=b''):
    """A request."""
    items = item(DESCRIPTION, descr.encode()) + more
    if sizes:
        items += item(SIZES, struct.pack('=II', *sizes))
    if max_frame:
        items += item(MAX_FRAME, struct.pack('=I', max_frame))
    return HEADER.pack(MAGIC, HEADER.size + len(items), major, HELLO, 0, required, offered) + items


def items_of(message):
    """{type: value} of a message."""
    found, at = {}, HEADER.size
    while at + 4 <= len(message):
        kind, length = struct.unpack_from('=HH', message, at)
        if not kind:
            break
        found[kind] = message[at + 4:at + 4 + length]
        at += 4 + length + -length % 4
    return found


def receive_with_fds(sock):
    """One message and its descriptors."""
    data, ancillary, _, _ = sock.recvmsg(4096, socket.CMSG_SPACE(16 * 4), socket.MSG_CMSG_CLOEXEC)
    fds = array.array('i')
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(content[:len(content) - len(content) % fds.itemsize])
    return data, list(fds)


class Refusal(Refused):
    """The server answered with an errno value and a sentence."""

    def __init__(self, code, text):
        super().__init__(f'{errno.errorcode.get(code, code)}: {text}')
        self.errno, self.text = code, text


class RingMemory:
    """The client's side of the memory that came with a WELCOME."""

    def __init__(self, message, fds):
        header = HEADER.unpack_from(message)
        items = items_of(message)
        self.features, self.offered = header[5], header[6]
        self.port = struct.unpack('=I', items.get(PORT, b'\0' * 4))[0]
        self.sizes = struct.unpack('=II', items[SIZES])
        self.offsets = struct.unpack('=QQ', items[OFFSETS])
        self.memory_fd, self.ring_fd, self.bell_fd = fds
        os.set_blocking(self.ring_fd, False)
        os.set_blocking(self.bell_fd, False)
        self.memory = mmap.mmap(self.memory_fd, 0)
        self.words = memoryview(self.memory)[:4096].cast('I')
        self.head, self.tail = 0, 0

    def get(self, direction, word):
        """A shared word; direction 0 is to the server."""
        return self.words[(direction * 1024 + word) // 4]

    def set(self, direction, word, value):
        """Set a shared word."""
        self.words[(direction * 1024 + word) // 4] = value & 0xffffffff

    def ring(self):
        """Ring the server."""
        try:
            os.write(self.ring_fd, b'\0')
        except (BlockingIOError, BrokenPipeError):
            pass

    def hear(self):
        """Take the signals."""
        try:
            os.read(self.bell_fd, 4096)
        except BlockingIOError:
            pass

    def _record(self, payload, kind):
        at = self.offsets[0] + (self.head & (self.sizes[0] - 1))
        self.memory[at:at + 8] = struct.pack('=IHH', len(payload), kind, 0)
        self.memory[at + 8:at + 8 + len(payload)] = payload
        self.head = (self.head + 8 + len(payload) + -len(payload) % 8) & 0xffffffff

    def put(self, payload, kind=FRAME):
        """Write a record without publishing it; False: no room."""
        need = 8 + len(payload) + -len(payload) % 8
        to_end = self.sizes[0] - (self.head & (self.sizes[0] - 1))
        pad = to_end if need > to_end else 0
        used = (self.head - self.get(0, TAIL)) & 0xffffffff
        if need + pad > self.sizes[0] - used:
            return False
        if pad:
            self._record(b'\0' * (pad - 8), PAD)
        self._record(payload, kind)
        return True

    def publish(self):
        """Show what was put."""
        self.set(0, HEAD, self.head)
        if self.get(0, SLEEPS):
            self.set(0, SLEEPS, 0)
            self.ring()

    def take(self):
        """The next record of type FRAME as (offload header, frame), or None."""
        while self.tail != self.get(1, HEAD):
            at = self.offsets[1] + (self.tail & (self.sizes[1] - 1))
            length, kind, _ = struct.unpack_from('=IHH', self.memory, at)
            payload = self.memory[at + 8:at + 8 + length]
            self.tail = (self.tail + 8 + length + -length % 8) & 0xffffffff
            self.set(1, TAIL, self.tail)
            if self.get(1, WAITS):
                self.set(1, WAITS, 0)
                self.ring()
            if kind == FRAME:
                return VNET.unpack_from(payload), payload[FRAME_HEADER:]
        return None

    def close(self):
        """Give everything back."""
        self.words.release()
        self.memory.close()
        for descriptor in (self.memory_fd, self.ring_fd, self.bell_fd):
            os.close(descriptor)


class RawRing(Plug):
    """A ring client of a switch, a node, or over a connected socket."""

    def __init__(self, directory=None, *, request=None, control=None, timeout=5.0, **how):
        self.ring = None
        self.control = control
        if control is None:
            self.control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.control.settimeout(timeout)
            self.control.connect(os.path.join(str(directory), 'ring'))
        try:
            with contextlib.suppress(BrokenPipeError):  # refused already: it is there to be read
                self.control.send(hello(**how) if request is None else request)
            self.ring = self._welcome()
        except BaseException:
            self.close()
            raise

    def _welcome(self):
        try:
            message, fds = receive_with_fds(self.control)
        except ConnectionResetError:
            message, fds = b'', []
        if not message:
            raise Refused('closed instead of an answer')
        header = HEADER.unpack_from(message)
        assert header[0] == MAGIC and header[1] == len(message), message
        if header[3] == REFUSAL:
            assert not fds
            raise Refusal(header[4], items_of(message).get(TEXT, b'').decode())
        assert header[3] == WELCOME and len(fds) == 3
        return RingMemory(message, fds)

    def __repr__(self):
        return f'RawRing({self.ring.port if self.ring else None})'

    def try_send(self, frame, vnet=(0,) * 6):
        """Send; False when the ring is full."""
        if not self.ring.put(VNET.pack(*vnet).ljust(FRAME_HEADER, b'\0') + frame):
            return False
        self.ring.publish()
        return True

    def send_frame(self, frame):
        deadline = time.monotonic() + 5
        while not self.try_send(frame):
            assert time.monotonic() < deadline, 'the ring stays full'
            time.sleep(0.001)

    def recv_super(self, timeout=5.0):
        """The next frame with its offload header, or None."""
        deadline = time.monotonic() + timeout
        while True:
            self.ring.hear()
            self.ring.set(1, SLEEPS, 1)
            if (got := self.ring.take()) is not None:
                return got
            left = deadline - time.monotonic()
            if left <= 0 or not readable(self.ring.bell_fd, left):
                return self.ring.take()

    def recv_frame(self, timeout):
        got = self.recv_super(timeout)
        return None if got is None else got[1]

    def gone(self, timeout=5.0):
        """True if the server closed the control connection within the time."""
        if not readable(self.control, timeout):
            return False
        try:
            return self.control.recv(1) == b''
        except ConnectionResetError:
            return True

    def close(self):
        self.control.close()
        if self.ring:
            self.ring.close()
            self.ring = None


__all__ = ['RawRing', 'RingMemory', 'Refusal', 'hello', 'receive_with_fds']


def super_frame(dst, src, data, gso_size=1000):
    """A TCP super-frame over IPv4 and its offload header."""
    tcp = struct.pack('>HHIIBBHHH', 1234, 80, 1000, 0, 0x50, 0x10, 500, 0, 0) + data
    frame = frames.ether(dst, src, frames.ipv4('10.0.0.1', '10.0.0.2', 6, tcp), frames.IPV4)
    return frame, (1, 1, 54, gso_size, 34, 16)      # NEEDS_CSUM, GSO_TCPV4


def tcp_data(frame):
    """What a TCP/IPv4 frame of super_frame() carries; its checksums have to be right."""
    head, tcp = frame[14:34], frame[34:14 + int.from_bytes(frame[16:18], 'big')]
    pseudo = head[12:20] + struct.pack('>BBH', 0, 6, len(tcp))
    assert frames.internet_checksum(head) == 0
    assert frames.internet_checksum(pseudo + tcp) == 0
    return tcp[20:]
