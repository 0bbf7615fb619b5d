# SPDX-License-Identifier: GPL-2.0-or-later
# Namespaces of users, mounts and processes, as an ordinary user.
# needs: unshare
unshare -Ur sh -c "id -u; cat /proc/self/uid_map"
unshare -Urmp --fork sh -c 'mount -t proc proc /proc 2>/dev/null; echo $$; readlink /proc/self/exe'
echo $?
