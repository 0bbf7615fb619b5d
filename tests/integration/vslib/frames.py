# SPDX-License-Identifier: GPL-2.0-or-later
"""Ethernet frames as tests need them: builders, a parser, and predicates to pick frames.

A frame is plain bytes without FCS. Test payloads use the local experimental EtherType, so they
never mix with what a kernel sends by itself on an interface.
"""

import ipaddress
import struct

BROADCAST = b'\xff' * 6
TEST_TYPE = 0x88b5          # IEEE 802 local experimental EtherType 1
TPID_Q = 0x8100
TPID_AD = 0x88a8
ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86dd
HEADER = 14
VDE_MAX_FRAME = 9234        # VDE_ETHBUFSIZE: 9216 + 14 + 4
DEBIAN_SWITCH_CUT = 1518    # where Debian's vde_switch cuts


def mac(number):
    """A locally administered unicast address made from a number."""
    return b'\x02\x00' + struct.pack('>I', number)


def multicast(number):
    """A multicast address made from a number."""
    return b'\x03\x00' + struct.pack('>I', number)


def mac_text(address):
    """aa:bb:cc:dd:ee:ff"""
    return ':'.join(f'{byte:02x}' for byte in address)


def tag(vlan, pcp=0, dei=0, tpid=TPID_Q):
    """The four bytes of a VLAN tag."""
    return struct.pack('>HH', tpid, pcp << 13 | dei << 12 | vlan)


def ether(dst, src, payload=b'', ethertype=TEST_TYPE, tags=b'', size=None):
    """A frame; with size, the payload is filled up with a pattern to that whole frame length."""
    frame = dst + src + tags + struct.pack('>H', ethertype) + payload
    if size is None:
        return frame
    if size < len(frame):
        return frame[:size]
    fill = bytes((i * 7 + (i >> 8)) & 0xff for i in range(len(frame), size))
    return frame + fill


def numbered(dst, src, number, size=60, tags=b''):
    """A test frame that carries a 32-bit number right after the header."""
    return ether(dst, src, struct.pack('>I', number), tags=tags, size=size)


def number_of(frame):
    """The number of a numbered() frame (tagged or not), or None."""
    seen = Parsed(frame)
    if seen.ethertype != TEST_TYPE or len(seen.payload) < 4:
        return None
    return struct.unpack('>I', seen.payload[:4])[0]


class Parsed:
    """The header fields of a frame; vlan and pcp are None when it has no tag."""

    def __init__(self, frame):
        self.raw = frame
        self.dst, self.src = frame[:6], frame[6:12]
        self.vlan = self.pcp = None
        at = 12
        self.ethertype = int.from_bytes(frame[at:at + 2], 'big')
        if self.ethertype in (TPID_Q, TPID_AD) and len(frame) >= 18:
            tci = int.from_bytes(frame[14:16], 'big')
            self.vlan, self.pcp = tci & 0xfff, tci >> 13
            at = 16
            self.ethertype = int.from_bytes(frame[at:at + 2], 'big')
        self.payload = frame[at + 2:]


def internet_checksum(data):
    """RFC 1071."""
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack(f'>{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def arp(operation, src_mac, src_ip, dst_mac, dst_ip, tags=b''):
    """An ARP request (operation 1, broadcast) or reply (2, to dst_mac)."""
    body = struct.pack('>HHBBH', 1, IPV4, 6, 4, operation)
    body += src_mac + ipaddress.IPv4Address(src_ip).packed
    body += (b'\0' * 6 if operation == 1 else dst_mac) + ipaddress.IPv4Address(dst_ip).packed
    return ether(BROADCAST if operation == 1 else dst_mac, src_mac, body, ARP, tags, size=None)


def ipv4(src, dst, protocol, payload, ttl=64):
    """An IPv4 packet without options."""
    head = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(payload), 1, 0, ttl, protocol, 0,
                       ipaddress.IPv4Address(src).packed, ipaddress.IPv4Address(dst).packed)
    return head[:10] + struct.pack('>H', internet_checksum(head)) + head[12:] + payload


def udp4(src_mac, dst_mac, src, dst, sport, dport, data, tags=b''):
    """A UDP datagram over IPv4 in a frame, checksum filled in."""
    length = 8 + len(data)
    pseudo = (ipaddress.IPv4Address(src).packed + ipaddress.IPv4Address(dst).packed
              + struct.pack('>BBH', 0, 17, length))
    body = struct.pack('>HHHH', sport, dport, length, 0) + data
    body = body[:6] + struct.pack('>H', internet_checksum(pseudo + body) or 0xffff) + body[8:]
    return ether(dst_mac, src_mac, ipv4(src, dst, 17, body), IPV4, tags)


def icmp_echo(src_mac, dst_mac, src, dst, ident, seq, data=b'itest', reply=False, tags=b''):
    """An ICMP echo request or reply in a frame."""
    body = struct.pack('>BBHHH', 0 if reply else 8, 0, 0, ident, seq) + data
    body = body[:2] + struct.pack('>H', internet_checksum(body)) + body[4:]
    return ether(dst_mac, src_mac, ipv4(src, dst, 1, body), IPV4, tags)


# Predicates for Plug.expect().

def is_type(ethertype):
    """Frames of an EtherType (behind the tag if there is one)."""
    return lambda frame: Parsed(frame).ethertype == ethertype


def is_test(frame):
    """Frames made by ether() and numbered()."""
    return Parsed(frame).ethertype == TEST_TYPE


def is_exactly(wanted):
    """The very same bytes."""
    return lambda frame: frame == wanted


def is_from(source):
    """Frames with that source address."""
    return lambda frame: frame[6:12] == source
