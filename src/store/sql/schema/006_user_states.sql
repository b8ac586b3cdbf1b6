-- What users leave behind and what they own: the work of tasks, devices, push providers.

-- A task that the engine has to do: its number (tasks are done in this order), what kind of
-- work it is, and the work itself.  NULL for what was done before it was noted.
ALTER TABLE tasks ADD COLUMN no BIGINT;
ALTER TABLE tasks ADD COLUMN kind TEXT;
ALTER TABLE tasks ADD COLUMN work JSON@;
ALTER TABLE tasks ADD COLUMN error TEXT;
CREATE UNIQUE INDEX tasks_open ON tasks (no) WHERE status IN ('waiting', 'running');

-- Messages of one author that came through the API; those of campaigns name none.
CREATE INDEX messages_author ON messages (author, key) WHERE author IS NOT NULL;
-- Channels that name their creator; those of campaigns do not.
CREATE INDEX channels_creator ON channels (creator, no) WHERE creator IS NOT NULL;

-- Where push notifications of a user go.  id is the token of the push service; seen_at, when
-- it was last registered, decides which one goes when there are too many.
CREATE TABLE devices (
	uid BIGINT NOT NULL,
	id TEXT NOT NULL,
	provider TEXT NOT NULL,
	provider_name TEXT,
	hardware_id TEXT,
	voip BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	seen_at BIGINT NOT NULL,
	disabled_at BIGINT,
	disabled_reason TEXT,
	PRIMARY KEY (uid, id)
) CLUSTERED@;

-- Push services by name.  settings: what was given, credentials among it.
CREATE TABLE push_providers (
	type TEXT NOT NULL,
	name TEXT NOT NULL,
	settings JSON@ NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (type, name)
) CLUSTERED@;
