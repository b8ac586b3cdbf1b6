-- The schema, once for every engine.  Type words: TEXT, BIGINT, KEY@ (the integer primary
-- key), BLOB@, JSON@; CLUSTERED@ marks a table stored in the order of its primary key.
-- Times are microseconds UTC, booleans 0/1, inner keys integers; text ids of the wire stand
-- once, in a unique index (docs/store.md tells why, with measurements).
--
-- To change it: never edit this file once released; add 002_….sql; statements run in one
-- transaction; old rows must stay readable by the new program.

-- One row per named counter; see db_take().
CREATE TABLE counters (
	name TEXT NOT NULL PRIMARY KEY,
	next BIGINT NOT NULL
);

-- The app: its key pair, and the tag inside the message ids of this store.
CREATE TABLE apps (
	no KEY@,
	api_key TEXT NOT NULL,
	api_secret TEXT NOT NULL,
	id_tag BIGINT NOT NULL,
	created_at BIGINT NOT NULL
);

-- Users, and the names of users that were only ever mentioned (created_at IS NULL): targets
-- need not exist (api.md §2.5.5), yet they have a key, so that sets of targets are integers.
-- A key is never given to another id.
CREATE TABLE users (
	uid KEY@,
	id TEXT NOT NULL,
	name TEXT,
	image TEXT,
	role TEXT,
	language TEXT,
	teams JSON@,
	custom JSON@,
	extra JSON@,
	created_at BIGINT,
	updated_at BIGINT,
	last_active BIGINT,
	deactivated_at BIGINT,
	deleted_at BIGINT,
	revoked_before BIGINT
);
CREATE UNIQUE INDEX users_id ON users (id);
CREATE INDEX users_created ON users (created_at);

-- Segments.  A list lives in targets under the set number = no.
CREATE TABLE segments (
	no KEY@,
	id TEXT NOT NULL,
	type TEXT NOT NULL,
	name TEXT NOT NULL,
	description TEXT NOT NULL,
	filter JSON@,
	all_users BIGINT NOT NULL,
	all_sender_channels BIGINT NOT NULL,
	size BIGINT NOT NULL,
	size_due BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	deleted_at BIGINT
);
CREATE UNIQUE INDEX segments_id ON segments (id) WHERE deleted_at IS NULL;
CREATE INDEX segments_created ON segments (created_at);
CREATE INDEX segments_size_due ON segments (no) WHERE size_due = 1;

-- Sets of uids in chunks of 32,768: one bit per uid, or a sorted list of 16-bit offsets,
-- whichever is smaller (domain/uidset.h).  key = set << 24 | uid >> 15.
CREATE TABLE targets (
	key KEY@,
	n BIGINT NOT NULL,
	uids BLOB@ NOT NULL,
	created_at BIGINT NOT NULL
);

-- Campaigns.  What moves stands in front, what may be long at the end: rows are read from the
-- left.  What is sent (the templates, the options) is frozen once status leaves draft/scheduled; the
-- counters move only in the transactions that do the work (I-4, I-7).
CREATE TABLE campaigns (
	no KEY@,
	id TEXT NOT NULL,
	status TEXT NOT NULL,
	planned BIGINT NOT NULL,
	audience BIGINT NOT NULL,
	pending BIGINT NOT NULL,
	channels_created BIGINT NOT NULL,
	users_read BIGINT NOT NULL,
	form BIGINT NOT NULL,
	sender BIGINT NOT NULL,
	sender_mode TEXT NOT NULL,
	sender_visibility TEXT NOT NULL,
	create_channels BIGINT NOT NULL,
	show_channels BIGINT NOT NULL,
	skip_push BIGINT NOT NULL,
	skip_webhook BIGINT NOT NULL,
	user_set BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	deleted_at BIGINT,
	scheduled_for BIGINT,
	stop_at BIGINT,
	started_at BIGINT,
	completed_at BIGINT,
	name TEXT NOT NULL,
	description TEXT NOT NULL,
	channel_template JSON@,
	message_template JSON@ NOT NULL
);
CREATE UNIQUE INDEX campaigns_id ON campaigns (id) WHERE deleted_at IS NULL;
CREATE INDEX campaigns_created ON campaigns (created_at);
CREATE INDEX campaigns_sender ON campaigns (sender, no);
CREATE INDEX campaigns_sending ON campaigns (no) WHERE status = 'in_progress' AND planned = 1;
CREATE INDEX campaigns_active ON campaigns (no) WHERE status IN ('scheduled', 'in_progress');

