# SPDX-License-Identifier: GPL-2.0-or-later
"""The plug-ins without a node: null, seqpacket, udp, cmd, tap and macvtap, in both libraries."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from vslib import frames
from vslib.frames import BROADCAST, mac, numbered
from vslib.mixed import mixed_host, plugin_env
from vslib.plugs import CHILD, LibHost, LibraryError, framed
from vslib.proc import Proc, pid_exists, wait_until
from vslib.sides import SIDES, kernel_lacks, lacking, tool

SIZES = (14, 15, 59, 60, 1514, 4096, 4097, 9233, 9234)
EAGAIN = 11


def check(one, two, sizes=SIZES):
    """Frames of these sizes both ways."""
    for number, size in enumerate(sizes):
        frame = frames.ether(BROADCAST, mac(1), number.to_bytes(4, 'big'), size=size)
        for sender, receiver in ((one, two), (two, one)):
            sender.send(frame)
            assert receiver.recv() == frame, size


def sentence(lab, vnl):
    """vde_strerror() after a failed open, by our library in a process of its own."""
    ours = SIDES['ours']
    script = ('import ctypes,sys; lib=ctypes.CDLL(sys.argv[1]); '
              'lib.vde_strerror.restype=ctypes.c_char_p; '
              'conn=lib.vde_open_real(sys.argv[2].encode(), b"", 1, None); '
              'print(lib.vde_strerror().decode())')
    return lab.run([sys.executable, '-S', '-c', script, ours.library(), vnl],
                   env=lab.env(ours, **plugin_env(ours, ours))).out


# ----------------------------------------------------------------------------------------- null

def test_null(lab, lib_side, mod_side):
    """Nothing ever arrives."""
    null = mixed_host(lab, lib_side, mod_side).open('null://whatever')
    assert null.send_result(b'x' * 60) == 60
    assert null.recv_result()[0] == 1
    assert not null.wait_readable(0) and null.ctlfd() == -1
    assert null.close() == 0


# ------------------------------------------------------------------------------------ seqpacket

def inherited(lab, lib_side, mod_side, kind=socket.SOCK_SEQPACKET):
    """(our end, the connection on the other end)."""
    here, there = socket.socketpair(socket.AF_UNIX, kind)
    lab.keep(here)
    here.settimeout(5)
    with there:
        process = mixed_host(lab, lib_side, mod_side, pass_fds=[there.fileno()])
        return here, process.open(f'seqpacket://{there.fileno()}')


def test_seqpacket(lab, lib_side, mod_side):
    """Messages of an inherited socket."""
    here, plug = inherited(lab, lib_side, mod_side)
    for size in SIZES:
        frame = frames.ether(BROADCAST, mac(1), b'', size=size)
        here.send(frame)
        assert plug.recv() == frame
        plug.send(frame)
        assert here.recv(20000) == frame
    here.close()
    assert plug.wait_readable()
    assert plug.recv_result()[0] == 0


def test_seqpacket_hostile(lab):
    """Messages that are no frames are passed over; the connection stays."""
    here, plug = inherited(lab, SIDES['ours'], SIDES['ours'])
    for message in (b'', b'x' * 13, b'x' * 3000):
        here.send(message)
        assert plug.wait_readable()
        assert plug.recv_result(2000)[:2] == (1, EAGAIN)
    check(plug, RawSocket(here), [60])


class RawSocket:
    """A socket with the calls of a plug."""

    def __init__(self, raw):
        self.raw = raw

    def send(self, frame):
        """One message."""
        self.raw.send(frame)

    def recv(self):
        """One message."""
        return self.raw.recv(1 << 16)


@pytest.mark.parametrize('text,error', [
    ('', 'Invalid'), ('abc', 'Invalid'), ('3x', 'Invalid'), ('-1', 'Invalid'), ('0x3', 'Invalid'),
    ('99999999999', 'Invalid'), ('999', 'Bad file descriptor'), ('2', 'non-socket')])
def test_seqpacket_errors(lab, text, error):
    """The number is taken strictly, and the descriptor looked at."""
    with pytest.raises(LibraryError, match=error):
        mixed_host(lab).open(f'seqpacket://{text}')


def test_seqpacket_stream_socket(lab):
    """A stream does not keep frames apart."""
    with pytest.raises(LibraryError, match='wrong type'):
        inherited(lab, SIDES['ours'], SIDES['ours'], socket.SOCK_STREAM)
    here, plug = inherited(lab, SIDES['ours'], SIDES['ours'], socket.SOCK_DGRAM)
    check(plug, RawSocket(here), [60, 1514])


# ------------------------------------------------------------------------------------------ udp

def udp_pair(address='127.0.0.1', count=2):
    """Port numbers that are free on a loopback address."""
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    held = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(count)]
    try:
        for one in held:
            one.bind((address, 0))
        return [one.getsockname()[1] for one in held]
    except OSError:
        lacking(f'the address {address}')
    finally:
        for one in held:
            one.close()


def raw_udp(lab, port, address='127.0.0.1'):
    """A UDP socket of the test's own."""
    raw = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM)
    lab.keep(raw)
    raw.settimeout(5)
    raw.bind((address, port))
    return raw


