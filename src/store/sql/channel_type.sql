-- Channel types (domain/channel_type.h).  Columns as type_from_row reads them.

-- name: channel_type_list
SELECT name, config, created_at, updated_at FROM channel_types ORDER BY name

-- name: channel_type_by_name
SELECT name, config, created_at, updated_at FROM channel_types WHERE name = $1

-- name: channel_type_exists
SELECT created_at FROM channel_types WHERE name = $1

-- name: channel_type_forms
SELECT COUNT(*) FROM forms WHERE type = $1

-- Campaigns at work, or due, whose channel template may name the type (by a LIKE pattern).
-- name: channel_type_campaigns
SELECT COUNT(*) FROM campaigns
WHERE status IN ('scheduled', 'in_progress') AND CAST(channel_template AS TEXT) LIKE $1

-- name: channel_type_insert
INSERT INTO channel_types (name, config, created_at, updated_at) VALUES ($1, $2, $3, $4)

-- name: channel_type_update
UPDATE channel_types SET config = $2, updated_at = $3 WHERE name = $1

-- name: channel_type_delete
DELETE FROM channel_types WHERE name = $1
