# SPDX-License-Identifier: GPL-2.0-or-later
# The same of another kind.
# needs: screen
export TERM=xterm SCREENDIR=$PWD/s
mkdir -m 700 s
gone() { ! screen -ls | grep -q one; }
screen -c /dev/null -dmS one sh -c "echo started >file; exec cat"
until_true test -s file
screen -S one -X stuff "typed^M"
screen -ls | grep -c one
screen -S one -X quit
until_true gone
cat file
