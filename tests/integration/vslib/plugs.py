# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients of a VDE network: in pure Python, through vde_plug, and through libvdeplug itself.

All of them share Plug's calls, so that a test can be written once for every kind of client.
"""

import itertools
import json
import os
import pathlib
import queue
import socket
import struct
import subprocess
import sys
import threading
import time

from . import frames
from .proc import PATIENCE, Proc, TimeExpired, readable, wait_until


class Refused(AssertionError):
    """The switch closed the connection instead of answering a request."""


class Plug:
    """What every client can do; subclasses give send_frame() and recv_frame(timeout)."""

    def send(self, frame):
        """Send one frame."""
        self.send_frame(frame)
        return frame

    def recv(self, timeout=20.0):
        """The next frame, or None after timeout seconds."""
        return self.recv_frame(timeout)

    def expect(self, wanted=frames.is_test, timeout=5.0):
        """The next frame for which wanted(frame) is true, others are skipped. timeout: see wait_until.

        wanted may also be the expected bytes.
        """
        if isinstance(wanted, bytes):
            wanted = frames.is_exactly(wanted)
        deadline = time.monotonic() + timeout * PATIENCE
        skipped = []
        while True:
            frame = self.recv_frame(max(0.0, deadline - time.monotonic()))
            if frame is None:
                raise TimeExpired(f'{self}: frame did not come; others did: '
                                  f'{[(len(f), f[:24].hex()) for f in skipped[-8:]]}')
            if wanted(frame):
                return frame
            skipped.append(frame)

    def drain(self):
        """All frames that are there now, without waiting."""
        return list(iter(lambda: self.recv_frame(0), None))

    def expect_only(self, fence, timeout=5.0):
        """Receive until the fence frame; any other test frame before it is an error.

        To show that a frame does not arrive, send it, then a fence that has to arrive by the same
        way: no waiting for nothing.
        """
        deadline = time.monotonic() + timeout * PATIENCE
        while True:
            frame = self.recv_frame(max(0.0, deadline - time.monotonic()))
            assert frame is not None, f'{self}: the fence did not come'
            if frame == fence:
                return
            assert not frames.is_test(frame), (
                f'{self}: {len(frame)} bytes that should not come: {frame[:40].hex()}')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Disconnect."""
        raise NotImplementedError

    def send_frame(self, frame):
        """Send one frame."""
        raise NotImplementedError

    def recv_frame(self, timeout):
        """The next frame within timeout seconds, or None."""
        raise NotImplementedError


_probe_numbers = itertools.count(0x70000000)


def settle(*plugs, timeout=10.0):
    """Return when each plug has heard every other one; then nothing is left in their queues.

    For networks without a console that could tell who is connected. The probes are broadcast, from
    a group source address that no switch learns.
    """
    for sender in plugs:
        waiting = [plug for plug in plugs if plug is not sender]
        deadline = time.monotonic() + timeout * PATIENCE
        while waiting:
            assert time.monotonic() < deadline, f'{sender} is not heard by {waiting}'
            number = next(_probe_numbers)
            sender.send(frames.numbered(frames.BROADCAST, b'\x03' + b'\x77' * 5, number))
            for plug in waiting[:]:
                seen = plug.recv_frame(0.05)
                while seen is not None:
                    if (frames.number_of(seen) or 0) >= 0x70000000:
                        if plug in waiting:
                            waiting.remove(plug)
                        if frames.number_of(seen) == number:
                            break
                    seen = plug.recv_frame(0)
    marks = {}
    for sender in plugs:
        marks[sender] = next(_probe_numbers)
        sender.send(frames.numbered(frames.BROADCAST, b'\x03' + b'\x77' * 5, marks[sender]))
    for plug in plugs:
        left = {mark for sender, mark in marks.items() if sender is not plug}
        while left:
            left.discard(frames.number_of(plug.expect(timeout=timeout)))


# ------------------------------------------------------------------------------------------------

MAGIC = 0xfeedface
SOCKADDR_UN = 110


def sockaddr_un(path):
    """struct sockaddr_un as raw bytes."""
    return struct.pack('=H108s', socket.AF_UNIX, os.fsencode(path))


def request_v3(path, descr=b'', port=0, kind=0, magic=MAGIC, version=3):
    """A version 3 request: kind 0 is a port (0: any), 1 is port 0."""
    return struct.pack('=III', magic, version, kind | port << 8) + sockaddr_un(path) + descr


def request_v1(path, descr=b'', kind=0, mac=b'\0' * 6):
    """A version 1 request."""
    return struct.pack('=II6s', MAGIC, kind, mac) + sockaddr_un(path) + descr


_raw_numbers = itertools.count()


