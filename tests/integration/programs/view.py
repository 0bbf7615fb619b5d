# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls of a view (vuctl), for scripts that tests run inside: exec(open(...).read())."""

import ctypes
import os

LIBC = ctypes.CDLL(None, use_errno=True)
GETINFO, SETNAME, GET_TAGS, ADD_TAGS, DEL_TAGS, TAG_NAME, SET_COLOR, PROCESSES = 1, 2, 3, 4, 5, 6, 7, 64


def vuctl(tag, *arguments):
    """The result, or the error's name."""
    ctypes.set_errno(0)
    result = LIBC.syscall(ctypes.c_long(-4), ctypes.c_long(tag),
                          *[ctypes.c_void_p(word) if isinstance(word, int) else word for word in arguments])
    import errno
    return result if result >= 0 else errno.errorcode[ctypes.get_errno()]


def info():
    """Server and name of the view."""
    buffer = ctypes.create_string_buffer(520)
    assert vuctl(GETINFO, buffer) == 0
    return buffer.raw[390:455].split(b'\0')[0].decode(), buffer.raw[455:].split(b'\0')[0].decode()


def text_of(tag, *arguments, before=True):
    """What a call writes to a buffer."""
    buffer = ctypes.create_string_buffer(64)
    assert vuctl(tag, *([buffer, 64, *arguments] if before else [*arguments, buffer, 64])) == 0
    return buffer.value.decode()


def processes():
    """[(pid, parent, start, program)]."""
    buffer = ctypes.create_string_buffer(vuctl(PROCESSES, 0, 0) + 100000)
    assert vuctl(PROCESSES, buffer, len(buffer)) > 0
    return [(int(pid), int(parent), int(start), program) for pid, parent, start, program in
            (line.split(' ', 3) for line in os.fsdecode(buffer.value).splitlines())]
