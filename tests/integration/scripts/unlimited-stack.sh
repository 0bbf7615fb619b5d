# SPDX-License-Identifier: GPL-2.0-or-later
# Without a limit on the stack the kernel puts mappings elsewhere.
# needs: python3
ulimit -s unlimited
sh -c "echo fine"
python3 -c "print(1)"
ls /proc/self/exe
