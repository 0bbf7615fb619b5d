# SPDX-License-Identifier: GPL-2.0-or-later
"""umvu --trace: beside strace, with many writers, and as JSON."""

import collections
import json
import os
import pathlib
import platform
import re
import signal
import subprocess
import time

import pytest

from test_conformance import KNOWN, NAMES, PROGRAM, SKIPPED, bare
from vslib.sides import SIDES, clean_env, tool

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')


def umvu(*arguments):
    return subprocess.run([SIDES['ours'].program('umvu'), *arguments], capture_output=True, text=True,
                          timeout=60, check=False)


def trace(lab, *command, options=()):
    """(lines of the trace, what the program wrote, its status)."""
    file = lab.path('trace')
    done = subprocess.run([SIDES['ours'].program('umvu'), '--trace-output', file, *options, *command],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
                          check=False)
    with open(file, encoding='utf-8') as stream:
        return stream.read().splitlines(), done.stdout, done.returncode


def names(lines):
    """The calls of lines without a process's number; exec is made before the program is there."""
    return [name for line in lines if (name := line.split('(')[0]) not in ('execve', '')
            and line[0] not in '+-']


@pytest.mark.parametrize('command', [['/bin/true'], ['cat', '/etc/hostname'], ['ls', '/'],
                                     ['sh', '-c', 'cd /; pwd'], ['cat', '/nonexistent']])
def test_the_same_calls_as_strace(lab, command):
    """Call by call what strace sees of a bare run."""
    file = lab.path('strace')
    subprocess.run([tool('strace'), '-qq', '-o', file, *command], stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT, timeout=60, check=False)
    with open(file, encoding='utf-8', errors='replace') as stream:
        bare = names(stream.read().splitlines())
    lines, _, _ = trace(lab, *command)
    assert names([line.partition(' ')[2] for line in lines]) == bare
    assert len(bare) > 20


def test_what_a_line_says(lab):
    """Arguments, results, errors, and how long it took."""
    lines, output, status = trace(lab, 'cat', '/nonexistent/file')
    assert status == 1 and 'No such file' in output
    opened = [line for line in lines if '"/nonexistent/file"' in line and ' openat(' in line]
    assert len(opened) == 1
    assert re.fullmatch(r'\d+ openat\(AT_FDCWD, "/nonexistent/file", O_RDONLY\) = '
                        r'-1 ENOENT \(No such file or directory\) <\d\.\d{6}>', opened[0])
    assert re.fullmatch(r'\d+ exit_group\(1\) = \?', lines[-2])
    assert re.fullmatch(r'\d+ \+\+\+ exited with 1 \+\+\+', lines[-1])


def test_exec(lab):
    """One that fails comes back; of one that does not the next program tells."""
    lines, _, status = trace(lab, 'sh', '-c', '/bin/true; exec /nonexistent')
    assert status == 127
    execs = [line.partition(' ')[2] for line in lines if ' execve(' in line]
    assert re.fullmatch(r'execve\("/usr/bin/sh", \["sh", "-c", "[^"]*"\], 0x[0-9a-f]+\) = 0', execs[0])
    assert re.fullmatch(r'execve\("/bin/true", \["/bin/true"\], 0x[0-9a-f]+\) = 0 <0\.\d{6}>', execs[1])
    assert re.match(r'execve\("/nonexistent", .*\) = -1 ENOENT', execs[2]) and len(execs) == 3


def test_threads_and_processes(lab):
    """Each line is whole, whoever writes beside; nothing is lost or twice."""
    program = ('import os, threading\n'
               'def work():\n    for _ in range(200): os.getppid()\n'
               'for _ in range(3):\n    os.fork()\n'
               'threads = [threading.Thread(target=work) for _ in range(4)]\n'
               '[thread.start() for thread in threads]\n[thread.join() for thread in threads]\n'
               'try:\n    while True: os.wait()\nexcept ChildProcessError: pass\n')
    lines, _, status = trace(lab, tool('python3'), '-S', '-c', program)
    assert status == 0
    assert not [line for line in lines if not re.match(r'\d+ (\w+\(|--- |\+\+\+ exited)', line)]
    calls = collections.Counter(line.split()[0] for line in lines if ' getppid()' in line)
    assert sorted(calls.values())[-32:] == [200] * 32   # Python makes a few for itself


