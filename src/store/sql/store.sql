-- The store's own: schema version, counters.

-- name: counter_take
INSERT INTO counters (name, next) VALUES ($1, 1 + $2)
ON CONFLICT (name) DO UPDATE SET next = counters.next + $2
RETURNING next - $2

-- name: store_now
-- only: pg
SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)

-- Advisory locks, until the end of the transaction.
-- name: lock_take
-- only: pg
SELECT pg_advisory_xact_lock($1)

-- name: lock_share
-- only: pg
SELECT pg_advisory_xact_lock_shared($1)
