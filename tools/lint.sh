#!/bin/sh
# lint – format, floors, sizes, lone headers, lists of files, the page of compatibility, clang-tidy; uses the build in $1.
set -u
cd "$(dirname "$0")/.."
build=${1:-build}
failed=0

newest() { # the tool of version 14, for which the settings were written, or what there is
	command -v "$1-14" || command -v "$1"
}

check() { # title command…
	title=$1
	shift
	if "$@" >"$build/lint.log" 2>&1; then
		echo "ok      $title"
	else
		cat "$build/lint.log"
		echo "FAILED  $title"
		failed=1
	fi
}

sources() {
	find src tests tools fuzz \( -name node_modules -o -name .venv \) -prune -o -name "$1" -print 2>/dev/null
}

format() {
	"$(newest clang-format)" --dry-run -Werror $(sources '*.[ch]')
}

sizes() {
	wc -l $(sources '*.[ch]') |
		awk '$2 != "total" && $1 > 800 { print $2 ": " $1 " lines, 800 are the limit"; bad = 1 }
			END { exit bad }'
}

# Each header as a program of its own: it must bring what it needs.
headers() {
	bad=0
	for h in $(cd src && ls ./*/*.h); do
		echo "#include \"${h#./}\"" |
			cc -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror -Isrc -I"$build/src" \
				$(pkg-config --cflags libpq) -fsyntax-only -x c - || bad=1
	done
	return $bad
}

# What no meson.build names is neither built nor tested.
listed() {
	bad=0
	for f in $(find src tests/unit -name '*.c' -o -path 'src/*' -name '*.sql'); do
		dir=$(dirname "$f")
		while [ ! -f "$dir/meson.build" ]; do
			dir=$(dirname "$dir")
		done
		grep -qF "'${f#"$dir"/}'" "$dir/meson.build" && continue
		echo "$f: not in $dir/meson.build"
		bad=1
	done
	return $bad
}

# With flags of its own: those of the build are gcc's.  check… folder…
tidy() {
	checks=$1
	shift
	find "$@" -name '*.c' -print0 | xargs -0 -P "$(nproc)" -I '{}' \
		"$(newest clang-tidy)" --quiet --warnings-as-errors='*' --checks="$checks" '{}' -- \
		-std=gnu17 -D_GNU_SOURCE -DFANFARE_VERSION='"lint"' -Isrc -I"$build/src" \
		$(pkg-config --cflags libmicrohttpd jansson sqlite3 libpq libcrypto libssl libcurl libnghttp2)
}

check "floors" tools/floors.sh
check "sizes" sizes
check "format" format
check "headers" headers
check "listed" listed
check "compatibility" tools/compat.py
check "clang-tidy" tidy '' src fuzz
# The analyzer does not know that a failed assertion of cmocka ends the test; what a tool does
# inside is tested by including it.
check "clang-tidy (tests)" tidy '-clang-analyzer-*,-bugprone-suspicious-include' tests/unit
exit $failed
