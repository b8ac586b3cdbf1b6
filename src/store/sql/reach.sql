-- What campaigns to channels have besides their batches (domain/reach.h).

-- name: stray_clear
DELETE FROM campaign_strays WHERE campaign = $1

-- name: stray_add
INSERT INTO campaign_strays (campaign, cid)
SELECT $1, r.cid FROM @rows(cid TEXT) AS r WHERE true
ON CONFLICT (campaign, cid) DO NOTHING

-- name: reach_begin
INSERT INTO campaign_reach (campaign, reach_set, read_set, users_sent) VALUES ($1, $2, $3, 0)

-- name: reach_get
SELECT reach_set, read_set, users_sent FROM campaign_reach WHERE campaign = $1

-- name: reach_grow
UPDATE campaign_reach SET users_sent = users_sent + $2 WHERE campaign = $1

-- ---- in a batch ------------------------------------------------------------------------

-- Who is hidden only because of the campaign that made the channel gets a row that says he is
-- not; then so do all rows.
-- name: channel_batch_unhide_senders
INSERT INTO members (channel, uid, created_at)
SELECT c.no, o.sender, c.created_at
FROM @rows(channel BIGINT) AS r
@probe(channels c ON c.no = r.channel AND c.origin <> 0)
@probe(campaigns o ON o.no = c.origin AND o.sender_visibility = 'hidden'
	AND o.sender_mode <> 'exclude' AND o.sender <> CAST($1 AS BIGINT))
WHERE true
ON CONFLICT (channel, uid) DO NOTHING

-- As an upsert of rows that are there, so that the rows given drive the look-ups.
-- name: channel_batch_unhide
INSERT INTO members (channel, uid, created_at)
SELECT m.channel, m.uid, m.created_at
FROM @rows(channel BIGINT) AS r
@probe(members m ON m.channel = r.channel AND m.hidden_at IS NOT NULL
	AND m.uid <> CAST($1 AS BIGINT))
WHERE true
ON CONFLICT (channel, uid) DO UPDATE SET hidden_at = NULL, updated_at = $2
