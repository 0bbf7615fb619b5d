# SPDX-License-Identifier: GPL-2.0-or-later
# A server in the background, with pseudo-terminals.
# needs: tmux
export TERM=xterm TMUX_TMPDIR=$PWD
T="tmux -f /dev/null -L x"
shows() { $T capture-pane -p -t one | grep -c typed | grep -q 2; }
gone() { ! $T ls; }
$T new-session -d -s one -x 80 -y 24 cat
$T send-keys -t one typed Enter
until_true shows
$T capture-pane -p -t one | sed "/^$/d"
$T split-window -t one "sleep 100"
$T list-panes -t one -F "#P #{pane_width}"
$T kill-server
echo $?
until_true gone
