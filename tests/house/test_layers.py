# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may use whom: each #include against the table of docs/architecture.md."""

import re

import pytest

from conftest import ROOT, tracked

ROW = re.compile(r'^\| `([a-z/]+)/` \| .* \| (.*?) ?\|$')
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def table():
    """{directory: set of directories it may use}, as the architecture page says."""
    rows = {}
    for line in (ROOT / 'docs/architecture.md').read_text().splitlines():
        if matched := ROW.match(line):
            words = matched[2].replace(' and ', ', ').split(', ')
            rows[matched[1]] = {word.strip() for word in words if word.strip()}
    return rows


TABLE = table()
# Tests are outside the house: they may look into everything.
OUTSIDE = ('tests', 'bench')


def layer_of(path):
    """The row a file belongs to: the longest directory of the table that it is under."""
    text = str(path)
    rows = [row for row in TABLE if text.startswith(row + '/')]
    return max(rows, key=len) if rows else None


def inside():
    """The C files that have to follow the table."""
    return [path for path in tracked('.c', '.h') if path.parts[0] not in OUTSIDE]


def test_the_table_was_found():
    """A page whose form changed would allow everything."""
    assert {'base', 'wire', 'include', 'vde/plug', 'vde/switch'} <= set(TABLE)
    assert TABLE['base'] == {'libc'}
    assert TABLE['wire'] == {'base'}


def test_every_source_is_in_a_layer():
    """A new directory needs its row."""
    assert not [str(path) for path in inside() if layer_of(path) is None]


@pytest.mark.parametrize('path', inside(), ids=str)
def test_includes(path):
    """A file names headers of its own directory, of allowed layers, and public headers."""
    layer = layer_of(path)
    for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
        matched = INCLUDE.match(line)
        if not matched:
            continue
        name = matched[1]
        where = f'{path}:{number}: {name}'
        if '/' not in name:
            assert (ROOT / path).with_name(name).exists() or (ROOT / 'include' / name).exists(), (
                f'{where}: headers are named with their directory')
            continue
        assert (ROOT / name).exists(), f'{where}: no such header'
        used = layer_of(name)
        assert used == layer or used in TABLE[layer], (
            f'{where}: {layer} may use {", ".join(sorted(TABLE[layer]))}, not {used}')
