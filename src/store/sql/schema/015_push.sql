-- What is pushed, and who wants to be left alone (domain/push_event.h, domain/push_preference.h).

-- Which events a provider pushes, and what it says then; provider_name is '' where a row is for
-- all providers of the type that have none of their own.
CREATE TABLE push_templates (
	provider_type TEXT NOT NULL,
	provider_name TEXT NOT NULL,
	event_type TEXT NOT NULL,
	enabled BIGINT NOT NULL,
	template TEXT,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (provider_type, provider_name, event_type)
) CLUSTERED@;

-- What a user wants pushed, in all (channel 0) or of one channel.  level: 0 unset, else as
-- domain/push_preference.h says; extra holds what is kept and told, and does nothing here.
CREATE TABLE push_preferences (
	uid BIGINT NOT NULL,
	channel BIGINT NOT NULL,
	level BIGINT NOT NULL,
	disabled_until BIGINT,
	extra JSON@,
	PRIMARY KEY (uid, channel)
) CLUSTERED@;

-- Push services name a device that is gone by its token.
CREATE INDEX devices_token ON devices (id);
