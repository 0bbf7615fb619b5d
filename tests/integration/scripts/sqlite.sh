# SPDX-License-Identifier: GPL-2.0-or-later
# A data base that several processes have mapped and locked.
# needs: sqlite3
sqlite3 d.db <<END
pragma journal_mode=wal;
create table t(n);
with recursive c(x) as (values(1) union all select x + 1 from c where x < 20000) insert into t select x from c;
select sum(n) from t;
pragma integrity_check;
END
for i in 1 2 3 4; do sqlite3 -cmd ".timeout 20000" d.db "insert into t values($i)" & done
wait
sqlite3 d.db "select count(*) from t"
