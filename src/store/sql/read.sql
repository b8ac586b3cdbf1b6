-- What members have read (domain/read.h).

-- The newest message of channels.
-- name: read_newest
SELECT r.ord,
       (SELECT m.key FROM messages m WHERE m.channel = r.channel
        ORDER BY m.created_at DESC, m.key DESC LIMIT 1),
       (SELECT MAX(m.created_at) FROM messages m WHERE m.channel = r.channel)
FROM @rows(channel BIGINT) AS r

-- Marks of one member; derived ones get a row, which keeps what their campaign made of them.
-- name: read_mark
INSERT INTO members (channel, uid, created_at, last_read, last_read_key, hidden_at, archived_at,
                     read_upto)
SELECT r.channel, $1, r.created_at, r.mark_at, r.key, r.hidden_at, r.archived_at, r.upto
FROM @rows(channel BIGINT, created_at BIGINT, mark_at BIGINT, key BIGINT, hidden_at BIGINT,
           archived_at BIGINT, upto BIGINT) AS r
WHERE true
ON CONFLICT (channel, uid) DO UPDATE SET
	last_read = excluded.last_read, last_read_key = excluded.last_read_key,
	read_upto = excluded.read_upto

-- name: read_deliver
INSERT INTO members (channel, uid, created_at, delivered_at, delivered_key, hidden_at,
                     archived_at)
SELECT r.channel, $1, r.created_at, r.mark_at, r.key, r.hidden_at, r.archived_at
FROM @rows(channel BIGINT, created_at BIGINT, mark_at BIGINT, key BIGINT, hidden_at BIGINT,
           archived_at BIGINT) AS r
WHERE true
ON CONFLICT (channel, uid) DO UPDATE SET
	delivered_at = excluded.delivered_at, delivered_key = excluded.delivered_key

-- The newest message of a channel up to a time.
-- name: read_last_before
SELECT key FROM messages WHERE channel = $1 AND created_at <= $2
ORDER BY created_at DESC, key DESC LIMIT 1

-- name: read_unmark
UPDATE members SET last_read = $3, last_read_key = $4, read_upto = $3 WHERE channel = $1 AND uid = $2

-- Messages of campaigns in ranges of channels, newest first.
-- name: read_campaign_keys
SELECT m.key
FROM @rows(channel BIGINT, since BIGINT, upto BIGINT) AS r
@probe(messages m ON m.channel = r.channel AND m.created_at >= r.since
	AND m.created_at <= r.upto AND m.author IS NULL)
ORDER BY m.created_at DESC, m.key DESC LIMIT $1

-- The batches that message keys belong to.
-- name: read_batches_of
SELECT (SELECT MAX(b.first_key) FROM batches b WHERE b.first_key <= r.key)
FROM @rows(key BIGINT) AS r

-- With the sets of a campaign to channels.
-- name: read_batches
SELECT b.campaign, b.first_key, b.n, b.uids, b.reads,
       (SELECT x.reach_set FROM campaign_reach x WHERE x.campaign = b.campaign),
       (SELECT x.read_set FROM campaign_reach x WHERE x.campaign = b.campaign)
FROM @rows(first_key BIGINT) AS r @probe(batches b ON b.first_key = r.first_key)

-- name: read_set_bits
UPDATE batches SET reads = (
	SELECT r.reads FROM @rows(first_key BIGINT, reads BLOB) AS r
	WHERE r.first_key = batches.first_key)
WHERE first_key @in(SELECT r.first_key FROM @rows(first_key BIGINT, reads BLOB) AS r)

-- name: read_count_user
UPDATE campaigns SET users_read = users_read + (
	SELECT COUNT(*) FROM @rows(no BIGINT) AS r WHERE r.no = campaigns.no)
WHERE no @in(SELECT r.no FROM @rows(no BIGINT) AS r)

-- Who wrote what is newer, newest first.  extra tells silent messages and replies;
-- those of campaigns are neither.
-- name: read_newer
SELECT m.created_at, m.author, CASE WHEN m.author IS NULL THEN NULL ELSE m.extra END,
       CASE WHEN m.author IS NULL THEN
         (SELECT (SELECT p.sender FROM campaigns p WHERE p.no = b.campaign)
          FROM batches b WHERE b.first_key <= m.key
          ORDER BY b.first_key DESC LIMIT 1) END
FROM messages m
WHERE m.channel = $1 AND m.created_at > $2 AND m.deleted_at IS NULL
ORDER BY m.created_at DESC, m.key DESC LIMIT $3

-- name: read_ids
SELECT r.ord, m.id FROM @rows(key BIGINT) AS r @probe(messages m ON m.key = r.key)
