#!/usr/bin/env python3
"""test_commit – a COMMIT that was carried out and whose answer was lost is neither told as a success
nor done a second time (I-1, I-19); one that did not arrive is done not at all. A proxy stands
between the program and PostgreSQL and loses what it is told to.

Usage: test_commit.py [CLASS[.TEST] …], with the program in FANFARE_BIN or build/fanfare.  The last
line is "N passed, N failed".
"""
import json

from support import Case, cluster, completed, is_completed, main, make_users, start_campaign
import pg
from proxy import DROP, LOSE, PASS, Proxy

USERS = 6000
LOSSES = 24

postgres = None


def setUpModule():
    global postgres
    postgres = cluster()


class Cut(Case):
    def setUp(self):
        super().setUp()
        self.url = postgres.database()
        self.proxy = Proxy(self.url)
        self.addCleanup(self.proxy.close)

    def cut_one(self, fate, statement):
        """The next COMMIT of a transaction that ran ${statement}."""
        def rule(message):
            if not message.is_commit or statement not in message.statements:
                return PASS
            self.proxy.rule = lambda later: PASS
            return fate
        self.proxy.losses = []
        self.proxy.rule = rule

    def value(self, text):
        return pg.sql(self.url, text)


# What a client does, by the statement that shows it in the transaction; how to see in the store
# whether it was done: a query, its answer before and after; what the same call says the next time.
CALLS = (
    ("user_begin", "POST", "/users", {"users": {"new": {"id": "new", "name": "New"}}},
     "SELECT COUNT(*) FROM users WHERE id = 'new' AND created_at IS NOT NULL", "0", "1", 201),
    ("user_replace", "PATCH", "/users", {"users": [{"id": "ann", "set": {"name": "Anna"}}]},
     "SELECT name FROM users WHERE id = 'ann'", "Ann", "Anna", 200),
    ("segment_insert", "POST", "/segments", {"id": "s", "type": "user", "name": "S"},
     "SELECT COUNT(*) FROM segments WHERE id = 's'", "0", "1", 400),
    ("segment_grow", "POST", "/segments/list/addtargets", {"target_ids": ["ann", "bob", "nobody"]},
     "SELECT size FROM segments WHERE id = 'list'", "0", "3", 201),
    ("segment_grow", "POST", "/segments/list/deletetargets", {"target_ids": ["bob"]},
     "SELECT size FROM segments WHERE id = 'list'", "3", "2", 201),
    ("campaign_insert", "POST", "/campaigns",
     {"id": "c", "sender_id": "ann", "user_ids": ["bob"], "message_template": {"text": "x"}, "create_channels": True,
      "channel_template": {"type": "messaging", "id": "{{receiver.id}}-{{sender.id}}"}},
     "SELECT COUNT(*) FROM campaigns WHERE id = 'c'", "0", "1", 400),
    ("campaign_replace", "PUT", "/campaigns/c", {"name": "C"},
     "SELECT name FROM campaigns WHERE id = 'c'", "", "C", 201),
    ("campaign_start", "POST", "/campaigns/c/start", {"scheduled_for": "2099-01-01T00:00:00Z"},
     "SELECT status FROM campaigns WHERE id = 'c'", "draft", "scheduled", 400),
    ("campaign_stop", "POST", "/campaigns/c/stop", {},
     "SELECT status FROM campaigns WHERE id = 'c'", "scheduled", "stopped", 201),
    ("campaign_delete", "DELETE", "/campaigns/c", None,
     "SELECT COUNT(*) FROM campaigns WHERE id = 'c' AND deleted_at IS NULL", "1", "0", 404),
    ("channel_insert", "POST", "/channels/messaging/room/query",
     {"data": {"created_by_id": "ann", "members": ["ann", "bob"]}},
     "SELECT COUNT(*) FROM channels WHERE cid = 'messaging:room'", "0", "1", 201),
    ("message_insert", "POST", "/channels/messaging/room/message",
     {"message": {"id": "m", "text": "hello", "user_id": "ann"}},
     "SELECT COUNT(*) FROM messages WHERE text = 'hello'", "0", "1", 400),
    ("read_mark", "POST", "/channels/messaging/room/read", {"user_id": "bob"},
     "SELECT COUNT(last_read) FROM members JOIN users USING (uid) WHERE id = 'bob'", "0", "1", 201),
    ("segment_delete", "DELETE", "/segments/s", None,
     "SELECT COUNT(*) FROM segments WHERE id = 's' AND deleted_at IS NULL", "1", "0", 404),
)


