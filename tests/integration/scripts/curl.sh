# SPDX-License-Identifier: GPL-2.0-or-later
# A client, and a server in Python.
# needs: curl python3
seq 5000 >file
p=$(free_port)
python3 -m http.server --bind 127.0.0.1 $p >/dev/null 2>&1 &
server=$!
until_true curl -s http://127.0.0.1:$p/
for i in {1..10}; do curl -s http://127.0.0.1:$p/file; done | cksum
curl -s -Z --parallel-max 8 http://127.0.0.1:$p/file http://127.0.0.1:$p/file 2>/dev/null | cksum
curl -s -o /dev/null -w "%{http_code}\n" http://127.0.0.1:$p/none
kill $server
wait $server
echo $?
