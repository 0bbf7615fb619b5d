# SPDX-License-Identifier: GPL-2.0-or-later
# A compiler with threads and children, and what it has made.
# needs: cargo
# large root
export CARGO_HOME=$PWD/c
cargo new -q --vcs none p
cd p
cargo build -q --offline && cargo run -q --offline
cargo test -q --offline | tail -2 | sed "s/finished in .*//"
