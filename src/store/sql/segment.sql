-- Segments; the sets behind lists are in the statements of domain/uidset.c.

-- name: segment_by_id
SELECT s.no, s.id, s.type, s.name, s.description, s.filter, s.all_users,
       s.all_sender_channels, s.size, s.size_due, s.created_at, s.updated_at, s.deleted_at
FROM segments s WHERE s.id = $1 AND s.deleted_at IS NULL

-- name: segment_by_ids
SELECT s.no, s.id, s.type, s.name, s.description, s.filter, s.all_users,
       s.all_sender_channels, s.size, s.size_due, s.created_at, s.updated_at, s.deleted_at, r.ord
FROM @rows(id TEXT) AS r @probe(segments s ON s.id = r.id AND s.deleted_at IS NULL)

-- name: segment_by_no
SELECT s.no, s.id, s.type, s.name, s.description, s.filter, s.all_users,
       s.all_sender_channels, s.size, s.size_due, s.created_at, s.updated_at, s.deleted_at
FROM segments s WHERE s.no = $1

-- name: segment_insert
INSERT INTO segments (no, id, type, name, description, filter, all_users,
                      all_sender_channels, size, size_due, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10, $10)

-- name: segment_update
UPDATE segments SET name = $2, description = $3, filter = $4, size_due = $5, updated_at = $6
WHERE no = $1

-- name: segment_grow
UPDATE segments SET size = size + $2, updated_at = $3 WHERE no = $1

-- Only if the definition that was counted is still the one that stands.
-- name: segment_set_size
UPDATE segments SET size = $2, size_due = 0 WHERE no = $1 AND updated_at = $3

-- size_due: its list is still to be swept away.
-- name: segment_delete
UPDATE segments SET deleted_at = $2, updated_at = $2, size_due = $3 WHERE no = $1

-- The first that waits to be counted and that nobody is counting.
-- name: segment_size_due
SELECT s.no FROM segments s
WHERE s.size_due = 1 AND NOT EXISTS (SELECT 1 FROM claims k
	WHERE k.kind = 2 AND k.no = s.no AND k.lease_until >= $1)
ORDER BY s.no LIMIT 1

-- The plus keeps engines from going through users_created: the rows are wanted in the order
-- of the table.
-- name: segment_all_users
-- large
SELECT u.uid FROM users u
WHERE +u.created_at IS NOT NULL AND u.deleted_at IS NULL AND u.deactivated_at IS NULL
ORDER BY u.uid

-- name: segment_is_live
SELECT u.uid FROM users u
WHERE u.uid = $1 AND u.created_at IS NOT NULL AND u.deleted_at IS NULL
  AND u.deactivated_at IS NULL

-- When each chunk of a set was begun.
-- name: segment_chunks
SELECT t.key & 16777215, t.created_at FROM targets t
WHERE t.key >= $1 AND t.key < $2 ORDER BY t.key

-- Both ends are included; ids are ASCII, so '~' is above all of them.
-- name: segment_walk_up
-- large
SELECT i.uid, i.id FROM user_ids i WHERE i.id >= $1 AND i.id <= $2 ORDER BY i.id

-- name: segment_walk_down
-- large
SELECT i.uid, i.id FROM user_ids i WHERE i.id >= $1 AND i.id <= $2 ORDER BY i.id DESC

-- About how many rows users has: keys are dense.
-- name: segment_users_estimate
SELECT COALESCE(MAX(u.uid), 0) FROM users u

-- A started campaign that has not fixed its audience yet and looks at the segment.
-- name: segment_awaited
SELECT c.no FROM campaign_segments s JOIN campaigns c ON c.no = s.campaign
WHERE s.segment_id = $1 AND c.status = 'in_progress' AND c.planned = 0 LIMIT 1
