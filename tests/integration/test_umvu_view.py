# SPDX-License-Identifier: GPL-2.0-or-later
"""What the processes of a view share, and what they ask of its supervisor: vuctl()."""

import os
import pathlib
import platform
import signal
import time

import pytest

from vslib.proc import wait_until

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

VIEW = pathlib.Path(__file__).with_name('programs') / 'view.py'
PYTHON = '/usr/bin/python3'
PRELUDE = f'exec(open("{VIEW}").read())\n'


@pytest.fixture
def inside(lab, ours):
    """A function that runs a Python script in a view (Result); its prints are checked by the test."""
    def run(script, *options, **how):
        command = [ours.program('umvu'), *options, PYTHON, '-c', PRELUDE + script]
        return lab.run(command, cwd=lab.dir, timeout=30, **how)
    return run


@pytest.fixture
def start(lab, ours):
    """The same, not waited for (Proc)."""
    def run(script, *options, **how):
        command = [ours.program('umvu'), *options, PYTHON, '-c', PRELUDE + script]
        return lab.spawn(command, cwd=lab.dir, **how)
    return run


def test_outside(lab):
    """There are no such calls."""
    done = lab.run([PYTHON, '-c', PRELUDE + 'print(vuctl(GETINFO, 0), LIBC.syscall(-1, 0, 0))'])
    assert done.out == 'ENOSYS -1\n'


@pytest.mark.parametrize('options', ['--trap=dispatch', '--trap=filter', '--patch=first'])
def test_name(inside, options):
    """Said by all, and changed by any of them."""
    done = inside('''
import sys
print(vuctl(GETINFO, 0), info()[1], info()[0] == str(os.getppid()))
print(vuctl(SETNAME, b'new name'), info()[1])
print(vuctl(SETNAME, b'n' * 64), info()[1] == 64 * 'n', vuctl(SETNAME, b'n' * 65), vuctl(SETNAME, b'a\\nb'))
print(vuctl(SETNAME, 1), vuctl(SETNAME, 0), vuctl(GETINFO, 1), vuctl(0), vuctl(99), info()[1] == 64 * 'n')
sys.stdout.flush()
if os.fork() == 0:
    print(vuctl(SETNAME, b'from the child'))
    sys.stdout.flush()
    os._exit(0)
os.wait()
print(info()[1], flush=True)
os.execv('/bin/sh', ['sh', '-c', 'exec /usr/bin/python3 -c "$0"', open("''' + str(VIEW) + '''").read() +
                     'print(info()[1], vuctl(SETNAME, b""), info()[1])'])
''', '-V', 'first', options)
    assert done.err == ''
    assert done.out.splitlines() == ['0 first True', '0 new name', '0 True ENAMETOOLONG EINVAL',
                                     'EFAULT EFAULT EFAULT EINVAL EINVAL True', '0', 'from the child',
                                     'from the child 0 ']


def test_other_calls(inside):
    """No modules yet; what there is not, is not there."""
    done = inside('''
def call(number, *words):
    ctypes.set_errno(0)
    r = LIBC.syscall(ctypes.c_long(number), *[ctypes.c_void_p(word) for word in words])
    return r, ctypes.get_errno()
buffer = ctypes.create_string_buffer(b'xyz', 8)
print(call(-3, 0, 0), call(-3, ctypes.addressof(buffer), 8), buffer.value, call(-3, 1, 8))
print([call(number, 0, 0)[1] for number in (-1, -2, -5, -6, -100, -2 ** 31, 1000, 2 ** 30)])
''')
    assert done.out == "(1, 0) (1, 0) b'' (-1, 14)\n[38, 38, 38, 38, 38, 38, 38, 38]\n"


def test_tags(inside):
    """Of the view, and of the thread."""
    done = inside('''
print(vuctl(ADD_TAGS, b'spZ', 0), text_of(GET_TAGS, 0), '/', text_of(GET_TAGS, 1))
print(vuctl(DEL_TAGS, b'p', 0), vuctl(ADD_TAGS, b'd', 1), text_of(GET_TAGS, 0), text_of(GET_TAGS, 1))
print(vuctl(DEL_TAGS, b'd', 1), text_of(GET_TAGS, 1), vuctl(ADD_TAGS, b'?', 0), vuctl(ADD_TAGS, b'!', 1))
print(text_of(TAG_NAME, ord('s'), before=False), text_of(TAG_NAME, ord('Q'), before=False) == '')
print(vuctl(SET_COLOR, b's:r+'), vuctl(SET_COLOR, b's'), vuctl(SET_COLOR, b's:x'), vuctl(SET_COLOR, 1))
print(vuctl(GET_TAGS, 1, 64, 0), vuctl(TAG_NAME, 97, 1, 64))
''')
    assert done.out.splitlines() == ['0 Zps / ', '0 0 Zs d', '0  EINVAL EINVAL', 'SYSCALL True',
                                     '0 EINVAL EINVAL EFAULT', 'EFAULT EFAULT']


