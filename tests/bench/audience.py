#!/usr/bin/env python3
"""audience – how fast it is found whom a campaign goes to, through the real server.

* filter: users that a filter of three predicates on custom fields, none of them indexed, picks
  out of all; what is timed is the planning of a campaign to them, its few batches included.
* plan: the plan of a campaign to 25 segments that overlap, each target standing in four of them,
  with the memory that it took.

STORE=postgresql runs on a throw-away PostgreSQL instead of SQLite.

Usage: audience.py [--users 1M] [--targets 10M] [--dir DIR] [--fanfare build/fanfare]
"""
import argparse
import json
import os
import re
import sys
import tempfile
import time

from bench import PgStore, SqliteStore, import_users, parse_size, users_file
import pg
from server import Server

SEGMENTS, OVERLAP = 25, 4
FILTER = {"$and": [{"country": {"$in": ["NO", "SE"]}}, {"points": {"$gt": 900}}, {"plan": "pro"}]}
# Copies of the chunks of the list (domain/uidset.h), so that ten million ids are sent only once.
COPY = """
INSERT INTO targets (key, n, uids, created_at)
    SELECT t.key - (l.no << 24) + (s.no << 24), t.n, t.uids, t.created_at
    FROM targets t, segments l, segments s
    WHERE l.id = 'list' AND s.id = 'part-{i}' AND (t.key >> 24) = l.no
    AND ((t.key & 16777215) + {i}) % {segments} < {overlap};
UPDATE segments SET size = (SELECT SUM(n) FROM targets WHERE (key >> 24) = no) WHERE id = 'part-{i}';
"""


class House:
    """A server on an empty store, and its log."""

    def __init__(self, args, folder):
        self.binary, self.folder, self.log = args.fanfare, folder, os.path.join(folder, "log")
        self.store = (PgStore if os.environ.get("STORE") == "postgresql" else SqliteStore)(folder)

    def start(self):
        self.server = Server(self.binary, self.store.url, log=self.log)
        self.call = self.server.call

    def settle(self):
        """Starts anew, the caches empty of what went before."""
        self.server.stop()
        self.store.settle()
        self.start()

    def sql(self, text):
        """Runs statements while no server does."""
        self.server.stop()
        if self.store.name == "postgresql":
            pg.sql(self.store.url, text)
        else:
            import sqlite3
            with sqlite3.connect(self.store.url) as db:
                db.executescript(text)
            db.close()
        self.store.settle()
        self.start()

    def plan(self, ident, segments):
        """Starts a campaign and stops it once it is planned: its audience, the seconds of the plan."""
        self.call("POST", "/campaigns", {"id": ident, "sender_id": "sender", "segment_ids": segments,
                                         "create_channels": True,
                                         "channel_template": {"type": "messaging", "id": "{{receiver.id}}-{{sender.id}}"},
                                         "message_template": {"text": "Hello"}})
        self.call("POST", f"/campaigns/{ident}/start", {})
        pattern = re.compile(rf"campaign {ident} planned: audience=(\d+) ms=(\d+)")
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            with open(self.log) as f:
                found = pattern.search(f.read())
            if found:
                self.call("POST", f"/campaigns/{ident}/stop", {})
                return int(found[1]), int(found[2]) / 1000
            time.sleep(0.01)
        sys.exit(f"audience: {ident} was not planned")

    def close(self):
        self.server.stop()
        self.store.close()


def filter_users(house, n):
    ndjson = os.path.join(house.folder, "users.ndjson")
    users_file(ndjson, n, "ordered")
    import_users(house.binary, house.server, ndjson)
    house.settle()
    house.call("POST", "/segments", {"id": "some", "type": "user", "filter": FILTER})
    # The rate is that of the whole: reading every user, and planning those who are found.
    found, seconds = house.plan("filter", ["some"])
    with open(ndjson) as f:
        people = (json.loads(line) for line in f)
        expected = sum(p.get("country") in ("NO", "SE") and p["points"] > 900 and p["plan"] == "pro" for p in people)
    if found != expected or found == 0:
        sys.exit(f"audience: the filter found {found} users, not {expected}")
    return n / seconds


def plan_segments(house, n):
    house.call("POST", "/users", {"users": {"sender": {"id": "sender"}}})
    house.call("POST", "/segments", {"id": "list", "type": "user"})
    for i in range(SEGMENTS):
        house.call("POST", "/segments", {"id": f"part-{i}", "type": "user"})
    for at in range(0, n, 10000):
        house.call("POST", "/segments/list/addtargets", {"target_ids": [f"target-{i:08d}" for i in range(at, min(at + 10000, n))]})
    house.sql("".join(COPY.format(i=i, segments=SEGMENTS, overlap=OVERLAP) for i in range(SEGMENTS)))
    before = house.server.peak_mib()
    found, seconds = house.plan("plan", [f"part-{i}" for i in range(SEGMENTS)])
    if found != n:
        sys.exit(f"audience: {found} were planned, not {n}")
    return n / seconds, house.server.peak_mib(), before


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", default="1M")
    parser.add_argument("--targets", default="10M")
    parser.add_argument("--dir", default=None, help="where the stores go (default: a temporary folder)")
    parser.add_argument("--fanfare", default=os.path.join(here, "../../build/fanfare"))
    args = parser.parse_args()
    users, targets = parse_size(args.users), parse_size(args.targets)
    for measure, n in ((filter_users, users), (plan_segments, targets)):
        with tempfile.TemporaryDirectory(dir=args.dir, prefix="fanfare-bench-") as folder:
            house = House(args, folder)
            house.start()
            if measure is filter_users:
                print(f"{house.store.name}: a filter of three predicates over {n:,} users: {measure(house, n):,.0f} users/s", flush=True)
            else:
                rate, peak, before = measure(house, n)
                print(f"{house.store.name}: a plan of {n:,} targets in {SEGMENTS} segments, each in {OVERLAP}: {rate:,.0f} targets/s, "
                      f"peak {peak:.0f} MiB (idle {before:.0f})", flush=True)
            house.close()


if __name__ == "__main__":
    main()
