# SPDX-License-Identifier: GPL-2.0-or-later
"""unixterm, vdeterm, unixcmd, vdecmd against the switches of both sides."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

from vslib.fake_console import PROMPT, FakeConsole
from vslib.proc import readable
from vslib.sides import lacking
from vslib.terminal import Terminal

RC_FILES = pathlib.Path(__file__).resolve().parents[2] / 'vde/mgmt/rc'
SHOWINFO = ['Numports=32', 'HUB=false', 'counters=true']


@pytest.fixture
def terminal(lab):
    """terminal(argv): a program on a pseudo-terminal."""
    return lambda argv, **how: lab.keep(Terminal(argv, env=lab.env(), **how))


@pytest.fixture
def console(lab):
    """console({command: answer}): a FakeConsole."""
    return lambda answers=None, **how: lab.keep(
        FakeConsole(lab.path('fake.mgmt'), answers, **how))


def prompt_of(switch):
    """vdeterm's prompt."""
    return f'vde[{switch.mgmt_path}]: '


# ---- unixterm

def test_unixterm_relays(lab, side, switch):
    """Both sides' unixterm passes bytes on unchanged, and ends with the session."""
    term = lab.spawn([side.program('unixterm'), switch.mgmt_path], stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE)
    got = b''

    def read_until(mark):
        nonlocal got
        while mark not in got:
            assert readable(term.stdout, 5), got
            data = os.read(term.stdout.fileno(), 65536)
            assert data, got
            got += data
        head, _, got = got.partition(mark)
        return head

    assert read_until(PROMPT).startswith(b'VDE switch V.')
    os.write(term.stdin.fileno(), b'port/showinfo\n')
    answer = read_until(PROMPT).decode().splitlines()
    assert answer == ["0000 DATA END WITH '.'", *SHOWINFO, '.', '1000 Success']
    os.write(term.stdin.fileno(), b'logout\n')
    if side.ours:               # Debian's may see the hang-up first
        assert read_until(b'9999 END OF SESSION') == b''
    assert term.wait() == 0


def test_unixterm_script(lab, ours, switch):
    """At the end of the input the answer is still waited for (Debian's drops it)."""
    done = lab.run([ours.program('unixterm'), switch.mgmt_path], stdin=b'port/showinfo\n')
    assert done.status == 0
    assert done.out.endswith("0000 DATA END WITH '.'\nNumports=32\nHUB=false\ncounters=true\n.\n"
                             '1000 Success\n\nvde$ ')


@pytest.mark.parametrize('name', ['unixterm', 'vdeterm'])
def test_terms_without_console(lab, side, name):
    """No socket, and no argument, is status 255 on both sides; ours says what was wrong."""
    done = lab.run([side.program(name), lab.path('none')])
    assert done.status == 255
    assert 'No such file' in done.err
    done = lab.run([side.program(name)])
    assert done.status == 255
    if side.ours:
        assert 'one socket is needed' in done.err


# ---- vdeterm at a terminal

def test_vdeterm_session(side, switch, terminal):
    """Both sides' vdeterm: greeting, prompt, an answer, logout."""
    term = terminal([side.program('vdeterm'), switch.mgmt_path])
    term.expect(r'^\(C\) Virtual Square Team')
    term.wait_line(prompt_of(switch))
    term.type('port/showinfo\n')
    term.expect(r'^Numports=32$')
    term.expect(r'^Success$')
    term.wait_line(prompt_of(switch))
    term.type('logout\n')
    assert term.wait_end() == 0


def test_vdeterm_completion(side, switch, terminal):
    """Tab: a unique name is completed, several are listed; the line stays."""
    term = terminal([side.program('vdeterm'), switch.mgmt_path])
    term.wait_line(prompt_of(switch))
    term.type('vlan/cr\t')
    term.wait_line(prompt_of(switch) + 'vlan/create')
    term.type('7\n')
    term.expect(r'^Success$')
    assert '0007' in ' '.join(switch.ok('vlan/allprint'))
    term.wait_line(prompt_of(switch))
    term.type('port/se\t')
    term.wait_line(prompt_of(switch) + 'port/set')
    term.type('\t\t')
    for name in ('port/setgroup', 'port/sethub', 'port/setnumports', 'port/setuser'):
        assert name in term.wait(r'^port/setgroup.*$')[0]
    term.wait_line(prompt_of(switch) + 'port/set')


def test_vdeterm_arguments(ours, switch, terminal):
    """Ours completes debug categories, too."""
    term = terminal([ours.program('vdeterm'), switch.mgmt_path])
    term.wait_line(prompt_of(switch))
    term.type('debug/add fstp/ro\t\n')
    term.expect(r'debug/add fstp/root *$')
    term.expect(r'^Success$')
    term.wait_line(prompt_of(switch))
    term.type('help vlan/addp\t\n')
    term.expect(r'^vlan/addport +VLAN PORT|^vlan/addport +N PORT')


