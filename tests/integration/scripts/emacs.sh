# SPDX-License-Identifier: GPL-2.0-or-later
# On a terminal, and in batch.
# needs: emacs script
# large
export TERM=xterm HOME=$PWD
emacs -Q --batch --eval '(progn (princ (* 6 7)) (terpri) (princ (shell-command-to-string "echo shell")))'
echo $?
cat >g.el <<END
(progn (find-file "g") (insert "text") (save-buffer) (kill-emacs 4))
END
script -qec "emacs -Q -nw -l g.el" /dev/null </dev/null >/dev/null
echo $?
cat g
