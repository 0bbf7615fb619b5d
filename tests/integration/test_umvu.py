# SPDX-License-Identifier: GPL-2.0-or-later
"""umvu itself: options, statuses and messages; and real programs, whose output inside is as it is bare."""

import os
import pathlib
import platform
import re
import shutil
import signal
import struct

import pytest

from vslib.job import Terminal
from vslib.sides import BUILD, SYSTEM_PATH, lacking, tool

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

WAYS = ('dispatch', 'filter')
USAGE, REFUSED, NOT_FOUND = 2, 126, 127


@pytest.fixture
def umvu(lab, ours):
    """A function that runs umvu with arguments to its end."""
    def run(*arguments, **how):
        return lab.run([ours.program('umvu'), *arguments], **how)
    return run


# --- options and refusals ---------------------------------------------------------------------


def test_help_and_version(umvu):
    """Both to stdout, status 0."""
    done = umvu('--help')
    assert done.status == 0 and done.err == ''
    for word in ('Usage: umvu', '--trap', '--check', '--version'):
        assert word in done.out
    assert umvu('--version').status == 0


@pytest.mark.parametrize('arguments', [(), ('--trap=none', '/bin/true'), ('--trap',), ('--nothing',), ('-x',)],
                         ids=' '.join)
def test_usage(umvu, arguments):
    """Wrong options are status 2, with a message."""
    done = umvu(*arguments)
    assert done.status == USAGE and done.out == '' and 'umvu' in done.err


def test_check(umvu):
    """What the machine allows, and the verdict."""
    done = umvu('--check')
    assert done.status == 0 and done.err == ''
    assert 'Programs can run under umvu here.' in done.out and 'FSGSBASE' in done.out


def test_options_end_at_the_program(umvu):
    """Options behind the program are its own."""
    assert umvu('/bin/echo', '--check', '--trap=x').out == '--check --trap=x\n'
    assert umvu('--', '/bin/echo', '-n').out == ''


def test_statuses_of_the_program(umvu):
    """The program's own; 128 and its number for a signal."""
    assert umvu('/bin/true').status == 0
    assert umvu('/bin/sh', '-c', 'exit 42').status == 42
    assert umvu('/bin/sh', '-c', 'kill -TERM $$').status == 128 + signal.SIGTERM
    assert umvu('/bin/sh', '-c', 'kill -SEGV $$').status == 128 + signal.SIGSEGV


