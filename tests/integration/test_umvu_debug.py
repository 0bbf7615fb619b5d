# SPDX-License-Identifier: GPL-2.0-or-later
"""gdb and strace inside umvu: what they say of a program is what they say of it outside.

Each session runs twice, with the same program: bare, and with debugger and program under umvu. Addresses,
process numbers and times are left out of the comparison; where threads or processes run at the same time,
their lines are compared in any order, or process by process.
"""

import collections
import pathlib
import platform
import re
import subprocess

import pytest

from vslib.sides import REPO, SIDES, tool

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

WAYS = ('dispatch', 'filter')
LIMIT = 5       # seconds, times the patience of lab.run

# What differs between any two runs.
VARYING = ((r'0x[0-9a-f]+', '0x'), (r'\b\d{3,12}\b', 'N'),
           (r'"(\\x[0-9a-f]{2}|[^"])*", 8, GRND', '"", 8, GRND'),
           (r'si_[us]time=\d+', ''), (r'\d+\.\d+', 'T'), (r'  +', ' '))


@pytest.fixture(scope='module')
def debuggee(tmp_path_factory):
    """The program that is debugged."""
    path = tmp_path_factory.mktemp('debug') / 'debuggee'
    source = __file__.rpartition('/')[0] + '/programs/debuggee.c'
    subprocess.run([tool('gcc'), '-g', '-O0', '-pthread', source, '-o', path], check=True, timeout=60,
                   stderr=subprocess.DEVNULL)
    return path


def plain(text):
    """TEXT without what varies."""
    for pattern, instead in VARYING:
        text = re.sub(pattern, instead, text)
    return text


def run(lab, way, *command):
    """What a command writes, bare (way None) or under umvu."""
    inside = [SIDES['ours'].program('umvu'), f'--trap={way}'] if way else []
    done = lab.run([*inside, *command], timeout=LIMIT)
    status = done.status if done.status >= 0 else 128 - done.status    # as umvu says it
    return f'{done.out}{done.err}status {status}\n'


# --- gdb ----------------------------------------------------------------------------------------

SESSIONS = {
    'backtrace': ('break inner', 'run calls', 'backtrace', 'finish', 'next', 'step', 'continue'),
    'variables': ('break outer', 'run calls', 'print number', 'print number = 7', 'next', 'next',
                  'print result', 'delete', 'continue'),
    'watch': ('break outer', 'run calls', 'watch watched', 'continue', 'continue', 'delete', 'continue'),
    'software_watch': ('set can-use-hw-watchpoints 0', 'break outer', 'run calls', 'watch watched',
                       'continue', 'delete', 'continue'),
    'instructions': ('break outer', 'run calls', 'stepi', 'stepi', 'stepi', 'x/i $pc', 'print $eflags',
                     'nexti', 'nexti', 'x/i $pc', 'continue'),
    'call_functions': ('break outer', 'run calls', 'print inner(5)', 'print getpid() > 0', 'backtrace', 'kill'),
    'catch_call': ('catch syscall write', 'run calls', 'print $orig_rax', 'print $rdi', 'continue',
                   'print $rax', 'continue'),
    'step_over_call': ('catch syscall getppid', 'run calls', 'delete', 'stepi', 'print $rax > 0', 'stepi',
                       'x/i $pc', 'continue'),
    'crash': ('run crashes', 'backtrace', 'print $_siginfo.si_signo', 'print $_siginfo._sifields._sigfault',
              'continue'),
    'signal': ('handle SIGUSR1 stop print', 'run signals', 'print $_siginfo.si_signo', 'signal 0', 'continue'),
    'other_signal': ('handle SIGUSR1 stop print', 'run signals', 'signal SIGTERM'),
    'handler': ('break handler', 'run signals', 'backtrace 1', 'finish', 'stepi', 'stepi', 'stepi', 'x/i $pc',
                'continue'),
    'into_handler': ('handle SIGUSR1 stop print', 'run signals', 'stepi', 'x/i $pc', 'backtrace 1', 'continue',
                     'continue'),
    'follow_parent': ('break in_parent', 'run forks', 'backtrace', 'continue'),
    'both_processes': ('set detach-on-fork off', 'catch fork', 'run forks', 'info inferiors', 'next', 'delete',
                       'break in_child', 'inferior 2', 'continue', 'backtrace', 'continue', 'inferior 1',
                       'continue'),
    'catch_fork': ('catch fork', 'run forks', 'next', 'delete', 'continue'),
    'run_twice': ('break inner', 'run calls', 'run calls', 'backtrace', 'kill'),
    'start': ('starti calls', 'print $rax', 'print $rbx', 'print $rcx', 'print $orig_rax', 'stepi', 'x/i $pc',
              'break inner', 'continue', 'kill'),
    'jump': ('break inner', 'run calls', 'delete', 'jump calls'),
    'return': ('break outer', 'run calls', 'return', 'next', 'next', 'kill'),
    'core': ('break inner', 'run calls', 'generate-core-file {core}', 'kill', 'delete', 'core-file {core}',
             'backtrace'),
    'checkpoint': ('break inner', 'run calls', 'checkpoint', 'info checkpoints', 'delete 1', 'continue'),
    'catch_exec': ('catch exec', 'run execs', 'backtrace 1', 'break inner', 'continue', 'backtrace', 'delete',
                   'continue'),
    'interrupted_calls': ('handle SIGALRM stop print', 'run interrupted', 'backtrace 1', 'print $rax',
                          'print inner(4)', 'continue', 'print $rax', 'print $orig_rax', 'print inner(5)',
                          'continue'),
    'all_calls': ('catch syscall', 'run calls', 'continue', 'continue', 'x/2i $pc - 2', 'delete', 'continue'),
    'displaced_steps': ('set displaced-stepping on', 'set non-stop on', 'break outer', 'run calls', 'continue',
                        'continue', 'continue'),
    'access_watch': ('awatch counter', 'run reads', 'continue', 'continue', 'kill'),
    'vector_registers': ('catch syscall getppid', 'run calls', 'print $xmm0.v2_int64[0] = 5',
                         'print $xmm0.v2_int64[0]', 'continue', 'print $xmm0.v2_int64[0]', 'kill'),
}
# The filter differs from user dispatch in how a call comes to us.
WITH_FILTER = ('catch_call', 'step_over_call', 'into_handler', 'both_processes', 'interrupted_calls', 'start',
               'vector_registers', 'crash')
