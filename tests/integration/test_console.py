# SPDX-License-Identifier: GPL-2.0-or-later
"""The management console to the byte: greeting, prompt, every command's output and errors.

Reference 3.3. What Debian's switch prints is the oracle; ours may list more commands in `help` and
differs where a defect was mended (test_defects.py).
"""

import errno
import json
import os
import re
import socket

import pytest

from vslib.console import DATA_START, PROMPT, Console
from vslib.frames import BROADCAST, mac, mac_text, numbered
from vslib.proc import readable, wait_until

SUCCESS = b'1000 Success\n' + PROMPT
BANNER_2 = '(C) Virtual Square Team (coord. R. Davoli) 2005,2006,2007 - GPLv2'

# The rows of `help` behind its two header rows, as clients parse them, in this order.
HELP = '''\
ds                 ============    DATA SOCKET MENU
ds/showinfo                        show ds info
help               [arg]           Help (limited to arg when specified)
logout                             logout from this mgmt terminal
shutdown                           shutdown of the switch
showinfo                           show switch version and info
load               path            load a configuration script
debug              ============    DEBUG MENU
debug/list                         list debug categories
debug/add          dbgpath         enable debug info for a given category
debug/del          dbgpath         disable debug info for a given category
plugin             ============    PLUGINS MENU
plugin/list                        list plugins
plugin/add         library         load a plugin
plugin/del         name            unload a plugin
hash               ============    HASH TABLE MENU
hash/showinfo                      show hash info
hash/setsize       N               change hash size
hash/setgcint      N               change garbage collector interval
hash/setexpire     N               change hash entries expire time
hash/setminper     N               minimum persistence time
hash/print                         print the hash table
hash/find          MAC [VLAN]      MAC lookup
fstp               ============    FAST SPANNING TREE MENU
fstp/showinfo                      show fstp info
fstp/setfstp       0/1             Fast spanning tree protocol 1=ON 0=OFF
fstp/setedge       VLAN PORT 1/0   Define an edge port for a vlan 1=Y 0=N
fstp/bonus         VLAN PORT COST  set the port bonus for a vlan
fstp/print         [N]             print fst data for the defined vlan
port               ============    PORT STATUS MENU
port/showinfo                      show port info
port/setnumports   N               set the number of ports
port/sethub        0/1             1=HUB 0=switch
port/setvlan       N VLAN          set port VLAN (untagged)
port/createauto                    create a port with an automatically allocated id
port/create        N               create the port N (inactive|notallocatable)
port/remove        N               remove the port N
port/allocatable   N 0/1           Is the port allocatable as unnamed? 1=Y 0=N
port/setuser       N user          access control: set user
port/setgroup      N user          access control: set group
port/epclose       N ID            remove the endpoint port N/id ID
port/resetcounter  [N]             reset the port (N) counters
port/print         [N]             print the port/endpoint table
port/allprint      [N]             print the port/endpoint table (including inactive port)
vlan               ============    VLAN MANAGEMENT MENU
vlan/create        N               create the VLAN with tag N
vlan/remove        N               remove the VLAN with tag N
vlan/addport       N PORT          add port to the vlan N (tagged)
vlan/delport       N PORT          add port to the vlan N (tagged)
vlan/print         [N]             print the list of defined vlan
vlan/allprint      [N]             print the list of defined vlan (including inactive port)
'''.splitlines()
HELP_HEAD = ['COMMAND PATH       SYNTAX          HELP', '------------       --------------  ------------']


def key(row):
    """Path and syntax of a help row: what a program looks at."""
    return row[:34].rstrip()


# --- framing of the session ------------------------------------------------------------------

def test_greeting_and_prompt(switch):
    """Two banner lines, an empty line, the prompt; nothing more until something is asked."""
    console = Console(switch.mgmt_path)
    assert console.greeting == (f'VDE switch V.{console.version}\n{BANNER_2}\n'.encode() + PROMPT)
    assert re.fullmatch(r'[0-9][0-9a-z.+~-]*', console.version)
    assert not readable(console, 0)


