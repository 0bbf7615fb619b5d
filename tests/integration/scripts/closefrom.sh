# SPDX-License-Identifier: GPL-2.0-or-later
# Everything is closed, and then a program executed.
# needs: python3
exec 5</dev/null 7</dev/null 200</dev/null
python3 -c '
import os
os.closerange(3, 1 << 20)
print(os.listdir("/proc/self/fd"))
os.execvp("echo", ["echo", "after"])'
