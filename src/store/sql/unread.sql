-- How much users have not read (domain/unread.h).

-- Of a channel since a time, among its newest messages.  Campaigns write neither silent
-- messages nor replies; their author is the sender of the batch that the key is among, which
-- needs to be known for users only who have campaigns (p).
-- name: unread_counts
SELECT r.ord, (
	SELECT COUNT(*) FROM (
		SELECT m.key, m.author, m.extra FROM messages m
		WHERE m.channel = r.channel AND m.created_at > r.since AND m.deleted_at IS NULL
		ORDER BY m.created_at DESC LIMIT $1) AS x
	WHERE (x.author IS NULL AND p.no IS NULL
		OR r.uid <> COALESCE(x.author, (
			SELECT (SELECT q.sender FROM campaigns q WHERE q.no = b.campaign)
			FROM batches b WHERE b.first_key <= x.key
			ORDER BY b.first_key DESC LIMIT 1)))
	AND (x.author IS NULL OR x.extra IS NULL
		OR (NOT fan_json_cmp(x.extra, 'silent', 'eq', 'true')
			AND NOT fan_json_cmp(x.extra, 'parent_id', 'exists', 'true'))))
FROM @rows(channel BIGINT, uid BIGINT, since BIGINT) AS r
@left_probe(campaigns p ON p.no = (SELECT MIN(q.no) FROM campaigns q WHERE q.sender = r.uid))

-- Channels of users, with what tells since when messages count for them: those of their own
-- numbers, and (the newest numbers of) those where they have a row.
-- name: unread_candidates
SELECT r.ord, c.no, c.created_at, c.truncated_at, m.created_at, m.last_read, m.cleared_at,
       (SELECT MAX(x.created_at) FROM messages x WHERE x.channel = c.no),
       COALESCE(m.read_upto, m.last_read)
FROM @rows(uid BIGINT) AS r
@probe(channels c ON c.no > r.uid * 4096 AND c.no < r.uid * 4096 + 4096)
@left_probe(members m ON m.channel = c.no AND m.uid = r.uid)
WHERE c.deleted_at IS NULL AND m.removed_at IS NULL AND (c.origin <> 0 OR m.role IS NOT NULL)
UNION ALL
SELECT r.ord, c.no, c.created_at, c.truncated_at, m.created_at, m.last_read, m.cleared_at,
       (SELECT MAX(x.created_at) FROM messages x WHERE x.channel = c.no),
       COALESCE(m.read_upto, m.last_read)
FROM @rows(uid BIGINT) AS r
@probe(members m ON m.uid = r.uid AND m.channel >= COALESCE((
	SELECT MIN(x.channel) FROM (
		SELECT k.channel FROM members k WHERE k.uid = r.uid
		ORDER BY k.channel DESC LIMIT $1) AS x), 0))
@probe(channels c ON c.no = m.channel)
WHERE c.deleted_at IS NULL AND m.removed_at IS NULL AND (c.origin <> 0 OR m.role IS NOT NULL)
  AND ((c.no >> 12) <> r.uid OR (c.no & 4095) = 0)
