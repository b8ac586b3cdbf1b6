#!/bin/sh
# The commands, as a shell sees them: output, exit status, and a real server behind them.
# Usage: run.sh BUILD.  The last line is "N passed, N failed".
set -u
fanfare=$(cd "${1:-build}" && pwd)/fanfare
here=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-cli.XXXXXX")
server=
passed=0
failed=0
unset FANFARE_API_KEY FANFARE_API_SECRET FANFARE_CONFIG FANFARE_URL FANFARE_STORE \
	FANFARE_LISTEN 2>/dev/null

tidy_up() {
	[ -z "$server" ] || kill -9 "$server" 2>/dev/null
	rm -rf "$dir"
}
trap tidy_up EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1

# ---- what is checked ------------------------------------------------------------------

ok() {
	passed=$((passed + 1))
}

not_ok() {
	failed=$((failed + 1))
	echo "FAILED: $name: $1"
	sed 's/^/  out: /' out
	sed 's/^/  err: /' err
}

# name, expected status, command…: leaves its output in the files out and err.
expect() {
	name=$1
	wanted=$2
	shift 2
	"$@" >out 2>err </dev/null
	status=$?
	if [ $status = "$wanted" ]; then ok; else not_ok "status $status instead of $wanted"; fi
}

says() { # file, text
	if grep -qF -- "$2" "$1"; then ok; else not_ok "no \"$2\" in $1"; fi
}

is_empty() {
	if [ ! -s "$1" ]; then ok; else not_ok "$1 is not empty"; fi
}

# ---- a server ---------------------------------------------------------------------------

value() {
	sed -n "s/^.*$1//p" serve.out | head -n 1
}

# Waits until the file $2 has the text $1.
await() {
	tries=0
	until grep -q -- "$1" "$2"; do
		tries=$((tries + 1))
		if [ $tries -gt 600 ] || ! kill -0 "$server" 2>/dev/null; then
			return 1
		fi
		sleep 0.05
	done
}

serve() { # listen address
	: >serve.out
	FANFARE_STORE="sqlite:$dir/t.db" FANFARE_LISTEN=$1 "$fanfare" serve >serve.out 2>serve.err &
	server=$!
	await '^listening on ' serve.out || { echo "the server did not start"; cat serve.err; }
}

stop_server() {
	kill -TERM "$server"
	wait "$server"
	status=$?
	server=
	return $status
}

# ---- help, version, mistakes --------------------------------------------------------------

expect "no command" 2 "$fanfare"
is_empty out
says err "usage: fanfare COMMAND"
expect "--help" 0 "$fanfare" --help
is_empty err
for command in serve token import send inbox; do
	expect "--help" 0 "$fanfare" --help
	says out "  $command"
	expect "$command --help" 0 "$fanfare" $command --help
	says out "usage: fanfare $command"
	is_empty err
done
expect "serve --help names settings" 0 "$fanfare" serve --help
says out "--listen"
says out "FANFARE_API_SECRET"
expect "--version" 0 "$fanfare" --version
says out "fanfare "
expect "unknown command" 2 "$fanfare" nonsense
says err 'there is no command "nonsense"'
expect "unknown option" 2 "$fanfare" send --nonsense
says err "send has no option --nonsense"
expect "unknown setting" 2 "$fanfare" serve --nonsense 1
says err "fanfare: "
expect "secret as a flag" 2 "$fanfare" serve --api-secret x
expect "bad number" 2 "$fanfare" serve --http-threads many
expect "bad level" 2 "$fanfare" serve --log-level loud
says err "log"

# ---- start-up failures: one line, status 1 -------------------------------------------------

for store in "mongodb:x" "sqlite:$dir/none/t.db"; do
	expect "store $store" 1 "$fanfare" serve --listen 127.0.0.1:0 --store "$store"
	says err "fanfare: "
	name="one line for $store"
	if [ "$(wc -l <err)" = 1 ]; then ok; else not_ok "more than one line"; fi
done
expect "bad address" 1 "$fanfare" serve --listen nowhere:x --store "sqlite:$dir/a.db"
says err "fanfare: "
expect "only a key" 1 env FANFARE_API_KEY=k "$fanfare" serve --listen 127.0.0.1:0 \
	--store "sqlite:$dir/b.db"

# ---- token ------------------------------------------------------------------------------------

