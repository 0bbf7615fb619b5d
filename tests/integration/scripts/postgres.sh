# SPDX-License-Identifier: GPL-2.0-or-later
# A server of many processes with shared memory, under a load of queries.
# needs: pg_ctl pgbench
# large
export PGDATA=$PWD/data PGHOST=$PWD PGUSER=me
initdb -A trust -U me -N >/dev/null 2>&1
echo $?
pg_ctl -w -o "-k $PWD -h '' -c fsync=off" -l log start >/dev/null
echo $?
createdb t
pgbench -i -q -s 1 t >/dev/null 2>&1
echo $?
pgbench -n -S -c 4 -j 2 -t 500 t 2>/dev/null | grep -a "processed\|failed"
pgbench -n -c 4 -j 2 -t 100 t 2>/dev/null | grep -a processed
psql -At -c "select count(*) from pgbench_history" t
pg_ctl -w -m fast stop >/dev/null
echo $?
grep -c "PANIC\|terminated by signal" log
