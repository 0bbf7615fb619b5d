# SPDX-License-Identifier: GPL-2.0-or-later
# valgrind, a static program at a place of its own, which makes calls for another.
# needs: valgrind gcc
# large
gcc -g -pthread -o t "$SOURCES/threads.c"
valgrind -q --error-exitcode=3 sh -c "echo hi; exit 4"
echo $?
valgrind -q ./t
echo $?
