#!/usr/bin/env python3
"""bench – the figures of the product, measured through the real server.

For each size and kind of user ids: users are imported, a campaign goes to all of them over
new channels, a second one over the channels that now exist, two over channels whose ids
must be stored, new and existing ones, a third such with a client that writes all the while, and the same rows are
written by a hand-written INSERT … SELECT in one transaction to a copy of the same store. Ratios
are of one run: absolute figures belong to a machine. Prints a table for people on standard
output, and one JSON line per run to the file named by BENCH_JSON.

STORE=postgresql runs on a throw-away PostgreSQL instead of SQLite, with a third campaign by
one worker, and a fourth by two processes of one worker.

Usage: bench.py [--size 60k,1M] [--ids ordered,uuid] [--dir DIR] [--fanfare build/fanfare]
"""
import argparse
import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import pg  # noqa: E402
from server import KEY, SECRET, Server  # noqa: E402

TEXT = ("Hello {{ receiver.name }}, your {{ receiver.plan }} plan in {{ receiver.country }} has a new "
        "offer this week: open the app to see what {{ sender.name }} picked for you.")
BARE_SQL = """
PRAGMA synchronous = FULL; PRAGMA cache_size = -24576; PRAGMA temp_store = MEMORY;
.timer on
BEGIN IMMEDIATE;
INSERT INTO channels (no, origin, created_at)
    SELECT uid * 4096 + 1, 1, {now} FROM users WHERE id <> 'sender' ORDER BY uid;
INSERT INTO messages (key, channel, created_at, text)
    SELECT {key} + uid, uid * 4096 + 1, {now}, 'Hello ' || name || ', your ' ||
    json_extract(custom, '$.plan') || ' plan in ' || json_extract(custom, '$.country') ||
    ' has a new offer this week: open the app to see what Sender picked for you.'
    FROM users WHERE id <> 'sender' ORDER BY uid;
COMMIT;
"""


BARE_PG = """
\\timing on
BEGIN;
INSERT INTO channels (no, origin, created_at)
    SELECT uid * 4096 + 1, 1, {now} FROM users WHERE id <> 'sender' ORDER BY uid;
INSERT INTO messages (key, channel, created_at, text)
    SELECT {key} + uid, uid * 4096 + 1, {now}, 'Hello ' || name || ', your ' ||
    (custom ->> 'plan') || ' plan in ' || (custom ->> 'country') ||
    ' has a new offer this week: open the app to see what Sender picked for you.'
    FROM users WHERE id <> 'sender' ORDER BY uid;
COMMIT;
"""


class SqliteStore:
    name = "sqlite"

    def __init__(self, folder):
        self.url, self.copy = os.path.join(folder, "bench.db"), os.path.join(folder, "bare.db")

    def size(self):
        return os.path.getsize(self.url)

    def settle(self):
        os.sync()

    def bare(self):
        """The same rows by hand-written SQL, everything in one transaction: the limit."""
        shutil.copyfile(self.url, self.copy)
        os.sync()
        text = BARE_SQL.format(now=int(time.time() * 1e6), key=1)
        out = subprocess.run(["sqlite3", self.copy], input=text, capture_output=True, text=True, check=True).stdout
        os.unlink(self.copy)
        os.sync()
        return sum(float(line.split()[3]) for line in out.splitlines() if line.startswith("Run Time"))

    def close(self):
        pass


class PgStore:
    name = "postgresql"
    server = None

    def __init__(self, folder):
        PgStore.server = PgStore.server or pg.Postgres()
        self.url = self.server.database()

    def size(self):
        return int(pg.sql(self.url, "SELECT pg_database_size(current_database())"))

    def settle(self):
        """As a server that runs for days: no check point and no first autovacuum meanwhile."""
        pg.sql(self.url, "VACUUM (ANALYZE)")
        pg.sql(self.url, "CHECKPOINT")

    def bare(self):
        copy = self.server.database(pg.name_of(self.url))
        pg.sql(copy, "CHECKPOINT")
        out = pg.sql(copy, BARE_PG.format(now=int(time.time() * 1e6), key=1))
        self.server.drop(copy)
        return sum(float(line.split()[1]) / 1000 for line in out.splitlines() if line.startswith("Time:"))

    def close(self):
        self.server.drop(self.url)


