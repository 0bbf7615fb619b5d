# SPDX-License-Identifier: GPL-2.0-or-later
"""hub://, switch://, multi:// and bonding://: networks inside a process, joined by vde:// plugs."""

import contextlib
import ctypes
import os
import resource
import select
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

from vslib import frames
from vslib.frames import BROADCAST, VDE_MAX_FRAME, mac, numbered
from vslib.mixed import mixed_host, served
from vslib.plugs import (LibraryError, RawPlug, Refused, request_v3, settle, sockaddr_un)
from vslib.proc import readable, wait_until
from vslib.sides import SIDES, lacking

NODES = ('hub', 'switch', 'multi', 'bonding')
SIZES = (14, 15, 59, 60, 1514, 1518, 4097, 9233, 9234)
CLIENTS_MAX = 256


@pytest.fixture(params=['raw', *sorted(SIDES, reverse=True)], ids=lambda name: f'client={name}')
def client_kind(request):
    """Whose plug joins the node."""
    return request.param


class Network:
    """A node in a process of its own, and clients."""

    def __init__(self, lab, scheme, lib_side, mod_side, options='', **env):
        mod_side.plugin(scheme)
        self.lab = lab
        self.path = lab.path(scheme)
        self.vnl = f'{scheme}://{self.path}{options}'
        self.process = mixed_host(lab, lib_side, mod_side, **env)
        self.node = self.process.open(self.vnl)

    def join(self, by='raw', **how):
        """A client; the node is served meanwhile."""
        with served(self.node):
            if by == 'raw':
                return self.lab.raw(self.path, **how)
            side = SIDES[by]
            return mixed_host(self.lab, side, side).open(f'vde://{self.path}')

    def request(self, request):
        """A raw request, which is expected to be refused."""
        with pytest.raises(Refused):
            self.join(request=request)

    def works(self):
        """A new client can join and be heard, and hears."""
        client = self.join()
        frame = numbered(BROADCAST, mac(77), 77)
        client.send(frame)
        self.node.expect(frame)
        client.close()

    def settled(self):
        """All events are served."""
        with served(self.node):
            pass
        self.node.drain()


def ours(lab, scheme, options='', **env):
    """A Network of our side throughout."""
    return Network(lab, scheme, SIDES['ours'], SIDES['ours'], options, **env)


# ---------------------------------------------------------------------------- every combination

@pytest.mark.parametrize('scheme', NODES)
def test_sizes_both_ways(lab, scheme, lib_side, mod_side, client_kind):
    """Frames of 14 to 9234 bytes between host and client, whosever library, plug-in and client."""
    network = Network(lab, scheme, lib_side, mod_side)
    client = network.join(client_kind)
    for number, size in enumerate(SIZES):
        frame = frames.ether(BROADCAST, mac(1), number.to_bytes(4, 'big'), size=size)
        client.send(frame)
        assert network.node.recv() == frame
        frame = frames.ether(BROADCAST, mac(2), number.to_bytes(4, 'big'), size=size)
        network.node.send(frame)
        assert client.recv() == frame
    assert network.node.close() == 0
    assert not os.path.exists(network.path)


def test_vde_plug(lab, plug_side):
    """A vde_plug of either side on a hub of ours."""
    if not plug_side.has_program('vde_plug'):
        lacking(f'vde_plug of {plug_side.name}')
    network = ours(lab, 'hub')
    with served(network.node):
        one = lab.stream(plug_side, f'vde://{network.path}')
        two = lab.stream(plug_side, f'vde://{network.path}')
        settle(one, two)
    one.send(numbered(BROADCAST, mac(1), 5))
    network.node.expect(lambda frame: frames.number_of(frame) == 5)
    two.expect(lambda frame: frames.number_of(frame) == 5)


# --------------------------------------------------------------------------------- who gets what

def check_delivery(frame, fence, getters, others):
    """The frame came to all getters; the others have the fence first."""
    for plug in getters:
        assert plug.recv() == frame, plug
    for plug in others:
        assert plug.recv() == fence, plug


