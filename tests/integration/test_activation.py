# SPDX-License-Identifier: GPL-2.0-or-later
"""Socket activation: the service manager's part is played by the test (sd_listen_fds(3))."""

import os
import socket
import sys

from vslib.console import Console
from vslib.frames import BROADCAST, mac, numbered
from vslib.proc import wait_until

# Puts its descriptors 3.. under the name of the process that it becomes.
STUB = ('import os, sys; os.environ["LISTEN_PID"] = str(os.getpid()); '
        'os.execv(sys.argv[1], sys.argv[1:])')


def listener(path, number):
    """A listening socket at the descriptor that the protocol wants."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(path)
    sock.listen(16)
    os.dup2(sock.fileno(), number)
    sock.close()
    return number


def test_sockets_are_inherited_and_stay(lab, ours):
    """Clients connect before the switch runs; its end removes neither sockets nor directory."""
    net, mgmt = lab.path('net'), lab.path('net.mgmt')
    os.mkdir(net)
    saved = [os.dup(number) if os.path.exists(f'/proc/self/fd/{number}') else None
             for number in (3, 4)]
    try:
        fds = [listener(f'{net}/ctl', 3), listener(mgmt, 4)]
        early = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        early.connect(mgmt)
        switch = lab.spawn([sys.executable, '-c', STUB, ours.program('vde_switch'), '-s', net,
                            '-M', mgmt, '--nostdin'],
                           env=lab.env(LISTEN_FDS='2'), pass_fds=tuple(fds))
    finally:
        for number, copy in zip((3, 4), saved):
            if copy is not None:
                os.dup2(copy, number)
                os.close(copy)
            else:
                os.close(number)
    early.settimeout(5)
    assert early.recv(100).startswith(b'VDE switch')
    early.close()
    one, two = lab.raw(net), lab.raw(net)
    one.send(numbered(BROADCAST, mac(1), 7))
    assert two.expect() == numbered(BROADCAST, mac(1), 7)
    console = Console(mgmt)
    console.ok('port/print')
    console.close()
    one.close()
    two.close()
    switch.signal(15)
    assert switch.wait() == 0
    wait_until(lambda: not [name for name in os.listdir(net) if name != 'ctl'], 5, 'data sockets gone')
    assert os.path.exists(f'{net}/ctl') and os.path.exists(mgmt)
