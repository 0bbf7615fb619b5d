# SPDX-License-Identifier: GPL-2.0-or-later
"""Super-frames: what we cut is, byte by byte, what the kernel cuts; what we join, it takes."""

import ipaddress
import pathlib
import random
import struct
import subprocess
import sys

import pytest

from vslib import frames
from vslib.sides import lacking, tool

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SOURCES = ['vde/plug/offload.c', 'vde/plug/offload_cut.c', 'vde/plug/offload_join.c',
           'wire/checksum.c', 'wire/segment.c', 'wire/transport.c']

NEEDS_CSUM = 1
NONE, TCP4, TCP6, UDP_L4, ECN = 0, 1, 4, 5, 0x80
FIN, SYN, PSH, ACK, URG, ECE, CWR = 1, 2, 8, 16, 32, 64, 128
TIMESTAMPS = bytes.fromhex('0101080a') + b'tsvaltse'
ROUTER_ALERT = bytes.fromhex('94040000')
HOP_BY_HOP, ROUTING, DESTINATION, TCP, UDP = 0, 43, 60, 6, 17


@pytest.fixture(scope='module')
def cutter(tmp_path_factory):
    """The program that cuts and joins with our code."""
    made = tmp_path_factory.mktemp('offload') / 'offload_cut'
    subprocess.run([tool('gcc'), '-std=gnu17', '-O1', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE',
                    '-I', ROOT, '-o', made, HERE / 'programs/offload_cut.c',
                    *(ROOT / source for source in SOURCES)], check=True)
    return made


# ---- frames

def pseudo(packet, final):
    """The pseudo header's addresses of an IP packet, whose final destination may be another one."""
    if packet[0] >> 4 == 4:
        return packet[12:20]
    return packet[8:24] + (final or packet[24:40])


def ipv4(protocol, payload, ident=1, options=b'', tos=0, dont_fragment=True):
    """An IPv4 packet; unlike vslib.frames' with options and flags."""
    head = struct.pack('>BBHHHBBH', 0x45 + len(options) // 4, tos, 20 + len(options) + len(payload),
                       ident, 0x4000 if dont_fragment else 0, 64, protocol, 0)
    head += ipaddress.IPv4Address('10.0.0.1').packed + ipaddress.IPv4Address('10.0.0.2').packed + options
    return head[:10] + struct.pack('>H', frames.internet_checksum(head)) + head[12:] + payload


