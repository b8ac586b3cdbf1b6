-- Directories: from a text id to the key of its row, with the text as the primary key.  They
-- are what keeps an id unique, in place of unique indexes on the large tables: there a unique
-- constraint must contain the column by which the table is distributed
-- (docs/decisions/010-directories.md).  A row is made in the transaction that makes the row it
-- leads to, and stays as long.

-- Users, mentioned ones too.
CREATE TABLE user_ids (
	id TEXT NOT NULL PRIMARY KEY,
	uid BIGINT NOT NULL
) CLUSTERED@;
INSERT INTO user_ids (id, uid) SELECT id, uid FROM users ORDER BY id;
DROP INDEX users_id;

-- Channels whose cid is stored.
CREATE TABLE channel_ids (
	cid TEXT NOT NULL PRIMARY KEY,
	no BIGINT NOT NULL
) CLUSTERED@;
INSERT INTO channel_ids (cid, no)
SELECT cid, no FROM channels WHERE cid IS NOT NULL ORDER BY cid;
DROP INDEX channels_cid;

-- Messages whose id was chosen by the client.
CREATE TABLE message_ids (
	id TEXT NOT NULL PRIMARY KEY,
	key BIGINT NOT NULL
) CLUSTERED@;
INSERT INTO message_ids (id, key) SELECT id, key FROM messages WHERE id IS NOT NULL ORDER BY id;
DROP INDEX messages_id;

-- Keys of messages are unique by their counter and by the primary key of messages; that of a
-- batch needs no constraint of its own, only to be found.
DROP INDEX batches_first_key;
CREATE INDEX batches_first_key ON batches (first_key);
