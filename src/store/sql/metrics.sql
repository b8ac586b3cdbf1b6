-- What is counted for operators (api/metrics.c), every few seconds at most.

-- name: metrics_campaigns
SELECT c.status, COUNT(*) FROM campaigns c WHERE c.deleted_at IS NULL
GROUP BY c.status ORDER BY c.status

-- name: metrics_sent
SELECT COALESCE(CAST(SUM(t.n) AS BIGINT), 0) FROM tallies t WHERE t.outcome = $1
