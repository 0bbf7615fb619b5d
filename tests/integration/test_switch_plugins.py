# SPDX-License-Identifier: GPL-2.0-or-later
"""Plug-ins of vde_switch: Debian's and ours, in Debian's switch and ours; wrong ones in ours."""

import errno
import os
import pathlib
import shutil

import pytest

from vslib import frames
from vslib.frames import BROADCAST, mac, mac_text, numbered, tag, udp4
from vslib.proc import wait_until
from vslib.sides import BUILD, REPO, lacking, tool

ONE, TWO = mac(1), mac(2)
DIRECTORIES = {'ours': BUILD / 'lib/vde2/plugins', 'debian': pathlib.Path('/usr/lib/vde2/plugins')}


def sanitized(side):
    """True for a switch that is built with AddressSanitizer."""
    with open(side.program('vde_switch'), 'rb') as stream:
        return b'libasan' in stream.read()


@pytest.fixture(params=['ours', 'debian'], ids=lambda name: f'plugin={name}')
def plugin_dir(request, switch_side, ours):
    """Whose plug-ins; sanitized ones work in our switch only."""
    path = DIRECTORIES[request.param]
    if request.param == 'debian' and not path.is_dir():
        lacking("Debian's plug-ins (package vde-switch)")
    if request.param == 'ours' and not switch_side.ours and sanitized(ours):
        pytest.skip('a sanitized plug-in needs a sanitized program')
    return path


class Net:
    """A switch with two plugs."""

    def __init__(self, lab, side, *options, leaky=False):
        more = ['--allow-path', lab.dir] if side.ours else []
        env = lab.env()
        if leaky:       # a plug-in of Debian's that leaks is not the switch's fault
            env['ASAN_OPTIONS'] = env.get('ASAN_OPTIONS', '') + ':detect_leaks=0'
        self.lab = lab
        self.switch = lab.switch(side, *more, *options, env=env)
        self.one, self.two = (lab.raw(self.switch, port=port, descr=f'plug {port}')
                              for port in (1, 2))
        self.ok, self.fails = self.switch.ok, self.switch.console.fails

    def send(self, plug, *some):
        """Send frames and wait until they are handled."""
        for frame in some:
            plug.send(frame)
        self.switch.sync()


@pytest.fixture
def net(lab, switch_side, request):
    """A Net with a switch of each side in turn."""
    foreign = 'plugin=debian' in request.node.name
    return Net(lab, switch_side, leaky=foreign)


@pytest.fixture
def our_net(lab, ours):
    """A Net with our switch."""
    return Net(lab, ours)


HEADER = ['NAME                   HELP', '------------           ----']


def test_list(net, plugin_dir):
    """plugin/list, add and del, and what they say."""
    assert net.fails('plugin/list', errno.ENOENT).lines == HEADER
    net.ok(f'plugin/add {plugin_dir}/dump.so')
    net.ok(f'plugin/add {plugin_dir}/pdump')            # .so is added
    net.fails(f'plugin/add {plugin_dir}/dump', errno.EEXIST)
    rows = ['dump                   dump packets',
            'pdump                  dump packets to file, in pcap format']
    assert net.ok('plugin/list') == HEADER + rows
    assert net.ok('plugin/list p') == HEADER + rows[1:]
    net.fails('plugin/list x', errno.ENOENT)
    net.fails('plugin/del nosuch', errno.ENOENT)
    net.ok('plugin/del dump')
    assert net.ok('plugin/list') == HEADER + rows[1:]
    net.fails('dump/active 1', errno.ENOSYS)


def test_dump(net, plugin_dir):
    """Frames in hexadecimal, in and out, for who asked."""
    net.ok(f'plugin/add {plugin_dir}/dump')
    assert net.ok('help dump')[2:] == ['dump               ============    DUMP Packets',
                                       'dump/active        0/1             start dumping data']
    assert net.ok('debug/list dump')[2:] == [
        'dump/packetin          101 OFF    dump incoming packet',
        'dump/packetout         102 OFF    dump outgoing packet']
    net.ok('dump/active 1')
    net.ok('debug/add dump')
    frame = numbered(BROADCAST, ONE, 7, size=62)
    net.one.send(frame)
    text = ' '.join(f'{byte:02x}' for byte in frame) + ' '
    line = net.switch.console.wait_event('packetin')
    assert line == f'3101 dump/packetin Pkt: Port 0001 len=0062 {text}'
    line = net.switch.console.wait_event('packetout')
    assert line == f'3102 dump/packetout Pkt: Port 0002 len=0062 {text}'
    assert net.two.expect() == frame
    net.ok('dump/active 0')
    net.send(net.one, frame)
    assert not net.switch.console.events
    net.ok('plugin/del dump')
    net.send(net.one, frame)
    assert net.two.expect() == frame