CREATE TABLE campaign_segments (
	campaign BIGINT NOT NULL,
	pos BIGINT NOT NULL,
	segment_id TEXT NOT NULL,
	PRIMARY KEY (campaign, pos)
) CLUSTERED@;
CREATE INDEX campaign_segments_segment ON campaign_segments (segment_id, campaign);

-- How many recipients of a campaign have each outcome; moves with the batch.
CREATE TABLE tallies (
	campaign BIGINT NOT NULL,
	outcome BIGINT NOT NULL,
	n BIGINT NOT NULL,
	PRIMARY KEY (campaign, outcome)
) CLUSTERED@;

-- The batch row (ARCHITECTURE.md): snapshot, claim, transaction, ledger and outbox of up to
-- 4,096 recipients.  The message of recipient i (0-based) has the key first_key + i: that
-- is what makes a second message for him a violation of the messages' primary key (I-1).
CREATE TABLE batches (
	campaign BIGINT NOT NULL,
	seq BIGINT NOT NULL,
	first_ord BIGINT NOT NULL,
	n BIGINT NOT NULL,
	first_key BIGINT NOT NULL,
	uids BLOB@ NOT NULL,
	state BIGINT NOT NULL,
	fence BIGINT NOT NULL,
	lease_until BIGINT NOT NULL,
	done_at BIGINT,
	outcomes BLOB@,
	reads BLOB@,
	PRIMARY KEY (campaign, seq)
);
CREATE UNIQUE INDEX batches_first_key ON batches (first_key);
CREATE INDEX batches_open ON batches (campaign, seq) WHERE state < 2;

-- Forms: shapes of channel ids that need not be stored for each channel, because they
-- follow from the receiver (docs/decisions/002-derived-channels.md).
-- kind 0: id = prefix + receiver.id + suffix.  kind 1: the distinct channel of the receiver
-- and the uids in prefix ("7" or "7,9").
CREATE TABLE forms (
	form KEY@,
	type TEXT NOT NULL,
	kind BIGINT NOT NULL,
	prefix TEXT NOT NULL,
	suffix TEXT NOT NULL,
	shadowed BIGINT NOT NULL
);
CREATE UNIQUE INDEX forms_shape ON forms (type, kind, prefix, suffix);

-- Channels.  no = home << 12 | form.  form 1..4095: a derived channel, home is the uid of
-- the receiver it belongs to, cid is NULL.  form 0: an explicit channel, home is a number
-- from the channel counter, cid is stored.  origin: the campaign whose channel_template
-- made it (type, creator, team, members, sender_visibility follow from there), or 0.
CREATE TABLE channels (
	no KEY@,
	origin BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	cid TEXT,
	creator BIGINT,
	updated_at BIGINT,
	team TEXT,
	custom JSON@,
	frozen BIGINT,
	disabled BIGINT,
	deleted_at BIGINT
);
CREATE UNIQUE INDEX channels_cid ON channels (cid) WHERE cid IS NOT NULL;

-- Membership that cannot be derived (members of explicit channels, members added later),
-- and what a member did (read marks, hidden, archived, pinned), for derived members too:
-- then role is NULL.
CREATE TABLE members (
	channel BIGINT NOT NULL,
	uid BIGINT NOT NULL,
	role TEXT,
	created_at BIGINT NOT NULL,
	updated_at BIGINT,
	last_read BIGINT,
	last_read_key BIGINT,
	hidden_at BIGINT,
	cleared_at BIGINT,
	archived_at BIGINT,
	pinned_at BIGINT,
	removed_at BIGINT,
	custom JSON@,
	PRIMARY KEY (channel, uid)
) CLUSTERED@;
CREATE INDEX members_uid ON members (uid, channel);

-- Messages.  author NULL: the sender of the campaign whose batch reserved the key.  id: only
-- when chosen by the client; else the wire id is an encoding of the key (base/id.h).
-- extra: attachments, custom and the like, when they differ from the campaign's template.
CREATE TABLE messages (
	key KEY@,
	channel BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	text TEXT NOT NULL,
	author BIGINT,
	id TEXT,
	extra JSON@,
	updated_at BIGINT,
	deleted_at BIGINT
);
CREATE INDEX messages_channel ON messages (channel, created_at);
CREATE UNIQUE INDEX messages_id ON messages (id) WHERE id IS NOT NULL;

-- Long work that a client may ask after (GET /tasks/{id}).
CREATE TABLE tasks (
	id TEXT NOT NULL PRIMARY KEY,
	status TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	result JSON@
);