def test_udp(lab, lib_side, mod_side):
    """One raw frame per datagram, whosever library and plug-in, against ours."""
    one, two = udp_pair()
    a = mixed_host(lab, lib_side, mod_side).open(f'udp://{one}->127.0.0.1:{two}')
    b = mixed_host(lab).open(f'udp://{two}->127.0.0.1:{one}')
    check(a, b)
    assert a.ctlfd() == -1


@pytest.mark.parametrize('form', [
    'udp://{0}->[::1]:{1}', 'udp://[::1]:{0}->[::1]:{1}', 'udp://::1:{0}->::1:{1}'])
def test_udp6(lab, form):
    """IPv6 with brackets, and by the last colon as before."""
    one, two = udp_pair('::1')
    process = mixed_host(lab)
    check(process.open(form.format(one, two)), process.open(form.format(two, one)))


def test_udp_names(lab):
    """Host and service names are resolved."""
    one, two = udp_pair()
    process = mixed_host(lab)
    check(process.open(f'udp://127.0.0.1:{one}->127.0.0.1:{two}'),
          process.open(f'udp://127.0.0.1:{two}->[127.0.0.1]:{one}'))


def test_udp_hears_its_peer_only(lab):
    """Reference 5.4 (spoofable): strangers are not heard, neither before nor after a frame was sent."""
    one, two, three = udp_pair(count=3)
    plug = mixed_host(lab).open(f'udp://{one}->127.0.0.1:{two}')
    peer, stranger = raw_udp(lab, two), raw_udp(lab, three)
    bad, good = numbered(BROADCAST, mac(1), 666), numbered(BROADCAST, mac(1), 1)
    for _ in range(2):
        stranger.sendto(bad, ('127.0.0.1', one))
        peer.sendto(good, ('127.0.0.1', one))
        assert plug.recv() == good
        plug.send(good)
        assert peer.recv(2000) == good
    assert not plug.drain()


def test_udp_survives(lab):
    """An empty datagram, short and long ones, and a peer that is not there."""
    one, two = udp_pair()
    plug = mixed_host(lab).open(f'udp://{one}->127.0.0.1:{two}')
    frame = numbered(BROADCAST, mac(1), 1)
    for _ in range(4):
        assert plug.send_result(frame) == 60        # ECONNREFUSED comes back
        assert not plug.drain()
    peer = raw_udp(lab, two)
    for data in (b'', b'x' * 13, b'x' * 3000):
        peer.sendto(data, ('127.0.0.1', one))
        assert plug.wait_readable()
        assert plug.recv_result(2000)[:2] == (1, EAGAIN)
    peer.sendto(b'', ('127.0.0.1', one))
    peer.sendto(frame, ('127.0.0.1', one))
    assert plug.wait_readable()
    assert plug.recv_result()[0] == 60              # in one call
    for size in (0, 13, 65508, 65535):
        assert plug.send_result(b'x' * size) == size
    plug.send(frame)
    assert peer.recv(2000) == frame


def test_udp_burst(lab):
    """Frames in order, none lost on the loopback interface while they are read."""
    one, two = udp_pair()
    process = mixed_host(lab)
    a, b = process.open(f'udp://{one}->127.0.0.1:{two}'), process.open(f'udp://{two}->127.0.0.1:{one}')
    for start in range(0, 200, 50):
        for number in range(start, start + 50):
            a.send(numbered(BROADCAST, mac(1), number, size=1514))
        assert [frames.number_of(b.recv()) for _ in range(50)] == list(range(start, start + 50))


