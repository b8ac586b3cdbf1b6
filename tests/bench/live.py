#!/usr/bin/env python3
"""live – what it costs to be heard: from a commit to the socket, and to the campaign.

* latency: while a campaign runs at full speed, messages are sent through the API into channels
  that clients watch.  Timed is until a client (build/crowd) has the frame.  The commit lies between two moments:
  with PostgreSQL it remembers one, before it waits for the disk; with SQLite there is created_at, which the
  transaction began with; the other, of API messages, is when their answer was read.
* speed: the same campaign to the same users with no socket, with sockets of users that it does not reach
  (idle), and with sockets of users that it does (each is told of his new channel and of his message), taking turns.
  CPU seconds of the server's process beside it: other work on the machine disturbs them less.
* fan-out: from the first commit to the last byte read by 10,000 clients, build/crowd: messages in one channel that
  all of them watch, and campaigns whose only receivers are they, into new channels and into old ones.

STORE=postgresql runs on a throw-away PostgreSQL instead of SQLite.

Usage: live.py [--users 200k] [--sockets 10000] [--rounds 5] [--parts latency,speed,fan-out] [--dir DIR] [--fanfare build/fanfare]
"""
import argparse
import calendar
import hashlib
import hmac
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

from bench import PgStore, SqliteStore, import_users, parse_size, pg, users_file
from server import KEY, SECRET, Client, Server, b64

MESSAGES = 50  # in a channel that all watch


def user_token(ident):
    head = b64(b'{"alg":"HS256","typ":"JWT"}') + b"." + b64(json.dumps({"user_id": ident}).encode())
    return (head + b"." + b64(hmac.new(SECRET.encode(), head, hashlib.sha256).digest())).decode()


def micros(text):
    """2026-01-02T03:04:05.678901Z as microseconds."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) * 1000000 + int(fraction.ljust(6, "0")[:6])


class House:
    def __init__(self, args, folder, users):
        self.args = args
        if os.environ.get("STORE") == "postgresql":
            PgStore.server = pg.Postgres(own=True, conf="track_commit_timestamp = on")
            self.store = PgStore(folder)
        else:
            self.store = SqliteStore(folder)
        self.server = Server(args.fanfare, self.store.url, connections=args.sockets + 1000, rate_limit=100000000,
                             log=os.path.join(folder, "log"))
        ndjson = os.path.join(folder, "users.ndjson")
        users_file(ndjson, users, "ordered")
        import_users(args.fanfare, self.server, ndjson)
        with open(ndjson) as f:
            self.idents = [json.loads(line)["id"] for line in f]
        self.server.call("POST", "/users", {"users": {"news": {"id": "news"}}})
        self.server.call("POST", "/segments", {"id": "all", "type": "user", "filter": {"id": {"$gte": self.idents[0]}}})

    def start(self, ident, segment="all", channels=None):
        self.server.call("POST", "/campaigns", {
            "id": ident, "sender_id": "news", "segment_ids": [segment], "create_channels": True,
            "channel_template": {"type": "messaging", "id": "{{receiver.id}}-" + (channels or ident)},
            "message_template": {"text": "Hello {{receiver.name}}, " + "x" * 100}})
        self.server.call("POST", f"/campaigns/{ident}/start", {})

    def look(self, ident):
        return self.server.call("GET", f"/campaigns/{ident}?limit=1")["campaign"]

    def finish(self, ident):
        """Recipients per second, by the server's own times."""
        while (campaign := self.look(ident))["status"] != "completed":
            time.sleep(0.01)
        stats = campaign["stats"]
        return stats["audience"] * 1e6 / (micros(stats["stats_completed_at"]) - micros(stats["stats_started_at"]))

    def committed_at(self):
        """When messages became visible, by their created_at, in microseconds; where the store does not know it, nothing."""
        if self.store.name != "postgresql":
            return {}
        rows = pg.sql(self.store.url, "SELECT DISTINCT created_at, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint FROM messages")
        return dict(map(int, row.split("|")) for row in rows.split())

    def close(self):
        self.server.stop()
        self.store.close()


