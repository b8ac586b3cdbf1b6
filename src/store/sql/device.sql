-- Devices of users (domain/device.h).  Columns as device_from_row reads them.

-- Registered again, a device keeps its place in time but is new to the push service.
-- name: device_put
INSERT INTO devices (uid, id, provider, provider_name, hardware_id, voip, created_at, seen_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
ON CONFLICT (uid, id) DO UPDATE SET
	provider = excluded.provider, provider_name = excluded.provider_name,
	hardware_id = excluded.hardware_id, voip = excluded.voip, seen_at = excluded.seen_at,
	disabled_at = NULL, disabled_reason = NULL

-- All but the $2 that were seen last.
-- name: device_evict
DELETE FROM devices WHERE uid = $1 AND id IN (
	SELECT d.id FROM devices d WHERE d.uid = $1
	ORDER BY d.seen_at DESC, d.created_at DESC, d.id LIMIT 1000 OFFSET $2)

-- name: device_list
SELECT 0, d.uid, d.id, d.provider, d.provider_name, d.hardware_id, d.voip, d.created_at,
       d.disabled_at, d.disabled_reason
FROM devices d WHERE d.uid = $1 ORDER BY d.created_at, d.id

-- name: device_list_many
SELECT r.ord, d.uid, d.id, d.provider, d.provider_name, d.hardware_id, d.voip, d.created_at,
       d.disabled_at, d.disabled_reason
FROM @rows(uid BIGINT) AS r @probe(devices d ON d.uid = r.uid)
ORDER BY r.ord, d.created_at, d.id

-- name: device_delete
DELETE FROM devices WHERE uid = $1 AND id = $2

-- name: device_forget
DELETE FROM devices WHERE uid @in(SELECT r.uid FROM @rows(uid BIGINT) AS r)

-- name: device_any
SELECT 1 FROM devices LIMIT 1

-- Those that a provider serves; $2 NULL: one without a name.
-- name: device_served
SELECT r.ord, d.id FROM @rows(uid BIGINT) AS r
@probe(devices d ON d.uid = r.uid AND d.provider = $1 AND d.voip = 0 AND d.disabled_at IS NULL
	AND (d.provider_name IS NULL OR d.provider_name = $2))
ORDER BY r.ord, d.id

-- Unless it was registered again since.
-- name: device_disable
UPDATE devices SET disabled_at = $4, disabled_reason = $5
WHERE id = $2 AND provider = $1 AND seen_at <= $3 AND disabled_at IS NULL
