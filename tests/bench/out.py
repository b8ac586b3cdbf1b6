#!/usr/bin/env python3
"""out – deliveries to webhooks, measured through the real server.  Endpoints are build/sink: local, light,
keep-alive.

* deliveries/s: message.new of a campaign, from the first request to the last;
* what a dead endpoint costs a campaign: its speed without webhooks and with one that never answers,
  campaigns alternating on one store; and the growth of memory meanwhile;
* isolation: the p99 lag of a hook, alone and beside three that are dead.

Usage: out.py [--users 60000] [--rounds 5] [--dir DIR] [--fanfare build/fanfare]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from server import KEY, SECRET, Server  # noqa: E402

TEXT = ("Hello {{ receiver.name }}, your {{ receiver.plan }} plan in {{ receiver.country }} has a new offer "
        "this week: open the app to see what {{ sender.name }} picked for you.")
PATIENCE_S = 300
MESSAGES = 600  # a round of the measurement of lag
LAG_ROUNDS = 8
FIRST = 8  # messages that a hook is told before anything is measured


class Sink:
    def __init__(self, binary, *mode):
        program = os.path.join(os.path.dirname(binary), "sink")
        self.process = subprocess.Popen([program, *mode], stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/hook"

    def look(self):
        with urllib.request.urlopen(self.url, timeout=10) as answer:
            return json.load(answer)

    def wait(self, n):
        deadline = time.monotonic() + PATIENCE_S
        while (seen := self.look())["posts"] < n:
            if time.monotonic() > deadline:
                sys.exit(f"only {seen['posts']} of {n} deliveries")
            time.sleep(0.02)
        return seen

    def close(self):
        self.process.kill()
        self.process.wait()


def hook(sink, **more):
    return {"enabled": True, "hook_type": "webhook", "webhook_url": sink.url, "event_types": ["message.new"], **more}


def use(server, *sinks, **more):
    server.call("PATCH", "/app", {"event_hooks": [hook(sink, **more) for sink in sinks]})


def say(server, text):
    server.call("POST", "/channels/messaging/lag/message", {"message": {"text": text, "user_id": "sender"}})


def use_dead(server, *dead, alive=()):
    """Hooks that have been dead for long enough to be known for it."""
    use(server, *alive, *dead, timeout_ms=300)
    for i in range(FIRST):
        say(server, f"{i}")
    deadline = time.monotonic() + PATIENCE_S
    while sum(sum(route["failures"].values()) >= 5 for route in server.call("GET", "/routes")["routes"]) < len(dead):
        if time.monotonic() > deadline:
            sys.exit("the dead hooks are not known to be dead")
        time.sleep(0.05)


def prepare(server, binary, folder, users):
    path = os.path.join(folder, "users.ndjson")
    with open(path, "w") as out:
        out.writelines(json.dumps({"id": f"user{i:07}", "name": f"User {i}", "plan": "gold", "country": "USA"}) + "\n"
                       for i in range(users))
    env = dict(os.environ, FANFARE_API_KEY=KEY, FANFARE_API_SECRET=SECRET, FANFARE_URL=server.url)
    subprocess.run([binary, "import", "users", path], env=env, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    server.call("POST", "/users", {"users": {"sender": {"id": "sender", "name": "Sender"}}})
    server.call("POST", "/channels/messaging/lag/query", {"data": {"created_by_id": "sender", "members": ["sender"]}})
    server.call("POST", "/segments", {"id": "all", "type": "user", "name": "all", "all_users": True})


def send(server):
    """Runs a campaign to all; how long it took by the server's clock."""
    campaign = server.call("POST", "/campaigns", {
        "segment_ids": ["all"], "sender_id": "sender", "create_channels": True,
        "channel_template": {"type": "messaging", "id": "{{receiver.id}}-{{sender.id}}"},
        "message_template": {"text": TEXT}})["campaign"]
    server.call("POST", f"/campaigns/{campaign['id']}/start", {})
    while True:
        seen = server.call("GET", f"/campaigns/{campaign['id']}?limit=1")["campaign"]
        if seen["status"] == "completed":
            return seconds(seen["stats"]["completed_at"]) - seconds(seen["stats"]["started_at"])
        time.sleep(0.005)


