# SPDX-License-Identifier: GPL-2.0-or-later
"""What umvu --trace says of some fifty programs, beside what strace says of a bare run of each."""

import pathlib
import platform
import re
import shutil
import subprocess

import pytest

from vslib.call_text import parse, same
from vslib.sides import SIDES, tool

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

SOCKETS = r'''
import os, select, signal, socket, struct
a, b = socket.socketpair()
a.sendmsg([b'x', b'yy'])
b.recvmsg(10)
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', 0))
s.listen()
e = select.epoll()
e.register(s, 1)
e.poll(0)
p = select.poll()
p.register(a, 1)
p.poll(0)
select.select([a], [b], [], 0)
os.writev(1, [b'a', b'b'])
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).connect_ex('/nonexistent')
socket.send_fds(a, [b'z'], [1])
socket.recv_fds(b, 10, 2)
socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).bind((0, 1))
os.pipe2(os.O_CLOEXEC)
os.open('f', os.O_RDWR | os.O_APPEND)
os.sched_setaffinity(0, os.sched_getaffinity(0))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGRTMIN])
signal.sigpending()
signal.setitimer(signal.ITIMER_REAL, 100)
os.statvfs('.')
os.setxattr('f', 'user.x', b'1')
os.memfd_create('m')
os.posix_fallocate(os.open('g', os.O_CREAT | os.O_WRONLY), 0, 10)
'''

PROGRAMS = [line.split(' ') for line in '''true
false
echo hello
cat f nonexistent
ls -la
stat f
head -n1 f
tail -n1 f
wc f
sort -r f
uniq f
cut -c1-2 f
tac f
date -u +%Y
uname -a
id
pwd
env
basename /a/b
seq 3
expr 1 + 2
test -f f
mkdir -p d/e
rmdir d
touch -d 2020-01-01 f
rm f
mv f g
ln -s f l
cp f g
chmod 600 f
dd if=f of=g bs=2 status=none
truncate -s10 f
sleep 0.01
tee g
od -c f
md5sum f
sha256sum f
find . -name f
paste f f
sed s/o/x/ f
tar cf t.tar f d
comm f f
nice true
nohup true
stty
df .
du -s .
getent passwd root
setpriv --dump
flock f true
install -m 700 f g
readlink -f f
taskset -p 1
prlimit'''.splitlines()] + [['sh', '-c', 'trap : USR1; kill -USR1 $$; umask; cd d; exit 3'],
                            ['sh', '-c', 'cat f; true; wait'], ['python3', '-S', '-c', SOCKETS]]

# Their contents differ from run to run, or from process to process.
VARIABLE = {'getrandom', 'getpid', 'getppid', 'gettid', 'set_tid_address', 'sysinfo', 'times', 'getrusage',
            'capget'}
# strace names their arguments, and puts them in another order.
NAMED = {'clone': [('flags', 0), ('child_stack', 1)]}
RUNS = 3
PROCESS = 'the process itself, or a child'
ENVIRONMENT = {'PATH': '/usr/bin:/bin', 'LANG': 'C', 'HOME': '/', 'PYTHONHASHSEED': '0'}


def traces(prefix):
    """[(pid, lines)] of the files PREFIX.PID, the oldest process first."""
    prefix = pathlib.Path(prefix)
    files = sorted(prefix.parent.glob(prefix.name + '.*'), key=lambda path: int(path.suffix[1:]))
    return [(int(path.suffix[1:]), path.read_text(encoding='latin-1').splitlines()) for path in files]


def run(lab, side, command):
    """[lines] of each process; {pids}"""
    work, output = pathlib.Path(lab.path('work')), pathlib.Path(lab.path(side))
    for directory in (work, output):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
    (work / 'd').mkdir()
    (work / 'f').write_text('one\ntwo\n')
    tracer = [tool('strace'), '-ff', '-o', output / 't']
    if side == 'ours':
        tracer = [SIDES['ours'].program('umvu'), '--trace-split', '--trace-time=none', '--trace-output',
                  output / 't']
    subprocess.run([*tracer, *command], cwd=work, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)
    found = traces(output / 't')
    if side == 'ours':
        found = [(pid, [line.partition(' ')[2] for line in lines]) for pid, lines in found]
    return [lines for _, lines in found], {pid for pid, _ in found}


