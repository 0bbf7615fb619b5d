# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may use whom: each #include against the table of docs/architecture.md."""

import re

from conftest import BUILD, ROOT, tracked

ROW = re.compile(r'^\| `([a-z/]+)/` \| .* \| (.*?) ?\|$')
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
SYSTEM_INCLUDE = re.compile(r'^\s*#\s*include\s+<([^>]+)>')
# What the compiler itself brings, and the kernel: all there is without a libc.
FREESTANDING = re.compile(r'(stdarg|stdbool|stddef|stdint)\.h|(linux|asm|asm-generic)/.*')


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


def fault(path, name):
    """What is wrong with one #include of a file, '' if nothing is."""
    layer = layer_of(path)
    if '/' not in name:
        if (ROOT / path).with_name(name).exists() or (ROOT / 'include' / name).exists():
            return ''
        return 'headers are named with their directory'
    if not (ROOT / name).exists() and not (BUILD / name).exists():
        return 'no such header'
    used = layer_of(name)
    if used == layer or used in TABLE[layer]:
        return ''
    return f'{layer} may use {", ".join(sorted(TABLE[layer]))}, not {used}'


def test_includes():
    """A file names headers of its own directory, of allowed layers, and public headers."""
    faults = {}
    count = 0
    for path in inside():
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
            if matched := INCLUDE.match(line):
                count += 1
                faults[f'{path}:{number}: {matched[1]}'] = fault(path, matched[1])
    assert count > 100
    assert not {where: text for where, text in faults.items() if text}


def test_freestanding():
    """A layer that may use kernel headers, and not libc, includes no header of libc."""
    layers = {layer for layer, used in TABLE.items() if 'kernel headers' in used}
    assert 'vuos/resident' in layers
    assert not [f'{path}:{number}: {matched[1]}' for path in inside() if layer_of(path) in layers
                for number, line in enumerate((ROOT / path).read_text().splitlines(), 1)
                if (matched := SYSTEM_INCLUDE.match(line)) and not FREESTANDING.fullmatch(matched[1])]
