# SPDX-License-Identifier: GPL-2.0-or-later
"""What programs cost under umvu, beside bare runs and what else looks at system calls.

All contenders take turns; each thing is done once without counting before it counts. With "one CPU"
everything is pinned to one, else the kernel places it.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

from contenders import Failed, Missing
from measures import METRICS, Measure, Sample, Step, one_cpu

NATIVE, UMVU = 'native', 'umvu'
STRACE = 'strace --seccomp-bpf'
METRICS |= {
    'call': ('time of, on one CPU', 'us', False),
    'call_free': ('time of, on any CPU', 'us', False),
    'program': ('time of, on one CPU', 'ms', False),
    'program_free': ('time of, on any CPU', 'ms', False),
    'requests': ('requests a second', '1/s', True),
    'private': ('private memory', 'KiB', False),
    'traced': ('time of, traced to a file, on one CPU', 'us', False),
}
FILES = 5000
FILE_SIZE = 3000
SOURCES = 20
LOOP = 'for i in $(seq 300); do /bin/true; done'
# {group: argv}, in the directory that Programs makes. What takes long is left to few contenders.
PROGRAMS = {
    '/bin/true': ('/bin/true',),
    'python3 -c pass': ('python3', '-S', '-c', 'pass'),
    '300 times /bin/true from bash': ('bash', '-c', LOOP),
    f'git status of {FILES:,} files': ('git', '-C', 'tree', 'status', '--porcelain'),
    f'grep -r in {FILES:,} files': ('grep', '-r', 'what is not there', 'tree/d'),
    f'tar xf of {FILES:,} files': ('tar', 'xf', 'tree.tar', '-C', 'out'),
    f'make -j2 of {SOURCES} files': ('make', '-s', '-B', '-j2', '-C', 'project'),
}
SLOW = f'make -j2 of {SOURCES} files'
OTHERS = ('/bin/true', 'python3 -c pass', '300 times /bin/true from bash')
REPEATS = {'/bin/true': 20, 'python3 -c pass': 10}
STATUS = {f'grep -r in {FILES:,} files': 1}
THREADS = 64

# {(metric, group): most times native}: the goals.
LIMITS = {
    'getppid': 1.5, 'stat': 1.2, 'open, close': 1.2, 'pread of 4 KiB': 1.3, 'pipe, write and read': 1.2,
    'fork, exec, wait': 1.5, 'posix_spawn, wait': 1.5, 'thread, create and join': 1.8,
    'signal with a handler': 3,
}
LIMITS = {(metric, group): most for metric in ('call', 'call_free') for group, most in LIMITS.items()}
LIMITS |= {(metric, group): most for metric in ('program', 'program_free') for group, most in (
    ('python3 -c pass', 1.2), ('300 times /bin/true from bash', 1.5),
    (f'git status of {FILES:,} files', 1.3), (f'grep -r in {FILES:,} files', 1.1),
    (f'tar xf of {FILES:,} files', 1.2), (f'make -j2 of {SOURCES} files', 1.1))}
REQUESTS = {'nginx under wrk': 0.9, 'postgres, select only': 0.9}
START_MS = 3
PROCESS_KIB, THREAD_KIB = 256, 16
TRACE_US = 2


def others(measure):
    """{name: prefix} of what is there besides umvu."""
    found = {}
    for name, argv in (('proot', ('proot',)),
                       (STRACE, ('strace', '-f', '-o', '/dev/null', '--seccomp-bpf', '-e', 'trace=openat')),
                       ('runsc', ('runsc', '--rootless', '--network=none', 'do'))):
        if path := shutil.which(argv[0]):
            found[name] = (path, *argv[1:])
        else:
            measure.missing.append(f'{argv[0]} is not installed' +
                                   (' (it is no package of Debian)' if name == 'runsc' else ''))
    return found


def run(prefix, argv, status=0, **options):
    """What it wrote."""
    done = subprocess.run([*prefix, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=120, check=False, **options)
    if done.returncode != status:
        raise Failed(f'{argv[0]}: status {done.returncode}: {done.stderr[:200]}')
    return done.stdout


class UmvuMeasure(Measure):
    """Base of what is measured bare, and under umvu in its ways."""

    def umvu(self):
        """The program."""
        program = self.rig.build / 'bin' / 'umvu'
        if not program.exists():
            raise Missing('umvu (it is for x86-64 only)')
        return program

    def ways(self):
        """{name: prefix}: bare, umvu, and umvu otherwise."""
        program = self.umvu()
        return {NATIVE: (), UMVU: (program,), 'umvu --trap=filter': (program, '--trap=filter'),
                'umvu --patch=never': (program, '--patch=never')}

    @property
    def calls(self):
        """The program that makes calls."""
        return self.rig.build / 'bench' / 'calls'


class Calls(UmvuMeasure):
    """Loops of one call."""

    title = 'system calls under umvu'

    def prepare(self):
        self.contenders = self.ways() | others(self)

    def steps(self):
        for name, prefix in self.contenders.items():
            yield Step(name, lambda n=name, p=prefix: self.take('call', n, p))
            if name in (NATIVE, UMVU):
                yield Step(f'{name}, any CPU', lambda n=name, p=prefix: self.take('call_free', n, p))

    def take(self, metric, name, prefix):
        """Of each call."""
        with one_cpu() if metric == 'call' else contextlib.nullcontext():
            seen = json.loads(run(prefix, (self.calls, '10' if self.rig.quick else '1')))
        return [Sample(metric, group, name, value) for group, value in seen.items()]


class Programs(UmvuMeasure):
    """Whole programs, from their start to their end."""

    title = 'whole programs under umvu'

    def prepare(self):
        self.contenders = self.ways()
        self.others = others(self)
        # In memory, where there is such a place: how fast a disk writes is its own affair.
        memory = '/dev/shm' if os.access('/dev/shm', os.W_OK) else self.rig.directory
        self.place = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory(
            prefix='vsbench', dir=memory)))
        self.make_tree()
        self.make_project()

    def make_tree(self):
        """A repository of many files, and an archive of it."""
        tree = self.place / 'tree'
        line = 'a line of a file like many others, with some words in it\n'
        for number in range(FILES):
            directory = tree / 'd' / f'{number // 100:03}'
            directory.mkdir(parents=True, exist_ok=True)
            text = f'{number}\n' + line * (FILE_SIZE // len(line))
            (directory / f'{number:05}.txt').write_text(text, encoding='utf-8')
        for argv in (('git', 'init', '-q'), ('git', 'add', '.'),
                     ('git', '-c', 'user.name=n', '-c', 'user.email=e', 'commit', '-q', '-m', 'all')):
            run((), argv, cwd=tree)
        run((), ('tar', 'cf', 'tree.tar', '-C', 'tree', 'd'), cwd=self.place)

    def make_project(self):
        """Sources in C, each with some of the headers of the C library."""
        project = self.place / 'project'
        project.mkdir()
        body = ('#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n'
                '#include <sys/socket.h>\n')
        body += ''.join(f'int f{n}(const char *s) {{ return printf("%s %d\\n", s, {n}) + '
                        f'(int)strlen(s) * {n}; }}\n' for n in range(20))
        for number in range(SOURCES):
            (project / f's{number}.c').write_text(body.replace(' f', f' s{number}_f'), encoding='utf-8')
        (project / 'main.c').write_text('int main(void) { return 0; }\n', encoding='utf-8')
        objects = ' '.join(f's{number}.o' for number in range(SOURCES))
        (project / 'Makefile').write_text(f'all: {objects} main.o\n\tcc -o all main.o {objects}\n'
                                          '%.o: %.c\n\tcc -O1 -c $<\n', encoding='utf-8')

    def steps(self):
        for group, argv in PROGRAMS.items():
            contenders = self.contenders | (self.others if group in OTHERS else {})
            if group == SLOW:
                contenders = {name: contenders[name] for name in (NATIVE, UMVU)}
            for name, prefix in contenders.items():
                yield Step(f'{name}: {group}', lambda n=name, p=prefix, g=group, a=argv:
                           self.take('program', n, p, g, a))
                if name in (NATIVE, UMVU):
                    yield Step(f'{name}, any CPU: {group}', lambda n=name, p=prefix, g=group, a=argv:
                               self.take('program_free', n, p, g, a))

    def take(self, metric, name, prefix, group, argv):
        """The median of some runs, after one that does not count."""
        times = []
        with one_cpu() if metric == 'program' else contextlib.nullcontext():
            for _ in range(1 + (1 if self.rig.quick else REPEATS.get(group, 2))):
                shutil.rmtree(self.place / 'out', ignore_errors=True)
                (self.place / 'out').mkdir()
                start = time.monotonic()
                run(prefix, argv, STATUS.get(group, 0), cwd=self.place)
                times.append(time.monotonic() - start)
        return [Sample(metric, group, name, 1e3 * statistics.median(times[1:]))]


class Costs(UmvuMeasure):
    """Memory of the resident, and what a trace costs."""

    title = 'memory of umvu in a process and for a thread, and the cost of --trace'

    def prepare(self):
        self.contenders = {name: prefix for name, prefix in self.ways().items() if name in (NATIVE, UMVU)}
        trace = self.rig.name('trace')
        self.traced = self.contenders | {'umvu --trace': (self.umvu(), '--trace', f'--trace-output={trace}')}
        if path := shutil.which('strace'):
            self.traced['strace'] = (path, '-f', '-o', trace)
        else:
            self.missing.append('strace is not installed')

    def steps(self):
        for name, prefix in self.contenders.items():
            yield Step(f'{name}: memory', lambda n=name, p=prefix: self.take_memory(n, p))
        for name, prefix in self.traced.items():
            yield Step(f'{name}: calls', lambda n=name, p=prefix: self.take_traced(n, p))

    def take_memory(self, name, prefix):
        """Of a process with one thread, and of each of many more."""
        one, many = (json.loads(run(prefix, (self.calls, 'memory', count)))['private']
                     for count in ('0', str(THREADS)))
        return [Sample('private', 'a process', name, one),
                Sample('private', 'a thread', name, (many - one) / THREADS)]

    def take_traced(self, name, prefix):
        """Of the cheapest calls."""
        with one_cpu():
            seen = json.loads(run(prefix, (self.calls, 'one')))
        return [Sample('traced', 'getppid', name, seen['getppid'])]


def free_port():
    """A port that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def first_program(name, places=()):
    """The path of a program, also where only servers are."""
    path = shutil.which(name) or next((str(place / name) for place in places if (place / name).exists()), None)
    if not path:
        raise Missing(f'{name} is not installed')
    return path


