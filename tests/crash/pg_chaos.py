#!/usr/bin/env python3
"""pg_chaos – three processes share a campaign on one PostgreSQL while faults fall on them (F16, F17).

Faults at random moments of a campaign to 200,000 users: SIGKILL and a new process, SIGSTOP
beyond the lease and SIGCONT, an immediate restart of PostgreSQL, a fast one, all connections
terminated. New campaigns are started until enough faults hit a running one. At the end every
campaign must complete, and the auditor must find each message once. A trigger in the database
writes down each move of a campaign: it must have started once, been planned once and completed
once, whoever tried it how often (I-3).

Usage: pg_chaos.py [--faults 50] [--users 200000] [--fanfare build/fanfare] [--seed N]
This is the full form, of some minutes; `make test` runs a small one (tests/pg/run.sh).
"""
import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import pg  # noqa: E402
import pgdump  # noqa: E402
from auditor import Audit  # noqa: E402
from server import Server  # noqa: E402

LEASE_MS = 2000
PROCESSES = 3
KINDS = ("messaging", "team", "livestream", "gaming", "commerce")
# Derived and stored.
SHAPES = ("{{receiver.id}}-{{sender.id}}", "s-{{receiver.id|upper}}")

# Every committed move of a campaign, told by the database itself.
MOVES = """
CREATE SCHEMA test;
CREATE TABLE test.moves (n BIGSERIAL, id TEXT, was TEXT, status TEXT, planned BIGINT, audience BIGINT,
	started_at BIGINT, completed_at BIGINT);
CREATE FUNCTION test.note_move() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO test.moves (id, was, status, planned, audience, started_at, completed_at)
	VALUES (NEW.id, OLD.status, NEW.status, NEW.planned, NEW.audience, NEW.started_at, NEW.completed_at);
	RETURN NULL;
END $$;
CREATE TRIGGER note_move AFTER UPDATE ON campaigns FOR EACH ROW
WHEN ((OLD.status, OLD.planned, OLD.audience, OLD.started_at, OLD.completed_at)
	IS DISTINCT FROM (NEW.status, NEW.planned, NEW.audience, NEW.started_at, NEW.completed_at))
EXECUTE FUNCTION test.note_move();
"""


