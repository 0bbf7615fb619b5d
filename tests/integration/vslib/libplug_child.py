# SPDX-License-Identifier: GPL-2.0-or-later
"""Run as a program: loads the libvdeplug named in argv[1] and serves JSON requests on stdin.

Each request is a line with an object whose "op" is a function below; the answer is a line with
{"result": ...} or {"error": errno}.
"""

import ctypes
import fcntl
import json
import mmap
import os
import random
import select
import struct
import sys
import threading
import time

BUFFER = 65600
NUMBER_AT = 14      # of an untagged frame of vslib.frames.numbered()


class OpenArgs(ctypes.Structure):
    """struct vde_open_args"""
    _fields_ = [('port', ctypes.c_int), ('group', ctypes.c_char_p), ('mode', ctypes.c_uint)]


class Vnet(ctypes.Structure):
    """struct vde_vnet"""
    _fields_ = [('flags', ctypes.c_uint8), ('gso_type', ctypes.c_uint8), ('hdr_len', ctypes.c_uint16),
                ('gso_size', ctypes.c_uint16), ('csum_start', ctypes.c_uint16),
                ('csum_offset', ctypes.c_uint16), ('num_buffers', ctypes.c_uint16)]


class Frame(ctypes.Structure):
    """struct vde_frame"""
    _fields_ = [('data', ctypes.c_void_p), ('len', ctypes.c_size_t), ('flags', ctypes.c_uint32),
                ('vnet', Vnet)]


VNET_FIELDS = [name for name, _ in Vnet._fields_[:6]]


class Library:
    """The C functions with their shapes."""

    def __init__(self, path):
        lib = ctypes.CDLL(path, use_errno=True)
        self.open = lib.vde_open_real
        self.open.restype = ctypes.c_void_p
        self.open.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int,
                              ctypes.POINTER(OpenArgs)]
        for name in ('recv', 'send'):
            function = getattr(lib, 'vde_' + name)
            function.restype = ctypes.c_ssize_t
            function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
            setattr(self, name, function)
        for name in ('datafd', 'ctlfd', 'close'):
            function = getattr(lib, 'vde_' + name)
            function.restype = ctypes.c_int
            function.argtypes = [ctypes.c_void_p]
            setattr(self, name, function)
        self.recv_batch = getattr(lib, 'vde_recv_batch', None)
        self.send_batch = getattr(lib, 'vde_send_batch', None)
        for batch in filter(None, (self.recv_batch, self.send_batch)):
            batch.restype = ctypes.c_int
            batch.argtypes = [ctypes.c_void_p, ctypes.POINTER(Frame), ctypes.c_uint]
        self.features = getattr(lib, 'vde_features', None)
        if self.features:
            self.features.restype = ctypes.c_uint64
            self.features.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
        self.lend(lib)
        self.strerror = getattr(lib, 'vde_strerror', None)
        if self.strerror:
            self.strerror.restype = ctypes.c_char_p
            self.strerror.argtypes = []


    def lend(self, lib):
        """More calls that only our library has."""
        frames = ctypes.POINTER(Frame)
        shapes = {
            'rx_get': (ctypes.c_int, [frames, ctypes.c_uint]),
            'rx_put': (None, [ctypes.c_uint]),
            'tx_get': (ctypes.c_int, [frames, ctypes.c_uint, ctypes.c_size_t]),
            'tx_commit': (ctypes.c_int, [frames, ctypes.c_uint]),
            'busy_poll': (ctypes.c_int, [ctypes.c_uint]),
        }
        for name, (result, arguments) in shapes.items():
            function = getattr(lib, 'vde_' + name, None)
            if function:
                function.restype = result
                function.argtypes = [ctypes.c_void_p, *arguments]
                setattr(self, name, function)


