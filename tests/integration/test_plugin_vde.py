# SPDX-License-Identifier: GPL-2.0-or-later
"""The vde plug-in of our library on switches of both sides (reference 2.1)."""

import errno
import grp
import os
import pathlib
import signal
import socket
import stat
import threading
import time

import pytest

from vslib.frames import BROADCAST, mac, numbered, number_of
from vslib.plugs import LibraryError
from vslib.proc import wait_until

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason='needs root: other users')


@pytest.fixture
def host(lab, ours):
    """Our library."""
    return lab.lib(ours)


def port_of(switch, text='itest-lib'):
    """The port of the endpoint."""
    return switch.wait_endpoint(text)


def sockets(switch):
    """{name: (mode, group)} of the data sockets in the switch's directory."""
    found = {}
    for path in pathlib.Path(switch.path).iterdir():
        if path.name != 'ctl' and path.is_socket():
            status = path.lstat()
            found[path.name] = (stat.S_IMODE(status.st_mode), status.st_gid)
    return found


def data_socket(switch, port):
    """(mode, group) of the one data socket of a port."""
    matches = [value for name, value in sockets(switch).items() if name.startswith(f'{port:03}.')]
    assert len(matches) == 1, sockets(switch)
    return matches[0]


# --- ports ----------------------------------------------------------------------------------------

@pytest.mark.parametrize('vnl, args, port', [
    ('{}', None, 1),
    ('vde://{}', None, 1),
    ('{}[]', None, 1),
    ('{}[7]', None, 7),
    ('{}[port=7]', None, 7),
    ('{}[portgroup=7]', None, 7),
    ('{}[p=7]', None, 7),
    ('{}[7/ring=no]', None, 7),
    ('{}[7/ring=yes]', None, 7),
    ('{}', {'port': 9}, 9),
    ('{}[7]', {'port': 9}, 7),
    ('{}[0]', None, 0),
    ('{}[0]', {'port': 9}, 0),
    ('{}', {'port': -1}, 0),
    ('{}[7]', {'port': -1}, 7),
    ('{}[nosuchsocket]', None, 1),
])
def test_ports(host, switch, vnl, args, port):
    """Where the port comes from, and who wins."""
    if 'ring=yes' in vnl and not switch.side.ours:
        with pytest.raises(LibraryError) as caught:
            host.open(vnl.format(switch.path), args=args)
        assert caught.value.errno == errno.EOPNOTSUPP
        assert 'without ring=yes' in host.strerror()
        return
    host.open(vnl.format(switch.path), args=args)
    assert port_of(switch) == port


def test_named_socket(lab, host, switch):
    """`[NAME]` tries a socket of that name before ctl; here it leads to another switch."""
    other = lab.switch(switch.side, name='other')
    os.symlink(os.path.join(other.path, 'ctl'), os.path.join(switch.path, 'blue'))
    try:
        host.open(f'{switch.path}[blue]')
        other.wait_endpoint('itest-lib')
        assert switch.endpoints() == []
    finally:
        os.unlink(os.path.join(switch.path, 'blue'))


@pytest.mark.parametrize('vnl, words', [
    ('{}[16777216]', 'highest number'), ('{}[mode=8]', 'octal'), ('{}[group=no.such]', 'no group'),
    ('{}[ring=maybe]', 'neither yes nor no'), ('{}[x=1]', "unknown parameter 'x'"),
])
def test_wrong_parameters(host, switch, vnl, words):
    """EINVAL with a sentence, before the switch is bothered."""
    with pytest.raises(LibraryError) as caught:
        host.open(vnl.format(switch.path))
    assert caught.value.errno == errno.EINVAL
    assert words in host.strerror()
    assert switch.endpoints() == []


def test_interface_version(host, switch):
    """Only version 1 is known."""
    with pytest.raises(LibraryError) as caught:
        host.open(switch.path, version=2)
    assert caught.value.errno == errno.EINVAL


# --- permissions ----------------------------------------------------------------------------------

