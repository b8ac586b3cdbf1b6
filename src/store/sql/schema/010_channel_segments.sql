-- Lists of channels, one row a target in the order of the wire: most cids are stored nowhere
-- else (docs/decisions/002-derived-channels.md), and a target need not be a channel.
CREATE TABLE segment_cids (
	segment BIGINT NOT NULL,
	cid TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (segment, cid)
) CLUSTERED@;

-- Campaigns to channels, from their plan on.  reach_set, read_set: the members other than the
-- sender who got a message, and those of them who have read one (sets of domain/uidset.h);
-- users_sent is the size of the first.
CREATE TABLE campaign_reach (
	campaign KEY@,
	reach_set BIGINT NOT NULL,
	read_set BIGINT NOT NULL,
	users_sent BIGINT NOT NULL
);

-- The listed cids that were no channels when the audience was fixed: the part of the ledger
-- that has no batch, all of it skipped(no_such_channel).  Rows of a campaign without a plan are what
-- was left of one.
CREATE TABLE campaign_strays (
	campaign BIGINT NOT NULL,
	cid TEXT NOT NULL,
	PRIMARY KEY (campaign, cid)
) CLUSTERED@;
