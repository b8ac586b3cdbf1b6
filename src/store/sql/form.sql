-- Forms: shapes of channel ids (domain/form.h).  Columns as form_from_row reads them.

-- name: form_get
SELECT form, type, kind, prefix, suffix, shadowed FROM forms WHERE form = $1

-- By the prefixes of such that have no suffix.
-- name: form_find
SELECT r.ord, f.form FROM @rows(prefix TEXT) AS r
@probe(forms f ON f.type = $1 AND f.kind = $2 AND f.prefix = r.prefix AND f.suffix = '')

-- name: form_list
SELECT form, type, kind, prefix, suffix, shadowed FROM forms WHERE type = $1 AND kind = $2

-- The affix forms that one id fits, something standing between prefix and suffix.
-- name: form_match
SELECT form, type, kind, prefix, suffix, shadowed
FROM forms
WHERE type = $1 AND kind = 0
  AND length(prefix) + length(suffix) < length($2)
  AND prefix = substr($2, 1, length(prefix))
  AND suffix = substr($2, length($2) - length(suffix) + 1)

-- name: form_last
SELECT COALESCE(MAX(form), 0) FROM forms

-- name: form_insert
INSERT INTO forms (form, type, kind, prefix, suffix, shadowed) VALUES ($1, $2, $3, $4, $5, $6)

-- name: form_shadow
UPDATE forms SET shadowed = 1
WHERE shadowed = 0 AND form @in(SELECT r.form FROM @rows(form BIGINT) AS r)

-- Explicit channels whose cid lies in a range: how many, looking at so many at most, and
-- whether one of them has the suffix.
-- name: form_explicit
SELECT COUNT(*), COALESCE(MAX(x.fits), 0)
FROM (SELECT CASE WHEN substr(cid, length(cid) - length($3) + 1) = $3 THEN 1 ELSE 0 END AS fits
      FROM channel_ids WHERE cid >= $1 AND cid < $2 LIMIT $4) AS x