def test_vdeterm_history(side, switch, terminal):
    """The arrows bring lines back; ours keeps 32."""
    term = terminal([side.program('vdeterm'), switch.mgmt_path])
    term.wait_line(prompt_of(switch))
    for line in ('port/showinfo', 'hash/showinfo'):
        term.type(line + '\n')
        term.expect(r'^Success$')
        term.wait_line(prompt_of(switch))
    # Debian's takes one sequence from each read
    for shown in ('hash/showinfo', 'port/showinfo'):
        term.type('\x1b[A')
        term.wait_line(prompt_of(switch) + shown)
    term.type('\n')
    term.expect(r'^Numports=32$')
    term.wait_line(prompt_of(switch))
    if side.ours:
        for number in range(34):
            term.type(f'# {number}\n')
            term.expect(rf'# {number}$')
            term.wait_line(prompt_of(switch))
        term.type('\x1b[A' * 50)
        term.wait_line(prompt_of(switch) + '# 2')


def test_vdeterm_events(side, switch, terminal):
    """An event is shown above the line that is being edited, which comes back whole."""
    term = terminal([side.program('vdeterm'), switch.mgmt_path])
    term.wait_line(prompt_of(switch))
    term.type('debug/add port\n')
    term.expect(r'^Success$')
    term.wait_line(prompt_of(switch))
    term.type('port/crea')
    term.wait_line(prompt_of(switch) + 'port/crea')
    switch.ok('port/create 9')
    term.expect(r'^\*\* DBG MSG: port/\+ 09$')
    term.wait_line(prompt_of(switch) + 'port/crea')
    term.type('te 10\n')
    term.expect(r'^\*\* DBG MSG: port/\+ 10$')
    term.expect(r'^Success$')
    assert {9, 10} <= set(switch.ports())


def test_vdeterm_many_events(ours, switch, terminal):
    """Events in one piece, and while an answer comes."""
    term = terminal([ours.program('vdeterm'), switch.mgmt_path])
    term.wait_line(prompt_of(switch))
    term.type('debug/add port\n')
    term.expect(r'^Success$')
    term.wait_line(prompt_of(switch))
    term.type('abc')
    for number in range(11, 21):
        switch.ok(f'port/create {number}')
    for number in range(11, 21):
        term.expect(rf'^\*\* DBG MSG: port/\+ {number}$')
    term.wait_line(prompt_of(switch) + 'abc')
    assert term.screen.text().count('DBG MSG') == 10


def test_vdeterm_keys(ours, switch, terminal):
    """Ctrl-C gives the line up, Ctrl-D ends."""
    term = terminal([ours.program('vdeterm'), '--quiet', switch.mgmt_path])
    term.wait_line(prompt_of(switch))
    assert 'Virtual Square' not in term.screen.text()
    term.type('shutdown')
    term.wait_line(prompt_of(switch) + 'shutdown')
    term.proc.signal(signal.SIGINT)     # it is not the controlling terminal
    term.expect(r'shutdown\^C$')
    term.wait_line(prompt_of(switch))
    term.type('\x04')
    assert term.wait_end() == 0


def test_vdeterm_paste(ours, switch, terminal):
    """Several lines at once are run one after the other."""
    term = terminal([ours.program('vdeterm'), switch.mgmt_path])
    term.wait_line(prompt_of(switch))
    term.type('port/create 3\nport/create 4\nport/create 5\n')
    for _ in range(3):
        term.expect(r'^Success$')
    assert {3, 4, 5} <= set(switch.ports())


def test_vdeterm_console_dies(ours, lab, switch_side, terminal):
    """A killed switch is told from a farewell."""
    switch = lab.switch(switch_side)
    term = terminal([ours.program('vdeterm'), switch.mgmt_path])
    term.wait_line(prompt_of(switch))
    switch.kill()
    term.expect(r'was closed at the other end')
    assert term.wait_end() == 255


# ---- vdeterm as a script

def test_vdeterm_script(lab, ours, switch):
    """Data on stdout, errors on stderr, the status is the last result."""
    done = lab.run([ours.program('vdeterm'), switch.mgmt_path],
                   stdin=b'# comment\n\nport/create 3\n  port/showinfo\nport/remove 99')
    assert done.out.splitlines() == SHOWINFO
    assert done.status in (6, 22)
    assert done.err.startswith('vdeterm: port/remove 99: ')
    done = lab.run([ours.program('vdeterm'), switch.mgmt_path],
                   stdin=b'no/such\nport/showinfo\nlogout\n')
    assert (done.status, done.out.splitlines()) == (0, SHOWINFO)