class Chaos:
    def __init__(self, args):
        self.args, self.rng = args, random.Random(args.seed)
        self.postgres = pg.Postgres(own=True)
        self.url = self.postgres.database()
        self.counts, self.stopped = {}, []

    def serve(self):
        return Server(self.args.fanfare, self.url, lease_ms=LEASE_MS, batch_size=500, workers=1)

    def query(self, text):
        while True:
            try:
                return pg.sql(self.url, text)
            except subprocess.CalledProcessError:
                time.sleep(0.1)

    def prepare(self):
        self.servers = [self.serve() for _ in range(PROCESSES)]
        ids = [f"user-{i:06d}" for i in range(self.args.users)]
        for at in range(0, len(ids), 5000):
            self.servers[0].call("POST", "/users/import",
                                 "\n".join('{"id":"%s","name":"N %s"}' % (u, u) for u in ids[at:at + 5000]).encode())
        self.servers[0].call("POST", "/users", {"users": {"sender": {"id": "sender", "name": "Sender"}}})
        self.servers[0].call("POST", "/segments", {"id": "everyone", "type": "user", "all_users": True})
        pg.sql(self.url, MOVES)

    def retry(self, method, path, body):
        """As a client does: 503 and lost connections are tried again, elsewhere."""
        for _ in range(600):
            self.revive(time.monotonic())
            server = self.rng.choice([s for s in self.servers if s not in [x for _, x in self.stopped]])
            try:
                return server.call(method, path, body)
            except Exception as error:  # noqa: BLE001 – any failure but a refusal
                text = str(error)
                if " 400 " in text and ("exists already" in text or "is in_progress" in text or "is completed" in text):
                    return None
                if ": 4" in text:
                    raise
                server.connection.close()
                time.sleep(0.1)
        sys.exit("chaos: no answer for a minute")

    def start_campaign(self, n):
        ident = f"chaos-{n}"
        self.retry("POST", "/campaigns", {
            "id": ident, "sender_id": "sender", "segment_ids": ["everyone"], "create_channels": True,
            "channel_template": {"type": KINDS[n % len(KINDS)], "id": SHAPES[n % len(SHAPES)]},
            "message_template": {"text": "Hi {{receiver.name}}"}})
        self.retry("POST", f"/campaigns/{ident}/start", {})
        return ident

    def revive(self, now):
        for until, server in list(self.stopped):
            if now >= until:
                server.process.send_signal(signal.SIGCONT)
                self.stopped.remove((until, server))

    def fault(self):
        kind = self.rng.choices(("kill", "stop", "immediate", "fast", "terminate"), (5, 4, 2, 1, 2))[0]
        running = [s for s in self.servers if s not in [x for _, x in self.stopped]]
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind == "kill" and running:
            victim = self.rng.choice(running)
            victim.kill()
            self.servers[self.servers.index(victim)] = self.serve()
        elif kind == "stop" and len(running) > 1:
            victim = self.rng.choice(running)
            victim.process.send_signal(signal.SIGSTOP)
            self.stopped.append((time.monotonic() + LEASE_MS / 1000 + self.rng.uniform(0, 6), victim))
        elif kind in ("immediate", "fast"):
            self.postgres.restart(kind)
        else:
            self.query("SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity "
                       "WHERE datname = current_database() AND pid <> pg_backend_pid()")

    def status(self, ident):
        return self.query(f"SELECT status FROM campaigns WHERE id = '{ident}'")

    def moves(self, ident):
        """What is wrong with the moves of a campaign; None: nothing."""
        rows = [row.split("|") for row in self.query(
            "SELECT was, status, planned, audience > 0, started_at, completed_at FROM test.moves "
            f"WHERE id = '{ident}' ORDER BY n").splitlines()]
        started = rows[0][4] if rows else ""
        completed = rows[-1][5] if rows else ""
        wanted = [["draft", "in_progress", "0", "f", started, ""],
                  ["in_progress", "in_progress", "1", "t", started, ""],
                  ["in_progress", "completed", "1", "t", started, completed]]
        if rows != wanted or not started.isdigit() or not completed.isdigit() or int(completed) < int(started):
            return f"{ident} moved otherwise than once through each status (I-3): {rows}"
        return None

    def run(self):
        self.prepare()
        faults = campaigns = 0
        began, slowest = time.monotonic(), 0
        while faults < self.args.faults:
            ident = self.start_campaign(campaigns)
            campaigns += 1
            while faults < self.args.faults and self.status(ident) == "in_progress":
                self.fault()
                faults += 1
                time.sleep(self.rng.uniform(0.05, 0.6))
                self.revive(time.monotonic())
        last = time.monotonic()
        while any(self.status(f"chaos-{n}") != "completed" for n in range(campaigns)):
            self.revive(time.monotonic())
            if time.monotonic() - last > 60:
                sys.exit("chaos: a campaign does not go on (I-8): " +
                         self.query("SELECT id, status, planned, pending FROM campaigns"))
            time.sleep(0.1)
        slowest = time.monotonic() - last
        for until, server in self.stopped:
            server.process.send_signal(signal.SIGCONT)
        takeovers = self.query("SELECT COUNT(*), MAX(fence) FROM batches WHERE fence > 1")
        strange = [wrong for wrong in (self.moves(f"chaos-{n}") for n in range(campaigns)) if wrong]
        for server in self.servers:
            server.stop()
        with tempfile.TemporaryDirectory(prefix="fanfare-chaos-") as folder:
            path = os.path.join(folder, "store.db")
            pgdump.copy(self.url, path, self.args.fanfare)
            audit = Audit(path)
        print(f"seed {self.args.seed}: {faults} faults {self.counts} on {campaigns} campaigns of {self.args.users} in "
              f"{time.monotonic() - began:.0f} s; batches taken over, highest fence: {takeovers}; finished "
              f"{slowest:.1f} s after the last fault; {audit.faults}")
        for note in audit.notes + strange:
            print("  " + note)
        return audit.clean and not strange


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=int(os.environ.get("CHAOS_FAULTS", "50")))
    parser.add_argument("--users", type=int, default=200000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--fanfare", default=os.path.join(HERE, "../../build/fanfare"))
    sys.exit(0 if Chaos(parser.parse_args()).run() else 1)


if __name__ == "__main__":
    main()
