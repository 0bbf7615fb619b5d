# SPDX-License-Identifier: GPL-2.0-or-later
"""What every file of the tree keeps: licence line, length, width, no leftovers.

Each test looks at all files and names every offender.
"""

import re

from conftest import ROOT, tracked

LIBRARY = ('base/', 'wire/', 'include/', 'vde/plug/', 'vde/plugins/', 'vde/mgmt/')
WITH_WHAT_THEY_TEST = (('tests', 'unit'), ('tests', 'fuzz'))
MAX_LINES = 1000
WIDTH = 112             # the limit; .clang-format aims at 100
BINARY = ('.bin', '.pcap', '.pcapng', '.png', '.gz')
# Spelled so that this file does not contain them.
LEFTOVERS = re.compile('|'.join((
    r'\bTO' r'DO\b', r'\bFIX' r'ME\b', r'\bX' r'XX\b', r'\bHA' r'CK\b', r'\bWI' r'P\b',
    r'\bfor ' r'now\b', r'/wo' r'rk/', r'/tmp/v' r's/')))


def is_script(path):
    """True for a file that starts with #!."""
    with open(ROOT / path, 'rb') as stream:
        return stream.read(2) == b'#!'


def texts():
    """Every text file; licences and what a fuzzer wrote are as they are."""
    return [path for path in tracked()
            if path.suffix not in BINARY and path.parts[0] != 'LICENSES'
            and path.parts[:3] != ('tests', 'fuzz', 'corpus')]


def sources(*suffixes):
    """C and Python files and scripts; only those of the suffixes if some are given."""
    return [path for path in texts()
            if path.suffix in (suffixes or ('.c', '.h', '.py')) or not suffixes and is_script(path)]


def lines_of(path):
    """[(number, line)] of a file."""
    return list(enumerate((ROOT / path).read_text(errors='replace').splitlines(), 1))


def licence_fault(path):
    """What is wrong with a file's licence line, '' if nothing is."""
    found = [matched[1] for _, line in lines_of(path)[:3]
             if (matched := re.search(r'SPDX-License-Identifier: (\S+)', line))]
    if not found:
        return 'no SPDX line'
    if not (ROOT / 'LICENSES' / f'{found[0]}.txt').exists():
        return f'{found[0]} is not in LICENSES'
    if path.parts[:2] in WITH_WHAT_THEY_TEST:
        return ''
    wanted = 'LGPL-2.1-or-later' if str(path).startswith(LIBRARY) else 'GPL-2.0-or-later'
    return '' if found == [wanted] else f'{found[0]}, should be {wanted}'


def test_there_are_files():
    """The tests below would pass without any."""
    assert len(sources('.c')) > 50 and len(sources('.py')) > 10


def test_licences():
    """Libraries are LGPL, programs and tools are GPL; debian/ has its copyright file."""
    faults = {str(path): licence_fault(path) for path in sources() if path.parts[0] != 'debian'}
    assert not {path: fault for path, fault in faults.items() if fault}


def test_length():
    """A file that grows past the limit is two files."""
    assert not [str(path) for path in sources() if len(lines_of(path)) >= MAX_LINES]


def test_width():
    """No line is wider than the limit, a tab being eight columns."""
    assert not [f'{path}:{number}' for path in sources() for number, line in lines_of(path)
                if len(line.expandtabs(8)) > WIDTH]


def test_indentation():
    """C is indented with tabs; the middle of a macro or a text is free."""
    assert not [f'{path}:{number}' for path in sources('.c', '.h') for number, line in lines_of(path)
                if not line.endswith('\\') and re.match(r' {8}|\t* +\t', line)]


def test_whitespace():
    """No trailing blanks, no carriage returns, one newline at the end."""
    assert not [f'{path}:{number}' for path in texts()
                for number, line in enumerate((ROOT / path).read_bytes().split(b'\n'), 1)
                if line != line.rstrip()]
    ends = {str(path): (ROOT / path).read_bytes()[-2:] for path in texts()}
    assert not [path for path, end in ends.items() if end and (end[-1:] != b'\n' or end == b'\n\n')]


def test_nothing_is_left_over():
    """Nothing is put off to later, and no path of one machine is in the tree."""
    assert not [f'{path}:{number}: {found[0]}' for path in texts()
                for number, line in lines_of(path) if (found := LEFTOVERS.search(line))]
