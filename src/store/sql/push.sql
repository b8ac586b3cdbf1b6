-- Push providers (domain/push_provider.h), what they push, and who wants to be left alone.

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

-- Unless somebody changed it since.
-- name: push_provider_disable
UPDATE push_providers SET settings = $4
WHERE type = $1 AND name = $2 AND updated_at = $3

-- name: push_event_put
INSERT INTO push_templates (provider_type, provider_name, event_type, enabled, template,
	created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $6)
ON CONFLICT (provider_type, provider_name, event_type) DO UPDATE SET
	enabled = excluded.enabled, template = excluded.template,
	updated_at = excluded.updated_at

-- name: push_event_get
SELECT t.provider_type, t.provider_name, t.event_type, t.enabled, t.template, t.created_at,
	t.updated_at
FROM push_templates t
WHERE t.provider_type = $1 AND t.provider_name = $2 AND t.event_type = $3

-- name: push_event_list
SELECT t.provider_type, t.provider_name, t.event_type, t.enabled, t.template, t.created_at,
	t.updated_at
FROM push_templates t ORDER BY t.provider_type, t.provider_name, t.event_type LIMIT $1

-- name: push_event_forget
DELETE FROM push_templates WHERE provider_type = $1 AND provider_name = $2

-- name: push_preference_put
INSERT INTO push_preferences (uid, channel, level, disabled_until, extra)
SELECT r.uid, r.channel, r.level, r.until, r.extra
FROM @rows(uid BIGINT, channel BIGINT, level BIGINT, until BIGINT, extra JSON) AS r WHERE true
ON CONFLICT (uid, channel) DO UPDATE SET
	level = excluded.level, disabled_until = excluded.disabled_until,
	extra = excluded.extra

-- Those for all channels, and those for the channel.
-- name: push_preference_get
SELECT r.ord, p.channel, p.level, p.disabled_until, p.extra
FROM @rows(uid BIGINT, channel BIGINT) AS r
@probe(push_preferences p ON p.uid = r.uid AND (p.channel = r.channel OR p.channel = 0))

-- name: push_preference_forget
DELETE FROM push_preferences WHERE uid @in(SELECT r.uid FROM @rows(uid BIGINT) AS r)

-- The batch that was told of by its first key.
-- name: push_batch
SELECT b.n, b.uids, b.outcomes, c.skip_push, c.sender,
	(SELECT COUNT(*) FROM campaign_reach x WHERE x.campaign = b.campaign)
FROM batches b @probe(campaigns c ON c.no = b.campaign)
WHERE b.first_key = $1
