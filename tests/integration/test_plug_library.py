# SPDX-License-Identifier: GPL-2.0-or-later
"""libvdeplug: finding networks and plug-ins, ours with Debian's plug-ins and programs and the
other way round (reference 1.1 to 1.7, 2.13, 4.1)."""

import errno
import os
import pathlib
import socket
import subprocess
import threading

import pytest

from vslib.frames import BROADCAST, mac, numbered, number_of
from vslib.plugs import LibraryError
from vslib.sides import REPO, tool

ROOT = os.geteuid() == 0


def fails(host, code, vnl, words=None, **how):
    """An open that fails with the errno, and (ours) with these words behind it."""
    with pytest.raises(LibraryError) as caught:
        host.open(vnl, **how)
    assert caught.value.errno == code, host.strerror()
    if words:
        assert words in host.strerror()


def exchange(one, two):
    """A frame each way."""
    one.send(numbered(BROADCAST, mac(1), 101))
    assert number_of(two.expect()) == 101
    two.send(numbered(BROADCAST, mac(2), 102))
    assert number_of(one.expect()) == 102


def is_mapped(pid, name):
    """True while the process has an object of that name loaded."""
    return name in pathlib.Path(f'/proc/{pid}/maps').read_text()


# --- plug-ins of the other side ------------------------------------------------------------------

DEBIAN_PLUGINS = {
    'null': 'null://', 'hub': 'hub://{dir}/n', 'switch': 'switch://{dir}/n',
    'multi': 'multi://{dir}/n', 'bonding': 'bonding://{dir}/n', 'ptp': 'ptp://{dir}/p',
    'udp': 'udp://127.0.0.1:{port}->127.0.0.1:{port}', 'cmd': 'cmd://cat', 'slirp': 'slirp://',
    'vlan': 'vlan://5{{null://}}', 'agno': 'agno://{dir}/key{{null://}}',
    'seqpacket': 'seqpacket://{fd}', 'vdesl': 'vdesl://{tty}[speed=9600]',
}


@pytest.mark.parametrize('module', sorted(DEBIAN_PLUGINS))
def test_debian_plugin(lab, ours, debian, module):
    """Debian's plug-in loads, opens and unloads in our library."""
    debian.plugin(module)
    lab.write('key', '00112233445566778899aabbccddeeff\n', 0o600)
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    master, slave = os.openpty()
    with near, far:
        host = lab.lib(ours, VDEPLUGIN_PATH=str(debian.plugin_dir), pass_fds=[far.fileno()])
        vnl = DEBIAN_PLUGINS[module].format(dir=lab.dir, port=port, fd=far.fileno(),
                                            tty=os.ttyname(slave))
        plug = host.open(vnl)
        assert plug.datafd() >= 0
        assert is_mapped(host.proc.pid, f'libvdeplug_{module}.so')
        if module != 'ptp':         # Debian's wants a peer
            assert plug.send_result(numbered(BROADCAST, mac(1), 1)) >= 60   # cmd adds its header
        assert plug.close() == 0
        assert not is_mapped(host.proc.pid, f'libvdeplug_{module}.so') or module == 'slirp'
    os.close(master)
    os.close(slave)


def test_debian_nested_frames(lab, ours, debian):
    """A tag put on by Debian's vlan plug-in, through Debian's ptp, in our library."""
    debian.plugin('vlan')
    host = lab.lib(ours, VDEPLUGIN_PATH=str(debian.plugin_dir))
    listener = host.open(f'ptp://{lab.path("p")}')
    inner = []

    def connect():
        inner.append(lab.lib(ours, VDEPLUGIN_PATH=str(debian.plugin_dir)).open(
            f'vlan://7{{ptp://{lab.path("p")}}}'))

    thread = threading.Thread(target=connect)
    thread.start()
    while thread.is_alive():
        listener.recv_frame(0.02)
    thread.join()
    inner[0].send(numbered(BROADCAST, mac(1), 5))
    tagged = listener.expect(lambda frame: frame[12:14] == b'\x81\x00')
    assert tagged[14:16] == b'\x00\x07'


def test_our_plugin_in_debians_library(lab, ours, debian, switch):
    """Our vde plug-in, opened by Debian's library, which has no vde_error_text."""
    ours.plugin('vde')
    if ours.sanitized():
        pytest.skip('a sanitized plug-in needs a sanitized host')
    host = lab.lib(debian, VDEPLUGIN_PATH=str(ours.plugin_dir))
    plug = host.open(switch.path, descr='foreign host')
    other = lab.raw(switch)
    switch.wait_endpoint('foreign host')
    exchange(plug, other)
    assert str(ours.plugin('vde').resolve()) in pathlib.Path(
        f'/proc/{host.proc.pid}/maps').read_text()
    with pytest.raises(LibraryError) as caught:
        host.open(lab.path('nothing'))
    assert caught.value.errno == errno.ENOENT
    assert plug.close() == 0


# --- programs of the other side -------------------------------------------------------------------

