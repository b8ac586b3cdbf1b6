#!/usr/bin/env python3
"""test_same – one talk (talk.py) with a server on SQLite and with one on PostgreSQL: the bytes of all
answers are the same, but for what cannot be: times, what the server draws by lot (ids, cursors), how
long it took. Even these are compared as far as they go: what is equal here is equal there.

Usage: test_same.py [CLASS[.TEST] …], with the program in FANFARE_BIN or build/fanfare.  The last
line is "N passed, N failed".
"""
import json
import os
import re

from support import Case, cluster, completed, main, until
from talk import talk

postgres = None
SHOWN = 12

DRAWN = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
CURSOR = re.compile(rb'((?:next|prev)(?:": ?"|=))([\w-]+)')
TIME = re.compile(rb'"20[234]\d-\d\d-\d\dT[\d:.]+Z"|\b1[789]\d{17}\b')
DURATION = re.compile(rb'"duration":"[\d.]+ms"')


def setUpModule():
    global postgres
    postgres = cluster()


class Transcript:
    """What was asked and answered, with numbers in the place of what is drawn or measured."""

    def __init__(self, client):
        self.client, self.lines, self.names = client, [], {}

    def named(self, text):
        """What is drawn has a number, the same wherever it comes."""
        def name(thing):
            return b"<%d>" % self.names.setdefault(thing, len(self.names))
        return DRAWN.sub(lambda m: name(m.group()), CURSOR.sub(lambda m: m.group(1) + name(m.group(2)), text))

    def masked(self, body, volatile):
        """Times: equal ones of one answer have the same number."""
        for key in volatile:
            body = re.sub(rb'"%s":("[^"]*"|\d+|\{(?:[^{}]|\{[^{}]*\})*\})' % key.encode(), b'"%s":<?>' % key.encode(), body)
        times = {}
        body = DURATION.sub(b'"duration":<>', body)
        return TIME.sub(lambda m: b"<time %d>" % times.setdefault(m.group(), len(times)), self.named(body))

    def ask(self, method, path, body=None, volatile=()):
        answer = self.client.ask(method, path, body)
        question = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        question = self.named(f"{method} {path} ".encode() + question)
        headers = {k: v for k, v in answer.headers.items() if k in ("Content-Type", "Allow", "X-RateLimit-Limit", "Retry-After")}
        self.lines.append((question, answer.status, headers, self.masked(answer.body, volatile)))
        return answer.json

    def settled(self, *segments):
        """The size of a filter segment comes a moment later."""
        def is_counted():
            return all(self.client.call("GET", f"/segments/{s}")["segment"]["size"] > 0 for s in segments)
        until("segments are counted", is_counted)

    def completed(self, ident):
        if self.client.call("GET", f"/campaigns/{ident}")["campaign"]["status"] != "draft":
            completed(self.client, ident)


class Same(Case):
    maxDiff = None

    def transcript(self, store, **settings):
        # One worker and small batches: channels are numbered in the order of the plan.
        server = self.serve(store, workers=1, batch_size=16, **settings)
        transcript = Transcript(server)
        talk(transcript.ask, transcript.settled, transcript.completed)
        server.stop()
        return transcript.lines

    def compare(self, here, there):
        self.assertEqual(len(here), len(there))
        wrong = []
        for one, other in zip(here, there):
            if one != other:
                wrong.append(self.difference(one, other))
        self.assertEqual(len(wrong), 0, f"{len(wrong)} of {len(here)} answers differ\n\n" + "\n\n".join(wrong[:SHOWN]))
        # No refusal of the talk is a failure of the server (I-28).
        self.assertEqual([line for line in here if line[1] >= 500], [])

    @staticmethod
    def difference(one, other):
        a, b = one[3], other[3]
        at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        lines = [one[0][:300].decode(errors="replace")]
        if one[0] != other[0]:
            lines.append("  asked otherwise: " + other[0][:300].decode(errors="replace"))
        for name, (_, status, headers, body) in (("sqlite", one), ("pg", other)):
            lines.append(f"  {name}: {status} {headers} …" + body[max(0, at - 100):at + 160].decode(errors="replace"))
        return "\n".join(lines)

    def test_the_same_answers(self):
        here = self.transcript(os.path.join(self.folder, "store.db"))
        # In a language whose order is not that of the bytes, with numbers in texts by their value.
        there = postgres.database(options="LOCALE_PROVIDER icu ICU_LOCALE 'de-u-kn-true'")
        self.compare(here, self.transcript(there))
        print(f"{len(here)} answers, {sum(len(line[3]) for line in here)} bytes", end=" … ")


if __name__ == "__main__":
    main()