def test_hub(lab):
    """Everybody hears everything but what they said."""
    network = ours(lab, 'hub')
    one, two = network.join(), network.join()
    frame = numbered(mac(2), mac(1), 1)
    one.send(frame)
    check_delivery(frame, None, [network.node, two], [])
    network.node.send(frame)
    check_delivery(frame, None, [one, two], [])
    assert not one.drain() and not two.drain() and not network.node.drain()


def test_switch(lab):
    """A learned address gets its frames alone."""
    network = ours(lab, 'switch')
    node, one, two = network.node, network.join(), network.join()
    one.send(numbered(BROADCAST, mac(1), 1))
    assert node.recv() and two.recv()
    to_one = numbered(mac(1), mac(2), 2)
    two.send(to_one)
    fence = numbered(BROADCAST, mac(2), 3)
    two.send(fence)
    assert node.recv() == fence             # not to_one
    assert [one.recv(), one.recv()] == [to_one, fence]
    node.send(numbered(mac(2), mac(9), 4))
    assert two.recv() and not one.drain()
    one.send(numbered(mac(9), mac(1), 5))
    assert frames.number_of(node.recv()) == 5 and not two.drain()


def test_multi(lab):
    """Clients reach the host only, the host all clients."""
    network = ours(lab, 'multi')
    one, two = network.join(), network.join()
    one.send(numbered(BROADCAST, mac(1), 1))
    assert frames.number_of(network.node.recv()) == 1
    network.node.send(numbered(mac(1), mac(9), 2))
    assert frames.number_of(one.recv()) == frames.number_of(two.recv()) == 2


def test_bonding(lab):
    """One client per frame, in turn; a client that left is passed over."""
    network = ours(lab, 'bonding')
    plugs = [network.join() for _ in range(3)]
    for number in range(9):
        network.node.send(numbered(BROADCAST, mac(9), number))
    got = [[frames.number_of(frame) for frame in plug.drain()] for plug in plugs]
    assert sorted(got) == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    plugs.pop().close()
    network.settled()
    for number in range(4):
        network.node.send(numbered(BROADCAST, mac(9), number))
    assert [len(plug.drain()) for plug in plugs] == [2, 2]


def test_switch_vlan_key(lab):
    """Reference 5.3: the original takes VLANs that differ by 1024 for one; ours has all 12 bits."""
    network = ours(lab, 'switch')
    one, two = network.join(), network.join()

    def tagged(dst, src, number, vlan):
        return numbered(dst, src, number, tags=frames.tag(vlan))

    one.send(tagged(BROADCAST, mac(1), 1, 5))
    assert network.node.recv() and two.recv()
    for number, vlan in enumerate((5 + 1024, 5 + 2048, 5 + 3072), 10):
        frame = tagged(mac(1), mac(2), number, vlan)
        two.send(frame)
        assert network.node.recv() == frame     # unknown there: flooded
        assert one.recv() == frame
    known, fence = tagged(mac(1), mac(2), 20, 5), numbered(BROADCAST, mac(2), 21)
    two.send(known)
    two.send(fence)
    assert network.node.recv() == fence
    assert one.recv() == known


def test_switch_options(lab):
    """hashsize=, hashseed= and expiretime= are taken; a small table still forwards."""
    network = ours(lab, 'switch', '[hashsize=2/hashseed=7/expiretime=1k]')
    plugs = [network.join() for _ in range(4)]
    for number, plug in enumerate(plugs):
        plug.send(numbered(BROADCAST, mac(number), number))
        assert frames.number_of(network.node.recv()) == number
    for plug in plugs:
        plug.drain()
    network.node.send(numbered(mac(3), mac(9), 9))
    assert plugs[3].recv()


# ------------------------------------------------------------------------------ the directory

