#!/bin/sh
# run – PostgreSQL as it fails in life, and both stores giving the same answers: run.sh BUILD.
# The last line is "N passed, N failed"; exits 77 when PostgreSQL cannot be had.
set -u
cd "$(dirname "$0")/../.." || exit 1
FANFARE_BIN=$(cd "${1:-build}" && pwd)/fanfare
export FANFARE_BIN
tests/lib/pg.sh find >/dev/null || exit

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# The full form of the chaos is a command of its own; here it is small, and always the same.
run() {
	case $1 in
	chaos)
		if python3 tests/crash/pg_chaos.py --faults 15 --users 20000 --seed 7 \
			--fanfare "$FANFARE_BIN"; then
			echo "1 passed, 0 failed"
		else
			echo "0 passed, 1 failed"
		fi
		;;
	*) python3 "tests/pg/test_$1.py" ;;
	esac
}

# Each has servers of its own and mostly waits for them: two lanes, of about the same length.
lane() {
	for name in "$@"; do
		run "$name" >"$out/$name.log" 2>&1
	done
}

lane outage start courier &
lane chaos commit same disk secrets
wait

passed=0
failed=0
for log in "$out"/*.log; do
	echo "== $(basename "$log" .log)"
	cat "$log"
	last=$(tail -n 1 "$log")
	case $last in
	*' passed, '*' failed')
		p=${last%% passed*}
		f=${last##*passed, }
		f=${f% failed}
		;;
	*) p=0 f=1 ;;
	esac
	passed=$((passed + p))
	failed=$((failed + f))
done
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed != 0 ]
