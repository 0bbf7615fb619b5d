# SPDX-License-Identifier: GPL-2.0-or-later
"""The cases of tests/conformance, bare and under umvu: nothing that they observe may differ.

Each case has its expectation, from the manual pages, in itself; where the bare kernel does not meet
it, the case is wrong. KNOWN has what is not right yet under umvu, with the reason: such a case has
to fail, so that the entry goes when it is mended.
"""

import functools
import json
import os
import platform
import subprocess
import tempfile

import pytest

from vslib.proc import PATIENCE
from vslib.sides import BUILD, SIDES, clean_env

pytestmark = pytest.mark.skipif(platform.machine() != 'x86_64', reason='umvu is for x86-64')

PROGRAM = BUILD / 'tests/conformance/conformance'
LIMIT = 8           # seconds, times PATIENCE
LIMIT_KNOWN = 1     # second: some of the known ones hang
SKIPPED = 77
NEEDS = 'needs root, or protection keys'
# The trap, and when call sites are patched, if not as usual. VS_MODES=all: the other two as well.
MODES = ['dispatch', 'filter', 'dispatch first', 'filter never']
if os.environ.get('VS_MODES') == 'all':
    MODES += ['dispatch never', 'filter first']

# Why, and the cases.
_KNOWN = {
    ('the kernel keeps writers from the file that it executes, which is the resident; nothing that a '
     'process without privilege can do does the same for another file'):
        'text_busy',
}
KNOWN = {name: why for why, names in _KNOWN.items() for name in names.split()}


def case_names():
    """All cases; none without a build, for which test_cases_are_there fails."""
    if not PROGRAM.exists():
        return []
    listing = subprocess.run([PROGRAM, '--list'], capture_output=True, text=True, check=True)
    return sorted(listing.stdout.split())


NAMES = case_names()


def run_case(name, way, limit, more=()):
    """(status, output) of a case; way: bare, or one of MODES. Status None: it did not end. MORE: options."""
    trap, _, patch = way.partition(' ')
    command = [SIDES['ours'].program('umvu'), f'--trap={trap}', f'--patch={patch or "normal"}', *more, PROGRAM,
               name]
    command = [PROGRAM, name] if way == 'bare' else command
    with tempfile.TemporaryDirectory(prefix='vs', dir=os.environ.get('VS_TMP', '/tmp')) as directory, \
            subprocess.Popen(command, cwd=directory, env=clean_env(directory),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, start_new_session=True) as child:
        try:
            output = child.communicate(timeout=limit)[0]
            status = child.returncode
        except subprocess.TimeoutExpired:
            status, output = None, b'it did not end'
        try:
            os.killpg(child.pid, 9)     # what it left behind
        except ProcessLookupError:
            pass
    return status, output.decode(errors='replace')


@functools.lru_cache(maxsize=None)
def bare(name):
    """What the kernel alone does."""
    return run_case(name, 'bare', LIMIT * PATIENCE)


def test_cases_are_there():
    """A build without them would pass everything."""
    assert len(NAMES) > 120 and len(set(NAMES)) == len(NAMES)
    assert not set(KNOWN) - set(NAMES), 'known cases that there are not'


@pytest.mark.parametrize('name', NAMES)
def test_bare(name):
    """The case expects what the kernel does."""
    status, output = bare(name)
    if status == SKIPPED:
        pytest.skip(NEEDS)
    assert status == 0, output


@pytest.mark.parametrize('way', MODES)
@pytest.mark.parametrize('name', NAMES)
def test_umvu(name, way):
    """The same, to the letter, in a process whose calls pass through umvu."""
    if bare(name)[0] == SKIPPED:
        pytest.skip(NEEDS)
    known = KNOWN.get(name)
    if known and ' ' in way:
        pytest.skip('known: it is tried with the usual patching only')
    observed = run_case(name, way, LIMIT_KNOWN if known else LIMIT * PATIENCE)
    if not known:
        assert observed == bare(name)
    elif observed == bare(name):
        pytest.fail(f'passes now: take it out of KNOWN ({known})')


@pytest.mark.parametrize('name', [name for name in NAMES if name.startswith('sweep_')])
def test_traced(name, tmp_path):
    """What is wrong with arguments does not mislead the trace, nor the trace the program."""
    file = tmp_path / 'trace'
    options = ['--trace', '--trace-format=json', f'--trace-output={file}']
    assert run_case(name, 'dispatch', LIMIT * PATIENCE, options) == bare(name)
    lines = file.read_text(encoding='utf-8', errors='surrogateescape').splitlines()
    assert len(lines) > 100 and all(json.loads(line) for line in lines)
