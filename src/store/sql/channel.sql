-- Channels and their members (domain/channel.h).  Columns as channel_from_row reads them:
-- the row, then what its form, its home user and its origin add.  Its team, when it has none of
-- its own, is that of its origin; '' is none.

-- name: channel_by_cids
SELECT c.no, c.origin, c.created_at, c.cid, c.creator, c.updated_at,
       COALESCE(c.team, p.team), c.custom,
       c.frozen, c.disabled, c.deleted_at,
       NULL, NULL, NULL, NULL, NULL,
       p.sender, p.sender_mode, p.sender_visibility, r.ord, c.truncated_at, c.extra
FROM @rows(cid TEXT) AS r @probe(channel_ids i ON i.cid = r.cid)
@probe(channels c ON c.no = i.no)
@left_probe(campaigns p ON p.no = c.origin)

-- name: channel_by_nos
SELECT c.no, c.origin, c.created_at, c.cid, c.creator, c.updated_at,
       COALESCE(c.team, p.team), c.custom,
       c.frozen, c.disabled, c.deleted_at,
       f.type, f.kind, f.prefix, f.suffix, u.id,
       p.sender, p.sender_mode, p.sender_visibility, r.ord, c.truncated_at, c.extra
FROM @rows(no BIGINT) AS r @probe(channels c ON c.no = r.no)
@left_probe(forms f ON f.form = (c.no & 4095))
@left_probe(users u ON u.uid = (c.no >> 12) AND c.cid IS NULL)
@left_probe(campaigns p ON p.no = c.origin)

