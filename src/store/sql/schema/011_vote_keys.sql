-- A poll that went to millions has millions of votes: poll_votes is a large table, and is
-- distributed by poll.  So its primary key contains the poll, behind the key: nothing could be
-- planned to find the votes of one user by a primary key that begins with the poll
-- (docs/decisions/010-directories.md, 007-plans-that-do-not-flip.md).
ALTER TABLE poll_votes RENAME TO poll_votes_old;
CREATE TABLE poll_votes (
	key BIGINT NOT NULL,
	poll BIGINT NOT NULL,
	uid BIGINT NOT NULL,
	option BIGINT NOT NULL,
	cast_at BIGINT NOT NULL,
	answer TEXT,
	PRIMARY KEY (key, poll)
) CLUSTERED@;
INSERT INTO poll_votes (key, poll, uid, option, cast_at, answer)
SELECT key, poll, uid, option, cast_at, answer FROM poll_votes_old ORDER BY key;
DROP TABLE poll_votes_old;
CREATE UNIQUE INDEX poll_votes_user ON poll_votes (poll, uid, option);
CREATE INDEX poll_votes_option ON poll_votes ((poll + 0), option, cast_at, key);
CREATE INDEX poll_votes_time ON poll_votes ((poll + 0), cast_at);
