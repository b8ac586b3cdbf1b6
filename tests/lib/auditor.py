#!/usr/bin/env python3
"""auditor – says from the store alone whether campaigns did what they must (I-1, I-2, I-5,
I-6, I-7): it shares no code with the server, and knows the formats from their descriptions
(base/pack.c, the schema).

For each batch row it decodes who was meant and what became of them, and compares that,
recipient by recipient, with the messages that are there.

Usage: auditor.py STORE.db – prints the counts, exits 1 unless all are 0.
"""
import os
import shutil
import sqlite3
import sys
import tempfile

FAULTS = ("lost", "dup", "phantom", "counter_mismatch", "nonterminal", "orphan_channel", "damaged")
SENT = 1
NO_SUCH_CHANNEL = 21
FORM_BITS = 12
CHUNK_BITS = 15  # of a stored set of uids
# (directory, text, key, table): where a text id stands once, and the row that has it.
DIRECTORIES = (("user_ids", "id", "uid", "users"), ("channel_ids", "cid", "no", "channels"),
               ("message_ids", "id", "key", "messages"))


def varint(blob, at):
    """The number at ${at}, and where it ends."""
    value = shift = 0
    while True:
        byte = blob[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def varints(blob, at):
    while at < len(blob):
        value, at = varint(blob, at)
        yield value


def unpack_keys(blob):
    kind, numbers = blob[0], varints(blob, 1)
    keys = []
    if kind == 1:
        for i, gap in enumerate(numbers):
            keys.append(gap if i == 0 else keys[-1] + gap + 1)
    elif kind == 2:
        for start in numbers:
            first = start if not keys else keys[-1] + start + 2
            keys.extend(range(first, first + next(numbers) + 1))
    else:
        raise ValueError("unknown format of keys")
    return keys


def unpack_bytes(blob):
    if blob[0] == 4:
        return list(blob[1:])
    if blob[0] != 3:
        raise ValueError("unknown format of outcomes")
    out, at = [], 1
    while at < len(blob):
        byte = blob[at]
        value, at = varint(blob, at + 1)
        out.extend([byte] * (value + 1))
    return out


def unpack_chunk(blob):
    """The offsets in one stored chunk of a set."""
    if blob[0] == 1:
        return [int.from_bytes(blob[i:i + 2], "little") for i in range(1, len(blob), 2)]
    if blob[0] != 2:
        raise ValueError("unknown format of a set")
    bits = int.from_bytes(blob[1:], "little")
    return [i for i in range(1 << CHUNK_BITS) if bits >> i & 1]


class Audit:
    """Counts faults in ${path}, a store that no process has open."""

    def __init__(self, path, campaigns=None, expected=None):
        """campaigns: ids to look at (default: all); expected: id → set of user ids (or of cids,
        when it is to channels) that the campaign must have for its audience."""
        self.faults = dict.fromkeys(FAULTS, 0)
        self.notes = []
        self.states = {}  # id → (status, planned)
        with tempfile.TemporaryDirectory() as folder:
            # A copy, so that the log of a killed process stays as the server will find it.
            for end in ("", "-wal"):
                if os.path.exists(path + end):
                    shutil.copyfile(path + end, os.path.join(folder, "store.db" + end))
            self.db = sqlite3.connect(os.path.join(folder, "store.db"))
            self.db.row_factory = sqlite3.Row
            if self.db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                self.fault("damaged", "integrity_check fails")
            # Messages of who was deleted, or to him, may have been removed with him.
            self.deleted = {uid for uid, in self.db.execute("SELECT uid FROM users WHERE deleted_at IS NOT NULL")}
            self.removals = self.db.execute("SELECT COUNT(*) FROM counters WHERE name = 'removal'").fetchone()[0]
            for campaign in self.db.execute("SELECT * FROM campaigns ORDER BY no").fetchall():
                if campaigns is None or campaign["id"] in campaigns:
                    self.campaign(campaign, (expected or {}).get(campaign["id"]))
            if campaigns is None:
                self.strays()
            self.db.close()

    def fault(self, kind, note, n=1):
        self.faults[kind] += n
        if len(self.notes) < 20:
            self.notes.append(f"{kind}: {note}")

    @property
    def clean(self):
        return not any(self.faults.values())

    def campaign(self, c, expected):
        self.states[c["id"]] = (c["status"], bool(c["planned"]))
        batches = self.db.execute("SELECT * FROM batches WHERE campaign = ? ORDER BY seq", (c["no"],)).fetchall()
        if not c["planned"]:
            if c["status"] == "completed":
                self.fault("nonterminal", f"{c['id']} is completed without a plan")
            for b in batches:
                self.messages_of(c, b, [None] * b["n"], None)
            return
        reach = self.db.execute("SELECT * FROM campaign_reach WHERE campaign = ?", (c["no"],)).fetchone()
        strays = [cid for cid, in self.db.execute("SELECT cid FROM campaign_strays WHERE campaign = ?", (c["no"],))]
        recount, audience, done, reads = {}, [], 0, 0
        for seq, b in enumerate(batches):
            try:
                uids = unpack_keys(b["uids"])
                outcomes = unpack_bytes(b["outcomes"]) if b["state"] == 2 else None
            except (ValueError, IndexError, StopIteration) as error:
                self.fault("damaged", f"{c['id']}/{b['seq']}: {error}")
                continue
            if b["seq"] != seq or b["first_ord"] != len(audience) or len(uids) != b["n"] or \
                    b["first_key"] - b["first_ord"] != batches[0]["first_key"]:
                self.fault("damaged", f"{c['id']}/{b['seq']}: not in its place")
            audience.extend(uids)
            if outcomes is not None:
                done += len(outcomes)
                for o in outcomes:
                    recount[o] = recount.get(o, 0) + 1
                if len(outcomes) != b["n"] or 0 in outcomes:
                    self.fault("nonterminal", f"{c['id']}/{b['seq']}: done with pending recipients")
            reads += bin(int.from_bytes(b["reads"] or b"", "big")).count("1")
            (self.messages_to if reach else self.messages_of)(c, b, uids, outcomes)
        if reach:
            recount[NO_SUCH_CHANNEL] = recount.get(NO_SUCH_CHANNEL, 0) + len(strays)
            recount = {outcome: n for outcome, n in recount.items() if n}
            reads = self.reach(c, reach)
            self.channels(c, audience, strays, expected)
        else:
            self.audience(c, audience, expected)
        self.counters(c, recount, len(audience) + len(strays), done + len(strays), reads)

    def messages_of(self, c, b, uids, outcomes):
        """Messages in the batch's range against its ledger."""
        there = {}
        for key, channel in self.db.execute("SELECT key, channel FROM messages WHERE key >= ? AND key < ?",
                                            (b["first_key"], b["first_key"] + b["n"])):
            there[key - b["first_key"]] = channel
        channels = set()
        for i, uid in enumerate(uids):
            is_sent = outcomes is not None and i < len(outcomes) and outcomes[i] == SENT
            if is_sent and i not in there and not {uid, c["sender"]} & self.deleted:
                self.fault("lost", f"{c['id']}/{b['seq']}[{i}] is sent without a message")
            elif not is_sent and i in there:
                self.fault("phantom", f"{c['id']}/{b['seq']}[{i}] has a message and is not sent")
            elif is_sent and c["form"] and there.get(i, 0) & ((1 << FORM_BITS) - 1):
                # Ids that are rendered (form 0) may be those of anybody's channel.
                if there[i] >> FORM_BITS != uid and uid not in self.distinct_members(there[i]):
                    self.fault("phantom", f"{c['id']}/{b['seq']}[{i}]: the channel is another user's")
                if there[i] in channels:
                    self.fault("dup", f"{c['id']}/{b['seq']}[{i}]: a second message in the channel")
                channels.add(there[i])

    def messages_to(self, c, b, channels, outcomes):
        """The same in a campaign to channels, whose recipients are numbers of channels."""
        there = dict(self.db.execute("SELECT key, channel FROM messages WHERE key >= ? AND key < ?",
                                     (b["first_key"], b["first_key"] + b["n"])).fetchall())
        for i, channel in enumerate(channels):
            found = there.get(b["first_key"] + i)
            is_sent = outcomes is not None and i < len(outcomes) and outcomes[i] == SENT
            if is_sent and found is None and not self.removals and c["sender"] not in self.deleted:
                self.fault("lost", f"{c['id']}/{b['seq']}[{i}] is sent without a message")
            elif found is not None and (not is_sent or found != channel):
                self.fault("phantom", f"{c['id']}/{b['seq']}[{i}] has a message that is not its own")

    def uids_in(self, number):
        """The members of a stored set."""
        uids = set()
        for key, n, blob in self.db.execute("SELECT key, n, uids FROM targets WHERE key >> 24 = ?", (number,)):
            offsets = unpack_chunk(blob)
            if len(offsets) != n:
                self.fault("damaged", f"chunk {key} has {len(offsets)} uids, says {n}")
            uids.update(((key & 0xFFFFFF) << CHUNK_BITS) + i for i in offsets)
        return uids

    def reach(self, c, reach):
        """Whom it reached, and who has read; returns how many have."""
        reached, read = self.uids_in(reach["reach_set"]), self.uids_in(reach["read_set"])
        if len(reached) != reach["users_sent"]:
            self.fault("counter_mismatch", f"{c['id']}: users_sent is {reach['users_sent']}, counted {len(reached)}")
        if read - reached or c["sender"] in reached:
            self.fault("phantom", f"{c['id']}: somebody counts who must not")
        # Whoever a channel of his own came from is in it, unless he has left.
        homes = {channel >> FORM_BITS for channel, in self.db.execute("""SELECT m.channel FROM batches b
            JOIN messages m ON m.key >= b.first_key AND m.key < b.first_key + b.n
            JOIN channels h ON h.no = m.channel AND h.origin <> 0 AND h.no & 4095 <> 0
            WHERE b.campaign = ? AND NOT EXISTS (SELECT 1 FROM members x WHERE x.channel = h.no
            AND x.uid = h.no >> 12 AND x.removed_at IS NOT NULL)""", (c["no"],))}
        if homes - reached - {c["sender"]}:
            self.fault("lost", f"{c['id']}: {len(homes - reached)} members are not counted as reached")
        return len(read)

    def cid_of(self, channel):
        row = self.db.execute("""SELECT COALESCE(c.cid, f.type || ':' || f.prefix || u.id || f.suffix) FROM channels c
            LEFT JOIN forms f ON f.form = c.no & 4095 LEFT JOIN users u ON u.uid = c.no >> 12
            WHERE c.no = ?""", (channel,)).fetchone()
        return row[0] if row else None

    def channels(self, c, audience, strays, expected):
        if len(set(audience)) != len(audience):
            self.fault("dup", f"{c['id']}: a target at two ordinals", len(audience) - len(set(audience)))
        if expected is None:
            return
        cids = [self.cid_of(channel) for channel in audience] + strays
        if len(set(cids)) != len(cids):
            self.fault("dup", f"{c['id']}: a cid is two targets", len(cids) - len(set(cids)))
        if expected - set(cids):
            self.fault("lost", f"{c['id']}: targets that are not in the plan", len(expected - set(cids)))
        if set(cids) - expected:
            self.fault("phantom", f"{c['id']}: recipients that are no targets", len(set(cids) - expected))

    def distinct_members(self, channel):
        row = self.db.execute("SELECT kind, prefix FROM forms WHERE form = ?",
                              (channel & ((1 << FORM_BITS) - 1),)).fetchone()
        return {int(uid) for uid in row["prefix"].split(",") if uid} if row and row["kind"] == 1 else set()

    def audience(self, c, audience, expected):
        if len(set(audience)) != len(audience):
            self.fault("dup", f"{c['id']}: a target at two ordinals", len(audience) - len(set(audience)))
        if expected is None:
            return
        marks = {uid for uid, ident in self.db.execute("SELECT uid, id FROM users") if ident in expected}
        if len(marks - set(audience)):
            self.fault("lost", f"{c['id']}: targets that are not in the plan", len(marks - set(audience)))
        if len(set(audience) - marks):
            self.fault("phantom", f"{c['id']}: recipients that are no targets", len(set(audience) - marks))

    def counters(self, c, recount, audience, done, reads):
        tallies = dict(self.db.execute("SELECT outcome, n FROM tallies WHERE campaign = ?", (c["no"],)).fetchall())
        made = self.db.execute("SELECT COUNT(*) FROM channels WHERE origin = ?", (c["no"],)).fetchone()[0]
        for name, stored, counted in (("tallies", tallies, recount), ("audience", c["audience"], audience),
                                      ("pending", c["pending"], audience - done), ("users_read", c["users_read"], reads)):
            if stored != counted:
                self.fault("counter_mismatch", f"{c['id']}: {name} is {stored}, counted {counted}")
        # A distinct channel that fell on the number of another user says nothing of its origin,
        # nor does one that was deleted and made anew.
        foreign = self.db.execute("""SELECT COUNT(*) FROM channels
            WHERE origin = 0 AND (no & 4095 <> 0 OR truncated_at IS NOT NULL)""").fetchone()[0]
        most = made + foreign if not self.removals else c["channels_created"]
        if not made <= c["channels_created"] <= most:
            self.fault("counter_mismatch", f"{c['id']}: channels_created is {c['channels_created']}, counted {made}")
        if c["status"] == "completed" and done != audience:
            self.fault("nonterminal", f"{c['id']}: completed, {audience - done} pending")
        if c["status"] == "in_progress" and done == audience:
            self.fault("nonterminal", f"{c['id']}: nothing is pending, yet it is not completed")

    def strays(self):
        """What belongs to nothing."""
        n = self.db.execute("""SELECT COUNT(*) FROM messages m WHERE m.author IS NULL AND NOT EXISTS (
            SELECT 1 FROM batches b WHERE b.first_key = (SELECT MAX(x.first_key) FROM batches x
            WHERE x.first_key <= m.key) AND m.key < b.first_key + b.n)""").fetchone()[0]
        if n:
            self.fault("phantom", f"{n} messages of no batch", n)
        # What was deleted hard keeps its key and lies in no channel: channel 0.
        n = self.db.execute("""SELECT COUNT(*) FROM messages m WHERE NOT EXISTS (
            SELECT 1 FROM channels c WHERE c.no = m.channel) AND m.channel <> 0""").fetchone()[0]
        if n:
            self.fault("orphan_channel", f"{n} messages without a channel", n)
        n = self.db.execute("""SELECT COUNT(*) - COUNT(DISTINCT cid) FROM channels
            WHERE cid IS NOT NULL""").fetchone()[0]
        if n:
            self.fault("dup", f"{n} channels of equal cid", n)
        for names in DIRECTORIES:
            self.directory(*names)

    def directory(self, directory, text, key, table):
        """Every row that has the text is led to by it, and every text leads to such a row."""
        for rows, others, where in ((table, directory, f"x.{text} IS NOT NULL AND"), (directory, table, "")):
            n = self.db.execute(f"""SELECT COUNT(*) FROM {rows} x WHERE {where} NOT EXISTS (SELECT 1 FROM {others} y
                WHERE y.{text} = x.{text} AND y.{key} = x.{key})""").fetchone()[0]
            if n:
                self.fault("damaged", f"{n} rows of {rows} without their row of {others}", n)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    audit = Audit(sys.argv[1])
    print(" ".join(f"{kind}={n}" for kind, n in audit.faults.items()))
    for note in audit.notes:
        print("  " + note)
    sys.exit(0 if audit.clean else 1)


if __name__ == "__main__":
    main()