def test_result_frames(switch):
    """Success, failure, unknown command, data block, empty and comment line, byte by byte."""
    for line, answer in (
            ('port/create 3', SUCCESS),
            ('port/create 3', b'1017 File exists\n' + PROMPT),
            ('no/such/thing', b'1038 Function not implemented\n' + PROMPT),
            ('port/showinfo', b"0000 DATA END WITH '.'\nNumports=32\nHUB=false\ncounters=true\n.\n"
             + SUCCESS),
            ('port/print 9', b"0000 DATA END WITH '.'\n.\n1006 No such device or address\n"
             + PROMPT),
            ('', PROMPT), ('#', PROMPT), ('# showinfo', PROMPT)):
        assert switch.console.command(line).raw == answer, line


@pytest.mark.parametrize('line', ['logout', 'logout now', 'logoutx'])
def test_logout(switch, line):
    """The session ends without newline or prompt; the switch and other sessions go on."""
    console = Console(switch.mgmt_path)
    console.write(line + '\n')
    assert console.read_eof() == b'9999 END OF SESSION'
    assert switch.console.command('#').raw == PROMPT


def test_shutdown(lab, switch):
    """The same bytes, then the switch ends with status 0 and leaves no names."""
    plug = lab.raw(switch)
    other = Console(switch.mgmt_path)
    console = Console(switch.mgmt_path)
    console.write('shutdown\n')
    assert console.read_eof() == b'9999 END OF SESSION'
    assert switch.proc.wait() == 0
    assert not switch.leftovers()
    assert plug.gone()
    other.read_eof()


@pytest.mark.parametrize('line', ['port/showinfo', ' port/showinfo', '\tport/showinfo',
                                  'port/showinfoX', 'port/showinfo some words',
                                  'port/showinfo\r'])
def test_matching(switch, line):
    """Leading blanks are skipped, and the first entry that is a prefix of the line is run."""
    assert switch.ok(line)[0] == 'Numports=32'


@pytest.mark.parametrize('line', ['port/show', 'show', 'hel', 'port', 'vlan', 'PORT/SHOWINFO', '.',
                                  'vde$', 'port/', '/showinfo', '1000 Success'])
def test_no_abbreviations(switch, line):
    """Names cannot be abbreviated; a menu is not a command."""
    switch.console.fails(line, errno.ENOSYS)


def test_command_without_newline(switch):
    """Debian's takes a packet for a command; ours waits for the line's end, or that of the input."""
    console = Console(switch.mgmt_path)
    console.write('port/create')
    if not switch.side.ours:
        assert console.read_until(PROMPT) == SUCCESS
        return
    switch.sync()
    assert not readable(console, 0)
    console.write(' 9')
    console.socket.shutdown(socket.SHUT_WR)
    assert console.read_eof().startswith(SUCCESS)
    assert switch.port(9)


def test_sessions_are_independent(switch):
    """Several consoles at once, each with its own answers."""
    consoles = [Console(switch.mgmt_path) for _ in range(8)]
    for number, console in enumerate(consoles, 1):
        console.write(f'port/create {number}\n')
    for console in consoles:
        assert console.read_until(PROMPT) == SUCCESS
    assert set(switch.ports()) == set(range(1, 9))


def test_half_closed_client(switch):
    """A script that shuts its sending side down still gets its answer."""
    console = Console(switch.mgmt_path)
    console.write('port/create 4\n')
    console.socket.shutdown(socket.SHUT_WR)
    assert console.read_eof().startswith(SUCCESS)
    assert switch.port(4)


# --- help, showinfo, ds ------------------------------------------------------------------------

def test_help(switch):
    """Header rows, then every row in order; ours may have more rows between them."""
    lines = switch.ok('help')
    assert lines[:2] == HELP_HEAD
    rows = [key(line) for line in lines[2:]]
    wanted = [key(row) for row in HELP]
    if switch.side.ours:
        assert [row for row in rows if row in wanted] == wanted
    else:
        assert rows == wanted
    for line in lines[2:]:
        path = line.split()[0]
        assert line.startswith(f'{path:18} ') and line[34] == ' ' and line[35] != ' ', line


@pytest.mark.parametrize('prefix', ['port', 'hash', 'ds', 'vlan', 'debug', 'plugin', 'fstp'])
def test_help_of_a_menu(switch, prefix):
    """`help ARG` lists the entries whose path starts with ARG."""
    lines = switch.ok(f'help {prefix}')
    assert lines[:2] == HELP_HEAD
    assert all(line.startswith(prefix) for line in lines[2:])
    wanted = [key(row) for row in HELP if row.startswith(prefix)]
    assert [row for row in map(key, lines[2:]) if row in wanted] == wanted


