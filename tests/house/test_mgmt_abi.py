# SPDX-License-Identifier: GPL-2.0-or-later
"""The management libraries against Debian's: names, sonames, symbols and their kinds."""

import functools
import pathlib
import re

import pytest

from conftest import BUILD, ROOT, program_or_skip, run

LIBRARIES = ('libvdemgmt', 'libvdehist', 'libvdesnmp')
every_library = pytest.mark.parametrize('name', LIBRARIES)

# What Debian's libraries export without being in a header: parts of their insides.
INTERNALS = re.compile(
    r'utm\w*|sgoto|vde_realpath|commandname|atab_\w+|nologin|counters_parse|cur_tv|init_tv|events|'
    r'_stats|mgmt_conn|mgmt_outbuf|mgmt_init|ports_init|stats_init|port_debug_handler')
# What ours has beyond.
ADDITIONS = {'vdemgmt_settimeout', 'vde_snmp_close'}


def debian(name):
    """Debian's library."""
    for folder in ('/usr/lib', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'):
        path = pathlib.Path(folder) / f'{name}.so.0'
        if path.exists():
            return path
    return pytest.skip(f'missing: {name}.so.0 (Debian package libvde0)')


def ours(name):
    """Our library."""
    return BUILD / 'lib' / f'{name}.so.0'


@functools.lru_cache(maxsize=None)
def symbols(path):
    """{name: 'T' function or 'D' object} of what a library defines."""
    done = run([program_or_skip('nm'), '-D', '--defined-only', path])
    assert done.returncode == 0, done.stdout
    found = {}
    for line in done.stdout.splitlines():
        kind, name = line.split()[-2:]
        found[name.split('@')[0]] = 'D' if kind in 'BDR' else kind
    return found


def dynamic(path, what):
    """Entries of the dynamic section."""
    text = run([program_or_skip('readelf'), '-d', path]).stdout
    return re.findall(rf'\({what}\).*\[(.*)\]', text)


@every_library
def test_every_function_is_there(name):
    """What Debian's exports and a program may use, ours exports, as the same kind of thing."""
    wanted = {symbol: kind for symbol, kind in symbols(debian(name)).items()
              if not INTERNALS.fullmatch(symbol)}
    assert len(wanted) > 5
    assert {symbol: symbols(ours(name)).get(symbol) for symbol in wanted} == wanted


@every_library
def test_nothing_else(name):
    """Ours exports its interface only."""
    assert set(symbols(ours(name))) <= set(symbols(debian(name))) | ADDITIONS
    header = (ROOT / 'include' / f'{name}.h').read_text()
    for symbol in symbols(ours(name)):
        assert re.search(rf'\b{symbol}\b', header), f'{symbol} is not in {name}.h'


@every_library
def test_soname(name):
    """The same, and without symbol versions."""
    assert dynamic(ours(name), 'SONAME') == dynamic(debian(name), 'SONAME') == [f'{name}.so.0']
    assert (BUILD / 'lib' / f'{name}.so').exists()


def test_needed():
    """libvdesnmp stands on libvdemgmt, so that it works on either side's."""
    assert 'libvdemgmt.so.0' in dynamic(ours('libvdesnmp'), 'NEEDED')
    assert 'libvdemgmt.so.0' in dynamic(debian('libvdesnmp'), 'NEEDED')


def test_prompt_is_the_programs():
    """libvdehist takes `prompt` from the program, and loads without it, too."""
    done = run([program_or_skip('nm'), '-D', '--undefined-only', ours('libvdehist')])
    assert re.search(r'^\s+[wv] prompt$', done.stdout, re.M)


@every_library
def test_pkg_config(name):
    """pkg-config finds it by the name that Debian's has."""
    package = name[3:]
    text = (BUILD / 'meson-private' / f'{package}.pc').read_text()
    assert f'-l{package}' in text and f'Name: {package}' in text
