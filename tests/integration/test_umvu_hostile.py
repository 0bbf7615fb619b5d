# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile ELF files, scripts and environments: executed bare and inside, with the same error or end.

VS_STORM multiplies the number of ELF files (default 1: some seconds); the seed is in the message.
"""

import os
import platform
import random
import struct
import subprocess

import pytest

from vslib.proc import PATIENCE
from vslib.sides import BUILD

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

PROGRAM = BUILD / 'tests/conformance/execs'
SCALE = float(os.environ.get('VS_STORM', '1'))
WAYS = ('dispatch', 'filter')
FILES = int(400 * SCALE)
LIMIT = (60 + 0.1 * FILES) * PATIENCE       # seconds


def outcomes(lab, ours, directory, count, way):
    """What execs says of each file, in order."""
    command = [PROGRAM, directory, str(count)]
    if way != 'bare':
        command = [ours.program('umvu'), f'--trap={way}', *command]
    done = subprocess.run(command, cwd=lab.dir, env=lab.env(), capture_output=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, (way, done.returncode, done.stderr[-2000:])
    lines = done.stdout.decode(errors='replace').splitlines()
    assert len(lines) == count
    return lines


def compare(lab, ours, files, describe=repr):
    """Executes files (bytes) bare and inside, and says each that differs. Returns the bare lines."""
    directory = lab.path('files')
    os.mkdir(directory)
    for number, content in enumerate(files):
        path = os.path.join(directory, str(number))
        with open(path, 'wb') as stream:
            stream.write(content)
        os.chmod(path, 0o755)
    bare = outcomes(lab, ours, directory, len(files), 'bare')
    for way in WAYS:
        inside = outcomes(lab, ours, directory, len(files), way)
        wrong = [f'{way} {line!r}, bare {expected!r}: {describe(number)}'
                 for number, (line, expected) in enumerate(zip(inside, bare)) if line != expected]
        assert not wrong, '\n'.join(wrong[:20]) + f'\n{len(wrong)} of {len(files)}'
    return bare


# --- scripts ------------------------------------------------------------------------------------


def script_lines():
    """First lines of every odd form. T is a program that writes its arguments."""
    there = str(PROGRAM).encode()
    forms = (b'#!T', b'#!T\n', b'#!T @show', b'#!T @show\n', b'#! T @show\n', b'#!\t T\t@show \t\n',
             b'#!T @show one two  three \n', b'#!T @show\r\n', b'#!T\r\n', b'#!T @show\0more\n',
             b'#!T\0 @show\n', b'#!T \0 @show\n', b'#!T @show\n\n', b'#!T @show #!\n', b'#!T @show \xff\xfe\n',
             b'#!T  \n', b'#!T\x0b@show\n', b'#!/tmp/../T @show\n', b'#!"T" @show\n', b'# !T', b' #!T',
             b'\n#!T')
    yield from (form.replace(b'T', there) for form in forms)
    yield from (b'', b'#', b'#!', b'#!\n', b'#! \n', b'#!\t \t\n', b'#!\0\n', b'#!\0', b'#!/\n', b'#!.\n',
                b'#!..\n', b'#!/nowhere/at/all\n', b'#!/etc/passwd\n', b'#!/etc/passwd/x\n', b'#!/dev/null\n',
                b'#!/dev/zero x\n', b'#!/bin\n', b'#!execs @show\n', b'#!/proc/self/exe @show\n', b'\x7fELF',
                b'\x7fELF\x02\x01\x01\n', b'MZ\x90\0', b'\xca\xfe\xba\xbe', b':\n', b'exit 3\n', b'\0' * 300,
                b'#!' + b' ' * 300 + b'\n', b'#!' + b'x' * 254, b'#!' + b'x' * 253 + b'\n',
                b'#!/' + b'x' * 300 + b'\n')
    for length in range(250, 262):      # what the kernel reads of a file ends at 256 bytes
        for end in (b'', b'\n', b' ', b' \n', b'\0'):
            line = b'#!' + there + b' @show'
            yield line + b'y' * (length - len(line) - len(end)) + end
            yield b'#!' + there + b' ' * (length - len(there) - 2 - len(end)) + end
            yield (b'#!' + b' ' * 300)[:length - len(there) - len(end)] + there + end
            yield (b'#!/' + b'.//' * 100)[:length - len(end)] + end


def test_scripts(lab, ours):
    """The same interpreter with the same arguments, or the same error."""
    lines = list(script_lines())
    bare = compare(lab, ours, lines, lambda number: lines[number])
    assert len({line.partition(' ')[2] for line in bare}) > 20


@pytest.mark.parametrize('depth', range(1, 8))
def test_scripts_of_scripts(lab, ours, depth):
    """Interpreters that are scripts, up to too many of them."""
    files = [b'#!' + str(PROGRAM).encode() + b' @show0\n']
    directory = lab.path('files').encode()
    for level in range(1, depth):
        files.append(b'#!%s/%d @show%d\n' % (directory, level - 1, level))
    compare(lab, ours, files, lambda number: files[number])


# --- environments -------------------------------------------------------------------------------

ENVIRONMENTS = {
    'ours': ['_VU=5', 'A=1'],
    'ours-twice': ['_VU=', '_VU=/x', '_VUX=1'],
    'ours-number': ['_VU=99999999999999999999'],
    'odd': ['', '=', '=x', 'A', 'A=', 'A=1', 'A=2', '\xff\x01='],
    'none': [],
    'many': [f'V{n}={n}' for n in range(3000)],
    'long': ['L=' + 'x' * 100000],
    'loader': ['LD_BIND_NOW=1', 'GLIBC_TUNABLES=glibc.malloc.check=1'],
}
EXECUTE = '''
import ctypes, sys
words = [line.encode("latin-1") for line in sys.stdin.read().split("\\0")[:-1]]
argv = (ctypes.c_char_p * 3)(b"x", b"@show", None)
ctypes.CDLL(None).execve(sys.argv[1].encode(), argv, (ctypes.c_char_p * (len(words) + 1))(*words, None))
'''


@pytest.mark.parametrize('name', ENVIRONMENTS)
def test_environments(lab, ours, name):
    """What a program gets as environment is what it was executed with, by umvu and by a program inside."""
    command = ['/usr/bin/python3', '-S', '-c', EXECUTE, PROGRAM]
    words = ENVIRONMENTS[name]
    wanted = '(x)(@show)' + ''.join('{' + word + '}' for word in words)
    for way in ('bare', *WAYS):
        inside = [] if way == 'bare' else [ours.program('umvu'), f'--trap={way}']
        done = subprocess.run([*inside, *command], input=''.join(word + '\0' for word in words).encode('utf-8'),
                              capture_output=True, env=lab.env(), timeout=20 * PATIENCE, check=False)
        assert (done.returncode, done.stdout.decode('latin-1')) == (0, wanted), (way, done.stderr)


# --- ELF files ----------------------------------------------------------------------------------

PAGE = 0x1000
LOAD, DYNAMIC, INTERP, NOTE, PHDR, TLS, STACK = 1, 2, 3, 4, 6, 7, 0x6474e551
HEAD, ROW = struct.Struct('<16sHHIQQQIHHHHHH'), struct.Struct('<IIQQQQQQ')
HEAD_FIELDS = ('ident', 'type', 'machine', 'version', 'entry', 'phoff', 'shoff', 'flags', 'ehsize', 'phentsize',
               'phnum', 'shentsize', 'shnum', 'shstrndx')
ROW_FIELDS = ('type', 'flags', 'offset', 'vaddr', 'paddr', 'filesz', 'memsz', 'align')
# It ends with status 42 plus what is at the first and last byte of its variables, which are zero.
DATA, BSS_LEN = 0x2000, 0x3000


def code():
    """No-ops, and exit(42 + bytes of bss)."""
    at = 0x100
    text = bytearray(b'\x90' * at)
    for variable in (DATA + 0x800, DATA + BSS_LEN - 1):
        text += b'\x0f\xb6\x05' + struct.pack('<i', variable - (0x1000 + len(text) + 7))    # movzbl
        text += b'\x01\xc7' if variable != DATA + 0x800 else b'\x89\xc7'
    text += b'\x83\xc7\x2a\xb8\x3c\0\0\0\x0f\x05'
    return bytes(text)


def elf(kind, interpreter=None):
    """(head fields, rows, body from 0x1000 on) of a small program; kind 2: at a fixed place, 3: anywhere."""
    base = 0x400000 if kind == 2 else 0
    head = dict(zip(HEAD_FIELDS, (b'\x7fELF\x02\x01\x01' + bytes(9), kind, 62, 1, base + 0x1000, HEAD.size,
                                  0, 0, HEAD.size, ROW.size, 0, 64, 0, 0)))
    rows = [(LOAD, 4, 0, base, base, 0x400, 0x400, PAGE),
            (LOAD, 5, 0x1000, base + 0x1000, base, 0x400, 0x400, PAGE),
            (LOAD, 6, 0x2000, base + DATA, base, 0x800, BSS_LEN, PAGE), (STACK, 6, 0, 0, 0, 0, 0, 16)]
    body = code().ljust(0x1000, b'\x90') + b'\x55' * 0x800
    if interpreter:
        rows.insert(0, (INTERP, 4, 0x300, base + 0x300, base, len(interpreter) + 1, len(interpreter) + 1, 1))
    return head, [dict(zip(ROW_FIELDS, row)) for row in rows], body


def pack(head, rows, body, interpreter=b''):
    """The file's bytes."""
    head = {**head, 'phnum': head['phnum'] or len(rows)}
    text = HEAD.pack(*(head[name] for name in HEAD_FIELDS))
    text += b''.join(ROW.pack(*(row[name] for name in ROW_FIELDS)) for row in rows)
    return text.ljust(0x300, b'\0') + interpreter.ljust(0xd00, b'\0') + body