@pytest.mark.parametrize('text,error', [
    ('7000', 'Invalid'), ('', 'Invalid'), ('7000->', 'Invalid'), ('7000->host', 'Invalid'),
    ('[::1:7000->[::1]:7001', 'Invalid'), ('7000->127.0.0.1:no-such-service', 'abort'),
    ('7000->host.invalid:7001', 'abort'), ('127.0.0.1:7000->[::1]:7001', 'abort'),
    ('192.0.2.1:7000->127.0.0.1:7001', 'Cannot assign')])
def test_udp_errors(lab, text, error):
    """errno is always set (reference 2.5: not so for a missing arrow)."""
    with pytest.raises(LibraryError, match=error):
        mixed_host(lab).open(f'udp://{text}')


def test_udp_port_in_use(lab):
    """A port that another has."""
    one, two = udp_pair()
    raw_udp(lab, one)
    with pytest.raises(LibraryError, match='in use'):
        mixed_host(lab).open(f'udp://127.0.0.1:{one}->127.0.0.1:{two}')


# ------------------------------------------------------------------------------------------ cmd

def helper(lab, name, body):
    """A script that speaks the stream format: body has read(n) and write(bytes)."""
    return lab.write(name, f'''#!{sys.executable} -S
import os, signal, struct, sys, time
def read(size):
    data = b''
    while len(data) < size:
        more = os.read(0, size - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data
def frame():
    return read(int.from_bytes(read(2), 'big'))
def write(data):
    while data:
        data = data[os.write(1, data):]
{body}
''', 0o755)


def test_cmd_echo(lab, lib_side, mod_side):
    """cat gives back what it gets; with a shell and quotes, too.

    Debian's vde_send counts the two bytes of the header.
    """
    for command in ('cat', "sh -c 'cat; exit 0'", 'sh -c "exec cat"'):
        plug = mixed_host(lab, lib_side, mod_side).open(f'cmd://{command}')
        for size in SIZES:
            frame = frames.ether(BROADCAST, mac(1), b'', size=size)
            assert plug.send_result(frame) == size + (0 if mod_side.ours else 2)
            assert plug.recv() == frame
        assert plug.ctlfd() == -1
        if mod_side.ours:       # Debian's may wait for ever (the arguments of kill are swapped)
            plug.close()


def test_cmd_partial_reads(lab):
    """Reference 5.3: half a header, or a header without its frame, and the original is out of step."""
    script = helper(lab, 'dribble', '''
while True:
    data = frame()
    for byte in struct.pack('>H', len(data)) + data:
        write(bytes([byte]))
''')
    plug = mixed_host(lab).open(f'cmd://{script}')
    for number in range(5):
        frame = numbered(BROADCAST, mac(1), number)
        plug.send(frame)
        assert plug.recv() == frame
    plug.send(numbered(BROADCAST, mac(1), 9))
    assert plug.wait_readable()
    assert plug.recv_result()[0] in (1, 60)     # does not block for the rest of a frame


def test_cmd_many_frames_in_one_read(lab):
    """Frames that are in our buffer already keep the datafd readable, and no longer."""
    script = helper(lab, 'burst', '''
frame()
for size in (0, 20, 13, 9234, 9235, 9236, 20000, 14):
    write(struct.pack('>H', size) + bytes([size % 251]) * size)
time.sleep(100)
''')
    plug = mixed_host(lab).open(f'cmd://{script}')
    plug.send(numbered(BROADCAST, mac(1), 1))
    got = []
    while not got or got[-1] != 14:
        assert plug.wait_readable()
        result, error, data = plug.recv_result()
        assert result != 1 or error == EAGAIN
        assert result == 1 or data == bytes([result % 251]) * result
        if result > 1:
            got.append(result)
    assert got == [20, 9234, 14]
    assert not plug.wait_readable(0)


