-- Polls, their options and votes (domain/poll.h).

-- name: poll_by_ids
SELECT r.ord, p.no, p.id, p.creator, p.name, p.description, p.voting_visibility,
       p.enforce_unique_vote, p.max_votes_allowed, p.allow_answers,
       p.allow_user_suggested_options, p.is_closed, p.answers, p.next_option, p.created_at,
       p.updated_at, p.custom
FROM @rows(id TEXT) AS r @probe(polls p ON p.id = r.id AND p.deleted_at IS NULL)

-- name: poll_options_of
SELECT r.ord, o.option, o.votes, o.created_at, o.updated_at, o.id, o.text, o.custom
FROM @rows(poll BIGINT) AS r @probe(poll_options o ON o.poll = r.poll)
ORDER BY r.ord, o.pos, o.option

-- name: poll_creator
SELECT creator FROM polls WHERE id = $1 AND deleted_at IS NULL

-- name: poll_id_taken
SELECT no FROM polls WHERE id = $1

-- name: poll_insert
INSERT INTO polls (no, id, creator, name, description, voting_visibility, enforce_unique_vote,
                   max_votes_allowed, allow_answers, allow_user_suggested_options, is_closed,
                   answers, next_option, created_at, updated_at, custom)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $13, $13, $14)

-- name: poll_replace
UPDATE polls SET name = $2, description = $3, voting_visibility = $4, enforce_unique_vote = $5,
	max_votes_allowed = $6, allow_answers = $7, allow_user_suggested_options = $8,
	is_closed = $9, next_option = $10, updated_at = $11, custom = $12
WHERE no = $1

-- name: poll_delete
UPDATE polls SET deleted_at = $2, updated_at = $2 WHERE no = $1

-- Options that are there keep their number, id and votes.
-- name: poll_options_put
INSERT INTO poll_options (poll, option, pos, votes, created_at, updated_at, id, text, custom)
SELECT $1, r.option, r.ord, 0, r.created_at, r.updated_at, r.id, r.text, r.custom
FROM @rows(option BIGINT, created_at BIGINT, updated_at BIGINT, id TEXT, text TEXT,
           custom JSON) AS r
WHERE true
ON CONFLICT (poll, option) DO UPDATE SET
	pos = excluded.pos, updated_at = excluded.updated_at, text = excluded.text,
	custom = excluded.custom

-- name: poll_options_drop
DELETE FROM poll_options
WHERE poll = $1 AND option @in(SELECT r.option FROM @rows(option BIGINT) AS r)

-- The newest of each list of votes, by the index alone.  SQLite has no LATERAL; PostgreSQL would
-- turn IN around while the table is small, and go through all votes.
-- name: poll_votes_latest
-- only: sqlite
SELECT r.ord, v.key, v.uid, v.option, v.cast_at, v.answer
FROM @rows(poll BIGINT, option BIGINT) AS r
@probe(poll_votes v ON v.poll = r.poll AND v.key IN (SELECT k.key FROM poll_votes k
	WHERE k.poll + 0 = r.poll AND k.option = r.option
	ORDER BY k.cast_at DESC, k.key DESC LIMIT $1))
ORDER BY r.ord, v.cast_at DESC, v.key DESC

-- name: poll_votes_latest
-- only: pg
SELECT r.ord, v.key, v.uid, v.option, v.cast_at, v.answer
FROM @rows(poll BIGINT, option BIGINT) AS r
JOIN LATERAL (SELECT k.* FROM poll_votes k WHERE k.poll + 0 = r.poll AND k.option = r.option
	ORDER BY k.cast_at DESC, k.key DESC LIMIT $1) AS v ON true
ORDER BY r.ord, v.cast_at DESC, v.key DESC

-- name: poll_votes_of_user
SELECT r.ord, v.key, v.uid, v.option, v.cast_at, v.answer
FROM @rows(poll BIGINT) AS r @probe(poll_votes v ON v.poll = r.poll AND v.uid = $1)
ORDER BY r.ord, v.cast_at, v.key

-- name: poll_vote_by_key
SELECT v.poll, v.key, v.uid, v.option, v.cast_at, v.answer FROM poll_votes v
WHERE v.key = $1 AND v.poll = $2

-- name: poll_vote_insert
INSERT INTO poll_votes (key, poll, uid, option, cast_at, answer) VALUES ($1, $2, $3, $4, $5, $6)

-- name: poll_vote_change
UPDATE poll_votes SET option = $3, cast_at = $4, answer = $5 WHERE key = $1 AND poll = $2

-- name: poll_vote_delete
DELETE FROM poll_votes WHERE key = $1 AND poll = $2

-- name: poll_count_vote
UPDATE poll_options SET votes = votes + $3 WHERE poll = $1 AND option = $2

-- name: poll_count_answer
UPDATE polls SET answers = answers + $2 WHERE no = $1
