# SPDX-License-Identifier: GPL-2.0-or-later
"""The `lab` of a test: a short temporary directory, and everything the test started in it."""

import os
import shutil
import tempfile

from . import netns, plugs, ring
from .proc import Proc, run
from .sides import SIDES, clean_env
from .switch import Switch


class Lab:
    """Makes switches, plugs, namespaces and processes, and ends them in reverse order.

    dir: a directory with a short path (sun_path holds 108 bytes). home: an empty $HOME.
    """

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='vs', dir=os.environ.get('VS_TMP', '/tmp'))
        self.home = os.path.join(self.dir, 'home')
        os.mkdir(self.home)
        self.made = []
        self.procs = []

    def path(self, *names):
        """A path in the temporary directory."""
        return os.path.join(self.dir, *names)

    def write(self, name, text, mode=0o644):
        """Make a file in the temporary directory; returns its path."""
        path = self.path(name)
        with open(path, 'wb' if isinstance(text, bytes) else 'w') as stream:
            stream.write(text)
        os.chmod(path, mode)
        return path

    def env(self, side=None, **more):
        """A clean environment; with a side, one in which its library is used."""
        return clean_env(self.home, **(side.environment() if side else {}), **more)

    def keep(self, thing, proc=None):
        """Close the thing at the end of the test, and show the process's log if it fails."""
        self.made.append(thing)
        if proc:
            self.procs.append(proc)
        return thing

    def switch(self, side, *options, name='switch', **how):
        """A running Switch."""
        how.setdefault('env', self.env())
        switch = Switch(side, self.dir, *options, name=name, **how)
        return self.keep(switch, switch.proc)

    def raw(self, switch, **how):
        """A RawPlug on a switch (or on a directory given as a path)."""
        return self.keep(plugs.RawPlug(getattr(switch, 'path', switch), **how))

    def raw_ring(self, switch, **how):
        """A RawRing on a switch (or on a directory given as a path)."""
        return self.keep(ring.RawRing(getattr(switch, 'path', switch), **how))

    def stream(self, side, vnl, *options, env=None, library=None, more=(), pass_fds=()):
        """A StreamPlug: vde_plug of a side on a VNL (None: the default network).

        library: the side whose libvdeplug it shall use, if not its own.
        more: arguments behind the VNL.
        """
        argv = [side.program('vde_plug'), *options]
        argv += ([str(vnl)] if vnl is not None else []) + list(more)
        env = env or self.env(library)
        plug = plugs.StreamPlug(argv, env=env, name=f'vde_plug ({side.name})', pass_fds=pass_fds)
        return self.keep(plug, plug.proc)

    def lib(self, side, *, pass_fds=(), **more_env):
        """A LibHost: a process that has loaded a side's libvdeplug.so.2."""
        library = side.library()
        env = self.env(side, **more_env)
        if side.sanitized():
            env['LD_PRELOAD'] = sanitizer_library()
            env.setdefault('ASAN_OPTIONS', 'detect_leaks=0')
        host = plugs.LibHost(library, env=env, pass_fds=pass_fds)
        return self.keep(host, host.proc)

    def namespace(self, side, *vnls, options=(), name='vdens', env=None):
        """A Namespace made by a side's vdens on these VNLs."""
        space = netns.Namespace(side, [str(vnl) for vnl in vnls], options=options, name=name,
                                env=env or self.env())
        return self.keep(space, space.proc)

    def plain_namespace(self):
        """A Shell in a network namespace without VDE."""
        space = netns.plain_namespace(env=self.env())
        return self.keep(space, space.proc)

    def spawn(self, argv, *, env=None, **how):
        """A running program (Proc)."""
        proc = Proc(argv, env=env or self.env(), **how)
        return self.keep(proc, proc)

    def run(self, argv, *, env=None, **how):
        """Run a program to its end (Result)."""
        return run(argv, env=env or self.env(), **how)

    def close(self):
        """End everything; the first error is raised when all is done."""
        error = None
        for thing in reversed(self.made):
            try:
                thing.close()
            except Exception as failed:     # every other thing still has to be ended
                error = error or failed
        shutil.rmtree(self.dir, ignore_errors=True)
        if error:
            raise error


def sanitizer_library():
    """Path of libasan, which a foreign program needs preloaded for a sanitized library."""
    return run(['gcc', '-print-file-name=libasan.so']).out.strip()


__all__ = ['Lab', 'SIDES']
