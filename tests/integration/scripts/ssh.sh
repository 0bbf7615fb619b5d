# SPDX-License-Identifier: GPL-2.0-or-later
# A server with a filter for calls and separated privilege, and its client.
# needs: sshd ssh ssh-keygen
# large root
mkdir -p /run/sshd
p=$(free_port)
ssh-keygen -q -t ed25519 -N "" -f host
ssh-keygen -q -t ed25519 -N "" -f key
cp key.pub auth
chmod 600 auth
/usr/sbin/sshd -D -f /dev/null -h $PWD/host -p $p -o ListenAddress=127.0.0.1 -o StrictModes=no \
	-o AuthorizedKeysFile=$PWD/auth -o PidFile=none -o UsePAM=no -E log &
server=$!
S="ssh -F none -p $p -i key -o StrictHostKeyChecking=no -o UserKnownHostsFile=known -o LogLevel=ERROR"
S="$S -o BatchMode=yes root@127.0.0.1"
until_true $S true
$S "echo over ssh; exit 6"
echo $?
seq 20000 | $S "cat | wc -l"
$S -tt "tty >/dev/null && echo terminal"
kill $server
wait $server 2>/dev/null
true
