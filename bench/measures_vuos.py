# SPDX-License-Identifier: GPL-2.0-or-later
"""What programs cost under umvu, beside bare runs and what else looks at system calls."""

import json
import shutil
import subprocess
import time

from contenders import Failed, Missing
from measures import METRICS, Measure, Sample, Step, one_cpu

NATIVE, UMVU = 'native', 'umvu'
METRICS['call'] = ('time of', 'us', False)
METRICS['program'] = ('time of', 'ms', False)
LOOP = 'for i in $(seq 300); do /bin/true; done'
# {group: argv}: whole programs.
PROGRAMS = {
    '300 times /bin/true from bash': ('bash', '-c', LOOP),
    'python3 -c pass': ('python3', '-S', '-c', 'pass'),
    '/bin/true': ('/bin/true',),
}


class Calls(Measure):
    """Loops of one call, pinned to one CPU; and whole programs, not pinned."""

    title = 'system calls and programs under umvu'

    def prepare(self):
        program = self.rig.build / 'bin' / 'umvu'
        if not program.exists():
            raise Missing('umvu (it is for x86-64 only)')
        self.contenders = {NATIVE: (), UMVU: (program,), 'umvu --trap=filter': (program, '--trap=filter'),
                           'umvu --patch=never': (program, '--patch=never')}
        for name, argv in (('proot', ('proot',)),
                           ('strace --seccomp-bpf', ('strace', '-f', '-o', '/dev/null', '--seccomp-bpf',
                                                     '-e', 'trace=openat'))):
            if path := shutil.which(argv[0]):
                self.contenders[name] = (path, *argv[1:])
            else:
                self.missing.append(f'{argv[0]} is not installed')

    def steps(self):
        for name, prefix in self.contenders.items():
            yield Step(name, lambda n=name, p=prefix: self.take_calls(n, p))
            for group, argv in PROGRAMS.items():
                yield Step(f'{name}: {group}', lambda n=name, p=prefix, g=group, a=argv:
                           self.take_program(n, p, g, a))

    @staticmethod
    def run(prefix, argv):
        """What it wrote."""
        done = subprocess.run([*prefix, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=120, check=False)
        if done.returncode:
            raise Failed(f'status {done.returncode}: {done.stderr[:200]}')
        return done.stdout

    def take_calls(self, name, prefix):
        """A loop of each call."""
        with one_cpu():
            seen = json.loads(self.run(prefix, (self.rig.build / 'bench' / 'calls',)))
        return [Sample('call', group, name, value) for group, value in seen.items()]

    def take_program(self, name, prefix, group, argv):
        """The best of some runs: what a program takes when nobody is in its way."""
        times = []
        for _ in range(3 if self.rig.quick or len(argv) > 2 else 20):
            start = time.monotonic()
            self.run(prefix, argv)
            times.append(time.monotonic() - start)
        return [Sample('program', group, name, 1e3 * min(times))]


# {(metric, group): most times native}: the goals.
LIMITS = {
    ('call', 'getppid'): 1.5, ('call', 'stat'): 1.2, ('call', 'open, close'): 1.2,
    ('call', 'pread of 4 KiB'): 1.3, ('call', 'pipe, write and read'): 1.2,
    ('call', 'fork, exec, wait'): 1.5, ('call', 'posix_spawn, wait'): 1.5,
    ('call', 'thread, create and join'): 1.8, ('call', 'signal with a handler'): 3,
    ('program', '300 times /bin/true from bash'): 1.5, ('program', 'python3 -c pass'): 1.2,
}
START_MS = 3
