-- What members have read (domain/read.h).

-- name: read_newest
SELECT key, created_at FROM messages WHERE channel = $1
ORDER BY created_at DESC, key DESC LIMIT 1

-- name: read_mark
INSERT INTO members (channel, uid, created_at, last_read, last_read_key, hidden_at, archived_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (channel, uid) DO UPDATE SET last_read = $4, last_read_key = $5

-- Messages of campaigns, newest first.
-- name: read_campaign_keys
SELECT key FROM messages
WHERE channel = $1 AND created_at >= $2 AND created_at <= $3 AND author IS NULL
ORDER BY created_at DESC, key DESC LIMIT $4

-- The batch that a message key belongs to.
-- name: read_batch
SELECT campaign, seq, first_key, n, uids, reads FROM batches
WHERE first_key <= $1 ORDER BY first_key DESC LIMIT 1

-- name: read_set_bits
UPDATE batches SET reads = $3 WHERE campaign = $1 AND seq = $2

-- name: read_count_user
UPDATE campaigns SET users_read = users_read + 1 WHERE no = $1

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
