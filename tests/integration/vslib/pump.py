# SPDX-License-Identifier: GPL-2.0-or-later
"""Run as a program: LIBRARY FEATURES VNL VNL: carries frames between two networks in batches."""

import ctypes
import select
import sys

COUNT, SIZE = 32, 65557


class Vnet(ctypes.Structure):
    """struct vde_vnet"""
    _fields_ = [('flags', ctypes.c_uint8), ('gso_type', ctypes.c_uint8)] + [
        (name, ctypes.c_uint16) for name in ('hdr_len', 'gso_size', 'csum_start', 'csum_offset',
                                             'num_buffers')]


class Frame(ctypes.Structure):
    """struct vde_frame"""
    _fields_ = [('data', ctypes.c_void_p), ('len', ctypes.c_size_t), ('flags', ctypes.c_uint32),
                ('vnet', Vnet)]


def main():
    """Opens both, says so, and carries until one ends."""
    lib = ctypes.CDLL(sys.argv[1], use_errno=True)
    lib.vde_open_real.restype = ctypes.c_void_p
    lib.vde_features.restype = ctypes.c_uint64
    conns = []
    for vnl in sys.argv[3:]:
        conn = lib.vde_open_real(vnl.encode(), b'pump', 1, None)
        assert conn, ctypes.get_errno()
        conns.append(ctypes.c_void_p(conn))
        features = int(sys.argv[2])
        assert lib.vde_features(conns[-1], ctypes.c_uint64(features)) & 0xff == features
    room = [ctypes.create_string_buffer(SIZE) for _ in range(COUNT)]
    frames = (Frame * COUNT)()
    descriptors = [lib.vde_datafd(conn) for conn in conns]
    print('ready', flush=True)
    while True:
        for ready in select.select(descriptors, [], [])[0]:
            source = descriptors.index(ready)
            for frame, data in zip(frames, room):
                frame.data, frame.len = ctypes.addressof(data), SIZE
            count = lib.vde_recv_batch(conns[source], frames, COUNT)
            if count < 0:
                return
            lib.vde_send_batch(conns[1 - source], frames, count)


main()