def test_help_of_nothing(switch):
    """No entry: the header alone."""
    answer = switch.console.command('help nosuch')
    assert answer.lines == HELP_HEAD


def test_showinfo(switch):
    """Banner, empty line, pid, MAC and uptime, management socket."""
    lines = switch.ok('showinfo')
    assert lines[:3] == [f'VDE switch V.{switch.console.version}', BANNER_2, '']
    matched = re.fullmatch(r'pid (\d+) MAC ((?:[0-9a-f]{2}:){5}[0-9a-f]{2}) uptime (\d+)', lines[3])
    assert matched
    assert int(matched[1]) == switch.pid
    assert matched[2].startswith('00:ff:')
    assert int(matched[3]) < 60
    assert lines[4] == f'mgmt {switch.mgmt_path} perm 0600'


def test_uptime_is_in_seconds(switch):
    """It grows by one a second."""
    def uptime():
        return int(switch.ok('showinfo')[3].split()[-1])
    start = uptime()
    wait_until(lambda: uptime() > start, 5, 'the next second')
    assert uptime() <= start + 5


def test_ds_showinfo(switch):
    """The control directory and the mode of data sockets (vdetelweb reads the first line)."""
    assert switch.ok('ds/showinfo')[:2] == [f'ctl dir {switch.path}', 'std mode 0600']


# --- port ---------------------------------------------------------------------------------------

def block(number, vlan=0, active=False, named=False, user='NONE', endpoints=(), access='NONE'):
    """One block of port/print, with idle counters."""
    state = 'ACTIVE' if active else 'INACTIVE'
    return [
        f'Port {number:04} untagged_vlan={vlan:04} {state} - {"NOT " if named else ""}'
        'Unnamed Allocatable',
        f' Current User: {user} Access Control: (User: {access} - Group: NONE)',
        ' IN:  pkts          0          bytes                    0',
        ' OUT: pkts          0          bytes                    0',
        *endpoints]


def user_name():
    """Who runs the tests, as the console names the owner of a plug."""
    import pwd
    return pwd.getpwuid(os.getuid()).pw_name


def test_port_print_of_plugs(lab, switch):
    """A block for each active port, an endpoint line for each plug; inactive ports only in allprint."""
    assert switch.ok('port/print') == []
    lab.raw(switch, descr='prog: some words')
    lab.raw(switch, port=7, descr='')
    switch.ok('port/create 3')
    ids = {port: ident for port, ident, _, _ in switch.endpoints()}
    one = block(1, active=True, user=user_name(),
                endpoints=[f'  -- endpoint ID {ids[1]:04} module unix prog   : prog: some words'])
    seven = [f'  -- endpoint ID {ids[7]:04} module unix prog   : ']
    shown = switch.ok('port/print')
    assert shown[:5] == one
    assert shown[5:9] == block(7, active=True, user=user_name())
    assert shown[9] in (seven[0], seven[0] + 'no endpoint description')
    assert switch.ok('port/print 1') == one
    assert switch.ok('port/allprint 3') == block(3, named=True)
    assert [number for number in switch.ports()] == [1, 3, 7]
    switch.console.fails('port/print 9', errno.ENXIO)
    switch.console.fails('port/allprint 9', errno.ENXIO)
    assert switch.console.fails('port/print 0', errno.ENXIO).lines == []


def test_port_print_shows_no_inactive_port(lab, switch):
    """After the last endpoint left, the port stays and is not active any more."""
    with lab.raw(switch, descr='leaves'):
        switch.wait_endpoint('leaves')
    switch.wait_no_endpoint('leaves')
    assert switch.ok('port/print') == []
    assert switch.ok('port/allprint') == block(1)


def test_port_counters_are_shown(lab, switch):
    """Ten columns of packets, twenty of bytes."""
    one, two = lab.raw(switch), lab.raw(switch)
    one.send(numbered(BROADCAST, mac(1), 1, size=1400))
    assert two.recv()
    switch.sync()
    shown = switch.ok('port/print 1')
    assert shown[2] == ' IN:  pkts          1          bytes                 1400'
    assert shown[3] == ' OUT: pkts          0          bytes                    0'
    assert switch.ok('port/print 2')[3] == ' OUT: pkts          1          bytes                 1400'


