-- What is to be told of what happened (domain/event.h): the outbox.  A row is written by the
-- transaction that it tells of, and names things by their numbers; what is said of them is read when
-- it is told.  pos comes from the counter "event" as the last thing that its transaction does, so
-- that positions become visible in their order (docs/decisions/012-events.md).
CREATE TABLE events (
	pos KEY@,
	kind BIGINT NOT NULL,
	at BIGINT NOT NULL,
	channel BIGINT,
	uid BIGINT,
	object BIGINT,
	extra JSON@
);
CREATE INDEX events_channel ON events (channel, at) WHERE channel IS NOT NULL;
