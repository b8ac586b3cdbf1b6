-- Users by wire id and by inner key.  The select list is USER_SELECT of domain/user.h.

-- name: user_by_id
SELECT u.uid, u.id, u.name, u.image, u.role, u.language, u.teams, u.custom, u.extra,
       u.created_at, u.updated_at, u.last_active, u.deactivated_at, u.deleted_at,
       u.revoked_before
FROM users u WHERE u.uid = (SELECT i.uid FROM user_ids i WHERE i.id = $1)

-- name: user_by_uid
SELECT u.uid, u.id, u.name, u.image, u.role, u.language, u.teams, u.custom, u.extra,
       u.created_at, u.updated_at, u.last_active, u.deactivated_at, u.deleted_at,
       u.revoked_before
FROM users u WHERE u.uid = $1

-- name: user_by_uids
SELECT u.uid, u.id, u.name, u.image, u.role, u.language, u.teams, u.custom, u.extra,
       u.created_at, u.updated_at, u.last_active, u.deactivated_at, u.deleted_at,
       u.revoked_before, r.ord
FROM @rows(uid BIGINT) AS r @probe(users u ON u.uid = r.uid)

-- name: user_resolve
SELECT r.ord, i.uid FROM @rows(id TEXT) AS r @probe(user_ids i ON i.id = r.id)

-- name: user_ids
SELECT r.ord, u.id FROM @rows(uid BIGINT) AS r @probe(users u ON u.uid = r.uid)

-- What an upsert or a deletion must know of the row that is there.
-- name: user_marks
SELECT r.ord, u.created_at, u.last_active, u.deactivated_at, u.deleted_at, u.revoked_before
FROM @rows(uid BIGINT) AS r @probe(users u ON u.uid = r.uid)

-- For each row of users; in the order of the ids, which is that of the directory.
-- name: user_ids_insert
INSERT INTO user_ids (id, uid) SELECT r.id, r.uid FROM @rows(uid BIGINT, id TEXT) AS r

-- name: user_mention
INSERT INTO users (uid, id) SELECT r.uid, r.id FROM @rows(uid BIGINT, id TEXT) AS r

-- A user begins to exist: new, or only mentioned so far, or deleted before.
-- name: user_begin
INSERT INTO users (uid, id, name, image, role, language, teams, custom, extra,
                   revoked_before, created_at, updated_at)
SELECT r.uid, r.id, r.name, r.image, r.role, r.language, r.teams, r.custom, r.extra,
       r.revoked, $1, $1
FROM @rows(uid BIGINT, id TEXT, name TEXT, image TEXT, role TEXT, language TEXT, teams JSON,
           custom JSON, extra JSON, revoked BIGINT) AS r
WHERE true
ON CONFLICT (uid) DO UPDATE SET
	name = excluded.name, image = excluded.image, role = excluded.role,
	language = excluded.language, teams = excluded.teams, custom = excluded.custom,
	extra = excluded.extra, revoked_before = excluded.revoked_before,
	created_at = excluded.created_at, updated_at = excluded.updated_at,
	last_active = NULL, deactivated_at = NULL, deleted_at = NULL

-- Replaces the data of users that exist.  As an upsert, so that the rows given drive the
-- look-ups; created_at stays out of it, so no index is written.
-- name: user_replace
INSERT INTO users (uid, id, name, image, role, language, teams, custom, extra,
                   revoked_before, created_at, updated_at)
SELECT r.uid, r.id, r.name, r.image, r.role, r.language, r.teams, r.custom, r.extra,
       r.revoked, $1, $1
FROM @rows(uid BIGINT, id TEXT, name TEXT, image TEXT, role TEXT, language TEXT, teams JSON,
           custom JSON, extra JSON, revoked BIGINT) AS r
WHERE true
ON CONFLICT (uid) DO UPDATE SET
	name = excluded.name, image = excluded.image, role = excluded.role,
	language = excluded.language, teams = excluded.teams, custom = excluded.custom,
	extra = excluded.extra, revoked_before = excluded.revoked_before,
	updated_at = excluded.updated_at

-- A second deletion keeps the time of the first.
-- name: user_delete
UPDATE users SET deleted_at = COALESCE(deleted_at, $1), updated_at = $1
WHERE uid @in(SELECT r.uid FROM @rows(uid BIGINT) AS r)

-- name: user_forget
UPDATE users SET name = NULL, image = NULL, role = NULL, language = NULL, teams = NULL,
	custom = NULL, extra = '{"forgotten":true}', last_active = NULL
WHERE uid @in(SELECT r.uid FROM @rows(uid BIGINT) AS r)

-- name: user_restore
UPDATE users SET deleted_at = NULL, updated_at = $1
WHERE uid @in(SELECT r.uid FROM @rows(uid BIGINT) AS r)

-- A second deactivation keeps the time of the first.
-- name: user_deactivate
UPDATE users SET deactivated_at = COALESCE(deactivated_at, $1), updated_at = $1
WHERE uid @in(SELECT r.uid FROM @rows(uid BIGINT) AS r)

-- name: user_reactivate
UPDATE users SET deactivated_at = NULL, updated_at = $1
WHERE uid @in(SELECT r.uid FROM @rows(uid BIGINT) AS r)

-- name: user_rename
UPDATE users SET name = $2 WHERE uid = $1

-- name: user_seen
UPDATE users SET last_active = $2 WHERE uid = $1
