#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the seed corpora of the frame and protocol parsers anew (the files are in the tree)."""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from vslib import frames, plugs  # noqa: E402 (the path above comes first)

BRIDGE = "8000" "021122334455"
TIMES = "0100" "1400" "0200" "0f00"
LLC = "424203"
CONFIG = LLC + "0000" "00" "00" "81" "1000020000000001" "00030d40" + BRIDGE + "8003" + TIMES
RAPID = LLC + "0000" "02" "02" "3c" "1000020000000001" "00030d40" + BRIDGE + "8003" + TIMES + "00"
DIALECT = LLC + "0000" "02" "02" "30" + BRIDGE + "01312d00" + BRIDGE + \
    "8003" "0000" "2800" "0400" "0000" "00"
TCN = LLC + "0000" "00" "80"


def units():
    for name, text in (("config", CONFIG), ("rapid", RAPID), ("dialect", DIALECT), ("tcn", TCN)):
        yield name, bytes.fromhex(text)
    yield "other_llc", bytes.fromhex("aaaa03000000" "0800")
    yield "short", bytes.fromhex(CONFIG)[:20]


def bpdu():
    for name, unit in units():
        yield name, len(unit).to_bytes(2, "big") + unit
    yield "padded", bytes.fromhex("0026" + CONFIG) + bytes(8)
    yield "type", bytes.fromhex("0800" + CONFIG)


def ether():
    one, two, group = frames.mac(1), frames.mac(2), bytes.fromhex("0180c2000000")
    tags = {"": b"", "_tagged": frames.tag(5, pcp=3), "_priority": frames.tag(0, pcp=7)}
    for suffix, tag in tags.items():
        yield "arp" + suffix, frames.arp(1, one, "10.0.0.1", two, "10.0.0.2", tag)
        yield "udp" + suffix, frames.udp4(one, two, "10.0.0.1", "10.0.0.2", 1, 2, b"x", tag)
        ip6 = bytes.fromhex("60000000" "0000" "3b40") + bytes(15) + b"\1" + bytes(15) + b"\2"
        yield "ipv6" + suffix, frames.ether(two, one, ip6, frames.IPV6, tag)
        for name, unit in units():
            yield name + suffix, frames.ether(group, one, unit, len(unit), tag)
    yield "empty_payload", frames.ether(two, one)
    yield "double_tag", frames.ether(two, one, b"x", tags=frames.tag(1) + frames.tag(2))
    yield "cut_tag", frames.ether(two, one, b"", tags=frames.tag(1))[:16]


def control():
    path = "/run/vde.ctl/.00042-00000"
    yield "v3", plugs.request_v3(path, b"prog: user=me pid=42")
    yield "v3_port", plugs.request_v3(path, b"", port=7)
    yield "v3_port0", plugs.request_v3(path, b"x", kind=1)
    yield "v3_nul", plugs.request_v3(path, b"with its NUL\0")
    yield "v3_long", plugs.request_v3(path, b"d" * 134)
    yield "v3_lines", plugs.request_v3(path, b"a\n.\n1000 Success\n")
    yield "v1", plugs.request_v1(path, b"old")
    yield "v1_port0", plugs.request_v1(path, b"", kind=1)
    yield "magic", plugs.request_v3(path, magic=0xfeedfacd)
    yield "version", plugs.request_v3(path, version=2)
    yield "cut", plugs.request_v3(path)[:100]
    yield "no_path", plugs.request_v3("")


def mgmt_session():
    """The first byte is the size of the pieces that the rest comes in."""
    greeting = (b"VDE switch V.2.3.2\n(C) Virtual Square Team (coord. R. Davoli) "
                b"2005,2006,2007 - GPLv2\n\nvde$ ")
    block = b"0000 DATA END WITH '.'\nNumports=32\n1000 not a result\n\n.\n"
    answers = {
        "listing": block + b"1000 Success\n\nvde$ ",
        "failure": b"1022 Invalid argument\n\nvde$ ",
        "large_code": b"1111 Connection refused\n\nvde$ ",
        "events": b"3021 port/+ 02\n3131 port/ep/+ Port 02 FD  7\n1000 Success\n\nvde$ ",
        "load": b"vde[/etc/x.rc]: showinfo\n" + block + b"1000 Success\n1000 Success\n\nvde$ ",
        "json": b"0000 DATA END WITH '.'\n{\"ports\":[{\"port\":1}]}\n.\n1000 Success\n\nvde$ ",
        "farewell": b"9999 END OF SESSION",
        "comment": b"\nvde$ \nvde$ ",
    }
    for name, answer in answers.items():
        for size in (0, 1, 7):
            yield f"{name}_{size}", bytes([size]) + greeting + answer
    yield "no_greeting", b"\3" + block + b"1000 Success\n\nvde$ "
    yield "wirefilter", b"\0\nVDE wirefilter V.2.3.2\n(C) R.Davoli 2005,2006 - GPLv2\n\nVDEwf$ " \
        b"1000 Success\n\nVDEwf$ 3021 a b\n"
    yield "odd_numbers", b"\0" + greeting + b"1 x\n1000000000000 x\n30x1 y\n3099 z\n1000\n3021\n"


