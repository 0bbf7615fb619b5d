# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs in a network namespace of its own: makes TAPs and offers them to a switch (see device.py).

Reads a request, a line of JSON, and answers with one. Nothing but the standard library.
"""

import fcntl
import json
import os
import select
import socket
import struct
import sys
import threading

TUNSETIFF, TUNSETVNETHDRSZ = 0x400454ca, 0x400454d8
IFF_TUN, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 1, 2, 0x1000, 0x4000
HELLO, KIND, DEVICE, DESCRIPTION, TEXT = 1, 10, 1, 5, 12
HEADER = struct.Struct('=IIHHIQQ')
ETH_P_ALL, PACKET_AUXDATA, SOL_PACKET, PACKET_OUTGOING = 3, 8, 263, 4
VLAN_VALID = 0x10


def attach(flags, header=12):
    """A descriptor of the interface t0."""
    tap = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack('16sH22x', b't0', flags))
    if flags & IFF_VNET_HDR:
        fcntl.ioctl(tap, TUNSETVNETHDRSZ, struct.pack('i', header))
    return tap


MAKERS = {
    'tap': lambda: attach(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR),
    'tap10': lambda: attach(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, 10),
    'plain': lambda: attach(IFF_TAP | IFF_NO_PI),
    'tun': lambda: attach(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR),
    'header20': lambda: attach(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, 20),
    'unattached': lambda: os.open('/dev/net/tun', os.O_RDWR),
    'pipe': lambda: os.pipe()[0],
    'null': lambda: os.open('/dev/null', os.O_RDWR),
    'socket': lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).detach(),
    'none': lambda: None,
}


def item(kind, value):
    """One item of a message."""
    return struct.pack('=HH', kind, len(value)) + value + b'\0' * (-len(value) % 4)


def text_of(message):
    """The sentence of a refusal."""
    at = HEADER.size
    while at + 4 <= len(message):
        kind, length = struct.unpack_from('=HH', message, at)
        if kind & 0x7fff == TEXT:
            return message[at + 4:at + 4 + length].decode()
        at += 4 + length + -length % 4
    return ''


class Child:
    """What the requests work on."""

    def __init__(self):
        self.tap = self.control = self.packets = None
        self.flipping = threading.Event()

    def make(self, kind):
        """Makes a descriptor of that kind."""
        self.tap = MAKERS[kind]()

    def hello(self, path, uid=None, copies=1):
        """Offers it; returns (message, errno, text)."""
        if uid is not None:
            os.setresuid(uid, uid, uid)
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.connect(path)
        items = item(KIND, struct.pack('=H', DEVICE)) + item(DESCRIPTION, b'device-child')
        message = HEADER.pack(0x52454456, HEADER.size + len(items), 1, HELLO, 0, 0, 15) + items
        fds = [] if self.tap is None else [self.tap] * copies
        socket.send_fds(self.control, [message], fds)
        self.control.settimeout(5)
        answer, fds, _, _ = socket.recv_fds(self.control, 4096, 4)
        assert not fds
        if not answer:
            return 0, 0, 'closed'
        return HEADER.unpack_from(answer)[3], HEADER.unpack_from(answer)[4], text_of(answer)

    def up(self):
        """Brings the interface up and listens on it."""
        self.run('ip link set t0 addrgenmode none up')
        self.packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.packets.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.packets.bind(('t0', ETH_P_ALL))

    def run(self, command):
        """A shell command that has to succeed."""
        if os.system(command) != 0:
            raise OSError(f'{command}: failed')

    def send(self, frame):
        """Sends a frame out of the interface: towards the switch."""
        self.packets.send(bytes.fromhex(frame))

    def recv(self, timeout):
        """What came in through the interface, its tag put back; None after the time."""
        while select.select([self.packets], [], [], timeout)[0]:
            data, auxiliary, _, address = self.packets.recvmsg(70000, 256)
            if address[2] == PACKET_OUTGOING:
                continue
            for _, _, value in auxiliary:
                status, _, _, _, _, tci, tpid = struct.unpack('=IIIHHHH', value[:20])
                if status & VLAN_VALID:
                    data = data[:12] + struct.pack('!HH', tpid, tci) + data[12:]
            return data.hex()
        return None

    def write(self, data):
        """Writes to the TAP itself, as its owner: towards the namespace's network stack."""
        return os.write(self.tap, bytes.fromhex(data))

    def flip(self):
        """Makes the shared description blocking and non-blocking in turn, until stopped."""
        def work():
            while not self.flipping.is_set():
                fcntl.fcntl(self.tap, fcntl.F_SETFL, os.O_RDWR)
                fcntl.fcntl(self.tap, fcntl.F_SETFL, os.O_RDWR | os.O_NONBLOCK)
            fcntl.fcntl(self.tap, fcntl.F_SETFL, os.O_RDWR)
        threading.Thread(target=work, daemon=True).start()

    def header(self, size):
        """Changes the size of the offload header behind the switch's back."""
        fcntl.ioctl(self.tap, TUNSETVNETHDRSZ, struct.pack('i', size))

    def gone(self, timeout):
        """Whether the switch has closed the control socket in time."""
        return bool(select.select([self.control], [], [], timeout)[0])

    def drop(self):
        """Closes the control socket."""
        self.control.close()


def main():
    """Serves requests until there are no more."""
    child = Child()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {'result': getattr(child, request.pop('op'))(**request)}
        except OSError as failed:
            answer = {'error': str(failed)}
        sys.stdout.write(json.dumps(answer) + '\n')
        sys.stdout.flush()


main()