def ipv6(protocol, payload, extensions=(), tos=0):
    """An IPv6 packet; extensions are pairs of type and content (6 bytes, or 8 n + 6)."""
    types = [kind for kind, _ in extensions] + [protocol]
    body = b''.join(bytes([following, len(content) // 8]) + content
                    for following, (_, content) in zip(types[1:], extensions))
    return (struct.pack('>IHBB', 6 << 28 | tos << 20 | 0x12345, len(body + payload), types[0], 64)
            + ipaddress.IPv6Address('fd00::1').packed + ipaddress.IPv6Address('fd00::2').packed
            + body + payload)


def super_frame(version, protocol, payload, size, *, flags=ACK, options=b'', tags=b'', ip_options=b'',
                extensions=(), tos=0, ident=1, seq=1000, gso=None, dont_fragment=True, urgent=0,
                final=None):
    """(offload header, frame) as a kernel hands them over."""
    if protocol == TCP:
        header = struct.pack('>HHIIBBHHH', 1000, 80, seq, 77, (20 + len(options)) // 4 << 4, flags, 500,
                             0, urgent) + options
        field = 16
    else:
        header, field = struct.pack('>HHHH', 1000, 53, 8 + len(payload), 0), 6
    total = len(header) + len(payload)
    if version == 4:
        packet = ipv4(protocol, header + payload, ident, ip_options, tos, dont_fragment)
    else:
        packet = ipv6(protocol, header + payload, extensions, tos)
    sum_ = frames.internet_checksum(pseudo(packet, final) + struct.pack('>II', total, protocol)) ^ 0xffff
    frame = frames.ether(frames.mac(2), frames.mac(1), packet,
                         frames.IPV4 if version == 4 else frames.IPV6, tags)
    start = len(frame) - total
    at = start + field
    frame = frame[:at] + struct.pack('>H', sum_) + frame[at + 2:]
    if gso is None:
        gso = UDP_L4 if protocol == UDP else TCP4 if version == 4 else TCP6
        gso |= ECN if protocol == TCP and flags & CWR else 0
    return struct.pack('=BBHHHH', NEEDS_CSUM, gso, start + len(header), size, start, field), frame


def records(items):
    """Frames with headers as the programs read them."""
    return b''.join(struct.pack('=I', len(head) + len(frame)) + head + frame for head, frame in items)


def parse(data):
    """(header, frame) pairs; None where the kernel's side is done with one of them."""
    at = 0
    while at < len(data):
        size, = struct.unpack_from('=I', data, at)
        record = data[at + 4:at + 4 + size]
        yield (record[:10], record[10:]) if size else None
        at += 4 + size


def kernel_cut(lab, items):
    """What the kernel makes of each frame: a list of lists."""
    run = subprocess.run([tool('unshare'), '-Urn', sys.executable, '-S', HERE / 'programs/kernel_cut.py'],
                         input=records(items), capture_output=True, check=False, timeout=55,
                         env=lab.env())
    if run.returncode:
        lacking('TAPs and bridges in user namespaces: ' + run.stderr.decode(errors='replace')[-300:])
    assert not run.stderr, run.stderr.decode()
    made = [[]]
    for one in parse(run.stdout):
        if one is None:
            made.append([])
        else:
            made[-1].append(one[1])
    return made[:-1]


def our_cut(cutter, items):
    """What we make of all frames: one list."""
    run = subprocess.run([cutter, 'cut'], input=records(items), capture_output=True, check=True)
    return [frame for _, frame in parse(run.stdout)]


def our_join(cutter, items):
    """(header, frame) pairs of what we join from whole frames."""
    run = subprocess.run([cutter, 'join'], input=records(items), capture_output=True, check=True)
    return list(parse(run.stdout))


# ---- the same as the kernel

def payload_of(size, seed=1):
    return random.Random(seed).randbytes(size)


NAMED = {
    'tcp4': [super_frame(4, TCP, payload_of(20000), 1448, options=TIMESTAMPS)],
    'tcp6': [super_frame(6, TCP, payload_of(20000), 1428, options=TIMESTAMPS)],
    'udp4': [super_frame(4, UDP, payload_of(20000), 1472)],
    'udp6': [super_frame(6, UDP, payload_of(20000), 1452)],
    'largest': [super_frame(4, TCP, payload_of(65535 - 40), 1460),
                super_frame(6, UDP, payload_of(65535 - 48), 1452)],
    'smallest segments': [super_frame(4, TCP, payload_of(3000), 48),
                          super_frame(6, TCP, payload_of(3000), 48),
                          super_frame(4, UDP, payload_of(3000), 48)],
    'odd sizes': [super_frame(version, protocol, payload_of(9001), size)
                  for version in (4, 6) for protocol in (TCP, UDP) for size in (1447, 999, 3001)],
    'exact multiples': [super_frame(version, protocol, payload_of(4000), 1000)
                        for version in (4, 6) for protocol in (TCP, UDP)],
    'one byte more': [super_frame(version, protocol, payload_of(4001), 1000)
                      for version in (4, 6) for protocol in (TCP, UDP)],
    'a single segment': [super_frame(version, protocol, payload_of(size), 1000)
                         for version in (4, 6) for protocol in (TCP, UDP) for size in (1, 999, 1000)],
    'checksum only': [super_frame(version, protocol, payload_of(size), 0, gso=NONE)
                      for version in (4, 6) for protocol in (TCP, UDP) for size in (0, 1, 999)],
    'flags': [super_frame(version, TCP, payload_of(5000), 1000, flags=flags)
              for version in (4, 6)
              for flags in (ACK | PSH, ACK | FIN, ACK | FIN | PSH, ACK | CWR, ACK | CWR | ECE | PSH,
                            ACK | ECE)],
    'urgent': [super_frame(4, TCP, payload_of(5000), 1000, flags=ACK | URG, urgent=77)],
    'ecn marks': [super_frame(version, protocol, payload_of(5000), 1000, tos=tos)
                  for version in (4, 6) for protocol in (TCP, UDP) for tos in (1, 2, 3, 0xb8)],
    'sequence numbers wrap': [super_frame(4, TCP, payload_of(5000), 1000, seq=0xffffff00)],
    'identification': [super_frame(4, protocol, payload_of(5000), 1000, ident=ident, dont_fragment=df)
                       for protocol in (TCP, UDP) for ident in (0, 65533) for df in (False, True)],
    'tags': [super_frame(version, protocol, payload_of(5000), 1000, tags=tags)
             for version in (4, 6) for protocol in (TCP, UDP)
             for tags in (frames.tag(5), frames.tag(5, pcp=3), frames.tag(7, tpid=frames.TPID_AD),
                          frames.tag(7, tpid=frames.TPID_AD) + frames.tag(8))],
    'ip options': [super_frame(4, protocol, payload_of(5000), 1000, ip_options=options)
                   for protocol in (TCP, UDP) for options in (ROUTER_ALERT, b'\1' * 40)],
    'extension headers': [
        super_frame(6, protocol, payload_of(5000), 1000, extensions=extensions)
        for protocol in (TCP, UDP)
        for extensions in ([(HOP_BY_HOP, b'\1\4' + bytes(4))], [(DESTINATION, b'\1\4' + bytes(4))],
                           [(HOP_BY_HOP, b'\1\14' + bytes(12)), (DESTINATION, b'\1\4' + bytes(4))],
                           [(ROUTING, b'\4\0' + bytes(4) + bytes(16))])],
    'segment routing': [
        super_frame(6, protocol, payload_of(5000), 1000, final=bytes(15) + b'\7',
                    extensions=[(ROUTING, b'\4\1\1\0\0\0' + bytes(15) + b'\7' + bytes(15) + b'\x08')])
        for protocol in (TCP, UDP)],
    'ecn bit': [super_frame(4, TCP, payload_of(5000), 1000, flags=flags, gso=gso)
                for flags in (ACK, ACK | CWR) for gso in (TCP4, TCP4 | ECN)],
    'tcp options': [super_frame(version, TCP, payload_of(5000), 1000, options=options)
                    for version in (4, 6) for options in (b'', TIMESTAMPS, b'\1' * 40)],
}


@pytest.fixture(scope='module')
def kernel_named(request):
    """What the kernel makes of everything in NAMED, in one run."""
    from vslib.lab import Lab
    lab = Lab()
    request.addfinalizer(lab.close)
    items = [item for several in NAMED.values() for item in several]
    made = iter(kernel_cut(lab, items))
    return {name: [next(made) for _ in several] for name, several in NAMED.items()}


def check(items, kernel, ours):
    """Compares piece by piece, so that a difference can be read."""
    ours = iter(ours)
    for (head, frame), pieces in zip(items, kernel):
        assert pieces, f'the kernel dropped {head.hex()} {frame[:100].hex()}'
        for number, piece in enumerate(pieces):
            own = next(ours, b'')
            where = f'segment {number} of {len(pieces)}: {head.hex()} {frame[:100].hex()}'
            assert own[:100].hex() == piece[:100].hex(), where
            assert own == piece, where
    assert next(ours, None) is None, 'more segments than the kernel makes'


@pytest.mark.parametrize('name', NAMED)
def test_as_the_kernel(kernel_named, cutter, name):
    """The same super-frame through a TAP of the kernel, and through us."""
    check(NAMED[name], kernel_named[name], our_cut(cutter, NAMED[name]))


def anything(rng):
    """A super-frame of a kind that the kernel makes, chosen at random."""
    version, protocol = rng.choice((4, 6)), rng.choice((TCP, UDP))
    size = rng.choice((rng.randrange(48, 200), rng.randrange(200, 2000), rng.randrange(2000, 9000)))
    length = min(rng.randrange(size + 1, size * 40), 60000)
    more = {}
    if protocol == TCP:
        more = {'flags': ACK | rng.choice((0, PSH, FIN, FIN | PSH)) | rng.choice((0, CWR, ECE)),
                'options': rng.choice((b'', TIMESTAMPS, b'\1' * 8)), 'seq': rng.randrange(1 << 32)}
    if version == 4:
        more['ident'] = rng.randrange(1 << 16)
        more['ip_options'] = rng.choice((b'', b'', ROUTER_ALERT))
        more['dont_fragment'] = rng.random() < 0.8
    else:
        more['extensions'] = rng.choice(([], [], [(DESTINATION, b'\1\4' + bytes(4))]))
    more['tags'] = rng.choice((b'', b'', frames.tag(rng.randrange(1, 4095), pcp=rng.randrange(8))))
    more['tos'] = rng.choice((0, 2, 0x20))
    return super_frame(version, protocol, rng.randbytes(length), size, **more)


def test_anything(lab, cutter):
    """Two hundred random ones."""
    rng = random.Random(20)
    items = [anything(rng) for _ in range(200)]
    check(items, kernel_cut(lab, items), our_cut(cutter, items))


def test_joined_and_cut_by_the_kernel(lab, cutter):
    """What we join from frames, the kernel cuts to the same frames again."""
    rng = random.Random(21)
    wholes, header = [], bytes(10)
    for _ in range(40):
        wholes += our_cut(cutter, [anything(rng)])
    joined = our_join(cutter, [(header, frame) for frame in wholes])
    assert len(joined) < len(wholes) / 3
    made = [piece for pieces in kernel_cut(lab, joined) for piece in pieces]
    # Of different streams, what could not be joined overtakes what still could.
    assert sorted(made) == sorted(wholes)
