-- Forgetting what was deleted hard (domain/oblivion.h).

-- name: oblivion_add
INSERT INTO oblivion (channel, upto) SELECT r.channel, $1 FROM @rows(channel BIGINT) AS r
WHERE true
ON CONFLICT (channel) DO UPDATE SET
	upto = CASE WHEN excluded.upto > oblivion.upto THEN excluded.upto ELSE oblivion.upto END

-- name: oblivion_next
SELECT o.channel, o.upto FROM oblivion o ORDER BY o.channel LIMIT 1

-- name: oblivion_done
DELETE FROM oblivion WHERE channel = $1 AND upto <= $2

-- name: oblivion_keys
SELECT key FROM messages WHERE channel = $1 AND created_at <= $2 ORDER BY created_at LIMIT $3

-- Messages of campaigns: what tells nothing stays.
-- name: oblivion_blank
UPDATE messages SET channel = 0, text = '', extra = '{}', deleted_at = COALESCE(deleted_at, $1)
WHERE author IS NULL AND key @in(SELECT r.key FROM @rows(key BIGINT) AS r)

-- name: oblivion_delete
DELETE FROM messages
WHERE author IS NOT NULL AND key @in(SELECT r.key FROM @rows(key BIGINT) AS r)

-- The members of a channel that is deleted.
-- name: oblivion_members
DELETE FROM members WHERE channel = $1 AND uid IN (
	SELECT m.uid FROM members m JOIN channels c ON c.no = m.channel AND c.deleted_at IS NOT NULL
	WHERE m.channel = $1 LIMIT $2)
