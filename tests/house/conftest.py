# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the house itself share: the tree, its files, and what the machine lacks."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get('VS_BUILD') or ROOT / 'build')


def tracked(*suffixes):
    """Relative paths of the tree's files (tracked, or new and not ignored), by suffix."""
    listing = subprocess.run(
        ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], cwd=ROOT,
        capture_output=True, check=False)
    if listing.returncode == 0:
        names = listing.stdout.decode().split('\0')
    else:                           # an unpacked archive has no repository
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob('*')
                 if not path.relative_to(ROOT).parts[0].startswith(('build', 'packages', '.git'))]
    return sorted(pathlib.PurePath(name) for name in names
                  if name and (ROOT / name).is_file() and not (ROOT / name).is_symlink()
                  and (not suffixes or name.endswith(suffixes)))


def program_or_skip(name):
    """Path of a tool; without it the test is skipped, and fails in CI."""
    path = shutil.which(name)
    if not path:
        message = f'missing: {name} (tools/setup all installs it)'
        if os.environ.get('CI', '').lower() in ('1', 'true', 'yes'):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return path


def run(argv, **how):
    """A finished program: returncode, and stdout with stderr in it."""
    how.setdefault('input', '')
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors='replace', timeout=30, check=False, cwd=ROOT, **how)
