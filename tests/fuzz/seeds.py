#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the seed corpora of control, ether and bpdu anew (the files are in the tree)."""
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


def main():
    for maker in (bpdu, ether, control, mgmt_session):
        folder = HERE / "corpus" / maker.__name__
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in maker():
            (folder / f"{name}.bin").write_bytes(data)


main()
