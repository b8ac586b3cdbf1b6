#!/usr/bin/env python3
"""test_outage – the database goes away under a running server: restarted again and again, killed,
full, read-only, replaced by its standby. Campaigns go on by themselves and each message is there
once; calls of the API meanwhile get 503 with Retry-After, and what was acknowledged is there.

Usage: test_outage.py [CLASS[.TEST] …], with the program in FANFARE_BIN or build/fanfare.  The last
line is "N passed, N failed".
"""
import http.client
import itertools
import threading
import time

from support import Case, cluster, completed, is_completed, main, make_users, slow_down, start_campaign, until
import pg
import proxy
import wire
from server import Client

RESTARTS = 8
DENIED = "nothing was changed"
USERS = 20000

postgres = None


def setUpModule():
    global postgres
    postgres = cluster()


class Writers:
    """Clients that write without pause, each thing with an id of its own, and remember what they
    were told. What they are told must be one of three things: it is stored; it is not; nobody
    knows – and the last two say so with a 503 that asks to come back."""

    KINDS = ("user", "segment", "targets", "channel", "message")

    def __init__(self, server, threads=6):
        self.acknowledged, self.denied, self.unknown, self.wrong = [], [], [], []
        self.numbers, self.is_over = itertools.count(), False
        server.call("POST", "/users", {"users": {"writer": {"id": "writer"}}})
        server.call("POST", "/segments", {"id": "list", "type": "user"})
        server.call("POST", "/channels/messaging/room/query", {"data": {"created_by_id": "writer", "members": ["writer"]}})
        self.threads = [threading.Thread(target=self.run, args=(server.url,)) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def request(kind, ident):
        return {
            "user": ("/users", {"users": {ident: {"id": ident}}}),
            "segment": ("/segments", {"id": ident, "type": "user"}),
            "targets": ("/segments/list/addtargets", {"target_ids": [ident]}),
            "channel": (f"/channels/messaging/{ident}/query", {"data": {"created_by_id": "writer", "members": ["writer"]}}),
            "message": ("/channels/messaging/room/message", {"message": {"id": ident, "text": "x", "user_id": "writer"}}),
        }[kind]

    def run(self, url):
        client = Client(url)
        while not self.is_over:
            n = next(self.numbers)
            kind = self.KINDS[n % len(self.KINDS)]
            ident = f"w-{kind}-{n}"
            path, body = self.request(kind, ident)
            try:
                answer = client.ask("POST", path, body)
            except (OSError, http.client.HTTPException) as error:
                # The server itself lives: it must answer.
                self.wrong.append((ident, repr(error)))
                client = Client(url)
                continue
            text = answer.body.decode()
            if answer.status == 201:
                self.acknowledged.append((kind, ident))
            elif answer.status == 503 and answer.headers["Retry-After"] == "1" and answer.json["code"] == -1 \
                    and answer.json["StatusCode"] == 503:
                (self.denied if DENIED in text else self.unknown).append((kind, ident))
                time.sleep(0.005)
            else:
                self.wrong.append((ident, answer.status, text))

    def stop(self):
        self.is_over = True
        for thread in self.threads:
            thread.join()

    def check(self, case, url):
        """What the database holds is what they were told, to the last id."""
        case.assertEqual(self.wrong, [])
        there = {
            "user": "SELECT id FROM users WHERE created_at IS NOT NULL",
            "segment": "SELECT id FROM segments",
            "channel": "SELECT substr(cid, 11) FROM channels WHERE cid IS NOT NULL",
            "message": "SELECT id FROM messages WHERE id IS NOT NULL",
        }
        there = {kind: set(pg.sql(url, text).split()) for kind, text in there.items()}
        there["targets"] = self.targets
        lost = [x for x in self.acknowledged if x[1] not in there[x[0]]]
        case.assertEqual(lost, [], "acknowledged, and not there")
        phantoms = [x for x in self.denied if x[1] in there[x[0]]]
        case.assertEqual(phantoms, [], "said to have failed, and there")

    def look(self, client):
        """Asks the server for what the database keeps packed."""
        self.targets, page = set(), {}
        while True:
            answer = client.call("POST", "/segments/list/targets/query", {"limit": 10000, **page})
            self.targets.update(t["target_id"] for t in answer["targets"])
            if "next" not in answer:
                break
            page = {"next": answer["next"]}
        size = client.call("GET", "/segments/list")["segment"]["size"]
        assert size == len(self.targets), (size, len(self.targets))


class Outage(Case):
    def setUp(self):
        super().setUp()
        self.url = postgres.database()

    def test_restarts_during_campaigns(self):
        """Fast and immediate ones in turn, about one a second, two servers; every campaign ends. A
        third server, started each time at the same moment, comes up."""
        servers = [self.serve(self.url, batch_size=200, lease_ms=1000) for _ in range(2)]
        everyone = make_users(servers[0], USERS)
        slow_down(self.url, 0.1)
        restarts = campaigns = 0
        while restarts < RESTARTS:
            ident = f"campaign-{campaigns}"
            start_campaign(servers[0], ident, campaigns)
            campaigns += 1
            while restarts < RESTARTS and not is_completed(servers[0], ident):
                starting = self.run_command(self.url, "serve", batch_size=200, lease_ms=1000)
                postgres.restart(("fast", "immediate")[restarts % 2])
                restarts += 1
                starting.says("^listening on ")
                starting.popen.terminate()
                self.assertEqual(starting.ends(), 0, starting.text)
        for n in range(campaigns):
            completed(servers[0], f"campaign-{n}")
        for server in servers:
            server.stop()
        self.audit(self.url, {f"campaign-{n}": everyone for n in range(campaigns)})

    def test_the_postmaster_is_killed(self):
        """Three times, while clients write without pause and a campaign runs."""
        server = self.serve(self.url, batch_size=200, lease_ms=1000)
        everyone = make_users(server, USERS)
        slow_down(self.url, 0.1)
        start_campaign(server, "campaign")
        writers = Writers(server)
        for _ in range(3):
            self.assertFalse(is_completed(server, "campaign"))
            done, denied = len(writers.acknowledged), len(writers.denied)
            until("some more is stored", lambda: len(writers.acknowledged) > done + 20)
            postgres.kill()
            until("clients are sent away", lambda: len(writers.denied) > denied + 20)
            postgres.resume()
        done = len(writers.acknowledged)
        until("some more is stored", lambda: len(writers.acknowledged) > done + 100)
        writers.stop()
        completed(server, "campaign")
        writers.look(server)
        server.stop()
        writers.check(self, self.url)
        self.audit(self.url, {"campaign": everyone})

    def test_reading_meanwhile(self):
        """What only reads gets 503 as well, no 404 and no empty list."""
        server = self.serve(self.url)
        make_users(server, 10)
        server.call("POST", "/campaigns", {"id": "c", "sender_id": "sender", "user_ids": ["user-000001"],
                                           "message_template": {"text": "x"}})
        asks = (("GET", "/campaigns/c", None), ("POST", "/campaigns/query", {}), ("GET", "/segments/everyone", None),
                ("POST", "/segments/query", {}), ("GET", "/users?payload=%7B%7D", None), ("GET", "/readyz", None),
                ("POST", "/channels", {"filter_conditions": {}}), ("GET", "/messages/x", None),
                ("DELETE", "/campaigns/c", None), ("PUT", "/campaigns/c", {"name": "z"}),
                ("POST", "/campaigns/c/start", {}), ("POST", "/campaigns/c/stop", {}))
        before = [server.ask(*ask).status for ask in asks[:8]]
        postgres.halt("immediate")
        try:
            for ask in asks:
                answer = server.ask(*ask)
                self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "1"), (ask, answer.body))
                self.assertEqual(answer.json["code"], -1)
            # These need no database: health, and refusals.
            self.assertEqual(server.ask("GET", "/healthz").status, 200)
            self.assertEqual(server.ask("GET", "/nowhere").status, 404)
            self.assertEqual(server.ask("POST", "/campaigns", {"sender_id": 7}).status, 400)
            self.assertEqual(server.ask("GET", "/campaigns/c", headers={"Authorization": "x"}).status, 401)
        finally:
            postgres.resume()
        until("it is ready", lambda: server.ask("GET", "/readyz").status == 200)
        self.assertEqual([server.ask(*ask).status for ask in asks[:8]], before)
        server.stop()

    def test_it_can_be_stopped_meanwhile(self):
        """SIGTERM while the database is away and a campaign is under way: it ends in good time."""
        server = self.serve(self.url, batch_size=200, lease_ms=1000)
        everyone = make_users(server, USERS)
        slow_down(self.url, 0.1)
        start_campaign(server, "campaign")
        postgres.halt("immediate")
        began = time.monotonic()
        try:
            server.stop()
        finally:
            postgres.resume()
        self.assertLess(time.monotonic() - began, 12)
        server = self.serve(self.url, batch_size=1000, lease_ms=1000)
        completed(server, "campaign")
        server.stop()
        self.audit(self.url, {"campaign": everyone})


