#!/usr/bin/env python3
"""partition – the program as it is on a database whose large tables tools/partition.sql has turned
into partitioned ones: every table by hash, then messages by ranges of their keys.

PostgreSQL refuses a unique constraint that does not contain the column of distribution, as an
extension that distributes tables does: so this holds the schema to docs/decisions/010-directories.md.
Two processes send campaigns to tens of thousands over new, existing and stored channels; ids are
looked up, walked and refused; the auditor reads all of it.

Usage: partition.py [--users 30000] [--fanfare build/fanfare] [--keep NAME]
--keep leaves an empty database, partitioned by hash, under that name. The last line is "N passed, N failed".
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import pg  # noqa: E402
import pgdump  # noqa: E402
from auditor import Audit  # noqa: E402
from server import CallFailed, Server  # noqa: E402

SCRIPT = os.path.join(HERE, "../../tools/partition.sql")
TABLES = ("users", "user_ids", "channels", "channel_ids", "members", "messages", "message_ids", "batches", "targets",
          "poll_votes", "devices", "user_names")
PARTS = 4
STORED = 300  # recipients of the campaign whose channel ids are stored
DEADLINE_S = 120


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def partition(url, **settings):
    subprocess.run(["psql", "-X", "-q", *(f"-v{k}={v}" for k, v in settings.items()), "-f", SCRIPT, url], check=True)


class House:
    """A partitioned database, and two processes that share it."""

    def __init__(self, args, postgres, **settings):
        self.args, self.postgres, self.url = args, postgres, postgres.database()
        subprocess.run([args.fanfare, "migrate", "--store", self.url], check=True, stdout=subprocess.DEVNULL)
        partition(self.url, partitions=PARTS, **settings)
        rng = random.Random(7)
        self.ids = [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(args.users)]
        self.expected = {}

    def query(self, text):
        return pg.sql(self.url, text)

    def start(self):
        self.servers = [Server(self.args.fanfare, self.url, workers=1, batch_size=1000) for _ in range(2)]
        self.call = self.servers[0].call

    def stop(self):
        for server in self.servers:
            server.stop()

    def close(self):
        self.postgres.drop(self.url)

    def refused(self, method, path, body):
        try:
            self.call(method, path, body)
        except CallFailed as error:
            return ": 400 " in str(error)
        return False

    # ---- what happens in it -------------------------------------------------------------

    def fill(self):
        for at in range(0, len(self.ids), 5000):
            self.call("POST", "/users/import",
                      "\n".join('{"id":"%s","name":"N","even":%d}' % (u, i % 2)
                                for i, u in enumerate(self.ids[at:at + 5000])).encode())
        self.call("POST", "/users", {"users": {"sender": {"id": "sender", "name": "Sender"}}})
        self.call("POST", "/segments", {"id": "everyone", "type": "user", "all_users": True})
        self.call("POST", "/segments", {"id": "even", "type": "user", "filter": {"even": 0}})
        self.call("POST", "/segments", {"id": "listed", "type": "user"})
        self.call("POST", "/segments/listed/addtargets", {"target_ids": self.ids[:5000] + ["ghost"]})

    def campaign(self, ident, segments, template, audience):
        self.call("POST", "/campaigns", {
            "id": ident, "sender_id": "sender", "segment_ids": segments, "create_channels": True,
            "channel_template": template, "message_template": {"text": "Hi {{receiver.name}}"}})
        self.call("POST", f"/campaigns/{ident}/start", {})
        began = time.monotonic()
        while True:
            campaign = self.call("GET", f"/campaigns/{ident}")["campaign"]
            if campaign["status"] == "completed":
                break
            check(time.monotonic() - began < DEADLINE_S, f"{ident} does not complete: {campaign['stats']}")
            time.sleep(0.01)
        self.expected[ident] = set(audience)
        return campaign["stats"], time.monotonic() - began

    def campaigns(self):
        n, everybody = len(self.ids), self.ids + ["sender"]
        template = {"type": "messaging", "id": "{{receiver.id}}-x"}
        new, seconds = self.campaign("new", ["everyone", "even", "listed"], template, everybody + ["ghost"])
        check(new["messages_sent"] == n and new["channels_created"] == n, new)
        old, _ = self.campaign("old", ["everyone"], template, everybody)
        check(old["messages_sent"] == n and old["channels_created"] == 0, old)
        self.call("POST", "/segments", {"id": "few", "type": "user", "filter": {"id": {"$in": self.ids[:STORED]}}})
        stored, _ = self.campaign("stored", ["few"], {"type": "team", "id": "x-{{receiver.id|upper}}"}, self.ids[:STORED])
        check(stored["messages_sent"] == STORED and stored["channels_created"] == STORED, stored)
        print(f"  {n} recipients, new channels: {n / seconds:,.0f}/s")

    def ids_are_found_walked_and_refused(self):
        walked, page = [], {}
        while True:
            page = self.call("POST", "/segments/even/targets/query", {"limit": 1000, "next": page.get("next")})
            walked += [t["target_id"] for t in page["targets"]]
            if not page.get("next"):
                break
        check(walked == sorted(self.ids[::2]), "the pages of a segment are not its users in the order of their ids")
        self.call("GET", f"/segments/few/target/{self.ids[7]}")
        make = {"data": {"created_by_id": "sender", "members": ["sender", self.ids[0]]}}
        one = self.call("POST", "/channels/team/own/query", make)["channel"]
        two = self.call("POST", "/channels/team/own/query", make)["channel"]
        check(one["cid"] == two["cid"] and one["created_at"] == two["created_at"], (one, two))
        message = {"message": {"id": "mine", "text": "x", "user_id": "sender"}}
        self.call("POST", "/channels/team/own/message", message)
        check(self.refused("POST", "/channels/team/own/message", message), "a message id was given twice")
        check(self.call("GET", "/messages/mine")["message"]["cid"] == "team:own", "message by its own id")
        found = self.call("POST", "/channels", {"filter_conditions": {"members": {"$in": [self.ids[0]]}}})["channels"]
        check({c["channel"]["cid"] for c in found} >= {"team:own", f"messaging:{self.ids[0]}-x"}, found)
        self.call("POST", "/channels/messaging/%s-x/read" % self.ids[0], {"user_id": self.ids[0]})

    def audit(self):
        with tempfile.TemporaryDirectory(prefix="fanfare-partition-") as folder:
            path = os.path.join(folder, "store.db")
            pgdump.copy(self.url, path, self.args.fanfare)
            audit = Audit(path, expected=self.expected)
        check(audit.clean, (audit.faults, audit.notes))

    def spread(self, table):
        return dict(line.split("|") for line in self.query(
            f"SELECT tableoid::regclass, COUNT(*) FROM {table} GROUP BY 1 ORDER BY 1").splitlines())


# ---- the tests --------------------------------------------------------------------------


def by_hash(args, postgres):
    house = House(args, postgres)
    kinds = house.query("SELECT COUNT(*) FROM pg_class WHERE relkind = 'p' AND relname IN ('%s')" % "', '".join(TABLES))
    check(int(kinds) == len(TABLES), f"only {kinds} tables are partitioned")
    house.start()
    house.fill()
    house.campaigns()
    house.ids_are_found_walked_and_refused()
    house.stop()
    for table in TABLES:
        parts = house.spread(table)
        few = ("batches", "members", "targets", "message_ids", "channel_ids", "poll_votes", "devices", "user_names")
        check(table in few or len(parts) == PARTS, f"rows of {table} are in {parts}")
    house.audit()
    house.close()


def messages_by_range(args, postgres):
    house = House(args, postgres, range=args.users // 2)
    house.start()
    house.fill()
    house.campaigns()
    house.ids_are_found_walked_and_refused()
    house.stop()
    parts = house.spread("messages")
    check(len(parts) > 2 and "messages_rest" not in parts, f"messages are in {parts}")
    house.audit()
    # What is old is dropped; what is left goes on without a failure.
    house.query("DROP TABLE messages_r0; DELETE FROM message_ids i WHERE i.key < %d" % (args.users // 2))
    house.start()
    check(house.call("GET", "/campaigns/new")["campaign"]["stats"]["messages_sent"] == len(house.ids), "the ledger stays")
    state = house.call("POST", "/channels/messaging/%s-x/query" % house.ids[0], {"state": True})
    check(len(state["messages"]) <= 1, state["messages"])
    house.campaign("later", ["few"], {"type": "messaging", "id": "{{receiver.id}}-x"}, house.ids[:STORED])
    house.stop()
    house.close()


def keep(args, postgres):
    """Under a name of its own, as a template for other databases."""
    house = House(args, postgres)
    pg.sql(postgres.url, f"ALTER DATABASE {pg.name_of(house.url)} RENAME TO {args.keep}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=30000)
    parser.add_argument("--fanfare", default=os.path.join(HERE, "../../build/fanfare"))
    parser.add_argument("--keep")
    args = parser.parse_args()
    postgres = pg.Postgres()
    if args.keep:
        return keep(args, postgres)
    passed = failed = 0
    for test in (by_hash, messages_by_range):
        began = time.monotonic()
        try:
            test(args, postgres)
            passed += 1
            print(f"ok      {test.__name__} ({time.monotonic() - began:.0f} s)", flush=True)
        except Exception as error:  # noqa: BLE001 – the other test is run all the same
            failed += 1
            print(f"FAILED  {test.__name__}: {type(error).__name__}: {error}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