-- name: channel_insert
INSERT INTO channels (no, origin, created_at, cid, creator, team, custom, frozen, disabled, extra)
VALUES ($1, 0, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: channel_replace
UPDATE channels SET team = $2, custom = $3, frozen = $4, disabled = $5, extra = $6, updated_at = $7
WHERE no = $1

-- name: channel_truncate
UPDATE channels SET truncated_at = $2, updated_at = $3 WHERE no = $1

-- name: channel_delete
UPDATE channels SET deleted_at = $1, updated_at = $1
WHERE deleted_at IS NULL AND no @in(SELECT r.no FROM @rows(no BIGINT) AS r)

-- name: channel_blank
UPDATE channels SET team = '', custom = '{}', extra = NULL
WHERE no @in(SELECT r.no FROM @rows(no BIGINT) AS r)

-- A deleted channel begins anew, empty, with nothing of the campaign that once made it.
-- name: channel_revive
UPDATE channels SET origin = 0, created_at = $2, updated_at = NULL, creator = $3, team = $4,
	custom = $5, frozen = $6, disabled = $7, extra = $8, deleted_at = NULL, truncated_at = $9
WHERE no = $1

-- name: channel_clear_members
DELETE FROM members WHERE channel = $1 AND uid IN (
	SELECT m.uid FROM members m WHERE m.channel = $1 LIMIT $2)

-- For each row of channels that has a cid; first, so that a cid taken is told before anything
-- else is written.
-- name: channel_ids_insert
INSERT INTO channel_ids (cid, no) SELECT r.cid, r.no FROM @rows(cid TEXT, no BIGINT) AS r

-- name: channel_templates
SELECT r.ord, p.channel_template, p.team
FROM @rows(no BIGINT) AS r
@probe(campaigns p ON p.no = r.no AND p.channel_template IS NOT NULL)

-- name: channel_removals
SELECT next FROM counters WHERE name = 'removal'

-- name: channel_is_live
SELECT no FROM channels WHERE no = $1 AND deleted_at IS NULL

-- name: channel_last_message
SELECT MAX(created_at) FROM messages WHERE channel = $1

-- name: channel_last_messages
SELECT r.ord, (SELECT MAX(m.created_at) FROM messages m WHERE m.channel = r.no)
FROM @rows(no BIGINT) AS r

-- How many messages a channel has behind a time; counts stop somewhere.
-- name: channel_message_count
SELECT COUNT(*) FROM (SELECT 1 FROM messages WHERE channel = $1 AND created_at > $2 LIMIT $3) AS x

-- ---- members: columns as row_of_member reads them --------------------------------------

-- name: member_rows
SELECT uid, role, created_at, updated_at, last_read, last_read_key, hidden_at, cleared_at,
       archived_at, pinned_at, removed_at, custom, invited_at, accepted_at, rejected_at,
       delivered_at, delivered_key, COALESCE(read_upto, last_read)
FROM members WHERE channel = $1 ORDER BY uid LIMIT $2

-- How many rows make members.
-- name: member_counts
SELECT r.ord, (SELECT COUNT(*) FROM members m
	WHERE m.channel = r.no AND m.role IS NOT NULL AND m.removed_at IS NULL)
FROM @rows(no BIGINT) AS r

-- What rows say of who is in channels, up to the member behind the first $2 from uid $1 on.
-- name: member_marks
-- large
SELECT r.ord, m.uid, m.role, m.removed_at
FROM @rows(no BIGINT) AS r
@probe(members m ON m.channel = r.no AND m.uid >= $1 AND m.uid <= COALESCE((SELECT k.uid
	FROM members k WHERE k.channel = r.no AND k.uid >= $1 AND k.role IS NOT NULL
		AND k.removed_at IS NULL ORDER BY k.uid LIMIT 1 OFFSET $2), 9223372036854775807))

-- name: member_marks_of_pairs
SELECT r.ord, m.role, m.removed_at
FROM @rows(channel BIGINT, uid BIGINT) AS r
@probe(members m ON m.channel = r.channel AND m.uid = r.uid)

-- name: member_row
SELECT uid, role, created_at, updated_at, last_read, last_read_key, hidden_at, cleared_at,
       archived_at, pinned_at, removed_at, custom, invited_at, accepted_at, rejected_at,
       delivered_at, delivered_key, COALESCE(read_upto, last_read)
FROM members WHERE channel = $1 AND uid = $2

-- The rows of some users in one channel.
-- name: member_rows_of
SELECT m.uid, m.role, m.created_at, m.updated_at, m.last_read, m.last_read_key, m.hidden_at,
       m.cleared_at, m.archived_at, m.pinned_at, m.removed_at, m.custom, m.invited_at,
       m.accepted_at, m.rejected_at, m.delivered_at, m.delivered_key,
       COALESCE(m.read_upto, m.last_read), r.ord
FROM @rows(uid BIGINT) AS r @probe(members m ON m.channel = $1 AND m.uid = r.uid)

-- name: member_rows_of_pairs
SELECT m.uid, m.role, m.created_at, m.updated_at, m.last_read, m.last_read_key, m.hidden_at,
       m.cleared_at, m.archived_at, m.pinned_at, m.removed_at, m.custom, m.invited_at,
       m.accepted_at, m.rejected_at, m.delivered_at, m.delivered_key,
       COALESCE(m.read_upto, m.last_read), r.ord
FROM @rows(channel BIGINT, uid BIGINT) AS r
@probe(members m ON m.channel = r.channel AND m.uid = r.uid)

-- The rows of one user in many channels.
-- name: member_rows_of_user
SELECT m.uid, m.role, m.created_at, m.updated_at, m.last_read, m.last_read_key, m.hidden_at,
       m.cleared_at, m.archived_at, m.pinned_at, m.removed_at, m.custom, m.invited_at,
       m.accepted_at, m.rejected_at, m.delivered_at, m.delivered_key,
       COALESCE(m.read_upto, m.last_read), r.ord
FROM @rows(no BIGINT) AS r @probe(members m ON m.channel = r.no AND m.uid = $1)

-- name: member_names
SELECT u.name FROM @rows(uid BIGINT) AS r @probe(users u ON u.uid = r.uid AND u.name IS NOT NULL)

-- name: member_insert
INSERT INTO members (channel, uid, role, created_at, hidden_at, archived_at, custom)
SELECT $1, r.uid, r.role, $2, r.hidden_at, r.archived_at, r.custom
FROM @rows(uid BIGINT, role TEXT, hidden_at BIGINT, archived_at BIGINT, custom JSON) AS r
WHERE true
ON CONFLICT (channel, uid) DO NOTHING

-- name: member_show
UPDATE members SET hidden_at = NULL, updated_at = $3
WHERE channel = $1 AND uid <> $2 AND hidden_at IS NOT NULL

-- ---- candidates of a query ------------------------------------------------------------

-- name: channel_any
SELECT no FROM channels ORDER BY no DESC LIMIT $1

-- name: channel_of_home
SELECT no FROM channels WHERE no > $1 AND no <= $2

-- name: channel_of_member
SELECT channel FROM members WHERE uid = $1 ORDER BY channel DESC LIMIT $2

-- Campaigns whose channels have the user as their sender.
-- name: channel_origins_of_sender
SELECT no FROM campaigns
WHERE sender = $1 AND create_channels = 1 AND sender_mode <> 'exclude'
ORDER BY no DESC LIMIT $2

-- Of the newest campaigns, those whose channel template may name the user (by a LIKE
-- pattern, so there are more hits than true ones).
-- name: channel_origins_of_member
SELECT x.no, x.channel_template
FROM (SELECT no, channel_template FROM campaigns
      WHERE create_channels = 1 AND channel_template IS NOT NULL
      ORDER BY no DESC LIMIT $2) AS x
WHERE CAST(x.channel_template AS TEXT) LIKE $1

-- name: channel_batches
SELECT first_key, n FROM batches WHERE campaign = $1 ORDER BY seq DESC LIMIT $2

-- Channels that messages with keys in a range went to, and whose members follow from a
-- campaign.
-- name: channel_of_keys
SELECT c.no FROM messages m
@probe(channels c ON c.no = m.channel AND c.origin <> 0)
WHERE m.key >= $1 AND m.key < $2
ORDER BY m.key DESC LIMIT $3
