# SPDX-License-Identifier: GPL-2.0-or-later
# Many files.
# needs: tar perl grep
mkdir p
for i in {1..200}; do seq $i $((i * 20)) >p/$i; done
tar cf - p | tee t.tar | tar tf - | wc -l
rm -r p
tar xf t.tar
grep -rc 17 p | sort | cksum
perl -e '$n++ while glob "p/*"; print "$n\n"; print map { "$_ " } sort { $b <=> $a } 1 .. 9'
