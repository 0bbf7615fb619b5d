# SPDX-License-Identifier: GPL-2.0-or-later
# Threads, fork and a shell from C, linked both ways.
# needs: gcc
gcc -O2 -pthread -o dynamic "$SOURCES/threads.c" && ./dynamic
echo $?
gcc -O2 -static -pthread -o static "$SOURCES/threads.c" && ./static
