#!/usr/bin/env python3
"""hooks_chaos – a campaign whose webhook fails half of the time, on a server that is killed again
and again: every message is told, repetitions have the same id and the same body (I-11, I-15).

The endpoint is of this program: it answers every second request with 503, and notes id, attempt and
a digest of the body of each that it took or refused.

Usage: hooks_chaos.py [--users 60000] [--kills 20] [--fanfare build/fanfare] [--store URL]
"""
import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from endpoint import Endpoint  # noqa: E402
from server import KEY, SECRET, CallFailed, Server  # noqa: E402

PATIENCE_S = 900


def prepare(server, args, folder, url):
    users = os.path.join(folder, "users.ndjson")
    with open(users, "w") as out:
        out.writelines(json.dumps({"id": f"user{i:07}", "name": f"User {i}"}) + "\n" for i in range(args.users))
    env = dict(os.environ, FANFARE_API_KEY=KEY, FANFARE_API_SECRET=SECRET, FANFARE_URL=server.url)
    subprocess.run([args.fanfare, "import", "users", users], env=env, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    server.call("POST", "/users", {"users": {"sender": {"id": "sender", "name": "Sender"}}})
    server.call("PATCH", "/app", {"event_hooks": [{"enabled": True, "hook_type": "webhook", "webhook_url": url,
                                                   "event_types": ["message.new"]}]})
    server.call("POST", "/segments", {"id": "all", "type": "user", "name": "all", "all_users": True})
    campaign = server.call("POST", "/campaigns", {
        "segment_ids": ["all"], "sender_id": "sender", "create_channels": True,
        "channel_template": {"type": "messaging", "id": "{{receiver.id}}-{{sender.id}}"},
        "message_template": {"text": "Hello {{ receiver.name }}!"}})["campaign"]
    server.call("POST", f"/campaigns/{campaign['id']}/start", {})
    return campaign["id"]


def wait_for(what, probe, server):
    deadline = time.monotonic() + PATIENCE_S
    while not probe():
        if server.process.poll() is not None:
            sys.exit(f"the server has died: {server.process.returncode}")
        if time.monotonic() > deadline:
            sys.exit(f"waited {PATIENCE_S} s in vain until {what}")
        time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=60000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--fanfare", default="build/fanfare")
    parser.add_argument("--store")
    args = parser.parse_args()
    random.seed(args.seed)
    print(f"seed {args.seed}", flush=True)
    endpoint = Endpoint()
    settings = {"webhook_allow": "127.0.0.0/8", "retry_ladder": "0.5,1,2", "lease_ms": 1000}
    with tempfile.TemporaryDirectory() as folder:
        store = args.store or os.path.join(folder, "chaos.db")
        server = Server(args.fanfare, store, **settings)
        campaign = prepare(server, args, folder, endpoint.url)
        for kill in range(args.kills):
            goal = len(endpoint.taken) + random.randrange(1, max(2, args.users // (args.kills + 5)))
            wait_for(f"{goal} are taken", lambda: len(endpoint.taken) >= min(goal, args.users), server)
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
            server = Server(args.fanfare, store, **settings)
        wait_for("all are taken", lambda: len(endpoint.taken) >= args.users, server)
        route = server.call("GET", "/routes")["routes"][0]
        sent = server.call("GET", f"/campaigns/{campaign}?limit=1")["campaign"]["stats"]["stats_messages_sent"]
        wait_for("nothing waits", lambda: server.call("GET", "/routes")["routes"][0]["put_aside"] == 0, server)
        server.stop()
    messages = set(endpoint.messages.values())
    repeated = endpoint.seen - len(endpoint.taken)
    print(f"{args.kills} kills; {sent} messages; {endpoint.seen} requests, {len(endpoint.taken)} ids taken, "
          f"{len(messages)} messages told; other bodies {len(endpoint.other_bodies)}, numbers that fell {endpoint.falling}; "
          f"{repeated} refused or repeated; dead {route['dead']}, failures {route['failures']}")
    good = (sent == args.users and len(endpoint.taken) == len(endpoint.bodies) == len(messages) == args.users
            and not endpoint.other_bodies and route["dead"] == 0)
    sys.exit(0 if good else "LOST, CHANGED OR DOUBLED")


if __name__ == "__main__":
    try:
        main()
    except CallFailed as failure:
        sys.exit(str(failure))
