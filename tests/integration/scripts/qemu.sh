# SPDX-License-Identifier: GPL-2.0-or-later
# An emulator, which translates code while it runs: to the end of a kernel that finds no root.
# needs: qemu-system-x86_64
# large
printf "info status\nquit\n" | qemu-system-x86_64 -accel tcg -M pc -m 64 -display none -S -monitor stdio |
	tr -d "\r" | grep -a "VM status"
kernel=$VS_KERNEL
[ -e "$kernel" ] || exit 0
timeout 200 qemu-system-x86_64 -accel tcg -m 256 -display none -no-reboot -kernel "$kernel" \
	-append "console=ttyS0 panic=-1 quiet" -serial stdio </dev/null | grep -a -c "Unable to mount root"