def packet(protocol, header, payload, version, tags, options=b"", extensions=b""):
    """A TCP segment or UDP datagram with its checksums."""
    body = header + payload
    if version == 4:
        addresses = bytes([10, 0, 0, 1, 10, 0, 0, 2])
        ip = bytearray(frames.ipv4("10.0.0.1", "10.0.0.2", protocol, options + body)[:20])
        ip[0] += len(options) // 4
        ip[6:8], ip[10:12] = b"\x40\0", b"\0\0"
        ip[10:12] = frames.internet_checksum(bytes(ip) + options).to_bytes(2, "big")
        ip += options
    else:
        addresses = bytes(15) + b"\1" + bytes(15) + b"\2"
        ip = b"\x60\0\0\0" + len(extensions + body).to_bytes(2, "big") + \
            bytes([0 if extensions else protocol, 64]) + addresses + extensions
    at = 16 if protocol == 6 else 6
    pseudo = addresses + len(body).to_bytes(4, "big") + bytes([0, 0, 0, protocol])
    total = frames.internet_checksum(pseudo + body).to_bytes(2, "big")
    kind = frames.IPV4 if version == 4 else frames.IPV6
    return frames.ether(frames.mac(2), frames.mac(1), bytes(ip) + body[:at] + total + body[at + 2:],
                        kind, tags)


