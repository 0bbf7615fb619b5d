#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes which system calls the resident makes for itself, by its sources.

  gen_own_calls.py DIRECTORY OUTPUT

A denial of one of them would stop the resident, and all programs with it (confine.c). The output is not
touched when nothing has changed.
"""

import pathlib
import re
import sys

CALL = re.compile(r'NATIVE\(\s*__NR_(\w+)|\$__NR_(\w+),|\b(?:raw|call|by_\w+)\[7\] = \{ __NR_(\w+)')
HEAD = '/* SPDX-License-Identifier: GPL-2.0-or-later */\n/* Made by gen_own_calls.py; do not edit. */\n'


def calls(directory):
    """The names, sorted."""
    found = set()
    for path in sorted(directory.rglob('*.[chS]')):
        for matched in CALL.finditer(path.read_text(encoding='utf-8')):
            found.add(next(name for name in matched.groups() if name))
    return sorted(found)


def main(arguments):
    if len(arguments) != 2:
        print('usage: gen_own_calls.py DIRECTORY OUTPUT', file=sys.stderr)
        return 2
    names = calls(pathlib.Path(arguments[0]))
    if 'mmap' not in names or 'rt_sigreturn' not in names:
        print(f'gen_own_calls.py: no calls in {arguments[0]}', file=sys.stderr)
        return 1
    text = HEAD + '#pragma once\n\nstatic const char *const own_calls[] = {\n'
    text += ''.join(f'\t"{name}",\n' for name in names) + '};\n'
    output = pathlib.Path(arguments[1])
    if not output.exists() or output.read_text(encoding='utf-8') != text:
        output.write_text(text, encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