class RawPlug(Plug):
    """A client of the control-socket protocol in pure Python (no library of either side).

    With request (bytes, or a function of the data socket's path) exactly those bytes are sent.
    path: the plug's own data socket; peer: the switch's. mode None leaves it as bind made it.
    """

    def __init__(self, directory, *, port=0, kind=0, version=3, descr='itest-raw', mode=0o700,
                 request=None, where=None, timeout=20.0, sndbuf=None, unlink=True):
        self.directory = str(directory)
        self.timeout = timeout
        self.peer = None
        self.path = os.path.join(where or self.directory,
                                 f'.{os.getpid():05}-{next(_raw_numbers):05}')
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.data = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if sndbuf:
            self.data.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
        try:
            self.control.settimeout(timeout)
            self.control.connect(os.path.join(self.directory, 'ctl'))
            self.data.bind(self.path)
            if mode is not None:
                os.chmod(self.path, mode)
            descr = descr.encode() if isinstance(descr, str) else descr
            if callable(request):
                request = request(self.path)
            if request is None and version == 1:
                request = request_v1(self.path, descr, kind)
            elif request is None:
                request = request_v3(self.path, descr, port, kind, version=version)
            self.control.sendall(request)
            self.reply = self._read_reply()
            self.peer = self.reply[2:].split(b'\0')[0].decode()
            self.data.connect(self.peer)
            if unlink:
                os.unlink(self.path)
        except BaseException:
            self.close()
            raise

    def _read_reply(self):
        reply = b''
        while len(reply) < SOCKADDR_UN:
            try:
                more = self.control.recv(4096)
            except TimeoutError:
                raise TimeExpired('no answer to the request') from None
            except ConnectionResetError:
                more = b''
            if not more:
                raise Refused(f'closed after {len(reply)} of {SOCKADDR_UN} bytes')
            reply += more
        assert len(reply) == SOCKADDR_UN, reply
        return reply

    def __repr__(self):
        return f'RawPlug({self.peer})'

    def fileno(self):
        """The data socket, for select."""
        return self.data.fileno()

    def send_frame(self, frame):
        self.data.send(frame)

    def try_send(self, frame):
        """Send without blocking; False when the switch's queue is full."""
        try:
            self.data.send(frame, socket.MSG_DONTWAIT)
            return True
        except (BlockingIOError, InterruptedError):
            return False

    def recv_frame(self, timeout):
        if timeout > 0 and not readable(self.data, timeout):
            return None
        try:
            return self.data.recv(1 << 17, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None

    def gone(self, timeout=20.0):
        """True if the switch closed the control connection within the time."""
        if not readable(self.control, timeout):
            return False
        try:
            return self.control.recv(1) == b''
        except ConnectionResetError:
            return True

    def close(self):
        self.control.close()
        self.data.close()
        try:
            os.unlink(self.path)
        except OSError:
            pass


# ------------------------------------------------------------------------------------------------

class Framer:
    """Cuts a byte stream into frames: two bytes of length, big endian, then the frame."""

    def __init__(self):
        self.buffer = b''

    def feed(self, data):
        """Take bytes, give the list of frames they complete."""
        self.buffer += data
        done = []
        while len(self.buffer) >= 2:
            length = int.from_bytes(self.buffer[:2], 'big')
            if len(self.buffer) < 2 + length:
                break
            if length:
                done.append(self.buffer[2:2 + length])
            self.buffer = self.buffer[2 + length:]
        return done


def framed(frame):
    """A frame with its stream header."""
    return len(frame).to_bytes(2, 'big') + frame


class StreamPlug(Plug):
    """vde_plug (or any other command with a framed stream on stdio) as a client.

    A thread reads its stdout, so it never stops on a full pipe.
    """

    def __init__(self, argv, *, env, name=None, pass_fds=()):
        self.proc = Proc(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         name=name, pass_fds=pass_fds)
        self.queue = queue.SimpleQueue()
        self.framer = Framer()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __repr__(self):
        return f'StreamPlug({" ".join(self.proc.argv)})'

    def _read(self):
        descriptor = self.proc.stdout.fileno()
        while True:
            try:
                data = os.read(descriptor, 65536)
            except OSError:
                data = b''
            if not data:
                self.queue.put(None)
                return
            for frame in self.framer.feed(data):
                self.queue.put(frame)

    def send_frame(self, frame):
        self.write(framed(frame))

    def write(self, data):
        """Raw bytes into the stream."""
        view = memoryview(data)
        while view:
            view = view[os.write(self.proc.stdin.fileno(), view):]

    def recv_frame(self, timeout):
        try:
            if timeout > 0:
                frame = self.queue.get(timeout=timeout)
            else:
                frame = self.queue.get_nowait()
        except queue.Empty:
            return None
        assert frame is not None, f'stream ended: {self.proc.describe()}'
        return frame

    def eof(self):
        """Close its input."""
        self.proc.stdin.close()

    def wait(self, timeout=5.0):
        """Exit status."""
        return self.proc.wait(timeout)

    def close(self):
        if self.proc.poll() is None:
            self.proc.popen.kill()
            self.proc.wait()
        self.reader.join(5)
        self.proc.close()


# ------------------------------------------------------------------------------------------------

CHILD = pathlib.Path(__file__).with_name('libplug_child.py')


class LibraryError(OSError):
    """A call of libvdeplug failed; errno as the library left it."""


class LibHost:
    """A process of its own that has loaded one side's libvdeplug.so.2.

    open() gives LibPlugs, any number of them.
    """

    def __init__(self, library, *, env, pass_fds=()):
        self.proc = Proc([sys.executable, '-S', CHILD, library], env=env, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, name=f'libplug {library}', pass_fds=pass_fds)
        self.lock = threading.Lock()

    def call(self, **request):
        """One request to the process; raises LibraryError with its errno."""
        with self.lock:
            try:
                self.proc.stdin.write(json.dumps(request).encode() + b'\n')
                self.proc.stdin.flush()
            except BrokenPipeError:
                raise AssertionError(f'gone: {self.proc.describe()}') from None
            line = self.proc.stdout.readline()
        assert line, f'gone: {self.proc.describe()}'
        answer = json.loads(line)
        if 'error' in answer:
            raise LibraryError(answer['error'], os.strerror(answer['error']))
        return answer['result']

    def open(self, vnl, *, descr='itest-lib', args=None, version=1):
        """vde_open_real(); args is None or a dict with port, group, mode."""
        ident = self.call(op='open', vnl=vnl, descr=descr, args=args, version=version)
        return LibPlug(self, ident, vnl)

    def strerror(self):
        """vde_strerror(): the sentence behind the last failed open (our library only)."""
        return self.call(op='strerror')

    def close(self):
        """End the process."""
        self.proc.close()


class LibPlug(Plug):
    """One connection in a LibHost."""

    def __init__(self, host, ident, vnl):
        self.host, self.ident, self.vnl = host, ident, vnl

    def __repr__(self):
        return f'LibPlug({self.vnl})'

    def send_frame(self, frame):
        result = self.send_result(frame)
        assert result == len(frame), f'vde_send gave {result} for {len(frame)}'

    def send_result(self, frame):
        """What vde_send returned."""
        return self.host.call(op='send', conn=self.ident, frame=frame.hex())

    def recv_frame(self, timeout):
        got = self.host.call(op='recv', conn=self.ident, timeout=timeout)
        return None if got is None else bytes.fromhex(got)

    def recv_result(self, size=9234):
        """One vde_recv without waiting for input first: (result, errno, bytes)."""
        result, error, data = self.host.call(op='recv1', conn=self.ident, size=size)
        return result, error, bytes.fromhex(data)

    def features(self, features):
        """vde_features()."""
        return self.host.call(op='features', conn=self.ident, features=features)

    def send_batch(self, *batch):
        """vde_send_batch() of frames, or of (frame, offload header); how many were taken."""
        pairs = [(f, (0,) * 6) if isinstance(f, bytes) else f for f in batch]
        return self.host.call(op='send_batch', conn=self.ident,
                              batch=[[frame.hex(), list(vnet)] for frame, vnet in pairs])

    def recv_batch(self, count=64, size=65557):
        """vde_recv_batch(): [(frame, offload header), ...]."""
        got = self.host.call(op='recv_batch', conn=self.ident, count=count, size=size)
        return [(bytes.fromhex(frame), tuple(vnet)) for frame, vnet in got]

    def wait_readable(self, timeout=20.0):
        """True when datafd is readable in time."""
        return self.host.call(op='poll', conn=self.ident, timeout=timeout)

    def datafd(self):
        """vde_datafd()."""
        return self.host.call(op='datafd', conn=self.ident)

    def ctlfd(self):
        """vde_ctlfd()."""
        return self.host.call(op='ctlfd', conn=self.ident)

    def ctl_readable(self, timeout=0.0):
        """True when the control descriptor is readable (the peer is gone)."""
        return self.host.call(op='ctlpoll', conn=self.ident, timeout=timeout)

    def close(self):
        """vde_close(); returns its result."""
        if self.ident is None:
            return 0
        ident, self.ident = self.ident, None
        if self.host.proc.poll() is not None:
            return 0
        return self.host.call(op='close', conn=ident)


def serve_in_background(*plugs):
    """Keep plugs' networks going while nobody calls recv on them.

    A netnode (hub://, switch:// ...) does its work inside vde_recv. Returns a function that stops
    it; frames that were received meanwhile are dropped.
    """
    stop = threading.Event()

    def work():
        while not stop.is_set():
            for plug in plugs:
                plug.recv_frame(0.01)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()

    def end():
        stop.set()
        thread.join()
    return end


__all__ = ['Plug', 'RawPlug', 'StreamPlug', 'LibHost', 'LibPlug', 'Refused', 'LibraryError',
           'settle', 'framed', 'Framer', 'request_v1', 'request_v3', 'sockaddr_un',
           'serve_in_background', 'wait_until']