def test_program_on_our_library(lab, ours, debian, switch):
    """Debian's vde_plug with our libvdeplug. (Ours comes with our library, whose calls it needs.)"""
    ours.library()
    if ours.sanitized():
        pytest.skip('a sanitized library needs a sanitized program')
    plug = lab.stream(debian, switch.path, '-D', 'mixed', env=lab.env(ours))
    switch.wait_endpoint('mixed')
    maps = pathlib.Path(f'/proc/{plug.proc.pid}/maps').read_text()
    assert str(ours.library().resolve()) in maps
    other = lab.raw(switch)
    exchange(plug, other)


# --- what a locator leads to ----------------------------------------------------------------------

@pytest.fixture
def host(lab, ours):
    """Our library, with our plug-ins."""
    return lab.lib(ours)


def joined(host, switch, vnl):
    """Opening the locator makes an endpoint of the switch."""
    plug = host.open(vnl, descr='located')
    switch.wait_endpoint('located')
    assert plug.close() == 0
    switch.wait_no_endpoint('located')


@pytest.mark.parametrize('name', ['.vdeplug/default', '.vde2/default.switch'])
@pytest.mark.parametrize('how', ['link', 'path', 'vnl', 'no newline'])
def test_default_network(lab, host, switch, name, how):
    """The user's default: a link to a directory, or a file whose first line is a path or VNL."""
    place = pathlib.Path(lab.home, name)
    place.parent.mkdir()
    if how == 'link':
        place.symlink_to(switch.path)
    else:
        line = switch.path if how != 'vnl' else f'vde://{switch.path}'
        place.write_text(line + ('' if how == 'no newline' else '\nsecond line\n'))
    joined(host, switch, '')
    joined(host, switch, None)


def test_file_names_network(lab, host, switch):
    """Any path of a file; one that is named by a file is not followed."""
    joined(host, switch, lab.write('net', switch.path))
    fails(host, errno.ENOTDIR, lab.write('again', lab.path('net')))


def test_no_default(lab, host):
    """Without defaults the system's switches are tried."""
    if any(os.path.exists(path) for path in ('/var/run/vde.ctl', '/tmp/vde.ctl')):
        pytest.skip('this machine has a default switch')
    fails(host, errno.ENOENT, '', 'no default switch')


def test_relative_path(lab, ours, switch):
    """The directory may be given from where the program is."""
    done = lab.run([ours.program('vde_plug'), './switch.ctl'], cwd=lab.dir)
    assert (done.status, done.err) == (0, '')


def test_description(lab, ours, switch):
    """DESCR user=NAME pid=PID, SSH=ADDRESS behind it when there is one; at most 127 characters."""
    import pwd
    host = lab.lib(ours, SSH_CLIENT='192.0.2.7 1234 22')
    host.open(switch.path, descr='words')
    switch.wait_endpoint('words')
    descriptions = [endpoint[3] for endpoint in switch.endpoints()]
    name = pwd.getpwuid(os.getuid()).pw_name
    assert f'words user={name} pid={host.proc.pid} SSH=192.0.2.7' in descriptions
    host.open(switch.path, descr='x' * 200)
    port = switch.wait_endpoint('xxxx')
    assert len(switch.port(port).endpoints[0][2]) == 127


# --- errors ---------------------------------------------------------------------------------------

def test_unknown_schemes(host):
    """What is wrong, where, and what to do."""
    fails(host, errno.EPROTONOSUPPORT, 'quux://x', "no plug-in 'quux'")
    fails(host, errno.EPROTONOSUPPORT, 'nul://x', "did you mean 'null'?\n  nul://x\n  ^")
    fails(host, errno.EPROTONOSUPPORT, 'n/ll://x', '\n  n/ll://x\n   ^')
    fails(host, errno.EPROTONOSUPPORT, '://x', 'a scheme is missing')


def test_missing_package(lab, ours):
    """A scheme that is known but not here is named with its package."""
    host = lab.lib(ours, VDEPLUGIN_PATH=lab.dir)
    fails(host, errno.EPROTONOSUPPORT, 'slirp://', "Debian's package is libvdeplug-slirp")


def test_broken_plugin(lab, ours):
    """What cannot be loaded is said in the dynamic linker's words; the search goes on."""
    lab.write('libvdeplug_null.so', 'no object\n')
    host = lab.lib(ours, VDEPLUGIN_PATH=lab.dir)
    fails(host, errno.EPROTONOSUPPORT, 'null://', 'cannot be loaded')
    host.call(op='setenv', name='VDEPLUGIN_PATH', value=f'{lab.dir}:{ours.plugin_dir}')
    assert host.open('null://').close() == 0
    assert host.strerror() == ''


def test_unknown_parameter(host, switch):
    """Quoted with a caret; the nearest one is suggested."""
    fails(host, errno.EINVAL, f'{switch.path}[prot=3]', "'prot'; did you mean 'port'?\n  ")
    caret = host.strerror().splitlines()[2].index('^')
    assert host.strerror().splitlines()[1][caret:].startswith('prot=3')


def test_nested_error(host):
    """The sentence of the innermost locator."""
    fails(host, errno.EPROTONOSUPPORT, 'quux://{nul://}', 'quux')