def test_vdeterm_errexit(lab, ours, switch):
    """-e ends at the first failure."""
    done = lab.run([ours.program('vdeterm'), '-e', switch.mgmt_path],
                   stdin=b'no/such\nport/create 3\n')
    assert done.status == 38
    assert 3 not in switch.ports()


def test_vdeterm_long_script(lab, ours, switch):
    """Hundreds of commands, each sent when the one before was answered."""
    lines = ''.join(f'vlan/create {number}\n' for number in range(1, 301))
    done = lab.run([ours.program('vdeterm'), '-e', switch.mgmt_path], stdin=lines.encode())
    assert (done.status, done.err) == (0, '')
    assert set(range(1, 301)) <= set(switch.vlans())


# ---- unixcmd and vdecmd

WAYS = {'builtin': ['-b'], 'rc file': ['-f', RC_FILES / 'vdecmd'],
        "Debian's rc file": ['-f', '/etc/vde2/vdecmd']}


def vdecmd_runner(lab, ours, way):
    """vdecmd(socket, command...): it talks in that way."""
    options = WAYS[way]
    if options[0] == '-f' and not os.path.exists(options[1]):
        lacking(f'{options[1]} (Debian package vde2)')

    def run(path, *command, **how):
        return lab.run([ours.program('vdecmd'), *options, '-s', path, *command], **how)
    run.way = way
    return run


@pytest.fixture(params=list(WAYS))
def any_vdecmd(request, lab, ours):
    """Each way in turn."""
    return vdecmd_runner(lab, ours, request.param)


@pytest.fixture(params=['builtin', 'rc file'])
def vdecmd(request, lab, ours):
    """Our ways; Debian's file knows neither large results, nor events, nor a farewell."""
    return vdecmd_runner(lab, ours, request.param)


def test_vdecmd(any_vdecmd, switch):
    """Data lines on stdout, the result as the status."""
    done = any_vdecmd(switch.mgmt_path, 'port/showinfo')
    assert (done.status, done.out.splitlines()) == (0, SHOWINFO)
    assert any_vdecmd(switch.mgmt_path, 'port/create', '5').status == 0
    done = any_vdecmd(switch.mgmt_path, 'port/create', '5')
    assert (done.status, done.out) == (17, '')
    assert any_vdecmd(switch.mgmt_path, 'no/such/command').status == 38
    done = any_vdecmd(switch.mgmt_path, 'plugin/list')
    assert (done.status, done.out[:4]) == (2, 'NAME')


def test_vdecmd_ends_session(vdecmd, switch):
    """logout has no result, and succeeds."""
    assert vdecmd(switch.mgmt_path, 'logout').status == 0


def test_vdecmd_load(vdecmd, lab, switch_side):
    """A script with comments and empty lines: the result is that of `load`."""
    switch = lab.switch(switch_side, *(['--allow-path', lab.dir] if switch_side.ours else []))
    script = lab.write('x.rc', 'port/create 3\n# comment\n\nno/such\nport/showinfo\n')
    done = vdecmd(switch.mgmt_path, 'load', script)
    assert done.status == 0
    assert [line for line in done.out.splitlines() if line in SHOWINFO] == SHOWINFO
    assert 3 in switch.ports()


def test_vdecmd_large_result(vdecmd, console):
    """Results of 100 and more; what does not fit is 254."""
    fake = console({'a': b'1111 Connection refused\n' + PROMPT, 'b': b'1524 Odd\n' + PROMPT})
    assert vdecmd(fake.path, 'a').status == 111
    assert vdecmd(fake.path, 'b').status == 254


def test_vdecmd_failures(any_vdecmd, lab, console):
    """No console, a silent one, one that goes away: 255."""
    done = any_vdecmd(lab.path('none'), 'x')
    assert done.status == 255 and 'No such file' in done.err
    fake = console({'silent': None, 'gone': EOFError})
    assert any_vdecmd(fake.path, 'gone').status == 255
    done = any_vdecmd(fake.path, '-t', '50', 'silent')
    assert done.status == 255
    if any_vdecmd.way == 'builtin':
        assert 'no answer' in done.err and '50 ms' in done.err


def test_vdecmd_event_between(vdecmd, console):
    """An event before the answer is not part of it."""
    fake = console({'x': b"3021 port/+ 02\n0000 DATA END WITH '.'\ndata\n.\n1000 Success\n" + PROMPT})
    done = vdecmd(fake.path, 'x')
    assert (done.status, done.out) == (0, 'data\n')