def test_json(lab):
    """One object a line."""
    lines, _, status = trace(lab, 'sh', '-c', '/bin/true; exec /nonexistent',
                             options=['--trace-format', 'json'])
    assert status == 127
    calls = [json.loads(line) for line in lines]
    assert {'thread', 'trace', 'duration'} == set(calls[1])
    assert calls[-2]['trace']['call'] == 'exit_group'
    assert calls[-1]['trace'] == {'exited': 127}
    execs = [entry['trace'] for entry in calls if entry['trace'].get('call') == 'execve']
    assert [(entry['arguments']['filename'], entry['result']) for entry in execs] == [
        ('/usr/bin/sh', 0), ('/bin/true', 0), ('/nonexistent', -1)]


def test_wrong_files(lab):
    """A trace that cannot be written is told before anything runs."""
    done = umvu('--trace-output', '/nonexistent/trace', 'echo', 'x')
    assert (done.returncode, done.stdout) == (126, '')
    assert '/nonexistent/trace' in done.stderr
    done = umvu('--trace', '--trace-split', 'echo', 'x')
    assert (done.returncode, done.stdout) == (2, '') and '--trace-output' in done.stderr


@pytest.mark.parametrize('option, says', [
    ('--trace-format=xml', 'neither text nor json'), ('--trace=oepnat', "did you mean 'openat'?"),
    ('--trace=qqqqqqqqq', "there is no call 'qqqqqqqqq'"), ('--trace=%fiel', '%file'),
    ('--trace=', 'missing'), ('--trace=read,,write', 'missing'), ('--trace=/[', '[['),
    ('--trace=/^nothing', 'no call is like'), ('--trace-strings=-1', 'not a number'),
    ('--trace-strings=99999999', 'not a number'), ('--trace-time=noon', 'noon'),
    ('--trace-output=', 'missing')])
def test_wrong_words(option, says):
    """Said with the remedy, and nothing runs."""
    done = umvu(option, 'echo', 'x')
    assert (done.returncode, done.stdout) == (2, '') and re.search(re.escape(says).replace(r'\[\[', r'\['),
                                                                  done.stderr), done.stderr


@pytest.mark.parametrize('words, wanted', [
    ('getppid', {'getppid'}), ('getppid,%clock,!clock_nanosleep', {'getppid'}),
    ('!/.*', set()), ('/^getp+id$', {'getppid', 'getpid'}), ('?nothing,getpid', {'getpid'}),
    ('none', set()), ('%file', {'openat', 'execve'}), ('!%file,%memory', {'getppid', 'getpid', 'read'})])
def test_filter(lab, words, wanted):
    """Only what was asked for, and all of it."""
    program = 'import os; os.getpid(); os.getppid(); open("/")'
    lines, _, status = trace(lab, tool('python3'), '-S', '-c', program,
                             options=['--trace-quiet', f'--trace={words}'])
    assert status == 1
    found = {line.split()[1].split('(')[0] for line in lines}
    assert wanted <= found
    if words[0] not in '%!':
        assert found == wanted
    elif words[0] == '!':
        assert not found & {'openat', 'mmap', 'execve', 'brk'}


def test_failed_and_successful(lab):
    """By the result; together they are everything but the end of the program."""
    command = ['cat', '/etc/hostname', '/nonexistent']
    everything = trace(lab, *command, options=['--trace-quiet'])[0]
    failed = trace(lab, *command, options=['--trace-failed', '--trace-quiet'])[0]
    successful = trace(lab, *command, options=['--trace-successful', '--trace-quiet'])[0]
    assert failed and all(' = -1 E' in line for line in failed)
    assert successful and not any(' = -1 E' in line for line in successful)
    assert len(failed) + len(successful) == len(everything) - 1
    assert any('execve' in line for line in successful)


def test_times(lab):
    """Each that can be shown, in both forms."""
    began = time.time()
    lines = trace(lab, 'sleep', '0.1', options=['--trace-time=epoch,relative', '--trace=/nanosleep'])[0]
    matched = re.fullmatch(r'\d+ (\d+\.\d{6}) +\d+\.\d{6} clock_nanosleep\(.*\) = 0', lines[0])
    assert matched and began - 1 < float(matched[1]) < time.time() + 1
    assert float(lines[1].split()[2]) >= 0.1
    lines = trace(lab, 'sleep', '0.1', options=['--trace-time=clock,duration', '--trace=/nanosleep'])[0]
    assert re.match(r'\d+ ' + time.strftime('%H') + r':\d\d:\d\d\.\d{6} clock', lines[0]) or \
        time.strftime('%M') == '00'
    assert float(lines[0].rpartition('<')[2][:-1]) >= 0.1
    lines = trace(lab, 'sleep', '0.1', options=['--trace-time=clock,relative', '--trace-format=json',
                                                '--trace=/nanosleep'])[0]
    assert {'thread', 'trace', 'time', 'relative'} == set(json.loads(lines[0]))


