#!/bin/sh
# floors – fails when a file includes a header of a floor above its own (ARCHITECTURE.md):
# base → store | net → domain → engine | courier → api → main; those on one level are blind to
# each other.
set -eu
cd "$(dirname "$0")/../src"
exec awk '
BEGIN {
	level["base"] = 0; level["store"] = 1; level["net"] = 1; level["domain"] = 2
	level["engine"] = 3; level["courier"] = 3; level["api"] = 4; level["main"] = 5
}
/^#[ \t]*include[ \t]*"/ {
	split(FILENAME, own, "/")
	split($0, quoted, "\"")
	if (split(quoted[2], target, "/") < 2 || !(target[1] in level)) {
		printf "src/%s:%d: \"%s\" is not written as \"floor/file.h\"\n", FILENAME, FNR, quoted[2]
		bad = 1
	} else if (level[target[1]] > level[own[1]] ||
		(level[target[1]] == level[own[1]] && target[1] != own[1])) {
		printf "src/%s:%d: %s must not include %s\n", FILENAME, FNR, own[1], quoted[2]
		bad = 1
	}
}
END { exit bad }' */*.[ch]
