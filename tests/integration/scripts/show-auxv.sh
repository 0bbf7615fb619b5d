# SPDX-License-Identifier: GPL-2.0-or-later
# What the kernel tells a program.
# needs: sed
LD_SHOW_AUXV=1 /bin/true | sed "s/0x[0-9a-f]*/ADDRESS/" | grep -v SYSINFO