class Server:
    """A server under a contender, which ends with this."""

    def __init__(self, argv, port, stop, **options):
        self.stop = stop
        self.log = tempfile.TemporaryFile()    # pylint: disable=consider-using-with
        self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                      start_new_session=True, **options)
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(('127.0.0.1', port)) == 0:
                    return
            if self.child.poll() is not None or time.monotonic() > deadline:
                self.close()
                self.log.seek(0)
                raise Failed(f'{argv[0]} does not listen: {self.log.read()[-200:]}')
            time.sleep(0.05)

    def close(self):
        """End it, as it wants to be ended."""
        if self.child.poll() is None:
            with contextlib.suppress(Failed, OSError, ValueError):
                self.stop()
        try:
            self.child.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait(15)


class Servers(UmvuMeasure):
    """Servers under load, which is made by a program outside."""

    title = 'nginx and postgres under umvu'

    def prepare(self):
        self.contenders = self.ways()
        self.seconds = 1 if self.rig.quick else 4
        self.loads = {}
        # A server's own user may not look into our directory.
        self.place = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix='vsbench')))
        self.who = {}
        if os.geteuid() == 0:
            self.who = {'user': 'nobody', 'group': 'nogroup', 'extra_groups': []}
            shutil.chown(self.place, 'nobody', 'nogroup')
        for name, make in (('nginx under wrk', self.make_nginx), ('postgres, select only', self.make_postgres)):
            try:
                self.loads[name] = make()
            except (Missing, Failed) as why:
                self.missing.append(f'{name}: {why}')

    def make_nginx(self):
        """The files of nginx, and how a round goes."""
        nginx, wrk = first_program('nginx', [pathlib.Path('/usr/sbin')]), first_program('wrk')
        place = self.place / 'nginx'
        (place / 'html').mkdir(parents=True)
        (place / 'html' / 'index.html').write_text('hello\n' * 100, encoding='utf-8')
        port, pid_file = free_port(), place / 'pid'
        temporary = ''.join(f'{kind}_temp_path {place}/{kind};' for kind in (
            'client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        (place / 'conf').write_text(
            f'daemon off; worker_processes 1; pid {pid_file}; error_log {place}/error;'
            'events { worker_connections 256; }'
            f'http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port};'
            f' root {place}/html; }} }}', encoding='utf-8')
        if self.who:
            for path in (place, place / 'html'):
                shutil.chown(path, 'nobody', 'nogroup')
        argv = (nginx, '-p', f'{place}/', '-e', place / 'error', '-c', place / 'conf')

        def stop():
            os.kill(int(pid_file.read_text(encoding='ascii')), signal.SIGTERM)

        def load(seconds):
            told = run((), (wrk, '-t1', '-c16', f'-d{seconds}s', f'http://127.0.0.1:{port}/'))
            return float(told.partition('Requests/sec:')[2].split()[0])
        return argv, port, stop, load

    def make_postgres(self):
        """A small data base, and how a round goes."""
        places = sorted(pathlib.Path('/usr/lib/postgresql').glob('*/bin'), reverse=True)
        programs = {name: first_program(name, places) for name in
                    ('initdb', 'postgres', 'pg_ctl', 'pgbench', 'createdb')}
        data, port = self.place / 'data', free_port()
        where = ('-h', '127.0.0.1', '-p', str(port), '-U', 'bench')
        options = dict(self.who, cwd=self.place)
        run((), (programs['initdb'], '-D', data, '-U', 'bench', '-A', 'trust', '-N'), **options)
        argv = (programs['postgres'], '-D', data, '-p', str(port), '-k', self.place, '-c', 'fsync=off',
                '-c', 'shared_buffers=64MB')

        def stop():
            run((), (programs['pg_ctl'], 'stop', '-D', data, '-m', 'fast', '-w'), **options)

        def load(seconds):
            told = run((), (programs['pgbench'], *where, '-n', '-S', '-c', '4', '-T', str(seconds), 'bench'))
            return float(told.partition('tps = ')[2].split()[0])
        server = Server(argv, port, stop, **options)
        try:
            run((), (programs['createdb'], *where, 'bench'))
            run((), (programs['pgbench'], *where, '-i', '-q', '-s', '2', 'bench'))
        finally:
            server.close()
        return argv, port, stop, load

    def steps(self):
        for group in self.loads:
            for name, prefix in self.contenders.items():
                yield Step(f'{name}: {group}', lambda n=name, p=prefix, g=group: self.take(n, p, g))

    def take(self, name, prefix, group):
        """Requests a second, after a second that does not count."""
        argv, port, stop, load = self.loads[group]
        with contextlib.closing(Server((*prefix, *argv), port, stop, cwd=self.place, **self.who)):
            load(1)
            return [Sample('requests', group, name, load(self.seconds))]
