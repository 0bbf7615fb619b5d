# SPDX-License-Identifier: GPL-2.0-or-later
"""A running vde_switch."""

import os
import signal
import socket
import subprocess

from .console import Console, parse_hash, parse_ports, parse_vlans
from .proc import Proc, fd_count, pid_exists, wait_until


def answers(path):
    """True if somebody listens on that stream socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


class Switch:
    """A vde_switch of one side in its own directory, up when the constructor returns.

    path: the control directory (what a VNL names). mgmt_path: the management socket.
    console: a connected Console, made when first used.
    """

    def __init__(self, side, directory, *options, env, name='switch', mgmt=True, umask=-1,
                 argv_prefix=()):
        self.side = side
        self.name = name
        self.path = os.path.join(directory, f'{name}.ctl')
        self.mgmt_path = os.path.join(directory, f'{name}.mgmt') if mgmt else None
        self.options = [str(option) for option in options]
        self.env = env
        self.umask = umask
        self.argv_prefix = list(argv_prefix)
        self.proc = None
        self._console = None
        self.start()

    def argv(self):
        """The command line."""
        argv = [*self.argv_prefix, self.side.program('vde_switch'), '-s', self.path]
        if self.mgmt_path:
            argv += ['-M', self.mgmt_path]
        return argv + self.options

    def start(self):
        """Start it (again) and wait until its sockets answer."""
        self.proc = Proc(self.argv(), env=self.env, stdin=subprocess.PIPE,
                         name=f'{self.name} ({self.side.name})', umask=self.umask)
        wait_until(lambda: self.proc.poll() is not None or self.is_up(), 10,
                   lambda: f'switch up: {self.proc.describe()}')
        assert self.proc.poll() is None, f'switch ended: {self.proc.describe()}'

    def is_up(self):
        """True if control and management sockets answer."""
        return answers(os.path.join(self.path, 'ctl')) and (
            not self.mgmt_path or answers(self.mgmt_path))

    @property
    def pid(self):
        """Process id of the switch."""
        return self.proc.pid

    @property
    def console(self):
        """The shared console connection."""
        if self._console is None:
            self._console = Console(self.mgmt_path)
        return self._console

    def ok(self, line):
        """console.ok()."""
        return self.console.ok(line)

    def sync(self):
        """Return when every frame and request that was in the switch's sockets has been handled.

        One answer shows that the loop came round to the console; two more make sure that whatever
        was readable in the same turn, and its output, is done as well.
        """
        for _ in range(3):
            self.console.command('#')

    def ports(self):
        """{number: PortInfo} of all ports."""
        return parse_ports(self.console.command('port/allprint').lines)

    def port(self, number):
        """PortInfo of a port, None when it does not exist."""
        return self.ports().get(number)

    def vlans(self):
        """vlan/allprint, parsed."""
        return parse_vlans(self.console.ok('vlan/allprint'))

    def macs(self):
        """{(mac text, vlan): port}."""
        return parse_hash(self.console.ok('hash/print'))

    def endpoints(self):
        """[(port, id, module, description)] of everything connected."""
        return [(port.number, *endpoint)
                for port in self.ports().values() for endpoint in port.endpoints]

    def wait_endpoint(self, text, timeout=5):
        """Wait for an endpoint whose description contains the text; returns its port number.

        A client removes its own socket's name (.PID-N) when it has the answer: that is waited for
        as well, so that one that is killed later leaves nothing behind.
        """
        def find():
            for port, _ident, _module, description in self.endpoints():
                if text in description:
                    return port + 1
            return 0
        port = wait_until(find, timeout,
                          lambda: f'endpoint {text!r} among {self.endpoints()}') - 1
        wait_until(lambda: not [name for name in os.listdir(self.path) if name[0] == '.'],
                   timeout, lambda: f'no client names among {os.listdir(self.path)}')
        return port

    def wait_no_endpoint(self, text, timeout=5):
        """Wait until no endpoint has the text in its description."""
        wait_until(lambda: not any(text in endpoint[3] for endpoint in self.endpoints()), timeout,
                   lambda: f'endpoint {text!r} gone, there are {self.endpoints()}')

    def fds(self):
        """Number of descriptors the switch has open."""
        return fd_count(self.pid)

    def leftovers(self):
        """Names of its sockets and directories that exist."""
        return [path for path in (self.path, self.mgmt_path) if path and os.path.lexists(path)]

    def take_over(self, *options):
        """A new process takes this switch over; returns when the old one has ended, with status 0.

        Open consoles stay, the shared one too.
        """
        argv = [*self.argv_prefix, self.side.program('vde_switch'), '-s', self.path, '--takeover']
        new = Proc(argv + [str(option) for option in options], env=self.env, stdin=subprocess.PIPE,
                   name=f'{self.name} successor ({self.side.name})', umask=self.umask)
        old, self.proc = self.proc, new
        try:
            wait_until(lambda: old.poll() is not None or new.poll() is not None, 10,
                       lambda: f'takeover: {old.describe()}\n{new.describe()}')
            assert new.poll() is None, f'{old.describe()}\n{new.describe()}'
            assert old.wait() == 0, f'{old.describe()}\n{new.describe()}'
            assert 'Sanitizer' not in old.output(), old.output()
        except BaseException:
            self.proc = old if old.poll() is None else new
            if self.proc is old:
                new.close()
            raise
        old.close()

    def kill(self):
        """kill -9: leaves everything behind.

        Debian's does not know its predecessor's data sockets again and could then not remove the
        directory at its end: they are removed here. Ours has to do that itself.
        """
        self.drop_console()
        if self.proc.poll() is None:
            self.proc.signal(signal.SIGKILL)
            self.proc.wait()
        for name in os.listdir(self.path) if not self.side.ours else ():
            if name[0].isdigit():
                os.unlink(os.path.join(self.path, name))

    def stop(self, number=signal.SIGTERM):
        """End it by a signal and return the exit status; a clean end leaves no names."""
        self.drop_console()
        self.proc.signal(number)
        status = self.proc.wait()
        assert not self.leftovers(), f'left behind: {self.leftovers()}\n{self.proc.describe()}'
        return status

    def drop_console(self):
        """Close the shared console connection."""
        if self._console:
            self._console.close()
            self._console = None

    def check_healthy(self):
        """The switch still runs and no sanitizer complained."""
        assert self.proc.poll() is None, f'switch died: {self.proc.describe()}'
        self.check_log()

    def check_log(self):
        """No sanitizer report in the output."""
        log = self.proc.output()
        assert 'Sanitizer' not in log and 'runtime error:' not in log, log

    def close(self):
        """End of a test: a switch that still runs must stop cleanly."""
        if self.proc is None:
            return
        try:
            if self.proc.poll() is None:
                self.stop()
            self.check_log()
        finally:
            self.drop_console()
            self.proc.close()


__all__ = ['Switch', 'answers', 'pid_exists']