def test_processes(inside, lab):
    """Number, parent, start and program of each, also of a daemon and a script."""
    done = inside('''
import shutil, subprocess, time
shutil.copy('/bin/sleep', 'my sleep')
child = subprocess.Popen(['./my sleep', '100'])
daemon = int(subprocess.check_output(['sh', '-c', 'setsid sleep 100 >/dev/null 2>&1 & echo $!']))
while os.readlink(f'/proc/{child.pid}/exe')[-5:] != 'sleep' or True:
    rows = {row[0]: row for row in processes()}
    if all(rows[pid][3].endswith('sleep') for pid in (child.pid, daemon)):
        break
    time.sleep(0.01)
print(sorted(rows) == sorted([os.getpid(), child.pid, daemon]))
print(rows[child.pid][1] == os.getpid(), rows[daemon][1] == os.getppid(), rows[os.getpid()][1] == os.getppid())
print(rows[child.pid][3] == os.path.realpath('my sleep'), rows[daemon][3] == os.path.realpath('/bin/sleep'),
      rows[os.getpid()][3] == os.path.realpath('/usr/bin/python3'))
print(all(row[2] == int(open(f'/proc/{row[0]}/stat').read().rpartition(')')[2].split()[19])
          for row in rows.values()))
child.kill(); child.wait(); os.kill(daemon, 9)
''')
    assert done.out == 'True\nTrue True True\nTrue True True\nTrue\n', done


def words(lab, name):
    """What is in a file whose last word, a dot, has been written; else nothing."""
    try:
        found = pathlib.Path(lab.path(name)).read_text(encoding='ascii').split()
    except FileNotFoundError:
        return None
    return found[:-1] if found[-1:] == ['.'] else None


def state_of(pid):
    """The letter of /proc/PID/stat."""
    return pathlib.Path(f'/proc/{pid}/stat').read_text(encoding='ascii').rpartition(')')[2].split()[0]


def wait_asking(lab, pid):
    """Until the program waits for its supervisor."""
    wait_until(lambda: os.path.exists(lab.path('asking')) and state_of(pid) == 'S')


def said(lab, log):
    """The names that the supervisor's log says were set."""
    with open(lab.path(log), encoding='ascii') as stream:
        return [line.split("'")[1] for line in stream if 'set name' in line]


def test_done_once(start, lab):
    """Requests that signals interrupt, from several threads and processes, are all done, and none twice."""
    script = '''
import signal, threading
signal.signal(signal.SIGALRM, lambda *_: None)
vuctl(ADD_TAGS, b'a', 0)
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
def work(who):
    for i in range(150):
        assert vuctl(SETNAME, f'{who} {i}'.encode()) == 0
threads = [threading.Thread(target=work, args=[f'{os.getpid()} {n}']) for n in range(3)]
[thread.start() for thread in threads]
child = os.fork()
if child == 0:
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    work(f'{os.getpid()} -')
    os._exit(0)
work(f'{os.getpid()} main')
[thread.join() for thread in threads]
assert os.waitpid(child, 0)[1] == 0
signal.setitimer(signal.ITIMER_REAL, 0)
'''
    with open(lab.path('log'), 'wb') as log:
        umvu = start(script, stderr=log)
        assert umvu.wait(30) == 0
    names = said(lab, 'log')
    assert len(names) == len(set(names)) == 5 * 150
    for who in {name.rpartition(' ')[0] for name in names}:
        assert [name for name in names if name.startswith(who + ' ')] == [f'{who} {i}' for i in range(150)]


def test_stopped_supervisor(start, lab):
    """A request waits for it, longer than its limit; a handler runs meanwhile; then it is done, once."""
    umvu = start('''
import signal
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.set_wakeup_fd(os.open('handled', os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK))
vuctl(ADD_TAGS, b'a', 0)
print(os.getpid(), '.', file=open('pid', 'w'), flush=True)
import time
while not os.path.exists('go'):
    time.sleep(0.01)
open('asking', 'w').close()
print(vuctl(SETNAME, b'at last'), info()[1], flush=True)
''')
    pid = int(wait_until(lambda: words(lab, 'pid'))[0])
    umvu.signal(signal.SIGSTOP)
    lab.write('go', '')
    wait_asking(lab, pid)
    time.sleep(1.2)     # longer than it waits at a time: it asks again
    os.kill(pid, signal.SIGUSR1)
    wait_until(lambda: os.path.getsize(lab.path('handled')))
    assert '0 at last' not in umvu.output()
    umvu.signal(signal.SIGCONT)
    assert umvu.wait(10) == 0
    assert umvu.output().count("set name 'at last'") == 1 and '0 at last' in umvu.output()


