# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces that join VDE networks, made by vdens."""

import os
import subprocess
import time

from .proc import PATIENCE, Proc, TimeExpired, readable
from .sides import need_tun, tool


class Shell:
    """A shell with piped stdin and stdout in which commands are run one after another."""

    def __init__(self, argv, *, env, name):
        self.proc = Proc([*argv, '/bin/sh'], env=env, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, name=name)
        self.count = 0
        self.pending = b''

    def start(self, command):
        """Send a command without waiting; result() collects it, in order."""
        self.count += 1
        script = (f'{{ {command}\n}} </dev/null 2>&1; '
                  f'printf "\\n@%s:%s@\\n" {self.count} $?\n')
        self.proc.stdin.write(script.encode())
        self.proc.stdin.flush()
        return self.count

    def result(self, count, timeout=10.0):
        """(status, output) of the command with that number from start()."""
        mark = f'\n@{count}:'.encode()
        deadline = time.monotonic() + timeout * PATIENCE
        while not (mark in self.pending and b'@\n' in self.pending.partition(mark)[2]):
            if not readable(self.proc.stdout, deadline - time.monotonic()):
                raise TimeExpired(f'command {count} in {self.proc.name}: only {self.pending!r}')
            data = os.read(self.proc.stdout.fileno(), 65536)
            assert data, f'shell ended: {self.pending!r} {self.proc.describe()}'
            self.pending += data
        output, _, rest = self.pending.partition(mark)
        status, _, self.pending = rest.partition(b'@\n')
        return int(status), output.decode(errors='replace')

    def run(self, command, timeout=10.0):
        """Run a command that has to succeed; returns its output."""
        status, output = self.result(self.start(command), timeout)
        assert status == 0, f'{command!r} in {self.proc.name}: status {status}\n{output}'
        return output

    def status(self, command, timeout=10.0):
        """Run a command; returns (status, output)."""
        return self.result(self.start(command), timeout)

    def exit(self, status=0, timeout=10.0):
        """Leave the shell; returns the exit status of the program that made the namespace."""
        self.proc.stdin.write(f'exit {status}\n'.encode())
        self.proc.stdin.close()
        return self.proc.wait(timeout)

    def close(self):
        """Kill it."""
        self.proc.close()


class Namespace(Shell):
    """A namespace made by one side's vdens, with a shell in it."""

    def __init__(self, side, vnls, *, env, options=(), name='vdens'):
        argv = [side.program('vdens'), *options]
        if any(vnl not in ('', '-', 'no') for vnl in vnls):
            need_tun()
        if len(vnls) > 1:
            argv += ['-m', *vnls, '--']
        else:
            argv += [*(vnls or ['no'])]
        super().__init__(argv, env=env, name=f'{name} ({side.name})')

    def up(self, address, interface='vde0', mtu=None):
        """Give an interface an address (ADDRESS/LENGTH) and bring it up."""
        self.run(up_command(address, interface, mtu))

    def ping(self, address, count=1, size=None, timeout=10.0):
        """Ping until `count` replies came; (status, output)."""
        return self.status(ping_command(address, count, size), timeout)


def up_command(address, interface='vde0', mtu=None):
    """The shell command that configures an interface."""
    ip = tool('ip')
    command = f'{ip} link set lo up && {ip} addr add {address} dev {interface} && '
    if mtu:
        command += f'{ip} link set {interface} mtu {mtu} && '
    return command + f'{ip} link set {interface} up'


def ping_command(address, count=1, size=None):
    """The shell command that pings fast, with a deadline in case of loss."""
    payload = f'-s {size} -M do ' if size else ''
    return f"{tool('ping')} -n -q -i 0.2 -w 5 -c {count} {payload}{address}"


def plain_namespace(*, env):
    """A shell in a fresh user and network namespace without any VDE (unshare -Urn)."""
    return Shell([tool('unshare'), '-Urn', '--'], env=env, name='unshare')


__all__ = ['Namespace', 'Shell', 'up_command', 'ping_command', 'plain_namespace']