def last_port(switch, numports):
    """The highest port: N; Debian's counts port 0 among the N (observed), so that N is none."""
    return numports if switch.side.ours else numports - 1


def test_port_create_and_remove(lab, switch):
    """Create: EEXIST, EINVAL above the limit; remove: ENXIO, EADDRINUSE while in use."""
    console = switch.console
    last = last_port(switch, 32)
    switch.ok('port/create 5')
    console.fails('port/create 5', errno.EEXIST)
    switch.ok(f'port/create {last}')
    console.fails(f'port/create {last + 1}', errno.EINVAL)
    console.fails('port/create -1', errno.EINVAL)
    plug = lab.raw(switch, port=5)
    console.fails('port/remove 5', errno.EADDRINUSE)
    plug.close()
    wait_until(lambda: not switch.port(5).active, 5, 'port 5 inactive')
    switch.ok('port/remove 5')
    console.fails('port/remove 5', errno.ENXIO)
    console.fails('port/remove 33', errno.EINVAL)
    assert set(switch.ports()) == {last}


def test_port_createauto(switch):
    """The lowest number that is free, until none is left: ENOSPC."""
    switch.ok('port/create 2')
    assert switch.ok('port/createauto') == ['Port 0001']
    assert switch.ok('port/createauto') == ['Port 0003']
    switch.ok(f'port/setnumports {4 if switch.side.ours else 5}')
    assert switch.ok('port/createauto') == ['Port 0004']
    assert switch.console.fails('port/createauto', errno.ENOSPC).lines == []
    assert not any(port.allocatable for port in switch.ports().values())


def test_port_setnumports(lab, switch):
    """EINVAL for none, EADDRINUSE when a port above exists, else the new limit holds at once."""
    console = switch.console
    lab.raw(switch, port=6)
    least = 6 if switch.side.ours else 7
    console.fails(f'port/setnumports {least - 1}', errno.EADDRINUSE)
    console.fails('port/setnumports 0', errno.EINVAL)
    console.fails('port/setnumports -1', errno.EINVAL)
    switch.ok(f'port/setnumports {least}')
    assert switch.ok('port/showinfo')[0] == f'Numports={least}'
    console.fails('port/create 7', errno.EINVAL)
    switch.ok('port/setnumports 400')
    switch.ok(f'port/create {last_port(switch, 400)}')
    assert switch.port(last_port(switch, 400))


def test_port_allocatable(lab, switch):
    """A port taken out of the pool is passed over; one put into it is given."""
    switch.ok('port/create 1')
    switch.ok('port/create 2')
    switch.ok('port/allocatable 2 1')
    assert lab.raw(switch).peer.split('/')[-1].startswith('002')
    switch.ok('port/allocatable 1 1')
    assert lab.raw(switch).peer.split('/')[-1].startswith('001')
    switch.console.fails('port/allocatable 9 0', errno.ENXIO)
    switch.console.fails('port/allocatable 1', errno.EINVAL)


def test_port_sethub(lab, switch):
    """Hub mode is shown, and repeats what a switch would not."""
    one, two, three = (lab.raw(switch) for _ in range(3))
    for plug, number in ((one, 1), (two, 2)):
        plug.send(numbered(BROADCAST, mac(number), 0))
    switch.sync()
    for plug in (one, two, three):
        plug.drain()
    switch.ok('port/sethub 1')
    assert switch.ok('port/showinfo')[1] == 'HUB=true'
    frame = numbered(mac(2), mac(1), 5)
    one.send(frame)
    assert two.recv() == frame
    assert three.recv() == frame
    switch.ok('port/sethub 0')
    assert switch.ok('port/showinfo')[1] == 'HUB=false'


