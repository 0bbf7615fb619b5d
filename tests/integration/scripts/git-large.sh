# SPDX-License-Identifier: GPL-2.0-or-later
# Many files, threads, children.
# needs: git
export GIT_CONFIG_NOSYSTEM=1 HOME=$PWD GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=b GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=b GIT_AUTHOR_DATE=2020-01-01T00:00:00Z GIT_COMMITTER_DATE=2020-01-01T00:00:00Z
git init -q -b main r
cd r
for i in {1..50}; do mkdir d$i; seq $i $((i * 40)) >d$i/f; done
git add .
git commit -qm one
for i in {1..50}; do echo $i >>d$i/f; done
git status --short | cksum
git commit -qam two
git gc -q
git log --stat | cksum
git clone -q . ../c
git -C ../c fsck
git grep -c 39 | cksum
