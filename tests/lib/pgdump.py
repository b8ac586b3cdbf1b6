"""pgdump – copies a Fanfare database from PostgreSQL into a SQLite file, for tests/lib/auditor.py,
in one snapshot and with the schema that the program itself has made in the file."""
import csv
import io
import sqlite3
import subprocess
import sys

import pg

TABLES = ("counters", "users", "campaigns", "tallies", "batches", "forms", "channels", "messages",
          "user_ids", "channel_ids", "message_ids",
          "members", "targets", "campaign_reach", "campaign_strays")
csv.field_size_limit(sys.maxsize)


def copy(url, path, binary):
    """${path} must not exist."""
    subprocess.run([binary, "migrate", "--store", "sqlite:" + path], check=True, stdout=subprocess.DEVNULL)
    db = sqlite3.connect(path)
    wanted = {table: [(c[1], c[2]) for c in db.execute(f"PRAGMA table_info({table})")] for table in TABLES}
    script = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n" + "".join(
        "COPY (SELECT %s FROM %s) TO STDOUT (FORMAT csv, NULL 'NULL', FORCE_QUOTE *);\n\\echo '=end='\n" % (
            ", ".join(f"encode({n}, 'hex')" if kind == "BLOB" else n for n, kind in columns), table)
        for table, columns in wanted.items())
    out = pg.sql(url, script)
    parts = out.split("=end=")
    for (table, columns), part in zip(wanted.items(), parts):
        rows = []
        for row in csv.reader(io.StringIO(part.lstrip("\n"))):
            rows.append([None if v == "NULL" else bytes.fromhex(v) if kind == "BLOB" else
                         int(v) if kind in ("BIGINT", "INTEGER") else v for v, (_, kind) in zip(row, columns)])
        db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", rows)
    db.commit()
    db.close()
