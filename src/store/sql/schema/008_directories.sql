-- Directories: from a text id to the key of its row, with the text as the primary key.  They
-- are what keeps an id unique, in place of unique indexes on the large tables: there a unique
-- constraint must contain the column by which the table is distributed
-- (docs/decisions/008-directories.md).  A row is made in the transaction that makes the row it
-- leads to, and stays as long.

-- Channels whose cid is stored.
CREATE TABLE channel_ids (
	cid TEXT NOT NULL PRIMARY KEY,
	no BIGINT NOT NULL
) CLUSTERED@;
INSERT INTO channel_ids (cid, no)
SELECT cid, no FROM channels WHERE cid IS NOT NULL ORDER BY cid;
DROP INDEX channels_cid;