def test_cmd_many_small_frames(lab):
    """2000 frames written at once are all delivered, in order."""
    script = helper(lab, 'many', '''
frame()
data = b''.join(struct.pack('>H', 60) + b'x' * 12 + b'\\x88\\xb5' + struct.pack('>I', n) + b'y' * 42
                for n in range(2000))
write(data)
frame()
''')
    plug = mixed_host(lab).open(f'cmd://{script}')
    plug.send(numbered(BROADCAST, mac(1), 1))
    assert [frames.number_of(plug.recv()) for _ in range(2000)] == list(range(2000))


def test_cmd_slow_reader(lab):
    """A command that does not read: whole frames are lost, never half of one, and nobody hangs."""
    script = helper(lab, 'slow', f'''
open({lab.path("pid")!r}, 'w').write(str(os.getpid()))
while not os.path.exists({lab.path("go")!r}):
    time.sleep(0.01)
while True:
    data = frame()
    write(struct.pack('>H', len(data)) + data)
''')
    plug = mixed_host(lab).open(f'cmd://{script}')
    start, longest = time.monotonic(), 0
    for number in range(300):
        before = time.monotonic()
        plug.send(numbered(BROADCAST, mac(1), number, size=9001))
        longest = max(longest, time.monotonic() - before)
    assert 0.04 < longest < 1 and time.monotonic() - start < 10
    lab.write('go', '')
    last = numbered(BROADCAST, mac(1), 999, size=9001)
    seen = []
    while not seen or seen[-1] != 999:
        plug.send(last)
        frame = plug.recv()
        assert len(frame) == 9001 and frames.number_of(frame) is not None
        seen.append(frames.number_of(frame))
    kept = seen[:seen.index(999)]
    assert 5 < len(kept) < 300 and kept == sorted(kept)


def test_cmd_rest_is_sent_by_recv(lab):
    """The rest of a frame that a full pipe took in part goes out without another vde_send."""
    script = helper(lab, 'later', f'''
while not os.path.exists({lab.path("go")!r}):
    time.sleep(0.01)
count = 0
while True:
    data = frame()
    count += 1
    write(struct.pack('>H', 60) + data[:14] + struct.pack('>I', count) + b'x' * 42)
''')
    plug = mixed_host(lab).open(f'cmd://{script}')
    for number in range(300):
        plug.send(numbered(BROADCAST, mac(1), number, size=5000))
    lab.write('go', '')
    counts = [frames.number_of(plug.recv())]
    while (frame := plug.recv(0.3)) is not None:
        counts.append(frames.number_of(frame))
    assert counts == list(range(1, len(counts) + 1))
    plug.send(numbered(BROADCAST, mac(1), 0))           # and nothing is left of the frames before
    assert frames.number_of(plug.recv()) == len(counts) + 1 > 5


@pytest.mark.parametrize('status', [0, 3])
def test_cmd_end(lab, lib_side, status):
    """The end of the command is the end of the network, with a word about it."""
    script = helper(lab, 'end', f'''
write(struct.pack('>H', 60) + b'x' * 60)
sys.exit({status})
''')
    plug = mixed_host(lab, lib_side).open(f'cmd://{script} "an argument"')
    assert plug.recv() == b'x' * 60
    assert plug.wait_readable()
    assert [plug.recv_result()[0] for _ in range(3)] == [0, 0, 0]
    assert plug.send_result(b'x' * 60) == 60
    wanted = f'VDE terminated: cmd://{script} "an argument"\n'
    assert plug.host.proc.output().count(wanted) == 1
    assert plug.close() == 0


def test_cmd_close_ends_the_command(lab):
    """SIGTERM, for the whole process group; a command that ignores it is killed after a second."""
    for body, limit in (('', 0.9), ('signal.signal(signal.SIGTERM, signal.SIG_IGN)', 2.5)):
        script = helper(lab, 'stay', f'''
{body}
child = os.fork()
with open({lab.path("pids")!r} + str(child), 'w') as out:
    out.write(str(os.getpid()))
write(struct.pack('>H', 60) + b'x' * 60)
time.sleep(100)
''')
        plug = mixed_host(lab).open(f'cmd://{script}')
        assert plug.recv() and plug.recv()      # one of each process
        pids = [int(open(lab.path(name)).read()) for name in os.listdir(lab.dir)
                if name.startswith('pids')]
        start = time.monotonic()
        assert plug.close() == 0
        assert time.monotonic() - start < limit
        wait_until(lambda: not any(map(pid_exists, pids)), 5, 'all processes are gone')
        for name in os.listdir(lab.dir):
            if name.startswith('pids'):
                os.unlink(lab.path(name))


