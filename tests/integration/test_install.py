# SPDX-License-Identifier: GPL-2.0-or-later
"""What `make install` and `make uninstall` do."""

import os
import subprocess

import pytest

from vslib.proc import run
from vslib.sides import BUILD, REPO, clean_env


def files(directory):
    """Paths of all files below a directory."""
    return {os.path.relpath(os.path.join(where, name), directory)
            for where, _, names in os.walk(directory) for name in names}


@pytest.fixture
def installed(lab, ours):
    """A DESTDIR into which the build was installed twice."""
    ours.program('vde_switch')
    destination = lab.path('destination')
    for _ in range(2):
        subprocess.run(['meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet', '--destdir',
                        destination], check=True)
    return destination


def uninstall(*arguments):
    """Runs tools/uninstall."""
    return run([REPO / 'tools' / 'uninstall', *arguments], cwd=REPO,
               env=clean_env('/nonexistent', BUILD=str(BUILD)))


def test_all_goes_that_came(installed):
    """Also after a second installation; what was there besides stays."""
    assert 'usr/bin/vde_switch' in files(installed) and 'etc/vde2/vdecmd' in files(installed)
    with open(os.path.join(installed, 'usr/bin/another'), 'w', encoding='ascii'):
        pass
    done = uninstall('/usr', installed)
    assert done.status == 0, done
    assert files(installed) == {'usr/bin/another'}
    assert os.listdir(installed) == ['usr']


def test_another_prefix(installed):
    """Nothing is removed, and the right command is told."""
    before = files(installed)
    done = uninstall('/usr/local', installed)
    assert done.status == 1 and 'make uninstall PREFIX=/usr' in done.err
    assert files(installed) == before
