# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU guests: Debian's cloud kernel, a busybox made into an initramfs here, and a shell in it.

A guest's first serial line is its console (kept in the log that a failed test shows), its second
one is a shell, so commands run in it as they do in a namespace. Nothing of the host is shared: what
a guest is to have beyond busybox is given as files.
"""

import os
import pathlib
import re
import subprocess
import time

from .netns import Shell
from .proc import Proc, TimeExpired, readable
from .sides import REPO, lacking, tool

CARRIED = REPO / 'build-guest'
DIRECTORIES = ('bin', 'dev', 'modules', 'proc', 'run', 'sys', 'tmp', 'var', 'www')
DRIVERS = ('virtio_pci', 'virtio_net')
BOOT_SECONDS = 90
READY = b'guest ready\n'

INIT = '''#!/bin/sh
/bin/busybox mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for driver in $(cat /modules/order); do insmod /modules/$driver.ko; done
stty -F /dev/ttyS1 raw -echo
exec <>/dev/ttyS1 >&0 2>&1
echo "guest ready"
sh /dev/ttyS1
poweroff -f
'''

# udhcpc calls it with what it was given in the environment.
DHCP_SCRIPT = '''#!/bin/sh
[ "$1" = bound ] && ip addr add $ip/${mask:-24} dev $interface
exit 0
'''


def kernel_path():
    """The guest's kernel; skips the test when tools/guest-kernel has not run."""
    path = CARRIED / 'vmlinuz'
    if not path.exists():
        lacking('a kernel for guests (run tools/guest-kernel)')
    return path


def module_file(name):
    """A driver's file, whose name may have dashes where the module's has underscores."""
    for spelling in (name, name.replace('_', '-')):
        path = CARRIED / 'modules' / f'{spelling}.ko'
        if path.exists():
            return path
    raise FileNotFoundError(f'{name}.ko in {CARRIED}/modules')


def modules_in_order(names):
    """{module: file contents} of the drivers and all they need, those needed first."""
    found = {}

    def add(name):
        if name in found:
            return
        content = module_file(name).read_bytes()
        depends = re.search(rb'\0depends=([^\0]*)\0', content)
        for needed in filter(None, depends[1].decode().split(',') if depends else []):
            add(needed)
        found[name] = content
    for name in names:
        add(name)
    return found


def archive_member(name, mode, data=b'', number=0):
    """One member of a "newc" cpio archive."""
    head = '070701' + ''.join(
        f'{field:08x}' for field in (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0,
                                     len(name) + 1, 0))
    member = head.encode() + name.encode() + b'\0'
    member += b'\0' * (-len(member) % 4) + data
    return member + b'\0' * (-len(data) % 4)


def archive(directories, files, links):
    """A cpio archive for the kernel. files: {path: (mode, bytes)}; links: {path: target}."""
    entries = [(name, 0o040755, b'') for name in directories]
    entries += [(name, 0o100000 | mode, data) for name, (mode, data) in files.items()]
    entries += [(name, 0o120777, target) for name, target in links.items()]
    members = [archive_member(*entry, number) for number, entry in enumerate(entries, 1)]
    return b''.join(members) + archive_member('TRAILER!!!', 0)


def initramfs(extra):
    """The guest's root: busybox (its shell needs no other names), drivers, and extra files."""
    busybox = pathlib.Path(tool('busybox')).read_bytes()
    modules = modules_in_order(DRIVERS)
    files = {'bin/busybox': (0o755, busybox),
             'init': (0o755, INIT.encode()),
             'dhcp': (0o755, DHCP_SCRIPT.encode()),
             'modules/order': (0o644, '\n'.join(modules).encode())}
    files |= {f'modules/{name}.ko': (0o644, data) for name, data in modules.items()}
    files |= {name: (0o644, data) for name, data in extra.items()}
    return archive(DIRECTORIES, files, {'bin/sh': b'busybox'})


class Emulator(Proc):
    """A QEMU whose log has the guest's console, too."""

    def __init__(self, argv, console, **how):
        super().__init__(argv, **how)
        self.console = pathlib.Path(console)

    def output(self):
        """What QEMU and the guest's kernel said."""
        said = self.console.read_text(errors='replace') if self.console.exists() else ''
        return super().output() + said


class Guest(Shell):
    """A booting guest with one network card on a VNL; ready() waits for its shell.

    root: a file that initramfs() made. console: the file for its console. capture: a file to which
    QEMU itself writes, as pcap, what passes between the card and the VNL.
    """

    def __init__(self, vnl, number, root, console, *, env, capture=None):
        argv = [tool('qemu-system-x86_64'), '-accel', 'tcg', '-cpu', 'max', '-m', '128',
                '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot',
                '-kernel', kernel_path(), '-initrd', root,
                '-append', 'console=ttyS0 quiet panic=-1 mitigations=off',
                '-serial', f'file:{console}', '-serial', 'stdio',
                '-netdev', f'vde,id=n0,sock={vnl}',
                '-device', f'virtio-net-pci,netdev=n0,romfile=,mac={guest_mac(number)}']
        if capture:
            argv += ['-object', f'filter-dump,id=dump0,netdev=n0,file={capture}']
        self.proc = Emulator(argv, console, env=env, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, name=f'guest {number}')
        self.count = 0
        self.pending = b''

    def ready(self):
        """Wait until it has booted; returns itself."""
        deadline = time.monotonic() + BOOT_SECONDS
        while READY not in self.pending:
            if not readable(self.proc.stdout, deadline - time.monotonic()):
                raise TimeExpired(f'guest not up: {self.proc.describe()}')
            data = os.read(self.proc.stdout.fileno(), 65536)
            assert data, f'guest ended: {self.proc.describe()}'
            self.pending += data
        self.pending = self.pending.partition(READY)[2]
        return self

    def up(self, address=None):
        """Bring the card up, with an address if one is given."""
        self.run('ip link set eth0 up')
        if address:
            self.run(f'ip addr add {address} dev eth0')

    def counter(self, name):
        """A counter of the card's, as in /sys/class/net/eth0/statistics."""
        return int(self.run(f'cat /sys/class/net/eth0/statistics/{name}'))

    def power_off(self):
        """Leave the shell, with which the guest ends; returns QEMU's exit status."""
        return self.exit(timeout=30)


def guest_mac(number):
    """The address of a guest's card."""
    return f'52:54:00:00:00:{number:02x}'


def mapped(pid, library):
    """The files of that name prefix that a process has mapped, resolved."""
    with open(f'/proc/{pid}/maps', encoding='utf-8') as maps:
        paths = {line.split(maxsplit=5)[5].strip() for line in maps if line.count('/')}
    return {os.path.realpath(path) for path in paths if os.path.basename(path).startswith(library)}


__all__ = ['Guest', 'guest_mac', 'initramfs', 'kernel_path', 'mapped']
