-- Push providers (domain/push_provider.h).

-- name: push_provider_get
SELECT p.type, p.name, p.settings, p.created_at, p.updated_at FROM push_providers p
WHERE p.type = $1 AND p.name = $2

-- name: push_provider_exists
SELECT 1 FROM push_providers p WHERE p.type = $1 AND p.name = $2

-- name: push_provider_count
SELECT COUNT(*) FROM push_providers

-- name: push_provider_list
SELECT p.type, p.name, p.settings, p.created_at, p.updated_at FROM push_providers p
ORDER BY p.type, p.name LIMIT $1

-- name: push_provider_put
INSERT INTO push_providers (type, name, settings, created_at, updated_at)
VALUES ($1, $2, $3, $4, $4)
ON CONFLICT (type, name) DO UPDATE SET
	settings = excluded.settings, updated_at = excluded.updated_at

-- name: push_provider_delete
DELETE FROM push_providers WHERE type = $1 AND name = $2
