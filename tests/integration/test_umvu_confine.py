# SPDX-License-Identifier: GPL-2.0-or-later
"""umvu --confine-...: what the kernel then refuses, also to a program that goes round the resident."""

import ctypes
import platform
import re
import subprocess

import pytest

from vslib.sides import SIDES, kernel_lacks, tool

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

LANDLOCK_CREATE_RULESET, VERSION = 444, 1
ABI = max(0, ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, 0, 0, VERSION))


def need(abi):
    """Skip what this kernel's Landlock cannot do."""
    if ABI < abi:
        kernel_lacks(f'Landlock of version {abi} (it has {ABI})')


def umvu(*arguments, cwd=None):
    return subprocess.run([SIDES['ours'].program('umvu'), *arguments], capture_output=True, text=True,
                          timeout=60, check=False, cwd=cwd)


def python(options, program):
    """The lines that a program prints, of which each is a result or the name of an error."""
    head = ('import errno, os, socket, ctypes\n'
            'def say(function, *arguments):\n'
            '    try:\n        function(*arguments)\n        print("ok")\n'
            '    except OSError as error:\n        print(errno.errorcode[error.errno])\n'
            'new = socket.socket\n')
    done = umvu(*options, tool('python3'), '-S', '-c', head + program)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture(name='tree')
def make_tree(tmp_path):
    """Two directories with a file each."""
    for name in ('in', 'out'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'file').write_text(name)
    return tmp_path


TRAPS = pytest.mark.parametrize('trap', ['dispatch', 'filter'])


@TRAPS
def test_writing(tree, trap):
    """Only below what was named; reading as ever."""
    need(3)
    done = umvu(f'--trap={trap}', '--confine-write', 'in', 'sh', '-c',
                'cat in/file out/file; echo x >in/new; mkdir in/d; mv in/new in/d; echo x >/dev/null;'
                'echo x >out/new; echo x >out/file; rm out/file; mkdir out/d; mv in/d out', cwd=tree)
    assert done.stdout == 'inout'
    assert [path.name for path in sorted((tree / 'out').iterdir())] == ['file']
    assert (tree / 'out/file').read_text() == 'out' and (tree / 'in/d/new').exists()
    assert len(done.stderr.splitlines()) == 5, done.stderr


@TRAPS
def test_reading(tree, trap):
    """Only below what was named, and nothing is written; a program that cannot be read cannot run."""
    need(3)
    options = [f'--trap={trap}', '--confine-read', '/usr', '--confine-read', '/etc', '--confine-read', 'in']
    done = umvu(*options, 'sh', '-c', 'cat in/file; echo x >in/file; cat out/file; ls /; ls /etc >/dev/null;'
                'true', cwd=tree)
    assert (done.stdout, done.returncode) == ('in', 0) and done.stderr.count('ermission denied') == 3
    done = umvu('--confine-read', '/etc', 'true')
    assert done.returncode == 126 and 'cannot be opened' in done.stderr


def test_writing_allows_reading(tree):
    """--confine-write says what may be read, too."""
    need(3)
    done = umvu('--confine-read', '/usr', '--confine-read', '/etc', '--confine-write', 'in', 'sh', '-c',
                'cat in/file; echo y >in/file; cat in/file; cat out/file', cwd=tree)
    assert done.stdout == 'iny\n' and 'out/file' in done.stderr


@TRAPS
def test_it_binds_the_resident(tree, trap):
    """A call made from the resident's own text is not trapped, but it is confined."""
    need(3)
    program = ('import ctypes\n'
               # any instruction of the resident that calls: native_syscall's bytes are 0f 05 c3
               'text = ctypes.string_at(0x7d0000000000, 0x8000)\n'
               'place = 0x7d0000000000 + text.index(b"\\x0f\\x05\\xc3")\n'
               'code = (b"\\x48\\x89\\xf8\\x48\\x89\\xf7\\x48\\x89\\xd6\\x48\\x89\\xca"\n'
               '        + b"\\x4d\\x89\\xc2\\x48\\xb9" + place.to_bytes(8, "little") + b"\\xff\\xe1")\n'
               'import mmap\nmemory = mmap.mmap(-1, 4096, prot=7)\nmemory.write(code)\n'
               'raw = ctypes.CFUNCTYPE(ctypes.c_long, *[ctypes.c_long] * 5)(\n'
               '    ctypes.addressof(ctypes.c_char.from_buffer(memory)))\n'
               'def create(path):\n'
               '    name = ctypes.create_string_buffer(path)\n'
               '    return raw(257, -100, ctypes.addressof(name), 0o101, 0o600)\n'
               'print(create(b"in/raw") > 0, create(b"out/raw"), raw(110, 0, 0, 0, 0))\n')
    done = umvu(f'--trap={trap}', '--confine-write', 'in', '--confine-deny=getppid', tool('python3'), '-S',
                '-c', program, cwd=tree)
    assert done.stdout == 'True -13 -1\n', done.stderr
    assert (tree / 'in/raw').exists() and not (tree / 'out/raw').exists()


LOCAL = 'say(new, socket.AF_UNIX)\nsay(new, socket.AF_NETLINK, socket.SOCK_RAW)\n'


