# SPDX-License-Identifier: GPL-2.0-or-later
# A shell that forks without exec.
# needs: busybox
busybox sh -c 'trap "echo trap" USR1
kill -USR1 $$
seq 100 | awk "{ s += \$1 } END { print s }"
(sleep 100 & kill $!; wait $!; echo $?)
find .
ls | wc -l
vi --help 2>&1 | head -1'
