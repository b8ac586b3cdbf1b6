-- Campaigns: what is intended, its status, its counters.

-- name: campaign_insert
INSERT INTO campaigns (no, id, name, description, status, sender, sender_mode,
	sender_visibility, create_channels, show_channels, skip_push, skip_webhook,
	message_template, channel_template, user_set, created_at, updated_at, max_webhook_lag,
	form, planned, audience, pending, channels_created, users_read)
VALUES ($1, $2, $3, $4, 'draft', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15, $16,
	0, 0, 0, 0, 0, 0)

-- name: campaign_replace
UPDATE campaigns SET name = $2, description = $3, sender = $4, sender_mode = $5,
	sender_visibility = $6, create_channels = $7, show_channels = $8, skip_push = $9,
	skip_webhook = $10, message_template = $11, channel_template = $12, user_set = $13,
	updated_at = $14, max_webhook_lag = $15
WHERE no = $1 AND status IN ('draft', 'scheduled')

-- name: campaign_by_id
SELECT c.no, c.id, c.name, c.description, c.status, c.sender, c.sender_mode, c.sender_visibility,
	c.create_channels, c.show_channels, c.skip_push, c.skip_webhook, c.message_template,
	c.channel_template, c.user_set, c.created_at, c.updated_at, c.deleted_at, c.scheduled_for,
	c.stop_at, c.started_at, c.completed_at, c.form, c.planned, c.audience, c.pending,
	c.channels_created, c.users_read, c.stop_reason, c.team, x.reach_set, x.users_sent,
	c.max_webhook_lag
FROM campaigns c
@left_probe(campaign_reach x ON x.campaign = c.no)
WHERE c.id = $1 AND c.deleted_at IS NULL

-- name: campaign_by_nos
SELECT c.no, c.id, c.name, c.description, c.status, c.sender, c.sender_mode, c.sender_visibility,
	c.create_channels, c.show_channels, c.skip_push, c.skip_webhook, c.message_template,
	c.channel_template, c.user_set, c.created_at, c.updated_at, c.deleted_at, c.scheduled_for,
	c.stop_at, c.started_at, c.completed_at, c.form, c.planned, c.audience, c.pending,
	c.channels_created, c.users_read, c.stop_reason, c.team, x.reach_set, x.users_sent,
	c.max_webhook_lag
FROM @rows(no BIGINT) AS r
@probe(campaigns c ON c.no = r.no)
@left_probe(campaign_reach x ON x.campaign = c.no)

-- name: campaign_segments_get
SELECT r.ord, s.segment_id
FROM @rows(no BIGINT) AS r @probe(campaign_segments s ON s.campaign = r.no)
ORDER BY r.ord, s.pos

-- Of listed users the first of each list by id.
-- name: campaign_first_users
SELECT x.list, x.uid
FROM (SELECT r.list, u.uid, ROW_NUMBER() OVER (PARTITION BY r.list ORDER BY u.id) AS place
      FROM @rows(list BIGINT, uid BIGINT) AS r @probe(users u ON u.uid = r.uid)) AS x
WHERE x.place <= $1 ORDER BY x.list, x.place

-- name: campaign_segments_clear
DELETE FROM campaign_segments WHERE campaign = $1

-- name: campaign_segments_insert
INSERT INTO campaign_segments (campaign, pos, segment_id)
SELECT $1, r.ord, r.id FROM @rows(id TEXT) AS r

-- name: campaign_tallies
SELECT r.ord, t.outcome, t.n
FROM @rows(no BIGINT) AS r @probe(tallies t ON t.campaign = r.no)
ORDER BY r.ord, t.outcome

-- name: campaign_start
UPDATE campaigns SET status = $2, scheduled_for = $3, stop_at = $4, started_at = $5,
	updated_at = $6, reserved = $7, max_webhook_lag = $8
WHERE no = $1 AND status = 'draft'

-- name: campaign_stop
UPDATE campaigns SET status = 'stopped', updated_at = $2
WHERE no = $1 AND status IN ('scheduled', 'in_progress')

-- name: campaign_delete
UPDATE campaigns SET deleted_at = $2, updated_at = $2,
	status = CASE WHEN status = 'scheduled' THEN 'stopped' ELSE status END