def write_elf(path, *, bits=64, machine=62):
    """The head of a program, and nothing more."""
    ident = b'\x7fELF' + bytes([bits // 32, 1, 1]) + bytes(9)
    path.write_bytes(ident + struct.pack('<HHI', 2, machine, 1) + bytes(100))
    path.chmod(0o755)


REFUSALS = {
    # what it is: (status, words of the message)
    'missing': (NOT_FOUND, 'no such program'),
    'bits32': (REFUSED, '32 bits'),
    'foreign': (REFUSED, 'another processor'),
    'directory': (REFUSED, 'not a file'),
    'empty': (REFUSED, 'empty'),
    'text': (REFUSED, 'neither a program nor a script'),
    'plain': (REFUSED, 'ermission denied'),
    'interpreter': (NOT_FOUND, 'its interpreter /nowhere/at/all does not exist'),
    'directory-of-it': (REFUSED, 'its interpreter / may not be executed'),
    'nameless': (REFUSED, 'names no interpreter'),
    'head': (REFUSED, ''),
}


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('what', REFUSALS)
def test_refusals(umvu, lab, what, way):
    """What cannot be run is refused with a reason and the right status, and prints nothing else."""
    path = pathlib.Path(lab.path(what))
    if what == 'bits32':
        write_elf(path, bits=32, machine=3)
    elif what == 'foreign':
        write_elf(path, machine=183)
    elif what == 'head':
        write_elf(path)
    elif what == 'directory':
        path.mkdir()
    elif what != 'missing':
        lab.write(what, {'empty': '', 'text': 'echo hello\n', 'plain': '#!/bin/sh\n',
                         'nameless': '#! \n', 'interpreter': '#!/nowhere/at/all\n',
                         'directory-of-it': '#!/ x\n'}[what], 0o644 if what == 'plain' else 0o755)
    done = umvu(f'--trap={way}', path)
    status, words = REFUSALS[what]
    assert done.status == status and done.out == ''
    assert done.err.startswith('umvu: ') and words in done.err and what in done.err


def test_unreadable(lab, ours):
    """A program that may be executed but not read: the message says so, and the way out."""
    path = lab.path('secret')
    shutil.copy('/bin/true', path)
    os.chmod(path, 0o711)
    os.chmod(lab.dir, 0o755)
    done = lab.run([*as_user(), ours.program('umvu'), path])
    assert done.status == REFUSED and 'readable' in done.err


@pytest.mark.parametrize('command', [['su', '--help'], ['sh', '-c', 'su --help']])
def test_set_user_id(lab, ours, command):
    """It runs, without the privilege, and that is said: of the first program as of others."""
    if os.statvfs(tool('su')).f_flag & os.ST_NOSUID:
        pytest.skip('this file system gives no privileges')
    done = lab.run([*as_user(), ours.program('umvu'), *command])
    assert done.status == 0 and 'su' in done.out
    assert re.search(r'^umvu: .*su: runs without the privilege of its set-user-ID bit', done.err)
    assert 'privilege' not in lab.run([*as_user(), ours.program('umvu'), 'sh', '-c', 'true']).err


def test_refused_inside(umvu, lab):
    """Inside, execve gives the errors that a shell makes its statuses of."""
    write_elf(pathlib.Path(lab.path('bits32')), bits=32, machine=3)
    done = umvu('/bin/bash', '-c', './bits32; echo $?; ./nowhere; echo $?; /; echo $?', cwd=lab.dir)
    assert done.out == '126\n127\n126\n'


def test_path_search(umvu, lab):
    """As a shell does it: the first that may be executed; empty entries are the current directory."""
    for folder, mode in (('one', 0o644), ('two', 0o755), ('three', 0o755)):
        os.mkdir(lab.path(folder))
        lab.write(f'{folder}/tool', f'#!/bin/sh\necho {folder}\n', mode)
    lab.write('here', '#!/bin/sh\necho here\n', 0o755)
    paths = [lab.path(folder) for folder in ('one', 'two', 'three')]
    assert umvu('tool', env=lab.env(PATH=':'.join([*paths, SYSTEM_PATH]))).out == 'two\n'
    assert umvu('tool', env=lab.env(PATH=paths[0])).status == REFUSED
    assert umvu('here', env=lab.env(PATH=f'{paths[0]}::/bin'), cwd=lab.dir).out == 'here\n'
    assert umvu('nothing-of-this-name').status == NOT_FOUND
    assert umvu('').status == NOT_FOUND


@pytest.mark.parametrize('way', WAYS)
def test_umvu_inside(umvu, ours, way):
    """umvu inside umvu says clearly why not; it still answers what needs no view."""
    done = umvu(f'--trap={way}', ours.program('umvu'), '/bin/echo', 'inside')
    assert (done.status, done.out) == (REFUSED, '') and 'inside of a view' in done.err
    assert 'Usage: umvu' in umvu(f'--trap={way}', ours.program('umvu'), '--help').out


def test_environment_is_clean(umvu, lab):
    """What is handed on at exec is not seen, neither by the program nor by its children."""
    env = lab.env(LAST='1')
    bare = lab.run(['/usr/bin/env'], env=env)
    assert umvu('/usr/bin/env', env=env).out == bare.out
    command = ['/bin/sh', '-c', 'env | sort']
    assert umvu(*command, env=env).out == lab.run(command, env=env).out
    assert '_VU' not in umvu('/bin/sh', '-c', 'tr "\\0" "\\n" </proc/$$/environ', env=env).out


def test_descriptors_are_clean(umvu, lab):
    """Nothing of ours is open in a program."""
    command = ['/bin/sh', '-c', 'ls /proc/self/fd | wc -l']
    assert umvu(*command).out == lab.run(command).out


def test_ignored_fault_signal(lab, ours):
    """What is ignored before umvu is ignored in the program."""
    done = lab.run(['/bin/sh', '-c', 'trap "" TRAP HUP; exec "$@"', 'sh', ours.program('umvu'), '/bin/sh', '-c',
                    'kill -HUP $$; echo one; kill -TRAP $$; echo two'])
    assert done.out == 'one\ntwo\n'


def test_own_range(umvu):
    """The place of the resident cannot be mapped over, unmapped or changed."""
    script = '''
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = libc.mremap.restype = ctypes.c_void_p
def say(name, *arguments):
    ctypes.set_errno(0)
    result = getattr(libc, name)(*[ctypes.c_size_t(argument) for argument in arguments])
    print(name, errno.errorcode.get(ctypes.get_errno(), 'fine'))
base = 0x7d0000000000
say('mmap', base, 4096, 3, 0x32, 2 ** 64 - 1, 0)
say('mmap', base - 4096, 8192, 3, 0x32, 2 ** 64 - 1, 0)
say('munmap', base, 4096)
say('munmap', base - 4096, 1 << 30)
say('mprotect', base + 0x200000, 4096, 1)
say('mremap', base, 4096, 8192, 1)
say('madvise', base + 0x200000, 4096, 4)
'''
    done = umvu('/usr/bin/python3', '-c', script)
    assert done.status == 0, done
    lines = [line.split() for line in done.out.splitlines()]
    assert [name for name, _ in lines] == ['mmap', 'mmap', 'munmap', 'munmap', 'mprotect', 'mremap', 'madvise']
    assert all(error in ('EINVAL', 'ENOMEM') for _, error in lines)


@pytest.mark.parametrize('kind', ['static', 'static_pie', 'no_pie', 'pie'])
@pytest.mark.parametrize('way', WAYS)
def test_kinds_of_programs(umvu, lab, kind, way):
    """How a program is linked does not matter."""
    program = BUILD / f'tests/conformance/conformance_{kind}'
    for case in ('brk_grows', 'brk_grows_far', 'registers_over_call', 'threads_at_once', 'tls_over_calls',
                 'exec_proc', 'exec_arguments', 'exec_no_randomization', 'exec_unlimited_stack',
                 'siginfo_of_sent', 'stack_overflow_is_caught', 'vfork_exec',
                 'fault_mended_by_handler'):
        directory = lab.path(f'{case}')
        os.makedirs(directory, exist_ok=True)
        done = umvu(f'--trap={way}', program, case, cwd=directory)
        assert done.status == 0, done


# Writes the GS base by an instruction (wrgsbase %rdi; ret), and goes on.
WRITE_GS = r"""
import ctypes, mmap, os, sys
code = mmap.mmap(-1, 4096, prot=7)
code.write(b'\xf3\x48\x0f\xae\xdf\xc3')
room = ctypes.create_string_buffer(1 << 20)
base = {'zero': 0, 'low': 0x1234, 'own': ctypes.addressof(room) + (1 << 19)}[sys.argv[1]]
for _ in range(20):
    os.getppid()
ctypes.CFUNCTYPE(None, ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(code)))(base)
for _ in range(20):
    os.getppid()
os.write(1, b'alive')
"""


@pytest.mark.parametrize('base', ['zero', 'low', 'own'])
@pytest.mark.parametrize('way', WAYS)
def test_gs_is_written(umvu, way, base):
    """A program that takes the resident's register makes its calls as before, whatever it writes there."""
    done = umvu(f'--trap={way}', '/usr/bin/python3', '-c', WRITE_GS, base)
    assert (done.status, done.out, done.err) == (0, 'alive', ''), done


# --- real programs ----------------------------------------------------------------------------------


def as_user():
    """A prefix by which root becomes an ordinary user."""
    if os.geteuid() != 0:
        return []
    return [tool('setpriv'), '--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all']


C_PROJECT = {
    'main.c': '#include <stdio.h>\nint one(void);\nint two(void);\n'
              'int main(void)\n{\n\tprintf("%d\\n", one() + two());\n\treturn 0;\n}\n',
    'one.c': 'int one(void)\n{\n\treturn 1;\n}\n',
    'two.c': 'int two(void)\n{\n\treturn 2;\n}\n',
    'Makefile': 'all: program\n\t./program\nprogram: main.o one.o two.o\n\t$(CC) -o $@ $^\n',
}

PYTHON_THREADS = '''
import threading, queue
numbers, results = queue.Queue(), queue.Queue()
def work():
    while (n := numbers.get()) is not None:
        results.put(n * n)
threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads]
[numbers.put(n) for n in range(1000)]
[numbers.put(None) for _ in threads]
[thread.join() for thread in threads]
print(sum(results.get() for _ in range(1000)))
'''
PYTHON_PROCESSES = '''
import multiprocessing, os, subprocess, sys
print(subprocess.run(['sh', '-c', 'cat; exit 3'], input=b'hello', capture_output=True))
print(subprocess.check_output(['sort'], input=b'b\\na\\n', preexec_fn=os.setsid))
try:
    subprocess.run(['sleep', '100'], timeout=0.1)
except subprocess.TimeoutExpired:
    print('expired')
def double(n):
    return n * 2
with multiprocessing.get_context('fork').Pool(4) as pool:
    print(sum(pool.map(double, range(1000))))
'''
PYTHON_ASYNCIO = '''
import asyncio, signal
async def main():
    loop = asyncio.get_running_loop()
    got = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, got.set)
    signal.raise_signal(signal.SIGUSR1)
    await got.wait()
    child = await asyncio.create_subprocess_exec('cat', stdin=-1, stdout=-1)
    print(await child.communicate(b'through cat'))
    async def echo(reader, writer):
        writer.write((await reader.readline()).upper())
        writer.close()
    server = await asyncio.start_unix_server(echo, 'socket')
    async def ask(text):
        reader, writer = await asyncio.open_unix_connection('socket')
        writer.write(text.encode() + b'\\n')
        return await reader.read()
    print(await asyncio.gather(*(ask(f'line {n}') for n in range(20))))
asyncio.run(main())
'''

SCRIPTS = {
    'pipes': 'seq 1000 | sort -rn | head -3; echo a b c | { read x y; echo $y; }; echo $((6 * 7)); '
             '(exit 3); echo $?',
    'traps': "trap 'echo usr1' USR1; trap 'echo bye' EXIT; kill -USR1 $$; sleep 0.1 & wait $!; "
             "echo waited $?; (trap 'echo term; exit 5' TERM; kill -TERM $BASHPID); echo $?",
    'jobs': 'sleep 100 & kill -STOP $!; kill -CONT $!; kill %1; wait $!; echo $?; coproc cat; '
            'echo hi >&${COPROC[1]}; read line <&${COPROC[0]}; echo $line',
    'substitution': 'echo $(echo $(echo deep)); diff <(seq 5) <(seq 6); cat <<<here; exec 9<&0; '
                    'echo ${BASH_SOURCE:-none}',
    'loop': 'for i in {1..60}; do /bin/true || echo failed; done; echo done',
}
PERL = r"""
$| = 1;
$SIG{USR1} = sub { print "usr1\n" };
kill USR1 => $$;
print `echo shell`;
my $child = fork;
if (!$child) { exit 7 }
waitpid $child, 0;
print $? >> 8, "\n";
open F, "-|", "seq 3";
print <F>;
eval { local $SIG{ALRM} = sub { die "alarm\n" }; alarm 1; select undef, undef, undef, 20; };
print $@;
"""
NODE = """
const { execSync } = require("child_process");
const { Worker } = require("worker_threads");
console.log(execSync("echo hi").toString());
const worker = new Worker("require('worker_threads').parentPort.postMessage(42)", { eval: true });
worker.on("message", message => console.log(message));
"""
GIT = """
export GIT_AUTHOR_DATE=2020-01-01T00:00:00Z GIT_COMMITTER_DATE=2020-01-01T00:00:00Z GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
git init -q -b main repo && cd repo && seq 100 >file && git add . && git commit -q -m one
seq 200 >file && git commit -qam two && git log --stat
cd .. && git clone -q repo copy && cd copy && git log --oneline && git status
"""

PROGRAMS = {
    **{f'bash-{name}': ('bash', ['bash', '-c', script]) for name, script in SCRIPTS.items()},
    'python-threads': ('python3', ['python3', '-c', PYTHON_THREADS]),
    'python-processes': ('python3', ['python3', '-c', PYTHON_PROCESSES]),
    'python-asyncio': ('python3', ['python3', '-c', PYTHON_ASYNCIO]),
    'perl': ('perl', ['perl', '-e', PERL]),
    'git': ('git', ['sh', '-c', GIT]),
    'tar': ('tar', ['sh', '-c', 'mkdir d; seq 2000 >d/a; ln -s a d/b; tar czf t.tar.gz d; tar tf t.tar.gz; '
                    'rm -r d; tar xf t.tar.gz; cksum d/a d/b']),
    'find-grep': ('find', ['sh', '-c', 'mkdir -p x/y; seq 100 >x/y/n; find x | sort; grep -rn 77 x; '
                           'find x -type f -exec wc -l {} +; find x -name n | xargs cat | tail -1']),
    'make': ('make', ['make', '-j2']),
    'busybox': ('busybox', ['busybox', 'sh', '-c', 'seq 3 | busybox tac; busybox expr 6 \\* 7']),
    'gdb': ('gdb', ['gdb', '--version']),
    'ssh': ('ssh', ['ssh', '-V']),
    'curl': ('curl', ['sh', '-c', 'seq 10 >file; curl -s file://$PWD/file']),
    'sqlite3': ('sqlite3', ['sqlite3', 'file.db', 'create table t(n); insert into t values (1), (2); '
                            'select sum(n) from t;']),
    'node': ('node', ['node', '-e', NODE]),
    'socat': ('socat', ['sh', '-c', 'socat unix-listen:s,fork exec:cat & p=$!; '
                        'while [ ! -S s ]; do sleep 0.01; done; '
                        'echo hello | socat - unix-connect:s; kill $p']),
    'setarch': ('setarch', ['setarch', '-R', 'sh', '-c', 'echo fine']),
    'timeout': ('timeout', ['sh', '-c', 'timeout 0.1 sleep 100; echo $?; '
                            'timeout -s INT 0.1 sleep 100; echo $?']),
    'show-auxv': ('env', ['env', 'LD_SHOW_AUXV=1', 'sh', '-c', ':']),
}
# Only compared where they are installed: they are not part of the set-up.
OPTIONAL = {'sqlite3', 'node', 'gdb', 'ssh', 'perl'}


def prepare(lab, name, user):
    """A directory for one run."""
    directory = lab.path(f'{name}')
    shutil.rmtree(directory, ignore_errors=True)
    os.mkdir(directory)
    for file, text in C_PROJECT.items():
        lab.write(f'{name}/{file}', text)
    if user and os.geteuid() == 0:
        os.chmod(lab.dir, 0o755)
        for path in (directory, lab.home):
            os.chown(path, 65534, 65534)
    return directory


def comparable(name, text):
    """Output without what differs from run to run."""
    if name == 'show-auxv':     # addresses are random
        return sorted(line.split(':')[0] for line in text.splitlines())
    return text


@pytest.mark.parametrize('user', ['root', 'user'])
@pytest.mark.parametrize('name', PROGRAMS)
def test_program(lab, ours, name, user):
    """Output and status inside are as bare, with both traps."""
    wanted, command = PROGRAMS[name]
    if not shutil.which(wanted, path=SYSTEM_PATH):
        if name in OPTIONAL:
            pytest.skip(f'missing: {wanted}')
        lacking(wanted)
    if user == 'root' and os.geteuid() != 0:
        pytest.skip('needs root')
    become = as_user() if user == 'user' else []
    results = {}
    for way in ('bare', *WAYS):
        directory = prepare(lab, 'run', user == 'user')
        inside = [] if way == 'bare' else [ours.program('umvu'), f'--trap={way}']
        done = lab.run([*become, *inside, *command], cwd=directory, timeout=30)
        results[way] = (done.status, comparable(name, done.out), done.err)
    assert results['dispatch'] == results['bare']
    assert results['filter'] == results['bare']
    assert results['bare'][1] or results['bare'][2]


# --- terminals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize('way', ['bare', *WAYS])
def test_job_control(lab, ours, way):
    """A shell on a terminal: stop, background, foreground, interrupt, and reading in the background."""
    inside = [] if way == 'bare' else [ours.program('umvu'), f'--trap={way}']
    shell = Terminal([*inside, '/bin/bash', '--norc', '--noprofile', '-i'],
                     lab.env(PS1='$ ', TERM='dumb'), lab.dir)
    shell.expect('$ ')
    shell.send("sh -c 'echo ready; exec cat'\n")
    shell.expect('ready\r\n')
    shell.send('typed\n')
    shell.expect('typed\r\ntyped')      # the echo, and the program
    shell.send('\x1a')                  # suspend
    shell.expect('Stopped')
    shell.send('jobs -r | wc -l; fg\n')
    shell.expect("0\r\nsh -c 'echo ready; exec cat'\r\n")
    shell.send('again\n')
    shell.expect('again\r\nagain')
    shell.send('\x03')                  # interrupt
    shell.expect('$ ')
    shell.send('echo status $?\n')
    shell.expect('status 130')
    # It reads in the background; then it is killed while it is stopped.
    shell.send('cat & while [ -z "$(jobs -s)" ]; do :; done; echo stopped $((1 + 1))\n')
    shell.expect('stopped 2')
    shell.send('kill -9 $!; while [ -n "$(jobs -s)" ]; do :; done; wait $!; echo ended $?\n')
    shell.expect('ended 137')
    shell.send("sh -c 'echo ready; exec sleep 100' | cat\n")
    shell.expect('ready\r\n')
    shell.send('\x1c')                  # quit
    shell.expect('$ ')
    shell.send('exit 9\n')
    assert shell.end() == 9


@pytest.mark.parametrize('way', ['bare', *WAYS])
def test_script(lab, ours, way):
    """script(1), which makes a terminal for a shell."""
    inside = [] if way == 'bare' else [ours.program('umvu'), f'--trap={way}']
    done = lab.run([*inside, tool('script'), '-qec', 'tty >/dev/null && echo on a terminal; exit 4',
                    lab.path('log')])
    assert (done.status, done.out) == (4, 'on a terminal\r\n')
