# SPDX-License-Identifier: GPL-2.0-or-later
# A build, whose outcome is the same to the byte.
# needs: gcc make
mkdir src
for i in {1..12}; do echo "int f$i(int x) { return x * $i + 1; }" >src/f$i.c; done
{
	echo "#include <stdio.h>"
	for i in {1..12}; do echo "int f$i(int);"; done
	echo "int main(void) { int x = 1;"
	for i in {1..12}; do echo "x = f$i(x) % 9973;"; done
	echo 'printf("%d\n", x); return 0; }'
} >src/main.c
cat >Makefile <<'END'
p: $(patsubst %.c,%.o,$(wildcard src/*.c))
	@gcc -o p $^
%.o: %.c
	@gcc -O2 -Wall -c -o $@ $<
END
make -j2 && ./p
make
touch src/f3.c
make -n | cksum
cksum p
