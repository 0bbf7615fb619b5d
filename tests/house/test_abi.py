# SPDX-License-Identifier: GPL-2.0-or-later
"""The binary interface of the plug libraries: names, sonames, sizes, beside Debian's build."""

import pathlib
import re
import subprocess

import pytest

from conftest import BUILD, ROOT, program_or_skip, run

LIB = BUILD / 'lib'
SYMBOLS = {
    'libvdeplug.so.2': {
        'vde_open_real', 'vde_recv', 'vde_send', 'vde_datafd', 'vde_ctlfd', 'vde_close',
        'vdestream_open', 'vdestream_send', 'vdestream_recv', 'vdestream_close',
        '__vde_version_tag'},
    'libvdeplug_mod.so.2': {
        'vde_parseparms', 'vde_parsepathparms', 'vde_parsenestparms', 'vde_find_in_hash',
        'vde_find_in_hash_update', 'vde_hash_delete', '_vde_hash_init', 'vde_hash_fini',
        'strtoullm', 'vde_grnam2gid'},
}
ADDED = {
    'libvdeplug.so.2': {
        'vde_strerror', 'vde_error_text', 'vde_features', 'vde_recv_batch', 'vde_send_batch',
        'vde_rx_get', 'vde_rx_put', 'vde_tx_get', 'vde_tx_commit', 'vde_busy_poll',
        'vde_open_tap'},
    'libvdeplug_mod.so.2': set(),
}
both = pytest.mark.parametrize('library', sorted(SYMBOLS))

# What the headers promise on a 64-bit machine: expression and value.
LAYOUT = {
    'LIBVDEPLUG_INTERFACE_VERSION': 1, 'VDE_MAXMTU': 9216, 'VDE_ETHBUFSIZE': 9234,
    'PACKET_LENGTH_ERROR': 1, 'MAXDESCR': 128,
    'sizeof(struct vde_open_args)': 24, 'offsetof(struct vde_open_args, port)': 0,
    'offsetof(struct vde_open_args, group)': 8, 'offsetof(struct vde_open_args, mode)': 16,
    'sizeof(struct vdeplug_module)': 56, 'offsetof(struct vdeplug_module, flags)': 0,
    'offsetof(struct vdeplug_module, vde_open_real)': 8,
    'offsetof(struct vdeplug_module, vde_recv)': 16,
    'offsetof(struct vdeplug_module, vde_send)': 24,
    'offsetof(struct vdeplug_module, vde_datafd)': 32,
    'offsetof(struct vdeplug_module, vde_ctlfd)': 40,
    'offsetof(struct vdeplug_module, vde_close)': 48,
    'offsetof(struct vdeconn, handle)': 0, 'offsetof(struct vdeconn, module)': 8,
    'offsetof(struct vdeconn, data)': 16,
    'sizeof(struct vdeparms)': 16, 'offsetof(struct vdeparms, tag)': 0,
    'offsetof(struct vdeparms, value)': 8,
}


def debian(library):
    """Debian's file of that name."""
    for directory in sorted(pathlib.Path('/usr/lib').glob('*-linux-gnu')):
        if (directory / library).exists():
            return directory / library
    pytest.skip(f"missing: Debian's {library} (tools/setup all installs it)")
    return None


def symbols(path):
    """{name: kind} of what a library defines for others; versions stay in the name."""
    done = run([program_or_skip('nm'), '-D', '--defined-only', path])
    assert done.returncode == 0, done.stdout
    return {line.split()[2]: line.split()[1] for line in done.stdout.splitlines()}


def kind(letter):
    """Code and data; whether data is writable does not concern those who read it."""
    return 'data' if letter in 'DRBV' else 'code'


@both
def test_symbols(library):
    """Exactly the promised names and our own, without versions."""
    assert set(symbols(LIB / library)) == SYMBOLS[library] | ADDED[library]


@both
def test_symbols_like_debian(library):
    """What Debian's build has, ours has, of the same kind."""
    ours = symbols(LIB / library)
    for name, letter in symbols(debian(library)).items():
        assert kind(ours.get(name, '?')) == kind(letter), name


@both
def test_soname(library):
    """The file name, the soname, and the link for the linker."""
    done = run([program_or_skip('objdump'), '-p', LIB / library])
    assert re.search(rf'SONAME\s+{re.escape(library)}\n', done.stdout)
    assert 'VERDEF' not in done.stdout and 'Version definitions' not in done.stdout
    assert (LIB / library).resolve().name == library.replace('.so.2', '.so.4.0.0')
    assert (LIB / library.removesuffix('.2')).resolve() == (LIB / library).resolve()


def test_version_tag():
    """A 64-bit 4."""
    import ctypes
    if b'libasan' in (LIB / 'libvdeplug.so.2').read_bytes():
        pytest.skip('a sanitized library cannot be loaded here')
    library = ctypes.CDLL(str(LIB / 'libvdeplug.so.2'))
    assert ctypes.c_uint64.in_dll(library, '__vde_version_tag').value == 4


def test_static_symbols():
    """The archive has the six calls and nothing else that a program could trip over."""
    done = run([program_or_skip('nm'), '-g', '--defined-only', LIB / 'libvdeplug.a'])
    names = {line.split()[2] for line in done.stdout.splitlines() if len(line.split()) == 3}
    assert names == {'vde_open_real', 'vde_recv', 'vde_send', 'vde_datafd', 'vde_ctlfd',
                     'vde_close'}


@pytest.mark.parametrize('headers', ['ours', 'debian'])
def test_layout(tmp_path, headers):
    """Constants, sizes and offsets, as our headers and as Debian's have them."""
    if headers == 'debian' and not pathlib.Path('/usr/include/libvdeplug_mod.h').exists():
        pytest.skip("missing: Debian's headers (package libvdeplug-dev)")
    source = tmp_path / 'layout.c'
    checks = '\n'.join(f'_Static_assert(({expression}) == {value}, "{expression}");'
                       for expression, value in LAYOUT.items())
    source.write_text('#include <stddef.h>\n#include <stdint.h>\n#include <sys/types.h>\n'
                      f'#include <libvdeplug.h>\n#include <libvdeplug_mod.h>\n{checks}\n')
    include = ['-I', ROOT / 'include'] if headers == 'ours' else []
    done = run([program_or_skip('gcc'), '-std=gnu17', *include, '-fsyntax-only', source])
    assert done.returncode == 0, done.stdout


def test_cplusplus(tmp_path):
    """A C++ program can include the header and calls C names."""
    source = tmp_path / 'plug.cc'
    source.write_text('#include <libvdeplug.h>\nint main() { return vde_close(nullptr) == 0; }\n')
    done = run([program_or_skip('g++'), '-I', ROOT / 'include', '-Wall', '-Werror', source, '-o',
                tmp_path / 'plug', f'-L{LIB}', '-lvdeplug', f'-Wl,-rpath,{LIB}'])
    if 'asan' in done.stdout:
        pytest.skip('a sanitized library cannot be linked here')
    assert done.returncode == 0, done.stdout
    assert subprocess.run([tmp_path / 'plug'], check=False).returncode == 0


def test_pkg_config():
    """vdeplug.pc, the name that other distributions use."""
    done = run([program_or_skip('pkg-config'), '--libs', '--cflags',
                BUILD / 'meson-private' / 'vdeplug.pc'])
    assert '-lvdeplug' in done.stdout
