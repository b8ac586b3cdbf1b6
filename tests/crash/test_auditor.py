#!/usr/bin/env python3
"""test_auditor – the auditor must be able to fail: a store of two campaigns, made by the
server, is clean; with one planted fault after another it is not, and the kind is right.

Usage: test_auditor.py, with the program in FANFARE_BIN or build/fanfare.  The last line is
"N passed, N failed".
"""
import os
import shutil
import sqlite3
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
from auditor import FAULTS, SENT, Audit, unpack_bytes, unpack_keys  # noqa: E402
from server import Server  # noqa: E402

FANFARE = os.environ.get("FANFARE_BIN", os.path.join(HERE, "../../build/fanfare"))
DEADLINE_S = 60
BATCH = 8
USERS = [f"user-{i:02d}" for i in range(20)]
# Of campaign "derived": the sender himself and a name that is nobody's are skipped.
TARGETS = set(USERS) | {"sender", "ghost"}
SKIPPED_IS_SENDER = 16
PLANNED, CLAIMED, DONE = 0, 1, 2


CIDS = {f"messaging:{u}-y" for u in USERS} | {"messaging:nowhere", "messaging:never"}
NO_SUCH_CHANNEL = 21


def run_campaign(server, ident, template, users):
    send(server, {
        "id": ident, "sender_id": "sender", "user_ids": sorted(users), "create_channels": True,
        "channel_template": template, "message_template": {"text": "Hi {{receiver.name}}"}})


def send(server, body):
    ident = body["id"]
    server.call("POST", "/campaigns", body)
    server.call("POST", f"/campaigns/{ident}/start", {})
    began = time.monotonic()
    while server.call("GET", f"/campaigns/{ident}")["campaign"]["status"] != "completed":
        if time.monotonic() - began > DEADLINE_S:
            raise RuntimeError(f"{ident} does not complete")


def build(store):
    """Campaigns: channels of an affix form, distinct ones, a list of channels that another one made,
    and one that stays a draft."""
    server = Server(FANFARE, store, batch_size=BATCH)
    server.call("POST", "/users", {"users": {u: {"id": u, "name": u.title()} for u in USERS + ["sender"]}})
    run_campaign(server, "derived", {"type": "messaging", "id": "{{receiver.id}}-x"}, TARGETS)
    run_campaign(server, "distinct", {"type": "messaging"}, USERS)
    run_campaign(server, "shelf", {"type": "messaging", "id": "{{receiver.id}}-y"}, USERS)
    server.call("POST", "/segments", {"id": "list", "type": "channel"})
    server.call("POST", "/segments/list/addtargets", {"target_ids": sorted(CIDS)})
    send(server, {"id": "channels", "sender_id": "sender", "segment_ids": ["list"], "message_template": {"text": "Hi"}})
    server.call("POST", f"/channels/messaging/{USERS[3]}-y/read", {"user_id": USERS[3]})
    server.call("POST", "/campaigns", {"id": "draft", "sender_id": "sender", "user_ids": USERS,
                                       "message_template": {"text": "later"}})
    server.stop()


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def pack_keys(keys):
    """The gap form, written down here once more: the test must not trust what it tests."""
    gaps = [key if i == 0 else key - keys[i - 1] - 1 for i, key in enumerate(keys)]
    return b"\1" + b"".join(map(varint, gaps))


