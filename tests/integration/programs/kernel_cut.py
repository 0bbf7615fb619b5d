# SPDX-License-Identifier: GPL-2.0-or-later
"""Lets the kernel cut super-frames; runs in network namespaces of its own (unshare -Urn).

What comes on stdin (32 bits of length, the offload header, the frame) is written to a TAP that takes
offload headers. A bridge carries it to a TAP that wants whole frames; what arrives there goes to stdout
in the same form, with an empty header.
"""

import fcntl
import os
import select
import struct
import subprocess
import sys

TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454ca, 0x400454d0, 0x400454d8
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 2, 0x1000, 0x4000
VNET = 10
SOURCE = bytes.fromhex('020000000001')          # of all that is cut: vslib.frames.mac(1)
FENCE = bytes.fromhex('020000000002' '0200000000fe' '88b5') + b'fence' + bytes(50)


def tap(name, flags):
    fd = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack('16sH22x', name.encode(), IFF_TAP | IFF_NO_PI | flags))
    return fd


def ip(*words):
    subprocess.run(['ip', *words], check=True)


def setup():
    source, sink = tap('src', IFF_VNET_HDR), tap('dst', 0)
    fcntl.ioctl(source, TUNSETVNETHDRSZ, struct.pack('i', VNET))
    fcntl.ioctl(sink, TUNSETOFFLOAD, 0)
    ip('link', 'add', 'br0', 'type', 'bridge')
    for name in ('br0', 'src', 'dst'):
        with open(f'/proc/sys/net/ipv6/conf/{name}/disable_ipv6', 'w', encoding='ascii') as file:
            file.write('1')
    for name in ('src', 'dst'):
        ip('link', 'set', name, 'mtu', '65521', 'txqueuelen', '4000', 'master', 'br0', 'up')
    ip('link', 'set', 'br0', 'up')
    return source, sink


def until_fence(source, sink):
    """All that arrives before a frame that is sent now."""
    os.write(source, bytes(VNET) + FENCE)
    while True:
        ready, _, _ = select.select([sink], [], [], 10)
        assert ready, 'the fence did not arrive'
        try:
            frame = os.read(sink, 70000)
        except BlockingIOError:
            continue
        if frame == FENCE:
            return
        if frame[6:12] == SOURCE:               # the kernel talks on the bridge, too
            yield frame


def main():
    source, sink = setup()
    for _ in until_fence(source, sink):         # what the interfaces say when they come up
        pass
    out = sys.stdout.buffer
    while header := sys.stdin.buffer.read(4):
        record = sys.stdin.buffer.read(*struct.unpack('=I', header))
        try:
            os.write(source, record)
        except OSError as failed:
            print(f'refused: {record[:80].hex()}: {failed}', file=sys.stderr)
        for frame in until_fence(source, sink):
            out.write(struct.pack('=I', VNET + len(frame)) + bytes(VNET) + frame)
        out.write(struct.pack('=I', 0))
    out.flush()


main()
