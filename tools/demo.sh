#!/bin/sh
# demo – a server on a fresh store, 60,000 users, one campaign, and what its receivers see.
set -eu
cd "$(dirname "$0")/.."
fanfare=$(cd "${1:-build}" && pwd)/fanfare
users=${USERS:-60000}
dir=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-demo.XXXXXX")
server=

# The server that this script started, and no other, and its files.
tidy_up() {
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
	fi
	rm -rf "$dir"
}
trap tidy_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [ -t 1 ]; then
	bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[0m')
else
	bold= dim= plain=
fi
step() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
told() { printf '%s$ %s%s\n' "$dim" "$1" "$plain"; }

step "A server on an empty store"
told "fanfare serve"
unset FANFARE_API_KEY FANFARE_API_SECRET FANFARE_CONFIG FANFARE_URL || true
FANFARE_STORE="sqlite:$dir/demo.db" FANFARE_LISTEN=127.0.0.1:0 \
	"$fanfare" serve >"$dir/serve.out" 2>"$dir/serve.log" &
server=$!
tries=0
until grep -q '^listening on ' "$dir/serve.out"; do
	tries=$((tries + 1))
	if ! kill -0 "$server" 2>/dev/null || [ $tries -gt 300 ]; then
		echo "the server did not start:" >&2
		cat "$dir/serve.log" >&2
		exit 1
	fi
	sleep 0.1
done
value() { sed -n "s/^.*$1//p" "$dir/serve.out"; }
FANFARE_URL=$(value 'listening on ')
FANFARE_API_KEY=$(value FANFARE_API_KEY=)
FANFARE_API_SECRET=$(value FANFARE_API_SECRET=)
export FANFARE_URL FANFARE_API_KEY FANFARE_API_SECRET
echo "listening on $FANFARE_URL"

step "$(echo "$users" | sed ':a; s/\B[0-9]\{3\}\b/,&/; ta') users, as NDJSON"
echo '{"id":"harbour","name":"Harbour News"}' >"$dir/users.ndjson"
tools/gen-users "$users" >>"$dir/users.ndjson"
printf '%s' "$dim"
sed -n 2p "$dir/users.ndjson"
printf '%s' "$plain"
told "fanfare import users users.ndjson"
"$fanfare" import users "$dir/users.ndjson"

step "One campaign to everybody who joined since 2020, each in a channel of their own"
text='Hi {{ receiver.name }}! {% if receiver.plan == "free" %}Pro is on us this month.{% else %}You have {{ receiver.points }} points.{% endif %}'
filter='{"created_at": {"$gte": "2020-01-01T00:00:00Z"}}'
told "fanfare send --sender harbour --filter '$filter' --create-channels \\
      --channel-id '{{receiver.id}}-harbour' \\
      --text '$text'"
"$fanfare" send --sender harbour --name "Harbour autumn" --filter "$filter" \
	--create-channels --channel-id '{{receiver.id}}-harbour' --text "$text"

step "What three of them see"
for plan in free pro team; do
	id=$(grep "\"plan\":\"$plan\"" "$dir/users.ndjson" |
		sed -n '$s/^{"id":"\([^"]*\)".*/\1/p')
	told "fanfare inbox $id"
	"$fanfare" inbox "$id" --limit 1
done

kill "$server"
wait "$server" || { echo "the server did not stop cleanly" >&2; cat "$dir/serve.log" >&2; exit 1; }
server=

step "Try next"
cat <<END
  build/fanfare serve                 a server that stays; it prints its keys once
  build/fanfare send --help           schedules, segments, lists of users, attachments
  new StreamChat(key, secret, { baseURL: 'http://127.0.0.1:8080' })
                                      the client you already use, unchanged
END