def test_no_network():
    """Nothing but sockets of the machine itself."""
    assert python(['--confine-net=none'], LOCAL + (
        'say(new)\nsay(new, socket.AF_INET6)\nsay(new, 2, 2)\nsay(new, 2, 3, 1)\nsay(new, 17, 3)\n'
        'say(new, 40)\nsay(new, 2, 2, 1)\n')) == ['ok'] * 2 + ['EPERM'] * 7


def test_datagrams():
    """UDP, and nothing like it."""
    assert python(['--confine-net=udp'], LOCAL + (
        'say(new, 2, 2)\nsay(new, 10, 2 | 0o4000, 17)\nsay(new, 2, 2, 136)\nsay(new, 2, 2, 1)\nsay(new)\n'
    )) == ['ok'] * 4 + ['EPERM'] * 3


def test_ports():
    """TCP to and at those that were named, and no way round it."""
    need(4)
    with subprocess.Popen([tool('python3'), '-c', 'import socket\ns = socket.create_server(("127.0.0.1", 0))\n'
                           'print(s.getsockname()[1], flush=True)\ninput()'], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as server:
        port = server.stdout.readline().strip()
        assert python([f'--confine-net=connect:{port}', '--confine-net=bind:9999'], LOCAL + (
            f'say(new().connect, ("127.0.0.1", {port}))\nsay(new().connect, ("127.0.0.1", {port} - 1))\n'
            'say(new().bind, ("127.0.0.1", 9998))\nsay(new().bind, ("127.0.0.1", 9999))\n'
            f'say(new().sendto, b"x", 0x20000000, ("127.0.0.1", {port} - 1))\n'
            f'say(new().sendmsg, [b"x"], [], 0x20000000, ("127.0.0.1", {port} - 1))\n'
            'say(new, 2, 2)\nsay(new, 2, 1, 132)\nsay(new, 2, 1, 262)\nsay(new, 2, 1, 6)\n'
        )) == ['ok'] * 3 + ['EACCES', 'EACCES', 'ok'] + ['EPERM'] * 5 + ['ok']
        server.communicate('\n')


@TRAPS
def test_denied_calls(trap):
    """By name and class, for children, too; what is not named goes on."""
    program = ('say(os.kill, 0, 0)\nsay(os.sched_yield)\nprint(os.getppid(), flush=True)\n'
               'print(ctypes.CDLL(None, use_errno=True).umount2(b"/none", 0), ctypes.get_errno(), flush=True)\n'
               'if os.fork() == 0:\n    say(os.kill, 0, 0)\n    os.sys.stdout.flush()\n    os._exit(0)\n'
               'os.wait()\n')
    said = python([f'--trap={trap}', '--confine-deny=kill,%mount', '--confine-deny=getppid'], program)
    assert said == ['EPERM', 'ok', '-1', '-1', '1', 'EPERM']


def test_alone():
    """Signals do not leave, but come in, and the program's status comes back."""
    need(6)
    done = umvu('--confine', 'sh', '-c', 'kill -0 $PPID || echo no; kill -0 $$ && exit 3')
    assert (done.stdout, done.returncode) == ('no\n', 3)
    with subprocess.Popen([SIDES['ours'].program('umvu'), '--confine', 'sh', '-c',
                           'trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done'],
                          stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == 'ready\n'
        process.terminate()
        assert process.wait(20) == 5


@pytest.mark.parametrize('options, status, says', [
    (['--confine-deny=read,mmap,getpid'], 126, 'calls that are to be denied: read mmap getpid'),
    (['--trap=filter', '--confine-deny=seccomp'], 126, 'seccomp'),
    (['--confine-deny=montu'], 2, "did you mean 'mount'?"), (['--confine-net=tcp'], 2, "'tcp' is none of"),
    (['--confine-net=bind:0'], 2, '1 to 65535'), (['--confine-net=connect:99999'], 2, '1 to 65535')])
def test_wrong_words(options, status, says):
    """Said before anything runs."""
    done = umvu(*options, 'echo', 'x')
    assert (done.returncode, done.stdout) == (status, '') and says in done.stderr


def test_wrong_paths(tree):
    """A path that is not there, and a trace that would have to be written inside."""
    need(3)
    done = umvu('--confine-read', str(tree / 'none'), 'echo', 'x')
    assert (done.returncode, done.stdout) == (126, '') and 'none: No such file' in done.stderr
    done = umvu('--confine-write', str(tree), '--trace-split', '--trace-output', str(tree / 't'), 'echo', 'x')
    assert (done.returncode, done.stdout) == (126, '') and '--trace-split' in done.stderr


def test_trace_of_the_confined(tree):
    """The trace's file is umvu's, and says what was refused."""
    need(3)
    done = umvu('--confine-write', 'in', '--trace-output', 'out/trace', '--trace-failed', 'sh', '-c',
                'echo x >out/file', cwd=tree)
    assert done.returncode == 2
    text = (tree / 'out/trace').read_text()
    assert re.search(r'openat\(AT_FDCWD, "out/file", .*\) = -1 EACCES', text)


def test_old_kernel():
    """What Landlock cannot do is named."""
    if ABI >= 6:
        pytest.skip('this kernel can do it all')
    done = umvu('--confine', 'echo', 'x')
    assert (done.returncode, done.stdout) == (126, '') and 'Landlock' in done.stderr