def test_pdump(net, plugin_dir):
    """A pcap file that tcpdump reads, with both directions."""
    path = net.lab.path('p.pcap')
    net.ok(f'plugin/add {plugin_dir}/pdump')
    assert net.ok(f'pdump/filename {path}') == [f'dumpfile={path}']
    assert net.ok('pdump/filename') == [f'dumpfile={path}']
    net.ok('pdump/buffered 0')
    net.ok('pdump/active 1')
    net.send(net.one, udp4(ONE, BROADCAST, '10.0.0.1', '10.0.0.2', 1, 53, b'x' * 200))
    result = net.lab.run([tool('tcpdump'), '-nr', path])
    assert result.status == 0
    assert [line.split(' IP ')[1].split(':')[0] for line in result.out.splitlines()] == 2 * [
        '10.0.0.1.1 > 10.0.0.2.53']
    net.ok('pdump/active 0')
    net.switch.check_healthy()


def test_iplog(net, plugin_dir):
    """Who has which address: events, log, listings, and the end of it."""
    path = net.lab.path('ip.log')
    console = net.switch.console
    net.ok(f'plugin/add {plugin_dir}/iplog')
    assert net.ok('iplog/showinfo') == ['iplog: ip/port/user logging plugin', 'log disabled',
                                        'GC interval 10 secs', 'GC expire 360 secs']
    net.ok(f'iplog/logfile {path}')
    assert f'log on file {path}' in net.ok('iplog/showinfo')
    net.ok('iplog/ipadd 10.0.0.0/8')
    net.fails('iplog/ipadd 10.0.0.0/8', errno.EEXIST)
    net.fails('iplog/ipadd nonsense', errno.EINVAL)
    net.ok('iplog/ipadd fc00::/7')
    assert net.ok('iplog/list') == ['  ipv4: 10.0.0.0/8', '  ipv6: fc00::/7']
    net.ok('debug/add iplog')
    net.send(net.one, udp4(ONE, TWO, '10.0.0.1', '10.0.0.2', 1, 2, b''),
             udp4(ONE, TWO, '192.0.2.1', '10.0.0.2', 1, 2, b''))       # not in a range
    user = net.switch.ports()[1].user
    line = console.wait_event('iplog/newip')
    assert line == (f'3301 iplog/newip ipv4 10.0.0.1 mac={mac_text(ONE)} port=1 vlan=0 '
                    f'user={user} "plug 1"')
    row = f'ipv4 10.0.0.1 port=1 user={user}'
    for command in ('iplist', 'ipport 1', f'ipuser {user}', 'ipsearch 10.0.0.1'):
        assert net.ok(f'iplog/{command}') == [row], command
    assert net.ok('iplog/ipport 2') == []
    net.send(net.two, udp4(ONE, TWO, '10.0.0.1', '10.0.0.2', 1, 2, b''))       # it moves
    assert 'port=2' in console.wait_event('iplog/newip')
    assert net.ok('iplog/ipport 1') == []
    with open(path, encoding='ascii') as log:
        assert [entry.split(' ipv4 ')[1].split(' mac')[0] for entry in log] == 2 * ['10.0.0.1']
    net.two.close()
    net.switch.wait_no_endpoint('plug 2')
    assert net.ok('iplog/iplist') == []
    net.ok('plugin/del iplog')
    net.switch.check_healthy()


def test_iplog_expires(net, plugin_dir):
    """What is silent for too long is forgotten."""
    net.ok(f'plugin/add {plugin_dir}/iplog')
    net.ok('iplog/ipadd 10.0.0.0/8')
    net.send(net.one, udp4(ONE, TWO, '10.0.0.1', '10.0.0.2', 1, 2, b''))
    assert len(net.ok('iplog/iplist')) == 1
    net.ok('iplog/setexpire 1')
    net.ok('iplog/setgcint 1')
    wait_until(lambda: net.ok('iplog/iplist') == [], 8, 'the address is forgotten')


def test_our_iplog_is_right_about_vlans(our_net):
    """A tag moves the addresses it stands behind; Debian's reads them from the wrong place."""
    net = our_net
    net.ok('plugin/add iplog')
    net.ok('debug/add iplog')
    net.ok('iplog/ipadd 10.0.0.0/8')
    net.send(net.one, udp4(ONE, TWO, '10.0.0.1', '10.0.0.2', 1, 2, b'', tags=tag(9)))
    assert f'10.0.0.1 mac={mac_text(ONE)} port=1 vlan=9' in net.switch.console.wait_event('newip')
    net.ok('iplog/ipadd 172.16.0.0/255.240.0.0')
    assert '  ipv4: 172.16.0.0/12' in net.ok('iplog/list')
    net.fails('iplog/ipadd 10.0.0.0/33', errno.EINVAL)
    net.fails('iplog/ipadd 10.0.0.0/255.0.255.0', errno.EINVAL)
    net.fails('iplog/setgcint 0', errno.EINVAL)


