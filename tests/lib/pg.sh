#!/bin/sh
# pg – a throw-away PostgreSQL for tests: pg.sh start DIR prints its URL; pg.sh stop DIR ends
# it and removes DIR.  As an operator would: restart DIR MODE (fast, immediate), halt DIR MODE
# and resume DIR, which keep it; standby DIR URL makes a hot standby of the server at URL and
# prints its own, promote DIR makes it a primary.  find tells where PostgreSQL is.
# It listens on a free port of 127.0.0.1 and on a socket in DIR, as Debian's package brings it.
set -eu

find_bin() {
	for bin in ${FANFARE_PG_BIN:-} /usr/lib/postgresql/*/bin; do
		[ ! -x "$bin/initdb" ] || newest=$bin
	done
	[ -n "${newest:-}" ] || { echo "pg: PostgreSQL is not installed" >&2; exit 77; }
	bin=$newest
}

# The server refuses to run as root.
as_owner() {
	if [ "$(id -u)" = 0 ]; then
		runuser -u postgres -- "$@"
	else
		"$@"
	fi
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

make_dir() {
	mkdir -p "$dir"
	[ "$(id -u)" != 0 ] || chown postgres "$dir"
	chmod 755 "$dir"
}

# Starts what lies in $dir/data and prints its URL.
launch() {
	# The port may be taken between asking and binding.
	for _ in 1 2 3 4 5; do
		port=$(free_port)
		echo "port = $port" >>"$dir/data/postgresql.conf"
		if as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/data/server.log" -w -t 60 start \
			>"$dir.log" 2>&1; then
			rm -f "$dir.log"
			echo "postgresql://fanfare@127.0.0.1:$port/postgres"
			exit 0
		fi
	done
	cat "$dir.log" "$dir/data/server.log" >&2
	exit 1
}

start() {
	make_dir
	as_owner "$bin/initdb" -D "$dir/data" -U fanfare -A trust -E UTF8 --locale=C.UTF-8 -N \
		>"$dir.log" 2>&1 || { cat "$dir.log" >&2; exit 1; }
	cat >>"$dir/data/postgresql.conf" <<-END
		listen_addresses = '127.0.0.1'
		unix_socket_directories = '$dir'
		max_connections = 300
		shared_buffers = ${FANFARE_PG_BUFFERS:-128MB}
		max_wal_size = 2GB
		log_min_messages = warning
		${FANFARE_PG_CONF:-}
	END
	launch
}

standby() { # URL
	make_dir
	as_owner "$bin/pg_basebackup" -d "$1" -D "$dir/data" -R -c fast -N \
		>"$dir.log" 2>&1 || { cat "$dir.log" >&2; exit 1; }
	echo "unix_socket_directories = '$dir'" >>"$dir/data/postgresql.conf"
	launch
}

stop() {
	as_owner "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1 || true
	rm -rf "$dir"
}

control() { # arguments of pg_ctl…
	as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/data/server.log" -w -t 60 "$@" >/dev/null
}

if [ $# -lt 2 ] && [ "${1:-}" != find ]; then
	echo "usage: pg.sh start|stop|restart|halt|resume|standby|promote DIR [MODE|URL]" >&2
	exit 2
fi
find_bin
dir=${2:-}
cd /
case $1 in
find) echo "$bin" ;;
start) start ;;
stop) stop ;;
restart) control -m "${3:-fast}" restart ;;
halt) control -m "${3:-fast}" stop ;;
resume) control start ;;
standby) standby "$3" ;;
promote) control promote ;;
*) echo "pg: what is $1?" >&2; exit 2 ;;
esac