class Crowd(Case):
    def test_out_of_connections(self):
        """Others take all connections in the middle of a campaign, then leave again."""
        small = cluster(conf="max_connections = 25\nsuperuser_reserved_connections = 0\nmax_wal_senders = 0")
        self.addCleanup(small.stop)
        url = small.database()
        server = self.serve(url, batch_size=200, lease_ms=1000)
        everyone = make_users(server, USERS)
        slow_down(url, 0.05)
        start_campaign(server, "campaign")
        held = wire.Held(url)
        self.addCleanup(held.close)
        server.call("POST", "/segments", {"id": "list", "type": "user"})
        probe = ("POST", "/segments/list/addtargets", {"target_ids": ["late"]})
        statuses = set()

        def unserved():
            # Its own are taken from it, by whoever is faster.
            held.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'fanfare'")
            held.take()
            answer = server.ask(*probe)
            statuses.add(answer.status)
            return answer.status == 503 and answer.headers["Retry-After"] == "1"
        until("a client is sent away", unserved)
        self.assertLessEqual(statuses, {201, 503})
        held.close()
        until("clients are served", lambda: server.ask(*probe).status == 201)
        completed(server, "campaign")
        server.stop()
        self.audit(url, {"campaign": everyone})


class ReadOnly(Case):
    def test_default_transaction_read_only(self):
        """A default, which what writes may overrule; it does."""
        url = postgres.database()
        pg.sql(postgres.url, f"ALTER DATABASE {pg.name_of(url)} SET default_transaction_read_only = on")
        server = self.serve(url)
        everyone = make_users(server, 1000)
        start_campaign(server, "campaign")
        completed(server, "campaign")
        server.stop()
        self.audit(url, {"campaign": everyone})

    def test_the_rights_are_taken_away(self):
        """REVOKE under a running server: writing is refused, reading goes on, until they are back."""
        pg.sql(postgres.url, "CREATE ROLE owner LOGIN")
        url = postgres.database(options="OWNER owner").replace("fanfare@", "owner@")
        server = self.serve(url)
        make_users(server, 10)
        owner = url.replace("owner@", "fanfare@")
        pg.sql(owner, "REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public FROM owner")
        for body in ({"users": {"ann": {"id": "ann"}}},):
            answer = server.ask("POST", "/users", body)
            self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "1"), answer.body)
        self.assertEqual(server.ask("GET", "/segments/everyone").status, 200)
        self.assertIn("permission denied for table", server.log())
        pg.sql(owner, "GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO owner")
        self.assertEqual(server.ask("POST", "/users", {"users": {"ann": {"id": "ann"}}}).status, 201)
        server.stop()

    def test_failover(self):
        """The address leads to the standby in the middle of a campaign: nothing is written there, and
        clients are sent away; after the promotion all goes on, where it was."""
        primary = cluster(conf="synchronous_standby_names = 'walreceiver'\nsynchronous_commit = local")
        self.addCleanup(primary.stop)
        url = primary.database()
        between = proxy.Proxy(url)
        self.addCleanup(between.close)
        server = self.serve(between.url, batch_size=200, lease_ms=1000)
        everyone = make_users(server, USERS)
        slow_down(url, 0.05)
        standby = cluster(standby_of=primary)
        self.addCleanup(standby.stop)
        pg.sql(primary.url, "ALTER SYSTEM RESET synchronous_commit; SELECT pg_reload_conf()")
        start_campaign(server, "campaign")
        until("some of it is done", lambda: pg.sql(url, "SELECT COUNT(*) FROM batches WHERE state = 2") > "3")
        primary.halt("immediate")
        between.lead_to(standby.url)
        at_standby = standby.url.rsplit("/", 1)[0] + "/" + pg.name_of(url)
        for _ in range(50):
            answer = server.ask("POST", "/users", {"users": {"ann": {"id": "ann"}}})
            self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "1"), answer.body)
            time.sleep(0.02)
        self.assertIn("server is in hot standby mode", server.log())
        # A server that is started now waits, and says what for.
        second = self.run_command(at_standby, "serve", store_wait=60)
        second.says("warn waiting for the database: store .*: server is in hot standby mode")
        gives_up = self.run_command(at_standby, "serve", store_wait=0)
        self.refused(gives_up, "^fanfare: store .*: server is in hot standby mode")
        standby.promote()
        second.says("^listening on ")
        completed(server, "campaign")
        until("writing is served", lambda: server.ask("POST", "/users", {"users": {"ann": {"id": "ann"}}}).status == 201)
        server.stop()
        self.audit(at_standby, {"campaign": everyone})


if __name__ == "__main__":
    main()
