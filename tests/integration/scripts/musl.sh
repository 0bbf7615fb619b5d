# SPDX-License-Identifier: GPL-2.0-or-later
# The same with musl's library.
# needs: musl-gcc
musl-gcc -O2 -static -o static "$SOURCES/threads.c" && ./static
echo $?
musl-gcc -O2 -o dynamic "$SOURCES/threads.c" && ./dynamic
