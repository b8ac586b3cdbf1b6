-- Ways out of the house, and what is under way on them (domain/route.h, load.h, aside.h).

-- All of a kind; who holds one says its lease.
-- name: route_list
SELECT r.no, r.kind, r.ident, r.is_off, r.pos, r.next_key, r.paused_at, r.barred_at, r.nudged,
	r.next_no, COALESCE(k.lease_until, 0)
FROM routes r LEFT JOIN claims k ON k.kind = 4 AND k.no = r.no
WHERE r.kind = $1 ORDER BY r.no

-- name: route_insert
INSERT INTO routes (no, kind, ident, is_off, pos, next_key, next_no, nudged, created_at, width,
	sent, failed, dead, dropped, missed)
SELECT $1 + r.ord, $2, r.ident, r.is_off, $3, 0, 1, 0, $4, 0, 0, 0, 0, 0, 0
FROM @rows(ident TEXT, is_off BIGINT) AS r

-- A route that comes back begins at the outbox' end.
-- name: route_switch
UPDATE routes SET is_off = $2, pos = CASE WHEN $2 = 0 THEN CAST($3 AS BIGINT) ELSE pos END,
	next_key = CASE WHEN $2 = 0 THEN 0 ELSE next_key END
WHERE no = $1 AND is_off <> $2

-- name: route_unbar
UPDATE routes SET barred_at = NULL, barred_why = NULL WHERE no = $1 AND barred_at < $2

-- name: route_bar
UPDATE routes SET barred_at = $2, barred_why = $3 WHERE no = $1 AND barred_at IS NULL

-- name: route_delete
DELETE FROM routes WHERE no @in(SELECT r.no FROM @rows(no BIGINT) AS r)

-- name: route_delete_failures
DELETE FROM route_failures WHERE route @in(SELECT r.no FROM @rows(no BIGINT) AS r)

-- name: route_delete_loads
DELETE FROM loads WHERE route @in(SELECT r.no FROM @rows(no BIGINT) AS r)

-- name: route_delete_parcels
DELETE FROM parcels WHERE route @in(SELECT r.no FROM @rows(no BIGINT) AS r)

-- What its courier has done since the last time; nothing when the place is not where it left it, or
-- would move although the route is off.
-- name: route_move
UPDATE routes SET pos = $2, next_key = $3, next_no = $4, width = $5, sent = sent + $6,
	failed = failed + $7, dead = dead + $8, missed = missed + $9
WHERE no = $1 AND pos = $10 AND next_key = $11
	AND (is_off = 0 OR ($2 = $10 AND $3 = $11))

-- name: route_fail
INSERT INTO route_failures (route, why, n)
SELECT $1, r.why, r.n FROM @rows(why TEXT, n BIGINT) AS r WHERE true
ON CONFLICT (route, why) DO UPDATE SET n = route_failures.n + excluded.n

-- name: load_insert
INSERT INTO loads (route, no, n, at, tries, parcels)
SELECT $1, r.no, r.n, r.at, 1, r.parcels FROM @rows(no BIGINT, n BIGINT, at BIGINT, parcels BLOB) AS r

-- name: load_take_over
UPDATE loads SET tries = tries + 1 WHERE route = $1

-- name: load_list
SELECT l.no, l.n, l.at, l.tries, l.ended, l.parcels FROM loads l WHERE l.route = $1 ORDER BY l.no

-- name: load_delete
DELETE FROM loads WHERE route = $1 AND no @in(SELECT r.no FROM @rows(no BIGINT) AS r)

-- name: load_mark
UPDATE loads SET ended = $3 WHERE route = $1 AND no = $2

-- name: aside_insert
INSERT INTO parcels (route, no, state, due_at, first_at, attempts, why, id, type, address, at, body)
SELECT $1, r.no, r.state, r.due_at, r.first_at, r.attempts, r.why, r.id, r.type, r.address, r.at, r.body
FROM @rows(no BIGINT, state BIGINT, due_at BIGINT, first_at BIGINT, attempts BIGINT, why TEXT,
	id TEXT, type TEXT, address TEXT, at BIGINT, body BLOB) AS r

