-- The settings of the app, in row 1 (domain/settings.h), and the names that are to be unique
-- (domain/user_unique.c).

-- name: settings_get
SELECT s.version, s.doc FROM app_settings s WHERE s.no = 1

-- name: settings_version
SELECT s.version FROM app_settings s WHERE s.no = 1

-- name: settings_put
UPDATE app_settings SET version = version + 1, unique_names = $1, doc = $2 WHERE no = 1

-- What belongs to them has changed elsewhere: they are to be read anew.
-- name: settings_touch
UPDATE app_settings SET version = version + 1 WHERE no = 1

-- name: settings_unique_names
SELECT s.unique_names FROM app_settings s WHERE s.no = 1

-- The names of users from this uid on are still to be entered; NULL: none.
-- name: settings_names_from
UPDATE app_settings SET names_from = $1 WHERE no = 1

-- name: unique_names_due
SELECT s.names_from FROM app_settings s WHERE s.no = 1 AND s.names_from IS NOT NULL

-- name: unique_names_slice
SELECT u.uid, u.name, u.teams FROM users u
WHERE u.uid >= $1 AND u.uid < $2 AND u.name IS NOT NULL AND u.created_at IS NOT NULL
	AND u.deleted_at IS NULL

-- name: unique_names_end
SELECT MAX(u.uid) FROM users u

-- name: unique_names_add
INSERT INTO user_names (hash, uid)
SELECT r.hash, r.uid FROM @rows(hash BIGINT, uid BIGINT) AS r WHERE true
ON CONFLICT (hash, uid) DO NOTHING

-- What users are called before they are written.
-- name: unique_names_before
SELECT r.ord, u.name, u.teams FROM @rows(uid BIGINT) AS r
@probe(users u ON u.uid = r.uid AND u.created_at IS NOT NULL AND u.deleted_at IS NULL)

-- Who else has the name now; entries of names that were given up stay, and say nothing.
-- name: unique_names_taken
SELECT r.ord, u.uid, u.teams FROM @rows(hash BIGINT, uid BIGINT, name TEXT) AS r
@probe(user_names n ON n.hash = r.hash AND n.uid <> r.uid)
@probe(users u ON u.uid = n.uid AND u.name = r.name AND u.created_at IS NOT NULL AND u.deleted_at IS NULL)
