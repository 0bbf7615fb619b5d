# SPDX-License-Identifier: GPL-2.0-or-later
"""The control socket: requests and replies byte by byte, ports, sharing, access, permissions.

Reference 2.2, and the options of 3.3 that set modes and groups.
"""

import grp
import os
import re
import socket
import stat
import struct
import sys

import pytest

from vslib.frames import BROADCAST, mac, numbered
from vslib.plugs import MAGIC, Refused, request_v1, request_v3, sockaddr_un
from vslib.proc import TimeExpired, readable, wait_until
from vslib.sides import tool

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason='needs root: sockets of other users')


def mode_of(path):
    """Permission bits of a path."""
    return stat.S_IMODE(os.lstat(path).st_mode)


def port_of(plug):
    """The port number that the reply names."""
    return int(os.path.basename(plug.peer).split('.')[0])


def refused(lab, switch, **how):
    """The switch closes the connection without answering."""
    with pytest.raises(Refused, match='closed after 0 of'):
        lab.raw(switch, **how)


def no_port(lab, switch, **how):
    """The switch gives no port: ours closes the connection, Debian's is silent (reference 5.3)."""
    if switch.side.ours:
        refused(lab, switch, **how)
        return
    with pytest.raises(TimeExpired, match='no answer'):
        lab.raw(switch, timeout=0.2, **how)
    switch.sync()


# --- requests -----------------------------------------------------------------------------------

def test_reply_bytes(lab, switch):
    """110 bytes: family, DIR/PPP.FD, zeros. The name is a socket of the switch."""
    plug = lab.raw(switch)
    assert len(plug.reply) == 110
    assert struct.unpack('=H', plug.reply[:2]) == (1,)
    assert re.fullmatch(re.escape(switch.path) + r'/001\.\d+', plug.peer)
    assert plug.reply == sockaddr_un(plug.peer)
    assert stat.S_ISSOCK(os.lstat(plug.peer).st_mode)


def test_nothing_follows_the_reply(lab, switch):
    """The control connection stays silent while both ends live."""
    one, two = lab.raw(switch), lab.raw(switch)
    one.send(numbered(BROADCAST, mac(1), 1))
    assert two.recv()
    switch.ok('port/create 9')
    switch.sync()
    assert not readable(one.control, 0)
    assert not readable(two.control, 0)


def test_version_3_by_hand(lab, switch):
    """The layout, written out: magic, version, type, address, description without NUL."""
    def request(path):
        return (struct.pack('=III', 0xfeedface, 3, 4 << 8) + struct.pack('=H', 1)
                + path.encode().ljust(108, b'\0') + b'by hand')
    plug = lab.raw(switch, request=request)
    assert port_of(plug) == 4
    assert switch.wait_endpoint('by hand') == 4


def test_version_1(lab, switch):
    """The older layout, with a MAC; no port can be asked for, but port 0."""
    plug = lab.raw(switch, request=lambda path: request_v1(path, b'old client', mac=b'\x02' * 6))
    assert port_of(plug) == 1
    assert switch.wait_endpoint('old client') == 1
    other = lab.raw(switch, version=1, kind=1)
    assert port_of(other) == 0
    frame = numbered(BROADCAST, mac(1), 1)
    plug.send(frame)
    assert other.recv() == frame


def test_requested_port(lab, switch):
    """A number is given as asked, its frames come out there."""
    plug = lab.raw(switch, port=17, descr='seventeen')
    assert port_of(plug) == 17
    assert os.path.basename(plug.peer).startswith('017.')
    assert switch.wait_endpoint('seventeen') == 17


def test_automatic_ports(lab, switch):
    """From 1 up, the lowest that is free and in the pool; a port that was left is given again."""
    switch.ok('port/create 2')
    plugs = [lab.raw(switch, descr=f'auto{n}.') for n in range(3)]
    assert [port_of(plug) for plug in plugs] == [1, 3, 4]
    plugs[1].close()
    switch.wait_no_endpoint('auto1.')
    assert port_of(lab.raw(switch)) == 3


def test_port_0(lab, switch):
    """Type 1 is port 0: several endpoints, and in switch mode it receives like any other."""
    one, two = lab.raw(switch, kind=1), lab.raw(switch, kind=1)
    other = lab.raw(switch)
    assert (port_of(one), port_of(two), port_of(other)) == (0, 0, 1)
    frame = numbered(BROADCAST, mac(1), 1)
    other.send(frame)
    assert one.recv() == frame
    assert two.recv() == frame
    answer = numbered(mac(1), mac(2), 2)
    one.send(answer)
    assert other.recv() == answer