def test_cmd_without_sigpipe(lab):
    """A command that closes its input, or ended, does not kill the program that sends to it."""
    script = helper(lab, 'deaf', '''
os.close(0)
write(struct.pack('>H', 60) + b'x' * 60)
time.sleep(100)
''')
    plug = mixed_host(lab).open(f'cmd://{script}')
    assert plug.recv() == b'x' * 60
    for _ in range(300):
        assert plug.send_result(b'x' * 9000) == 9000
    assert plug.host.call(op='fds') > 0         # it lives
    plug.close()


@pytest.mark.parametrize('line,error', [('', 'Invalid'), ("sh -c 'x", 'Invalid'),
                                        ('/nonexistent/program', 'No such file'),
                                        ('/etc/passwd', 'Permission')])
def test_cmd_errors(lab, line, error):
    """What cannot be run is told at once (Debian's opens, and ends at the first vde_recv)."""
    with pytest.raises(LibraryError, match=error):
        mixed_host(lab).open(f'cmd://{line}')


def test_cmd_leaves_nothing(lab):
    """Descriptors of a connection are closed with it, and not inherited by the command."""
    process = mixed_host(lab)
    before = process.call(op='fds')
    other = process.open('hub://' + lab.path('h'))
    listing = lab.path('fds')
    plug = process.open(f"cmd://sh -c 'ls -l /proc/$$/fd >{listing}.tmp; mv {listing}.tmp {listing}; cat'")
    wait_until(lambda: os.path.exists(listing), 5, 'it ran')
    text = open(listing).read()
    assert 'eventpoll' not in text and 'timerfd' not in text
    assert len(re.findall(r'pipe:', text)) == 2, text
    plug.close()
    other.close()
    assert process.call(op='fds') == before


def test_cmd_vde_plug(lab, plug_side):
    """A chain: cmd:// runs vde_plug, which joins a second hub."""
    if not plug_side.has_program('vde_plug'):
        lacking(f'vde_plug of {plug_side.name}')
    ours = mixed_host(lab)
    hub = ours.open(f'hub://{lab.path("hub")}')
    plug = mixed_host(lab).open(
        f'cmd://{plug_side.program("vde_plug")} vde://{shlex.quote(lab.path("hub"))}')
    frame = numbered(BROADCAST, mac(1), 1)

    def arrived():
        plug.send(frame)
        return hub.recv(0.1) == frame

    wait_until(arrived, 5, 'the chain works')
    check(plug, hub, [60, 1514, 4000])


# ---------------------------------------------------------------------------------------- tap

class NamespaceHost(LibHost):
    """A LibHost inside new namespaces."""

    def __init__(self, library, *, env, options):    # pylint: disable=super-init-not-called
        self.proc = Proc([tool('unshare'), options, sys.executable, '-S', CHILD, library],
                         env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, name='tap host')
        self.lock = threading.Lock()


def namespace_host(lab, lib_side, mod_side, options='-Urn'):
    """A NamespaceHost that may make interfaces, unless the options say otherwise."""
    env = lab.env(lib_side, **plugin_env(lib_side, mod_side))
    process = NamespaceHost(lib_side.library(), env=env, options=options)
    lab.keep(process, process.proc)
    try:
        process.call(op='fds')
    except AssertionError:
        lacking('user namespaces (unshare -Urn)')
    return process


def inside(lab, process, *command):
    """Run a command in the namespaces of that process."""
    argv = [tool('nsenter'), '-t', process.proc.pid, '-U', '-n', '--preserve-credentials', *command]
    done = lab.run([str(word) for word in argv])
    assert done.status == 0, done
    return done.out


@pytest.fixture
def tap_host(lab):
    """A process that may make interfaces."""
    if not os.access('/dev/net/tun', os.R_OK | os.W_OK):
        lacking('/dev/net/tun')
    return namespace_host(lab, SIDES['ours'], SIDES['ours'])