def test_library_leaks_nothing(host, switch):
    """Opening and closing, with and without success, leaves no descriptor.

    Debian's switch now and then keeps a port whose plug left at once, also one of Debian's own.
    """
    host.open(switch.path).close()
    before = host.call(op='fds')
    for _ in range(20):
        host.open(switch.path).close()
        fails(host, errno.EINVAL, f'{switch.path}[mode=9]')
        fails(host, errno.EPROTONOSUPPORT, 'quux://')
    assert host.call(op='fds') == before
    if switch.side.ours:
        switch.wait_no_endpoint('itest-lib')


def test_setuid_ignores_paths(lab, ours, switch):
    """A program with more privilege than its caller takes no plug-in from its environment."""
    if not ROOT or ours.sanitized():
        pytest.skip('needs root, and a library that is not sanitized')
    source = lab.write('open.c', '#include <libvdeplug.h>\n#include <stdio.h>\n'
                       'int main(void) { VDECONN *c = vde_open("marked://", "x", 0);\n'
                       'puts(c ? "loaded" : vde_strerror()); return 0; }\n')
    program = lab.path('open')
    library = ours.library()
    done = lab.run(['gcc', '-I', REPO / 'include', '-include', 'stdint.h', source, '-o', program,
                    f'-L{library.parent}', '-lvdeplug', f'-Wl,-rpath,{library.parent}'])
    assert done.status == 0, done.err
    (pathlib.Path(lab.dir) / 'libvdeplug_marked.so').symlink_to(ours.plugin('null'))
    env = lab.env(VDEPLUGIN_PATH=lab.dir)
    assert lab.run([program], env=env).out == 'loaded\n'
    os.chmod(lab.dir, 0o755)
    os.chmod(program, 0o4755)
    done = lab.run([tool('setpriv'), '--reuid', 'nobody', '--clear-groups', program], env=env)
    if 'error while loading' in done.err:
        pytest.skip('another user cannot read the build')
    assert 'loaded' not in done.out
    assert 'marked' in done.out


# --- the static archive ---------------------------------------------------------------------------

STATIC_CLIENT = r'''
#include <libvdeplug.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	struct vde_open_args args = { .port = argc > 2 ? atoi(argv[2]) : 0, .mode = 0700 };
	char buffer[VDE_ETHBUFSIZE];
	VDECONN *conn = vde_open(argv[1], "", &args);
	ssize_t n;

	if (!conn) {
		printf("error %s\n", strerror(errno));
		return 1;
	}
	printf("open %d %d\n", vde_datafd(conn) >= 0, vde_ctlfd(conn));
	fflush(stdout);
	while ((n = vde_recv(conn, buffer, sizeof(buffer), 0)) > 0) {
		buffer[6] ^= 2;
		vde_send(conn, buffer, n, 0);
		if (buffer[17] == 9)
			break;
	}
	printf("last %zd close %d\n", n > 0 ? 1 : n, vde_close(conn));
	return 0;
}
'''


@pytest.fixture
def static_client(lab, ours):
    """A program linked with the archive and libc only."""
    source = lab.write('client.c', STATIC_CLIENT)
    program = lab.path('client')
    archive = ours.library('libvdeplug.a')
    extra = ['-fsanitize=address,undefined'] if ours.sanitized() else ['-static']
    done = lab.run(['gcc', *extra, '-I', REPO / 'include', source, archive, '-o', program])
    assert done.status == 0, done.err
    return program


def test_static_library(lab, side, switch, static_client):
    """Works with either side's vde_plug; nothing stays when it is closed."""
    path = f'{os.path.dirname(side.program("vde_plug"))}:/usr/bin:/bin'
    env = dict(lab.env(), PATH=path)
    proc = lab.spawn([static_client, switch.path, '5'], env=env, stdout=subprocess.PIPE)
    assert proc.stdout.readline() == b'open 1 -1\n'
    assert switch.wait_endpoint('libvdeplug user=') == 5
    plug = lab.raw(switch)
    plug.send(numbered(BROADCAST, mac(1), 1))
    assert number_of(plug.expect()) == 1
    plug.send(numbered(BROADCAST, mac(1), 9))
    if side.ours:       # Debian's vde_plug drops what it has when the other end closes
        assert number_of(plug.expect()) == 9
    assert proc.wait() == 0
    assert proc.stdout.readline() == b'last 1 close 0\n'
    switch.wait_no_endpoint('libvdeplug')


def test_static_library_errors(lab, ours, static_client):
    """No helper is an error of the open; no network is end of file."""
    done = lab.run([static_client, 'null://'], env=dict(lab.env(), PATH=lab.dir))
    assert (done.status, done.out) == (1, 'error No such file or directory\n')
    path = f'{os.path.dirname(ours.program("vde_plug"))}:/usr/bin'
    done = lab.run([static_client, lab.path('none')], env=dict(lab.env(), PATH=path))
    assert (done.status, done.out) == (0, 'open 1 -1\nlast 0 close 0\n')
    assert 'no switch in' in done.err
    done = lab.run([static_client, 'null://', '-1'], env=dict(lab.env(), PATH=path))
    assert done.out == 'error Invalid argument\n'