@pytest.mark.parametrize('scheme', NODES)
def test_reopen_after_crash(lab, scheme):
    """kill -9 of the host leaves its directory; the next open takes it over (5.3: EEXIST)."""
    network = ours(lab, scheme)
    client = network.join(unlink=False)
    network.process.proc.signal(signal.SIGKILL)
    network.process.proc.wait()
    assert 'ctl' in os.listdir(network.path)
    assert client.gone()
    again = ours(lab, scheme)
    assert sorted(os.listdir(network.path)) == ['ctl', 'ring']
    again.works()
    again.node.close()
    assert not os.path.exists(network.path)


def test_debian_leaves_eexist(lab, debian):
    """What Debian's does in that case."""
    network = Network(lab, 'hub', debian, debian)
    network.process.proc.signal(signal.SIGKILL)
    network.process.proc.wait()
    with pytest.raises(LibraryError, match='File exists'):
        Network(lab, 'hub', debian, debian)


def test_takes_over_debians(lab, debian):
    """A directory that Debian's hub left by a crash."""
    network = Network(lab, 'hub', debian, debian)
    network.join()
    network.process.proc.signal(signal.SIGKILL)
    network.process.proc.wait()
    ours(lab, 'hub').works()


def test_live_node_is_refused(lab, mod_side):
    """A second node at the path of a living one, of either side: EADDRINUSE, and no harm done."""
    network = Network(lab, 'hub', mod_side, mod_side)
    with pytest.raises(LibraryError, match='Address already in use'):
        ours(lab, 'hub')
    network.works()


@pytest.mark.parametrize('what', ['file', 'empty', 'thesis', 'link', 'switch'])
def test_other_things_are_left_alone(lab, what):
    """What is in the way and not a node's is reported and kept."""
    path = lab.path('hub')
    if what == 'file':
        lab.write('hub', 'text')
    elif what == 'link':
        os.mkdir(lab.path('elsewhere'))
        os.symlink(lab.path('elsewhere'), path)
    else:
        os.mkdir(path)
    if what in ('thesis', 'switch'):
        for name in ('ctl', '001.7') if what == 'switch' else ('ctl',):
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(f'{path}/{name}')
    if what == 'thesis':
        lab.write('hub/thesis', 'text')
    before = os.path.isdir(path) and sorted(os.listdir(path))
    with pytest.raises(LibraryError, match='File exists'):
        ours(lab, 'hub')
    assert os.path.lexists(path)
    assert (os.path.isdir(path) and sorted(os.listdir(path))) == before


def modes(network):
    """Mode and group of the directory and of each name in it."""
    found = {}
    for name in ('', *os.listdir(network.path)):
        status = os.stat(os.path.join(network.path, name))
        kind = 'fd' if name.startswith('fd') else name
        found[kind] = (oct(stat.S_IMODE(status.st_mode)), status.st_gid)
    return found


@pytest.mark.parametrize('options,args,want_dir,want_socket', [
    ('', None, '0o2700', '0o600'),
    ('', {'mode': 0o700}, '0o2700', '0o600'),
    ('', {'mode': 0o770}, '0o2770', '0o660'),
    ('', {'mode': 0}, '0o2700', '0o600'),
    ('[mode=0664]', {'mode': 0o700}, '0o2775', '0o664'),
    ('[mode=777]', None, '0o2777', '0o666'),
    ('[mode=0620/dirmode=0751]', None, '0o751', '0o620'),
])
def test_modes(lab, options, args, want_dir, want_socket):
    """mode= and dirmode= for the directory, the control socket and the data sockets."""
    network = ours(lab, 'hub')
    network.node.close()
    network.node = network.process.open(f'hub://{network.path}{options}', args=args)
    network.join()
    found = {kind: mode for kind, (mode, _group) in modes(network).items()}
    assert found == {'': want_dir, 'ctl': want_socket, 'fd': want_socket, 'ring': want_socket}


