# SPDX-License-Identifier: GPL-2.0-or-later
# On a terminal.
# needs: vim script
export TERM=xterm HOME=$PWD
printf "one\ntwo\n" >f
cat >v <<END
%s/o/0/g
normal Gothree
r !echo shell
wq
END
script -qec "vim -u NONE -n -S v f" /dev/null </dev/null >/dev/null
echo $?
cat f
vim -u NONE -es -c "echo 7*6" -c q f
echo $?
