#!/bin/sh
# test – runs every suite against the build in $1; the last line is "N passed, N failed".
# SUITES="unit api" picks some; those named …_pg are the same suites on PostgreSQL.  A suite that ran nothing counts as a failure.
# Two lanes of suites run beside each other: most of them wait more than they work.
set -u
cd "$(dirname "$0")/.."
build=${1:-build}
out=$build/test-logs
lane_sqlite='unit api cli crash python'
lane_pg='unit_pg api_pg pg python_pg partition'
suites=${SUITES:-$lane_sqlite $lane_pg}
mkdir -p "$out"
rm -f "$out"/*.count

count() { # name passed failed
	if [ $(($2 + $3)) = 0 ]; then
		echo "$1: ran nothing"
		set -- "$1" 0 1
	fi
	printf '%-10s %5d passed, %d failed\n' "$1:" "$2" "$3"
	echo "$2 $3" >"$out/$1.count"
}

# One line per test program in TAP; what is not a line "ok" is shown.
suite_unit() { # name suites-of-meson…
	name=$1
	shift
	rm -f "$build/meson-logs/$name.junit.xml"
	# shellcheck disable=SC2046
	meson test -C "$build" --no-rebuild --logbase "$name" $(printf ' --suite %s' "$@") \
		--print-errorlogs >"$out/$name.log" 2>&1
	ended=$?
	[ $ended = 0 ] || cat "$out/$name.log"
	set -- $(python3 - "$build/meson-logs/$name.junit.xml" 2>/dev/null <<-'END'
		import sys
		import xml.etree.ElementTree as tree
		good = bad = 0
		for case in tree.parse(sys.argv[1]).iter('testcase'):
		    if case.find('failure') is not None or case.find('error') is not None:
		        bad += 1
		    elif case.find('skipped') is None:
		        good += 1
		print(good, bad)
		END
	)
	# A program that was killed has no line that says so.
	[ $ended = 0 ] || [ "${2:-0}" != 0 ] || set -- "${1:-0}" 1
	count "$name" "${1:-0}" "${2:-0}"
}

# The stock clients against the real binary.
suite_api() { # name
	name=$1
	FANFARE_BIN=$(cd "$build" && pwd)/fanfare node --test --test-reporter=spec \
		--test-reporter-destination=stdout --test-reporter=tap \
		--test-reporter-destination="$out/$1.tap" tests/api/*.test.mjs >"$out/$1.log" 2>&1 ||
		cat "$out/$1.log"
	set -- $(awk '
		/^# (pass|fail|cancelled) [0-9]+$/ { n[$2] = $3 }
		END { print n["pass"] + 0, n["fail"] + n["cancelled"] }' "$out/$name.tap")
	count "$name" "${1:-0}" "${2:-0}"
}

# A suite again, on a throw-away PostgreSQL that lives as long as it.
on_pg() { # suite name arguments…
	pg=$(mktemp -d /tmp/fanfare-pg-XXXXXX) && chmod 755 "$pg" || exit 1
	# What it keeps outlives nothing but its own processes.
	FANFARE_TEST_PG=$(FANFARE_PG_CONF='fsync = off' tests/lib/pg.sh start "$pg/pg")
	status=$?
	if [ $status = 77 ]; then
		echo "$2: SKIPPED, PostgreSQL is not installed and cannot be"
	elif [ $status = 0 ]; then
		export FANFARE_TEST_PG
		# The schema is made once and copied for each store.
		if psql -X -q -d "$FANFARE_TEST_PG" -c 'CREATE DATABASE fanfare_made TEMPLATE template0' &&
			"$build/fanfare" migrate --store "${FANFARE_TEST_PG%/*}/fanfare_made" >/dev/null; then
			export FANFARE_TEST_PG_TEMPLATE=fanfare_made
		fi
		"$@"
	else
		count "$2" 0 1
	fi
	unset FANFARE_TEST_PG FANFARE_TEST_PG_TEMPLATE
	[ $status != 0 ] || tests/lib/pg.sh stop "$pg/pg"
	rm -rf "$pg"
}

# Any other suite is a script tests/NAME/run.sh BUILD that ends with the same last line.
suite_script() { # name folder
	"tests/${2:-$1}/run.sh" "$build" >"$out/$1.log" 2>&1
	status=$?
	if [ $status = 77 ]; then
		echo "$1: SKIPPED, PostgreSQL is not installed and cannot be"
		return
	fi
	# What could not be tried here is said, also when the rest passes.
	sed -n "s/^SKIPPED /$1: SKIPPED /p" "$out/$1.log"
	last=$(tail -n 1 "$out/$1.log")
	case $last in
	*' passed, '*' failed')
		p=${last%% passed*}
		f=${last##*passed, }
		f=${f% failed}
		;;
	*) p=0 f=0 ;;
	esac
	[ $status = 0 ] && [ "$f" = 0 ] || cat "$out/$1.log"
	[ $status = 0 ] || [ "$f" != 0 ] || f=1
	count "$1" "$p" "$f"
}

run() { # suite
	case $1 in
	unit) suite_unit unit unit ;;
	api) suite_api api ;;
	unit_pg) on_pg suite_unit unit_pg domain engine ;;
	api_pg) on_pg suite_api api_pg ;;
	python_pg) on_pg suite_script python_pg python ;;
	*) [ ! -x "tests/$1/run.sh" ] || suite_script "$1" ;;
	esac
}

# What a suite says is shown when it ends, whole.
lane() { # suites…
	for suite in "$@"; do
		case " $suites " in
		*" $suite "*)
			{
				run "$suite"
				[ -e "$out/$suite.count" ] || grep -q SKIPPED "$out/$suite.said" ||
					count "$suite" 0 1
			} >"$out/$suite.said" 2>&1
			flock "$out" cat "$out/$suite.said"
			;;
		esac
	done
}

# Configured before cmocka was there (make demo came first): look again.
grep -q cmocka "$build/build.ninja" || meson setup --reconfigure "$build" >"$out/setup.log" 2>&1
ninja -C "$build" >"$out/build.log" 2>&1 || { cat "$out/build.log"; echo "0 passed, 1 failed"; exit 1; }
# shellcheck disable=SC2086
lane $lane_sqlite &
# shellcheck disable=SC2086
lane $lane_pg
wait
cat "$out"/*.count | awk '
	{ passed += $1; failed += $2 }
	END { printf "%d passed, %d failed\n", passed, failed; exit failed != 0 || passed == 0 }'
