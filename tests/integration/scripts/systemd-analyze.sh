# SPDX-License-Identifier: GPL-2.0-or-later
# A user of seccomp.
# needs: systemd-analyze
systemd-analyze calendar --base-time=2020-01-01 "Mon *-*-* 10:00" | head -4
systemd-analyze timespan 1h30min
systemd-analyze syscall-filter @io | cksum
printf "[Service]\nExecStart=/bin/true\n" >x.service
systemd-analyze verify ./x.service
echo $?