def test_all_ports_taken(lab, switch_side):
    """No automatic port is left: refused; a number still can be shared."""
    switch = lab.switch(switch_side, '-n', 3 if switch_side.ours else 4)
    for port in (1, 2, 3):
        assert port_of(lab.raw(switch)) == port
    no_port(lab, switch)
    assert port_of(lab.raw(switch, port=2)) == 2


@pytest.mark.parametrize('what', ['magic', 'version 2', 'version 4', 'version huge', 'four bytes',
                                  'no such path', 'empty path', 'a plain file', 'type 2',
                                  'type 255'])
def test_refusals(lab, switch, what):
    """The connection is closed at once, nothing is left behind, and others go on."""
    switch.sync()
    before = switch.fds()
    refused(lab, switch, request={
        'magic': lambda path: request_v3(path, magic=MAGIC ^ 1),
        'version 2': lambda path: request_v3(path, version=2),
        'version 4': lambda path: request_v3(path, version=4),
        'version huge': lambda path: request_v3(path, version=0xffffffff),
        'four bytes': lambda path: b'\0\0\0\0',
        'no such path': lambda path: request_v3(lab.path('nothing', 'here')),
        'empty path': lambda path: request_v3(''),
        'a plain file': lambda path: request_v3(lab.write('plain', 'x')),
        'type 2': lambda path: request_v3(path, kind=2),
        'type 255': lambda path: request_v3(path, kind=255),
    }[what])
    wait_until(lambda: switch.fds() == before, 5, lambda: f'{before}: {switch.fds()}')
    assert not switch.endpoints()
    assert os.listdir(switch.path) == ['ctl'] or switch.side.ours
    assert port_of(lab.raw(switch)) == 1


def test_refusals_are_logged(lab, switch):
    """What was wrong is said in the log."""
    refused(lab, switch, version=2)
    wait_until(lambda: 'version 2' in switch.proc.output(), 5, 'the log line')


def test_address_of_another_family(lab, ours):
    """An address that is not AF_UNIX, or has no end, is refused (Debian's reads past it)."""
    switch = lab.switch(ours)
    for family, tail in ((2, b'\0'), (1, b'')):
        refused(lab, switch, request=lambda path: struct.pack('=IIIH', MAGIC, 3, 0, family) +
                (path.encode() + tail).ljust(108, b'x' if not tail else b'\0'))


def test_description_limit(lab, switch):
    """127 characters at most; more is cut, not refused."""
    plug = lab.raw(switch, descr='d' * 134)
    switch.sync()
    [(_, _, _, text)] = switch.endpoints()
    assert set(text) == {'d'} and 127 <= len(text) <= 134
    if switch.side.ours:
        assert len(text) == 127
    assert not readable(plug.control, 0)


def test_description_with_nul(lab, switch):
    """Some clients send the NUL: the text ends there."""
    lab.raw(switch, descr=b'with\0more')
    assert switch.endpoints()[0][3] == 'with'


def test_request_in_pieces(lab, ours):
    """A request that arrives in several packets is put together."""
    switch = lab.switch(ours)
    path = lab.path('pieces')
    request = request_v3(path, b'in pieces')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as data, \
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        data.bind(path)
        control.connect(os.path.join(switch.path, 'ctl'))
        for at in range(0, 42, 7):
            control.sendall(request[at:at + 7])
            switch.sync()
            assert not switch.endpoints()
        control.sendall(request[42:])
        assert switch.wait_endpoint('in pieces') == 1
        assert len(control.recv(200)) == 110


# --- the life of an endpoint --------------------------------------------------------------------

@pytest.mark.parametrize('how', ['close', 'half close'])
def test_end_of_file_removes_the_endpoint(lab, switch, how):
    """Endpoint, descriptors and socket name go with the control connection."""
    switch.sync()
    before = switch.fds()
    plug = lab.raw(switch, descr='short life')
    switch.wait_endpoint('short life')
    name = plug.peer
    if how == 'close':
        plug.close()
    else:
        plug.control.shutdown(1)
        assert plug.gone()
    switch.wait_no_endpoint('short life')
    assert not os.path.exists(name)
    wait_until(lambda: switch.fds() == before, 5, 'all descriptors closed')