@pytest.mark.parametrize('form', ['text', 'json'])
def test_strings(lab, form):
    """Bounded as it is said, and a long one is whole."""
    text = 'a"' * 2000
    options = ['--trace-format', form, '--trace=write']
    lines = trace(lab, 'echo', text, options=options + ['--trace-strings=65536'])[0]
    assert '\\"a' * 1999 in lines[0]
    lines = trace(lab, 'echo', text, options=options + ['--trace-strings=4'])[0]
    assert ('"a\\"a\\""...' if form == 'text' else '{"cut":"a\\"a\\""}') in lines[0]


@pytest.mark.parametrize('form', ['text', 'json'])
def test_signals(lab, form):
    """A handler's, and the one that kills."""
    lines, _, status = trace(lab, 'sh', '-c', 'trap : USR1; kill -USR1 $$; kill -SEGV $$',
                             options=['--trace=none', '--trace-format', form])
    assert status == 139
    if form == 'json':
        told = [json.loads(line)['trace'] for line in lines]
        assert [entry.get('signal') for entry in told] == ['SIGUSR1', 'SIGSEGV', None]
        assert told[0]['info']['si_code'] == 'SI_USER' and told[2] == {'killed': 'SIGSEGV'}
    else:
        assert re.fullmatch(r'\d+ --- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, si_pid=\d+, '
                            r'si_uid=\d+} ---', lines[0])
        assert '--- SIGSEGV' in lines[1] and lines[2].endswith('+++ killed by SIGSEGV +++')


@pytest.mark.parametrize('name', ['TERM', 'INT', 'QUIT', 'ALRM', 'PIPE', 'USR2', 'ABRT', 'XCPU', 'IO', 'RTMAX'])
def test_end_by_signal(lab, name):
    """Told, with the status that it has without; nothing else of the signal looks different."""
    script = f'''import os, signal
assert signal.getsignal(signal.SIG{name}) == (signal.default_int_handler if {name!r} == 'INT' else
                                             signal.SIG_IGN if {name!r} == 'PIPE' else signal.SIG_DFL)
signal.signal(signal.SIG{name}, signal.SIG_IGN)
os.kill(os.getpid(), signal.SIG{name})
signal.signal(signal.SIG{name}, lambda *_: None)
os.kill(os.getpid(), signal.SIG{name})
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIG{name}])
os.kill(os.getpid(), signal.SIG{name})
assert signal.SIG{name} in signal.sigpending() and signal.sigwait([signal.SIG{name}]) == signal.SIG{name}
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIG{name}])
assert signal.signal(signal.SIG{name}, signal.SIG_DFL) and signal.getsignal(signal.SIG{name}) == signal.SIG_DFL
os.kill(os.getpid(), signal.SIG{name})
signal.pause()'''
    lines, _, status = trace(lab, tool('python3'), '-S', '-c', script, options=['--trace=none'])
    number = getattr(signal, f'SIG{name}')
    assert status == 128 + number
    assert len([line for line in lines if ' --- ' in line]) == 2    # the handler's, and the last one
    assert re.search(r'\+\+\+ killed by SIG\w+ \+\+\+$', lines[-1]) and len(lines) == 3


def test_end_of_child(lab):
    """Of a child that executes and sleeps, by another process; it was ignored before, and then not any more."""
    script = """trap '' TERM; sh -c 'kill -TERM $$; echo alive'; trap - TERM
sleep 60 & kill $!; wait $!; echo $?"""
    lines, output, status = trace(lab, 'bash', '-c', script, options=['--trace=none'])
    assert (output, status) == ('alive\n143\n', 0)
    assert len([line for line in lines if line.endswith('+++ killed by SIGTERM +++')]) == 1


def test_a_file_for_each_process(lab):
    """Also where a child of vfork has its parent's memory."""
    prefix = lab.path('split')
    program = 'import subprocess\nfor _ in range(3): subprocess.run(["/bin/true"])\n'
    done = umvu('--trace-split', '--trace-output', prefix, '--trace=execve', tool('python3'), '-S', '-c',
                program)
    assert done.returncode == 0, done.stderr
    files = sorted(pathlib.Path(lab.path('.')).glob('split.*'))
    texts = [file.read_text() for file in files]
    assert len(files) == 4 and sum(text.count('execve("/bin/true"') for text in texts) == 3
    for file, text in zip(files, texts):
        assert {line.split()[0] for line in text.splitlines()} == {file.suffix[1:]}