def test_killed_while_it_waits(start, lab):
    """A program that waits for its supervisor can be killed."""
    umvu = start('print(os.getpid(), ".", file=open("pid", "w"), flush=True)\n'
                 'import time\nwhile not os.path.exists("go"):\n    time.sleep(0.01)\n'
                 'open("asking", "w").close()\nvuctl(SETNAME, b"never")')
    pid = int(wait_until(lambda: words(lab, 'pid'))[0])
    umvu.signal(signal.SIGSTOP)
    lab.write('go', '')
    wait_asking(lab, pid)
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: state_of(pid) == 'Z')
    umvu.signal(signal.SIGCONT)
    assert umvu.wait() == 128 + signal.SIGTERM


def test_supervisor_gone(start, lab):
    """Without it the view can be read, and not changed."""
    umvu = start('''
print(os.getpid(), '.', file=open('pid', 'w'), flush=True)
import time
while os.getppid() == ''' + '''int(info()[0]):
    time.sleep(0.01)
print(vuctl(SETNAME, b'x'), vuctl(PROCESSES, 0, 0), info()[1], '.', file=open('end', 'w'), flush=True)
''', '-V', 'old')
    wait_until(lambda: words(lab, 'pid'))
    umvu.signal(signal.SIGKILL)
    umvu.wait()
    assert wait_until(lambda: words(lab, 'end')) == ['EIO', 'EIO', 'old']


def test_segment_is_kept(inside):
    """The program cannot take its place away, and what is shared cannot be written."""
    done = inside('''
print(info()[1])
libc = LIBC
libc.mmap.restype = ctypes.c_void_p
place = int([line.split('-')[0] for line in open('/proc/self/maps') if 'umvu-view' in line][0], 16)
for name, words in (('munmap', (place, 4096)), ('mprotect', (place, 4096, 3)),
                    ('mmap', (place, 4096, 3, 0x32, 2 ** 64 - 1, 0)), ('madvise', (place, 4096, 4))):
    ctypes.set_errno(0)
    getattr(libc, name)(*[ctypes.c_size_t(word) for word in words])
    print(name, ctypes.get_errno() in (12, 22))
print(info()[1])
''', '-V', 'kept')
    assert done.out == 'kept\nmunmap True\nmprotect True\nmmap True\nmadvise True\nkept\n'


def test_limits(lab, ours):
    """Small limits of files, memory and descriptors: a view, or none, but the program runs."""
    limits = ['ulimit -f 1000', 'ulimit -n 20', 'ulimit -v 2000000']
    for limit in limits[:2] if ours.sanitized() else limits:  # ASan maps more than that
        done = lab.run(['/bin/bash', '-c', f'{limit}; exec "$0" -V limited /bin/sh -c "echo fine"',
                        ours.program('umvu')])
        assert (done.status, done.out) == (0, 'fine\n'), limit


# --- vuname ---------------------------------------------------------------------------------------------


def test_vuname(lab, ours):
    """As uname outside; inside it knows the view, and names it."""
    umvu, vuname, node = ours.program('umvu'), ours.program('vuname'), os.uname().nodename
    for option in ('-s', '-n', '-r', '-v', '-m', '-o', '-sr', '-mn'):
        assert lab.run([vuname, option]).out == lab.run(['/bin/uname', option]).out
    assert lab.run([vuname]).out == 'Linux\n' and lab.run([vuname, '-P']).out == node + '\n'
    for arguments, status in ((['-x'], 1), (['name'], 1), (['a', 'b'], 2), (['--processes'], 1)):
        assert lab.run([vuname, *arguments]).status == status
    assert lab.run([vuname, '-qx']).err == ''
    script = ('"$0" -V; "$0" -o; "$0" -P; "$0" new; "$0" -N; "$0" ""; test $("$0" -U) = $PPID && "$0" -P; '
              '"$0" -s; "$0" --processes')
    done = lab.run([umvu, '-V', 'foo', '/bin/sh', '-c', script, vuname])
    lines = done.out.splitlines()
    server = lines[4].partition('[')[2].rstrip(']')
    assert server.isdigit()
    assert lines[:6] == ['foo', 'GNU/Linux/VUOS', 'foo', 'new', f'{node}[{server}]', 'Linux'], done
    assert any(line.endswith('vuname') and line.split()[1].isdigit() for line in lines[6:])
    assert done.err == ''
    assert lab.run([umvu, vuname, 65 * 'n']).status == 1
