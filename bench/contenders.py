# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured: switches, plugs and namespaces, each started here and ended with the Rig."""

import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

SYSTEM_PATH = '/usr/bin:/usr/sbin:/bin:/sbin'
PATIENCE = 15       # seconds for anything that ought to take less than one


class Missing(Exception):
    """The machine lacks something; the text says what."""


class Failed(Exception):
    """A program did not do what it should."""


class Side:
    """One implementation: ours in the build directory, or Debian's."""

    def __init__(self, name, programs, libraries):
        self.name = name
        self.programs = programs        # search path
        self.libraries = libraries      # directory of libvdeplug.so.2

    def program(self, name):
        """Path of a program."""
        path = shutil.which(name, path=self.programs)
        if not path:
            raise Missing(f'{self.name} {name}')
        return path

    def environment(self):
        """What makes a program use this side's library."""
        if not (self.libraries / 'libvdeplug.so.2').exists():
            raise Missing(f'{self.name} libvdeplug.so.2')
        return {'PATH': SYSTEM_PATH, 'LANG': 'C.UTF-8', 'LD_LIBRARY_PATH': str(self.libraries)}


def tool(name):
    """Path of a program that is not measured itself."""
    path = shutil.which(name, path=SYSTEM_PATH)
    if not path:
        raise Missing(f'{name} (tools/setup all installs it)')
    return path


def debian_libraries():
    """Where Debian's library is."""
    found = sorted(pathlib.Path('/usr/lib').glob('*/libvdeplug.so.2'))
    return found[0].parent if found else pathlib.Path('/usr/lib')


class Child:
    """A running program with piped input and output, in a session of its own.

    Its complaints go to a file, and the output of one that is not listened to: a pipe would fill
    and stop it (Debian's switch complains of frames that it cannot deliver).
    """

    def __init__(self, argv, environment=None, listen=True):
        self.argv = [str(word) for word in argv]
        self.log = tempfile.TemporaryFile()
        self.popen = subprocess.Popen(
            self.argv, env=environment or {'PATH': SYSTEM_PATH}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if listen else self.log, stderr=self.log,
            start_new_session=True)
        self.pid = self.popen.pid
        self.pending = b''
        self.poller = select.poll()
        if listen:
            self.poller.register(self.popen.stdout, select.POLLIN)

    def complaints(self):
        """The last of what it wrote to standard error."""
        return os.pread(self.log.fileno(), 1 << 20, 0).decode(errors='replace')[-300:].strip()

    def line(self, timeout=PATIENCE):
        """Its next line of output."""
        deadline = time.monotonic() + timeout
        while b'\n' not in self.pending:
            if not self.poller.poll(max(0, 1000 * (deadline - time.monotonic()))):
                raise Failed(f'{" ".join(self.argv)}: no answer in {timeout} s')
            data = os.read(self.popen.stdout.fileno(), 65536)
            if not data:
                raise Failed(f'{" ".join(self.argv)} ended: {self.complaints()}')
            self.pending += data
        line, _, self.pending = self.pending.partition(b'\n')
        return line.decode()

    def report(self, timeout=PATIENCE):
        """Its next line, which is JSON."""
        return json.loads(self.line(timeout))

    def say(self, text):
        """Write to its input."""
        self.popen.stdin.write(text.encode())
        self.popen.stdin.flush()

    def close(self):
        """End it and what it started."""
        if self.popen.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGTERM)
            try:
                self.popen.wait(2)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self.popen.wait()
        for stream in (self.popen.stdin, self.popen.stdout, self.log):
            with contextlib.suppress(BrokenPipeError):
                if stream:
                    stream.close()


class Switch:
    """A vde_switch of a side, up when the constructor returns."""

    def __init__(self, rig, side, *options):
        self.path = rig.name('switch')
        self.child = rig.start([side.program('vde_switch'), '-s', self.path, *options],
                               listen=False)
        self.pid = self.child.pid
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            if self.child.popen.poll() is not None or time.monotonic() > deadline:
                raise Failed(f'{side.name} vde_switch: {self.child.complaints()}')
            time.sleep(0.01)

    def answers(self):
        """True when its control socket takes connections."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(f'{self.path}/ctl') == 0

    def cpu(self):
        """CPU time it has used, seconds."""
        total = 0
        for task in pathlib.Path(f'/proc/{self.pid}/task').iterdir():
            total += int((task / 'schedstat').read_text().split()[0])
        return total / 1e9

    def wakeups(self):
        """How often it has been put to sleep and woken."""
        total = 0
        for task in pathlib.Path(f'/proc/{self.pid}/task').iterdir():
            for line in (task / 'status').read_text().splitlines():
                if line.startswith('voluntary_ctxt_switches'):
                    total += int(line.split()[1])
        return total

    def memory(self):
        """Its proportional set size without files, bytes: what others also map varies with them."""
        return memory_of(self.pid, 'Pss_Anon', 'Pss_Shmem')

    def close(self):
        """End it."""
        self.child.close()


def memory_of(pid, *kinds):
    """The sum of these lines of a process's smaps_rollup, bytes."""
    lines = pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines()
    sizes = {line.split(':')[0]: int(line.split()[1]) for line in lines[1:]}
    if not set(kinds) <= set(sizes):
        raise Missing(f'{", ".join(kinds)} in smaps_rollup')
    return 1024 * sum(sizes[kind] for kind in kinds)