# Where the order of lines is chance.
UNORDERED = {
    'follow_child': ('set follow-fork-mode child', 'break in_child', 'run forks', 'backtrace', 'continue'),
    'threads': ('run threads',),
    'threads_at_end': ('catch syscall exit_group', 'run threads', 'backtrace 1', 'info threads', 'kill'),
}


def gdb(lab, debuggee, way, commands):
    """A session of gdb's."""
    arguments = [word for command in commands for word in ('-ex', command)]
    return plain(run(lab, way, tool('gdb'), '-nx', '-q', '-batch', '-ex', 'set debuginfod enabled off',
                     *arguments, debuggee))


BARE = {}   # what was seen already


@pytest.mark.parametrize('name, way', [*((name, 'dispatch') for name in SESSIONS),
                                       *((name, 'filter') for name in WITH_FILTER)])
def test_gdb(lab, debuggee, name, way):
    """To the letter."""
    commands = [command.format(core=debuggee.with_name('core')) for command in SESSIONS[name]]
    if name not in BARE:
        BARE[name] = gdb(lab, debuggee, None, commands)
        assert 'No symbol' not in BARE[name] and len(BARE[name].splitlines()) > 4
    assert gdb(lab, debuggee, way, commands) == BARE[name]


@pytest.mark.parametrize('name', UNORDERED)
def test_gdb_unordered(lab, debuggee, name):
    """The same words, in any order: the output of several processes is mixed by the character."""
    def words(way):
        return collections.Counter(gdb(lab, debuggee, way, UNORDERED[name]).split())
    assert words('dispatch') == words(None)


# Runs a reader, waits till it has read once and sleeps in read(2), and attaches to it.
ATTACH = """
trap '' PIPE; mkfifo {fifo} {out}; {debuggee} reads <{fifo} >{out} & reader=$!
exec 5>{fifo} 6<{out}; read word <&6
until [ "$(cut -d' ' -f3 /proc/$reader/stat)" = S ]; do :; done
{command} 2>&1
echo more 2>&- >&5; exec 5>&-; cat <&6; wait $reader; echo status $?; rm {fifo} {out}
"""
ATTACHED = {
    'gdb_backtrace': "gdb -nx -q -batch -ex 'set debuginfod enabled off' -p $reader -ex backtrace "
                     "-ex 'print counter' -ex detach",
    'gdb_call': "gdb -nx -q -batch -ex 'set debuginfod enabled off' -p $reader -ex 'print inner(4)' "
                "-ex 'print $rax' -ex 'print $orig_rax' -ex detach",
    'gdb_disassemble': "gdb -nx -q -batch -ex 'set debuginfod enabled off' -p $reader -ex 'x/6i $pc - 2' "
                       "-ex detach",
    'gdb_kill': "gdb -nx -q -batch -ex 'set debuginfod enabled off' -p $reader -ex kill",
    'strace': 'timeout --preserve-status -s INT 0.5 strace -p $reader',
}


