-- The store's own: schema version, counters.

-- name: counter_take
INSERT INTO counters (name, next) VALUES ($1, 1 + $2)
ON CONFLICT (name) DO UPDATE SET next = counters.next + $2
RETURNING next - $2
