-- Batch rows: plan, claim, commit.

-- Of an unfinished plan only: what is planned is a ledger.
-- name: batch_drop_plan
DELETE FROM batches WHERE campaign = $1
AND NOT EXISTS (SELECT 1 FROM campaigns WHERE no = $1 AND planned = 1)

-- name: batch_insert
INSERT INTO batches (campaign, seq, first_ord, n, first_key, uids, state, fence, lease_until)
SELECT $1, r.seq, r.first_ord, r.n, $2 + r.first_ord, r.uids, 0, 0, 0
FROM @rows(seq BIGINT, first_ord BIGINT, n BIGINT, uids BLOB) AS r

-- The campaign with the fewest claimed batches first; of it the first open batch.  Both are
-- found through partial indexes, whose conditions are repeated to the letter: what is done
-- leaves them, so a claim costs the same in an old store.  A campaign that is tied to the pace of
-- webhooks has no batch to claim while one of them lags too much.
-- name: batch_claim
-- only: sqlite
UPDATE batches SET state = 1, fence = fence + 1, lease_until = $1 + $2
WHERE (campaign, seq) = (
	SELECT b.campaign, b.seq
	FROM campaigns c, batches b
	WHERE c.status = 'in_progress' AND c.planned = 1 AND (c.stop_at IS NULL OR c.stop_at > $1)
	AND b.campaign = c.no AND b.state < 2 AND (b.state = 0 OR b.lease_until < $1)
	AND (c.max_webhook_lag IS NULL OR NOT EXISTS (
		SELECT 1 FROM routes w
		WHERE w.kind = 1 AND w.is_off = 0 AND w.paused_at IS NULL AND w.barred_at IS NULL
		AND ((SELECT MIN(l.at) FROM loads l WHERE l.route = w.no) <
				$1 - c.max_webhook_lag * 1000000
			OR (SELECT e.at FROM events e WHERE e.pos > w.pos ORDER BY e.pos LIMIT 1) <
				$1 - c.max_webhook_lag * 1000000)))
	AND b.seq = (
		SELECT MIN(o.seq) FROM batches o
		WHERE o.campaign = c.no AND o.state < 2 AND (o.state = 0 OR o.lease_until < $1))
	ORDER BY (
		SELECT COUNT(*) FROM (
			SELECT 1 FROM batches k
			WHERE k.campaign = c.no AND k.state = 1 AND k.lease_until >= $1 AND k.state < 2
			LIMIT 64) AS claimed), c.no
	LIMIT 1)
RETURNING campaign, seq, first_ord, n, first_key, uids, fence

-- The same where others claim at the same moment: a batch that is locked (being claimed, or
-- being written by somebody whose lease is over) is passed over.  The row comes from a scalar
-- sub-query, which is run once; a join might run it again and again, and claim all.
-- name: batch_claim
-- only: pg
UPDATE batches SET state = 1, fence = fence + 1, lease_until = $1 + $2
WHERE (campaign, seq) = (
	SELECT o.campaign, o.seq
	FROM (
		SELECT c.no
		FROM campaigns c
		WHERE c.status = 'in_progress' AND c.planned = 1
		AND (c.stop_at IS NULL OR c.stop_at > $1)
		AND (c.max_webhook_lag IS NULL OR NOT EXISTS (
			SELECT 1 FROM routes w
			WHERE w.kind = 1 AND w.is_off = 0 AND w.paused_at IS NULL AND w.barred_at IS NULL
			AND ((SELECT MIN(l.at) FROM loads l WHERE l.route = w.no) <
					$1 - c.max_webhook_lag * 1000000
				OR (SELECT e.at FROM events e WHERE e.pos > w.pos ORDER BY e.pos LIMIT 1) <
					$1 - c.max_webhook_lag * 1000000)))
		ORDER BY (
			SELECT COUNT(*) FROM (
				SELECT 1 FROM batches k
				WHERE k.campaign = c.no AND k.state = 1 AND k.lease_until >= $1
				AND k.state < 2 LIMIT 64) AS claimed), c.no) AS c
	CROSS JOIN LATERAL (
		SELECT b.campaign, b.seq FROM batches b
		WHERE b.campaign = c.no AND b.state < 2 AND (b.state = 0 OR b.lease_until < $1)
		ORDER BY b.seq LIMIT 1 @skip_locked) AS o
	LIMIT 1)
RETURNING campaign, seq, first_ord, n, first_key, uids, fence

-- name: batch_release_all
UPDATE batches SET state = 0 WHERE state = 1 AND state < 2

-- name: batch_done
UPDATE batches SET state = 2, done_at = $4, outcomes = $5
WHERE campaign = $1 AND seq = $2 AND fence = $3 AND state = 1

