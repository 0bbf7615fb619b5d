# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables of system calls: what the generator refuses, and whether the kernel's headers agree."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from conftest import BUILD, ROOT, program_or_skip, run

RESIDENT = ROOT / 'vuos' / 'resident'
MADE = BUILD / 'vuos' / 'resident'
TABLES = ('calls.tbl', 'errors.tbl', 'structs.tbl', 'values.tbl')
sys.path.insert(0, str(RESIDENT))
sys.dont_write_bytecode = True

import call_tables  # noqa: E402 (the path above comes first)


@pytest.fixture(scope='module', name='tables')
def read_tables():
    """The tables of the tree, without a fault."""
    tables = call_tables.Tables(RESIDENT)
    assert not tables.faults
    return tables


def number_of_row(text, name):
    """Line number of a row, for what is said about it."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf'(\d+ |constants |flags )?{name}\b', line):
            return number
    raise AssertionError(name)


# table, what is replaced, by what, near which row, what is said
WRONG = [
    ('calls.tbl', '39 getpid', '40 getpid', 'getpid', 'row of number 39 is missing'),
    ('calls.tbl', '39 getpid', '38 getpid', 'getpid', 'number 38 is here twice'),
    ('calls.tbl', '39 getpid', '39 getppid', '110 getppid', 'getppid is here twice'),
    ('calls.tbl', '337-423 reserved', '337-422 reserved', '424 pidfd_send_signal', 'number 423 is missing'),
    ('calls.tbl', 'getpid process', 'getpid procession', 'getpid', 'no class "procession"'),
    ('calls.tbl', 'getpid process native native', 'getpid process native maybe', 'getpid',
     'no support level "maybe"'),
    ('calls.tbl', 'getpid process native', 'getpid process identity', 'getpid', 'handler identity'),
    ('calls.tbl', 'refused:EPERM : entries', 'refused:ENONE : entries', 'io_uring_setup', 'which error'),
    ('calls.tbl', 'getpid process native native : -> pid', 'getpid process native native : -> pud', 'getpid',
     'no type "pud"'),
    ('calls.tbl', '-> pid ; as CLONE_VM', 'pid ; as CLONE_VM', 'vfork', 'not NUMBER NAME CLASS'),
    ('calls.tbl', 'fd fd slot, buf buffer out', 'fd fd, buf buffer out', 'read', 'on a virtual descriptor?'),
    ('calls.tbl', 'buf buffer out [result<=count], count size -> size', 'buf buffer out, count size -> size',
     'read', 'a buffer without a limit'),
    ('calls.tbl', 'buf buffer in [count], count size -> size', 'buf buffer in [cnt], count size -> size',
     'write', 'its limit cnt is not an argument'),
    ('calls.tbl', 'buf buffer in [count], count size -> size', 'buf buffer in [fd], count size -> size',
     'write', 'its limit fd is not a number'),
    ('calls.tbl', 'upeer_sockaddr sockaddr out [*upeer_addrlen]', 'upeer_sockaddr sockaddr out [upeer_addrlen]',
     'accept', 'is not a number'),
    ('calls.tbl', 'buf buffer in [count], count size -> size', 'buf buffer [count], count size -> size',
     'write', 'in, out or inout?'),
    ('calls.tbl', 'buf buffer in [count], count size -> size', 'buf buffer in [count], count size in -> size',
     'write', 'a direction without memory'),
    ('calls.tbl', 'buf buffer in [count], count size -> size', 'buf bufer in [count], count size -> size',
     'write', 'no type "bufer"'),
    ('calls.tbl', 'pathname path in nofollow -> int', 'pathname path in -> int', 'rmdir', 'followed or not'),
    ('calls.tbl', 'statbuf stat* out -> int', 'statbuf stat -> int', 'stat', 'a structure in a register'),
    ('calls.tbl', 'pathname path in at dfd nofollow, mode mode', 'pathname path in at dir nofollow, mode mode',
     'mkdirat', 'no argument dir'),
    ('calls.tbl', 'follow-unless flags.O_NOFOLLOW', 'follow-unless flags.O_FOLLOW', 'open', 'no flag O_FOLLOW'),
    ('calls.tbl', 'when cmd TCGETS :', 'when cmd TCGETTY :', None, 'ioctl_cmd has no TCGETTY'),
    ('calls.tbl', 'when cmd TCGETS :', 'when command TCGETS :', None, 'ioctl has no argument command'),
    ('calls.tbl', 'when cmd TCGETS : arg', 'when cmd TCGETS : argp', None, 'ioctl has no argument argp'),
    ('calls.tbl', 'when flags&0x400040 0 :', 'when flags&0x400040 1 :', None, 'never fits'),
    ('calls.tbl', '', 'nonsense', None, None),
    ('values.tbl', 'flags open_flags', 'flag open_flags', None, 'a set begins with'),
    ('values.tbl', 'constants signal ', 'constants clone_flags ', None, 'clone_flags exists already'),
    ('values.tbl', 'SEEK_CUR=1', 'SEEK_SET=1', None, 'SEEK_SET is here twice'),
    ('values.tbl', 'SEEK_CUR=1', 'SEEK_CUR=one', None, '"one" is not a number'),
    ('values.tbl', 'O_RDWR=2', 'O_RDWR=4', None, 'does not fit'),
    ('structs.tbl', 'tv_sec s64, tv_nsec s64', 'tv_sec s65, tv_nsec s64', 'timespec', 'no type "s65"'),
    ('structs.tbl', 'tv_sec s64, tv_nsec s64', 'tv_sec s64, tv_sec s64', 'timespec', 'tv_sec is here twice'),
    ('structs.tbl', 'iov_base buffer [result<=iov_len]', 'iov_base buffer', 'iovec', 'without a limit'),
    ('structs.tbl', 'sysname chars x65', 'sysname chars x465', 'utsname', 'larger than'),
    ('errors.tbl', '2\tENOENT', '1\tENOENT', None, 'ENOENT or its number is here twice'),
]


@pytest.mark.parametrize('table, old, new, row, said', WRONG, ids=[f'{case[0]}-{case[2]}' for case in WRONG])
def test_fault_is_found(tmp_path, table, old, new, row, said):
    """One change makes a table wrong; the generator says where and why, and writes nothing."""
    for name in TABLES:
        shutil.copy(RESIDENT / name, tmp_path)
    text = (tmp_path / table).read_text()
    if said is None:
        old, new, said = text, text + '\tnonsense\n', 'neither "; NOTE" nor "when'
    assert old in text
    text = text.replace(old, new, 1)
    (tmp_path / table).write_text(text)
    done = run([sys.executable, RESIDENT / 'gen_calls.py', 'source', tmp_path, tmp_path / 'out.c'])
    assert done.returncode == 1 and not (tmp_path / 'out.c').exists()
    faults = [line for line in done.stdout.splitlines() if said in line]
    assert faults, done.stdout
    assert re.match(rf'{re.escape(str(tmp_path / table))}:\d+: ', faults[0])
    if row:
        assert int(faults[0].split(':')[1]) == number_of_row(text, row), faults[0]


def kernel_numbers():
    """{name: number} as the installed header has them."""
    done = run([program_or_skip('gcc'), '-E', '-dM', '-include', 'asm/unistd_64.h', '-x', 'c', '/dev/null'])
    return {name: int(number) for name, number in re.findall(r'#define __NR_(\w+) (\d+)\n', done.stdout)}


def test_numbers(tables):
    """Every call that the header has is in the table under its number, and the newest, too."""
    numbers = kernel_numbers()
    assert len(numbers) > 350
    ours = {call.name: number for number, call in tables.calls.items() if call}
    assert {name: ours.get(name) for name in numbers} == numbers
    assert ours['file_setattr'] == tables.last == 469
    assert sorted(tables.calls) == list(range(470))


def compile_asserts(headers, checks):
    """Compiles {what: expression that must be true}; what the headers do not know is returned."""
    unknown = set()
    lines = ['#define _GNU_SOURCE', '#include <stddef.h>', *(f'#include {header}' for header in headers)]
    lines += [f'_Static_assert({expression}, "{what}");' for what, expression in checks.items()]
    done = subprocess.run([program_or_skip('gcc'), '-std=gnu17', '-w', '-fsyntax-only', '-fmax-errors=0',
                           '-x', 'c', '-'], input='\n'.join(lines), capture_output=True, text=True, check=False,
                          env={'PATH': '/usr/bin:/bin', 'LC_ALL': 'C'})
    for message in re.findall(r'error: (.*)', done.stderr):
        missing = re.match(r"'(\w+)' undeclared", message)
        assert missing or 'not an integer' in message or 'not constant' in message, (headers, message)
        if missing:
            unknown.add(missing[1])
    return unknown


def installed(headers):
    """Those of the headers that are there."""
    return [name for name in headers if any(
        (folder / name[1:-1]).exists() for folder in map(
            type(ROOT), ('/usr/include', '/usr/include/x86_64-linux-gnu')))]


def test_values(tables):
    """Each name has the value that the headers give it; few are newer than the headers."""
    unknown = total = 0
    for type_ in tables.types.values():
        headers = installed(type_.headers)
        names = {value.name: value.value for value in type_.values}
        if not names:
            continue
        assert type_.headers, f'{type_.name}: where are its names defined?'
        total += len(names)
        all_ones = (1 << 8 * type_.size) - 1
        unknown += len(compile_asserts(headers, {
            name: f'((unsigned long)({name}) & {all_ones:#x}ul) == {value:#x}ul' if not type_.numbered else
            f'1ul << (({name}) % {8 * type_.size}) == {value:#x}ul'
            for name, value in names.items()}))
    assert total > 2000 and unknown < total / 10, (unknown, total)


def layout_checks(type_):
    """Size of a structure, place and size of its members, as expressions."""
    c_type = type_.c_type
    complete = not any(member.name in ('_pad', 'parent_fd') for member in type_.members)
    checks = {f'{type_.name}': f'sizeof({c_type}) == {type_.size}'} if complete else {}
    for member in type_.members:
        if member.hidden and member.name.startswith(('pad', '_', 'unused', 'rest', 'res', 'fsx_')):
            continue
        checks[f'{type_.name}.{member.name}'] = f'offsetof({c_type}, {member.name}) == {member.offset}'
    return checks


def test_layouts(tables):
    """Structures are as the headers have them."""
    checked = 0
    for type_ in tables.types.values():
        if type_.members and type_.c_type:
            assert not compile_asserts(type_.headers, layout_checks(type_)), type_.name
            checked += 1
    assert checked > 50


def test_list_for_conformance(tables):
    """calls.json has each call, and of memory its size or limit."""
    listed = json.loads((MADE / 'calls.json').read_text())
    assert [call['number'] for call in listed] == [
        number for number, call in sorted(tables.calls.items()) if call]
    for call in listed:
        for argument in call['arguments']:
            if 'memory' in argument:
                assert 'limit' in argument or 'element_size' in argument or argument['type'] in (
                    'path', 'string', 'strings'), (call['name'], argument)


def test_page(tables):
    """The page names every call once, and scdoc takes it."""
    text = (MADE / 'vuos_calls.7.scd').read_text()
    assert run([program_or_skip('scdoc')], input=text).returncode == 0
    rows = re.findall(r'^\|  (\S+)$', text.replace('\\', ''), re.M)
    assert sorted(rows) == sorted(call.name for call in tables.calls.values() if call)


def test_freestanding_object():
    """Nothing is called but what every compiler may call, and constant data needs no relocation."""
    archive = MADE / 'libvscalls.a'
    wanted = run([program_or_skip('nm'), '-u', archive]).stdout
    if '__asan' in wanted or '__ubsan' in wanted:
        pytest.skip('a sanitized build')
    symbols = set(re.findall(r'^\s+U (\S+)$', wanted, re.M))
    foreign = {name for name in symbols if not name.startswith('call_')}
    assert foreign <= {'memcpy', 'memset', 'memmove', 'memcmp', '_GLOBAL_OFFSET_TABLE_'}
    tables, code = set(), set()
    for line in run([program_or_skip('readelf'), '-rW', archive]).stdout.splitlines():
        if line.startswith('File:'):
            kinds = tables if 'calls_table' in line else code
        elif line.startswith('Relocation section'):
            constant = re.search(r"'\.rela\.(rodata|data)", line)
        elif (matched := re.match(r'[0-9a-f]{8,} +[0-9a-f]+ (R_\w+)', line)) and constant:
            kinds.add(matched[1])
    assert not tables
    assert code <= {'R_X86_64_PC32'}        # tables of jumps, done with when linked


def test_every_call_has_a_case():
    """A row that says `native` or `handled` has a case: those that are swept, and those that others name."""
    folder = ROOT / 'tests' / 'conformance'
    swept = re.findall(r'^\{ "\w+", "(\w+)"', (BUILD / 'tests/conformance/sweep_calls.h').read_text(), re.M)
    text = '\n'.join(path.read_text() for path in folder.glob('*.c') if path.name != 'sweep.c')
    listed = json.loads((MADE / 'calls.json').read_text())
    assert len(swept) > 300
    assert not [call['name'] for call in listed if call['level'] in ('native', 'handled')
                and call['name'] not in swept
                and not re.search(rf'\b(SYS_{call["name"]}\b|{call["name"]} ?[(,]|CALL\({call["name"]}\b)',
                                  text)]
    # What we do something for has been made with what it is for. (The newest have no name in the headers.)
    assert not [call['name'] for call in listed if call['level'] == 'handled' and call['number'] < 460
                and not re.search(rf'\b(SYS_)?{call["name"]}\b', text)]
