# SPDX-License-Identifier: GPL-2.0-or-later
# What a program that crashed has left is what gdb reads of it.
# needs: gdb gcc
cat >crash.c <<'END'
#include <signal.h>
#include <stddef.h>
static int inner(volatile int *where)
{
	return *where + 1;
}
int outer(int deep)
{
	return deep ? outer(deep - 1) + 1 : inner(NULL);
}
int main(void)
{
	return outer(3);
}
END
gcc -g -O0 -o crash crash.c
ulimit -c unlimited
./crash
echo $?
gdb -batch -nx -ex bt -ex 'info sharedlibrary' -ex 'p $_siginfo.si_signo' ./crash core* 2>&1 |
	sed 's/0x[0-9a-f]*/ADDRESS/g; s/process [0-9]*/process/; s/LWP [0-9]*/LWP/' | grep -v warning