def test_our_pdump_chooses(our_net):
    """One port, and the beginning of frames."""
    net = our_net
    path = net.lab.path('p.pcap')
    net.ok('plugin/add pdump')
    assert net.ok('pdump/snaplen') == ['snaplen=65535']
    assert net.ok('pdump/snaplen 40') == ['snaplen=40']
    assert net.ok('pdump/port 2') == ['port=2']
    net.ok(f'pdump/filename {path}')
    net.ok('pdump/active 1')
    net.send(net.one, numbered(BROADCAST, ONE, 1, size=1000))
    net.ok('pdump/active 0')
    with open(path, 'rb') as stream:
        data = stream.read()
    assert len(data) == 24 + 16 + 40
    assert int.from_bytes(data[24 + 12:24 + 16], 'little') == 1000
    net.fails('pdump/port x', errno.EINVAL)
    answer = net.fails('pdump/filename /nonexistent/x', errno.EINVAL)
    assert answer.lines[1] == 'ERROR: cannot dump to /nonexistent/x'


def test_found_beside_the_program(our_net):
    """A bare name is found where the switch was installed or built."""
    our_net.ok('plugin/add dump')
    our_net.ok('plugin/del dump')
    our_net.ok('plugin/add dump.so')


def test_found_at_home(lab, ours):
    """~/.vde2/plugins comes before what is installed, with and without .so."""
    directory = os.path.join(lab.home, '.vde2/plugins')
    os.makedirs(directory)
    shutil.copy(DIRECTORIES['ours'] / 'dump.so', os.path.join(directory, 'mine.so'))
    net = Net(lab, ours)
    net.ok('plugin/add mine')
    net.ok('plugin/del dump')
    net.ok('plugin/add mine.so')


def build(lab, name, source):
    """A plug-in compiled from C; its path."""
    path = lab.path(f'{name}.so')
    text = '#include <vdeplugin.h>\n' + source
    result = lab.run([tool('gcc'), '-shared', '-fPIC', '-I', REPO / 'include', '-o', path,
                      lab.write(f'{name}.c', text)])
    assert result.status == 0, result.err
    return path


DATA = 'struct plugin vde_plugin_data = { .name = "%s", .help = "test" };\n'
CONSTRUCTOR = '__attribute__((constructor)) static void begin(void) { %s }\n'
DESTRUCTOR = '__attribute__((destructor)) static void end(void) { %s }\n'


def test_bad_libraries(our_net):
    """Each is refused, the log says why, and the switch goes on."""
    net = our_net
    lab = net.lab
    missing = build(lab, 'missing', DATA % 'missing' +
                    'extern void nosuchfunction(void);\n' + CONSTRUCTOR % 'nosuchfunction();')
    cases = (
        (build(lab, 'nothing', 'int nothing;\n'), errno.EINVAL, 'no vde_plugin_data'),
        (missing, errno.ENOENT, 'nosuchfunction'),
        (lab.write('text.so', 'this is no library'), errno.ENOENT, 'text.so'),
        (lab.path('absent'), errno.ENOENT, 'there is no plug-in'),
        (lab.dir, errno.ENOENT, ''),
        ('', errno.EINVAL, 'missing'),
    )
    for path, code, words in cases:
        net.fails(f'plugin/add {path}', code)
        assert words in net.switch.proc.output().splitlines()[-1], path
    net.fails('plugin/del', errno.ENOENT)
    net.fails('plugin/list', errno.ENOENT)
    net.send(net.one, numbered(BROADCAST, ONE, 1))
    assert net.two.expect()


def test_same_name_twice(our_net):
    """Another file with the name of a loaded plug-in leaves nothing behind."""
    net = our_net
    source = (DATA % 'same' + 'static int f(void) { return 0; }\n'
              'static struct comlist c[] = { { "%s", "", "", f, NOARG } };\n'
              + CONSTRUCTOR % 'ADDCL(c);')
    net.ok(f'plugin/add {build(net.lab, "first", source % "first/command")}')
    net.fails(f'plugin/add {build(net.lab, "second", source % "second/command")}', errno.EEXIST)
    net.ok('first/command')
    net.fails('second/command', errno.ENOSYS)


