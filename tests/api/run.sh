#!/bin/sh
# Runs the API suite, two files at a time.  Arguments: test files; default all.
# FANFARE_BIN names the program (default build/fanfare of this checkout).
set -u
cd "$(dirname "$0")" || exit 1

bin=${FANFARE_BIN:-../../build/fanfare}
if [ ! -x "$bin" ]; then
	echo "tests/api: $bin is not there; build it first" >&2
	exit 1
fi
if [ ! -d node_modules/stream-chat ] || [ ! -d node_modules/@stream-io/node-sdk ]; then
	npm ci --silent --no-audit --no-fund || exit 1
fi
[ $# -gt 0 ] || set -- *.test.mjs

# Older runners of node 18 know neither of the two.
flags=
for flag in --test-concurrency=2 --test-timeout=170000; do
	if node --help | grep -q -e "${flag%=*}="; then
		flags="$flags $flag"
	fi
done
# shellcheck disable=SC2086
node --test --test-reporter=${REPORTER:-spec} $flags "$@"
status=$?
echo "tests/api: exit status $status"
exit $status