-- name: aside_delete
DELETE FROM parcels WHERE route = $1 AND no @in(SELECT r.no FROM @rows(no BIGINT) AS r)

-- name: aside_update
UPDATE parcels SET state = r.state, due_at = r.due_at, why = r.why
FROM @rows(no BIGINT, state BIGINT, due_at BIGINT, why TEXT) AS r
WHERE route = $1 AND parcels.no = r.no

-- name: aside_take_over
UPDATE parcels SET state = 1 WHERE route = $1 AND state = 3

-- An attempt is noted before it is made.
-- name: aside_take
UPDATE parcels SET state = 3, attempts = attempts + 1
WHERE route = $1 AND no IN (SELECT p.no FROM parcels p
	WHERE p.route = $1 AND p.state = 1 AND p.due_at <= $2 ORDER BY p.due_at, p.no LIMIT $3)
RETURNING no, first_at, attempts, id, type, address, at, body

-- name: aside_count
SELECT COUNT(*) FROM parcels p WHERE p.route = $1 AND p.state IN (1, 3)

-- name: aside_next_due
SELECT MIN(p.due_at) FROM parcels p WHERE p.route = $1 AND p.state = 1

-- ---- for who looks from outside ---------------------------------------------------------

-- How each route goes; of kind $1 (NULL: of all) and ident $2 (NULL: all).  What is oldest of
-- what has not been sent yet is in a load, or behind the place.
-- name: route_report
SELECT r.no, r.kind, r.ident, r.is_off, r.created_at, r.paused_at, r.barred_at, r.barred_why,
	r.width, r.sent, r.failed, r.dropped, r.missed, r.pos,
	(SELECT COUNT(*) FROM parcels p WHERE p.route = r.no AND p.state IN (1, 3)),
	(SELECT COUNT(*) FROM parcels p WHERE p.route = r.no AND p.state = 2),
	(SELECT MIN(l.at) FROM loads l WHERE l.route = r.no),
	(SELECT e.at FROM events e WHERE e.pos > r.pos ORDER BY e.pos LIMIT 1)
FROM routes r
WHERE (CAST($1 AS BIGINT) IS NULL OR r.kind = $1)
	AND (CAST($2 AS TEXT) IS NULL OR r.ident = $2)
ORDER BY r.no

-- name: route_failures_list
SELECT f.route, f.why, f.n FROM @rows(no BIGINT) AS r @probe(route_failures f ON f.route = r.no)
ORDER BY f.route, f.why

-- name: route_no
SELECT r.no FROM routes r WHERE r.kind = $1 AND r.ident = $2

-- name: route_pause
UPDATE routes SET paused_at = COALESCE(paused_at, $2), nudged = nudged + 1 WHERE no = $1

-- name: route_resume
UPDATE routes SET paused_at = NULL, barred_at = NULL, barred_why = NULL, nudged = nudged + 1
WHERE no = $1

-- name: route_nudge
UPDATE routes SET nudged = nudged + 1 WHERE no = $1

-- Dead letters ($3: that of one event only) begin anew.
-- name: dead_replay
UPDATE parcels SET state = 1, due_at = $2, first_at = $2
WHERE route = $1 AND state = 2 AND (CAST($3 AS TEXT) IS NULL OR id = $3)

-- name: dead_drop
DELETE FROM parcels WHERE route = $1 AND state = 2 AND (CAST($2 AS TEXT) IS NULL OR id = $2)

-- All but the newest.
-- name: dead_trim
DELETE FROM parcels WHERE route = $1 AND state = 2 AND due_at <= (
	SELECT p.due_at FROM parcels p WHERE p.route = $1 AND p.state = 2
	ORDER BY p.due_at DESC, p.no DESC LIMIT 1 OFFSET $2)

-- name: route_drop_note
UPDATE routes SET dropped = dropped + $2 WHERE no = $1