def test_forgetful_plugin(our_net):
    """One that takes nothing back: the switch does it, before the code is gone."""
    net = our_net
    path = build(net.lab, 'leaky', DATA % 'leaky' + '''
static int f(void) { return 0; }
static int e(struct dbgcl *event, void *arg, va_list v) { return 0; }
static void t(void *arg) { }
static struct comlist c[] = { { "leaky/f", "", "", f, NOARG } };
static struct dbgcl d[] = { { "leaky/d", "help", 0777 } };
''' + CONSTRUCTOR % '''
    ADDCL(c); ADDDBGCL(d); qtimer_add(1, 0, t, NULL);
    eventadd(e, "packet", NULL); eventadd(e, "port", NULL); eventadd(e, "leaky", NULL);''')
    for _ in range(3):
        net.ok(f'plugin/add {path}')
        net.ok('leaky/f')
        net.ok('debug/add leaky')
        net.ok('plugin/del leaky')
        net.fails('leaky/f', errno.ENOSYS)
        net.fails('debug/list leaky', errno.ENOENT)
        net.send(net.one, numbered(BROADCAST, ONE, 1))
        assert net.two.expect()
    with open(f'/proc/{net.switch.pid}/maps', encoding='ascii') as maps:
        assert 'leaky.so' not in maps.read()


def test_callbacks_beyond_the_original_array(our_net):
    """More callbacks of one event than the original's array holds (it overflows after four)."""
    net = our_net
    path = build(net.lab, 'many', DATA % 'many' + '''
static int counts[40];
static int e(struct dbgcl *event, void *arg, va_list v) { ++*(int *)arg; return 0; }
static int f(FILE *out) { int i, sum = 0; for (i = 0; i < 40; i++) sum += counts[i];
                          printoutc(out, "%d", sum); return 0; }
static struct comlist c[] = { { "many", "", "", f, NOARG | WITHFILE } };
''' + CONSTRUCTOR % 'ADDCL(c); for (int i = 0; i < 40; i++) eventadd(e, "packet/in", &counts[i]);')
    net.ok(f'plugin/add {path}')
    net.send(net.one, numbered(BROADCAST, ONE, 1), numbered(BROADCAST, ONE, 2))
    assert net.ok('many') == ['80']


FILTER = DATA % 'filter' + '''
#include <string.h>
static int e(struct dbgcl *event, void *arg, va_list v)
{
    int port = va_arg(v, int);
    unsigned char *frame = va_arg(v, unsigned char *);
    int len = va_arg(v, int);

    if (frame[17] == 1) return -1;                       /* drop */
    if (frame[17] == 2) { memset(frame + len, 0x77, 4); return len + 4; }
    if (frame[17] == 3) return len - 10;
    return 0;
}
''' + CONSTRUCTOR % 'eventadd(e, "packet/in", 0);' + DESTRUCTOR % 'eventdel(e, "packet/in", 0);'


def test_packet_filter(net):
    """A plug-in passes, drops, lengthens and shortens frames, in both switches."""
    net.ok(f'plugin/add {build(net.lab, "filter", FILTER)}')
    net.send(net.one, *(numbered(BROADCAST, ONE, number, size=100) for number in range(4)))
    heard = [net.two.expect() for _ in range(3)]
    assert [(frames.number_of(frame), len(frame)) for frame in heard] == [(0, 100), (2, 104), (3, 90)]
    assert heard[1][100:] == b'\x77' * 4
    net.ok('plugin/del filter')
    net.send(net.one, numbered(BROADCAST, ONE, 1, size=100))
    assert len(net.two.expect()) == 100


def test_events_of_plugins_own(our_net):
    """One plug-in listens to the events of another's category."""
    net = our_net
    teller = build(net.lab, 'teller', DATA % 'teller' + '''
static struct dbgcl d[] = { { "teller/said", 0, 0700 } };
static int f(int n) { return EVENTOUT(&d[0], n); }
static struct comlist c[] = { { "teller", "N", "", f, INTARG } };
''' + CONSTRUCTOR % 'ADDDBGCL(d); ADDCL(c);' + DESTRUCTOR % 'DELDBGCL(d); DELCL(c);')
    hearer = build(net.lab, 'hearer', DATA % 'hearer' + '''
static int e(struct dbgcl *event, void *arg, va_list v) { return va_arg(v, int) + 1; }
''' + CONSTRUCTOR % 'eventadd(e, "teller", 0);' + DESTRUCTOR % 'eventdel(e, "teller", 0);')
    net.ok(f'plugin/add {teller}')
    net.ok('teller 4')
    net.ok(f'plugin/add {hearer}')
    net.fails('teller 4', errno.EIO)        # 5
    net.ok('plugin/del hearer')
    net.ok('teller 4')