class Ports:
    """Idle clients of a switch: the control protocol as bytes, without any library."""

    REQUEST = struct.Struct('=III2s108s')
    MAGIC, VERSION = 0xfeedface, 3

    def __init__(self, switch, count):
        self.switch = switch
        self.sockets = []
        self.add(count)

    def add(self, count):
        """Connect that many more."""
        for _ in range(count):
            self.sockets += self.connect(len(self.sockets))

    def connect(self, number):
        """A control and a data socket of one more port."""
        control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        data = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f'{self.switch.path}.c{number}'
        data.bind(name)
        control.settimeout(PATIENCE)
        control.connect(f'{self.switch.path}/ctl')
        family = struct.pack('=H', socket.AF_UNIX)
        control.sendall(self.REQUEST.pack(self.MAGIC, self.VERSION, 0, family, name.encode())
                        + b'idle')
        answer = control.recv(110)
        if len(answer) < 3:
            raise Failed(f'the switch refused port {number // 2 + 1}')
        data.connect(answer[2:].split(b'\0')[0].decode())
        os.unlink(name)
        return control, data

    def drain(self):
        """Take what was sent to everybody, so that no port is full."""
        for data in self.sockets[1::2]:
            with contextlib.suppress(BlockingIOError):
                while data.recv(1, socket.MSG_DONTWAIT):
                    pass

    def close(self):
        """Leave the switch."""
        for each in self.sockets:
            each.close()


class Shell:
    """A shell, in which one command runs after another; in a namespace by what starts it."""

    def __init__(self, rig, argv, environment=None):
        self.child = rig.start([*argv, '/bin/sh'], environment)
        self.pid = int(self.run('echo $$'))

    def start(self, command):
        """Begin a command."""
        self.child.say(f'{command} </dev/null; echo "@$?"\n')

    def finish(self, timeout=PATIENCE):
        """The output of the command that was begun; it has to succeed."""
        lines = []
        while not (line := self.child.line(timeout)).startswith('@'):
            lines.append(line)
        if line != '@0':
            raise Failed(f'{" ".join(self.child.argv)}: {lines} {line}')
        return '\n'.join(lines)

    def run(self, command, timeout=PATIENCE):
        """Run a command that has to succeed; returns its output."""
        self.start(f'{{ {command}; }} 2>&1')
        return self.finish(timeout)

    def enter(self):
        """The words that start a program in the shell's namespaces."""
        return [tool('nsenter'), '--preserve-credentials', '-U', '-n', '-t', str(self.pid)]


def namespace(rig):
    """A shell in new user and network namespaces."""
    shell = Shell(rig, [tool('unshare'), '-Urn', '--'])
    shell.run(f'{tool("ip")} link set lo up; echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6')
    return shell


def vde_namespace(rig, side, library, vnl, address, *options):
    """A shell in a namespace that a side's vdens joins to a VDE network."""
    shell = Shell(rig, [side.program('vdens'), *options, vnl], library.environment())
    ip = tool('ip')
    shell.run(f'{ip} link set lo up && {ip} addr add {address} dev vde0 && {ip} link set vde0 up')
    return shell


class Rig:
    """The bench's directory and everything that runs in it."""

    def __init__(self, build, directory, quick):
        self.build = build
        self.directory = directory
        self.quick = quick
        self.count = 0
        self.running = []
        self.ours = Side('our', str(build / 'bin'), build / 'lib')
        self.debian = Side("Debian's", SYSTEM_PATH, debian_libraries())
        self.sides = (self.ours, self.debian)

    def name(self, kind):
        """A path that is not used yet."""
        self.count += 1
        return f'{self.directory}/{kind}{self.count}'

    def start(self, argv, environment=None, listen=True):
        """A Child that ends with the rig at the latest."""
        child = Child(argv, environment, listen)
        self.running.append(child)
        return child

    def load(self, role, link, *options, side=None, enter=()):
        """The load generator in a role, on a side's library or within a namespace."""
        program = self.build / 'bench' / 'load'
        if not program.exists():
            raise Missing(f'{program} (run make build)')
        environment = side.environment() if side else None
        return self.start([*enter, program, *options, role, link], environment)

    def end(self, *children):
        """End some children now."""
        for child in children:
            child.close()
            self.running.remove(child)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        for child in reversed(self.running):
            child.close()
