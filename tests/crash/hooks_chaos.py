#!/usr/bin/env python3
"""hooks_chaos – a campaign whose webhook fails half of the time, on a server that is killed again
and again: every message is told, repetitions have the same id and the same body (I-11, I-15).

The endpoint is of this program: it answers every second request with 503, and notes id, attempt and
a digest of the body of each that it took or refused.

Usage: hooks_chaos.py [--users 60000] [--kills 20] [--fanfare build/fanfare] [--store URL]
"""
import argparse
import collections
import hashlib
import json
import os
import random
import re
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from server import KEY, SECRET, CallFailed, Server  # noqa: E402

PATIENCE_S = 900
LENGTH = re.compile(rb"content-length: (\d+)", re.I)
ID = re.compile(rb"x-webhook-id: (\S+)", re.I)
ATTEMPT = re.compile(rb"x-webhook-attempt: (\d+)", re.I)
MESSAGE = re.compile(rb'"message":\{"id":"([0-9a-f-]{36})"')
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"


class Endpoint(socketserver.ThreadingTCPServer):
    """What it was sent, by id."""

    allow_reuse_address = daemon_threads = True
    request_queue_size = 256

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Connection)
        self.lock = threading.Lock()
        self.taken, self.seen, self.bodies, self.attempts = set(), 0, {}, collections.defaultdict(list)
        self.other_bodies, self.messages = set(), {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self, head, body):
        """Whether it is taken."""
        ident, digest = ID.search(head)[1], hashlib.sha256(body).digest()
        with self.lock:
            self.seen += 1
            if self.bodies.setdefault(ident, digest) != digest:
                self.other_bodies.add(ident)
            self.attempts[ident].append(int(ATTEMPT.search(head)[1]))
            found = MESSAGE.search(body)
            self.messages.setdefault(ident, found[1] if found else body[:200])
            if self.seen % 2 == 0:
                return False
            self.taken.add(ident)
            return True


class Connection(socketserver.BaseRequestHandler):
    def handle(self):
        data = b""
        while True:
            end = data.find(b"\r\n\r\n")
            length = LENGTH.search(data[:end]) if end >= 0 else None
            whole = end + 4 + int(length[1]) if length else None
            if whole is None or len(data) < whole:
                try:
                    some = self.request.recv(65536)
                except OSError:
                    return
                if not some:
                    return
                data += some
                continue
            good = self.server.take(data[:end], data[end + 4:whole])
            data = data[whole:]
            try:
                self.request.sendall(OK if good else BUSY)
            except OSError:
                return


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
    url = f"http://127.0.0.1:{endpoint.server_address[1]}/hook"
    settings = {"webhook_allow": "127.0.0.0/8", "retry_ladder": "0.5,1,2", "lease_ms": 1000}
    with tempfile.TemporaryDirectory() as folder:
        store = args.store or os.path.join(folder, "chaos.db")
        server = Server(args.fanfare, store, **settings)
        campaign = prepare(server, args, folder, url)
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
    falling = sum(1 for a in endpoint.attempts.values() if any(y < x for x, y in zip(a, a[1:])))
    repeated = endpoint.seen - len(endpoint.taken)
    print(f"{args.kills} kills; {sent} messages; {endpoint.seen} requests, {len(endpoint.taken)} ids taken, "
          f"{len(messages)} messages told; other bodies {len(endpoint.other_bodies)}, numbers that fell {falling}; "
          f"{repeated} refused or repeated; dead {route['dead']}, failures {route['failures']}")
    good = (sent == args.users and len(endpoint.taken) == len(endpoint.bodies) == len(messages) == args.users
            and not endpoint.other_bodies and route["dead"] == 0)
    sys.exit(0 if good else "LOST, CHANGED OR DOUBLED")


if __name__ == "__main__":
    try:
        main()
    except CallFailed as failure:
        sys.exit(str(failure))