def test_standard_error():
    """By default, as the programs run; it stays umvu's whatever a program does with its own."""
    done = umvu('--trace=getppid', 'sh', '-c', f'exec 2>/dev/null 3>&- 4>&-; {tool("python3")} -S -c '
                '"import os; os.closerange(3, 2000); os.getppid()"; echo done')
    assert (done.returncode, done.stdout) == (0, 'done\n')
    assert re.search(r'^\d+ getppid\(\) = \d+', done.stderr, re.M)


def test_killed(lab):
    """What a process has called is there, whatever ends it; its place is used again."""
    script = 'for i in 1 2 3; do sh -c "cd /; kill -KILL \\$\\$"; done; exec sh -c "cd /usr; kill -KILL \\$\\$"'
    lines, _, status = trace(lab, 'sh', '-c', script, options=['--trace=chdir'])
    assert status == 137
    assert len([line for line in lines if 'chdir("/") = 0' in line]) == 3
    assert len([line for line in lines if 'chdir("/usr") = 0' in line]) == 1


def test_those_that_stay(lab):
    """What goes on without umvu writes its lines once."""
    file = lab.path('left')
    done = umvu('--orphans=leave', '--trace=chdir', '--trace-output', file, 'sh', '-c',
                '(cd /; sleep 0.3; cd /usr; echo >"$0") >/dev/null 2>&1 &', lab.path('done'))
    assert done.returncode == 0
    end = time.monotonic() + 20
    while not pathlib.Path(lab.path('done')).exists() or 'exited with 0' not in \
            pathlib.Path(file).read_text().rpartition('"/usr"')[2]:
        assert time.monotonic() < end, 'it never ended'
        time.sleep(0.02)
    text = pathlib.Path(file).read_text()
    assert text.count('chdir("/")') == 1 and text.count('chdir("/usr")') == 1


COUNTED = ('import os, subprocess, threading\n'
           'work = lambda: [os.getppid() for _ in range(100)]\n'
           'if os.fork() == 0:\n    work()\n    os.kill(os.getpid(), 9)\n'
           'thread = threading.Thread(target=work)\nthread.start()\nthread.join()\nos.wait()\n'
           'subprocess.run(["cat", "/nonexistent"])\n')


def test_summary(lab):
    """Of all processes and threads, also of those that were killed, and of every program."""
    file = lab.path('summary')
    done = umvu('--trace-summary', '--trace=execve,getppid,openat', '--trace-output', file, tool('python3'),
                '-S', '-c', COUNTED)
    assert done.returncode == 0, done.stderr
    with open(file, encoding='utf-8') as stream:
        lines = stream.read().splitlines()
    assert lines[0].split() == ['%', 'time', 'seconds', 'usecs/call', 'calls', 'errors', 'syscall']
    rows = {line.split()[-1]: line.split()[:-1] for line in lines[2:] if line[0] != '-'}
    assert set(rows) == {'execve', 'getppid', 'openat', 'total'}
    assert int(rows['getppid'][3]) == 200
    assert int(rows['openat'][3]) > 5 and int(rows['openat'][4]) >= 1     # cat's; that is an error
    assert int(rows['total'][3]) == sum(int(row[3]) for name, row in rows.items() if name != 'total')
    assert abs(sum(float(row[0]) for name, row in rows.items() if name != 'total') - 100) < 0.1


def test_summary_as_json(lab):
    """The same, one object; beside lines if they are asked for."""
    lines, _, status = trace(lab, 'sh', '-c', '/bin/true; exec /bin/true', options=[
        '--trace-summary=also', '--trace-format=json', '--trace=execve', '--trace-quiet'])
    assert status == 0
    told = [json.loads(line) for line in lines]
    assert ['trace' in entry for entry in told] == [True, True, True, False]
    (row,) = told[-1]['summary']['rows']
    assert (row['call'], row['calls'], row['errors']) == ('execve', 3, 0) and row['seconds'] > 0
    assert told[-1]['summary']['calls'] == 3
    done = umvu('--trace-summary=only', 'true')
    assert done.returncode == 2 and 'also' in done.stderr


def test_report_unhandled():
    """What was refused, and what nobody knows; nothing is traced by that alone."""
    program = ('import ctypes\ncall = ctypes.CDLL(None).syscall\n'
               'call(425, 1, 0)\ncall(1500)\ncall(1500)\ncall(134)\ncall(39)\n')
    done = umvu('--report-unhandled', tool('python3'), '-S', '-c', program)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        'umvu: calls that are not handled in full:', '        2 syscall_1500 (unknown: made as it is)',
        '        1 io_uring_setup (refused: EPERM)', '        1 uselib (no kernel has it: made as it is)']
    done = umvu('--report-unhandled', '--trace-format=json', '--trace-summary', '--trace=none',
                tool('python3'), '-S', '-c', program)
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert [entry['number'] for entry in told[1]['unhandled']] == [1500, 425, 134]
    assert umvu('--report-unhandled', 'true').stderr == 'umvu: all calls were handled in full\n'


