#!/bin/sh
# deps – installs what is missing for $1 (build, test, lint, fuzz); silent and quick when
# nothing is.  Rights are raised only to install.
set -eu
cd "$(dirname "$0")/.."
what=${1:-test}
stamp=build/.deps-$what
clients=tests/api
locked=$clients/package-lock.json
venv=tests/python/.venv
wanted=tests/python/requirements.txt

clients_stale() {
	[ "$what" = test ] && [ -f $locked ] || return 1
	[ ! -f $clients/node_modules/.package-lock.json ] ||
		[ $clients/node_modules/.package-lock.json -ot $locked ]
}

venv_stale() {
	[ "$what" = test ] && [ -f $wanted ] || return 1
	[ ! -f $venv/.installed ] || [ $venv/.installed -ot $wanted ]
}

# Newer than this script and than the last change of the system's packages: nothing to do.
if [ -f "$stamp" ] && [ ! "$stamp" -ot tools/deps.sh ] &&
	[ ! "$stamp" -ot /var/lib/dpkg/status ] && ! clients_stale && ! venv_stale; then
	exit 0
fi
mkdir -p build

# A name per line; a|b|c means: one of them, the first that this release has.
packages() {
	cat <<-'END'
	gcc
	libc6-dev
	make
	meson
	ninja-build
	pkgconf|pkg-config
	libmicrohttpd-dev
	libwslay-dev
	libjansson-dev
	libsqlite3-dev
	libpq-dev
	libssl-dev
	libcurl4-openssl-dev|libcurl4-gnutls-dev
	libnghttp2-dev
	zlib1g-dev
	END
	case $what in test)
		echo libcmocka-dev
		echo sqlite3
		echo postgresql
		command -v curl >/dev/null || echo curl
		command -v python3 >/dev/null || echo python3
		node_is_good || echo nodejs
		command -v npm >/dev/null || echo npm
		python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
	esac
	case $what in lint)
		echo libcmocka-dev
		command -v clang-format-14 >/dev/null || echo 'clang-format-14|clang-format'
		command -v clang-tidy-14 >/dev/null || echo 'clang-tidy-14|clang-tidy'
	esac
	case $what in fuzz)
		command -v clang-14 >/dev/null || echo 'clang-14|clang'
		echo 'libclang-rt-14-dev|libclang-rt-dev'
	esac
}

node_is_good() {
	v=$(node --version 2>/dev/null) || return 1
	v=${v#v}
	[ "${v%%.*}" -ge 18 ]
}

is_installed() {
	case $(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null) in ii*) ;; *) false ;; esac
}

any_installed() (
	IFS='|'
	for p in $1; do is_installed "$p" && exit 0; done
	exit 1
)

first_known() (
	IFS='|'
	for p in $1; do
		last=$p
		apt-cache show "$p" >/dev/null 2>&1 && break
	done
	echo "$last"
)

missing() {
	packages | while read -r p; do any_installed "$p" || echo "$p"; done
}

root() {
	if [ "$(id -u)" = 0 ]; then
		env DEBIAN_FRONTEND=noninteractive "$@"
	else
		sudo -n env DEBIAN_FRONTEND=noninteractive "$@"
	fi
}

# Runs a command whose output matters only when it fails.
quietly() {
	log=build/deps.log
	"$@" >$log 2>&1 </dev/null || {
		cat $log >&2
		echo "deps: failed: $*" >&2
		return 1
	}
}

install_packages() {
	if ! command -v apt-get >/dev/null; then
		echo "deps: please install: $(echo "$lacking" | tr '\n' ' ')" >&2
		return 1
	fi
	if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
		echo "deps: neither root nor sudo; please install: $(echo "$lacking" | tr '\n' ' ')" >&2
		return 1
	fi
	# A package list that cannot be refreshed may still be good enough.
	quietly root apt-get update -qq || true
	names=$(for p in $lacking; do first_known "$p"; done)
	echo "deps: installing" $names
	quietly root apt-get install -y -qq --no-install-recommends \
		-o DPkg::Lock::Timeout=120 $names
}

if command -v dpkg-query >/dev/null; then
	lacking=$(missing)
	[ -z "$lacking" ] || install_packages
else
	# Not Debian: only look.
	for tool in cc meson ninja pkg-config; do
		command -v $tool >/dev/null || { echo "deps: $tool is missing" >&2; exit 1; }
	done
	for lib in libmicrohttpd jansson sqlite3 libpq libcrypto libssl libcurl libnghttp2; do
		pkg-config --exists $lib || { echo "deps: $lib is missing" >&2; exit 1; }
	done
fi

# One test wants a browser, and is skipped without.
if [ "$what" = test ] && command -v dpkg-query >/dev/null && ! is_installed chromium; then
	lacking=chromium
	install_packages || echo "deps: without Chromium the browser test is skipped" >&2
fi

if clients_stale; then
	node_is_good || { echo "deps: node 18 or newer is needed, found $(node --version)" >&2; exit 1; }
	echo "deps: installing the API clients of the tests"
	(cd $clients && exec npm ci --ignore-scripts --no-audit --no-fund) >build/npm.log 2>&1 </dev/null || {
		cat build/npm.log >&2
		echo "deps: npm ci failed" >&2
		exit 1
	}
	# npm keeps the time of an unchanged tree; the comparison above needs today's.
	touch $clients/node_modules/.package-lock.json
fi
if venv_stale; then
	echo "deps: installing the Python clients of the tests"
	{ rm -rf $venv && python3 -m venv $venv && $venv/bin/pip install --disable-pip-version-check \
		--require-hashes -r $wanted; } >build/pip.log 2>&1 </dev/null || {
		cat build/pip.log >&2
		echo "deps: the Python clients cannot be installed" >&2
		exit 1
	}
	touch $venv/.installed
fi
touch "$stamp"
