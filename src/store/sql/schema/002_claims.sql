-- Who does a piece of work that only one process may do: planning a campaign (kind 1), counting
-- a segment (kind 2).  As with batches: lease and fence, the fence only grows, rows stay.
CREATE TABLE claims (
	kind BIGINT NOT NULL,
	no BIGINT NOT NULL,
	fence BIGINT NOT NULL,
	lease_until BIGINT NOT NULL,
	PRIMARY KEY (kind, no)
) CLUSTERED@;