def test_port_access_control_is_shown(switch):
    """setuser and setgroup take names, numbers, NONE and ANY; others are EINVAL."""
    console = switch.console
    switch.ok('port/create 4')
    assert switch.port(4).access_user == 'NONE'
    for line, user, group in (
            ('port/setuser 4 daemon', 'daemon', 'NONE'), ('port/setgroup 4 daemon', 'daemon', 'daemon'),
            ('port/setuser 4 1', 'daemon', 'daemon'), ('port/setuser 4 NONE', 'NONE', 'daemon'),
            ('port/setgroup 4 NONE', 'NONE', 'NONE'), ('port/setuser 4 ANY', 'ANY', 'NONE'),
            ('port/setgroup 4 ANY', 'ANY', 'ANY')):
        switch.ok(line)
        port = switch.port(4)
        assert (port.access_user, port.access_group) in ((user, group), (
            user.replace('ANY', 'NONE'), group.replace('ANY', 'NONE'))), line
    for what in ('setuser', 'setgroup'):
        console.fails(f'port/{what} 4 no-such-name', errno.EINVAL)
        console.fails(f'port/{what} 4', errno.EINVAL)
        console.fails(f'port/{what} 9 root', errno.ENXIO)


def test_port_epclose(lab, switch):
    """Closes one endpoint of a port, by its id."""
    a, b = lab.raw(switch, port=3, descr='a'), lab.raw(switch, port=3, descr='b')
    ids = {endpoint[2]: endpoint[0] for endpoint in switch.port(3).endpoints}
    switch.console.fails('port/epclose 3 9999', errno.ENXIO)
    switch.console.fails('port/epclose 9 1', errno.ENXIO)
    switch.console.fails('port/epclose 3', errno.EINVAL)
    switch.ok(f'port/epclose 3 {ids["a"]}')
    assert a.gone()
    assert [endpoint[2] for endpoint in switch.port(3).endpoints] == ['b']
    other = lab.raw(switch)
    frame = numbered(BROADCAST, mac(1), 1)
    other.send(frame)
    assert b.recv() == frame


def test_port_setvlan(switch):
    """Untagged VLAN of a port: ENXIO for an unknown port or VLAN, 4095 is none."""
    console = switch.console
    switch.ok('port/create 1')
    switch.ok('vlan/create 9')
    console.fails('port/setvlan 1 8', errno.ENXIO)
    console.fails('port/setvlan 2 9', errno.ENXIO)
    console.fails('port/setvlan 1', errno.EINVAL)
    console.fails('port/setvlan 1 4096', errno.EINVAL)
    switch.ok('port/setvlan 1 9')
    assert switch.port(1).vlan == 9
    switch.ok('port/setvlan 1 0x9')
    switch.ok('port/setvlan 1 4095')
    assert switch.ok('port/allprint 1')[0].startswith('Port 0001 untagged_vlan=4095 ')


# --- vlan ---------------------------------------------------------------------------------------

def test_vlan_create_and_remove(switch):
    """EEXIST, EINVAL outside the range; EADDRINUSE while ports belong to it, ENXIO."""
    console = switch.console
    assert switch.ok('vlan/print') == ['VLAN 0000']
    switch.ok('vlan/create 5')
    console.fails('vlan/create 5', errno.EEXIST)
    switch.ok('vlan/create 4093')
    for wrong in (0, 4095, 4096, -1, 65541):
        console.fails(f'vlan/create {wrong}', errno.EINVAL)
    assert switch.ok('vlan/print') == ['VLAN 0000', 'VLAN 0005', 'VLAN 4093']
    switch.ok('port/create 1')
    switch.ok('port/setvlan 1 5')
    console.fails('vlan/remove 5', errno.EADDRINUSE)
    switch.ok('port/setvlan 1 0')
    switch.ok('vlan/remove 5')
    console.fails('vlan/remove 5', errno.ENXIO)


def test_vlan_ports(lab, switch):
    """addport and delport: tagged members; what vlan/print and vlan/allprint show of them."""
    console = switch.console
    lab.raw(switch, port=1)
    switch.ok('port/create 2')
    switch.ok('vlan/create 5')
    switch.ok('vlan/addport 5 1')
    switch.ok('vlan/addport 5 2')
    console.fails('vlan/addport 6 1', errno.ENXIO)
    console.fails('vlan/addport 5 9', errno.ENXIO)
    console.fails('vlan/addport 5', errno.EINVAL)
    assert switch.ok('vlan/print') == [
        'VLAN 0000', ' -- Port 0001 tagged=0 active=1 status=Forwarding',
        'VLAN 0005', ' -- Port 0001 tagged=1 active=1 status=Forwarding']
    assert set(switch.vlans()[5]) == {1, 2}
    assert switch.vlans()[5][2][:2] == (True, False)
    assert switch.ok('vlan/print 5') == [
        'VLAN 0005', ' -- Port 0001 tagged=1 active=1 status=Forwarding']
    console.fails('vlan/delport 0 1', errno.EADDRINUSE)
    console.fails('vlan/delport 6 1', errno.ENXIO)
    console.fails('vlan/delport 5 9', errno.ENXIO)
    switch.ok('vlan/delport 5 1')
    assert set(switch.vlans()[5]) == {2}
    assert console.fails('vlan/print 6', errno.ENXIO).lines == []