def test_tap_arp(lab, lib_side, mod_side):
    """The kernel behind the interface answers ARP."""
    if not os.access('/dev/net/tun', os.R_OK | os.W_OK):
        lacking('/dev/net/tun')
    process = namespace_host(lab, lib_side, mod_side)
    plug = process.open('tap://vs0')
    inside(lab, process, tool('ip'), 'addr', 'add', '10.9.0.1/24', 'dev', 'vs0')
    inside(lab, process, tool('ip'), 'link', 'set', 'vs0', 'up')
    request = frames.arp(1, mac(1), '10.9.0.2', b'\0' * 6, '10.9.0.1')
    plug.send(request)
    reply = plug.expect(lambda frame: frames.Parsed(frame).ethertype == frames.ARP
                        and frame[20:22] == b'\0\2')
    assert reply[:6] == mac(1)
    plug.close()
    assert 'vs0' not in inside(lab, process, tool('ip'), 'link')


def test_tap_down_and_short(lab, tap_host):
    """Frames to an interface that is down, or that it refuses, are lost, not errors."""
    plug = tap_host.open('tap://vs0')
    for size in (0, 10, 14, 60, 1514, 9234):
        assert plug.send_result(b'\xff' * size) == size
    inside(lab, tap_host, tool('ip'), 'link', 'set', 'vs0', 'up', 'mtu', '9000')
    plug.send(numbered(BROADCAST, mac(1), 1))
    assert plug.ctlfd() == -1


def test_tap_small_buffer(lab, tap_host):
    """A frame too long for the caller's buffer is dropped, not cut."""
    plug = tap_host.open('tap://vs0')
    inside(lab, tap_host, 'sh', '-c', 'echo 1 >/proc/sys/net/ipv6/conf/vs0/disable_ipv6')
    inside(lab, tap_host, tool('ip'), 'addr', 'add', '10.9.0.1/24', 'dev', 'vs0')
    inside(lab, tap_host, tool('ip'), 'link', 'set', 'vs0', 'up')
    inside(lab, tap_host, tool('ip'), 'neigh', 'add', '10.9.0.2', 'lladdr', '02:00:00:00:00:02',
           'dev', 'vs0')
    plug.drain()
    for size, wanted in ((1400, (1, EAGAIN)), (20, (62, 0))):
        inside(lab, tap_host, 'sh', '-c',
               f'head -c {size} /dev/zero | {sys.executable} -Sc "import socket,sys;'
               'socket.socket(2,2).sendto(sys.stdin.buffer.read(),(\'10.9.0.2\',9))"')
        assert plug.wait_readable()
        assert plug.recv_result(1000)[:2] == wanted


def test_tap_is_deleted(lab, tap_host):
    """The interface goes: the end of the network."""
    plug = tap_host.open('tap://vs0')
    inside(lab, tap_host, tool('ip'), 'link', 'del', 'vs0')
    assert plug.wait_readable()
    assert plug.recv_result()[0] == 0
    with pytest.raises(LibraryError, match='bad state'):
        plug.send_result(b'x' * 60)


def test_tap_names(lab, tap_host):
    """No name, a pattern, a persistent one with several queues; busy, wrong and long ones."""
    tap_host.open('tap://')
    assert 'tap0' in inside(lab, tap_host, tool('ip'), 'link')
    inside(lab, tap_host, tool('ip'), 'tuntap', 'add', 'dev', 'mq0', 'mode', 'tap', 'multi_queue')
    tap_host.open('tap://mq0').close()
    inside(lab, tap_host, tool('ip'), 'tuntap', 'add', 'dev', 'tun7', 'mode', 'tun')
    for name, error in (('tap0', 'busy'), ('lo', 'Invalid'), ('tun7', 'Invalid'), ('a/b', 'Invalid'),
                        ('x' * 16, 'too long')):
        with pytest.raises(LibraryError, match=error):
            tap_host.open(f'tap://{name}')


def test_tap_is_not_inherited(lab, tap_host):
    """Reference 2.5: the original's descriptor is not close-on-exec."""
    tap_host.open('tap://vs0')
    listing = lab.path('fds')
    tap_host.open(f"cmd://sh -c 'ls -l /proc/$$/fd >{listing}.tmp; mv {listing}.tmp {listing}; cat'")
    wait_until(lambda: os.path.exists(listing), 5, 'it ran')
    assert 'tun' not in open(listing).read()


