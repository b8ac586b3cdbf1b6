-- Long work that a client may ask after.

-- name: task_insert
INSERT INTO tasks (id, no, status, kind, work, result, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7)

-- name: task_by_id
SELECT t.id, t.status, t.created_at, t.updated_at, t.result, t.error FROM tasks t
WHERE t.id = $1

-- The oldest that is not done; none while somebody is at it.
-- name: task_next
SELECT t.no, t.kind, t.work FROM tasks t
WHERE t.status IN ('waiting', 'running') AND t.no = (
	SELECT MIN(o.no) FROM tasks o WHERE o.status IN ('waiting', 'running'))
  AND NOT EXISTS (SELECT 1 FROM claims k
	WHERE k.kind = 3 AND k.no = t.no AND k.lease_until >= $1)

-- name: task_move
UPDATE tasks SET status = $2, error = $3, updated_at = $4
WHERE no = $1 AND status IN ('waiting', 'running')
