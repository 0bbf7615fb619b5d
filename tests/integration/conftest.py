# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the integration tests. README.md beside this file introduces them."""

import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from vslib.lab import Lab           # noqa: E402 (the path above comes first)
from vslib.sides import SIDES       # noqa: E402


def pytest_configure():
    """A signal that is ignored (nohup, a job in the background) would stay so in every program.

    One that has a handler gets its default action back when a program is started.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture
def lab():
    """An empty Lab that is cleaned up after the test."""
    made = Lab()
    yield made
    made.close()


@pytest.fixture
def ours():
    """Our side."""
    return SIDES['ours']


@pytest.fixture
def debian():
    """Debian's side."""
    return SIDES['debian']


@pytest.fixture(params=sorted(SIDES, reverse=True), ids=str)
def side(request):
    """Each side in turn, for tests with one program under test."""
    return SIDES[request.param]


@pytest.fixture(params=sorted(SIDES, reverse=True), ids=lambda name: f'sw={name}')
def switch_side(request):
    """Each side in turn: whose vde_switch."""
    return SIDES[request.param]


@pytest.fixture(params=sorted(SIDES, reverse=True), ids=lambda name: f'plug={name}')
def plug_side(request):
    """Each side in turn: whose plug, library or namespace tools."""
    return SIDES[request.param]


@pytest.fixture(params=sorted(SIDES, reverse=True), ids=lambda name: f'lib={name}')
def lib_side(request):
    """Each side in turn: whose libvdeplug."""
    return SIDES[request.param]


@pytest.fixture(params=sorted(SIDES, reverse=True), ids=lambda name: f'mod={name}')
def mod_side(request):
    """Each side in turn: whose plug-ins are loaded into it."""
    return SIDES[request.param]


@pytest.fixture
def switch(lab, switch_side):
    """A running switch of each side in turn, with default options and a management socket."""
    return lab.switch(switch_side)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Show what the programs of a failed test printed."""
    outcome = yield
    report = outcome.get_result()
    made = getattr(item, 'funcargs', {}).get('lab')
    if not report.failed or made is None:
        return
    for proc in made.procs:
        try:
            report.sections.append((f'{proc.name} {call.when}', proc.describe()))
        except ValueError:          # its log is closed already
            continue
