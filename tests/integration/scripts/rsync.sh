# SPDX-License-Identifier: GPL-2.0-or-later
# Both ends of it, by pipes and by a remote shell.
# needs: rsync
mkdir a
seq 1000 >a/one
ln -s one a/two
rsync -a a/ b
seq 5 >>a/one
rsync -ai --no-times a/ b
printf '#!/bin/sh\nshift\nexec "$@"\n' >remote
chmod 755 remote
rsync -a -e ./remote a/ "host:$PWD/c"
cksum b/* c/*
rsync -a nowhere d 2>&1 | head -1 | cut -c1-20