@pytest.mark.parametrize('vnl, args, mode', [
    ('{}[ring=no]', None, 0o700),
    ('{}[ring=no]', {'mode': 0o600}, 0o600),
    ('{}[ring=no]', {'mode': 0}, 0o700),             # 0 would shut out the switch itself
    ('{}[mode=600/ring=no]', {'mode': 0o640}, 0o600),
    ('{}[mode=0/ring=no]', None, 0o700),
])
def test_modes(host, switch, vnl, args, mode):
    """The mode of the data socket, whatever the umask; and frames pass with each."""
    plug = host.open(vnl.format(switch.path), args=args)
    assert data_socket(switch, port_of(switch))[0] & 0o700 == mode & 0o700
    other = host.open(switch.path)
    plug.send(numbered(BROADCAST, mac(1), 7))
    assert number_of(other.expect()) == 7


def test_own_socket_is_never_open(lab, ours):
    """The plug's socket has its mode before it has a name: a fake switch looks at once."""
    directory = lab.path('fake')
    os.mkdir(directory)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.bind(os.path.join(directory, 'ctl'))
        control.listen()
        host = lab.lib(ours)
        failed = []

        def connect():
            try:
                host.open(f'{directory}[mode=640]')
            except LibraryError as error:
                failed.append(error.errno)

        thread = threading.Thread(target=connect)
        thread.start()
        peer, _ = control.accept()
        with peer:
            path = peer.recv(4096)[14:122].split(b'\0')[0].decode()
            assert path.startswith(f'{directory}/.{host.proc.pid:05}-00000')
            assert stat.S_IMODE(os.lstat(path).st_mode) == 0o640
        thread.join()
        assert failed == [errno.ECONNREFUSED]
        assert 'refused the connection' in host.strerror()
        assert os.listdir(directory) == ['ctl']         # its name is gone


@pytest.mark.parametrize('reply', [b'x' * 110, b'\1\0' + b'/' * 108, b'\1\0' + b'\0' * 108,
                                   b'\1\0/nonexistent'.ljust(110, b'\0'), b'\1\0short'])
def test_hostile_reply(lab, ours, reply):
    """A reply that is no address is an error with a sentence; nothing is left behind."""
    directory = lab.path('fake')
    os.mkdir(directory)
    host = lab.lib(ours)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.bind(os.path.join(directory, 'ctl'))
        control.listen()

        def answer():
            peer, _ = control.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(LibraryError):
            host.open(directory)
        thread.join()
    assert host.strerror()
    assert os.listdir(directory) == ['ctl']


@needs_root
def test_group(host, switch):
    """group= names the owner of the data socket."""
    gid = grp.getgrnam('daemon').gr_gid
    plug = host.open(f'{switch.path}[group=daemon/mode=660]')
    other = host.open(switch.path)
    plug.send(numbered(BROADCAST, mac(1), 7))
    assert number_of(other.expect()) == 7
    assert gid > 0


def test_name_in_use(lab, ours, switch):
    """A name left from a crash is passed over."""
    host = lab.lib(ours)
    stale = os.path.join(switch.path, f'.{host.proc.pid:05}-00000')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
        left.bind(stale)
    try:
        host.open(switch.path)
        wait_until(lambda: any('itest-lib' in endpoint[3] for endpoint in switch.endpoints()))
        assert os.path.exists(stale)
    finally:
        os.unlink(stale)


@needs_root
def test_access_denied(lab, ours, switch):
    """Another user is told whose decision it is."""
    os.chmod(lab.dir, 0o755)
    done = lab.run(['setpriv', '--reuid', '65534', '--clear-groups', ours.program('vde_plug'),
                    switch.path])
    if 'failed to execute' in done.err:
        pytest.skip('another user cannot reach the build')
    assert done.status == 1
    assert 'no permission to use the switch' in done.err


def test_no_such_port(host, switch):
    """The switch says what is wrong through a ring; without, it has to be guessed."""
    if switch.side.ours:
        for vnl, code, words in (('{}[99/ring=no]', errno.EADDRINUSE, 'refused port 99'),
                                 ('{}[99]', errno.EINVAL, 'there is no port 99')):
            with pytest.raises(LibraryError) as caught:
                host.open(vnl.format(switch.path))
            assert caught.value.errno == code
            assert words in host.strerror()


# --- switches that are gone or stuck ----------------------------------------------------------------

def test_no_switch(lab, host):
    """Missing directory, directory without a switch, no directory at all."""
    with pytest.raises(LibraryError) as caught:
        host.open(lab.path('none'))
    assert caught.value.errno == errno.ENOENT
    with pytest.raises(LibraryError) as caught:
        host.open(lab.dir)
    assert caught.value.errno == errno.ENOENT
    assert 'vde_switch -s' in host.strerror()
    with pytest.raises(LibraryError) as caught:
        host.open(f'vde://{lab.write("file", "x")}')
    assert caught.value.errno == errno.ENOTDIR


