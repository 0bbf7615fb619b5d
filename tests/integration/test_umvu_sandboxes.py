# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that filter their own calls, under umvu: libseccomp, bubblewrap, and the SSH server.

What they do is the same bare; that the filters are in force is seen from inside.
"""

import os
import platform
import socket

import pytest

from vslib.proc import wait_until
from vslib.sides import lacking, tool

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

WAYS = ('bare', 'dispatch', 'filter')

# Argument 1: a file that gets the filter in the kernel's form.
LIBSECCOMP = r"""
import ctypes, errno, os, sys
lib = ctypes.CDLL('libseccomp.so.2')
libc = ctypes.CDLL(None, use_errno=True)
lib.seccomp_init.restype = ctypes.c_void_p
context = ctypes.c_void_p(lib.seccomp_init(ctypes.c_uint32(0x7fff0000)))

class Comparison(ctypes.Structure):
    _fields_ = [('arg', ctypes.c_uint), ('op', ctypes.c_int), ('a', ctypes.c_uint64), ('b', ctypes.c_uint64)]

def rule(action, name, *comparisons):
    number = lib.seccomp_syscall_resolve_name(name.encode())
    array = (Comparison * max(1, len(comparisons)))(*comparisons)
    assert lib.seccomp_rule_add_array(context, ctypes.c_uint32(action), number, len(comparisons), array) == 0

rule(0x00050000 | errno.EXDEV, 'getppid')
rule(0x00050000 | errno.ENOTUNIQ, 'dup', Comparison(0, 4, 77, 0))
rule(0x80000000, 'chroot')
assert lib.seccomp_attr_set(context, 4, 1) == 0     # for all threads
file = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY, 0o600)
assert lib.seccomp_export_bpf(context, file) == 0
print('load', lib.seccomp_load(context))
for _ in range(10):
    assert libc.getppid() == -errno.EXDEV           # it cannot fail, so the C library sets no errno
print(libc.dup(77), errno.errorcode[ctypes.get_errno()], libc.dup(78), errno.errorcode[ctypes.get_errno()])
child = os.fork()
if child == 0:
    os.chroot('/')
print('child', os.waitpid(child, 0)[1] & 0x7f, flush=True)
os.execv('/usr/bin/python3', ['python3', '-c', 'import os; print("other", os.getppid())'])
"""

DUPLICATE = "import ctypes; l = ctypes.CDLL(None, use_errno=True); print(l.dup(77), ctypes.get_errno())"


def prefix(ours, way):
    """What a command begins with."""
    return [] if way == 'bare' else [ours.program('umvu'), f'--trap={way}']


def make_filter(lab, ours, way):
    """(output of the program above, file with its filter)."""
    file = lab.path(f'filter-{way}')
    done = lab.run([*prefix(ours, way), '/usr/bin/python3', '-c', LIBSECCOMP, file])
    assert done.status == 0, done.err
    return done.out, file


@pytest.fixture(autouse=True)
def need_libseccomp():
    """The library without its headers; python3 finds it by its name."""
    if not any(os.path.exists(f'{place}/libseccomp.so.2') for place in
               ('/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu', '/usr/lib64')):
        lacking('libseccomp2')


@pytest.mark.parametrize('way', WAYS)
def test_libseccomp(lab, ours, way):
    """Errors, the end of a process, inheritance over fork and exec."""
    out, _ = make_filter(lab, ours, way)
    assert out == 'load 0\n-1 ENOTUNIQ -1 EBADF\nchild 31\nother -18\n'


@pytest.mark.parametrize('way', WAYS)
def test_bubblewrap(lab, ours, way):
    """A filter that is handed over as a file, in namespaces of its own."""
    bwrap = tool('bwrap')
    _, file = make_filter(lab, ours, 'bare')
    command = [*prefix(ours, way), bwrap, '--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc',
               '--seccomp', '9', '/usr/bin/python3', '-c', DUPLICATE]
    done = lab.run(['/bin/sh', '-c', 'exec "$@" 9<"$0"', file, *command])
    assert (done.status, done.out) == (0, '-1 76\n'), done.err


def free_port():
    """One of the host's that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


@pytest.mark.skipif(os.geteuid() != 0, reason='the server lets only root in as another user')
@pytest.mark.parametrize('way', WAYS)
def test_ssh_server(lab, ours, way):
    """The part before a login runs in a sandbox of its own; a session is a program as others are."""
    sshd, ssh, keygen = tool('sshd'), tool('ssh'), tool('ssh-keygen')
    os.makedirs('/run/sshd', mode=0o755, exist_ok=True)
    for name in ('host', 'user'):
        assert lab.run([keygen, '-q', '-t', 'ed25519', '-N', '', '-f', lab.path(name)]).status == 0
    os.chmod(lab.path('user.pub'), 0o600)
    port = free_port()
    server = lab.spawn([*prefix(ours, way), sshd, '-D', '-e', '-f', '/dev/null', '-p', str(port),
                        '-o', 'ListenAddress=127.0.0.1', '-o', f'HostKey={lab.dir}/host', '-o', 'UsePAM=no',
                        '-o', f'AuthorizedKeysFile={lab.dir}/user.pub', '-o', 'StrictModes=no',
                        '-o', 'PidFile=none', '-o', 'PermitRootLogin=yes'])
    wait_until(lambda: 'Server listening' in server.output(), what=server.output)
    for _ in range(3):
        done = lab.run([ssh, '-F', '/dev/null', '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no',
                        '-o', 'UserKnownHostsFile=/dev/null', '-i', lab.path('user'), '-p', str(port),
                        'root@127.0.0.1', 'echo $((6 * 7)); id -u; exit 3'])
        assert (done.status, done.out) == (3, '42\n0\n'), (done.err, server.output())
