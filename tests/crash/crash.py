#!/usr/bin/env python3
"""crash – kills the server inside campaigns, again and again, and audits what it left (F1).

SIGKILL at random moments of campaigns to 20,000 users over overlapping segments, planning
included; the server is started again and must finish by itself. The auditor reads the store
after every kill and all of it at the end. Two rounds: small batches (many boundaries between
transactions) and full ones. A kill counts only when it hit a campaign that was in_progress.

Usage: crash.py [--kills 50] [--users 20000] [--fanfare build/fanfare] [--seed N]
"""
import argparse
import json
import os
import random
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from auditor import Audit  # noqa: E402
from server import Server  # noqa: E402

DEADLINE_S = 60


def prepare(server, users):
    """Users, and three segments that overlap; returns who is in their union."""
    ids = [f"user-{i:06d}" for i in range(users)]
    for at in range(0, users, 5000):
        lines = [json.dumps({"id": u, "name": f"Name {u}", "even": int(u[-6:]) % 2 == 0}) for u in ids[at:at + 5000]]
        server.call("POST", "/users/import", "\n".join(lines).encode())
    server.call("POST", "/users", {"users": {"sender": {"id": "sender", "name": "Sender"}}})
    server.call("POST", "/segments", {"id": "even", "type": "user", "filter": {"even": True}})
    server.call("POST", "/segments", {"id": "odd-list", "type": "user"})
    server.call("POST", "/segments", {"id": "everyone", "type": "user", "all_users": True})
    odd = [u for u in ids if int(u[-6:]) % 2]
    for at in range(0, len(odd), 5000):
        server.call("POST", "/segments/odd-list/addtargets", {"target_ids": odd[at:at + 5000] + ["ghost"]})
    return set(ids) | {"sender", "ghost"}


def list_channels(server, everyone):
    """Two segments of channels that overlap, those of the first campaign; returns the cids."""
    cids = sorted(f"messaging:{u}-sender" for u in everyone if u != "sender")
    server.call("POST", "/segments", {"id": "shelf", "type": "channel", "filter": {"shelf": 1}})
    server.call("POST", "/segments", {"id": "cids", "type": "channel"})
    for at in range(0, len(cids) * 2 // 3, 5000):
        server.call("POST", "/segments/cids/addtargets", {"target_ids": cids[at:at + 5000] + ["messaging:nowhere"]})
    # ghost has none, unless it is on the list.
    last = (len(cids) * 2 // 3 - 1) // 5000 * 5000 + 5000
    return {cid for cid in cids if cid != "messaging:ghost-sender" or cid in cids[:last]} | {"messaging:nowhere"}


def is_to_channels(n):
    return n % 4 == 1


def start_campaign(server, n):
    ident = f"campaign-{n}"
    if is_to_channels(n):
        server.call("POST", "/campaigns", {
            "id": ident, "sender_id": "sender", "segment_ids": ["cids", "shelf"], "show_channels": True,
            "message_template": {"text": "Hi {{channel.id}}, number %d" % n}})
        server.call("POST", f"/campaigns/{ident}/start", {})
        return ident
    # By number, new each time, distinct; stored: new each time, the same again.
    shapes = ("{{receiver.id}}-{{sender.id}}", f"c{n}-{{{{receiver.id}}}}", None,
              f"s{n}-{{{{receiver.id|upper}}}}", "s-{{receiver.id|upper}}")
    template = {"type": "messaging", "custom": {"shelf": 1 if n == 0 else 0}}
    if shapes[n % len(shapes)]:
        template["id"] = shapes[n % len(shapes)]
    server.call("POST", "/campaigns", {
        "id": ident, "sender_id": "sender", "segment_ids": ["even", "odd-list", "everyone"],
        "create_channels": True, "channel_template": template,
        "message_template": {"text": "Hi {{receiver.name}}, number %d" % n}})
    server.call("POST", f"/campaigns/{ident}/start", {})
    return ident


def wait_completed(server, ident):
    """Seconds until it is completed."""
    began = time.monotonic()
    while True:
        campaign = server.call("GET", f"/campaigns/{ident}")["campaign"]
        stats = campaign["stats"]
        total = stats["messages_sent"] + sum(stats["skipped"].values()) + sum(stats["failed"].values()) + stats["pending"]
        if total != stats["audience"]:
            sys.exit(f"crash: the stats do not add up (I-7): {stats}")
        if campaign["status"] == "completed":
            return time.monotonic() - began
        if time.monotonic() - began > DEADLINE_S:
            sys.exit(f"crash: {ident} does not go on (I-8): {stats}")
        time.sleep(0.002)


def check(audit, where):
    if not audit.clean:
        print(f"crash: {where}: {audit.faults}", *audit.notes, sep="\n  ")
        sys.exit(1)


class Round:
    """Campaigns and kills on one store with one batch size."""

    def __init__(self, args, rng, store, batch_size):
        self.args, self.rng, self.store, self.batch_size = args, rng, store, batch_size
        self.campaigns = self.hits = self.planning = self.slowest = 0

    def serve(self):
        return Server(self.args.fanfare, self.store, batch_size=self.batch_size)

    def run(self, kills):
        server = self.serve()
        everyone = prepare(server, self.args.users)
        ident = start_campaign(server, self.campaigns)
        length = wait_completed(server, ident)
        cids = list_channels(server, everyone)
        running = None
        while self.hits < kills:
            if running is None:
                self.campaigns += 1
                running = start_campaign(server, self.campaigns)
            # A third of the kills soon after the start, where planning is.
            time.sleep(self.rng.uniform(0, 0.008 if self.rng.random() < 0.33 else length))
            server.kill()
            self.audit(running, cids if is_to_channels(self.campaigns) else everyone)
            server = self.serve()
            if self.rng.random() < 0.5:
                self.slowest = max(self.slowest, wait_completed(server, running))
                running = None
            elif server.call("GET", f"/campaigns/{running}")["campaign"]["status"] == "completed":
                running = None
        if running:
            wait_completed(server, running)
        server.stop()
        campaigns = {f"campaign-{n}": cids if is_to_channels(n) else everyone for n in range(self.campaigns + 1)}
        check(Audit(self.store, None, campaigns), "at the end")

    def audit(self, ident, everyone):
        audit = Audit(self.store, {ident}, {ident: everyone})
        check(audit, ident)
        status, planned = audit.states[ident]
        self.hits += status == "in_progress"
        self.planning += status == "in_progress" and not planned


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=int(os.environ.get("CRASH_KILLS", "52")))
    parser.add_argument("--users", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--fanfare", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/fanfare"))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    rng = random.Random(args.seed)
    for batch_size in (64, 4096):
        with tempfile.TemporaryDirectory(prefix="fanfare-crash-") as folder:
            r = Round(args, rng, os.path.join(folder, "store.db"), batch_size)
            r.run((args.kills + 1) // 2)
            print(f"batches of {batch_size}: {r.hits} kills inside campaigns, {r.planning} of them while planning, "
                  f"{r.campaigns + 1} campaigns of {args.users}: lost 0 dup 0 phantom 0, counters match; "
                  f"slowest finish after a restart {r.slowest:.2f} s")


if __name__ == "__main__":
    main()
