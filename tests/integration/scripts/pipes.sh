# SPDX-License-Identifier: GPL-2.0-or-later
# A shell with pipes, and writers that are told that nobody reads.
# needs: awk md5sum
seq 20000 | tee >(md5sum >sum) | awk '{ s += $1 } END { print s }'
yes | head -c 1000000 | cksum
until [ -s sum ]; do sleep 0.01; done
cat sum
false | true
echo ${PIPESTATUS[@]}