def users_file(path, n, kind):
    rng = random.Random(n)
    names = ["Ada Berg", "Bao Chen", "Chloé Moreau", "Dana Novák", "Elif Kaya", "Hugo García", "Mia Olsen"]
    countries = ["NO", "SE", "DE", "FR", "US", "JP", "BR"]
    plans = ["free", "basic", "pro", "team"]
    with open(path, "w") as f:
        f.write('{"id":"sender","name":"Sender"}\n')
        for i in range(n):
            ident = f"user-{i:09d}" if kind == "ordered" else str(uuid.UUID(int=rng.getrandbits(128), version=4))
            f.write('{"id":"%s","name":"%s","country":"%s","plan":"%s","points":%d,"nick":"%s"}\n' % (
                ident, names[i % 7], countries[i * 31 % 7], plans[i * 17 % 4], i % 1000, ident[-12:]))


def import_users(binary, server, path):
    env = dict(os.environ, FANFARE_API_KEY=KEY, FANFARE_API_SECRET=SECRET, FANFARE_URL=server.url)
    began = time.monotonic()
    subprocess.run([binary, "import", "users", path], env=env, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def run_campaign(server, n, ident, kind="messaging", channel="{{receiver.id}}-{{sender.id}}"):
    """Sends to everybody; seconds from start to completed, as the server's stats say."""
    server.call("POST", "/campaigns", {
        "id": ident, "sender_id": "sender", "segment_ids": ["everyone"], "create_channels": True,
        "channel_template": {"type": kind, "id": channel},
        "message_template": {"text": TEXT}})
    began = time.monotonic()
    server.call("POST", f"/campaigns/{ident}/start", {})
    slowest = 0
    while True:
        asked = time.monotonic()
        campaign = server.call("GET", f"/campaigns/{ident}")["campaign"]
        slowest = max(slowest, time.monotonic() - asked)
        if campaign["status"] == "completed":
            break
        time.sleep(0.005 if n <= 100_000 else 0.05)
    seconds = time.monotonic() - began
    if campaign["stats"]["messages_sent"] != n:
        sys.exit(f"bench: {campaign['stats']}")
    return seconds, slowest


class ClientThatWrites(threading.Thread):
    """Upserts one user after the other until it is told to stop; how long each call took."""

    def __init__(self, server):
        super().__init__()
        self.connection = http.client.HTTPConnection(server.url.split("//")[1], timeout=60)
        self.headers, self.took, self.over = server.headers, [], threading.Event()
        self.start()

    def run(self):
        body = json.dumps({"users": {"sender": {"id": "sender", "name": "Sender"}}})
        while not self.over.wait(0.001):
            began = time.monotonic()
            self.connection.request("POST", "/users?api_key=" + KEY, body, self.headers)
            answer = self.connection.getresponse()
            answer.read()
            if answer.status != 201:
                sys.exit(f"bench: POST /users: {answer.status}")
            self.took.append(time.monotonic() - began)

    def p99_ms(self):
        self.over.set()
        self.join()
        return 1000 * sorted(self.took)[len(self.took) * 99 // 100]


def stored_ids(binary, store, n, figures):
    """Ids of no form: each is looked up, and stored with its channel."""
    for kind, figure in (("gaming", "stored_per_s"), ("gaming", "stored_existing_per_s"), ("commerce", None)):
        store.settle()
        server = Server(binary, store.url)
        client = None if figure else ClientThatWrites(server)
        seconds, _ = run_campaign(server, n, figure or "beside", kind, "{{receiver.nick}}-x")
        if figure:
            figures[figure] = n / seconds
        else:
            figures["write_p99_ms"] = client.p99_ms()
        figures["peak_mib"] = max(figures["peak_mib"], server.peak_mib())
        server.stop()


def add_targets(server, n, kind, path):
    """10,000 ids a call, in random order, to a list segment."""
    ids = [json.loads(line)["id"] for line in open(path)][1:]
    random.Random(7).shuffle(ids)
    server.call("POST", "/segments", {"id": "list", "type": "user"})
    calls = [{"target_ids": ids[i:i + 10000]} for i in range(0, len(ids), 10000)]
    bodies = [json.dumps(c) for c in calls]
    began = time.monotonic()
    for body in bodies:
        server.connection.request("POST", "/segments/list/addtargets?api_key=" + KEY, body, server.headers)
        answer = server.connection.getresponse()
        if answer.status != 201:
            sys.exit(f"bench: addtargets: {answer.read()!r}")
        answer.read()
    seconds = time.monotonic() - began
    size = server.call("GET", "/segments/list")["segment"]["size"]
    if size != n:
        sys.exit(f"bench: the segment has {size} targets, not {n}")
    return n / seconds


def run(binary, folder, n, kind):
    store = (PgStore if os.environ.get("STORE") == "postgresql" else SqliteStore)(folder)
    ndjson = os.path.join(folder, "users.ndjson")
    figures = {"store": store.name, "recipients": n, "ids": kind}
    users_file(ndjson, n, kind)
    server = Server(binary, store.url)
    figures["import_per_s"] = n / import_users(binary, server, ndjson)
    server.call("POST", "/segments", {"id": "everyone", "type": "user", "all_users": True})
    server.stop()
    before = store.size()
    bare_s = store.bare()
    store.settle()
    server = Server(binary, store.url)
    new_s, slow1 = run_campaign(server, n, "first")
    figures["new_s"], figures["new_per_s"] = new_s, n / new_s
    figures["peak_mib"] = server.peak_mib()
    server.stop()
    figures["bytes_each"] = (store.size() - before) / n
    store.settle()
    server = Server(binary, store.url)
    old_s, slow2 = run_campaign(server, n, "second")
    figures["existing_per_s"] = n / old_s
    figures["peak_mib"] = max(figures["peak_mib"], server.peak_mib())
    figures["slowest_get_ms"] = 1000 * max(slow1, slow2)
    if n <= 1_000_000:
        figures["addtargets_per_s"] = add_targets(server, n, kind, ndjson)
    server.stop()
    stored_ids(binary, store, n, figures)
    if store.name == "postgresql":
        store.settle()
        # One worker each, so that the second process has a core to win.
        for count, figure, kind in ((1, "one_per_s", "team"), (2, "two_per_s", "livestream")):
            servers = [Server(binary, store.url, workers=1) for _ in range(count)]
            seconds, _ = run_campaign(servers[0], n, figure, kind)
            figures[figure] = n / seconds
            for server in servers:
                server.stop()
            store.settle()
    store.close()
    figures["bare_per_s"] = n / bare_s
    figures["ratio_to_bare"] = figures["new_per_s"] / figures["bare_per_s"]
    return figures


def parse_size(text):
    return int(float(text[:-1]) * {"k": 1e3, "M": 1e6}[text[-1]]) if text[-1] in "kM" else int(text)


COLUMNS = [("store", "store", "{}"), ("recipients", "recipients", "{:,}"), ("ids", "user ids", "{}"), ("new_s", "new: s", "{:.2f}"),
           ("new_per_s", "new: per s", "{:,.0f}"), ("existing_per_s", "existing: per s", "{:,.0f}"),
           ("stored_per_s", "stored ids, new: per s", "{:,.0f}"), ("stored_existing_per_s", "existing: per s", "{:,.0f}"),
           ("write_p99_ms", "API write p99 ms", "{:.0f}"),
           ("one_per_s", "1 worker: per s", "{:,.0f}"),
           ("two_per_s", "2 processes of 1 worker: per s", "{:,.0f}"), ("bare_per_s", "bare SQL: per s", "{:,.0f}"), ("ratio_to_bare", "ratio", "{:.2f}"),
           ("bytes_each", "bytes each", "{:.0f}"), ("peak_mib", "peak MiB", "{:.0f}"),
           ("slowest_get_ms", "slowest GET ms", "{:.0f}"), ("addtargets_per_s", "addtargets ids/s", "{:,.0f}"),
           ("import_per_s", "import users/s", "{:,.0f}")]


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    default = os.environ.get("BENCH_SIZE", "")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="60k,1M" + ("," + default if default else ""))
    parser.add_argument("--ids", default="ordered,uuid")
    parser.add_argument("--dir", default=None, help="where the stores go (default: a temporary folder)")
    parser.add_argument("--fanfare", default=os.path.join(here, "../../build/fanfare"))
    args = parser.parse_args()
    rows = []
    print(" | ".join(title for _, title, _ in COLUMNS))
    for size in dict.fromkeys(args.size.split(",")):
        for kind in args.ids.split(","):
            with tempfile.TemporaryDirectory(dir=args.dir, prefix="fanfare-bench-") as folder:
                figures = run(args.fanfare, folder, parse_size(size), kind)
            rows.append(figures)
            print(" | ".join(form.format(figures[name]) if name in figures else "–"
                             for name, _, form in COLUMNS), flush=True)
            if os.environ.get("BENCH_JSON"):
                with open(os.environ["BENCH_JSON"], "a") as f:
                    f.write(json.dumps(figures) + "\n")
    summarise(rows)


def summarise(rows):
    rate = {(r["recipients"], r["ids"]): r["new_per_s"] for r in rows}
    million = rate.get((1_000_000, "ordered"))
    if million and (1_000_000, "uuid") in rate:
        print(f"1 M with UUID ids / ordered ids: {rate[(1_000_000, 'uuid')] / million:.2f}")
    if million and (10_000_000, "ordered") in rate:
        print(f"10 M / 1 M: {rate[(10_000_000, 'ordered')] / million:.2f}")


if __name__ == "__main__":
    main()
