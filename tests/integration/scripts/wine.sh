# SPDX-License-Identifier: GPL-2.0-or-later
# Programs for Windows have their thread's block at the GS base, and a server beside them.
# needs: wine wineserver
# large
export HOME=$PWD WINEPREFIX=$PWD/prefix WINEDEBUG=-all
unset DISPLAY
wine cmd /c "echo hello & set /a 6*7 & exit 5" 2>/dev/null
echo $?
echo text >g
wine cmd /c "type g" 2>/dev/null
echo $?
wineserver -k
wineserver -w
echo $?