@pytest.mark.parametrize('how', ['option', 'args'])
def test_group(lab, how):
    """grp= (or the caller's group) owns directory and sockets."""
    group = 12 if os.geteuid() == 0 else os.getegid()
    network = ours(lab, 'hub')
    network.node.close()
    args = {'group': str(group), 'mode': 0o660} if how == 'args' else None
    options = f'[grp={group}/mode=660]' if how == 'option' else ''
    network.node = network.process.open(f'hub://{network.path}{options}', args=args)
    network.join()
    assert modes(network) == {'': ('0o2770', group), 'ctl': ('0o660', group),
                              'fd': ('0o660', group), 'ring': ('0o660', group)}


@pytest.mark.parametrize('scheme,options', [
    ('hub', '[mode=rw]'), ('hub', '[mode=0999]'), ('hub', '[dirmode=]'), ('hub', '[wrong=1]'),
    ('hub', '[grp=no-such-group]'), ('hub', '[hashsize=4]'), ('switch', '[hashsize=0]'),
    ('switch', '[hashsize=many]'), ('switch', '[expiretime=-1]'), ('switch', '[hashsize=9g]'),
    ('multi', '[expiretime=5]'), ('switch', '[hashseed=x]')])
def test_wrong_options(lab, scheme, options):
    """EINVAL, and nothing is made."""
    with pytest.raises(LibraryError, match='Invalid argument'):
        ours(lab, scheme, options)
    assert not os.path.exists(lab.path(scheme))


def test_missing_parent_and_long_path(lab):
    """Errors of the path."""
    process = mixed_host(lab, SIDES['ours'], SIDES['ours'])
    with pytest.raises(LibraryError, match='No such file'):
        process.open(f'hub://{lab.path("none", "hub")}')
    with pytest.raises(LibraryError, match='too long'):
        process.open(f'hub://{lab.path("x" * 100)}')


@pytest.mark.parametrize('scheme', ['hub', 'switch'])
def test_default_directory(lab, scheme):
    """Without a path: vdenode_USER in $XDG_RUNTIME_DIR."""
    runtime = lab.path('run')
    os.mkdir(runtime, 0o700)
    process = mixed_host(lab, SIDES['ours'], SIDES['ours'], XDG_RUNTIME_DIR=runtime)
    node = process.open(f'{scheme}://')
    name, = os.listdir(runtime)
    assert name.startswith('vdenode_')
    with served(node):
        lab.raw(os.path.join(runtime, name))
    node.close()
    assert os.listdir(runtime) == []


# -------------------------------------------------------------------------------- the protocol

@pytest.mark.parametrize('how', [{}, {'version': 1}, {'kind': 1}, {'port': 7},
                                 {'version': 1, 'kind': 1}, {'descr': b''}, {'descr': b'x' * 134}],
                         ids=str)
def test_requests_that_are_answered(lab, how):
    """Reference 5.3: port-0 and version-1 requests were ignored in silence; the reply is clean."""
    network = ours(lab, 'hub')
    client = network.join(**how)
    assert client.peer.startswith(f'{network.path}/fd')
    assert client.reply == sockaddr_un(client.peer)     # nothing behind the path
    client.send(numbered(BROADCAST, mac(1), 1))
    assert network.node.recv()
    network.node.send(numbered(BROADCAST, mac(1), 2))
    assert client.recv()


def hostile_requests(path):
    """Requests that must be refused."""
    good = request_v3(path)
    yield from (
        b'\0' * 256, b'GET / HTTP/1.1\r\n\r\n', request_v3(path, magic=0), b'\xff' * 256,
        request_v3(path, version=2), request_v3(path, version=4), request_v3(path, version=1 << 31),
        request_v3(path, kind=2), request_v3(path, kind=255),
        request_v3('/'), request_v3(''), request_v3('/nonexistent/socket'),
        good[:12] + b'\2\0' + good[14:],        # another address family
        good[:14] + b'x' * 108,                 # a path without an end
        good[:14] + b'\0abstract' + b'\0' * 99,
    )


