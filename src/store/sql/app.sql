-- The one app of this store, in row 1.

-- name: app_get
SELECT a.api_key, a.api_secret, a.id_tag FROM apps a WHERE a.no = 1

-- name: app_insert
INSERT INTO apps (no, api_key, api_secret, id_tag, created_at) VALUES (1, $1, $2, $3, $4)

-- The tag stays: it is in every message id handed out.
-- name: app_set_keys
UPDATE apps SET api_key = $1, api_secret = $2 WHERE no = 1

-- name: app_count
SELECT COUNT(*) FROM apps
