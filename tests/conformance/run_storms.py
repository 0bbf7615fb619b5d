#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs each storm many times in every mode (both traps; patching never, normal, at first sight).

CI runs a selection (tests/integration/test_umvu_storms.py); this is for a night, or a machine with nothing
else to do. Stops at --minutes, and says how far it has come: run after run, all modes of all storms in turn.
Prints each failure when it comes, and at last a table of runs, failures and seconds. Status 1: one failed.
"""
import argparse
import collections
import itertools
import os
import pathlib
import subprocess
import sys
import time

MODES = [(trap, patch) for trap in ('dispatch', 'filter') for patch in ('never', 'normal', 'first')]
LIMIT = 60  # seconds of one run


def run(build, storm, mode, rounds):
    """What was wrong, '' if nothing was."""
    command = [build / 'bin/umvu', f'--trap={mode[0]}', f'--patch={mode[1]}', build / 'tests/conformance/storm',
               storm, str(rounds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False,
                              stdin=subprocess.DEVNULL, errors='replace')
    except subprocess.TimeoutExpired:
        return f'it did not end in {LIMIT} s'
    if (done.returncode, done.stdout, done.stderr) == (0, f'{storm}: fine\n', ''):
        return ''
    return f'status {done.returncode}: {done.stdout}{done.stderr}'.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--build', type=pathlib.Path, default=pathlib.Path('build'))
    parser.add_argument('--runs', type=int, default=1000, help='of each storm in each mode (default 1000)')
    parser.add_argument('--rounds', type=int, default=1000, help='within a run (default 1000)')
    parser.add_argument('--minutes', type=float, default=600)
    parser.add_argument('storm', nargs='*', help='default: all')
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    storms = arguments.storm or subprocess.run([build / 'tests/conformance/storm', '--list'], text=True,
                                               stdout=subprocess.PIPE, check=True).stdout.split()
    end = time.monotonic() + 60 * arguments.minutes
    runs, failures, seconds = (collections.Counter() for _ in range(3))
    os.chdir('/tmp')
    for _, storm, mode in itertools.product(range(arguments.runs), storms, MODES):
        begin = time.monotonic()
        if begin > end:
            break
        wrong = run(build, storm, mode, arguments.rounds)
        runs[storm, mode] += 1
        seconds[storm] += time.monotonic() - begin
        if wrong:
            failures[storm, mode] += 1
            print(f'{storm} --trap={mode[0]} --patch={mode[1]}: {wrong}', flush=True)
    print(f'{"storm":16} {" ".join("/".join(mode).rjust(16) for mode in MODES)}  seconds a run')
    for storm in storms:
        counts = ' '.join(f'{runs[storm, mode]} - {failures[storm, mode]}'.rjust(16) for mode in MODES)
        all_runs = sum(runs[storm, mode] for mode in MODES)
        print(f'{storm:16} {counts}  {seconds[storm] / max(1, all_runs):.3f}')
    print(f'{sum(runs.values())} runs, {sum(failures.values())} failures')
    sys.exit(1 if failures or not runs else 0)


main()
