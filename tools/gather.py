#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Gathers a build tree's products as an installation would lay them out, by hard links.

BUILD/bin has the programs, BUILD/lib the libraries with their sonames, BUILD/lib/vdeplug the
plug-ins. What is there but no longer built is removed.
"""
import json
import os
import subprocess
import sys


def installed(build):
    """(built file, path under the prefix) of everything that would be installed."""
    plan = subprocess.run(["meson", "introspect", "--install-plan", build], check=True,
                          stdout=subprocess.PIPE).stdout
    for source, target in json.loads(plan).get("targets", {}).items():
        yield source, target["destination"]


def place(destination):
    """Where under the build directory an installed path is gathered, or None."""
    for key, folder in (("{bindir}/", "bin/"), ("{sbindir}/", "bin/"),
                        ("{libdir_shared}/", "lib/"), ("{libdir_static}/", "lib/"),
                        ("{moduledir_shared}/", "lib/vdeplug/"), ("{libdir}/", "lib/"),
                        ("{libexecdir}/", "libexec/"),
                        ("{prefix}/lib/vde2/plugins/", "lib/vde2/plugins/")):
        if destination.startswith(key):
            return folder + destination[len(key):]
    return None


def link(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    temporary = f"{target}.{os.getpid()}"
    if os.path.islink(source):
        os.symlink(os.readlink(source), temporary)
    else:
        os.link(source, temporary)
    os.replace(temporary, target)
    if os.path.lexists(temporary):  # both names were already the same file
        os.unlink(temporary)


def library_names(source):
    """The symbolic links beside a versioned library (its soname and the name for the linker)."""
    folder, name = os.path.split(source)
    for entry in os.listdir(folder):
        path = os.path.join(folder, entry)
        if os.path.islink(path) and os.path.realpath(path) == os.path.realpath(source):
            yield entry, path


def main():
    build = sys.argv[1]
    kept = set()
    for source, destination in installed(build):
        where = place(destination)
        if where is None or not os.path.exists(source):
            continue
        target = os.path.join(build, where)
        link(source, target)
        kept.add(target)
        if ".so" in os.path.basename(source):
            for name, path in library_names(source):
                alias = os.path.join(os.path.dirname(target), name)
                link(path, alias)
                kept.add(alias)
    for folder in ("bin", "lib", "lib/vdeplug", "lib/vde2/plugins", "libexec"):
        folder = os.path.join(build, folder)
        for entry in os.listdir(folder) if os.path.isdir(folder) else ():
            path = os.path.join(folder, entry)
            if path not in kept and not os.path.isdir(path):
                os.unlink(path)


main()
