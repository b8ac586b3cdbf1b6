-- Messages.  Columns as message_from_row reads them: the row, then the campaign that sent
-- it, found through the batch whose keys it is among (only when the row names no author).

-- name: message_by_key
SELECT m.key, m.channel, m.created_at, m.text, m.author, m.id, m.extra, m.updated_at,
       m.deleted_at, p.no, p.id, p.sender, p.message_template
FROM messages m
@left_probe(campaigns p ON p.no = CASE WHEN m.author IS NULL THEN
     (SELECT b.campaign FROM batches b WHERE b.first_key <= m.key
      ORDER BY b.first_key DESC LIMIT 1) END)
WHERE m.key = $1

-- name: message_by_keys
SELECT m.key, m.channel, m.created_at, m.text, m.author, m.id, m.extra, m.updated_at,
       m.deleted_at, p.no, p.id, p.sender, p.message_template, r.ord
FROM @rows(key BIGINT) AS r
@probe(messages m ON m.key = r.key)
@left_probe(campaigns p ON p.no = CASE WHEN m.author IS NULL THEN
     (SELECT b.campaign FROM batches b WHERE b.first_key <= m.key
      ORDER BY b.first_key DESC LIMIT 1) END)

-- name: message_by_id
SELECT m.key, m.channel, m.created_at, m.text, m.author, m.id, m.extra, m.updated_at,
       m.deleted_at, p.no, p.id, p.sender, p.message_template
FROM messages m
@left_probe(campaigns p ON p.no = CASE WHEN m.author IS NULL THEN
     (SELECT b.campaign FROM batches b WHERE b.first_key <= m.key
      ORDER BY b.first_key DESC LIMIT 1) END)
WHERE m.key = (SELECT i.key FROM message_ids i WHERE i.id = $1)

-- The newest up to (and with) a place, of those behind a time.
-- name: message_before
SELECT m.key, m.channel, m.created_at, m.text, m.author, m.id, m.extra, m.updated_at,
       m.deleted_at, p.no, p.id, p.sender, p.message_template
FROM messages m
@left_probe(campaigns p ON p.no = CASE WHEN m.author IS NULL THEN
     (SELECT b.campaign FROM batches b WHERE b.first_key <= m.key
      ORDER BY b.first_key DESC LIMIT 1) END)
WHERE m.channel = $1 AND m.created_at <= $2 AND (m.created_at < $2 OR m.key <= $3)
  AND m.created_at > $5
ORDER BY m.created_at DESC, m.key DESC LIMIT $4

-- The oldest from (and with) a place, of those behind a time.
-- name: message_after
SELECT m.key, m.channel, m.created_at, m.text, m.author, m.id, m.extra, m.updated_at,
       m.deleted_at, p.no, p.id, p.sender, p.message_template
FROM messages m
@left_probe(campaigns p ON p.no = CASE WHEN m.author IS NULL THEN
     (SELECT b.campaign FROM batches b WHERE b.first_key <= m.key
      ORDER BY b.first_key DESC LIMIT 1) END)
WHERE m.channel = $1 AND m.created_at >= $2 AND (m.created_at > $2 OR m.key >= $3)
  AND m.created_at > $5
ORDER BY m.created_at, m.key LIMIT $4

-- In no order, so that reading stops at the limit.
-- name: message_since
SELECT m.key, m.created_at, r.ord
FROM @rows(channel BIGINT, since BIGINT) AS r
@probe(messages m ON m.channel = r.channel AND m.created_at > r.since)
WHERE m.deleted_at IS NULL
LIMIT $1

-- When somebody last wrote to a channel, if that was behind a time.
-- name: message_last_of
SELECT m.created_at FROM messages m
WHERE m.channel = $1 AND m.created_at > $2 AND m.author = $3
ORDER BY m.created_at DESC LIMIT 1

-- name: message_id_taken
SELECT key FROM message_ids WHERE id = $1

-- For each row of messages that has an id of its own.
-- name: message_ids_insert
INSERT INTO message_ids (id, key) VALUES ($1, $2)

-- name: message_insert
INSERT INTO messages (key, channel, created_at, text, author, id, extra)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: message_update
UPDATE messages SET text = $2, extra = $3, updated_at = $4 WHERE key = $1

-- name: message_delete
UPDATE messages SET deleted_at = $2 WHERE key = $1 AND deleted_at IS NULL