# --- hash ---------------------------------------------------------------------------------------

def test_hash_settings(switch):
    """Four numbers; the size is rounded up to a power of two, and must be positive."""
    assert switch.ok('hash/showinfo')[:4] == [
        'Hash size 128', 'GC interval 2 secs', 'GC expire 100 secs', 'Min persistence 3 secs']
    for line in ('hash/setsize 200', 'hash/setgcint 5', 'hash/setexpire 50', 'hash/setminper 7'):
        switch.ok(line)
    assert switch.ok('hash/showinfo')[:4] == [
        'Hash size 256', 'GC interval 5 secs', 'GC expire 50 secs', 'Min persistence 7 secs']
    switch.console.fails('hash/setsize 0', errno.EINVAL)
    switch.console.fails('hash/setsize -8', errno.EINVAL)


def test_hash_print_and_find(lab, switch):
    """One line for each address; find takes any form of MAC, and a VLAN."""
    one, two = lab.raw(switch), lab.raw(switch)
    one.send(numbered(BROADCAST, mac(0xab), 1))
    assert two.recv()
    [line] = switch.ok('hash/print')
    assert re.fullmatch(r'Hash: \d{4} Addr: 02:00:00:00:00:ab VLAN 0000 to port: 001  age \d+ secs',
                        line)
    for form in ('02:00:00:00:00:ab', '2:0:0:0:0:AB', '02.00.00.00.00.ab', '2:0:0:0:0:ab 0'):
        [found] = switch.ok(f'hash/find {form}')
        assert found.split(' to port')[0] == line.split(' to port')[0]
    assert switch.console.fails('hash/find 02:00:00:00:00:ac', errno.ENODEV).lines == []
    switch.console.fails('hash/find 02:00:00:00:00:ab 5', errno.ENODEV)
    switch.console.fails('hash/find', errno.EINVAL)
    switch.console.fails('hash/find word', errno.EINVAL)


def test_hash_setsize_flushes(lab, switch):
    """A new size starts with an empty table."""
    one, two = lab.raw(switch), lab.raw(switch)
    one.send(numbered(BROADCAST, mac(1), 1))
    assert two.recv()
    assert switch.macs()
    switch.ok('hash/setsize 64')
    assert not switch.macs()


# --- fstp ---------------------------------------------------------------------------------------

def test_fstp_showinfo(lab, switch_side):
    """MAC, priority, state; they come from the options."""
    switch = lab.switch(switch_side, '--macaddr', '02:00:00:00:aa:01', '--priority', '0x1000')
    assert switch.ok('fstp/showinfo')[:2] == ['MAC 02:00:00:00:aa:01 Priority 4096 (0x1000)',
                                              'FSTP=false']
    switch.ok('fstp/setfstp 1')
    assert switch.ok('fstp/showinfo')[1] == 'FSTP=true'
    switch.ok('fstp/setfstp 0')
    assert switch.ok('fstp/showinfo')[1] == 'FSTP=false'


def test_fstp_print(lab, switch_side):
    """The lines of one VLAN, as they are with the protocol off."""
    switch = lab.switch(switch_side, '--macaddr', '02:00:00:00:aa:01')
    lab.raw(switch)
    switch.ok('vlan/create 7')
    lines = switch.ok('fstp/print 0')
    assert lines[0] == 'FST DATA VLAN 0000 ROOTSWITCH FSTP IS DISABLED'
    assert lines[1] == ' ++ root 80:00:02:00:00:00:aa:01'
    assert re.fullmatch(r' \+\+ designated ([0-9a-f]{2}:){7}[0-9a-f]{2}', lines[2])
    assert lines[3] == ' ++ rootport 0000 cost 0 age 0 bonusport 0000 bonuscost 0'
    assert re.fullmatch(r' -- Port 0001 tagged=0 portcost=\d+ role=\w[\w/]*', lines[4])
    heads = [line for line in switch.ok('fstp/print') if line.startswith('FST DATA')]
    assert [head[:18] for head in heads] == ['FST DATA VLAN 0000', 'FST DATA VLAN 0007']
    switch.console.fails('fstp/print 9', errno.ENXIO)