def test_hostile_requests(lab):
    """Each is refused by end of file, and leaves nothing behind."""
    network = ours(lab, 'hub')
    before = network.process.call(op='fds')
    network.request(lambda path: request_v3(path + 'x'))        # no such socket
    network.request(lambda path: request_v3(network.path + '/ctl'))      # not a datagram socket
    network.request(lambda path: request_v3(lab.write('file', '')))      # no socket
    for request in hostile_requests(lab.path('sock')):
        network.request(request)
    assert network.process.call(op='fds') == before
    assert sorted(os.listdir(network.path)) == ['ctl', 'ring']
    network.works()


def test_request_in_pieces(lab):
    """Byte by byte; what is cut short waits, and is gone with its connection."""
    network = ours(lab, 'hub')
    path = lab.path('sock')
    with served(network.node), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as data, \
            socket.socket(socket.AF_UNIX) as control, socket.socket(socket.AF_UNIX) as half:
        data.bind(path)
        half.connect(f'{network.path}/ctl')
        half.sendall(request_v3(path)[:60])
        control.connect(f'{network.path}/ctl')
        control.settimeout(5)
        for byte in request_v3(path):
            control.sendall(bytes([byte]))
        assert len(control.recv(200)) == 110
    with served(network.node):
        wait_until(lambda: sorted(os.listdir(network.path)) == ['ctl', 'ring'], 5, 'the client is gone')
    network.works()


@contextlib.contextmanager
def many_descriptors(process):
    """Room for hundreds of connections, here and in the process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        lacking('2048 descriptors (ulimit -Hn)')
    resource.prlimit(process.proc.pid, resource.RLIMIT_NOFILE, (2048, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_connections_without_request(lab):
    """More of them than there is room: the oldest give way, and clients still come in."""
    network = ours(lab, 'hub')
    with many_descriptors(network.process), contextlib.ExitStack() as stack:
        with served(network.node):
            client = lab.raw(network.path)
            idle = []
            for _ in range(CLIENTS_MAX + 50):
                idle.append(stack.enter_context(socket.socket(socket.AF_UNIX)))
                idle[-1].connect(f'{network.path}/ctl')
        wait_until(lambda: not network.node.wait_readable(0) or network.settled(), 5, 'all served')
        late = network.join()
        late.send(numbered(BROADCAST, mac(1), 1))
        network.node.expect()
        client.expect()
        gone = [readable(connection, 0) for connection in idle]
        assert gone.count(True) == 52 and all(gone[:52])    # two have joined
    network.settled()
    network.works()


def test_too_many_clients(lab):
    """Those that have joined stay; one more is refused, until one leaves."""
    network = ours(lab, 'hub')
    with many_descriptors(network.process), contextlib.ExitStack() as stack:
        with served(network.node):
            clients = [stack.enter_context(RawPlug(network.path)) for _ in range(CLIENTS_MAX)]
            with pytest.raises((Refused, BrokenPipeError, ConnectionResetError)):
                RawPlug(network.path)
            clients.pop().close()
            wait_until(lambda: len(os.listdir(network.path)) == CLIENTS_MAX + 1, 5, 'it is gone')
            clients.append(stack.enter_context(RawPlug(network.path)))
        network.node.send(numbered(BROADCAST, mac(1), 1))
        assert all(client.recv() for client in clients)


def test_without_descriptors(lab):
    """A host that ran out of descriptors refuses; the datafd does not stay readable for that."""
    network = ours(lab, 'hub')
    pid = network.process.proc.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir(f'/proc/{pid}/fd'))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
    with served(network.node), pytest.raises((Refused, BrokenPipeError, ConnectionResetError)):
        RawPlug(network.path)
    network.settled()
    assert not network.node.wait_readable(0)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    network.works()


def test_hostile_client(lab):
    """A client that talks on its control connection, and sends frames too short and too long."""
    network = ours(lab, 'hub')
    good, bad = network.join(), network.join(sndbuf=1 << 20)
    for size in (0, 1, 13, 9235, 20000, 60000):
        bad.send(b'\xff' * size)
    fence = numbered(BROADCAST, mac(1), 1)
    bad.send(fence)
    assert network.node.recv() == fence
    assert good.recv() == fence
    bad.control.sendall(b'x' * 1000)
    network.settled()
    bad.send(fence)
    assert network.node.recv() == fence
    bad.control.settimeout(5)
    with served(network.node), pytest.raises((BrokenPipeError, ConnectionResetError)):
        while True:
            bad.control.sendall(b'x' * 1000)
    network.works()


STRANGER = '''
import socket, sys
sys.path.insert(0, sys.argv[1])
from vslib.plugs import RawPlug, Refused, request_v3
try:
    RawPlug(sys.argv[2], where=sys.argv[3], request=(lambda path: request_v3(sys.argv[4]))
            if len(sys.argv) > 4 else None)
except Refused:
    print('refused')
else:
    print('answered')
'''


@pytest.mark.skipif(os.geteuid() != 0, reason='needs root, to be another user')
def test_strangers(lab):
    """Another user may join where the modes allow it, but not with somebody else's socket."""
    os.chmod(lab.dir, 0o755)
    shared = lab.path('shared')
    os.mkdir(shared)
    os.chmod(shared, 0o1777)
    network = ours(lab, 'hub', '[mode=0666]')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as victim:
        victim.bind(f'{shared}/victim')
        os.chmod(f'{shared}/victim', 0o777)
        argv = [sys.executable, '-c', STRANGER, os.path.dirname(os.path.abspath(__file__)),
                network.path, shared]
        with served(network.node):
            results = [subprocess.run(argv + more, user=65534, group=65534, extra_groups=[],
                                      text=True, stdout=subprocess.PIPE, check=True,
                                      timeout=20).stdout.strip()
                       for more in ([], [f'{shared}/victim'])]
        assert results == ['answered', 'refused']
        network.node.send(numbered(BROADCAST, mac(1), 1))
        assert not readable(victim, 0)


