"""The older package stream-chat (dialect v1): segments, campaigns and the channels they lead to."""
import datetime
import unittest

from stream_chat import StreamChat
from stream_chat.base.exceptions import StreamAPIException
from stream_chat.types.base import SortOrder
from stream_chat.types.segment import SegmentType

from fixture import ServerCase


class StreamChatCase(ServerCase):
    def setUp(self):
        super().setUp()
        self.client = StreamChat(self.key, self.secret, base_url=self.url)

    def refused(self, code, call, *args, **kwargs):
        with self.assertRaises(StreamAPIException) as caught:
            call(*args, **kwargs)
        self.assertEqual(caught.exception.error_code, code)

    def test_segment_life(self):
        segment = self.client.segment(SegmentType.USER, data={"name": "list", "description": "d"})
        segment.create()
        self.assertTrue(segment.segment_id)
        self.assertEqual(segment.get()["segment"]["name"], "list")
        segment.update({"name": "renamed"})
        segment.add_targets(["ann", "bob", "nobody"])
        segment.target_exists("nobody")
        segment.remove_targets(["nobody", "never-there"])
        self.refused(16, segment.target_exists, "nobody")
        found = segment.query_targets(filter_conditions={"target_id": {"$gte": "a"}},
                                      sort=[{"field": "target_id", "direction": SortOrder.DESC}],
                                      options={"limit": 10})
        self.assertEqual([t["target_id"] for t in found["targets"]], ["bob", "ann"])
        listed = self.client.query_segments({"name": {"$eq": "renamed"}})
        self.assertEqual([s["id"] for s in listed["segments"]], [segment.segment_id])
        segment.delete()
        self.refused(16, segment.get)

    def test_campaign_life(self):
        segment = self.client.segment(SegmentType.USER, "usa", {"filter": {"country": "USA"}})
        segment.create()
        data = {"message_template": {"text": "Hi {{ receiver.name }}"}, "segment_ids": ["usa"], "sender_id": "sender",
                "name": "some name", "create_channels": True,
                "channel_template": {"type": "messaging", "id": "{{receiver.id}}-{{sender.id}}"}}
        campaign = self.client.campaign(data=data)
        self.assertEqual(campaign.create()["campaign"]["status"], "draft")
        campaign.update({**data, "name": "updated name"})
        self.assertEqual(campaign.get()["campaign"]["name"], "updated name")
        found = self.client.query_campaigns({"id": {"$eq": campaign.campaign_id}},
                                            [{"field": "created_at", "direction": SortOrder.DESC}], {"limit": 10})
        self.assertEqual([c["name"] for c in found["campaigns"]], ["updated name"])
        campaign.start()
        self.assertEqual(self.ended(campaign.campaign_id)["stats"]["messages_sent"], 2)
        self.assertEqual(self.texts("cid"), ["Hi Cid"])
        campaign.delete()
        self.refused(16, campaign.get)

    def test_scheduling(self):
        campaign = self.client.campaign(data={"message_template": {"text": "x"}, "user_ids": ["ann"],
                                              "sender_id": "sender"})
        campaign.create()
        start = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        answer = campaign.start(scheduled_for=start, stop_at=start + datetime.timedelta(hours=1))
        self.assertEqual(answer["campaign"]["status"], "scheduled")
        self.assertTrue(answer["campaign"]["scheduled_for"])
        self.assertEqual(campaign.stop()["campaign"]["status"], "stopped")
        self.refused(4, campaign.start)
        campaign.delete()

    def test_reading(self):
        self.make_campaign("news")
        self.client.start_campaign("news")
        self.ended("news")
        channel = self.client.channel("messaging", "ann-sender")
        state = channel.query(messages={"limit": 5})
        self.assertEqual([m["text"] for m in state["messages"]], ["Hello Ann!"])
        channel.mark_read("ann")
        self.assertEqual(self.campaign("news")["stats"]["stats_users_read"], 1)
        found = self.client.query_channels({"members": {"$in": ["ann"]}}, {"last_message_at": -1})
        self.assertEqual([c["channel"]["cid"] for c in found["channels"]], ["messaging:ann-sender"])
        users = self.client.query_users({"country": "USA"}, {"id": 1})
        self.assertEqual([u["id"] for u in users["users"]], ["ann", "cid"])


if __name__ == "__main__":
    unittest.main()
