# SPDX-License-Identifier: GPL-2.0-or-later
"""The two sides of the matrix: our build, and the programs Debian installs."""

import os
import pathlib
import shutil
import subprocess

import pytest

REPO = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get('VS_BUILD') or REPO / 'build')

# Package of each of Debian's programs and files a test may ask for.
PACKAGES = {
    'vde_switch': 'vde-switch', 'vde_plug': 'vdeplug', 'dpipe': 'vdeplug', 'vdens': 'vdens',
    'unixterm': 'vde2', 'unixcmd': 'vde2', 'vdeterm': 'vde2', 'vdecmd': 'vde2',
    'vde_plug2tap': 'vde2', 'vde_pcapplug': 'vde2', 'vde_tunctl': 'vde2', 'slirpvde': 'vde2',
    'randmac': 'randmac', 'libvdeplug.so.2': 'libvdeplug2', 'agno': 'libvdeplug-agno',
    'pcap': 'libvdeplug-pcap', 'slirp': 'libvdeplug-slirp', 'vlan': 'libvdeplug-vlan',
    'vdesl': 'libvdeplug-vdesl', 'tcpdump': 'tcpdump', 'tshark': 'tshark', 'ip': 'iproute2',
    'ping': 'iputils-ping', 'unshare': 'util-linux', 'setpriv': 'util-linux',
    'curl': 'curl', 'nc': 'netcat-openbsd', 'libvdemgmt.so.0': 'libvde0',
    'libvdehist.so.0': 'libvde0', 'libvdesnmp.so.0': 'libvde0',
}
SYSTEM_PATH = '/usr/bin:/usr/sbin:/bin:/sbin'


def in_ci():
    """True where a missing foreign program is a failure."""
    return os.environ.get('CI', '').lower() in ('1', 'true', 'yes')


def lacking(what):
    """Skip the test, naming what the machine lacks; in CI fail."""
    if in_ci():
        pytest.fail(f'missing in CI: {what} (tools/setup installs it)', pytrace=False)
    pytest.skip(f'missing: {what}')


def kernel_lacks(what):
    """Skip the test: what the kernel lacks cannot be installed."""
    pytest.skip(f'the kernel of this machine has no {what}')


def tool(name):
    """Path of a system program that is not part of the matrix (ip, ping, tcpdump ...)."""
    path = shutil.which(name, path=SYSTEM_PATH)
    if not path:
        lacking(f'{name} (Debian package {PACKAGES.get(name, name)})')
    return path


def need_tun():
    """Skip the test where the caller may not open /dev/net/tun (in CI fail)."""
    if not os.access('/dev/net/tun', os.R_OK | os.W_OK):
        lacking('access to /dev/net/tun (chmod 666 /dev/net/tun, as Debian has it)')


def clean_env(home, **more):
    """An environment in which nothing of the user's own VDE set-up is seen."""
    env = {'PATH': SYSTEM_PATH, 'HOME': str(home), 'LANG': 'C.UTF-8', 'SHELL': '/bin/sh',
           'USER': os.environ.get('USER', 'root')}
    for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS', 'LLVM_PROFILE_FILE'):
        if name in os.environ:
            env[name] = os.environ[name]
    env.update(more)
    return env


class Debian:
    """The programs, library and plug-ins of the distribution."""

    name = 'debian'
    ours = False

    def __init__(self):
        arch = subprocess.run(['gcc', '-print-multiarch'], capture_output=True, text=True,
                              check=False).stdout.strip() if shutil.which('gcc') else ''
        self.libdir = pathlib.Path('/usr/lib') / (arch or f'{os.uname().machine}-linux-gnu')
        self.plugin_dir = self.libdir / 'vdeplug'

    def program(self, name):
        """Path of a program; skips the test when it is not installed."""
        path = shutil.which(name, path=SYSTEM_PATH)
        if not path:
            lacking(f"Debian's {name} (package {PACKAGES.get(name, 'unknown')})")
        return path

    def has_program(self, name):
        """True if the side has that program at all."""
        return shutil.which(name, path=SYSTEM_PATH) is not None

    def library(self, name='libvdeplug.so.2'):
        """Path of a library; skips the test when it is not installed."""
        path = self.libdir / name
        if not path.exists() and (pathlib.Path('/usr/lib') / name).exists():
            path = pathlib.Path('/usr/lib') / name      # libvde0 is older than multiarch
        if not path.exists():
            lacking(f"Debian's {name} (package {PACKAGES.get(name, 'unknown')})")
        return path

    def plugin(self, module):
        """Path of a libvdeplug plug-in; skips the test when it is not installed."""
        path = self.plugin_dir / f'libvdeplug_{module}.so'
        if not path.exists():
            lacking(f"Debian's plug-in {module} (package {PACKAGES.get(module, 'libvdeplug2')})")
        return path

    def environment(self):
        """What has to be in the environment for this side's library to be the one used."""
        return {'LD_LIBRARY_PATH': str(self.libdir)}

    def sanitized(self):
        """True if the side is built with AddressSanitizer."""
        return False


class Ours:
    """What `make build` left in VS_BUILD (default: build/ of this tree)."""

    name = 'ours'
    ours = True

    def __init__(self):
        self.libdir = BUILD / 'lib'
        self.plugin_dir = self.libdir / 'vdeplug'

    @staticmethod
    def _want(path):
        if not BUILD.is_dir():
            lacking(f'a build in {BUILD} (run `make build`, or set VS_BUILD)')
        if not path.exists():
            pytest.fail(f'the build lacks {path}', pytrace=False)
        return path

    def program(self, name):
        """Path of a program; fails the test when the build lacks it."""
        return str(self._want(BUILD / 'bin' / name))

    def has_program(self, name):
        """True if the side has that program at all."""
        return (BUILD / 'bin' / name).exists()

    def library(self, name='libvdeplug.so.2'):
        """Path of a library; fails the test when the build lacks it."""
        return self._want(self.libdir / name)

    def plugin(self, module):
        """Path of a libvdeplug plug-in; fails the test when the build lacks it."""
        return self._want(self.plugin_dir / f'libvdeplug_{module}.so')

    def environment(self):
        """What has to be in the environment for this side's library to be the one used."""
        return {'LD_LIBRARY_PATH': str(self.libdir)}

    def sanitized(self):
        """True if the side is built with AddressSanitizer (then no foreign program loads it)."""
        library = self.libdir / 'libvdeplug.so.2'
        return library.exists() and b'libasan.so' in library.read_bytes()


SIDES = {'ours': Ours(), 'debian': Debian()}