SIZES = {'Q': 8, 'I': 4, 'H': 2}
NUMBERS = (0, 1, 2, 3, 7, 8, 15, 16, 56, 64, 0xfff, 0x1000, 0x1001, 0x2000, 0x3000, 0x10000, 0x400000, 0x401000,
           0x7fffffff, 0x80000000, 0xffffffff, 1 << 32, 1 << 46, 1 << 47, (1 << 47) - 0x1000, 1 << 62, 1 << 63,
           (1 << 64) - 0x1000, (1 << 64) - 1)       # not the resident's own place, which is taken


def other_number(chance, old, size):
    """A number near the old one, or a special one."""
    new = chance.choice((*NUMBERS, old + 1, old - 1, old + 0x1000, old - 0x1000, old ^ 0x800, old * 2,
                         old + 0x800, old ^ 1 << chance.randrange(8 * size)))
    return new & ((1 << 8 * size) - 1)


def is_vast(text):
    """A segment that ends, or an alignment that puts it, where the machine's limits and the user decide."""
    rows = [ROW.unpack_from(text, HEAD.size + n * ROW.size) for n in range(8)
            if len(text) >= HEAD.size + (n + 1) * ROW.size]
    return any(row[0] == LOAD and (1 << 33 <= row[3] + row[6] < 1 << 46 or row[7] >= 1 << 46) for row in rows)


