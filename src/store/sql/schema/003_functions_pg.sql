-- only: pg
-- What store/json_cmp.h says, in the words of PostgreSQL.  Values are of type json, not jsonb:
-- json keeps a document as it was written, so that both engines answer with the same bytes.

-- The value at a path: one literal key first, then keys between dots; '' is the whole.
CREATE FUNCTION fan_json_at(j JSON, path TEXT) RETURNS JSON
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
	v JSON := CASE WHEN path = '' THEN j ELSE j -> path END;
	k TEXT;
BEGIN
	IF v IS NOT NULL OR position('.' IN path) = 0 THEN
		RETURN v;
	END IF;
	v := j;
	FOREACH k IN ARRAY string_to_array(path, '.') LOOP
		v := v -> k;
		EXIT WHEN v IS NULL;
	END LOOP;
	RETURN v;
END $$;

-- <0, 0, >0; NULL when the types differ.  Arrays and objects compare by their text.
CREATE FUNCTION fan_json_order(a JSON, b JSON) RETURNS INTEGER
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
	x TEXT COLLATE "C" := a #>> '{}';
	y TEXT COLLATE "C" := b #>> '{}';
	t TEXT := json_typeof(a);
BEGIN
	IF t <> json_typeof(b) OR (t = 'boolean' AND x <> y) THEN
		RETURN NULL;
	ELSIF t = 'number' THEN
		RETURN sign(x::NUMERIC - y::NUMERIC);
	ELSIF t = 'null' THEN
		RETURN 0;
	ELSIF t <> 'string' THEN
		x := btrim(a::TEXT, E' \t\n\r');
		y := btrim(b::TEXT, E' \t\n\r');
	END IF;
	RETURN CASE WHEN x < y THEN -1 WHEN x > y THEN 1 ELSE 0 END;
END $$;

CREATE FUNCTION fan_json_listed(v JSON, list JSON) RETURNS BOOLEAN
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	RETURN EXISTS (SELECT 1 FROM json_array_elements(list) AS e
		WHERE fan_json_order(v, e) = 0);
END $$;

CREATE FUNCTION fan_json_cmp(j JSON, path TEXT, op TEXT, want JSON) RETURNS BOOLEAN
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
	v JSON := COALESCE(fan_json_at(j, path), 'null');
	t TEXT := json_typeof(v);
	x TEXT COLLATE "C";
	y TEXT COLLATE "C";
BEGIN
	CASE op
	WHEN 'eq' THEN
		RETURN COALESCE(fan_json_order(v, want) = 0, false);
	WHEN 'gt' THEN
		RETURN COALESCE(fan_json_order(v, want) > 0, false);
	WHEN 'gte' THEN
		RETURN COALESCE(fan_json_order(v, want) >= 0, false);
	WHEN 'lt' THEN
		RETURN COALESCE(fan_json_order(v, want) < 0, false);
	WHEN 'lte' THEN
		RETURN COALESCE(fan_json_order(v, want) <= 0, false);
	WHEN 'in' THEN
		RETURN fan_json_listed(v, want);
	WHEN 'exists' THEN
		RETURN (t <> 'null') = (want #>> '{}')::BOOLEAN;
	WHEN 'any' THEN
		RETURN t = 'array' AND EXISTS (SELECT 1 FROM json_array_elements(
			CASE WHEN t = 'array' THEN v ELSE '[]' END) AS e
			WHERE fan_json_listed(e, want));
	ELSE
		NULL;
	END CASE;
	IF op = 'contains' AND t = 'array' THEN
		RETURN fan_json_listed(want, v);
	ELSIF t <> 'string' OR json_typeof(want) <> 'string' THEN
		RETURN false;
	END IF;
	x := v #>> '{}';
	y := want #>> '{}';
	IF op = 'contains' THEN
		RETURN position(y IN x) > 0;
	END IF;
	RETURN position(' ' || lower(y) IN ' ' || lower(x)) > 0;
END $$;