def seconds(text):
    whole, part = text.rstrip("Z").split(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + part)


def resident_kib(server):
    with open(f"/proc/{server.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def deliveries(server, binary, users):
    sink = Sink(binary)
    use(server, sink)
    send(server)
    seen = sink.wait(users)
    sink.close()
    return {"bench": "webhook deliveries", "users": users, "bytes_each": seen["bytes"] // seen["posts"],
            "per_s": round(seen["posts"] * 1e6 / (seen["last_us"] - seen["first_us"]))}


def cost_of_dead(server, binary, rounds):
    sink, quiet, dead = Sink(binary, "dead"), [], []
    for i in range(rounds):  # who goes first has the smaller store
        for is_dead in (False, True) if i % 2 == 0 else (True, False):
            if is_dead:
                use_dead(server, sink)
                dead.append(send(server))
                before = resident_kib(server)
            else:
                use(server)
                quiet.append(send(server))
    use_dead(server, sink)
    for _ in range(rounds):
        send(server)
    grown = resident_kib(server) - before
    sink.close()
    return {"bench": "campaigns beside a dead webhook", "without_s": round(statistics.median(quiet), 3),
            "with_s": round(statistics.median(dead), 3),
            "speed": round(statistics.median(quiet) / statistics.median(dead), 3), "grown_mib": round(grown / 1024, 1)}


def lag(server, sink):
    """The times from the call to the delivery, of messages sent one at a time."""
    lags, before = [], sink.look()["posts"]
    for i in range(MESSAGES):
        began = time.monotonic()
        say(server, f"{i}")
        while sink.look()["posts"] <= before + i:
            pass
        lags.append(time.monotonic() - began)
    return lags


def p99_ms(lags):
    return statistics.quantiles(lags, n=100)[98] * 1000


def isolation(server, binary):
    alive, silent = Sink(binary), Sink(binary, "dead")
    nobody = Sink(binary)
    nobody.close()
    alone, beside = [], []
    for i in range(LAG_ROUNDS):  # the machine is not the same all the time: who goes first changes
        for lags, dead in ((alone, []), (beside, [silent, silent, nobody]))[::1 if i % 2 == 0 else -1]:
            before = alive.look()["posts"]
            use_dead(server, *dead, alive=[alive])
            alive.wait(before + FIRST)
            lags += lag(server, alive)
    for sink in (alive, silent):
        sink.close()
    return {"bench": "lag beside three dead webhooks", "alone_p99_ms": round(p99_ms(alone), 1),
            "beside_p99_ms": round(p99_ms(beside), 1), "ratio": round(p99_ms(beside) / p99_ms(alone), 2)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=60000)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--dir")
    parser.add_argument("--fanfare", default="build/fanfare")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        server = Server(args.fanfare, os.path.join(folder, "out.db"), webhook_allow="127.0.0.0/8")
        prepare(server, args.fanfare, folder, args.users)
        send(server)  # channels are there from now on
        told = deliveries(server, args.fanfare, args.users)
        rows = [cost_of_dead(server, args.fanfare, args.rounds), isolation(server, args.fanfare), told]
        server.stop()
    print(f"{rows[2]['per_s']:,} deliveries/s; beside a dead webhook campaigns have {rows[0]['speed']:.2f} of their speed "
          f"(+{rows[0]['grown_mib']} MiB), another webhook {rows[1]['ratio']:.2f} of its p99 lag")
    if os.environ.get("BENCH_JSON"):
        with open(os.environ["BENCH_JSON"], "a") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)
    else:
        print(*map(json.dumps, rows), sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