WHERE no = $1 AND deleted_at IS NULL AND status <> 'in_progress'

-- name: campaign_due_start
UPDATE campaigns SET status = 'in_progress', started_at = $1, updated_at = $1
WHERE status IN ('scheduled', 'in_progress') AND status = 'scheduled'
	AND scheduled_for <= $1 AND deleted_at IS NULL
RETURNING no

-- Whose time was longer ago than may be made up for (I-23).
-- name: campaign_due_missed
UPDATE campaigns SET status = 'stopped', stop_reason = 'missed_schedule', updated_at = $1
WHERE status IN ('scheduled', 'in_progress') AND status = 'scheduled' AND scheduled_for < $2
RETURNING no

-- name: campaign_due_stop
UPDATE campaigns SET status = 'stopped', stop_reason = 'stop_at', updated_at = $1
WHERE status IN ('scheduled', 'in_progress') AND stop_at <= $1
RETURNING no

-- name: campaign_next_due
SELECT MIN(CASE WHEN status = 'scheduled' AND (stop_at IS NULL OR scheduled_for < stop_at)
	THEN scheduled_for ELSE stop_at END)
FROM campaigns WHERE status IN ('scheduled', 'in_progress')

-- The first that waits for its plan and that nobody is planning.
-- name: campaign_unplanned
SELECT c.no FROM campaigns c
WHERE c.status IN ('scheduled', 'in_progress') AND c.status = 'in_progress' AND c.planned = 0
	AND NOT EXISTS (SELECT 1 FROM claims k
		WHERE k.kind = 1 AND k.no = c.no AND k.lease_until >= $1)
ORDER BY c.no LIMIT 1

-- name: campaign_awaits_plan
SELECT no FROM campaigns WHERE no = $1 AND status = 'in_progress' AND planned = 0

-- name: campaign_set_team
UPDATE campaigns SET team = $2 WHERE no = $1 AND status = 'in_progress' AND planned = 0

-- $5 of the audience are still to be handled.
-- name: campaign_planned
UPDATE campaigns SET planned = 1, audience = $2, pending = $5, form = $3,
	status = CASE WHEN CAST($5 AS BIGINT) = 0 THEN 'completed' ELSE status END,
	completed_at = CASE WHEN CAST($5 AS BIGINT) = 0 THEN $4 ELSE completed_at END,
	updated_at = CASE WHEN CAST($5 AS BIGINT) = 0 THEN $4 ELSE updated_at END
WHERE no = $1 AND status = 'in_progress' AND planned = 0

-- name: campaign_progress
UPDATE campaigns SET pending = pending - $2, channels_created = channels_created + $3,
	status = CASE WHEN pending = $2 THEN 'completed' ELSE status END,
	completed_at = CASE WHEN pending = $2 THEN $4 ELSE completed_at END,
	updated_at = CASE WHEN pending = $2 THEN $4 ELSE updated_at END,
	month_sent = CASE WHEN month < $6 THEN $5 ELSE month_sent + $5 END,
	month = CASE WHEN month < $6 THEN $6 ELSE month END
WHERE no = $1 AND status = 'in_progress' AND (stop_at IS NULL OR stop_at > $4)
RETURNING CASE WHEN status = 'completed' THEN 1 ELSE 0 END

-- What is used of the message capacity in month $1 (domain/capacity.h); one statement, so that
-- no batch is counted twice or not at all.
-- name: capacity_used
SELECT CAST(
	(SELECT COALESCE(SUM(c.month_sent), 0) FROM campaigns c WHERE c.month = $1)
	+ (SELECT COALESCE(SUM(CASE WHEN c.planned = 1 THEN c.pending ELSE c.reserved END), 0)
		FROM campaigns c WHERE c.status IN ('scheduled', 'in_progress')) AS BIGINT)

-- Listed users by id, from a position on; driven by the list.
-- name: campaign_users_after
SELECT u.uid FROM @rows(uid BIGINT) AS r @probe(users u ON u.uid = r.uid AND u.id > $1)
ORDER BY u.id LIMIT $2

-- name: campaign_users_before
SELECT u.uid FROM @rows(uid BIGINT) AS r @probe(users u ON u.uid = r.uid AND u.id < $1)
ORDER BY u.id DESC LIMIT $2
