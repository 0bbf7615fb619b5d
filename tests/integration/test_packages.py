# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian packages: what they hold, that they replace Debian's, and that what is in them works."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from vslib.netns import Shell, ping_command
from vslib.proc import run, wait_until
from vslib.sides import BUILD, REPO, SIDES, clean_env, lacking, need_tun, tool

ARCH = SIDES['debian'].libdir.name
LIB = f'usr/lib/{ARCH}'

# Package: what of reference 4 is in it.
CONTENTS = {
    'libvdeplug2': [f'{LIB}/libvdeplug.so.2', f'{LIB}/libvdeplug_mod.so.2'] + [
        f'{LIB}/vdeplug/libvdeplug_{scheme}.so'
        for scheme in ('vde', 'ptp', 'hub', 'switch', 'multi', 'bonding', 'null', 'tap', 'macvtap',
                       'seqpacket', 'udp', 'cmd')],
    'libvdeplug-dev': ['usr/include/libvdeplug.h', 'usr/include/libvdeplug_mod.h',
                       f'{LIB}/libvdeplug.a', f'{LIB}/libvdeplug.so', f'{LIB}/libvdeplug_mod.so'],
    'vdeplug': ['usr/bin/vde_plug', 'usr/bin/dpipe', 'usr/share/man/man1/vde_plug.1.gz'],
    'vde-switch': ['usr/bin/vde_switch', 'usr/bin/vde_capture', 'usr/lib/vde2/plugins/dump.so',
                   'usr/lib/vde2/plugins/pdump.so', 'usr/lib/vde2/plugins/iplog.so',
                   'usr/lib/systemd/system/vde-switch@.service',
                   'usr/lib/systemd/system/vde-switch@.socket',
                   'usr/share/man/man1/vde_switch.1.gz'],
    'vdens': ['usr/bin/vdens', 'usr/share/man/man1/vdens.1.gz'],
    'vde2': ['usr/bin/unixterm', 'usr/bin/unixcmd', 'usr/bin/vdeterm', 'usr/bin/vdecmd',
             'usr/bin/vde_plug2tap', 'usr/bin/vde_pcapplug', 'usr/sbin/vde_tunctl',
             'etc/vde2/vdecmd', 'etc/network/if-pre-up.d/vde2', 'etc/network/if-post-down.d/vde2'],
    'libvde0': [f'{LIB}/lib{name}.so.0' for name in ('vdemgmt', 'vdehist', 'vdesnmp')] + [
        f'etc/vde2/libvdemgmt/{name}.rc'
        for name in ('openmachine', 'closemachine', 'sendcmd', 'asyncrecv')],
    'libvde-dev': [f'{LIB}/pkgconfig/{name}.pc' for name in ('vdemgmt', 'vdehist', 'vdesnmp')] + [
        f'usr/include/lib{name}.h' for name in ('vdemgmt', 'vdehist', 'vdesnmp')],
    'randmac': ['usr/bin/randmac'],
    'umvu': ['usr/bin/umvu', 'usr/libexec/virtualsquare/umvu-resident',
             'usr/share/man/man1/umvu.1.gz'],
}
CONFIGURATION = {'vde2': {'/etc/vde2/vdecmd', '/etc/network/if-pre-up.d/vde2',
                          '/etc/network/if-post-down.d/vde2'},
                 'libvde0': {f'/{path}' for path in CONTENTS['libvde0'] if path.startswith('etc')}}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope='module')
def packages():
    """{name: path} of the packages, built from the tree."""
    for program in ('dh', 'dpkg-buildpackage'):
        tool(program)
    with tempfile.TemporaryDirectory(prefix='vsdeb', dir='/tmp') as where:
        os.chmod(where, 0o755)
        done = run([REPO / 'tools' / 'make-deb', where], env=clean_env('/nonexistent'), timeout=120)
        assert done.status == 0, done
        yield {path.name.partition('_')[0]: str(path) for path in pathlib.Path(where).glob('*.deb')}


@pytest.fixture(scope='module')
def root(packages):
    """A directory with what is in all of them."""
    with tempfile.TemporaryDirectory(prefix='vsroot', dir='/tmp') as where:
        os.chmod(where, 0o755)
        for package in packages.values():
            subprocess.run(['dpkg-deb', '-x', package, where], check=True)
        yield pathlib.Path(where)


def environment(lab, root, **more):
    """In which the programs and libraries of the packages come first."""
    path = f'{root}/usr/bin:{root}/usr/sbin:/usr/bin:/usr/sbin:/bin:/sbin'
    return lab.env(PATH=path, LD_LIBRARY_PATH=f'{root}/{LIB}', **more)


