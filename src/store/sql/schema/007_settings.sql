-- What the owner of the app changes while servers run (domain/settings.h): one JSON object,
-- whose version tells other processes to read it anew.  unique_names repeats what every write
-- of users must know; names_from: from which uid on names are still to be entered.
CREATE TABLE app_settings (
	no KEY@,
	version BIGINT NOT NULL,
	unique_names BIGINT NOT NULL,
	names_from BIGINT,
	doc JSON@ NOT NULL
);
INSERT INTO app_settings (no, version, unique_names, doc) VALUES (1, 0, 0, '{}');

-- The team of the channels that a campaign makes, fixed with its plan: NULL when it has none or
-- multi-tenancy was off, '' when each channel has its own.
ALTER TABLE campaigns ADD COLUMN team TEXT;

-- What follows of the message capacity (domain/capacity.h): the audience when start was called,
-- and how many messages were committed in a month, the latest in which there were any.
ALTER TABLE campaigns ADD COLUMN reserved BIGINT NOT NULL DEFAULT 0;
ALTER TABLE campaigns ADD COLUMN month BIGINT NOT NULL DEFAULT 0;
ALTER TABLE campaigns ADD COLUMN month_sent BIGINT NOT NULL DEFAULT 0;
CREATE INDEX campaigns_month ON campaigns (month);

-- While enforce_unique_usernames is on: who has, or had, a name (in a team), by its hash.
CREATE TABLE user_names (
	hash BIGINT NOT NULL,
	uid BIGINT NOT NULL,
	PRIMARY KEY (hash, uid)
) CLUSTERED@;