SCRIBBLE = r'''
import ctypes, sys
for line in open('/proc/self/maps'):
    place, mode, _, _, _, *name = line.split()
    if name[:1] == ['/memfd:umvu'] and mode == 'rw-s':
        begin, end = (int(part, 16) for part in place.split('-'))
        ctypes.memset(begin, int(sys.argv[1]), end - begin)
        print('spoiled')
'''


@pytest.mark.parametrize('byte', ['0', '1', '127', '255'])
def test_garbage_on_the_board(lab, byte):
    """A program that overwrites what all processes share spoils the trace, and nothing else."""
    file = lab.path('spoiled')
    done = umvu('--trace-summary=also', '--report-unhandled', '--trace-output', file, 'sh', '-c',
                f'{tool("python3")} -S -c "$0" {byte}; echo still here', SCRIBBLE)
    assert done.returncode == 0 and set(done.stdout.split('\n')) == {'spoiled', 'still here', ''}
    with open(file, encoding='latin-1') as stream:
        assert 'syscall' in stream.read()


@pytest.mark.parametrize('part', range(4))
def test_a_trace_changes_nothing(lab, part):
    """What a quarter of the conformance cases observes is the same while they are traced."""
    for name in [name for name in NAMES if name not in KNOWN][part::16]:
        if bare(name)[0] == SKIPPED:
            continue
        directory = pathlib.Path(lab.path(f'case-{name}'))
        directory.mkdir()
        done = subprocess.run([SIDES['ours'].program('umvu'), '--trace-output', directory.parent / 'trace',
                               PROGRAM, name], cwd=directory, env=clean_env(directory), timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False, start_new_session=True)
        assert (done.returncode, done.stdout.decode(errors='replace')) == bare(name), name


@pytest.mark.parametrize('options', [[], ['--trace-summary'], ['--trace-format=json']])
def test_full_disk(options):
    """What is lost is told, and does not change the program's status."""
    done = umvu('--trace-output=/dev/full', *options, 'sh', '-c', 'exit 3')
    assert done.returncode == 3
    assert re.search('[0-9]+ bytes of the trace could not be written: No space', done.stderr)


@pytest.mark.parametrize('limit', [40, 100, 2000])
def test_limit_of_size(lab, limit):
    """What is shared is made to fit; the program gets no signal for a trace that does not."""
    done = subprocess.run(['bash', '-c', f'ulimit -f {limit}; "$@"', 'bash', SIDES['ours'].program('umvu'),
                           '--trace-output', lab.path('trace'), 'sh', '-c',
                           'for i in $(seq 30000); do echo x >/dev/null; done; exit 3'],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3 and re.search('[0-9]+ bytes .*: File too large', done.stderr)
    assert os.stat(lab.path('trace')).st_size == limit * 1024


@pytest.mark.parametrize('options', [[], ['--trace']])
def test_hardly_any_size(options):
    """Where nothing fits that says which limit it is."""
    done = subprocess.run(['bash', '-c', 'ulimit -f 10; "$@"', 'bash', SIDES['ours'].program('umvu'), *options,
                           'true'], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 126 and 'ulimit -f' in done.stderr


READER_GOES = """
import os, signal, subprocess, sys
reading, writing = os.pipe()
command = ['sh', '-c', 'trap "echo pipe" PIPE; read x; /bin/true; kill -PIPE $$; echo end']
tracer = subprocess.Popen([*sys.argv[1:], f'--trace-output=/dev/fd/{writing}', *command], pass_fds=[writing],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
os.close(writing)
os.close(reading)
print(tracer.communicate(b'go\\n')[0].decode(), tracer.returncode)
"""


@pytest.mark.parametrize('way', ['dispatch', 'filter'])
def test_reader_goes(way):
    """A trace that nobody reads any more is no signal for the program; its own signals are."""
    umvu_way = [SIDES['ours'].program('umvu'), f'--trap={way}']
    done = subprocess.run([tool('python3'), '-c', READER_GOES, *umvu_way],
                          capture_output=True, text=True, timeout=60, check=False)
    assert re.fullmatch('pipe\nend\numvu: [0-9]+ bytes .*: Broken pipe\n 0\n', done.stdout)
