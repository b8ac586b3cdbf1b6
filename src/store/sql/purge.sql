-- What deleted and deactivated users leave behind (domain/purge.h): sources give keys in
-- slices, from a key on; what is done is done to keys.  All of it may be done again.

-- ---- messages --------------------------------------------------------------------------

-- name: purge_keys_of_author
SELECT key FROM messages WHERE author = $1 AND key > $2 AND created_at <= $4
ORDER BY key LIMIT $3

-- What a batch of a campaign sent.
-- name: purge_keys_of_batch
SELECT key FROM messages WHERE key >= $1 AND key < $2 AND author IS NULL AND created_at <= $3
ORDER BY key

-- name: purge_keys_of_channels
SELECT m.key FROM @rows(no BIGINT) AS r @probe(messages m ON m.channel = r.no) LIMIT $1

-- name: purge_hide_messages
UPDATE messages SET deleted_at = $1
WHERE deleted_at IS NULL AND key @in(SELECT r.key FROM @rows(key BIGINT) AS r)

-- Only what was hidden at that very moment, and not by anything else.
-- name: purge_show_messages
UPDATE messages SET deleted_at = NULL
WHERE deleted_at = $1 AND key @in(SELECT r.key FROM @rows(key BIGINT) AS r)

-- name: purge_empty_messages
UPDATE messages SET deleted_at = COALESCE(deleted_at, $1), text = '', extra = NULL
WHERE key @in(SELECT r.key FROM @rows(key BIGINT) AS r)

-- Before the messages that they lead to; also for oblivion.c.
-- name: purge_remove_message_ids
DELETE FROM message_ids WHERE id @in(
	SELECT m.id FROM @rows(key BIGINT) AS r
	@probe(messages m ON m.key = r.key AND m.id IS NOT NULL))

-- name: purge_remove_messages
DELETE FROM messages WHERE key @in(SELECT r.key FROM @rows(key BIGINT) AS r)

-- ---- campaigns that speak for a user ---------------------------------------------------

-- Those he sends, and whether he is in the channels that they make.
-- name: purge_campaigns_of_sender
SELECT no, form, CASE WHEN create_channels = 1 AND sender_mode <> 'exclude' THEN 1 ELSE 0 END
FROM campaigns WHERE sender = $1 AND no > $2 ORDER BY no LIMIT $3

-- Those whose channel template may name him (there are more hits than true ones).
-- name: purge_campaigns_of_member
SELECT no, form, channel_template FROM campaigns
WHERE no > $2 AND create_channels = 1 AND channel_template IS NOT NULL
  AND CAST(channel_template AS TEXT) LIKE $1
ORDER BY no LIMIT $3

-- The next batch.
-- name: purge_next_batch
SELECT seq, first_key, n, uids FROM batches WHERE campaign = $1 AND seq > $2
ORDER BY seq LIMIT 1

-- ---- channels --------------------------------------------------------------------------

-- name: purge_channels_of_home
SELECT no FROM channels WHERE no > $1 AND no <= $2 ORDER BY no LIMIT $3

-- name: purge_channels_of_member
SELECT channel FROM members WHERE uid = $1 AND channel > $2 ORDER BY channel LIMIT $3

-- Channels that a campaign made: by their numbers, and by its receivers when their ids
-- are stored.
-- name: purge_channels_by_number
SELECT c.no FROM @rows(no BIGINT) AS r @probe(channels c ON c.no = r.no AND c.origin = $1)

-- name: purge_channels_of_receivers
SELECT c.no FROM @rows(uid BIGINT) AS r @probe(members m ON m.uid = r.uid)
@probe(channels c ON c.no = m.channel AND c.origin = $1)

-- name: purge_hide_channels
UPDATE channels SET deleted_at = $1
WHERE deleted_at IS NULL AND no @in(SELECT r.no FROM @rows(no BIGINT) AS r)

-- name: purge_show_channels
UPDATE channels SET deleted_at = NULL
WHERE deleted_at = $1 AND no @in(SELECT r.no FROM @rows(no BIGINT) AS r)

-- Of the channels that purge_remove_channels is about to remove.
-- name: purge_remove_channel_ids
DELETE FROM channel_ids WHERE cid @in(
	SELECT c.cid FROM @rows(no BIGINT) AS r
	@probe(channels c ON c.no = r.no AND c.cid IS NOT NULL)
	WHERE (SELECT 1 FROM messages m WHERE m.channel = c.no LIMIT 1) IS NULL)

-- A channel that still has messages stays, so that none is ever without its channel.
-- name: purge_remove_channels
DELETE FROM channels WHERE no @in(
	SELECT r.no FROM @rows(no BIGINT) AS r
	WHERE (SELECT 1 FROM messages m WHERE m.channel = r.no LIMIT 1) IS NULL)

-- name: purge_remove_members
DELETE FROM members WHERE channel @in(
	SELECT r.no FROM @rows(no BIGINT) AS r
	WHERE (SELECT 1 FROM channels c WHERE c.no = r.no) IS NULL)

-- name: purge_channels_of_creator
SELECT no FROM channels WHERE creator = $1 AND no > $2 ORDER BY no LIMIT $3

-- name: purge_give_channels
UPDATE channels SET creator = $1
WHERE creator = $2 AND no @in(SELECT r.no FROM @rows(no BIGINT) AS r)
