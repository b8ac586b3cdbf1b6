-- Channels looked through, and channels of a member (domain/channel_scan.h).

-- name: scan_channels
SELECT no FROM channels WHERE no > $1 AND deleted_at IS NULL ORDER BY no LIMIT $2

-- name: scan_rows_of_member
-- large
SELECT m.channel, m.removed_at FROM members m
@probe(channels c ON c.no = m.channel AND c.deleted_at IS NULL)
WHERE m.uid = $1

-- name: scan_home
SELECT no FROM channels WHERE no > $1 AND no <= $2 AND origin <> 0 AND deleted_at IS NULL

-- Those that a campaign made, with its number.
-- name: scan_origins
-- large
SELECT no, origin FROM channels WHERE origin <> 0 AND deleted_at IS NULL ORDER BY no

-- Who is, or was, in channels by a row.
-- name: scan_members
-- large
SELECT r.ord, m.uid, m.removed_at
FROM @rows(no BIGINT) AS r @probe(members m ON m.channel = r.no)
