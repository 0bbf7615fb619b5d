# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases for a processor that the machine may not have: in an emulated guest, bare and under umvu.

An emulator has protection keys. The guest has nothing but busybox, umvu, and the cases.
"""

import pathlib
import platform
import re
import subprocess

import pytest

from vslib.guest import archive, kernel_path
from vslib.proc import run
from vslib.sides import BUILD, tool

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

BOOT_SECONDS = 100
CASES = BUILD / 'tests/conformance/conformance_static'
WAYS = ('bare', '--trap=dispatch', '--trap=filter', '--patch=first', '--patch=never')

INIT = '''#!/bin/sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
export PATH=/build/bin:/bin
for name in {names}; do
  for way in {ways}; do
    mkdir -p /cases/$name$way && cd /cases/$name$way
    run="umvu $way"
    [ $way = bare ] && run=
    $run /build/bin/conformance $name
    echo "status $? $way $name"
  done
done
/bin/busybox poweroff -f
'''


def libraries(program):
    """The files that the dynamic loader takes for a program, by their names, and the loader."""
    said = run(['ldd', program]).out
    return re.findall(r'(/\S+) \(0x', said)


def files(names):
    """{path in the guest: (mode, contents)}"""
    umvu = BUILD / 'bin/umvu'
    from_host = {'bin/busybox': tool('busybox'), 'build/bin/umvu': umvu, 'build/bin/conformance': CASES,
                 'build/libexec/virtualsquare/umvu-resident': BUILD / 'libexec/virtualsquare/umvu-resident'}
    from_host |= {path.lstrip('/'): path for path in libraries(umvu)}
    init = INIT.format(names=' '.join(names), ways=' '.join(WAYS))
    return {'init': (0o755, init.encode())} | {
        path: (0o755, pathlib.Path(file).read_bytes()) for path, file in from_host.items()}


def directories(paths):
    """All that paths are in, from the root on."""
    found = {str(parent) for path in paths for parent in pathlib.PurePath(path).parents} - {'.'}
    return sorted(found | {'proc', 'dev', 'cases'}, key=lambda name: (name.count('/'), name))


@pytest.mark.timeout(BOOT_SECONDS * 4)
def test_protection_keys(lab):
    """What a thread may not touch, calls may not touch for it; handlers begin with the kernel's rights."""
    kernel = kernel_path()
    listing = subprocess.run([CASES, '--list'], capture_output=True, text=True, check=True).stdout.split()
    names = [name for name in listing if name.startswith('keys_')]
    assert len(names) > 3
    inside = files(names)
    links = {f'bin/{name}': b'busybox' for name in ('sh', 'mkdir')}
    root = lab.path('root')
    pathlib.Path(root).write_bytes(archive(directories([*inside, *links]), inside, links))
    done = lab.run([tool('qemu-system-x86_64'), '-accel', 'tcg', '-cpu', 'max', '-m', '256', '-nodefaults',
                    '-no-user-config', '-display', 'none', '-no-reboot', '-kernel', kernel, '-initrd', root,
                    '-append', 'console=ttyS0 quiet panic=-1 mitigations=off', '-serial', 'stdio'],
                   timeout=BOOT_SECONDS)
    statuses = re.findall(r'status (\d+) (\S+) (\S+)', done.out)
    assert sorted(statuses) == sorted(('0', way, name) for name in names for way in WAYS), done.out
