# SPDX-License-Identifier: GPL-2.0-or-later
"""One side's libvdeplug with the other side's plug-ins."""

import contextlib

import pytest

from .lab import sanitizer_library
from .plugs import serve_in_background
from .sides import SIDES

OURS = SIDES['ours']


def plugin_env(lib_side, mod_side):
    """What makes a program with one side's library load the other side's plug-ins."""
    env = {'VDEPLUGIN_PATH': str(mod_side.plugin_dir)}
    if mod_side.sanitized() and not lib_side.ours:
        pytest.skip("a sanitized plug-in is not loaded by Debian's library (RTLD_DEEPBIND)")
    if mod_side.sanitized() or lib_side.sanitized():
        env.update(LD_PRELOAD=sanitizer_library(), ASAN_OPTIONS='detect_leaks=0')
    return env


def mixed_host(lab, lib_side=OURS, mod_side=OURS, **how):
    """A LibHost of that kind."""
    return lab.lib(lib_side, **plugin_env(lib_side, mod_side), **how)


@contextlib.contextmanager
def served(*plugs):
    """A network inside a process lives as long as somebody calls its vde_recv."""
    stop = serve_in_background(*plugs)
    try:
        yield
    finally:
        stop()


__all__ = ['mixed_host', 'plugin_env', 'served']