def test_tap_without_permission(lab):
    """A user namespace without a network of its own."""
    if not os.access('/dev/net/tun', os.R_OK | os.W_OK):
        lacking('/dev/net/tun')
    process = namespace_host(lab, SIDES['ours'], SIDES['ours'], '-Ur')
    with pytest.raises(LibraryError, match='not permitted'):
        process.open('tap://vs-no')


def test_macvtap_errors(lab):
    """No such interface, and one that is no macvtap."""
    process = mixed_host(lab)
    for name, error in (('', 'No such device'), ('no-such-if', 'No such device'),
                        ('x' * 40, 'No such device'), ('lo', 'Invalid')):
        with pytest.raises(LibraryError, match=error):
            process.open(f'macvtap://{name}')


def test_macvtap(lab):
    """A macvtap interface of a namespace: two ends on a dummy, as far as the machine has devices."""
    process = namespace_host(lab, SIDES['ours'], SIDES['ours'])
    made = lab.run([tool('nsenter'), '-t', str(process.proc.pid), '-U', '-n',
                    '--preserve-credentials', 'sh', '-c',
                    'ip link add d0 type dummy && ip link set d0 up && '
                    'ip link add link d0 name mv0 type macvtap mode bridge && ip link set mv0 up && '
                    'cat /sys/class/net/mv0/ifindex'])
    if made.status:
        kernel_lacks('macvtap interfaces (module macvtap)')
    device = f'/dev/tap{made.out.strip()}'
    if not os.access(device, os.R_OK | os.W_OK):
        with pytest.raises(LibraryError) as failed:
            process.open('macvtap://mv0')
        assert failed.value.errno in (2, 13, 1, 22)
        kernel_lacks(f'{device} (devtmpfs)')
    plug = process.open('macvtap://mv0')
    inside(lab, process, tool('ip'), 'addr', 'add', '10.9.0.1/24', 'dev', 'mv0')
    plug.send(frames.arp(1, mac(1), '10.9.0.2', b'\0' * 6, '10.9.0.1'))
    plug.drain()


# ----------------------------------------------------------------------------------- sentences

@pytest.mark.parametrize('vnl,words', [
    ('udp://7000', r"'->' is missing"), ('udp://1->host.invalid:2', 'host.invalid'),
    ('cmd://no-such-command-here', 'no-such-command-here'), ('cmd://', 'command is missing'),
    ("cmd://sh 'x", 'quote is not closed'), ('seqpacket://x', 'not a descriptor'),
    ('seqpacket://77', '77 is not open'), ('macvtap://lo', 'not a macvtap'),
    ('hub:///nonexistent/hub', 'nonexistent'), ('hub:///tmp[mode=9]', 'octal'),
    ('hub://{dir}', 'exists'), ('ptp://{file}', 'not a socket'),
    ('tap://a-name-that-is-too-long', 'too long')])
def test_sentences(lab, vnl, words):
    """A failed open says why, in words that name the cause."""
    file = lab.path('a-file')
    with open(file, 'w', encoding='ascii'):
        pass
    said = sentence(lab, vnl.format(dir=lab.dir, file=file))
    assert re.search(words, said), said


def test_framing_is_the_usual(lab):
    """The bytes on the command's pipes: 16 bits of length, big endian, then the frame."""
    copy = lab.path('copy')
    plug = mixed_host(lab).open(f'cmd://sh -c "cat >{copy}"')
    frame = numbered(BROADCAST, mac(1), 1)
    plug.send(frame)
    wait_until(lambda: os.path.exists(copy) and os.path.getsize(copy) == 62, 5, 'it is written')
    assert open(copy, 'rb').read() == framed(frame)


def test_closed_and_killed_hosts_leave_no_commands(lab):
    """A command ends with the program that runs it, since its input does."""
    plug = mixed_host(lab).open(f"cmd://sh -c 'echo $$ >{lab.path('pid')}; exec cat'")
    wait_until(lambda: os.path.exists(lab.path('pid')) and open(lab.path('pid')).read(), 5, 'it ran')
    pid = int(open(lab.path('pid')).read())
    plug.host.proc.signal(signal.SIGKILL)
    plug.host.proc.wait()
    wait_until(lambda: not pid_exists(pid), 5, 'the command ended')
