# SPDX-License-Identifier: GPL-2.0-or-later
# For gdb outside a view: gdb -x umvu.gdb -p PID. By this signal the calls of a program are handed over to umvu.
handle SIGSYS nostop noprint pass
