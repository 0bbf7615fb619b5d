# SPDX-License-Identifier: GPL-2.0-or-later
"""What every file of the tree keeps: licence line, length, width, no leftovers."""

import re

import pytest

from conftest import ROOT, tracked

LIBRARY = ('base/', 'wire/', 'include/', 'vde/plug/', 'vde/plugins/', 'vde/mgmt/')
MAX_LINES = 1000
WIDTH = 110           # the limit; .clang-format aims at 100
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


SOURCES = [path for path in texts() if path.suffix in ('.c', '.h', '.py') or is_script(path)]
C_SOURCES = [path for path in SOURCES if path.suffix in ('.c', '.h')]


@pytest.mark.parametrize('path', SOURCES, ids=str)
def test_licence(path):
    """Libraries are LGPL, programs and tools are GPL; unit tests go with what they test."""
    head = (ROOT / path).read_text().splitlines()[:3]
    matched = [re.search(r'SPDX-License-Identifier: (\S+)', line) for line in head]
    licences = [found[1] for found in matched if found]
    assert licences, f'{path} has no SPDX line'
    if str(path).startswith(LIBRARY):
        assert licences == ['LGPL-2.1-or-later']
    elif path.parts[:2] not in (('tests', 'unit'), ('tests', 'fuzz')):
        assert licences == ['GPL-2.0-or-later']
    assert (ROOT / 'LICENSES' / f'{licences[0]}.txt').exists()


@pytest.mark.parametrize('path', SOURCES, ids=str)
def test_length(path):
    """A file that grows past the limit is two files."""
    assert len((ROOT / path).read_text().splitlines()) < MAX_LINES


@pytest.mark.parametrize('path', SOURCES, ids=str)
def test_width(path):
    """No line is wider than the limit, a tab being eight columns."""
    for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
        assert len(line.expandtabs(8)) <= WIDTH, f'{path}:{number}'


@pytest.mark.parametrize('path', C_SOURCES, ids=str)
def test_indentation(path):
    """C is indented with tabs."""
    for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
        if line.endswith('\\'):      # the middle of a macro or a text
            continue
        assert not line.startswith(' ' * 8), f'{path}:{number}'
        assert not re.search(r'^\t* +\t', line), f'{path}:{number}: blank before a tab'


@pytest.mark.parametrize('path', texts(), ids=str)
def test_whitespace(path):
    """No trailing blanks, no carriage returns, one newline at the end."""
    data = (ROOT / path).read_bytes()
    assert b'\r' not in data
    for number, line in enumerate(data.split(b'\n'), 1):
        assert line == line.rstrip(), f'{path}:{number}: trailing blank'
    assert not data or (data.endswith(b'\n') and not data.endswith(b'\n\n')), 'the end of the file'


@pytest.mark.parametrize('path', texts(), ids=str)
def test_nothing_left_over(path):
    """Nothing is put off to later, and no path of one machine is in the tree."""
    for number, line in enumerate((ROOT / path).read_text(errors='replace').splitlines(), 1):
        found = LEFTOVERS.search(line)
        assert not found, f'{path}:{number}: {found[0]!r}'
