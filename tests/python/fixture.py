"""fixture – a server for a test class, and what its tests ask again and again."""
import os
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import pg  # noqa: E402
from server import KEY, SECRET, Server  # noqa: E402

BINARY = os.environ.get("FANFARE_BIN", os.path.join(HERE, "../../build/fanfare"))
postgres = pg.Postgres() if os.environ.get("FANFARE_TEST_PG") else None


class ServerCase(unittest.TestCase):
    """A fresh server and a fresh store for each test: the examples use the same ids."""

    settings = {}  # of the server

    def setUp(self):
        if postgres:
            store = postgres.database(os.environ.get("FANFARE_TEST_PG_TEMPLATE", "template0"))
            self.addCleanup(postgres.drop, store)
        else:
            folder = tempfile.TemporaryDirectory(prefix="fanfare-py-")
            self.addCleanup(folder.cleanup)
            store = os.path.join(folder.name, "x.db")
        self.server = Server(BINARY, store, **self.settings)
        self.addCleanup(self.server.stop)
        self.key, self.secret, self.url = KEY, SECRET, self.server.url
        self.server.call("POST", "/users", {"users": {
            "sender": {"id": "sender", "name": "Sam"},
            "ann": {"id": "ann", "name": "Ann", "country": "USA", "team": "commonteam"},
            "bob": {"id": "bob", "name": "Bob", "country": "Italy", "team": "commonteam"},
            "cid": {"id": "cid", "name": "Cid", "country": "USA"}}})

    def campaign(self, campaign_id):
        return self.server.call("GET", "/campaigns/" + campaign_id)["campaign"]

    def ended(self, campaign_id, status="completed"):
        """Waits until the campaign is no longer running; returns it."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            campaign = self.campaign(campaign_id)
            if campaign["status"] not in ("scheduled", "in_progress"):
                self.assertEqual(campaign["status"], status)
                return campaign
        raise AssertionError(f"{campaign_id} is still {campaign['status']}")

    def make_campaign(self, campaign_id="news", **options):
        body = {"id": campaign_id, "sender_id": "sender", "user_ids": ["ann", "bob"], "create_channels": True,
                "channel_template": {"type": "messaging", "id": "{{receiver.id}}-{{sender.id}}"},
                "message_template": {"text": "Hello {{receiver.name}}!"}}
        return self.server.call("POST", "/campaigns", {**body, **options})["campaign"]

    def texts(self, user):
        """The texts of all messages in the user's channels."""
        channels = self.server.call("POST", "/channels", {
            "filter_conditions": {"members": {"$in": [user]}}, "state": True, "user_id": user})["channels"]
        return [m["text"] for channel in channels for m in channel["messages"]]
