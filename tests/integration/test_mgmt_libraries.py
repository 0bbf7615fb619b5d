# SPDX-License-Identifier: GPL-2.0-or-later
"""libvdemgmt, libvdehist, libvdesnmp: one program, compiled with our headers, on each side's library."""

import os
import pathlib
import re
import socket
import subprocess

import pytest

from vslib import frames
from vslib.lab import sanitizer_library
from vslib.proc import Proc, readable, wait_until
from vslib.sides import lacking, tool
from vslib.terminal import Screen

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@pytest.fixture(scope='session')
def compiled(tmp_path_factory):
    """compiled('hist_host'): the program, linked with our library (which has Debian's name)."""
    made = {}

    def build(name):
        if name not in made:
            from vslib.sides import SIDES
            library = {'mgmt_client': 'vdemgmt', 'hist_host': 'vdehist', 'snmp_client': 'vdesnmp'}[name]
            made[name] = tmp_path_factory.mktemp('bin') / name
            libdir = SIDES['ours'].library(f'lib{library}.so.0').parent
            subprocess.run([tool('gcc'), '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE', '-I',
                            ROOT / 'include', '-o', made[name], HERE / f'programs/{name}.c',
                            '-L', libdir, f'-l{library}', '-Wl,--allow-shlib-undefined'],
                           check=True)
        return made[name]
    return build


def environment(lab, side, name):
    """In which a program finds a side's library."""
    path = side.library(name)
    env = lab.env(None, LD_LIBRARY_PATH=str(path.parent))
    if side.ours and b'libasan.so' in path.read_bytes():
        env['LD_PRELOAD'] = sanitizer_library()
        env['ASAN_OPTIONS'] = 'detect_leaks=0'
    return env


# ---- libvdemgmt

def test_libvdemgmt(lab, side, switch, compiled):
    """What every call gives, the same on both sides."""
    done = lab.run([compiled('mgmt_client'), switch.mgmt_path],
                   env=environment(lab, side, 'libvdemgmt.so.0'))
    assert done.status == 0, done
    text = done.out
    assert re.match(r'banner VDE switch V\.(\S+)\n\(C\) .*\nprompt <vde\$ >\nversion \1\n', text)
    assert ('port/showinfo: 0\n  |Numports=32\n  |HUB=false\n  |counters=true\n'
            'port/create 5: 0\nport/create 5: 17\nno/such/command: 38\nplugin/list: 2\n'
            '  |NAME') in text
    assert 'without data: 0\nreset: 1 0\n' in text
    commands = re.findall(r'^command (.*)$', text, re.M)
    assert commands == sorted(commands)
    assert {'help', 'port/create', 'debug/add', 'vlan/print'} <= set(commands)
    assert 'port' not in commands
    assert ('register 0\nagain -1\nunknown 22\nport/create 7: 0\nevent port/+ 17 07\n'
            'port/create 8: 0\nregister 0\nport/create 9: 0\nevent port 17 + 09\n'
            'missing 1\n') in text


RC_FILES = ROOT / 'vde/mgmt/rc'


def test_our_files_for_debians_library(lab, debian, switch_side, compiled):
    """Debian's library reads four automata; those that we install do for it."""
    switch = lab.switch(switch_side)
    done = lab.run([tool('unshare'), '-Urm', 'sh', '-c',
                    'mount --bind "$1" /etc/vde2/libvdemgmt && shift && exec "$@"', 'sh',
                    RC_FILES, compiled('mgmt_client'), switch.mgmt_path],
                   env=environment(lab, debian, 'libvdemgmt.so.0'))
    if done.status and 'unshare' in done.err:
        lacking('user namespaces')
    assert done.status == 0, done
    assert 'port/create 5: 0\nport/create 5: 17\nno/such/command: 38\n' in done.out
    assert '  |Numports=32\n' in done.out
    assert 'event port/+ 17 07\n' in done.out


# ---- libvdehist

class RemoteTerminal:
    """The other end of hist_host's terminal."""

    def __init__(self, argv, env):
        self.socket, end = socket.socketpair()
        self.proc = Proc(argv, env=env, stdin=end)
        end.close()
        self.screen = Screen()

    def type(self, keys):
        """What is typed, one read each."""
        self.socket.sendall(keys.encode())

    def wait(self, pattern):
        """Wait until the screen's text matches at its end."""
        def look():
            while readable(self.socket, 0.02):
                data = self.socket.recv(65536)
                if not data:
                    break
                self.screen.feed(data.decode().replace('\x1b[K', '\x1b[0K'))
            return re.search(pattern + r'\Z', self.screen.text(), re.M)
        return wait_until(look, 5, lambda: f'{pattern!r} on {self.screen.text()!r}')

    def close(self):
        """Hang up."""
        self.socket.close()
        self.proc.close()


def host_starter(lab, side, switch, compiled):
    """start('login'): hist_host on a side's library."""
    def start(*arguments, **more):
        made = RemoteTerminal([compiled('hist_host'), switch.mgmt_path, *arguments],
                              {**environment(lab, side, 'libvdehist.so.0'), **more})
        return lab.keep(made, made.proc)
    return start


@pytest.fixture
def remote(lab, side, switch, compiled):
    """remote('login'): hist_host on each side's library."""
    return host_starter(lab, side, switch, compiled)


@pytest.fixture
def our_remote(lab, ours, switch, compiled):
    """The same on ours alone, where Debian's has defects."""
    return host_starter(lab, ours, switch, compiled)


