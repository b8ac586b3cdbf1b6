-- What is to be told (domain/event.h).

-- name: event_insert
INSERT INTO events (pos, kind, at, channel, uid, object, extra)
SELECT $1 + r.ord, r.kind, r.at, r.channel, r.uid, r.object, r.extra
FROM @rows(kind BIGINT, at BIGINT, channel BIGINT, uid BIGINT, object BIGINT, extra JSON) AS r

-- name: event_last
SELECT next - 1 FROM counters WHERE name = 'event'

-- name: event_after
SELECT e.pos, e.kind, e.at, e.channel, e.uid, e.object, e.extra
FROM events e WHERE e.pos > $1 ORDER BY e.pos LIMIT $2

-- In no order, so that reading stops at the limit.
-- name: event_of_channels
SELECT e.pos, e.kind, e.at, e.channel, e.uid, e.object, e.extra
FROM @rows(channel BIGINT) AS r
@probe(events e ON e.channel = r.channel AND e.channel IS NOT NULL AND e.at > $1)
LIMIT $2

-- name: event_oldest
SELECT e.pos, e.at FROM events e ORDER BY e.pos LIMIT 1

-- Up to where every route has read.
-- name: event_unread_from
SELECT MIN(r.pos) FROM routes r WHERE r.is_off = 0

-- What event_trim removes although a route has not read it.
-- name: event_trim_missed
UPDATE routes SET missed = missed + (SELECT COUNT(*) FROM events e
	WHERE e.pos >= $1 AND e.pos < $2 AND e.pos > routes.pos AND (e.pos <= $3 OR e.at < $4))
WHERE is_off = 0 AND pos + 1 < $2

-- name: event_trim
DELETE FROM events WHERE pos >= $1 AND pos < $2 AND (pos <= $3 OR at < $4)

-- The batch that was told of by its first key.
-- name: event_batch
SELECT b.n, b.uids, b.outcomes, b.done_at, c.form, c.sender, c.show_channels,
	(SELECT COUNT(*) FROM campaign_reach x WHERE x.campaign = b.campaign),
	c.skip_webhook, c.skip_push, CASE WHEN c.sender_mode = 'include' THEN 1 ELSE 0 END,
	(SELECT COUNT(*) FROM forms f WHERE f.form = c.form AND f.kind = 0 AND f.shadowed = 0)
FROM batches b @probe(campaigns c ON c.no = b.campaign)
WHERE b.first_key = $1

-- Where its messages went.
-- name: event_batch_channels
SELECT m.key, m.channel FROM messages m WHERE m.key >= $1 AND m.key < $2 ORDER BY m.key