def masked(value, pids):
    """The value with numbers of processes taken out."""
    if isinstance(value, list):
        return [masked(part, pids) for part in value]
    if isinstance(value, dict):
        return {name: masked(part, pids) for name, part in value.items()}
    if isinstance(value, bytes):
        return re.sub(rb'^/proc/\d+', b'/proc/self', value)
    return frozenset([PROCESS]) if isinstance(value, int) and value in pids else value


def values_of(call):
    """The arguments that both tracers show."""
    wanted = NAMED.get(call.name)
    if not wanted:
        return call.arguments
    if isinstance(call.arguments, dict):
        return [call.arguments.get(name) for name, _ in wanted]
    return [call.arguments[index] for _, index in wanted]


def difference(theirs, ours, their_pids, our_pids):
    """What two lines say differently: '' if nothing."""
    one, other = parse(theirs), parse(ours)
    if one is None or other is None:
        # Of signals strace sees those, too, that have no handler.
        return '' if one is other else 'one is no call'
    if one.name != other.name:
        return 'the calls'
    if one.error != other.error:
        return 'the errors'
    if one.name in VARIABLE:
        return ''
    if not same(masked(one.result, their_pids), masked(other.result, our_pids)):
        return 'the results'
    if not same(masked(values_of(one), their_pids), masked(values_of(other), our_pids)):
        return 'the arguments'
    return ''


def seen_by_both(lines):
    """Without the end, and without what a signal brings, which comes when it likes."""
    return [line for line in lines if not line.startswith(('+++', '--- SIGCHLD', 'rt_sigreturn'))]


def differences(lab, command):
    """Lines that tell each of them."""
    theirs, their_pids = run(lab, 'strace', command)
    ours, our_pids = run(lab, 'ours', command)
    if len(theirs) != len(ours):
        return [f'{command}: {len(theirs)} and {len(ours)} processes']
    found = []
    for one, other in zip(map(seen_by_both, theirs), map(seen_by_both, ours)):
        if len(one) != len(other):
            found.append(f'{command}: {len(one)} and {len(other)} lines')
        for line, our_line in zip(one, other):
            what = difference(line, our_line, their_pids, our_pids)
            if what:
                found.append(f'{command[0]}: {what}\n    {line[:300]}\n    {our_line[:300]}')
    return found


def lasting_differences(lab, command):
    """Those that are there each time: two runs of a program may differ by themselves."""
    for _ in range(RUNS):
        found = differences(lab, command)
        if not found:
            break
    return found


@pytest.mark.parametrize('part', range(4))
def test_the_same_as_strace(lab, part):
    """Call by call: names, arguments, results, errors, of each process."""
    found = []
    for command in PROGRAMS[part::4]:
        found += lasting_differences(lab, command)
    assert not found, '\n'.join(found[:20])


def test_it_can_fail(lab):
    """The comparison sees what differs: a string, a number, a flag, a member."""
    assert len(PROGRAMS) >= 55
    lines = [line for lines in run(lab, 'strace', ['cat', 'f'])[0] for line in lines]
    opened = [line for line in lines if line.startswith('openat(') and '"f"' in line][0]
    assert difference(opened, opened, set(), set()) == ''
    for wrong, what in ((opened.replace('"f"', '"g"'), 'the arguments'),
                        (opened.replace('O_RDONLY', 'O_WRONLY'), 'the arguments'),
                        (opened.replace(' = 3', ' = 4'), 'the results'),
                        (opened.replace('openat', 'open'), 'the calls')):
        assert difference(opened, wrong, set(), set()) == what
    status = 'fstat(3, {st_mode=S_IFREG|0644, st_size=8, ...}) = 0'
    assert difference(status, status.replace('8', '9'), set(), set()) == 'the arguments'
