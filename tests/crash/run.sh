#!/bin/sh
# run – the auditor must find planted faults, then the server is killed inside campaigns and
# the auditor must find none, and their webhooks must be told all the same: run.sh BUILD.
set -u
cd "$(dirname "$0")/../.."
FANFARE_BIN=$(cd "${1:-build}" && pwd)/fanfare
export FANFARE_BIN
passed=0
failed=0

out=$(python3 tests/crash/test_auditor.py 2>&1)
status=$?
echo "$out"
last=$(echo "$out" | tail -n 1)
passed=${last%% passed*}
failed=${last##*passed, }
failed=${failed% failed}
[ $status = 0 ] || [ "$failed" != 0 ] || failed=1

if python3 tests/crash/crash.py --fanfare "$FANFARE_BIN"; then
	passed=$((passed + 2))
else
	failed=$((failed + 1))
fi
if python3 tests/crash/hooks_chaos.py --users 4000 --kills 6 --fanfare "$FANFARE_BIN"; then
	passed=$((passed + 1))
else
	failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
