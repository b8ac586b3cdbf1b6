#!/bin/sh
# run – the program on partitioned tables: run.sh BUILD.  The last line is "N passed, N failed";
# exits 77 when PostgreSQL cannot be had.
cd "$(dirname "$0")/../.." || exit 1
tests/lib/pg.sh find >/dev/null || exit
exec python3 tests/partition/partition.py --users 10000 --fanfare "${1:-build}/fanfare"
