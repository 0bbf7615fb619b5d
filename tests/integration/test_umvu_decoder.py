# SPDX-License-Identifier: GPL-2.0-or-later
"""The decoder that patching rests on, against a disassembler (tests/conformance/decoder.c).

VS_DECODER=all looks at every program and library of the machine, which takes minutes; without it at
the C library, the dynamic loader, and some dozens of programs.
"""

import os
import pathlib
import platform
import re
import subprocess

import pytest

from vslib.sides import BUILD, lacking

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

PROGRAM = BUILD / 'tests/conformance/decoder'
ALL = os.environ.get('VS_DECODER') == 'all'
SUMMARY = re.compile(r'(\d+) calls: (\d+) with the number before, (\d+) with what is moved, (\d+) trapped; '
                     r'(\d+) wrong\n$')
LIMIT = 3600 if ALL else 120    # seconds
SOME = 150                      # programs and libraries
SOME_SIZE = 4 << 20             # bytes each, at most


def decode(files):
    """What the program says of the files: (calls, number before, moved, trapped), when nothing is wrong."""
    if not PROGRAM.exists():
        lacking('libzydis-dev, when this was built')
    done = subprocess.run([PROGRAM, *files], capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    return [int(number) for number in SUMMARY.search(done.stdout).groups()[:4]]


def libc():
    """The C library's file, as a program of this machine has it mapped."""
    for line in pathlib.Path('/proc/self/maps').read_text(encoding='utf-8').splitlines():
        if '/libc.so' in line or '/libc-2' in line:
            return line.split()[-1]
    return lacking('a C library of its own file')


@pytest.mark.timeout(LIMIT)
def test_the_c_library():
    """Right at each call, and nearly all of them are patched."""
    calls, number, moved, trapped = decode([libc()])
    assert calls > 400 and trapped == calls - number - moved
    assert (number + moved) / calls >= 510 / 526


@pytest.mark.timeout(LIMIT)
def test_programs():
    """Programs and libraries, linked statically or not, of each language that the machine has."""
    found = []
    for folder in ('/usr/bin', '/usr/sbin', '/usr/lib' if ALL else pathlib.Path(libc()).parent):
        for path in sorted(pathlib.Path(folder).glob('**/*' if ALL else '*')):
            if path.is_file() and not path.is_symlink() and (ALL or 8192 < path.stat().st_size < SOME_SIZE):
                found.append(path)
    always = [path for path in found if path.name in ('busybox', 'ldconfig', 'ld-linux-x86-64.so.2', 'gdb')]
    chosen = found if ALL else always + found[::max(1, len(found) // SOME)]
    calls = [0] * 4
    for begin in range(0, len(chosen), 200):
        part = decode(chosen[begin:begin + 200])
        calls = [one + other for one, other in zip(calls, part)]
    print('calls, number before, moved, trapped:', *calls)
    assert len(chosen) > 20
