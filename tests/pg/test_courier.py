#!/usr/bin/env python3
"""test_courier – a courier that does not hear what became of its COMMIT takes its routes over anew:
nothing is lost, nothing is settled twice, and what is sent again has the same id and the same body
(I-11, I-15). A proxy stands between the program and PostgreSQL and loses what it is told to.

Usage: test_courier.py [CLASS[.TEST] …], with the program in FANFARE_BIN or build/fanfare.  The last
line is "N passed, N failed".
"""
from support import Case, cluster, main, pg, until
from endpoint import Endpoint
from proxy import DROP, LOSE, PASS, Proxy

MESSAGES = 200
# So few that they fail without shutting the window: all are put aside.
FEW = 15
LOSSES = 6

postgres = None


def setUpModule():
    global postgres
    postgres = cluster()


class Turns(Case):
    def setUp(self):
        super().setUp()
        self.url = postgres.database()
        self.proxy = Proxy(self.url)
        self.addCleanup(self.proxy.close)
        self.endpoint = Endpoint(nth=3)
        self.addCleanup(self.endpoint.server_close)
        self.addCleanup(self.endpoint.shutdown)
        self.server = self.serve(self.proxy.url, webhook_allow="127.0.0.0/8", retry_ladder="0.1,0.2",
                                 lease_ms=1000)
        self.server.call("POST", "/users", {"users": {"ann": {"id": "ann"}, "bob": {"id": "bob"}}})
        self.server.call("POST", "/channels/messaging/m/query",
                         {"data": {"created_by_id": "ann", "members": ["ann", "bob"]}})
        self.server.call("PATCH", "/app", {"event_hooks": [
            {"enabled": True, "hook_type": "webhook", "webhook_url": self.endpoint.url,
             "event_types": ["message.new"]}]})

    def route(self):
        """None while it is not told: whoever asks may be cut off as well."""
        answer = self.server.ask("GET", "/routes")
        return answer.json["routes"][0] if answer.status == 200 else None

    def say(self, n=MESSAGES):
        """The ids of some messages."""
        return {self.server.call("POST", "/channels/messaging/m/message",
                                 {"message": {"text": f"{i}", "user_id": "ann"}})["message"]["id"]
                for i in range(n)}

    def lose(self, fate_of, statement):
        """From now on COMMITs of turns that ran ${statement} meet ${fate_of}(number)."""
        turns = [0]

        def rule(message):
            if not message.is_commit or len(self.proxy.losses) >= LOSSES or statement not in message.statements:
                return PASS
            turns[0] += 1
            return fate_of(turns[0])
        self.proxy.rule = rule

    def check(self, said, tags):
        """Everything was told, however often; and all that was lost was lost as ${tags} say."""
        def is_done():
            route = self.route()
            return route and route["put_aside"] == route["behind"] == 0 and route["sent"] >= len(said) and route
        until(f"{LOSSES} turns are lost", lambda: len(self.proxy.losses) >= LOSSES, within=60)
        route = until("all is settled", is_done, within=60)
        self.assertEqual({tag for _, tag in self.proxy.losses}, tags)
        self.assertEqual(route["dead"], 0)
        self.assertEqual({ident.decode() for ident in self.endpoint.messages.values()}, said)
        self.assertEqual(self.endpoint.taken, set(self.endpoint.bodies), "refused, and not sent again")
        self.assertEqual(self.endpoint.other_bodies, set())
        self.assertEqual(self.endpoint.falling, 0)
        self.assertEqual(len(self.endpoint.bodies), len(said), "one id for each message")
        self.assertEqual(pg.sql(self.url, "SELECT (SELECT COUNT(*) FROM loads), (SELECT COUNT(*) FROM parcels)"), "0|0")
        self.server.stop()

    def test_answers_are_lost(self):
        """Done, and not known to be."""
        self.lose(lambda n: LOSE if n % 2 == 0 else PASS, "route_move")
        self.check(self.say(), {"COMMIT"})

    def test_commits_are_lost(self):
        """Not done."""
        self.lose(lambda n: DROP if n % 2 == 0 else PASS, "route_move")
        self.check(self.say(), {""})

    def test_what_was_taken_to_be_tried_again(self):
        """Nothing else happens any more, by which it would show that another turn was written."""
        self.endpoint.nth = 1
        said = self.say(FEW)
        until("all are put aside", lambda: self.route()["put_aside"] == FEW)
        self.lose(lambda n: (LOSE, DROP)[n % 2], "aside_take")
        self.endpoint.nth = 3
        self.check(said, {"COMMIT", ""})


if __name__ == "__main__":
    main()