# ------------------------------------------------------------------------------ recv and send

def test_one_call_serves_all(lab):
    """A frame for the host is delivered by a call that also lets a client in and sees one go."""
    network = ours(lab, 'switch')
    one, two, three = network.join(), network.join(), network.join()
    one.send(numbered(BROADCAST, mac(1), 0))
    network.node.expect()
    three.close()                                   # an end
    for number in range(20):                        # frames that are not for the host
        two.send(numbered(mac(1), mac(2), number))
    path = lab.path('late')
    with socket.socket(socket.AF_UNIX) as control, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as data:
        data.bind(path)
        control.connect(f'{network.path}/ctl')      # a beginning
        control.sendall(request_v3(path))
        frame = numbered(BROADCAST, mac(1), 7)
        one.send(frame)
        assert network.node.wait_readable()
        calls = [network.node.recv_result()]
        while network.node.wait_readable(0):
            calls.append(network.node.recv_result())
        results = [result for result, _errno, _data in calls]
        assert results.count(len(frame)) == 1
        assert results.count(1) <= 1, results
        assert readable(control, 0)
    assert len(one.drain()) == 20


def test_small_buffer(lab):
    """A frame too long for the host's buffer is dropped for the host, and whole for the others."""
    network = ours(lab, 'hub')
    one, two = network.join(), network.join()
    for size in (2, 17, 18, 100, 999):
        long = frames.ether(BROADCAST, mac(1), b'long', size=1000)
        one.send(long)
        assert network.node.wait_readable()
        result, error, _ = network.node.recv_result(size)
        assert (result, error) == (1, 11)
        assert two.recv() == long
    exact = frames.ether(BROADCAST, mac(1), b'fits', size=1000)
    one.send(exact)
    assert network.node.wait_readable()
    assert network.node.recv_result(1000) == (1000, 0, exact)