def test_dead_switch(host, switch):
    """A socket that nobody answers on."""
    switch.kill()
    with pytest.raises(LibraryError) as caught:
        host.open(switch.path)
    assert caught.value.errno == errno.ECONNREFUSED
    assert 'has ended' in host.strerror()
    switch.start()


def test_end_of_switch(host, switch):
    """The control descriptor tells, and a receive ends; a send fails."""
    plug = host.open(switch.path)
    port_of(switch)
    assert not plug.ctl_readable()
    switch.stop()
    assert plug.ctl_readable(5)
    assert plug.recv_result()[0] == 0
    with pytest.raises(LibraryError) as caught:
        plug.send_result(numbered(BROADCAST, mac(1), 1))
    assert caught.value.errno in (errno.ECONNREFUSED, errno.EPIPE, errno.ENOTCONN)
    assert plug.close() == 0
    switch.start()


def test_stopped_switch_stops_nobody(host, switch):
    """Frames for a switch that does not run are dropped after one short wait."""
    plug = host.open(switch.path)
    port_of(switch)
    switch.proc.signal(signal.SIGSTOP)
    try:
        begin = time.monotonic()
        for number in range(300):
            plug.send(numbered(BROADCAST, mac(1), number))
        assert time.monotonic() - begin < 5     # a wait for each would take 15 s
    finally:
        switch.proc.signal(signal.SIGCONT)
    other = host.open(switch.path)
    wait_until(lambda: [plug.send(numbered(BROADCAST, mac(1), 0x5000)),
                        any(number_of(f) == 0x5000 for f in other.drain())][1])


# --- frames ---------------------------------------------------------------------------------------

def test_long_frames(lab, ours, host):
    """9216 bytes of payload and a tag pass our switch."""
    switch = lab.switch(ours)
    one, two = host.open(switch.path), host.open(switch.path)
    frame = numbered(BROADCAST, mac(1), 3, size=9234)
    one.send(frame)
    assert two.expect(timeout=5) == frame


def test_frame_longer_than_the_buffer(lab, ours, host):
    """Is not cut: the next one is delivered in its place."""
    switch = lab.switch(ours)
    one, two = host.open(switch.path), host.open(switch.path)
    one.send(numbered(BROADCAST, mac(1), 1, size=1000))
    one.send(numbered(BROADCAST, mac(1), 2, size=100))
    assert two.wait_readable()
    switch.sync()
    result, _error, data = two.recv_result(size=200)
    assert (result, number_of(data)) == (100, 2)


def test_short_frames_go_nowhere(host, switch):
    """Less than a header is accepted and dropped."""
    one, two = host.open(switch.path), host.open(switch.path)
    assert one.send_result(b'x' * 13) == 13
    fence = one.send(numbered(BROADCAST, mac(1), 1))
    two.expect_only(fence)


def test_directory_stays_clean(host, switch):
    """No name of ours remains in the directory."""
    plugs = [host.open(switch.path) for _ in range(3)]
    assert not [name for name in os.listdir(switch.path) if name.startswith('.')]
    for plug in plugs:
        plug.close()
    wait_until(lambda: set(os.listdir(switch.path)) <= {'ctl', 'ring'})


@needs_root
def test_switch_of_another_user(lab, ours, switch_side):
    """A socket that nothing is said about is opened to a switch that is neither root's nor ours."""
    os.chmod(lab.dir, 0o777)
    as_user = ['setpriv', '--clear-groups', '--regid', '4321', '--reuid']
    switch = lab.switch(switch_side, '-m', '666', '--dirmode', '777',
                        argv_prefix=[*as_user, '4321'])
    probe = lab.run([*as_user, '4322', ours.program('vde_plug'), '--version'])
    if probe.status:
        pytest.skip('another user cannot reach the build')
    plug = lab.spawn([*as_user, '4322', ours.program('vde_plug'), '-D', 'stranger', switch.path,
                      '=', 'cat'])
    switch.wait_endpoint('stranger')
    other = lab.raw(switch, mode=0o777)
    frame = other.send(numbered(BROADCAST, mac(1), 6))
    assert other.expect() == frame
    plug.signal(signal.SIGTERM)
    assert plug.wait() == 0
