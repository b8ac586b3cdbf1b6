-- A message is committed a little after its time, so "later than the mark" is not "not seen when
-- it was set": beside the mark stands the time of the newest message that was there.  NULL
-- where a mark was set before this step: its own time counts.  0: there was none.
ALTER TABLE members ADD COLUMN read_upto BIGINT;