def test_fstp_settings(lab, switch):
    """setedge and bonus: ENXIO for an unknown VLAN, EINVAL for a word too few."""
    lab.raw(switch)
    switch.ok('fstp/setedge 0 1 1')
    switch.ok('fstp/setedge 0 1 0')
    switch.ok('fstp/bonus 0 1 100')
    for command in ('fstp/setedge 77 1 1', 'fstp/bonus 77 1 100'):
        switch.console.fails(command, errno.ENXIO)
    for command in ('fstp/setedge 0 1', 'fstp/bonus 0 1', 'fstp/bonus', 'fstp/setedge'):
        switch.console.fails(command, errno.EINVAL)


def test_fstp_and_hub_exclude_each_other(switch):
    """In hub mode it is refused with a line of text."""
    switch.ok('port/sethub 1')
    assert switch.ok('fstp/setfstp 1') == ["Can't use fstp in hub mode"]
    assert switch.ok('fstp/showinfo')[1] == 'FSTP=false'


# --- debug, load, plugin ------------------------------------------------------------------------

DEBUG = '''\
CATEGORY               TAG STATUS HELP
------------           --- ------ ----
hash/+                 011 OFF    hash: new element
hash/-                 012 OFF    hash: discarded element
fstp/status            044 OFF    fstp: status change
fstp/root              045 OFF    fstp: rootswitch/port change
fstp/+                 041 OFF    fstp: port becomes active
fstp/-                 042 OFF    fstp: port becomes inactive
port/+                 021 OFF    new port
port/-                 022 OFF    closed port
port/descr             023 OFF    set port description
port/ep/+              031 OFF    new endpoint
port/ep/-              032 OFF    closed endpoint
'''.splitlines()


def categories(lines):
    """{category: (tag, status)} of debug/list."""
    return {line.split()[0]: tuple(line.split()[1:3]) for line in lines[2:]}


def test_debug_list(switch):
    """Categories with tag and state; a prefix chooses, and none is ENOENT."""
    lines = switch.ok('debug/list')
    assert lines[:2] == DEBUG[:2]
    assert [line[:34] for line in lines if line[:34] in [row[:34] for row in DEBUG]] == [
        row[:34] for row in DEBUG]
    if not switch.side.ours:
        assert lines == DEBUG
    chosen = switch.ok('debug/list port/ep')
    assert set(categories(chosen)) == {'port/ep/+', 'port/ep/-'}
    assert switch.console.fails('debug/list nosuch', errno.ENOENT).lines == DEBUG[:2]


def test_debug_add_and_del(switch):
    """ON for this connection only; EEXIST, ENOENT, EINVAL."""
    console = switch.console
    other = Console(switch.mgmt_path)
    switch.ok('debug/add port')
    state = categories(switch.ok('debug/list'))
    assert {name for name, (_, status) in state.items() if status == 'ON'} >= {
        'port/+', 'port/-', 'port/descr', 'port/ep/+', 'port/ep/-'}
    assert state['hash/+'] == ('011', 'OFF')
    assert categories(other.ok('debug/list'))['port/+'] == ('021', 'OFF')
    console.fails('debug/add port', errno.EEXIST)
    console.fails('debug/add nosuch', errno.EINVAL)
    console.fails('debug/del nosuch', errno.EINVAL)
    console.fails('debug/del hash', errno.ENOENT)
    switch.ok('debug/del port')
    console.fails('debug/del port', errno.ENOENT)


