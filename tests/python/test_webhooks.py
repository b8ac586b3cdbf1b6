"""Webhooks as the package getstream reads them: signatures by its own check, every event into its own class, which
takes times as integers of nanoseconds alone (payload_dialect v2)."""
import http.server
import threading
import time

from getstream.models import (CampaignCompletedEvent, CampaignStartedEvent, ChannelCreatedEvent, ChannelDeletedEvent,
                              ChannelHiddenEvent, ChannelTruncatedEvent, ChannelUpdatedEvent, ChannelVisibleEvent,
                              MemberAddedEvent, MemberRemovedEvent, MemberUpdatedEvent, MessageDeletedEvent,
                              MessageNewEvent, MessageReadEvent, MessageUpdatedEvent, NotificationMarkUnreadEvent,
                              UserDeactivatedEvent, UserDeletedEvent, UserReactivatedEvent, UserUpdatedEvent)
from getstream.webhook import InvalidWebhookError, verify_and_parse_webhook

from fixture import ServerCase

ALL = [CampaignCompletedEvent, CampaignStartedEvent, ChannelCreatedEvent, ChannelDeletedEvent, ChannelHiddenEvent,
       ChannelTruncatedEvent, ChannelUpdatedEvent, ChannelVisibleEvent, MemberAddedEvent, MemberRemovedEvent,
       MemberUpdatedEvent, MessageDeletedEvent, MessageNewEvent, MessageReadEvent, MessageUpdatedEvent,
       NotificationMarkUnreadEvent, UserDeactivatedEvent, UserDeletedEvent, UserReactivatedEvent, UserUpdatedEvent]


class Endpoint:
    """Takes what is posted to it."""

    def __init__(self):
        taken = self.taken = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                taken.append((body, self.headers["X-Signature"]))

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()


class Webhooks(ServerCase):
    settings = {"webhook_allow": "127.0.0.0/8", "webhook_dialect": "v2"}

    def setUp(self):
        super().setUp()
        self.endpoint = Endpoint()
        self.addCleanup(self.endpoint.stop)
        self.call("PATCH", "/app", {"event_hooks": [{"webhook_url": self.endpoint.url}]})

    def call(self, method, path, body=None):
        return self.server.call(method, path, body or {})

    def events(self, wanted):
        """Everything that came, once there is one of each class that is wanted."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            events = [verify_and_parse_webhook(body, signature, self.secret)
                      for body, signature in list(self.endpoint.taken)]
            if {type(e) for e in events} >= set(wanted):
                return events
            time.sleep(0.05)
        self.fail(f"not told: {set(wanted) - {type(e) for e in events}}")

    def do_everything(self):
        channel = "/channels/messaging/x"
        self.call("POST", channel + "/query", {"data": {"created_by_id": "ann", "members": ["ann", "bob"], "colour": "red"}})
        for i in ("m1", "m2"):
            self.call("POST", channel + "/message", {"message": {"id": i, "text": "Hi", "user_id": "ann", "mood": 1}})
        self.call("POST", channel + "/read", {"user_id": "bob"})
        self.call("POST", channel + "/unread", {"user_id": "bob", "message_id": "m1"})
        self.call("POST", "/messages/m2", {"message": {"id": "m2", "text": "Ho", "user_id": "ann"}})
        self.events([MessageNewEvent, MessageReadEvent, MessageUpdatedEvent])
        self.call("DELETE", "/messages/m2")
        self.call("POST", channel, {"add_members": ["cid"]})
        self.call("POST", channel, {"add_moderators": ["cid"]})
        self.call("POST", channel, {"remove_members": ["cid"]})
        self.call("POST", channel, {"data": {"colour": "blue"}})
        self.call("POST", channel + "/hide", {"user_id": "bob"})
        self.call("POST", channel + "/show", {"user_id": "bob"})
        self.call("POST", channel + "/truncate")
        self.events([ChannelTruncatedEvent, ChannelHiddenEvent, ChannelVisibleEvent, ChannelUpdatedEvent,
                     MemberAddedEvent, MemberRemovedEvent])
        self.call("DELETE", channel)
        self.call("POST", "/users", {"users": {"cid": {"id": "cid", "name": "Cyd", "hat": "blue"}}})
        self.call("POST", "/users/cid/deactivate")
        self.call("POST", "/users/cid/reactivate")
        self.call("DELETE", "/users/cid")
        self.make_campaign()
        self.call("POST", "/campaigns/news/start")

    def test_every_event_has_its_class(self):
        self.do_everything()
        events = {type(e): e for e in self.events(ALL)}
        sent = events[MessageNewEvent]
        self.assertEqual(sent.user.id, "sender")
        self.assertEqual(sent.message.custom["campaign_id"], "news")
        self.assertLess(abs(sent.created_at.timestamp() - time.time()), 600)
        done = events[CampaignCompletedEvent].campaign
        self.assertEqual((done.id, done.status, done.stats.stats_messages_sent), ("news", "completed", 2))
        self.assertEqual(events[CampaignStartedEvent].campaign.status, "in_progress")
        self.assertIs(events[UserDeletedEvent].hard_delete, False)
        self.assertEqual(events[UserDeletedEvent].delete_user, "soft")
        self.assertEqual(events[NotificationMarkUnreadEvent].first_unread_message_id, "m1")
        self.assertEqual(events[ChannelDeletedEvent].channel.cid, "messaging:x")

    def test_what_was_changed_on_the_way_is_refused(self):
        self.make_campaign()
        self.call("POST", "/campaigns/news/start")
        self.events([CampaignCompletedEvent])
        body, signature = self.endpoint.taken[0]
        with self.assertRaises(InvalidWebhookError):
            verify_and_parse_webhook(body + b" ", signature, self.secret)
        with self.assertRaises(InvalidWebhookError):
            verify_and_parse_webhook(body, signature, self.secret + "x")
