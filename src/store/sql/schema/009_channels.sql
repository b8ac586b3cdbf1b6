-- What is done to channels later.  truncated_at: messages up to then are cut off, for
-- everyone.  extra: filter_tags.
ALTER TABLE channels ADD COLUMN truncated_at BIGINT;
ALTER TABLE channels ADD COLUMN extra JSON@;

-- Invitations, and what reached a member's device.
ALTER TABLE members ADD COLUMN invited_at BIGINT;
ALTER TABLE members ADD COLUMN accepted_at BIGINT;
ALTER TABLE members ADD COLUMN rejected_at BIGINT;
ALTER TABLE members ADD COLUMN delivered_at BIGINT;
ALTER TABLE members ADD COLUMN delivered_key BIGINT;

-- Channels of which the messages up to a time are to be forgotten for good, until that is
-- done (domain/oblivion.h).
CREATE TABLE oblivion (
	channel KEY@,
	upto BIGINT NOT NULL
);

-- Channel types that the app made or changed; the built-in ones need no row.
CREATE TABLE channel_types (
	name TEXT NOT NULL PRIMARY KEY,
	config JSON@ NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL
);