class Server:
    """The requests."""

    def __init__(self, library):
        self.lib = library
        self.conns = {}
        self.next = 1
        self.buffer = ctypes.create_string_buffer(BUFFER)

    @staticmethod
    def failed():
        """The errno the library left."""
        raise OSError(ctypes.get_errno(), 'libvdeplug')

    def op_open(self, vnl, descr, args, version):
        """vde_open_real"""
        open_args = None
        if args is not None:
            group = args.get('group')
            open_args = ctypes.byref(OpenArgs(args.get('port', 0),
                                              group.encode() if group is not None else None,
                                              args.get('mode', 0o700)))
        ctypes.set_errno(0)
        conn = self.lib.open(None if vnl is None else vnl.encode(),
                             None if descr is None else descr.encode(), version, open_args)
        if not conn:
            self.failed()
        ident, self.next = self.next, self.next + 1
        self.conns[ident] = conn
        return ident

    def op_send(self, conn, frame):
        """vde_send"""
        data = bytes.fromhex(frame)
        ctypes.set_errno(0)
        result = self.lib.send(self.conns.get(conn), data, len(data), 0)
        if result < 0:
            self.failed()
        return result

    def op_recv1(self, conn, size):
        """One vde_recv"""
        ctypes.set_errno(0)
        result = self.lib.recv(self.conns.get(conn), self.buffer, size, 0)
        error = ctypes.get_errno()
        return [result, error, self.buffer.raw[:max(result, 0)].hex()]

    def op_recv(self, conn, timeout):
        """Wait for input and receive until there is a frame"""
        deadline = time.monotonic() + timeout
        while True:
            if not self.op_poll(conn, max(0.0, deadline - time.monotonic())):
                return None
            result, error, data = self.op_recv1(conn, BUFFER)
            if result > 1:
                return data
            if result == 0:
                raise OSError(32, 'end of file')
            if result < 0 and error not in (4, 11):
                raise OSError(error, 'vde_recv')
            if timeout <= 0 and not self.op_poll(conn, 0):
                return None

    def op_features(self, conn, features):
        """vde_features"""
        return self.lib.features(self.conns[conn], features)

    def op_send_batch(self, conn, batch):
        """vde_send_batch of [frame, offload header]s"""
        frames = (Frame * len(batch))()
        keep = [ctypes.create_string_buffer(bytes.fromhex(data), len(data) // 2)
                for data, _ in batch]
        for frame, data, (_, vnet) in zip(frames, keep, batch):
            frame.data, frame.len = ctypes.addressof(data), len(data)
            frame.vnet = Vnet(*vnet)
        ctypes.set_errno(0)
        result = self.lib.send_batch(self.conns[conn], frames, len(batch))
        if result < 0:
            self.failed()
        return result

    def op_recv_batch(self, conn, count, size):
        """vde_recv_batch: [[frame, offload header], ...]"""
        frames = (Frame * count)()
        keep = [ctypes.create_string_buffer(size) for _ in range(count)]
        for frame, data in zip(frames, keep):
            frame.data, frame.len = ctypes.addressof(data), size
        ctypes.set_errno(0)
        result = self.lib.recv_batch(self.conns[conn], frames, count)
        if result < 0:
            self.failed()
        return [[data.raw[:frame.len].hex(), [getattr(frame.vnet, name) for name in VNET_FIELDS]]
                for frame, data in zip(frames[:result], keep)]

    def op_stream(self, sender, receiver, head, count, rate, patience, window=4000):
        """Send frames (head, 32-bit number, 46 bytes) at a rate, and receive them in another thread.

        The sender is never more than `window` frames ahead of the receiver.

        [how many came in order from 0, how many others came, how many sends were refused]
        """
        head, refused = bytes.fromhex(head), 0
        seen = [0, 0]

        def receive():
            buffer = ctypes.create_string_buffer(BUFFER)
            source = self.conns[receiver]
            descriptor = self.lib.datafd(source)
            while seen[0] < count and self.wait(descriptor, patience):
                length = self.lib.recv(source, buffer, BUFFER, 0)
                if length <= 1:
                    continue
                wanted = head + seen[0].to_bytes(4, 'big') + bytes(46)
                seen[buffer.raw[:length] != wanted] += 1

        reader = threading.Thread(target=receive)
        reader.start()
        start = time.monotonic()
        for number in range(count):
            frame = head + number.to_bytes(4, 'big') + bytes(46)
            refused += self.lib.send(self.conns[sender], frame, len(frame), 0) != len(frame)
            while number % 64 == 0 and reader.is_alive() and (
                    number > (time.monotonic() - start) * rate or number - sum(seen) > window):
                time.sleep(0)
        reader.join()
        return [*seen, refused]

    def op_poll(self, conn, timeout):
        """Is datafd readable in time?"""
        return self.wait(self.lib.datafd(self.conns[conn]), timeout)

    def op_ctlpoll(self, conn, timeout):
        """Is ctlfd readable in time?"""
        return self.wait(self.lib.ctlfd(self.conns[conn]), timeout)

    @staticmethod
    def wait(descriptor, timeout):
        """poll() of one descriptor"""
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        return bool(poller.poll(timeout * 1000))

    def op_datafd(self, conn):
        """vde_datafd"""
        return self.lib.datafd(self.conns.get(conn))

    def op_ctlfd(self, conn):
        """vde_ctlfd"""
        return self.lib.ctlfd(self.conns.get(conn))

    def op_close(self, conn):
        """vde_close"""
        return self.lib.close(self.conns.pop(conn, None))

    # --- lending ---

    def checked(self, result):
        """A result that is no error."""
        if result < 0:
            self.failed()
        return result

    def op_rx_get(self, conn, count):
        """vde_rx_get: [[frame, offload header], ...]"""
        frames = (Frame * count)()
        n = self.checked(self.lib.rx_get(self.conns[conn], frames, count))
        return [[ctypes.string_at(frame.data, frame.len).hex(),
                 [getattr(frame.vnet, name) for name in VNET_FIELDS]] for frame in frames[:n]]

    def op_rx_put(self, conn, count):
        """vde_rx_put"""
        self.lib.rx_put(self.conns[conn], count)

    def op_transmit(self, conn, batch, size):
        """vde_tx_get for [frame, offload header]s, room of a size for each, and vde_tx_commit"""
        lent = (Frame * len(batch))()
        n = self.checked(self.lib.tx_get(self.conns[conn], lent, len(lent), size))
        for frame, (data, vnet) in zip(lent[:n], batch):
            data = bytes.fromhex(data)
            ctypes.memmove(frame.data, data, len(data))
            frame.len, frame.vnet = len(data), Vnet(*vnet)
        return self.checked(self.lib.tx_commit(self.conns[conn], lent, n))

    def op_busy_poll(self, conn, usec):
        """vde_busy_poll"""
        return self.checked(self.lib.busy_poll(self.conns.get(conn), usec))

    def op_nonblock(self, conn, on):
        """O_NONBLOCK of the data descriptor"""
        descriptor = self.lib.datafd(self.conns.get(conn))
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        flags = flags | os.O_NONBLOCK if on else flags & ~os.O_NONBLOCK
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)

    # --- many frames ---

    @staticmethod
    def number(data):
        """The number in a numbered frame"""
        return struct.unpack_from('>I', data, NUMBER_AT)[0]

    def op_flood(self, conn, first, count, seed, head):
        """Numbered frames of random sizes, in bursts; head is what stands before the number."""
        chance = random.Random(seed)
        head = bytes.fromhex(head)
        handle = self.conns.get(conn)
        for number in range(first, first + count):
            data = (head + struct.pack('>I', number)).ljust(chance.randrange(60, 1515), b'.')
            self.checked(self.lib.send(handle, data, len(data), 0))
            if chance.random() < 0.05:
                time.sleep(chance.random() * 0.001)

    def op_flood_two(self, conn, count, heads):
        """Numbered frames of 1500 bytes, each to two places"""
        handle = self.conns.get(conn)
        for number in range(count):
            for head in heads:
                data = (bytes.fromhex(head) + struct.pack('>I', number)).ljust(1500, b'.')
                self.checked(self.lib.send(handle, data, len(data), 0))

    def op_once_per_readiness(self, conn, last, timeout):
        """As QEMU receives: one vde_recv each time poll() says so, until the frame `last`.

        Returns the numbers received, and the results that were no frame.
        """
        handle, numbers, others = self.conns[conn], [], []
        poller = select.poll()
        poller.register(self.lib.datafd(handle), select.POLLIN)
        deadline = time.monotonic() + timeout
        while (not numbers or numbers[-1] != last) and time.monotonic() < deadline:
            if not poller.poll(100):
                continue
            result = self.lib.recv(handle, self.buffer, BUFFER, 0)
            if result < 14:
                others.append(result)
            else:
                numbers.append(self.number(self.buffer))
        return [numbers, others]

    def drain_numbers(self, handle, stop, add):
        """Blocking receives until a frame with the number `stop`."""
        buffer = ctypes.create_string_buffer(BUFFER)
        while True:
            result = self.lib.recv(handle, buffer, BUFFER, 0)
            if result < 14:
                return result
            number = self.number(buffer)
            if number == stop:
                return None
            add(number)

    def op_threads(self, conn, threads, stop):
        """That many threads receive, each until it gets a frame `stop`; the numbers they got."""
        handle, numbers, failed = self.conns[conn], [], []

        def work():
            failed.append(self.drain_numbers(handle, stop, numbers.append))

        running = [threading.Thread(target=work) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return [numbers, [result for result in failed if result is not None]]

    def op_fork(self, conn, stop, first, count, head):
        """A child and its parent receive, each until it gets a frame `stop`, then both send.

        The child's frames are numbered from `first`, the parent's from first + count.
        Returns the numbers of both, and the child's status.
        """
        handle = self.conns[conn]
        memory = mmap.mmap(-1, 1 << 20)
        child = os.fork()
        numbers = []
        failed = self.drain_numbers(handle, stop, numbers.append)
        mine = first if child == 0 else first + count
        if failed is None:
            self.op_flood(conn, mine, count, mine, head)
        if child == 0:
            memory.write(struct.pack(f'=I{len(numbers)}I', len(numbers), *numbers))
            os._exit(0 if failed is None and self.lib.close(handle) == 0 else 1)
        status = os.waitpid(child, 0)[1]
        there = struct.unpack_from('=I', memory, 0)[0]
        return [numbers, list(struct.unpack_from(f'={there}I', memory, 4)), status]

    def op_strerror(self):
        """vde_strerror, which only our library has"""
        return self.lib.strerror().decode()

    @staticmethod
    def op_setenv(name, value):
        """Change the environment the library sees"""
        if value is None:
            os.unsetenv(name)
        else:
            os.putenv(name, value)

    @staticmethod
    def op_fork_idle():
        """A child that keeps all descriptors open, for a minute"""
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        return child

    @staticmethod
    def op_fds():
        """Open descriptors of this process"""
        return len(os.listdir('/proc/self/fd')) - 1


def main():
    """Serve until end of input."""
    server = Server(Library(sys.argv[1]))
    for line in sys.stdin:
        request = json.loads(line)
        operation = getattr(server, 'op_' + request.pop('op'))
        try:
            answer = {'result': operation(**request)}
        except OSError as error:
            answer = {'error': error.errno}
        sys.stdout.write(json.dumps(answer) + '\n')
        sys.stdout.flush()


if __name__ == '__main__':
    main()