def p99(values):
    return sorted(values)[min(len(values) - 1, len(values) * 99 // 100)] / 1000


class Guests:
    """Connected users in a process of their own (build/crowd)."""

    def __init__(self, house, idents):
        program = os.path.join(os.path.dirname(os.path.abspath(house.args.fanfare)), "crowd")
        host, port = house.server.url.split("//")[1].split(":")
        self.process = subprocess.Popen([program, host, port], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for ident in idents:
            hello = urllib.parse.quote(json.dumps({"user_id": ident, "user_details": {"id": ident}}))
            self.process.stdin.write(f"+ /connect?json={hello}&api_key={KEY}&authorization={user_token(ident)}&stream-auth-type=jwt\n")
        self.ids = self.ask("!", len(idents))

    def ask(self, order, lines):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        answer = [self.process.stdout.readline().strip() for _ in range(lines)]
        if not answer[-1]:
            sys.exit("live: the crowd has gone")
        return answer

    def hear(self, events):
        """When the last of so many was read, in microseconds."""
        return int(self.ask(f"= {events}", 1)[0])

    def hear_each(self, events):
        """When each was made and when it was read, in microseconds."""
        return [(micros(made), int(came)) for made, came in map(str.split, self.ask(f"? {events}", events))]

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def latency(house, watchers):
    """How many API messages; p99 in milliseconds, of their events, the same since their answers, and of the events of the campaign's own messages."""
    idents = house.idents[::len(house.idents) // watchers][:watchers]
    for ident in idents:
        house.server.call("POST", f"/channels/messaging/talk-{ident}/query", {"data": {"members": [ident, "news"], "created_by_id": "news"}})
    guests = Guests(house, idents)
    for ident, connection in zip(idents, guests.ids):
        house.server.call("POST", f"/channels/messaging/talk-{ident}/query?connection_id={connection}&user_id={ident}", {"watch": True, "state": True})
    client = Client(house.server.url)

    def send(ident):
        return client.call("POST", f"/channels/messaging/talk-{ident}/message", {"message": {"text": "x", "user_id": "news"}})

    # A server is not started for each campaign: the statements of both ways have been prepared.
    house.server.call("POST", "/segments", {"id": "first", "type": "user"})
    house.server.call("POST", "/segments/first/addtargets", {"target_ids": idents[:1]})
    house.start("first", "first")
    house.finish("first")
    for _ in range(5):
        send(idents[0])
    guests.hear(2 + 5)
    house.start("latency")
    answered = {}  # when, by created_at
    while house.look("latency")["status"] != "completed" or len(answered) < 500:
        for _ in range(5):
            answer = send(idents[len(answered) % len(idents)])
            answered[micros(answer["message"]["created_at"])] = time.time_ns() // 1000
    heard = guests.hear_each(len(answered) + 2 * len(idents))  # of the campaign's: his new channel and the message
    guests.close()
    since = house.committed_at()
    api = [(made, came) for made, came in heard if made in answered]
    own = [came - since.get(made, made) for made, came in heard if made not in answered]
    if len(api) != len(answered):
        sys.exit("live: not all API messages were heard")
    return len(answered), *map(p99, ([came - since.get(made, made) for made, came in api], [came - answered[made] for made, came in api], own))


def cpu_seconds(house):
    with open(f"/proc/{house.server.process.pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def speed(house, sockets, rounds):
    """Per kind of sockets: median recipients/s and CPU seconds, of rounds that take turns."""
    inside = house.idents[::max(1, len(house.idents) // sockets)][:sockets]
    kinds = {"no": [], "idle": [f"idle-{k}" for k in range(sockets)], "hearing": inside}
    figures = {kind: ([], []) for kind in kinds}
    # Into channels that are there: new ones would make each campaign slower than the one before.
    house.start("warm", channels="speed")
    house.finish("warm")
    for i in range(rounds):
        for kind in list(kinds) if i % 2 == 0 else reversed(kinds):
            guests = Guests(house, kinds[kind]) if kinds[kind] else None
            time.sleep(1)  # connecting has written; the disk is to have settled
            before = cpu_seconds(house)
            house.start(f"{kind}-{i}", channels="speed")
            figures[kind][0].append(house.finish(f"{kind}-{i}"))
            if kind == "hearing":
                guests.hear(len(inside))
            figures[kind][1].append(cpu_seconds(house) - before)
            if guests:
                guests.close()
    return {kind: tuple(map(statistics.median, both)) for kind, both in figures.items()}


def fan_out(house, sockets):
    """Events/s to sockets: of messages to watchers, of a campaign into new channels, of one into old ones."""
    idents = house.idents[:sockets]
    guests = Guests(house, idents)
    client = Client(house.server.url)
    client.call("POST", "/channels/livestream/hall/query", {"data": {"created_by_id": "news"}})
    for ident, connection in zip(idents, guests.ids):
        client.call("POST", f"/channels/livestream/hall/query?connection_id={connection}&user_id={ident}", {"watch": True, "state": False})
    began = time.time_ns() // 1000
    for i in range(MESSAGES):
        client.call("POST", "/channels/livestream/hall/message", {"message": {"text": "x" * 100, "user_id": "news"}})
    figures = [MESSAGES * sockets * 1e6 / (guests.hear(MESSAGES * sockets) - began)]
    for i, events in ((0, 2), (1, 1)):  # his new channel and the message; the message
        house.server.call("POST", "/segments", {"id": f"guests-{i}", "type": "user"})
        for at in range(0, sockets, 10000):
            house.server.call("POST", f"/segments/guests-{i}/addtargets", {"target_ids": idents[at:at + 10000]})
        house.start(f"guests-{i}", f"guests-{i}", "guests")
        last = guests.hear(events * sockets)
        house.finish(f"guests-{i}")
        figures.append(events * sockets * 1e6 / (last - micros(house.look(f"guests-{i}")["stats"]["stats_started_at"])))
    guests.close()
    return figures


def show_latency(house, users):
    sent, api, answered, own = latency(house, 200)
    since = "the commit, before its flush," if house.store.name == "postgresql" else "created_at"
    print(f"{house.store.name}: from {since} to the frame, while {users:,} recipients are sent to, p99: {api:.1f} ms of {sent} API messages "
          f"({answered:.1f} ms from their answers), {own:.1f} ms of the campaign's events to 200 receivers", flush=True)


def show_speed(house, args):
    figures = speed(house, args.sockets, args.rounds)
    for kind, (rate, cpu) in figures.items():
        print(f"{house.store.name}: campaign with {kind} sockets: {rate:,.0f} recipients/s, ratio {rate / figures['no'][0]:.3f}; "
              f"CPU {cpu:.2f} s, ratio {cpu / figures['no'][1]:.3f}", flush=True)


def show_fan_out(house, args):
    watched, made, again = fan_out(house, args.sockets)
    print(f"{house.store.name}: events/s to {args.sockets:,} sockets, from the first commit to the last read: messages to watchers {watched:,.0f}, "
          f"campaign into new channels {made:,.0f}, into old ones {again:,.0f}", flush=True)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", default="200k")
    parser.add_argument("--sockets", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts", default="latency,speed,fan-out", help="which of them, in this order")
    parser.add_argument("--dir", default=None, help="where the stores go (default: a temporary folder)")
    parser.add_argument("--fanfare", default=os.path.join(here, "../../build/fanfare"))
    args = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * args.sockets + 8000), hard))
    users = parse_size(args.users)
    with tempfile.TemporaryDirectory(dir=args.dir, prefix="fanfare-bench-") as folder:
        house = House(args, folder, users)
        if "latency" in args.parts:
            show_latency(house, users)
        if "speed" in args.parts:
            show_speed(house, args)
        if "fan-out" in args.parts:
            show_fan_out(house, args)
        house.close()


if __name__ == "__main__":
    main()
