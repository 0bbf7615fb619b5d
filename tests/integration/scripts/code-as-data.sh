# SPDX-License-Identifier: GPL-2.0-or-later
# Who maps a library as a program would and reads it finds the file's bytes.
# needs: python3
for i in {1..10}; do /bin/ls / >/dev/null; done
python3 -c '
import mmap
names = {line.split()[-1] for line in open("/proc/self/maps")}
for name in sorted(names):
    if "/libc.so" in name or "/ld-linux" in name:
        with open(name, "rb") as file:
            code = mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
            print(code[:] == file.read())'
