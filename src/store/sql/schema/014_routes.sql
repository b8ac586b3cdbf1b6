-- Routes: webhooks and push providers, how far each has come in the outbox, and what is under way
-- on it (domain/route.h, docs/decisions/014-couriers.md).  ident: of a hook its id, or "legacy";
-- of a provider "type:name".  is_off: what happens meanwhile is not for it.  next_no: the number of
-- its next load or parcel.  nudged rises when somebody changed its parcels from outside.  width:
-- how many attempts may be under way, as its courier last said.
CREATE TABLE routes (
	no KEY@,
	kind BIGINT NOT NULL,
	ident TEXT NOT NULL,
	is_off BIGINT NOT NULL,
	pos BIGINT NOT NULL,
	next_key BIGINT NOT NULL,
	next_no BIGINT NOT NULL,
	nudged BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	paused_at BIGINT,
	barred_at BIGINT,
	barred_why TEXT,
	width BIGINT NOT NULL,
	sent BIGINT NOT NULL,
	failed BIGINT NOT NULL,
	dead BIGINT NOT NULL,
	dropped BIGINT NOT NULL,
	missed BIGINT NOT NULL
);
CREATE UNIQUE INDEX routes_ident ON routes (kind, ident);

-- Attempts that failed, by reason.
CREATE TABLE route_failures (
	route BIGINT NOT NULL,
	why TEXT NOT NULL,
	n BIGINT NOT NULL,
	PRIMARY KEY (route, why)
) CLUSTERED@;

-- What was read and is being carried: up to 256 parcels a row, bodies and all, written by the
-- transaction that moves the route's place.  at: when the oldest of it happened.  tries: how often
-- it was taken up; more than once after a crash.
CREATE TABLE loads (
	route BIGINT NOT NULL,
	no BIGINT NOT NULL,
	n BIGINT NOT NULL,
	at BIGINT NOT NULL,
	tries BIGINT NOT NULL,
	ended BLOB@,
	parcels BLOB@ NOT NULL,
	PRIMARY KEY (route, no)
);

-- Parcels that were not taken: put aside until due_at (state 1), dead letters since due_at
-- (state 2), on their way again (state 3).  attempts: begun so far.
CREATE TABLE parcels (
	route BIGINT NOT NULL,
	no BIGINT NOT NULL,
	state BIGINT NOT NULL,
	due_at BIGINT NOT NULL,
	first_at BIGINT NOT NULL,
	attempts BIGINT NOT NULL,
	why TEXT NOT NULL,
	id TEXT NOT NULL,
	type TEXT NOT NULL,
	address TEXT,
	at BIGINT NOT NULL,
	body BLOB@ NOT NULL,
	PRIMARY KEY (route, no)
);
CREATE INDEX parcels_due ON parcels (route, state, due_at, no);

-- Seconds that a webhook may lag before batches of the campaign wait; NULL: any.
ALTER TABLE campaigns ADD COLUMN max_webhook_lag BIGINT;