expect "token without a secret" 2 "$fanfare" token
says err "FANFARE_API_SECRET is not set"
# The header and payload of these are fixed; the signature was computed with openssl.
claims() {
	cut -d. -f2 out | tr '_-' '/+' | sed 's/$/==/' | base64 -d 2>/dev/null
}
expect "token" 0 env FANFARE_API_SECRET=0123456789abcdef "$fanfare" token
name="server token"
if claims | grep -q '"server":true'; then ok; else not_ok "claims: $(claims)"; fi
expect "user token" 0 env FANFARE_API_SECRET=0123456789abcdef "$fanfare" token --user bob \
	--expires 1h
name="user token"
if claims | grep -q '"user_id":"bob"'; then ok; else not_ok "claims: $(claims)"; fi
if claims | grep -q '"exp":'; then ok; else not_ok "claims: $(claims)"; fi
name="signature"
signed=$(cut -d. -f1,2 out | tr -d '\n' |
	openssl dgst -sha256 -hmac 0123456789abcdef -binary | base64 | tr '/+' '_-' | tr -d '=\n')
if [ "$signed" = "$(cut -d. -f3 out)" ]; then ok; else not_ok "openssl says $signed"; fi
expect "token for a bad id" 2 env FANFARE_API_SECRET=x "$fanfare" token --user 'a b'
expect "token for a bad time" 2 env FANFARE_API_SECRET=x "$fanfare" token --expires soon

# ---- clients without a server --------------------------------------------------------------

expect "no key" 2 "$fanfare" inbox ann
says err "FANFARE_API_KEY is not set"
export FANFARE_API_KEY=k FANFARE_API_SECRET=0123456789abcdef
expect "bad URL" 2 env FANFARE_URL=ftp://x "$fanfare" inbox ann
says err "FANFARE_URL"
expect "nobody there" 1 env FANFARE_URL=http://127.0.0.1:9 "$fanfare" inbox ann
says err "http://127.0.0.1:9"
expect "no audience" 2 "$fanfare" send --sender a --text x
says err "--filter"
expect "two audiences" 2 "$fanfare" send --sender a --text x --users b --all-users
expect "no sender" 2 "$fanfare" send --text x --users b
expect "bad filter" 2 "$fanfare" send --sender a --text x --filter '{'
expect "bad custom data" 2 "$fanfare" send --sender a --text x --users b --custom '[]'
expect "bad time" 2 "$fanfare" send --sender a --text x --users b --at soon
expect "no input" 1 "$fanfare" import users "$dir/none.ndjson"
expect "import what" 2 "$fanfare" import messages x

# ---- the first start makes a pair, the second does not -------------------------------------------

unset FANFARE_API_KEY FANFARE_API_SECRET
name="first start"
serve 127.0.0.1:0
cp serve.out out
cp serve.err err
FANFARE_API_KEY=$(value FANFARE_API_KEY=)
FANFARE_API_SECRET=$(value FANFARE_API_SECRET=)
FANFARE_URL=$(value 'listening on ')
says out "FANFARE_API_SECRET="
expect "port in use" 1 env FANFARE_STORE="sqlite:$dir/c.db" FANFARE_LISTEN="${FANFARE_URL#http://}" \
	"$fanfare" serve
expect "store in use" 1 env FANFARE_STORE="sqlite:$dir/t.db" FANFARE_LISTEN=127.0.0.1:0 \
	"$fanfare" serve
name="the store is private"
if [ "$(stat -c %a t.db)" = 600 ]; then ok; else not_ok "mode $(stat -c %a t.db)"; fi
name="SIGTERM"
if stop_server; then ok; else not_ok "status $status"; fi
serve "${FANFARE_URL#http://}"
name="second start"
cp serve.out out
if grep -q SECRET out; then not_ok "the secret is shown again"; else ok; fi
if [ "$(value 'listening on ')" = "$FANFARE_URL" ]; then ok; else not_ok "another address"; fi
export FANFARE_API_KEY FANFARE_API_SECRET FANFARE_URL

# ---- import ---------------------------------------------------------------------------------------

