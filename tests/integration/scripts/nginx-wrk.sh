# SPDX-License-Identifier: GPL-2.0-or-later
# A server under load, which is told to begin anew and to end.
# needs: nginx wrk curl
p=$(free_port)
seq 3000 >index.html
mkdir logs t
cat >n.conf <<END
worker_processes 2; pid nginx.pid; error_log logs/e; events { worker_connections 256; }
http {
	access_log off; sendfile on; client_body_temp_path t/a; proxy_temp_path t/b; fastcgi_temp_path t/c;
	uwsgi_temp_path t/d; scgi_temp_path t/e;
	server { listen 127.0.0.1:$p; root .; }
}
END
gone() { [ ! -e nginx.pid ]; }
N="nginx -p $PWD/ -c n.conf -e logs/e"
$N
until_true curl -s http://127.0.0.1:$p/
curl -s http://127.0.0.1:$p/ | cksum
wrk -t2 -c32 -d1s http://127.0.0.1:$p/ | grep -c "Non-2xx\|Socket errors"
$N -s reload
until_true curl -s http://127.0.0.1:$p/
$N -s quit
until_true gone
grep -c "alert\|emerg" logs/e