class Calls(Cut):
    def test_calls_of_clients(self):
        """Each call first with a COMMIT that does not arrive: 503, nothing is done. Then with an
        answer that is lost: 503 that says so, it is done. Then once more: nothing is doubled."""
        server = self.serve(self.proxy.url)
        server.call("POST", "/users", {"users": {"ann": {"id": "ann", "name": "Ann"}, "bob": {"id": "bob"}}})
        server.call("POST", "/segments", {"id": "list", "type": "user"})
        for statement, method, path, body, look, before, after, repeated in CALLS:
            with self.subTest(f"{method} {path}"):
                self.assertEqual(self.value(look), before)
                self.lose(server, DROP, statement, method, path, body)
                self.assertEqual(self.value(look), before, "a COMMIT that never arrived")
                answer = self.lose(server, LOSE, statement, method, path, body)
                self.assertEqual([tag for _, tag in self.proxy.losses], ["COMMIT"])
                self.assertIn("did not say whether this was done", answer.json["message"])
                self.assertEqual(self.value(look), after)
                answer = server.ask(method, path, body)
                self.assertEqual(answer.status, repeated, answer.body)
                self.assertEqual(self.value(look), after, "done twice")
        server.stop()
        self.audit(self.url)

    def lose(self, server, fate, statement, method, path, body):
        self.cut_one(fate, statement)
        answer = server.ask(method, path, body)
        self.assertEqual(len(self.proxy.losses), 1, f"no COMMIT with {statement}: {answer.status} {answer.body}")
        self.assertEqual((answer.status, answer.headers["Retry-After"], answer.json["code"]), (503, "1", -1), answer.body)
        return answer

    def test_a_start_that_is_not_answered(self):
        """The campaign runs, once; the client, who asks again, hears that it does."""
        server = self.serve(self.proxy.url)
        everyone = make_users(server, 100)
        server.call("POST", "/campaigns", {
            "id": "c", "sender_id": "sender", "segment_ids": ["everyone"], "message_template": {"text": "x"},
            "create_channels": True, "channel_template": {"type": "messaging", "id": "{{receiver.id}}"}})
        self.cut_one(LOSE, "campaign_start")
        self.assertEqual(server.ask("POST", "/campaigns/c/start", {}).status, 503)
        answer = server.ask("POST", "/campaigns/c/start", {})
        self.assertEqual((answer.status, answer.json["code"]), (400, 4))
        completed(server, "c")
        server.stop()
        self.audit(self.url, {"c": everyone})

    def test_an_import_that_is_not_answered(self):
        server = self.serve(self.proxy.url)
        lines = "\n".join(json.dumps({"id": f"u{i}", "name": "N"}) for i in range(1000)).encode()
        self.cut_one(LOSE, "user_begin")
        answer = server.ask("POST", "/users/import", lines)
        self.assertEqual(len(self.proxy.losses), 1)
        self.assertEqual(answer.status, 503)
        self.assertEqual(server.ask("POST", "/users/import", lines).status, 201)
        self.assertEqual(self.value("SELECT COUNT(*), COUNT(DISTINCT id), MAX(uid) FROM users"), "1000|1000|1000")
        server.stop()


class Batches(Cut):
    def run_campaign(self, fate_of):
        """Campaigns until enough of their COMMITs were lost; ${fate_of}(number of the COMMIT)."""
        server = self.serve(self.proxy.url, batch_size=50, lease_ms=300, workers=4)
        everyone = make_users(server, USERS)
        commits = [0]

        def rule(message):
            # Of the engine: plans, claims and batches. The clients here only look.
            if not message.is_commit or len(self.proxy.losses) >= LOSSES:
                return PASS
            commits[0] += 1
            return fate_of(commits[0])
        names = []
        while len(self.proxy.losses) < LOSSES:
            names.append(f"campaign-{len(names)}")
            start_campaign(server, names[-1], len(names))
            self.proxy.rule = rule
            completed(server, names[-1], within=120)
            self.proxy.rule = lambda message: PASS
        for name in names:
            self.assertTrue(is_completed(server, name))
        server.stop()
        batches = [m for m, tag in self.proxy.losses if "batch_done" in m.statements]
        self.audit(self.url, {name: everyone for name in names})
        return batches

    def test_answers_to_batches_are_lost(self):
        batches = self.run_campaign(lambda n: LOSE if n % 4 == 0 else PASS)
        self.assertEqual({tag for _, tag in self.proxy.losses}, {"COMMIT"})
        self.assertGreaterEqual(len(batches), LOSSES * 3 // 4)

    def test_commits_of_batches_are_lost(self):
        batches = self.run_campaign(lambda n: DROP if n % 4 == 0 else PASS)
        self.assertGreaterEqual(len(batches), LOSSES * 3 // 4)

    def test_both_by_turns(self):
        self.run_campaign(lambda n: (LOSE, PASS, DROP, PASS, PASS)[n % 5])
        self.assertEqual({tag for _, tag in self.proxy.losses}, {"COMMIT", ""})


if __name__ == "__main__":
    main()
