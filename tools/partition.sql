-- partition – turns the large tables of a Fanfare database into partitioned ones, with all that
-- is in them, in one transaction.  The program needs no change for it and is told nothing.
-- Stop every fanfare process first; docs/scale.md says when this is worth its price.
--
--   psql -v partitions=16 -f tools/partition.sql postgresql://…
--       every large table by hash of its column of distribution, into 16 parts
--   psql -v partitions=16 -v range=100000000 -f tools/partition.sql postgresql://…
--       the same, but messages by ranges of 100 million keys, of which old ones can be dropped
--
-- It takes the time and the space of a copy.  Later schema steps work on partitioned tables, too.
\set ON_ERROR_STOP on
\if :{?partitions} \else \set partitions 16 \endif
\if :{?range} \else \set range 0 \endif
\set QUIET on
SET client_min_messages = warning;
SET default_transaction_read_only = off;

BEGIN;
SELECT set_config('fanfare.partitions', :'partitions', true),
	set_config('fanfare.range', :'range', true) \g /dev/null

-- Table by table: the indexes are read off and made again, so that this file knows no schema but
-- the names and the columns of distribution (docs/decisions/010-directories.md).
DO $$
DECLARE
	-- Ranges that are made ahead of the highest key; what lies beyond goes to messages_rest.
	ahead CONSTANT INTEGER := 4;
	parts INTEGER := current_setting('fanfare.partitions');
	width BIGINT := current_setting('fanfare.range');
	t RECORD;
	key_name TEXT;
	key_def TEXT;
	indexes TEXT[];
	index_def TEXT;
	top BIGINT;
BEGIN
	IF EXISTS (SELECT 1 FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'fanfare') THEN
		RAISE EXCEPTION 'a fanfare process is connected to this database; stop it first';
	ELSIF parts < 1 OR width < 0 THEN
		RAISE EXCEPTION 'partitions: at least 1; range: 0 or the number of keys in a part';
	END IF;
	FOR t IN SELECT * FROM (VALUES ('users', 'uid'), ('user_ids', 'id'), ('channels', 'no'),
		('channel_ids', 'cid'), ('members', 'channel'), ('messages', 'key'),
		('message_ids', 'id'), ('batches', 'campaign'), ('targets', 'key'),
		('poll_votes', 'poll'), ('devices', 'uid'), ('user_names', 'hash')) AS x (name, col)
	LOOP
		IF (SELECT relkind FROM pg_class WHERE oid = t.name::regclass) <> 'r' THEN
			RAISE EXCEPTION 'table % is partitioned already', t.name;
		END IF;
		SELECT conname, pg_get_constraintdef(oid) INTO STRICT key_name, key_def
			FROM pg_constraint WHERE conrelid = t.name::regclass AND contype = 'p';
		SELECT array_agg(pg_get_indexdef(indexrelid)) INTO indexes
			FROM pg_index WHERE indrelid = t.name::regclass AND NOT indisprimary;
		EXECUTE format('ALTER TABLE %I RENAME TO %I', t.name, t.name || '_plain');

		IF t.name = 'messages' AND width > 0 THEN
			EXECUTE 'CREATE TABLE messages (LIKE messages_plain INCLUDING ALL EXCLUDING INDEXES) '
				'PARTITION BY RANGE (key)';
			SELECT COALESCE(MAX(key), 0) / width + ahead INTO top FROM messages_plain;
			FOR i IN 0 .. top LOOP
				EXECUTE format('CREATE TABLE %I PARTITION OF messages '
					'FOR VALUES FROM (%s) TO (%s)', 'messages_r' || i, i * width, (i + 1) * width);
			END LOOP;
			EXECUTE 'CREATE TABLE messages_rest PARTITION OF messages DEFAULT';
		ELSE
			EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING INDEXES) '
				'PARTITION BY HASH (%I)',
				t.name, t.name || '_plain', t.col);
			FOR i IN 0 .. parts - 1 LOOP
				EXECUTE format('CREATE TABLE %I PARTITION OF %I '
					'FOR VALUES WITH (MODULUS %s, REMAINDER %s)',
					t.name || '_p' || i, t.name, parts, i);
			END LOOP;
		END IF;

		EXECUTE format('INSERT INTO %I SELECT * FROM %I', t.name, t.name || '_plain');
		EXECUTE format('DROP TABLE %I', t.name || '_plain');
		EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I %s', t.name, key_name, key_def);
		FOREACH index_def IN ARRAY COALESCE(indexes, '{}') LOOP
			EXECUTE index_def;
		END LOOP;
	END LOOP;
END $$;
COMMIT;
ANALYZE;