def test_libvdehist_command(remote, switch):
    """A command, its answer, completion and history."""
    term = remote()
    term.type('port/cr')
    term.wait('port/cr')
    term.type('\t')
    term.wait(r'port/create')
    term.type('\t')
    term.wait(r'^port/create port/createauto *\nhost> port/create')
    term.type(' 6\n')
    term.wait(r'^Success\nhost>')
    assert 6 in switch.ports()
    term.type('no/such\n')
    term.wait(r'^Function not implemented\nhost>')
    term.type('\x1b[A')
    term.wait(r'^host> no/such')
    term.type('\x1b[A')
    term.wait(r'^host> port/create 6')
    term.type('\x1b[B')
    term.wait(r'^host> no/such')


def test_libvdehist_greeting(our_remote):
    """A greeting that the program left to the library is not shown (Debian's library may take
    one that comes late for an answer)."""
    term = our_remote(GREETING='1')
    term.wait(r'^host>')
    term.type('port/showinfo\n')
    term.wait(r'^host> port/showinfo\nhost> *Numports=32\nHUB=false\ncounters=true\nSuccess\nhost>'
              r'|^host> port/showinfo\nNumports=32\nHUB=false\ncounters=true\nSuccess\nhost>')
    assert 'Virtual Square' not in term.screen.text()


def test_libvdehist_events(remote, switch):
    """An event above the edited line."""
    term = remote()
    term.type('debug/add port\n')
    term.wait(r'^Success\nhost>')
    term.type('abc')
    term.wait(r'^host> abc')
    switch.ok('port/create 9')
    term.wait(r'^\*\* DBG MSG: port/\+ 09\nhost> abc')


def test_libvdehist_login(remote, side, switch):
    """The login dialogue, without an echo of the password."""
    term = remote('login')
    term.wait(r'^login:')
    term.type('me\n')
    term.wait(r'password:')
    term.type('secret\n')
    if side.ours:               # Debian's shows it sometimes
        term.wait(r'host>')
    assert 'secret' not in term.screen.text()
    term.type('port/create 4\n')
    term.wait(r'^Success\nhost>')
    assert 4 in switch.ports()


def test_libvdehist_refused_login(our_remote):
    """What the login function returns ends the session (Debian's library crashes when a session is
    freed that never had a socket)."""
    term = our_remote('login')
    term.type('me\n')
    term.wait(r'password:')
    term.type('wrong\n')
    assert term.proc.wait() == 3


@pytest.mark.parametrize('keys', ['logout\n', '\x04'])
def test_libvdehist_end(remote, keys):
    """logout and ^D."""
    term = remote()
    term.wait(r'host>|\Z')
    term.type(keys)
    assert term.proc.wait() == 1


# ---- libvdesnmp

@pytest.fixture
def agent(lab, side, compiled):
    """agent(switch): snmp_client on a side's library."""
    def start(switch):
        return lab.spawn([compiled('snmp_client'), switch.mgmt_path], stdin=subprocess.PIPE,
                         env=environment(lab, side, 'libvdesnmp.so.0'))
    return start


def listing(agent):
    """The ports after an update."""
    before = agent.output().count('end\n')
    os.write(agent.stdin.fileno(), b'\n')
    wait_until(lambda: agent.output().count('end\n') > before, 5, agent.output)
    return agent.output().split('end\n')[before]


def test_libvdesnmp(lab, agent, side, switch):
    """Ports, counters, descriptions; a plug that comes and goes."""
    one = lab.raw(switch, port=3, descr='first one')
    switch.wait_endpoint('first one')
    client = agent(switch)
    wait_until(lambda: 'register 0 0 -1' in client.output(), 5, client.output)
    assert 'init 0\n' in client.output()
    two = lab.raw(switch, port=4, descr='second one')
    switch.wait_endpoint('second one')
    one.send(frames.numbered(frames.BROADCAST, frames.mac(1), 42))
    two.expect()
    text = listing(client)
    assert 'ports 32\n' in text
    size = len(frames.numbered(frames.BROADCAST, frames.mac(1), 42))
    assert re.search(rf'port 3 desc <first one.*> mac <.*> status 1 1 in 1/{size} out 0/0', text)
    assert re.search(rf'port 4 desc <second one.*> mac <.*> status 1 1 in 0/0 out 1/{size}', text)
    two.close()
    wait_until(lambda: 'down 3\n' in client.output(), 5, client.output)
    assert 'port 4 ' not in listing(client)
    if side.ours:
        assert 'up 3\n' in client.output()
        assert f'mac <{frames.mac_text(frames.mac(1))}>' in text


def test_libvdesnmp_ours(lab, ours, switch_side, compiled):
    """More ports, a lost switch, and none at all."""
    switch = lab.switch(switch_side)
    env = environment(lab, ours, 'libvdesnmp.so.0')
    client = lab.spawn([compiled('snmp_client'), switch.mgmt_path], stdin=subprocess.PIPE, env=env)
    wait_until(lambda: 'register' in client.output(), 5, client.output)
    switch.ok('port/setnumports 40')
    plug = lab.raw(switch, port=39, descr='late')
    wait_until(lambda: 'up 38\n' in client.output() or listing(client) and
               'up 38\n' in client.output(), 5, client.output)
    assert 'ports 40\n' in listing(client)
    plug.close()
    wait_until(lambda: 'down 38\n' in client.output(), 5, client.output)
    switch.kill()
    assert client.wait() == 3
    done = lab.run([compiled('snmp_client'), lab.path('none')], env=env)
    assert (done.status, done.out) == (1, 'init -1\n')
