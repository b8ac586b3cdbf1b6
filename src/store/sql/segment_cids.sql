-- The lists of channel segments (domain/segment_cids.c).

-- name: cids_add
INSERT INTO segment_cids (segment, cid, created_at)
SELECT $1, r.cid, $2 FROM @rows(cid TEXT) AS r WHERE true
ON CONFLICT (segment, cid) DO NOTHING

-- As an array on PostgreSQL, which is looked up in the index whatever it knows of the table.
-- name: cids_remove
-- only: sqlite
DELETE FROM segment_cids WHERE segment = $1 AND cid IN (SELECT r.cid FROM @rows(cid TEXT) AS r)

-- name: cids_remove
-- only: pg
DELETE FROM segment_cids
WHERE segment = $1 AND cid = ANY (ARRAY(SELECT r.cid FROM @rows(cid TEXT) AS r))

-- Some of a deleted list.
-- name: cids_sweep
DELETE FROM segment_cids WHERE segment = $1 AND cid <= (
	SELECT MAX(x.cid) FROM (
		SELECT cid FROM segment_cids WHERE segment = $1 ORDER BY cid LIMIT $2) AS x)

-- name: cids_find
SELECT r.ord, s.created_at
FROM @rows(cid TEXT) AS r @probe(segment_cids s ON s.segment = $1 AND s.cid = r.cid)

-- name: cids_page
SELECT cid FROM segment_cids WHERE segment = $1 AND cid > $2 ORDER BY cid LIMIT $3

-- Both ends are included; cids are ASCII, so '~' is above all of them.
-- name: cids_up
SELECT cid, created_at FROM segment_cids
WHERE segment = $1 AND cid >= $2 AND cid <= $3 ORDER BY cid LIMIT $4

-- name: cids_down
SELECT cid, created_at FROM segment_cids
WHERE segment = $1 AND cid >= $2 AND cid <= $3 ORDER BY cid DESC LIMIT $4