-- name: batch_outcomes
UPDATE batches SET outcomes = $3 WHERE campaign = $1 AND seq = $2

-- name: tally_add
INSERT INTO tallies (campaign, outcome, n)
SELECT $1, r.outcome, r.n FROM @rows(outcome BIGINT, n BIGINT) AS r WHERE true
ON CONFLICT (campaign, outcome) DO UPDATE SET n = tallies.n + excluded.n

-- The recipients of a batch with what their channel of form $1 says; driven by the rows.
-- name: batch_recipients
SELECT u.uid, u.id, u.name, u.image, u.role, u.language, u.teams, u.custom, u.created_at,
	u.updated_at, u.last_active, u.deactivated_at, u.deleted_at,
	c.no, c.disabled, c.deleted_at, c.team, c.custom, c.origin
FROM @rows(uid BIGINT) AS r
@left_probe(users u ON u.uid = r.uid)
@left_probe(channels c ON c.no = r.uid * 4096 + $1)

-- name: batch_count_channels
SELECT COUNT(*) FROM @rows(channel BIGINT) AS r @probe(channels c ON c.no = r.channel)

-- name: batch_insert_channels
INSERT INTO channels (no, origin, created_at, custom)
SELECT r.no, $1, $2, r.custom FROM @rows(no BIGINT, custom JSON) AS r

-- The same when each has a team of its own; a column costs, so it is not part of the former.
-- name: batch_insert_teamed
INSERT INTO channels (no, origin, created_at, custom, team)
SELECT r.no, $1, $2, r.custom, r.team FROM @rows(no BIGINT, custom JSON, team TEXT) AS r

-- name: batch_insert_stored
INSERT INTO channels (no, origin, created_at, cid, custom, team)
SELECT r.no, $1, $2, r.cid, r.custom, r.team
FROM @rows(cid TEXT, no BIGINT, custom JSON, team TEXT) AS r

-- On the number of another user than the receiver.
-- name: batch_insert_foreign
INSERT INTO channels (no, origin, created_at, creator, custom, team)
SELECT r.no, 0, $2, $1, r.custom, r.team FROM @rows(no BIGINT, custom JSON, team TEXT) AS r

-- name: batch_insert_receivers
INSERT INTO members (channel, uid, role, created_at)
SELECT r.channel, r.uid, 'channel_member', $1 FROM @rows(channel BIGINT, uid BIGINT) AS r

-- One more member of all these; who is named twice, or is the receiver, is there already.
-- name: batch_insert_member
INSERT INTO members (channel, uid, role, created_at, hidden_at, archived_at, custom)
SELECT r.channel, $1, $2, CAST($4 AS BIGINT), CASE WHEN $5 = 'hidden' THEN CAST($4 AS BIGINT) END,
	CASE WHEN $5 = 'archived' THEN CAST($4 AS BIGINT) END, $3
FROM @rows(channel BIGINT, receiver BIGINT) AS r
WHERE true
ON CONFLICT (channel, uid) DO NOTHING

-- name: batch_insert_messages
INSERT INTO messages (key, channel, created_at, text, extra)
SELECT r.key, r.channel, $1, r.text, r.extra
FROM @rows(key BIGINT, channel BIGINT, text TEXT, extra JSON) AS r

-- The sender becomes a member of channels that exist, unless he already follows from the
-- campaign that made them and did not leave.
-- name: batch_include_sender
INSERT INTO members (channel, uid, role, created_at)
SELECT DISTINCT r.channel, CAST($1 AS BIGINT), 'channel_member', CAST($2 AS BIGINT)
FROM @rows(channel BIGINT) AS r
@left_probe(channels c ON c.no = r.channel)
@left_probe(campaigns o ON o.no = c.origin)
@left_probe(members m ON m.channel = r.channel AND m.uid = CAST($1 AS BIGINT))
WHERE o.no IS NULL OR o.sender <> $1 OR o.sender_mode = 'exclude' OR m.removed_at IS NOT NULL
ON CONFLICT (channel, uid) DO UPDATE SET
	role = COALESCE(members.role, excluded.role), removed_at = NULL,
	created_at = CASE WHEN members.removed_at IS NULL THEN members.created_at
		ELSE excluded.created_at END

-- As an upsert of rows that are there, so that the rows given drive the look-ups.
-- name: batch_show_channels
INSERT INTO members (channel, uid, created_at)
SELECT m.channel, m.uid, m.created_at
FROM @rows(channel BIGINT, uid BIGINT) AS r
@probe(members m ON m.channel = r.channel AND m.uid = r.uid AND m.hidden_at IS NOT NULL)
WHERE true
ON CONFLICT (channel, uid) DO UPDATE SET hidden_at = NULL, updated_at = $1
