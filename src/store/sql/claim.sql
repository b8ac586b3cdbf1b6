-- Claims of work that only one process may do (domain/claim.h).

-- Taken when it was never taken, or when its lease is over.
-- name: claim_take
INSERT INTO claims (kind, no, fence, lease_until)
VALUES ($1, $2, 1, CAST($3 AS BIGINT) + CAST($4 AS BIGINT))
ON CONFLICT (kind, no) DO UPDATE SET
	fence = claims.fence + 1, lease_until = excluded.lease_until
	WHERE claims.lease_until < $3
RETURNING fence

-- Only while the fence is ours.  0 for the lease gives it back.
-- name: claim_set_lease
UPDATE claims SET lease_until = $4 WHERE kind = $1 AND no = $2 AND fence = $3

-- name: claim_release_all
UPDATE claims SET lease_until = 0 WHERE lease_until > 0
