#!/usr/bin/env python3
"""test_disk – the disk of the database runs full in the middle of a campaign: clients get 503, the
campaign stays in_progress, and goes on by itself when there is room again. The disks are small
ones in memory, which root alone may mount.

Usage: test_disk.py [CLASS[.TEST] …], with the program in FANFARE_BIN or build/fanfare.  The last
line is "N passed, N failed".
"""
import errno
import os
import shutil
import subprocess
import tempfile

from support import Case, cluster, completed, main, make_users, slow_down, start_campaign, until
import pg

USERS = 20000


class Disk:
    """A file system of ${mib} in memory."""

    def __init__(self, case, mib):
        self.folder = tempfile.mkdtemp(prefix="fanfare-disk-")
        case.addCleanup(os.rmdir, self.folder)
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=755", "fanfare-test", self.folder],
                               stderr=subprocess.PIPE, text=True)
        if mount.returncode != 0:
            case.skipTest(f"a tmpfs cannot be mounted here: {mount.stderr.strip()}")
        # What was killed a moment ago may still hold it.
        case.addCleanup(until, "the disk is free",
                        lambda: subprocess.run(["umount", self.folder], stderr=subprocess.DEVNULL).returncode == 0)

    def fill(self, leave=0):
        """Leaves ${leave} bytes of room, or less: others take of it at the same time."""
        with open(os.path.join(self.folder, "ballast"), "ab", buffering=0) as f:
            room = os.statvfs(self.folder)
            try:
                f.write(bytes(max(0, room.f_bavail * room.f_frsize - leave)))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def free(self):
        os.unlink(os.path.join(self.folder, "ballast"))


class Full(Case):
    def campaign_on(self, url, disk, room, back):
        """A campaign, in which the disk runs full; back(): what an operator does besides making
        room."""
        server = self.serve(url, batch_size=200, lease_ms=1000)
        everyone = make_users(server, USERS)
        server.call("POST", "/segments", {"id": "list", "type": "user"})
        slow_down(url, 0.02)
        start_campaign(server, "campaign")
        until("some of it is done", lambda: pg.sql(url, "SELECT COUNT(*) FROM batches WHERE state = 2") != "0")
        disk.fill(leave=room)
        acknowledged, refused = [], 0
        for n in range(20000):
            ident = f"filler-{n:06d}"
            answer = server.ask("POST", "/users", {"users": {ident: {"id": ident, "junk": os.urandom(2000).hex()}}})
            if answer.status == 201:
                acknowledged.append(ident)
                continue
            self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "1"), answer.body)
            refused += 1
            if refused == 50:
                break
        self.assertEqual(refused, 50, "the disk did not run full")
        self.assertRegex(server.log(), "No space left on device|the connection to the database was lost|cannot be reached")
        answer = server.ask("GET", "/campaigns/campaign?limit=1")
        if answer.status == 200:
            self.assertEqual(answer.json["campaign"]["status"], "in_progress")
            self.assertGreater(answer.json["campaign"]["stats"]["pending"], 0)
        disk.free()
        back()
        completed(server, "campaign")
        until("clients are served", lambda: server.ask("POST", "/users", {"users": {"z": {"id": "z"}}}).status == 201)
        server.stop()
        there = set(pg.sql(url, "SELECT id FROM users WHERE id LIKE 'filler-%'").split())
        self.assertEqual(set(acknowledged) - there, set(), "acknowledged, and not there")
        self.audit(url, {"campaign": everyone})

    def test_tables(self):
        """The disk of the tables (a tablespace): statements fail, connections live."""
        disk = Disk(self, 48)
        postgres = cluster()
        self.addCleanup(postgres.stop)
        place = os.path.join(disk.folder, "space")
        os.mkdir(place)
        if os.getuid() == 0:
            shutil.chown(place, "postgres")
        pg.sql(postgres.url, f"CREATE TABLESPACE small LOCATION '{place}'")
        url = postgres.database(options="TABLESPACE small")
        self.campaign_on(url, disk, 1 << 20, lambda: None)

    def test_the_log(self):
        """The disk of all, the write-ahead log with it: PostgreSQL panics, recovers when it can, and
        is started again by its operator when it could not."""
        disk = Disk(self, 160)
        postgres = cluster(conf="min_wal_size = 32MB\nmax_wal_size = 32MB\nwal_recycle = off", folder=disk.folder)
        self.addCleanup(postgres.stop)
        url = postgres.database()

        def back():
            try:
                pg.sql(postgres.url, "SELECT 1")
            except subprocess.CalledProcessError:
                postgres.resume()
        self.campaign_on(url, disk, 1 << 20, back)


if __name__ == "__main__":
    main()
