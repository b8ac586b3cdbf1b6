-- Who is in channels, and what he did with them (domain/membership.h).

-- A member begins anew, whatever his row said before.
-- name: member_join
INSERT INTO members (channel, uid, role, created_at, cleared_at, hidden_at, archived_at,
                     invited_at, custom)
SELECT $1, r.uid, r.role, $2, $3, r.hidden_at, r.archived_at, r.invited_at, r.custom
FROM @rows(uid BIGINT, role TEXT, hidden_at BIGINT, archived_at BIGINT, invited_at BIGINT,
           custom JSON) AS r
WHERE true
ON CONFLICT (channel, uid) DO UPDATE SET
	role = excluded.role, created_at = excluded.created_at, updated_at = NULL,
	last_read = NULL, last_read_key = NULL, read_upto = NULL, hidden_at = excluded.hidden_at,
	cleared_at = excluded.cleared_at, archived_at = excluded.archived_at, pinned_at = NULL,
	removed_at = NULL, custom = excluded.custom, invited_at = excluded.invited_at,
	accepted_at = NULL, rejected_at = NULL, delivered_at = NULL, delivered_key = NULL

-- Derived members keep a row that says they left.
-- name: member_leave
INSERT INTO members (channel, uid, created_at, removed_at)
SELECT $1, r.uid, $2, $3 FROM @rows(uid BIGINT) AS r
WHERE true
ON CONFLICT (channel, uid) DO UPDATE SET
	removed_at = excluded.removed_at, updated_at = excluded.removed_at

-- name: member_delete
DELETE FROM members
WHERE channel = $1 AND uid @in(SELECT r.uid FROM @rows(uid BIGINT) AS r)

-- name: member_set_roles
UPDATE members SET updated_at = $2, role = (
	SELECT r.role FROM @rows(uid BIGINT, role TEXT) AS r WHERE r.uid = members.uid)
WHERE channel = $1 AND uid @in(SELECT r.uid FROM @rows(uid BIGINT, role TEXT) AS r)

-- name: member_answer
UPDATE members SET accepted_at = $3, rejected_at = $4, updated_at = $5
WHERE channel = $1 AND uid = $2

-- name: member_hide
UPDATE members SET hidden_at = $3, cleared_at = COALESCE($4, cleared_at), updated_at = $5
WHERE channel = $1 AND uid = $2

-- name: member_clear
UPDATE members SET cleared_at = $2, updated_at = $3
WHERE channel = $1 AND uid @in(SELECT r.uid FROM @rows(uid BIGINT) AS r)
  AND (cleared_at IS NULL OR cleared_at < $2)

-- name: member_patch
UPDATE members SET role = COALESCE($3, role), archived_at = $4, pinned_at = $5, custom = $6,
	updated_at = $7
WHERE channel = $1 AND uid = $2