def test_data_after_the_end(lab, switch):
    """A client whose control connection is gone cannot send any more."""
    plug, other = lab.raw(switch, descr='cut off'), lab.raw(switch)
    plug.control.close()
    switch.wait_no_endpoint('cut off')
    with pytest.raises(ConnectionError):
        plug.send(numbered(BROADCAST, mac(1), 1))
    switch.sync()
    assert not other.drain()


def test_client_that_asks_nothing(lab, switch):
    """Connections without a request: others are served, and nothing stays when they go."""
    switch.sync()
    before = switch.fds()
    idle = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(20)]
    for connection in idle:
        connection.connect(os.path.join(switch.path, 'ctl'))
    assert port_of(lab.raw(switch)) == 1
    assert len(switch.endpoints()) == 1
    for connection in idle:
        connection.close()
    wait_until(lambda: switch.fds() <= before + 3, 5, 'their descriptors closed')


# --- sharing and access control -----------------------------------------------------------------

class Users:
    """Lets other users connect to a switch; for a test that runs as root."""

    def __init__(self, lab, side):
        self.lab = lab
        os.chmod(lab.dir, 0o1777)
        self.switch = lab.switch(side, '-m', '0666')

    def plug(self, uid, **how):
        """A plug of that user: process and socket file are his."""
        os.setegid(uid)
        os.seteuid(uid)
        try:
            return self.lab.raw(self.switch, where=self.lab.dir, mode=0o777, **how)
        finally:
            os.seteuid(0)
            os.setegid(0)

    def refused(self, uid, **how):
        """The user does not get the port."""
        if self.switch.side.ours:
            with pytest.raises(Refused):
                self.plug(uid, **how)
        else:
            with pytest.raises(TimeExpired, match='no answer'):
                self.plug(uid, timeout=0.2, **how)


@pytest.fixture
def users(lab, switch_side):
    """A switch of each side for several users."""
    return Users(lab, switch_side)


@needs_root
def test_sharing_by_two_users(users):
    """Another user on the same port: refused, and the first one keeps it."""
    users.plug(1, port=3, descr='first')
    assert users.switch.port(3).user == 'daemon'
    users.refused(2, port=3)
    users.plug(1, port=3, descr='again')
    assert sorted(endpoint[2] for endpoint in users.switch.port(3).endpoints) == ['again', 'first']


@needs_root
@pytest.mark.parametrize('command, name, allowed, other', [('setuser', 'daemon', 1, 2),
                                                           ('setgroup', 'bin', 2, 1)])
def test_access(users, command, name, allowed, other):
    """port/setuser, port/setgroup: those and root pass, others are refused."""
    for port in (5, 6):
        users.switch.ok(f'port/create {port}')
        users.switch.ok(f'port/{command} {port} {name}')
    users.plug(allowed, port=5, descr='let in 5')
    users.plug(0, port=6, descr='let in 6')
    for port in (5, 6):
        assert users.switch.wait_endpoint(f'let in {port}') == port
        users.refused(other, port=port)


@needs_root
def test_access_can_be_opened_again(users):
    """NONE takes the restriction away."""
    users.switch.ok('port/create 5')
    users.switch.ok('port/setuser 5 daemon')
    users.refused(2, port=5)
    users.switch.ok('port/setuser 5 NONE')
    users.switch.ok('port/setgroup 5 NONE')
    users.plug(2, port=5, descr='let in')
    users.switch.wait_endpoint('let in')


# --- permissions --------------------------------------------------------------------------------

MODES = [
    # options, directory, ctl, data socket
    ((), 0o2700, 0o600, 0o600),
    (('-m', '0666'), 0o2777, 0o666, 0o666),
    (('-m', '0660'), 0o2770, 0o660, 0o660),
    (('-m', '0640'), 0o2750, 0o640, 0o640),
    (('-m', '0604'), 0o2705, 0o604, 0o604),
    (('--mode', '0700'), 0o2700, 0o700, 0o700),
    (('--mod', '0222'), 0o2333, 0o222, 0o222),
    (('--dirmode', '0755'), 0o755, 0o644, 0o644),
    (('--dirmode', '02770'), 0o2770, 0o660, 0o660),
    (('-m', '0660', '--dirmode', '0755'), 0o755, 0o660, 0o660),
]


@pytest.mark.parametrize('umask', [0, 0o77], ids=lambda mask: f'umask={mask:03o}')
@pytest.mark.parametrize('options, directory, ctl, data', MODES,
                         ids=[' '.join(row[0]) or 'default' for row in MODES])