def mutate(chance, interpreters):
    """A hostile file, and what was done to it."""
    kind = chance.choice((2, 3))
    interpreter = chance.choice((None, None, *interpreters))
    head, rows, body = elf(kind, interpreter)
    done = [f'kind {kind} interpreter {interpreter}']
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
        what = chance.random()
        row = chance.choice(rows)
        if what < 0.6:
            name = chance.choice(ROW_FIELDS)
            row[name] = other_number(chance, row[name], 4 if name in ('type', 'flags') else 8)
            done.append(f'row {rows.index(row)} {name} {row[name]:#x}')
        elif what < 0.85:
            name = chance.choice(HEAD_FIELDS[1:])
            size = 8 if name in ('entry', 'phoff', 'shoff') else 4 if name in ('version', 'flags') else 2
            head[name] = other_number(chance, head[name], size)
            done.append(f'head {name} {head[name]:#x}')
        elif what < 0.9:
            rows.append(dict(row))
            done.append(f'row {rows.index(row)} twice')
        elif what < 0.95:
            rows.remove(row)
            rows.insert(0, row)
            done.append('a row first')
        elif len(rows) > 1:
            rows.remove(row)
            done.append('a row less')
    text = bytearray(pack(head, rows, body, interpreter or b''))
    if chance.random() < 0.15:
        at = chance.randrange(0x200)
        text[at] ^= 1 << chance.randrange(8)
        done.append(f'byte {at:#x}')
    if chance.random() < 0.1:
        del text[chance.choice((chance.randrange(0x40), chance.randrange(0x300), chance.randrange(len(text)))):]
        done.append(f'{len(text)} bytes')
    return mutate(chance, interpreters) if is_vast(text) else (bytes(text), '; '.join(done))


def interpreters_of(lab):
    """Dynamic loaders: one that works, at a fixed place and anywhere, and names of what is none."""
    names = []
    for name, kind in (('loader', 3), ('fixed', 2)):
        head, rows, body = elf(kind)
        if kind == 2:
            head['entry'] += 0x10000000
            for row in rows:
                row['vaddr'] += 0x10000000
        names.append(lab.write(name, pack(head, rows, body), 0o755).encode())
    return (*names, b'/nowhere', b'/', b'/dev/null', b'', lab.write('text', '#!/bin/sh\n', 0o755).encode(),
            lab.write('plain', pack(*elf(3)), 0o644).encode())


def test_elf_files_that_are_right(lab, ours):
    """The templates themselves end with 42, so that what is made of them says something."""
    names = interpreters_of(lab)
    files = [pack(*elf(2)), pack(*elf(3))]
    files += [pack(*elf(kind, name), name) for kind in (2, 3) for name in names[:2]]
    assert [line.partition(' ')[2] for line in compare(lab, ours, files)] == ['42 '] * len(files)


@pytest.mark.timeout(LIMIT * 4)
def test_elf_files(lab, ours):
    """Thousands of them outside CI."""
    seed = int(os.environ.get('VS_SEED', '0')) or (random.randrange(1, 1 << 30) if SCALE > 1 else 1)
    chance, names = random.Random(seed), interpreters_of(lab)
    made = [mutate(chance, names) for _ in range(FILES)]
    bare = compare(lab, ours, [text for text, _ in made], lambda number: f'{made[number][1]} (seed {seed})')
    ends = {line.partition(' ')[2] for line in bare}
    assert {'42 ', '250 ENOEXEC'} <= ends and len(ends) > 5
