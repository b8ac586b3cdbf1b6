-- Sets of uids in chunks; key = set << 24 | chunk (domain/uidset.h).

-- name: targets_get
SELECT uids FROM targets WHERE key = $1

-- name: targets_get_many
SELECT r.ord, t.uids
FROM @rows(key BIGINT) AS r @probe(targets t ON t.key = r.key)

-- name: targets_scan
SELECT key, uids FROM targets WHERE key BETWEEN $1 AND $2 ORDER BY key

-- name: targets_scan_many
SELECT r.ord, t.key, t.uids
FROM @rows(lo BIGINT, hi BIGINT) AS r @probe(targets t ON t.key BETWEEN r.lo AND r.hi)
ORDER BY r.ord, t.key

-- name: targets_put
INSERT INTO targets (key, n, uids, created_at)
SELECT r.key, r.n, r.uids, $1
FROM @rows(key BIGINT, n BIGINT, uids BLOB) AS r
WHERE true
ON CONFLICT (key) DO UPDATE SET n = excluded.n, uids = excluded.uids

-- name: targets_drop
DELETE FROM targets WHERE key @in(SELECT r.key FROM @rows(key BIGINT) AS r)

-- name: targets_clear
DELETE FROM targets WHERE key BETWEEN $1 AND $2
