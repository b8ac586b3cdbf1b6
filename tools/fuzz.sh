#!/bin/sh
# fuzz – builds each fuzz/fuzz_NAME.c with libFuzzer and runs it for SECONDS (60).
set -eu
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-60}
clang=$(command -v clang-14 || command -v clang)
libs="libmicrohttpd jansson sqlite3 libpq libcrypto libssl libcurl libnghttp2 zlib"
mkdir -p build-fuzz/src/store

[ -f build-fuzz/build.ninja ] || CC=$clang meson setup build-fuzz \
	-Db_sanitize=address,undefined -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link >/dev/null
ninja -C build-fuzz --quiet libfanfare.a
for source in fuzz/fuzz_*.c; do
	[ -f "$source" ] || { echo "fuzz: there are no targets"; exit 1; }
	name=$(basename "$source" .c)
	$clang -std=gnu17 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -Isrc \
		-Ibuild-fuzz/src "$source" build-fuzz/libfanfare.a $(pkg-config --libs $libs) -lwslay -lm \
		-o "build-fuzz/$name"
	mkdir -p "build-fuzz/corpus/$name"
	echo "$name"
	"build-fuzz/$name" -max_total_time="$seconds" -verbosity=0 -print_final_stats=1 \
		"build-fuzz/corpus/$name" $(ls -d "fuzz/corpus/$name" 2>/dev/null || true)
done