"$here/tools/gen-users" 20000 >users.ndjson
echo '{"id":"ann","name":"Ann"}' >>users.ndjson
expect "import" 0 "$fanfare" import users users.ndjson
says out "imported 20,001 users"
{
	echo '{"id":"bea","name":"Bea"}'
	echo 'not json'
	echo '{"id":"","name":"nobody"}'
	echo '{"id":"cid","name":"Cid \u001b[2J"}'
} >mixed.ndjson
expect "import with bad lines" 1 "$fanfare" import users mixed.ndjson
says out "imported 2 users, 2 lines failed"
says err "line 2: "
says err "line 3: "
name="import from a pipe"
cat users.ndjson | "$fanfare" import users - >out 2>err
if [ $? = 0 ]; then ok; else not_ok "status"; fi
says out "imported 20,001 users"
printf '\n\n \n' >blank.ndjson
expect "nothing but blank lines" 0 "$fanfare" import users blank.ndjson
says out "imported 0 users"
# Bad lines keep their numbers beyond the first chunk.
{ "$here/tools/gen-users" 12000; echo '[]'; } >late.ndjson
expect "a bad line far down" 1 "$fanfare" import users late.ndjson
says err "line 12001: "

name="import across a restart"
kill -9 "$server"
wait "$server" 2>/dev/null
server=
"$fanfare" import users users.ndjson >out 2>err &
import=$!
tries=0
until grep -q 'trying again' err || [ $tries -gt 200 ]; do
	tries=$((tries + 1))
	sleep 0.05
done
serve "${FANFARE_URL#http://}"
if wait $import; then ok; else not_ok "status"; fi
says out "imported 20,001 users"

# ---- send and inbox -------------------------------------------------------------------------------

expect "empty inbox" 0 "$fanfare" inbox bea
says out "no messages"
channel="--create-channels --channel-id {{receiver.id}}-{{sender.id}}"
expect "send to users" 0 "$fanfare" send --sender ann --users bea,cid,ann $channel \
	--text 'Hi {{ receiver.name }}, from {{ sender.name }}' --name "First"
says out "completed"
says out "is_sender 1"
expect "inbox" 0 "$fanfare" inbox bea
says out "messaging:bea-ann"
says out "Ann: Hi Bea, from Ann"
expect "inbox is disarmed" 0 "$fanfare" inbox cid
says out "Hi Cid ?[2J"
expect "inbox of nobody" 1 "$fanfare" inbox nobody
says err "nobody"
expect "send to a filter" 0 "$fanfare" send --sender ann --filter '{"country":"NO"}' $channel \
	--text 'Hei {{ receiver.name }}'
wanted=$(grep -c '"country":"NO"' users.ndjson)
name="all of the filter"
if grep -Eq "sent +$wanted\$" out; then ok; else not_ok "not $wanted"; fi
cut -d'"' -f4 users.ndjson >ids
expect "more than 10,000 ids" 0 "$fanfare" send --sender ann --users ./ids $channel --text 'All'
name="all ids"
if grep -Eq 'sent +20,000$' out; then ok; else not_ok "not 20,000"; fi
expect "inbox, newest first" 0 "$fanfare" inbox user-000001 --limit 1
says out "Ann: All"
expect "unknown sender" 1 "$fanfare" send --sender nobody --users bea --text x
says err "nobody"
expect "bad template" 1 "$fanfare" send --sender ann --users bea --text '{{ x'
says err "text"
expect "no wait" 0 "$fanfare" send --sender ann --users bea $channel --text x --no-wait
name="an id"
if grep -Eqx '[0-9a-f-]{36}' out; then ok; else not_ok "no id"; fi

name="Ctrl-C leaves the campaign alone"
"$fanfare" send --sender ann --users bea $channel --text later --at 2999-01-01T00:00:00Z >out 2>err &
watcher=$!
await 'scheduled for' err
kill -TERM $watcher
wait $watcher
status=$?
if [ $status = 130 ]; then ok; else not_ok "status $status"; fi
says err "The campaign goes on"

name="the way to stop it"
campaign=$(grep -Eo '[0-9a-f]{8}-[0-9a-f-]{27}' err | head -n 1)
PATH=${fanfare%/*}:$PATH sh -c "$(grep -A1 curl err)" >out 2>/dev/null
says out '"status":"stopped"'

# ---- the end ------------------------------------------------------------------------------------------

name="the server stops cleanly"
cp serve.err err
if stop_server; then ok; else not_ok "status $status"; fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