class Planted(unittest.TestCase):
    """Each test damages a copy of the one store."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="fanfare-auditor-")
        cls.original = os.path.join(cls.folder, "store.db")
        build(cls.original)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.store = os.path.join(self.folder, "copy.db")
        shutil.copyfile(self.original, self.store)
        self.db = sqlite3.connect(self.store)
        self.db.row_factory = sqlite3.Row
        self.no = self.value("SELECT no FROM campaigns WHERE id = 'derived'")

    def tearDown(self):
        self.db.close()
        os.unlink(self.store)

    def value(self, sql, *args):
        return self.db.execute(sql, args).fetchone()[0]

    def change(self, sql, *args, rows=1):
        """A fault that changes nothing would prove nothing."""
        self.assertEqual(self.db.execute(sql, args).rowcount, rows, sql)

    def batch(self, seq):
        return self.db.execute("SELECT * FROM batches WHERE campaign = ? AND seq = ?", (self.no, seq)).fetchone()

    def audit(self, expected=None, campaigns=None):
        self.db.commit()
        return Audit(self.store, campaigns, {"derived": TARGETS, "distinct": set(USERS), "channels": CIDS} | (expected or {}))

    def found(self, *wanted, **options):
        """The audit counts exactly these faults, one for each kind named."""
        audit = self.audit(**options)
        counts = dict.fromkeys(FAULTS, 0)
        for kind in wanted:
            counts[kind] += 1
        self.assertEqual(audit.faults, counts, audit.notes)
        self.assertFalse(audit.clean)

    def sent_ordinal(self, seq=1):
        """Batch ${seq} and the place in it of a recipient who was sent to."""
        b = self.batch(seq)
        return b, unpack_bytes(b["outcomes"]).index(SENT)

    # ---- the clean store: without it the rest says nothing ------------------------------

    def test_as_it_was_made(self):
        audit = self.audit()
        self.assertTrue(audit.clean, audit.notes)
        self.assertEqual(audit.states, {"derived": ("completed", True), "distinct": ("completed", True),
                                        "shelf": ("completed", True), "channels": ("completed", True),
                                        "draft": ("draft", False)})
        self.assertEqual(self.value("SELECT COUNT(*) FROM batches WHERE campaign = ?", self.no), 3)
        self.assertEqual(self.value("SELECT COUNT(*) FROM messages"), 4 * len(USERS))
        self.assertEqual(self.value("SELECT COUNT(*) FROM channels"), 3 * len(USERS))
        self.assertEqual(sorted(unpack_bytes(self.batch(2)["outcomes"]) + unpack_bytes(self.batch(0)["outcomes"]) +
                                unpack_bytes(self.batch(1)["outcomes"])), [SENT] * 20 + [16, 17])

    def test_own_packing_is_read(self):
        for keys in ([0], [5], [1, 2, 3], [0, 1, 200, 70000, 70001, 1 << 40]):
            self.assertEqual(unpack_keys(pack_keys(keys)), keys)

    # ---- messages (I-1) -----------------------------------------------------------------

    def test_message_gone(self):
        b, i = self.sent_ordinal()
        self.change("DELETE FROM messages WHERE key = ?", b["first_key"] + i)
        self.found("lost")

    def test_three_messages_gone(self):
        self.change("DELETE FROM messages WHERE key >= ? AND key < ? + 3", *[self.batch(1)["first_key"]] * 2, rows=3)
        self.found("lost", "lost", "lost")

    def test_messages_gone_with_a_deleted_user(self):
        sent = {uid: b["first_key"] + i for b in map(self.batch, range(3))
                for i, (uid, o) in enumerate(zip(unpack_keys(b["uids"]), unpack_bytes(b["outcomes"]))) if o == SENT}
        one = self.value("SELECT uid FROM users WHERE id = 'user-03'")
        self.change("DELETE FROM messages WHERE key = ?", sent[one])
        self.change("UPDATE users SET deleted_at = 1 WHERE uid = ?", one)
        self.assertTrue(self.audit().clean)
        for uid, key in sent.items():
            self.change("DELETE FROM messages WHERE key = ?", key, rows=uid != one)
        self.assertEqual(self.audit().faults["lost"], len(USERS) - 1)
        self.change("UPDATE users SET deleted_at = 1 WHERE id = 'sender'")
        self.assertTrue(self.audit().clean)

    def test_channels_removed_on_purpose(self):
        channel = self.value("SELECT MIN(no) FROM channels WHERE origin = ?", self.no)
        self.change("DELETE FROM messages WHERE channel = ?", channel)
        self.change("DELETE FROM channels WHERE no = ?", channel)
        self.change("UPDATE users SET deleted_at = 1 WHERE uid = ?", channel >> 12)
        self.found("counter_mismatch")
        self.change("INSERT INTO counters (name, next) VALUES ('removal', 2)")
        self.assertTrue(self.audit().clean)

    def test_second_message_in_a_channel(self):
        b, i = self.sent_ordinal()
        j = unpack_bytes(b["outcomes"]).index(SENT, i + 1)
        self.change("UPDATE messages SET channel = (SELECT channel FROM messages WHERE key = ?) WHERE key = ?",
                    b["first_key"] + i, b["first_key"] + j)
        # Who has the second one is also in another's channel.
        self.found("dup", "phantom")

    def test_message_of_one_who_was_skipped(self):
        ordinals = [(seq, unpack_bytes(self.batch(seq)["outcomes"])) for seq in range(3)]
        seq, i = next((seq, o.index(SKIPPED_IS_SENDER)) for seq, o in ordinals if SKIPPED_IS_SENDER in o)
        channel = self.value("SELECT MIN(no) FROM channels")
        self.change("INSERT INTO messages (key, channel, created_at, text) VALUES (?, ?, 1, 'x')",
                    self.batch(seq)["first_key"] + i, channel)
        self.found("phantom")

    def test_message_in_a_batch_not_committed(self):
        self.change("UPDATE batches SET state = ?, outcomes = NULL WHERE campaign = ? AND seq = 1", CLAIMED, self.no)
        self.change("UPDATE campaigns SET pending = ?, status = 'in_progress' WHERE no = ?", BATCH, self.no)
        audit = self.audit()
        self.assertEqual(audit.faults["phantom"], BATCH, audit.notes)
        self.assertEqual(audit.faults["nonterminal"], 0, audit.notes)

    def test_message_beyond_any_batch(self):
        last = self.value("SELECT MAX(first_key + n) FROM batches")
        self.change("INSERT INTO messages (key, channel, created_at, text) SELECT ?, MIN(no), 1, 'x' FROM channels", last)
        self.found("phantom")

    def test_message_before_any_batch(self):
        self.change("INSERT INTO messages (key, channel, created_at, text) SELECT 0, MIN(no), 1, 'x' FROM channels")
        self.found("phantom")

    def test_message_of_the_api_is_no_fault(self):
        last = self.value("SELECT MAX(first_key + n) FROM batches")
        self.change("INSERT INTO messages (key, channel, created_at, text, author) "
                    "SELECT ?, MIN(no), 1, 'x', 1 FROM channels", last)
        self.assertTrue(self.audit().clean)

    def test_message_of_a_campaign_without_a_plan(self):
        no = self.value("SELECT no FROM campaigns WHERE id = 'draft'")
        self.change("UPDATE campaigns SET status = 'in_progress' WHERE no = ?", no)
        first = self.value("SELECT MAX(first_key + n) FROM batches")
        self.change("INSERT INTO batches (campaign, seq, first_ord, n, first_key, uids, state, fence, lease_until) "
                    "VALUES (?, 0, 0, 2, ?, ?, 0, 0, 0)", no, first, pack_keys([1, 2]))
        self.assertTrue(self.audit().clean)
        self.change("INSERT INTO messages (key, channel, created_at, text) SELECT ?, MIN(no), 1, 'x' FROM channels", first)
        self.found("phantom")

    # ---- channels -----------------------------------------------------------------------

    def test_channel_row_gone(self):
        b, i = self.sent_ordinal()
        channel = self.value("SELECT channel FROM messages WHERE key = ?", b["first_key"] + i)
        self.change("DELETE FROM channels WHERE no = ?", channel)
        self.found("orphan_channel", "counter_mismatch")

    def test_message_in_the_channel_of_another(self):
        b, i = self.sent_ordinal()
        stranger = self.value("SELECT uid FROM users WHERE id = 'sender'")
        self.change("INSERT INTO channels (no, origin, created_at) SELECT ? << 12 | (no & 4095), 0, 1 FROM channels "
                    "WHERE no = (SELECT channel FROM messages WHERE key = ?)", stranger, b["first_key"] + i)
        self.change("UPDATE messages SET channel = ? << 12 | (channel & 4095) WHERE key = ?",
                    stranger, b["first_key"] + i)
        self.found("phantom")

    def test_two_channels_of_one_cid(self):
        self.explicit_channel(1 << 32)
        self.change("INSERT INTO channels (no, origin, created_at, cid) VALUES (?, 0, 1, 'messaging:x')", 2 << 32)
        self.found("dup", "damaged")

    # ---- directories --------------------------------------------------------------------

    def explicit_channel(self, no):
        self.change("INSERT INTO channels (no, origin, created_at, cid) VALUES (?, 0, 1, 'messaging:x')", no)
        self.change("INSERT INTO channel_ids (cid, no) VALUES ('messaging:x', ?)", no)
        self.assertTrue(self.audit().clean)

    def test_channel_not_in_its_directory(self):
        self.explicit_channel(1 << 32)
        self.change("DELETE FROM channel_ids")
        self.found("damaged")

    def test_user_not_in_his_directory(self):
        self.change("DELETE FROM user_ids WHERE id = 'ghost'")
        self.found("damaged")

    def test_directory_that_leads_to_another(self):
        self.change("UPDATE user_ids SET uid = (SELECT uid FROM users WHERE id = 'sender') WHERE id = 'ghost'")
        audit = self.audit()
        self.assertEqual(audit.faults, dict.fromkeys(FAULTS, 0) | {"damaged": 2}, audit.notes)

    def test_directory_that_leads_nowhere(self):
        self.change("INSERT INTO channel_ids (cid, no) VALUES ('messaging:x', ?)", 1 << 32)
        self.change("INSERT INTO message_ids (id, key) VALUES ('x', 1)")
        audit = self.audit()
        self.assertEqual(audit.faults, dict.fromkeys(FAULTS, 0) | {"damaged": 2}, audit.notes)

    # ---- the audience (I-2) -------------------------------------------------------------

    def test_target_at_two_ordinals(self):
        uids = unpack_keys(self.batch(0)["uids"])
        self.change("UPDATE batches SET uids = ? WHERE campaign = ? AND seq = 1",
                    pack_keys([uids[0]] + unpack_keys(self.batch(1)["uids"])[1:]), self.no)
        audit = self.audit()
        self.assertEqual(audit.faults["dup"], 1, audit.notes)
        self.assertEqual(audit.faults["lost"], 1, "one target is in no batch now")

    def test_target_not_in_the_plan(self):
        self.change("INSERT INTO users (uid, id) VALUES (999, 'forgotten')")
        self.change("INSERT INTO user_ids (id, uid) VALUES ('forgotten', 999)")
        self.found("lost", expected={"derived": TARGETS | {"forgotten"}})

    def test_recipient_who_is_no_target(self):
        self.found("phantom", expected={"derived": TARGETS - {"user-03"}})

    def test_batches_in_the_wrong_place(self):
        self.change("UPDATE batches SET first_ord = first_ord + 1 WHERE campaign = ? AND seq = 2", self.no)
        self.found("damaged")

    def test_batch_gone(self):
        self.change("DELETE FROM batches WHERE campaign = ? AND seq = 1", self.no)
        audit = self.audit()
        for kind in ("lost", "damaged", "counter_mismatch", "phantom"):
            self.assertGreater(audit.faults[kind], 0, (kind, audit.notes))

    # ---- counters (I-7) -----------------------------------------------------------------

    def test_tally_off_by_one(self):
        self.change("UPDATE tallies SET n = n + 1 WHERE campaign = ? AND outcome = ?", self.no, SENT)
        self.found("counter_mismatch")

    def test_tally_gone(self):
        self.change("DELETE FROM tallies WHERE campaign = ? AND outcome = ?", self.no, SKIPPED_IS_SENDER)
        self.found("counter_mismatch")

    def test_counters_off(self):
        for column in ("audience", "pending", "channels_created", "users_read"):
            for step in (1, -1):
                with self.subTest(column=column, step=step):
                    self.change(f"UPDATE campaigns SET {column} = {column} + ? WHERE no = ?", step, self.no)
                    self.found("counter_mismatch")
                    self.change(f"UPDATE campaigns SET {column} = {column} - ? WHERE no = ?", step, self.no)

    def test_read_without_its_counter(self):
        self.change("UPDATE batches SET reads = ? WHERE campaign = ? AND seq = 0", b"\1", self.no)
        self.found("counter_mismatch")
        self.change("UPDATE campaigns SET users_read = 1 WHERE no = ?", self.no)
        self.assertTrue(self.audit().clean)

    # ---- campaigns to channels ----------------------------------------------------------

    def to_channels(self):
        self.no = self.value("SELECT no FROM campaigns WHERE id = 'channels'")

    def test_channel_message_elsewhere(self):
        self.to_channels()
        b, i = self.sent_ordinal()
        self.change("UPDATE messages SET channel = (SELECT MIN(no) FROM channels) WHERE key = ?", b["first_key"] + i)
        self.found("phantom")

    def test_channel_message_gone(self):
        self.to_channels()
        b, i = self.sent_ordinal()
        self.change("DELETE FROM messages WHERE key = ?", b["first_key"] + i)
        self.found("lost")

    def test_stray_gone(self):
        self.to_channels()
        self.change("DELETE FROM campaign_strays WHERE cid = 'messaging:never'")
        audit = self.audit()
        self.assertEqual((audit.faults["lost"], audit.faults["counter_mismatch"]), (1, 2), audit.notes)

    def test_stray_that_is_a_recipient(self):
        self.to_channels()
        self.change("INSERT INTO campaign_strays VALUES (?, ?)", self.no, f"messaging:{USERS[0]}-y")
        self.change("UPDATE tallies SET n = n + 1 WHERE campaign = ? AND outcome = ?", self.no, NO_SUCH_CHANNEL)
        self.change("UPDATE campaigns SET audience = audience + 1 WHERE no = ?", self.no)
        self.found("dup")

    def test_reached_without_its_counter(self):
        self.to_channels()
        self.assertEqual(self.value("SELECT users_sent FROM campaign_reach WHERE campaign = ?", self.no), len(USERS))
        self.change("UPDATE campaign_reach SET users_sent = users_sent + 1 WHERE campaign = ?", self.no)
        self.found("counter_mismatch")

    def test_member_not_reached(self):
        self.to_channels()
        uid = self.value("SELECT uid FROM users WHERE id = ?", USERS[5])
        key = self.value("SELECT reach_set << 24 FROM campaign_reach WHERE campaign = ?", self.no)
        blob = self.value("SELECT uids FROM targets WHERE key = ?", key)
        self.assertEqual(blob[0], 1)
        offsets = [blob[i:i + 2] for i in range(1, len(blob), 2)]
        offsets.remove(uid.to_bytes(2, "little"))
        self.change("UPDATE targets SET uids = ?, n = n - 1 WHERE key = ?", b"\1" + b"".join(offsets), key)
        self.change("UPDATE campaign_reach SET users_sent = users_sent - 1 WHERE campaign = ?", self.no)
        self.found("lost")

    def test_reader_who_was_not_reached(self):
        self.to_channels()
        self.change("UPDATE targets SET uids = ? WHERE key = (SELECT read_set << 24 FROM campaign_reach "
                    "WHERE campaign = ?)", b"\1\xff\x7e", self.no)
        self.found("phantom")

    def test_reader_without_his_counter(self):
        self.to_channels()
        self.assertEqual(self.value("SELECT users_read FROM campaigns WHERE no = ?", self.no), 1)
        self.change("UPDATE campaigns SET users_read = 2 WHERE no = ?", self.no)
        self.found("counter_mismatch")

    # ---- ends (I-5, I-6) ----------------------------------------------------------------

    def test_completed_with_an_open_batch(self):
        b = self.batch(1)
        self.change("DELETE FROM messages WHERE key >= ? AND key < ?", b["first_key"], b["first_key"] + BATCH, rows=BATCH)
        self.change("UPDATE batches SET state = ?, outcomes = NULL WHERE campaign = ? AND seq = 1", PLANNED, self.no)
        self.change("UPDATE campaigns SET pending = ? WHERE no = ?", BATCH, self.no)
        self.change("UPDATE tallies SET n = n - ? WHERE campaign = ? AND outcome = ?",
                    unpack_bytes(b["outcomes"]).count(SENT), self.no, SENT)
        self.found("nonterminal")

    def test_in_progress_with_nothing_open(self):
        self.change("UPDATE campaigns SET status = 'in_progress' WHERE no = ?", self.no)
        self.found("nonterminal")

    def test_completed_without_a_plan(self):
        self.change("UPDATE campaigns SET status = 'completed' WHERE id = 'draft'")
        self.found("nonterminal")

    def test_done_with_a_pending_recipient(self):
        b, i = self.sent_ordinal()
        outcomes = unpack_bytes(b["outcomes"])
        outcomes[i] = 0
        self.change("UPDATE batches SET outcomes = ? WHERE campaign = ? AND seq = 1", b"\4" + bytes(outcomes), self.no)
        audit = self.audit()
        for kind in ("nonterminal", "phantom", "counter_mismatch"):
            self.assertEqual(audit.faults[kind], 1, audit.notes)

    # ---- damage -------------------------------------------------------------------------

    def test_blobs_of_nonsense(self):
        for column, blob in (("uids", b"\x09\x01"), ("uids", b"\1\x80"), ("uids", b""), ("outcomes", b"\x09"),
                             ("outcomes", b"\3\1"), ("outcomes", b"")):
            with self.subTest(column=column, blob=blob):
                before = self.batch(1)[column]
                self.change(f"UPDATE batches SET {column} = ? WHERE campaign = ? AND seq = 1", blob, self.no)
                self.assertGreater(self.audit().faults["damaged"], 0)
                self.change(f"UPDATE batches SET {column} = ? WHERE campaign = ? AND seq = 1", before, self.no)

    def test_page_of_nonsense(self):
        self.db.close()
        with open(self.store, "r+b") as f:
            page = int.from_bytes(f.read(18)[16:18], "big")
            f.seek(0, os.SEEK_END)
            f.seek(f.tell() // page // 2 * page)
            f.write(b"\xff" * page)
        self.db = sqlite3.connect(self.store)
        try:
            self.assertGreater(Audit(self.store).faults["damaged"], 0)
        except sqlite3.DatabaseError:
            pass  # as loud

    # ---- what is asked ------------------------------------------------------------------

    def test_only_the_campaign_that_is_asked_for(self):
        self.change("UPDATE campaigns SET pending = 7 WHERE no = ?", self.no)
        self.assertTrue(self.audit(campaigns={"distinct"}).clean)
        self.found("counter_mismatch", campaigns={"derived"})


def main():
    result = unittest.TextTestRunner(stream=sys.stdout).run(unittest.defaultTestLoader.loadTestsFromTestCase(Planted))
    bad = len({test.id().split(" ")[0] for test, _ in result.failures + result.errors})
    print(f"{result.testsRun - bad} passed, {bad} failed")
    sys.exit(1 if bad or result.testsRun == 0 else 0)


if __name__ == "__main__":
    main()
