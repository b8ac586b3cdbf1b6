-- Long work that a client may ask after.

-- name: task_insert
INSERT INTO tasks (id, status, created_at, updated_at, result) VALUES ($1, $2, $3, $3, $4)

-- name: task_by_id
SELECT t.id, t.status, t.created_at, t.updated_at, t.result FROM tasks t WHERE t.id = $1
