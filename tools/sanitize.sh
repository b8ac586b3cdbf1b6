#!/bin/sh
# sanitize – runs the suites in a build with the sanitizers $1, in the folder $2.
set -eu
cd "$(dirname "$0")/.."
[ -f "$2/build.ninja" ] || meson setup "$2" -Db_sanitize="$1" -Db_lundef=false >/dev/null
ninja -C "$2" --quiet fanfare
# A report ends the process, so that no suite can overlook it.
export ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
SUITES=${SUITES:-unit unit_pg api api_pg} exec tools/test.sh "$2"