def test_modes(lab, switch_side, options, directory, ctl, data, umask):
    """-m and --dirmode, each alone and both: what they set, whatever the umask is."""
    switch = lab.switch(switch_side, *options, umask=umask)
    assert oct(mode_of(switch.path)) == oct(directory)
    assert oct(mode_of(os.path.join(switch.path, 'ctl'))) == oct(ctl)
    plug = lab.raw(switch, where=lab.dir)
    # a switch that runs as root gives the socket to its user, and to nobody else
    assert oct(mode_of(plug.peer)) == oct(data & 0o700 if ROOT else data)
    assert os.lstat(plug.peer).st_uid == os.geteuid()
    assert switch.ok('ds/showinfo')[1] == f'std mode 0{ctl:03o}'


@needs_root
def test_data_socket_belongs_to_the_user(users):
    """Root's switch: the user owns the data socket, and nobody else may use it."""
    plug = users.plug(1)
    assert os.lstat(plug.peer).st_uid == 1
    assert mode_of(plug.peer) == 0o600


def some_group():
    """A group that we may give files to."""
    return 'daemon' if ROOT else grp.getgrgid(os.getegid()).gr_name


def check_group(lab, side, group, gid):
    """A switch started with -g gives its files to the group."""
    switch = lab.switch(side, '-g', group, '-m', '0660')
    assert os.lstat(switch.path).st_gid == gid
    assert os.lstat(os.path.join(switch.path, 'ctl')).st_gid == gid
    assert mode_of(switch.path) == 0o2770
    assert os.lstat(lab.raw(switch, where=lab.dir).peer).st_gid == gid


def test_group(lab, switch_side):
    """-g: group of directory and control socket."""
    name = some_group()
    check_group(lab, switch_side, name, grp.getgrnam(name).gr_gid)


def test_group_by_number(lab, ours):
    """Ours takes a number, too."""
    gid = grp.getgrnam(some_group()).gr_gid
    check_group(lab, ours, gid, gid)


def test_management_socket(lab, switch_side):
    """--mgmtmode and --mgmtgroup; the data socket of port 0 has them as well."""
    group = some_group()
    gid = grp.getgrnam(group).gr_gid
    switch = lab.switch(switch_side, '--mgmtmode', '0660', '--mgmtgroup', group)
    # Debian's listens first and sets both later
    wait_until(lambda: mode_of(switch.mgmt_path) == 0o660, 5, 'the mode')
    wait_until(lambda: os.lstat(switch.mgmt_path).st_gid == gid, 5, 'the group')
    assert switch.ok('showinfo')[4] == f'mgmt {switch.mgmt_path} perm 0660'
    plug = lab.raw(switch, kind=1)
    if not switch_side.ours:                # its reply comes first, the mode a moment later
        wait_until(lambda: mode_of(plug.peer) == 0o660, 5, 'mode and group')
    assert mode_of(plug.peer) == 0o660
    assert os.lstat(plug.peer).st_gid == gid


def test_wrong_group(lab, side):
    """An unknown group is an error, not ignored."""
    done = lab.run([side.program('vde_switch'), '-s', lab.path('s'), '-g', 'no-such-group'])
    assert done.status == 1
    assert 'no-such-group' in done.out + done.err
    assert not os.path.exists(lab.path('s'))


@needs_root
def test_other_user_needs_the_mode(lab, switch_side):
    """The directory keeps out who has no right to it; -m 0666 lets everybody in."""
    os.chmod(lab.dir, 0o755)
    script = ('import socket,sys\n'
              's=socket.socket(socket.AF_UNIX)\n'
              'try: s.connect(sys.argv[1])\n'
              'except PermissionError: sys.exit(13)\n')
    for name, options, status in (('closed', (), 13), ('open', ('-m', '0666'), 0)):
        switch = lab.switch(switch_side, *options, name=name)
        done = lab.run([tool('setpriv'), '--reuid=2', '--regid=2', '--clear-groups',
                        sys.executable, '-S', '-c', script, os.path.join(switch.path, 'ctl')])
        assert done.status == status, done


def test_no_answer_is_no_hang(lab, switch):
    """Whatever was asked, the console still answers (a request that hangs is one of 5.3)."""
    try:
        lab.raw(switch, port=40, timeout=0.3)
    except (Refused, TimeExpired):
        pass
    assert switch.ok('port/showinfo')