@pytest.mark.parametrize('options', ((), ('--patch=first',)), ids=' '.join)
@pytest.mark.parametrize('name', ATTACHED)
def test_attach(lab, debuggee, name, options):
    """To a process that sleeps in a call, whose sites may be patched."""
    def attach(inside):
        script = ATTACH.format(debuggee=debuggee, command=ATTACHED[name], fifo=lab.path('fifo'),
                               out=lab.path('out'))
        done = lab.run([*inside, 'sh', '-c', script], timeout=LIMIT)
        return plain(done.out + done.err)
    bare = attach(())
    assert 'status' in bare and len(bare.splitlines()) > 3
    assert attach((SIDES['ours'].program('umvu'), *options)) == bare



def test_gdb_outside(lab, debuggee):
    """A debugger of the host, with the script that is installed for it."""
    script = REPO / 'vuos/umvu/umvu.gdb'
    def session(*before):
        return lab.run([tool('gdb'), '-nx', '-q', '-batch', *before, '-ex', 'set follow-fork-mode child', '-ex',
                        'run', '--args', SIDES['ours'].program('umvu'), debuggee, 'calls'], timeout=LIMIT).out
    assert 'SIGSYS' in session()
    passed = session('-x', script)
    assert 'sum 15' in passed and 'exited with code 017' in passed


# --- strace ---------------------------------------------------------------------------------------

MODES = ('calls', 'signals', 'execs', 'crashes')
# Whether a child has ended before its parent waits for it is chance.
NOT_CHANCE = ('-e', 'trace=!wait4', '-e', 'signal=!CHLD')


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('mode', MODES)
def test_strace(lab, debuggee, mode, way):
    """Call by call, signals between them."""
    def lines(way):
        return plain(run(lab, way, tool('strace'), debuggee, mode))
    bare = lines(None)
    assert lines(way) == bare and len(bare.splitlines()) > 20


def by_process(lab, way, *command):
    """The traces of all processes, one each, and what was written."""
    directory = pathlib.Path(lab.path('traces-' + (way or 'bare')))
    directory.mkdir(exist_ok=True)
    for file in directory.iterdir():
        file.unlink()
    output = run(lab, way, tool('strace'), '-ff', '-o', directory / 't', *command)
    return sorted(plain(file.read_text(errors='replace')) for file in directory.iterdir()), plain(output)


@pytest.mark.parametrize('mode', ('forks', 'interrupted'))
def test_strace_children(lab, debuggee, mode):
    """-ff: each process's calls."""
    bare = by_process(lab, None, *NOT_CHANCE, debuggee, mode)
    assert len(bare[0]) == 2
    assert by_process(lab, 'dispatch', *NOT_CHANCE, debuggee, mode) == bare


def test_strace_shell(lab, debuggee):
    """A shell's children, with a pipe."""
    command = (*NOT_CHANCE[2:], '-e', 'trace=execve,openat,write,dup2,exit_group', 'sh', '-c',
               f'{debuggee} calls; echo a | cat')
    bare = by_process(lab, None, *command)
    assert len(bare[0]) == 4
    assert by_process(lab, 'dispatch', *command) == bare


def test_strace_threads(lab, debuggee):
    """All threads are followed."""
    def summary(way):
        traces, _ = by_process(lab, way, '-e', 'trace=clone3,exit,exit_group,rseq', debuggee, 'threads')
        return sorted(re.sub(r'\[\d?N?\]', '', trace) for trace in traces)
    bare = summary(None)
    assert len(bare) == 4 and summary('dispatch') == bare


def test_strace_summary(lab, debuggee):
    """-c: how often each call was made."""
    def counts(way):
        output = run(lab, way, tool('strace'), '-c', '-U', 'name,calls,errors', debuggee, 'calls')
        return sorted(line for line in output.splitlines() if not line.startswith('-'))
    bare = counts(None)
    assert counts('dispatch') == bare and len(bare) > 10


@pytest.mark.parametrize('what', ('write:error=EIO', 'getppid:retval=7', 'write:error=ENOSPC:when=1',
                                  'getppid:delay_enter=1000', 'getppid:signal=USR1'))
def test_strace_injects(lab, debuggee, what):
    """-e inject: results and signals that the kernel has not made."""
    def lines(way):
        return plain(run(lab, way, tool('strace'), '-e', 'trace=write,getppid,exit_group', '-e',
                         f'inject={what}', debuggee, 'calls'))
    bare = lines(None)
    assert lines('dispatch') == bare and ('INJECTED' in bare or 'DELAYED' in bare or 'SIGUSR1' in bare)


@pytest.mark.parametrize('way', ['dispatch', 'filter'])
def test_first_program_wants_to_be_traced(lab, way):
    """Whose parent is umvu has no tracer, and is not held up; a second time is an error, as with one."""
    code = ('import ctypes, os\nptrace = ctypes.CDLL(None).ptrace\n'
            'print(ptrace(0, 0, 0, 0), ptrace(0, 0, 0, 0), flush=True)\nos.system("echo fine")')
    done = lab.run([SIDES['ours'].program('umvu'), f'--trap={way}', tool('python3'), '-c', code])
    assert (done.status, done.out) == (0, '0 -1\nfine\n')