def tcp(seq, payload, flags=0x10, version=4, tags=b"", options=b"\1" * 12):
    """A TCP segment with its checksums."""
    header = (b"\x03\xe8\0\x50" + seq.to_bytes(4, "big") + bytes(4) +
              bytes([(20 + len(options)) // 4 << 4, flags]) + b"\1\0" + bytes(4) + options)
    return packet(6, header, payload, version, tags)


def udp(payload, version=4, tags=b"", more=False):
    """A UDP datagram; with more, behind IPv4 options or IPv6 extension headers."""
    header = b"\x03\xe8\0\x35" + (8 + len(payload)).to_bytes(2, "big") + bytes(2)
    extensions = b"\x2b\0\1\4" + bytes(4) + b"\x3c\2\4\0" + bytes(20) + b"\x11\0\1\4" + bytes(4)
    return packet(17, header, payload, version, tags, b"\1" * 8 if more else b"",
                  extensions if more else b"")


def shapes():
    """Names, IP versions and tags of TCP frames."""
    for version in (4, 6):
        for name, tags in (("", b""), ("_tagged", frames.tag(5)),
                           ("_twice", frames.tag(7, tpid=frames.TPID_AD) + frames.tag(8))):
            yield f"tcp{version}{name}", version, tags


def vnet(flags, kind, size, start, offset=16):
    """An offload header."""
    return bytes([flags, kind]) + b"".join(
        number.to_bytes(2, "little") for number in (start + 32, size, start, offset))


def segment():
    for name, version, tags in shapes():
        start = 14 + len(tags) + (20 if version == 4 else 40)
        frame = tcp(4294967000, bytes(400), 0x99, version, tags)
        yield name, vnet(1, 1 if version == 4 else 4, 100, start) + frame
        yield name + "_ecn", vnet(1, 0x81 if version == 4 else 0x84, 399, start) + frame
        yield name + "_whole", vnet(1, 0, 0, start) + frame
        yield name + "_wrong", vnet(1, 4 if version == 4 else 1, 100, start) + frame
        for suffix, more in (("", False), ("_more", True)):
            frame = udp(bytes(400), version, tags, more)
            yield name.replace("tcp", "udp") + suffix, vnet(1, 5, 100, start, 6) + frame
            yield name.replace("tcp", "udp") + suffix + "_whole", vnet(1, 0, 0, start, 6) + frame
    yield "plain", vnet(0, 0, 0, 0) + frames.ether(frames.mac(2), frames.mac(1), b"x")
    yield "udp", vnet(1, 3, 100, 34, 6) + frames.udp4(
        frames.mac(1), frames.mac(2), "10.0.0.1", "10.0.0.2", 1, 2, bytes(300))
    yield "small", vnet(1, 1, 47, 34) + tcp(1, bytes(300))


def offload():
    yield from segment()
    yield "foreign", vnet(1, 0, 0, 20, 4) + frames.ether(frames.mac(2), frames.mac(1), bytes(300))


def offload_join():
    def stream(*several):
        return b"".join(len(frame).to_bytes(2, "big") + frame for frame in several)
    for name, version, tags in shapes():
        def made(seq, size, flags=0x10, options=b"\1" * 12, version=version, tags=tags):
            return tcp(seq, bytes(size), flags, version, tags, options)
        yield name, stream(made(0, 100), made(100, 100), made(200, 50), made(250, 100))
        yield name + "_push", stream(made(0, 100), made(100, 100, 0x18), made(200, 100))
        yield name + "_gap", stream(made(0, 100), made(101, 100), made(0, 0), made(201, 100, 0x11))
        yield name + "_options", stream(made(0, 100), made(100, 100, options=b""))
        many = [udp(bytes(100), version, tags, more) for more in (False, False, True, True)]
        yield name.replace("tcp", "udp"), stream(*many, udp(bytes(9), version, tags), many[0])
    yield "others", stream(b"", b"x", frames.ether(frames.mac(2), frames.mac(1), b"x"),
                           tcp(0, bytes(60))[:40], tcp(0, bytes(60)) + bytes(6))


def decode():
    """An address, and a window: eight bytes before a call, the call, what is behind it."""
    behind = {"compare": "483d00f0ffff", "compare_short": "4883f8fc", "to_register": "4889c7",
              "to_stack": "89442420", "indexed": "488944d308", "far": "48898380000000",
              "constant": "48c743104d000000", "from_tls": "64488b042500000000", "relative": "8b0500000000",
              "jump": "e900000000",
              "ret": "c3cccccccccccccccccccccccccc", "ret_nops": "c3660f1f840000000000 0f1f4000 9090",
              "condition": "0f48c2", "vector": "0f114320", "wide": "48b90000000000000000", "group": "48f7d8"}
    before = {"number": "90 9090 b827000000", "none": "90" * 8, "like_number": "c74424b800000000",
              "prefixed": "909041b800000000", "based": "90498bb8e8000000"}
    for name, text in behind.items():
        yield name, bytes(8) + bytes.fromhex("90" * 8 + "0f05" + text).ljust(48, b"\0")
    for name, text in before.items():
        yield name, bytes(8) + bytes.fromhex(text)[-8:].rjust(8, b"\x90") + b"\x0f\x05" + bytes(38)


def executable():
    """ELF heads with a few program headers, and scripts."""
    def rows(*several):
        return b"".join(b"".join(number.to_bytes(size, "little") for number, size in
                                 zip(row, (4, 4, 8, 8, 8, 8, 8, 8))) for row in several)

    def whole(count, table):
        head = b"\x7fELF\2\1\1" + bytes(9) + bytes([2, 0, 62, 0, 1, 0, 0, 0]) + bytes(8)
        head += (64).to_bytes(8, "little") + bytes(12) + bytes([64, 0, 56, 0, count, 0]) + bytes(6)
        return head + table + b"/lib/ld\0"
    load, loader = (1, 5, 0, 0, 0, 100, 100, 4096), (3, 4, 176, 0, 0, 8, 8, 1)
    yield "elf", whole(2, rows(load, loader))
    yield "static", whole(1, rows(load))
    yield "many", whole(200, rows(*[load] * 200))
    yield "cut", whole(2, rows(load, loader))[:130]
    for name, line in (("plain", b"#!/bin/sh\n"), ("argument", b"#! /bin/sh -e -x \n"), ("none", b"#!  \n"),
                       ("long", b"#!/" + b"x" * 300), ("blanks", b"#!" + b" " * 300),
                       ("zero", b"#!/bin/sh\0 x\n"), ("long_argument", b"#!/bin/sh " + b"y" * 300)):
        yield "script_" + name, line


def exec_state():
    """Whole blocks, and cut ones."""
    def section(kind, body, length=None):
        return kind.to_bytes(4, "little") + bytes(4) + (len(body) if length is None else length).to_bytes(
            8, "little") + body.ljust((len(body) + 7) // 8 * 8, b"\0")

    def whole(*sections):
        body = b"".join(sections)
        head = (0x5453455545585556, 1, len(body) + 24)  # magic, version, length
        return b"".join(number.to_bytes(8, "little") for number in head) + body
    base = section(1, bytes(12) + b"\xff" * 4)
    full = whole(base, section(2, b"/bin/true\0"), section(4, bytes(664)), section(5, bytes(16)))
    yield "base", whole(base)
    yield "full", full
    yield "cut", full[:100]
    yield "no_end", whole(base, section(2, b"/bin/true"))
    yield "too_long", whole(base, section(2, b"x\0", 2 ** 64 - 8))


def block(kind, body=b""):
    """A pcap-ng block in host byte order."""
    length = (len(body) + 12).to_bytes(4, sys.byteorder)
    return kind.to_bytes(4, sys.byteorder) + length + body + length


def capture_stream():
    """The first byte is the size of the pieces that the rest comes in."""
    def numbers(*values, size=4):
        return b"".join(value.to_bytes(size, sys.byteorder) for value in values)
    head = block(0x0a0d0d0a, numbers(0x1a2b3c4d, 1) + b"\xff" * 8) + block(1, numbers(1, 0))
    frame = block(6, numbers(0, 1, 2, 5, 60) + b"abcde\0\0\0" + numbers(2, 4, size=2)
                  + numbers(1, 0))
    counts = numbers(4, 8, size=2) + numbers(9, size=8) + numbers(5, 8, size=2) + numbers(2, size=8)
    end = block(5, numbers(0, 1, 2) + counts + numbers(0))
    greeting = b"VDE switch V.1\n(C) somebody\n\nvde$ "
    for size in (0, 1, 7, 64):
        yield f"stream_{size}", bytes([size]) + greeting + b"1000 Success\n" + head + 5 * frame + end
    yield "event", b"\0" + greeting + b"3021 port/+ 01\n1000 Success\n" + head
    yield "refused", b"\0" + greeting + b"0000 DATA END WITH '.'\nno port 9\n.\n1006 No such\n"
    yield "old", b"\0" + greeting + b"1038 Function not implemented\n"
    yield "zero_length", b"\0" + b"1000 Success\n" + bytes(8)
    yield "long_length", b"\0" + b"1000 Success\n" + numbers(6, 0x7ffffffc)
    yield "odd_options", b"\0" + b"1000 Success\n" + block(5, bytes(12) + numbers(5, 65535, size=2))


def host(size, *values):
    return b"".join((value % 2 ** (8 * size)).to_bytes(size, sys.byteorder) for value in values)


def ring():
    """Whether the producer is guarded, then steps: a byte and its arguments."""
    def reserve(length, kind=1):
        return b"\2" + host(4, length) + b"\3" + host(4, length // 4 * 4 + kind)
    def word(which, number):
        return b"\0" + bytes([which]) + host(4, number)
    def header(whose, at, length, kind=1):
        return b"\1" + bytes([whose]) + host(4, at) + host(4, length) + host(2, kind, 0)
    publish, take, release = b"\5\0", b"\4", b"\6\0"
    once = reserve(100) + publish + take + release
    for guarded in (b"\0", b"\1"):
        yield f"once_{guarded[0]}", guarded + 3 * once
        yield f"full_{guarded[0]}", guarded + 3 * reserve(32756) + b"\5\7" + 3 * take + b"\6\1"
        yield f"wrap_{guarded[0]}", guarded + 3 * (2 * reserve(16000) + b"\5\1" + 2 * take + release)
        yield f"punch_{guarded[0]}", guarded + once + b"\5\4" + b"\6\7" + once
    yield "heads", b"\0" + once + word(0x80, 64) + take + word(0, 2 ** 31) + take
    yield "tails", b"\0" + once + word(0x81, 8) + b"\5\7" + reserve(10)
    yield "guard", b"\1" + word(3, 1) + reserve(100) + b"\5\1" + word(3, 0) + once
    yield "length", b"\0" + reserve(100) + publish + header(0, 0, 2 ** 32 - 1) + take
    yield "padding", b"\0" + reserve(100) + publish + header(0, 0, 100, 0) + take
    yield "resume", b"\0" + word(0, -8) + word(1, -8) + b"\7\6" + 2 * once + b"\7\7" + once


def vde_ring():
    def item(kind, value=b""):
        return host(2, kind, len(value)) + value + bytes(-len(value) % 4)
    def message(kind, *items, error=0, major=1, magic=0x52454456):
        body = b"".join(items)
        return (host(4, magic, 32 + len(body)) + host(2, major, kind) + host(4, error)
                + host(8, 1, 15) + body)
    wishes = (item(1, host(4, 7)), item(2), item(3, host(4, 100)), item(4, host(4, 0o700)),
              item(5, b"a plug: user=me pid=42"), item(6, host(4, 9216)),
              item(7, host(4, 1 << 20, 1 << 20)), item(9, host(2, 1)), item(10, host(2, 1)),
              item(11, b"0123456789abcdef" + host(8, 5)))
    yield "hello", message(1)
    yield "hello_all", message(1, *wishes)
    yield "welcome", message(2, *wishes, item(8, host(8, 4096, 4096 + (1 << 20))))
    yield "refusal", message(3, item(12, b"all ports are taken"), error=28)
    yield "unknown", message(1, item(99, b"xyz"), item(5, b"known"))
    yield "critical", message(1, item(5, b"known"), item(0x8063, b"xyz"))
    yield "end", message(1, item(0), item(5, b"x"))
    yield "version", message(1, major=2)
    yield "magic", message(1, magic=0x52454457)
    yield "cut", message(1, *wishes)[:60]
    yield "long_text", message(1, item(5, b"d" * 200))
    yield "lines", message(1, item(5, b"a\n.\n\x1b[0m"), item(5, b"z"))


def takeover():
    """Messages of vde/switch/takeover_message.h, of each kind that needs no descriptor."""
    def message(kind, *items):
        body = b"".join(kind.to_bytes(2, sys.byteorder) + bytes(2)
                        + len(value).to_bytes(4, sys.byteorder) + value + bytes(-len(value) % 8)
                        for kind, value in items)
        size = (16 + len(body)).to_bytes(4, sys.byteorder)
        kinds = (1).to_bytes(2, sys.byteorder) + kind.to_bytes(2, sys.byteorder)
        magic = 0x54454456.to_bytes(4, sys.byteorder)
        return magic + size + kinds + bytes(4) + body

    def numbers(*values):
        return b"".join(value.to_bytes(8, sys.byteorder) for value in values)
    drop = (14, numbers(7) + b"queue_full")
    yield "port", message(3, (11, numbers(1)), (13, numbers(1, 2, 3, 4, 0, 0)), drop)
    yield "vlan", message(4, (11, numbers(5)), (13, numbers(1, 2, 3, 4)), drop)
    yield "endpoint", message(5, (15, b"datagram"), (11, numbers(1)), (2, numbers(9, 0, 1518, 1522)),
                              (17, b"a plug"), (16, b"/nowhere/001.9"), (22, numbers(1)))
    yield "ring", message(5, (15, b"ring"), (11, numbers(1)), (2, numbers(9)),
                          (18, numbers(65536, 65536, 8, 16, 15, 15, 65557, 1)))
    yield "queue", message(6, (19, bytes(60)), (19, bytes(61)))
    entries = numbers(0x02 | 5 << 48, 7 | 1 << 32, 0x0402, 9 | 1 << 32)
    yield "macs", message(7, (2, numbers(77, 1, 2)), (20, entries))
    port = (21, numbers(1, 4, 1, 1, 0, 0, 0, 0, 99, 0, 99, 0x8001, *(13 * [0])))
    yield "tree", message(8, (11, numbers(5)), (2, numbers(99, 0, 1, 5120, 512, 3840)),
                          (22, numbers(2)), port)
    yield "door", message(9, (12, b"ctl"), (22, numbers(0)))
    yield "pending", message(11, (12, b"ctl"), (23, b"half a request"))
    yield "console", message(12, (2, numbers(1, 0, 0, 3)), (25, b"port/+"), (25, b"no/such"))
    yield "capture", message(15, (2, numbers(1, 1, 96, 5, 300, 0, 0)), (12, b"a file"),
                             (26, b"tcp port 80"), (27, numbers(1, 5, 0)))
    yield "unknown", message(77)


def call_format():
    def call(number, result, *arguments, memory=b"", form=0, room=40):
        head = number.to_bytes(2, "little") + bytes([form, room]) + host(4, result)
        return head + host(8, *arguments, *([0] * (6 - len(arguments)))) + memory
    text = b"/etc/passwd".ljust(64, b"\0") * 2
    iov = host(8, 0x1000, 5)
    msg = host(8, 0x2000, 16, 0x3000, 1, 0x4000, 24, 0)
    inet = b"\2\0" + (b"\2\0\0\x50\x7f\0\0\1" + bytes(8))
    rights = host(8, 20) + host(4, 1, 1)
    for form in (0, 1):
        yield f"openat{form}", call(257, 3, -100, 0x1000, 0x80000, memory=text, form=form)
        yield f"read{form}", call(0, 7, 3, 0x1000, 7, memory=b"a\n\xff\0\"\\b", form=form)
        yield f"sendmsg{form}", call(46, 5, 3, 0x1000, memory=msg + inet + iov + iov + b"hello" +
                                     rights + rights + host(4, 7), form=form)
        yield f"poll{form}", call(7, 1, 0x1000, 1, -1, memory=b"\0\0\0\0\1\0\1\0" * 2, form=form)
        yield f"sigaction{form}", call(13, 0, 2, 0x1000, 0, 8, memory=host(8, 1, 4, 0, 1), form=form)
        yield f"waitid{form}", call(247, 0, 0, 5, 0x1000, 4, memory=host(4, 17, 0, 1) +
                                    host(4, 17, 0, 1, 0, 5, 6, 7, *([0] * 25)), form=form)
        yield f"getdents{form}", call(217, 24, 3, 0x1000, 99, memory=bytes(16) + b"\x18\0" +
                                      bytes(16) + b"\x18\0" + b".\0\0\0\0" * 2, form=form)
        yield f"unknown{form}", call(500, -38, 1, 2, 3, form=form)


def view_segment():
    def segment(root, *records, kinds=3):
        places, memory = b"", b""
        for record in records:
            places += host(8, 20480 + 128 + len(memory), len(record))
            memory += record.ljust(-len(record) // 64 * -64, b"\0")
        header = host(8, 0x3174676553555556) + host(4, 1, kinds) + bytes(48) + host(8, root)
        return header + places.ljust(128, b"\0") + memory
    yield "empty", segment(1024 << 24 | 320)
    row = host(8, 1, 0, 5, 7) + b"/bin/true"
    yield "full", segment(1024 << 24 | 320, b"name".ljust(144, b"\0"), bytes(764), row)
    yield "outside", segment(1024 << 24 | 0xffffff, b"name")
    yield "cut", segment(1024 << 24 | 320, b"name", b"more")[:300]
    yield "many_kinds", segment(1024 << 24 | 320, b"a", b"b", b"c", b"d", b"e", kinds=1000)


def seccomp_filter():
    def program(*rows):
        call = host(4, 39, 0xc000003e) + host(8, 0x123456789abc, 1, 2, 3, 4, 5, 6)
        return call + b"".join(code.to_bytes(2, "little") + bytes([jt, jf]) + host(4, k)
                               for code, jt, jf, k in rows)
    deny, allow = (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7fff0000)
    yield "number", program((0x20, 0, 0, 0), (0x15, 0, 1, 39), deny, allow)
    yield "argument", program((0x20, 0, 0, 28), (0x02, 0, 0, 15), (0x20, 0, 0, 24), (0x61, 0, 0, 15),
                              (0x1c, 0, 0, 0), (0x16, 0, 0, 0))
    yield "jumps", program((0x05, 0, 0, 1), deny, (0x45, 1, 0, 3), (0x35, 0, 1, 9), (0x2d, 1, 0, 0),
                           allow, deny)
    yield "arithmetic", program((0x80, 0, 0, 0), (0x07, 0, 0, 0), (0x34, 0, 0, 3), (0x6c, 0, 0, 0),
                                (0x84, 0, 0, 0), (0x3c, 0, 0, 0), (0x87, 0, 0, 0), (0x16, 0, 0, 0))
    yield "refused", program((0x60, 0, 0, 3), (0x94, 0, 0, 0), (0x20, 0, 0, 64))


def main():
    for maker in (bpdu, call_format, capture_stream, control, decode, ether, exec_state, executable,
                  mgmt_session, offload, offload_join, ring, seccomp_filter, segment, takeover, vde_ring,
                  view_segment):
        folder = HERE / "corpus" / maker.__name__
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in maker():
            (folder / f"{name}.bin").write_bytes(data)


main()