def test_vdecmd_options(lab, ours, switch):
    """Words are joined, -v shows the dialogue, errors are printed, options end at the command."""
    program = ours.program('vdecmd')
    done = lab.run([program, '-b', '-v', '-s', switch.mgmt_path, 'port/create', '3'])
    assert done.status == 0
    assert 'vde$ port/create 3' in done.err and '1000 Success' in done.err
    done = lab.run([program, '-b', '-s', switch.mgmt_path, 'no/such', '-v'])
    assert done.err == 'vdecmd: no/such -v: Function not implemented\n'
    done = lab.run([program, '-v', '-f', RC_FILES / 'vdecmd', '-s', switch.mgmt_path, 'showinfo'])
    assert 'NOW 10 IN, buffer: ' in done.err
    assert lab.run([program, '-s', switch.mgmt_path]).status == 255
    bad = lab.write('bad.rc', '1 IN x 2\n2 BOGUS\n')
    done = lab.run([program, '-f', bad, '-s', switch.mgmt_path, 'x'])
    assert done.status == 255
    assert f'{bad}, line 2: there is no such operation' in done.err


def test_vdecmd_json(lab, ours, console):
    """--json puts the word in front; the document is printed as it is."""
    long = json.dumps([{'port': number} for number in range(20000)])
    fake = console({'json port/print 3': f"0000 DATA END WITH '.'\n{long}\n.\n1000 Success\n"
                    .encode() + PROMPT})
    for way in (['-b'], ['-f', RC_FILES / 'vdecmd']):
        done = lab.run([ours.program('vdecmd'), *way, '-j', '-s', fake.path, 'port/print', '3'])
        assert done.status == 0
        assert len(json.loads(done.out)) == 20000


def test_vdecmd_json_of_our_switch(lab, ours):
    """Our switch lists as JSON."""
    switch = lab.switch(ours)
    switch.ok('port/create 3')
    done = lab.run([ours.program('vdecmd'), '-bj', '-s', switch.mgmt_path, 'port/allprint'])
    assert done.status == 0
    assert len(json.loads(done.out)) == 1


def test_unixcmd_of_both(lab, side, switch):
    """The same file gives the same on both sides (Debian's prints a NUL behind each line)."""
    program = side.program('unixcmd')
    done = lab.run([program, '-s', switch.mgmt_path, '-f', RC_FILES / 'vdecmd', 'port/showinfo'])
    assert done.status == 0
    assert done.out.replace('\0', '').splitlines() == SHOWINFO
    done = lab.run([program, '-s', switch.mgmt_path, '-f', RC_FILES / 'vdecmd', 'no/such'])
    assert done.status == 38


AUTOMATA = {
    'suffix': ("1 IN 'lo' 9\n2 COPY\n3 EXIT 3\n9 EXIT 9", 3, 'hello'),
    'failure': ("TIMEOUT 50\n1 IN 'zz' 9\n2 EXIT 3\n9 COPY\n10 EXIT 9", 9, 'hello world\n22 x'),
    'throw': ("1 IN 'he' 9\n2 THROW\n3 IN 'o' 9\n4 COPY\n5 EXIT 0\n9 EXIT 9", 0, 'llo'),
    'if': ("1 IN 'lo' 9\n2 IF 'hex' 9\n3 IF 'he' 6\n4 EXIT 4\n6 EXIT 6\n9 EXIT 9", 6, ''),
    'skip': ("1 IN 'd' 9\n2 SKIP 6\n3 COPY\n4 EXIT 0\n9 EXIT 9", 0, 'world'),
    'value': ("1 IN '\\n' 9\n2 THROW\n3 IN ' ' 9\n4 RVATOI\n5 THROW\n6 EXITRV\n9 EXIT 9", 22, ''),
    'order': ('7 EXIT 4\n5 EXIT 3', 3, ''),
    'modulo': ('1 EXIT 300', 44, ''),
    'arguments': ("1 SHIFT\n2 SEND '$*\\n'\n3 IN 'got: b c\\n' 9\n4 EXIT 5\n9 EXIT 9", 5, ''),
}


@pytest.mark.parametrize('name', sorted(AUTOMATA))
def test_automata_of_both(lab, side, console, name):
    """Operations mean the same on both sides."""
    text, status, out = AUTOMATA[name]
    fake = console({'b c': b'got: b c\n'}, greeting=b'hello world\n22 x')
    rc_file = lab.write('test.rc', 'TIMEOUT 2000\n' + text + '\n')
    done = lab.run([side.program('unixcmd'), '-s', fake.path, '-f', rc_file, 'a', 'b', 'c'])
    assert (done.status, done.out.replace('\0', '')) == (status, out)