@pytest.mark.parametrize('name', CONTENTS)
def test_contents(packages, name):
    """The names are Debian's, and so are the paths; its version is above any of Debian's."""
    listing = subprocess.run(['dpkg-deb', '--fsys-tarfile', packages[name]], check=True,
                             stdout=subprocess.PIPE).stdout
    listing = subprocess.run(['tar', '-t'], input=listing, check=True, stdout=subprocess.PIPE).stdout
    paths = {line.removeprefix('./') for line in listing.decode().splitlines()}
    assert not set(CONTENTS[name]) - paths
    fields = subprocess.run(['dpkg-deb', '-f', packages[name], 'Version'], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    assert fields.startswith('1:')


def test_no_others(packages):
    """Nothing is made that is not in the table."""
    assert set(packages) == set(CONTENTS)


@pytest.mark.parametrize('name', CONFIGURATION)
def test_configuration_files(packages, name):
    """What an administrator may have changed is asked about, as before."""
    told = subprocess.run(['dpkg-deb', '-I', packages[name], 'conffiles'], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    assert set(told.split()) == CONFIGURATION[name]


def test_all_that_is_installed_is_packaged(root):
    """No file of `make install` is in no package (manual pages are compressed there)."""
    plan = subprocess.run(['meson', 'introspect', '--installed', BUILD], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    missing = [path for path in json.loads(plan).values()
               if not os.path.lexists(f'{root}{path}') and not os.path.lexists(f'{root}{path}.gz')]
    assert not missing


def test_apt_takes_them_for_debians(packages):
    """An upgrade that removes nothing, also with QEMU and Debian's plug-ins installed."""
    done = run([tool('apt-get'), '-s', '-o', 'Debug::NoLocking=1', 'install', *packages.values()],
               env=clean_env('/nonexistent'))
    assert done.status == 0, done
    assert {line.split()[1] for line in done.out.splitlines() if line.startswith('Inst ')} \
        >= set(CONTENTS)
    assert not re.search('^Remv ', done.out, re.M), done.out


def test_programs_work(lab, root):
    """A switch, a plug on each port, and a console, all of the packages."""
    env = environment(lab, root)
    where, console = lab.path('s'), lab.path('m')
    lab.spawn([root / 'usr/bin/vde_switch', '--nostdin', '-s', where, '-M', console], env=env)
    wait_until(lambda: os.path.exists(console))
    for name in ('one', 'two'):
        lab.spawn([root / 'usr/bin/vde_plug', '-D', name, where], env=env, stdin=subprocess.PIPE,
                  stdout=subprocess.DEVNULL)

    def connected():
        done = lab.run([root / 'usr/bin/vdecmd', '-f', root / 'etc/vde2/vdecmd', '-s', console,
                        'port/print'], env=env)
        return done.status == 0 and ': one' in done.out and ': two' in done.out

    wait_until(connected)
    done = lab.run([root / 'usr/bin/vdecmd', '-s', console, 'plugin/add',
                    root / 'usr/lib/vde2/plugins/dump.so'], env=env)
    assert done.status == 0, done
    [maps] = {line.split()[-1] for line in pathlib.Path(
        f'/proc/{lab.procs[-1].pid}/maps').read_text().splitlines() if 'libvdeplug.so' in line}
    assert maps.startswith(str(root))


def test_units(lab, root):
    """systemd knows every line of them."""
    if not shutil.which('systemd-analyze'):
        lacking('systemd-analyze (Debian package systemd)')
    units = root / 'usr/lib/systemd/system'
    for kind in ('service', 'socket'):
        shutil.copy(units / f'vde-switch@.{kind}', lab.path(f'vde-switch@lab.{kind}'))
        text = (units / f'vde-switch@.{kind}').read_text()
        assert kind != 'service' or 'ExecStart=/usr/bin/vde_switch ' in text
    done = lab.run([tool('systemd-analyze'), 'verify', lab.path('vde-switch@lab.service'),
                    lab.path('vde-switch@lab.socket')], timeout=30)
    assert done.status == 0 and 'vde-switch@lab' not in done.err, done


# --- /etc/network/interfaces --------------------------------------------------------------------

HOOKS = {'up': 'if-pre-up.d', 'down': 'if-post-down.d'}


class Host:
    """A shell of root's in namespaces of its own, in which the packages' programs are installed."""

    def __init__(self, lab, root):
        for name in ('start-stop-daemon', 'setpriv'):
            tool(name)
        if subprocess.run(['getent', 'passwd', 'vde2-net'], stdout=subprocess.DEVNULL,
                          check=False).returncode:
            lacking("the user vde2-net (Debian package vde-switch)")
        need_tun()
        device = lab.path('tun')
        os.mknod(device, 0o20666, os.stat('/dev/net/tun').st_rdev)
        os.chmod(device, 0o666)
        os.chmod(lab.dir, 0o755)
        script = ['set -e', 'mount -t tmpfs none /run', 'mkdir -p /run/vde2',
                  f'mount --bind {device} /dev/net/tun']
        script += [f'mount --bind {root}/{program} /{program}' for program in (
            'usr/bin/vde_switch', 'usr/bin/vde_plug', 'usr/sbin/vde_tunctl')]
        self.root = root
        self.shell = Shell([tool('unshare'), '-m', '-n', '-p', '-f', '--kill-child', '--mount-proc',
                            'sh', '-c', '; '.join(script) + '; exec "$@"', 'sh'],
                           env=lab.env(LD_LIBRARY_PATH=f'{root}/{LIB}'), name='host')
        lab.keep(self.shell, self.shell.proc)

    def hook(self, which, interface, method, **stanza):
        """Runs a hook as ifupdown does."""
        words = [f"IF_VDE2_{key.upper()}='{value}'" for key, value in stanza.items()]
        script = self.root / 'etc/network' / HOOKS[which] / 'vde2'
        return self.shell.run(f'env IFACE={interface} METHOD={method} {" ".join(words)} sh {script}')

    def console(self, interface, command):
        """What a console command prints."""
        return self.shell.run(f'{self.root}/usr/bin/vdecmd -s /run/vde2/{interface}.mgmt {command}')


@pytest.fixture
def host(lab, root):
    """A Host."""
    if os.geteuid() != 0:
        pytest.skip('needs root, which runs the hooks of /etc/network')
    return Host(lab, root)


@pytest.mark.parametrize('which', HOOKS)
def test_hooks_are_scripts(root, which):
    """A shell takes them, and they do nothing for an interface that is none of theirs."""
    script = root / 'etc/network' / HOOKS[which] / 'vde2'
    assert os.access(script, os.X_OK)
    assert run(['sh', '-n', script]).status == 0
    done = run(['sh', script], env=clean_env('/', IFACE='eth7', METHOD='static'))
    assert (done.status, done.out, done.err) == (0, '', '')


def test_interface_with_a_switch(host):
    """vde2-switch: a TAP of a switch of the user vde2-net; all of it goes with the interface."""
    host.hook('up', 'vt0', 'static', switch='-n 8')
    shown = host.console('vt0', 'port/print')
    assert 'module tuntap' in shown, shown
    assert 'Numports=8' in host.console('vt0', 'port/showinfo')
    assert 'vt0' in host.shell.run('ip -o link show dev vt0')
    assert host.shell.run('stat -c %U:%G:%a /run/vde2/vt0.ctl /run/vde2/vt0.mgmt').split() == [
        'vde2-net:vde2-net:2770', 'vde2-net:vde2-net:660']
    assert host.shell.run('ps -o user= -p $(cat /run/vde2/vt0.pid)').strip() == 'vde2-net'
    host.hook('down', 'vt0', 'static', switch='-n 8')
    assert host.shell.run('ls -A /run/vde2') == ''
    assert host.shell.status('ip link show dev vt0')[0] != 0


def test_interface_with_a_plug(host):
    """vde2-plug: two switches, one with the host's interface, tied by a command."""
    stanzas = [('vt0', 'static', {}), ('vt1', 'manual', {'plug': 'vde_plug /run/vde2/vt0.ctl'}),
               ('vt2', 'static', {'plug': 'vde_plug /run/vde2/vt1.ctl'})]
    for name, method, more in stanzas:
        host.hook('up', name, method, switch='-', **more)
    host.shell.run('ip link set lo up; ip netns add far; ip link set vt2 netns far; '
                   'ip addr add 10.7.0.1/24 dev vt0; ip link set vt0 up; '
                   'ip -n far addr add 10.7.0.2/24 dev vt2; ip -n far link set vt2 up')
    status, output = host.shell.status(ping_command('10.7.0.2'), 20)
    assert status == 0, output
    for name, method, more in reversed(stanzas):
        host.hook('down', name, method, switch='-', **more)
    assert host.shell.run('ls -A /run/vde2') == ''


def test_interface_with_address_translation(host, debian):
    """vde2-slirp: the plug-in slirp, with slirpvde's options as its parameters."""
    debian.plugin('slirp')
    host.hook('up', 'vt0', 'static', switch='-', slirp='-H 10.8.0.1/24 -D -L 7777:10.8.0.9:80')
    host.shell.run('ip addr add 10.8.0.9/24 dev vt0; ip link set vt0 up')
    status, output = host.shell.status(ping_command('10.8.0.1'), 20)
    assert status == 0, output
    host.hook('down', 'vt0', 'static', switch='-', slirp='-')
    assert host.shell.run('ls -A /run/vde2') == ''
