# SPDX-License-Identifier: GPL-2.0-or-later
"""Real programs, large and many-threaded ones, whose output and status inside are as they are bare.

Each is a script of bash in scripts/, run in an empty directory by an ordinary user. Its head says which
programs it needs; "large": it takes long, or needs what the set-up does not install, and runs with
VS_PROGRAMS=all only; "root": an ordinary user cannot do it. What is not installed is skipped, by name.
"""

import glob
import os
import pathlib
import platform
import re
import shutil

import pytest

from vslib.sides import REPO, SYSTEM_PATH, lacking

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

SCRIPTS = {path.stem: path.read_text(encoding='utf-8')
           for path in sorted((pathlib.Path(__file__).parent / 'scripts').glob('*.sh'))}
ALL = os.environ.get('VS_PROGRAMS') == 'all'
WAYS = ('bare', 'dispatch', 'filter')
NOBODY = 65534
LIMIT = 280     # seconds, for each run

SOURCES = pathlib.Path(__file__).with_name('programs')     # $SOURCES in scripts

# What scripts use to wait: a condition of the shell that has to become true.
COMMON = '''
until_true() {
    for n in {1..600}; do "$@" >/dev/null 2>&1 && return; sleep 0.05; done; echo "never: $*"; exit 9
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'; }
'''


def head_of(name):
    """(programs that a script needs, its flags)."""
    lines = re.match(r'(#.*\n)+', SCRIPTS[name])[0].splitlines()
    return lines[2].removeprefix('# needs: ').split(), lines[3][1:].split() if len(lines) > 3 else []


# Not part of the set-up, and no reason to fail where they are missing.
OPTIONAL = {'vim', 'node', 'systemd-analyze'}
CHOSEN = [name for name in SCRIPTS if ALL or 'large' not in head_of(name)[1]]
# Not of the system's path: servers that are only started by others, and a toolchain of the user's.
PATHS = ':'.join([SYSTEM_PATH, *sorted(glob.glob('/usr/lib/postgresql/*/bin'))[-1:],
                  *([os.path.dirname(shutil.which('cargo'))] if shutil.which('cargo') else [])])


def prepare(lab, as_root):
    """An empty directory for one run."""
    directory = lab.path('run')
    shutil.rmtree(directory, ignore_errors=True)
    os.mkdir(directory)
    if os.geteuid() == 0 and not as_root:
        os.chmod(lab.dir, 0o755)
        os.chown(directory, NOBODY, NOBODY)
    return directory


def run_script(lab, ours, name, way, as_root):
    """(status, output, messages) of a run, without what differs each time: directory, numbers of processes."""
    directory = prepare(lab, as_root)
    inside = [] if way == 'bare' else [ours.program('umvu'), f'--trap={way}']
    user = ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups', '--inh-caps=-all']
    env = lab.env(PATH=PATHS, TMPDIR=directory, SOURCES=str(SOURCES),
                  VS_KERNEL=str(REPO / 'build-guest/vmlinuz'))
    env.update({word: os.environ[word] for word in ('RUSTUP_HOME',) if word in os.environ})
    done = lab.run([*(user if os.geteuid() == 0 and not as_root else []), *inside, '/bin/bash', '-c',
                    COMMON + SCRIPTS[name]], cwd=directory, timeout=LIMIT, env=env)
    return (done.status, done.out.replace(directory, '.'),
            re.sub(r'\b\d+\b', 'N', done.err.replace(directory, '.')))


@pytest.mark.parametrize('name', CHOSEN)
@pytest.mark.timeout(3 * LIMIT + 60)
def test_program(lab, ours, name):
    """Bare, and inside with both traps."""
    needs, flags = head_of(name)
    missing = [program for program in needs if not shutil.which(program, path=PATHS)]
    if missing and ('large' in flags or set(missing) <= OPTIONAL):
        pytest.skip(f'missing: {" ".join(missing)}')
    if missing:
        lacking(' '.join(missing))
    if 'root' in flags and os.geteuid() != 0:
        pytest.skip('needs root')
    bare, *inside = [run_script(lab, ours, name, way, 'root' in flags) for way in WAYS]
    assert bare[1] and 'never:' not in bare[1], bare
    assert inside == [bare, bare]
