-- Polls (domain/poll.h).  Rows stay when a poll is deleted: messages name it by its id, which
-- must never come to mean another poll.
CREATE TABLE polls (
	no KEY@,
	id TEXT NOT NULL,
	creator BIGINT NOT NULL,
	name TEXT NOT NULL,
	description TEXT NOT NULL,
	voting_visibility TEXT NOT NULL,
	enforce_unique_vote BIGINT NOT NULL,
	max_votes_allowed BIGINT,
	allow_answers BIGINT NOT NULL,
	allow_user_suggested_options BIGINT NOT NULL,
	is_closed BIGINT NOT NULL,
	answers BIGINT NOT NULL,
	next_option BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	deleted_at BIGINT,
	custom JSON@
);
CREATE UNIQUE INDEX polls_id ON polls (id);
CREATE INDEX polls_created ON polls (created_at);
CREATE INDEX polls_creator ON polls (creator, created_at);

-- option: a number inside the poll, from 1, never given twice.  votes moves in the transaction
-- that moves a vote.
CREATE TABLE poll_options (
	poll BIGINT NOT NULL,
	option BIGINT NOT NULL,
	pos BIGINT NOT NULL,
	votes BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	id TEXT NOT NULL,
	text TEXT NOT NULL,
	custom JSON@,
	PRIMARY KEY (poll, option)
) CLUSTERED@;

-- option 0: an answer, with its text.  Votes for an option that was removed stay behind, and
-- nobody sees them: to remove an option costs the same whatever the number of its votes.
-- The indexes of lists are on poll + 0, so that the statement that looks for the few votes of a
-- user, by poll, cannot be planned to go through all of the poll
-- (docs/decisions/007-plans-that-do-not-flip.md).
CREATE TABLE poll_votes (
	key KEY@,
	poll BIGINT NOT NULL,
	uid BIGINT NOT NULL,
	option BIGINT NOT NULL,
	cast_at BIGINT NOT NULL,
	answer TEXT
);
CREATE UNIQUE INDEX poll_votes_user ON poll_votes (poll, uid, option);
CREATE INDEX poll_votes_option ON poll_votes ((poll + 0), option, cast_at, key);
CREATE INDEX poll_votes_time ON poll_votes ((poll + 0), cast_at);