def test_events_of_a_plug(lab, switch):
    """What is printed when a plug comes, talks and goes: to the letter, in this order."""
    watcher = Console(switch.mgmt_path)
    watcher.ok('debug/add')
    quiet = Console(switch.mgmt_path)
    with lab.raw(switch, port=2, descr='some "words"') as plug:
        assert watcher.wait_event('port/[+]') == '3021 port/+ 02'
        ident = switch.endpoints()[0][1]
        assert watcher.wait_event('port/ep/[+]') == f'3031 port/ep/+ Port 02 FD {ident:2}'
        assert watcher.wait_event('port/descr') == (
            f'3023 port/descr Port 02 FD {ident:2} -> "some "words""')
        plug.send(numbered(BROADCAST, mac(1), 1))
        assert watcher.wait_event('hash/[+]') == '3011 hash/+ 02:00:00:00:00:01 VLAN 00:00 Port 2'
    assert watcher.wait_event('port/ep/-') == f'3032 port/ep/- Port 02 FD {ident:2}'
    assert watcher.wait_event('port/- ') == '3022 port/- 02'
    assert watcher.wait_event('hash/-') == '3012 hash/- 02:00:00:00:00:01 VLAN 00:00 Port 2'
    switch.sync()
    assert quiet.command('#').raw == PROMPT


def test_load(lab, switch_side):
    """Each line is echoed with the file's name, then its output; the last result is load's own."""
    switch = lab.switch(switch_side, *(['--allow-path', lab.dir] if switch_side.ours else []))
    script = lab.write('script', 'port/create 3\n# comment\nport/create 3\nport/showinfo\nnonsense\n')
    switch.console.write(f'load {script}\n')
    assert switch.console.read_until(PROMPT).decode() == (
        f'vde[{script}]: port/create 3\n1000 Success\n'
        f'vde[{script}]: # comment\n'
        f'vde[{script}]: port/create 3\n1017 File exists\n'
        f"vde[{script}]: port/showinfo\n{DATA_START}\nNumports=32\nHUB=false\ncounters=true\n.\n"
        f'1000 Success\n'
        f'vde[{script}]: nonsense\n1038 Function not implemented\n'
        '1000 Success\n\nvde$ ')
    assert switch.port(3)


def test_load_errors(lab, switch):
    """A file that is not there, or may not be read."""
    switch.console.fails(f'load {lab.path("nothing")}', errno.ENOENT)
    switch.console.fails('load', errno.ENOENT)
    assert not switch.ports()


def test_plugin_commands_without_plugins(switch):
    """An empty list and unknown names are ENOENT."""
    console = switch.console
    assert console.fails('plugin/list', errno.ENOENT).lines == [
        'NAME                   HELP', '------------           ----']
    console.fails('plugin/add nosuch', errno.ENOENT)
    console.fails('plugin/del nosuch', errno.ENOENT)


# --- standard input -----------------------------------------------------------------------------

def test_standard_input_is_a_console(lab, switch_side):
    """In the foreground stdin takes commands, and their output goes to stdout."""
    switch = lab.switch(switch_side)
    switch.proc.stdin.write(b'port/create 5\n')
    switch.proc.stdin.flush()
    wait_until(lambda: switch.port(5), 5, 'port 5')
    wait_until(lambda: '1000 Success' in switch.proc.output(), 5, 'the result on stdout')
    switch.proc.stdin.write(b'shutdown\n')
    switch.proc.stdin.flush()
    assert switch.proc.wait() == 0
    assert not switch.leftovers()


# --- what ours adds -----------------------------------------------------------------------------

JSON_COMMANDS = ('showinfo', 'ds/showinfo', 'port/showinfo', 'port/print', 'port/allprint',
                 'vlan/print', 'vlan/allprint', 'hash/showinfo', 'hash/print', 'fstp/showinfo',
                 'fstp/print')


@pytest.mark.parametrize('command', JSON_COMMANDS)
def test_json(lab, ours, command):
    """`json ` before a listing command gives its data block as one JSON value."""
    import json
    switch = lab.switch(ours)
    one, two = lab.raw(switch, descr='quote " and \\'), lab.raw(switch)
    one.send(numbered(BROADCAST, mac(1), 1))
    assert two.recv()
    value = json.loads('\n'.join(switch.ok(f'json {command}')))
    assert value
    text = json.dumps(value)
    if command == 'hash/print':
        assert mac_text(mac(1)) in text
    if command == 'port/print':
        assert 'quote \\" and \\\\' in text


def test_json_of_what_is_no_listing(lab, ours):
    """Other commands are refused, and not run."""
    switch = lab.switch(ours)
    assert switch.console.command('json port/create 3').code != 0
    assert switch.console.command('json nonsense').code != 0
    assert not switch.ports()