def test_host_frames_out_of_bounds(lab):
    """The host's own frames that are too short or too long are dropped with success."""
    network = ours(lab, 'hub')
    client = network.join()
    for size in (0, 1, 13, 9235, 20000):
        assert network.node.send_result(b'\xff' * size) == size
    fence = numbered(BROADCAST, mac(1), 1, size=VDE_MAX_FRAME)
    network.node.send(fence)
    assert client.recv() == fence


def test_full_client_hurts_itself_only(lab):
    """A client that does not read loses frames; another one gets all, and nobody waits."""
    network = ours(lab, 'hub')
    stuck, good = network.join(), network.join()
    start = time.monotonic()
    for number in range(1500):
        network.node.send(numbered(BROADCAST, mac(1), number, size=1514))
        assert frames.number_of(good.recv()) == number
    assert time.monotonic() - start < 20
    assert 10 < len(stuck.drain()) < 1500
    network.node.send(numbered(BROADCAST, mac(1), 5000))
    assert stuck.recv()


def test_single_full_client_is_waited_for_once(lab):
    """vde_send waits for a single client that is full, and not again while it takes nothing."""
    network = ours(lab, 'hub')
    client = network.join()
    longest = total = 0
    for number in range(1200):
        start = time.monotonic()
        network.node.send(numbered(BROADCAST, mac(1), number, size=1514))
        took = time.monotonic() - start
        longest, total = max(longest, took), total + took
    assert 0.04 < longest < 1
    assert total < 10
    seen = [frames.number_of(frame) for frame in client.drain()]
    assert seen == list(range(len(seen)))


def test_burst_from_client(lab):
    """400 frames from a client to host and another client, none lost that was accepted."""
    network = ours(lab, 'hub')
    one, two = network.join(), network.join()
    sent = got = also = 0
    while sent < 400 or got < sent:
        while sent < 400 and one.try_send(numbered(BROADCAST, mac(1), sent, size=1514)):
            sent += 1
        frame = network.node.recv()
        assert frames.number_of(frame) == got
        got += 1
        for frame in two.drain():
            assert frames.number_of(frame) == also
            also += 1
    assert also == 400


def test_clients_come_and_go(lab):
    """Descriptors and names do not pile up."""
    network = ours(lab, 'hub')
    before = network.process.call(op='fds')
    for _ in range(40):
        client = network.join()
        client.send(numbered(BROADCAST, mac(1), 1))
        assert network.node.recv()
        client.close()
        network.settled()
    wait_until(lambda: network.settled() or network.process.call(op='fds') == before, 5,
               'descriptors are closed')
    assert sorted(os.listdir(network.path)) == ['ctl', 'ring']


def test_ctlfd_and_datafd(lab, mod_side):
    """ctlfd is -1, datafd can be polled and nested."""
    network = Network(lab, 'hub', mod_side, mod_side)
    assert network.node.ctlfd() == -1
    assert network.node.datafd() >= 0
    assert not network.node.wait_readable(0)
    client = network.join()
    network.settled()
    assert not network.node.wait_readable(0)
    client.send(numbered(BROADCAST, mac(1), 1))
    assert network.node.wait_readable(5)


def test_nested_epoll(lab):
    """The datafd inside another epoll set (in a process of the test's own)."""
    network = ours(lab, 'hub')
    client = network.join()
    pid, number = network.process.proc.pid, network.node.datafd()
    if not hasattr(os, 'pidfd_open'):
        lacking('pidfd_open')
    # The kernel copies the descriptor: what the host polls is what is nested here.
    libc = ctypes.CDLL(None, use_errno=True)
    copy = libc.syscall(438, os.pidfd_open(pid), number, 0)
    if copy < 0:
        lacking('pidfd_getfd')
    with select.epoll() as outer:
        outer.register(copy, select.EPOLLIN)
        assert not outer.poll(0)
        client.send(numbered(BROADCAST, mac(1), 1))
        assert outer.poll(5)
    os.close(copy)
    network.node.expect()
