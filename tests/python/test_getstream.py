"""The package getstream (dialect v2): the Python examples of the Campaign documentation as printed there, in its
order, with ids and dates filled in; and creating campaigns and segments, which the package has beyond them."""
import datetime
import unittest

from getstream import Stream
from getstream.base import StreamAPIException
from getstream.models import (CampaignChannelTemplate, CampaignMessageTemplate, ChannelInput, ChannelMemberRequest,
                              MessageRequest, SortParamRequest, UserRequest)

from fixture import ServerCase

UTC = datetime.timezone.utc


class GetstreamCase(ServerCase):
    def setUp(self):
        super().setUp()
        self.client = Stream(api_key=self.key, api_secret=self.secret, base_url=self.url)

    def refused(self, code, call, *args, **kwargs):
        with self.assertRaises(StreamAPIException) as caught:
            call(*args, **kwargs)
        self.assertEqual(caught.exception.api_error.code, code)
        return caught.exception.api_error


class DocumentationExamples(GetstreamCase):
    """One test per section of the documentation."""

    def test_sending_a_campaign(self):
        client = self.client
        self.make_campaign("campaign-id")
        self.make_campaign("second-id")

        # Query campaigns
        response = client.chat.query_campaigns()
        self.assertEqual({c.id for c in response.data.campaigns}, {"campaign-id", "second-id"})

        # Get a specific campaign
        response = client.chat.get_campaign(id="campaign-id")
        self.assertEqual(response.data.campaign.status, "draft")

        # Start sending messages to targeted users
        client.chat.start_campaign(id="campaign-id")
        self.assertEqual(self.ended("campaign-id")["stats"]["messages_sent"], 2)
        self.assertEqual(self.texts("ann"), ["Hello Ann!"])

        # Alternatively you can also schedule the campaign to start at a later time and stop at a specific time
        client.chat.start_campaign(
            id="second-id",
            scheduled_for=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=48),
            stop_at=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=72),
        )
        campaign = client.chat.get_campaign(id="second-id").data.campaign
        self.assertEqual(campaign.status, "scheduled")
        self.assertAlmostEqual((campaign.stop_at - campaign.scheduled_for).total_seconds(), 24 * 3600, delta=5)
        # A campaign is sent once.
        self.refused(4, client.chat.start_campaign, id="campaign-id")

    def test_methods(self):
        client = self.client
        self.server.call("POST", "/segments", {"id": "segment-id", "type": "user", "all_users": True})
        self.make_campaign("campaign-id", user_ids=None, segment_ids=["segment-id"])
        self.make_campaign("other-id")

        # Get a campaign
        response = client.chat.get_campaign(id="campaign-id")
        self.assertEqual(response.data.campaign.segment_ids, ["segment-id"])
        self.assertEqual(response.data.campaign.segments[0].id, "segment-id")

        # Or schedule a campaign to start at a later time
        client.chat.start_campaign(
            id="campaign-id",
            # start campaign in 48 hours
            scheduled_for=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=48),
            # automatically stop the campaign after 72 hours
            stop_at=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=72),
        )

        # Stop a campaign
        stopped = client.chat.stop_campaign(id="campaign-id")
        self.assertEqual((stopped.data.id, stopped.data.status), ("campaign-id", "stopped"))

        # Query campaigns
        result = client.chat.query_campaigns(
            filter={"segments": {"$in": ["segment-id"]}},
            sort=[SortParamRequest(field="created_at", direction=-1)],
            limit=25,
        )
        # result.data.campaigns is a list of campaigns
        # result.data.next is a cursor for the next page of results
        self.assertEqual([c.id for c in result.data.campaigns], ["campaign-id"])
        self.assertIsNone(result.data.next)

    def test_querying_campaigns(self):
        client = self.client
        for i in range(12):
            self.make_campaign(f"c{i:02d}")
            later = datetime.datetime.now(UTC) + datetime.timedelta(hours=1)
            client.chat.start_campaign(id=f"c{i:02d}", scheduled_for=later)
        self.make_campaign("draft")

        # Query campaigns which are scheduled or in progress
        filter_options = {"status": {"$in": ["scheduled", "in_progress"]}}
        sort = [SortParamRequest(field="created_at", direction=-1)]

        # query first page
        page1 = client.chat.query_campaigns(filter=filter_options, sort=sort, limit=10)

        # query next page
        page2 = client.chat.query_campaigns(filter=filter_options, sort=sort, limit=10, next=page1.data.next)
        self.assertEqual([c.id for c in page1.data.campaigns], [f"c{i:02d}" for i in range(11, 1, -1)])
        self.assertEqual([c.id for c in page2.data.campaigns], ["c01", "c00"])
        self.assertIsNone(page2.data.next)

        filter_status = {"status": {"$in": ["scheduled", "in_progress"]}}
        filter_id = {"id": {"$in": ["c01", "draft"]}}
        filter_by_segments = {"segments": {"$in": ["segment_id_1", "segment_id_2"]}}
        filter_by_name = {"name": {"$in": ["campaign_name_1", "campaign_name_2"]}}
        filter_by_sender = {"sender_id": {"$in": ["sender", "sender_2"]}}
        filter_by_created = {"created_at": {"$gte": "2021-01-01T00:00:00Z"}}
        filter_by_updated = {"updated_at": {"$gte": "2021-01-01T00:00:00Z"}}
        for filter, count in ((filter_status, 12), (filter_id, 2), (filter_by_segments, 0), (filter_by_name, 0),
                              (filter_by_sender, 13), (filter_by_created, 13), (filter_by_updated, 13)):
            found = client.chat.query_campaigns(filter=filter, limit=100).data.campaigns
            self.assertEqual(len(found), count, filter)

    def test_paginating_campaign_users(self):
        client = self.client
        # Let's say you have a campaign with 2000 users
        self.server.call("POST", "/users/import", "\n".join('{"id":"u%04d"}' % i for i in range(2000)).encode())
        self.make_campaign("campaign-id", user_ids=[f"u{i:04d}" for i in range(2000)])

        # Fetch campaign with the first 1000 users
        res1 = client.chat.get_campaign(id="campaign-id", limit=1000)
        first_page_users = res1.data.campaign.users

        # Fetch campaign with the next 1000 users.  Printed is "res1.data.next", which the package's model of the
        # answer does not have, whatever a server sends; its own place is "users".
        res2 = client.chat.get_campaign(
            id="campaign-id",
            limit=1000,
            next=res1.data.users.next,
            # or use prev to get previous page
            # prev=res1.data.prev,
        )
        second_page_users = res2.data.campaign.users
        self.assertEqual([u.id for u in first_page_users], [f"u{i:04d}" for i in range(1000)])
        self.assertEqual([u.id for u in second_page_users], [f"u{i:04d}" for i in range(1000, 2000)])
        self.assertIsNone(res2.data.users.next)
        back = client.chat.get_campaign(id="campaign-id", limit=1000, prev=res2.data.users.prev)
        self.assertEqual([u.id for u in back.data.campaign.users], [u.id for u in first_page_users])

    def test_user_segments(self):
        client = self.client
        self.server.call("POST", "/segments", {"id": "by-filter", "type": "user", "filter": {"team": "commonteam"},
                                               "name": "segment_name", "description": "segment_description"})

        # Get a segment
        response = client.chat.get_segment(id="by-filter")
        self.assertEqual((response.data.segment.name, response.data.segment.filter),
                         ("segment_name", {"team": "commonteam"}))

        # Query segments
        response = client.chat.query_segments(filter={"type": "user"})
        self.assertEqual([s.id for s in response.data.segments], ["by-filter"])

        # Delete a segment
        client.chat.delete_segment(id="by-filter")
        self.refused(16, client.chat.get_segment, id="by-filter")

        segment_id = "segment_id"
        user_id, user_ids = "ann", ["bob", "cid"]
        self.server.call("POST", "/segments", {"id": segment_id, "type": "user"})
        self.server.call("POST", "/segments/segment_id/addtargets", {"target_ids": ["ann", "bob", "cid", "nobody"]})

        # Get a segment
        self.assertEqual(client.chat.get_segment(id=segment_id).data.segment.size, 4)

        # Remove targets from a segment
        client.chat.delete_segment_targets(id=segment_id, target_ids=user_ids)

        # Check if target exists in the segment
        client.chat.segment_target_exists(id=segment_id, target_id=user_id)
        self.refused(16, client.chat.segment_target_exists, id=segment_id, target_id="bob")

        # Query targets in the segment
        targets = client.chat.query_segment_targets(
            id=segment_id,
            filter={"target_id": {"$gte": "ann"}},
            sort=[SortParamRequest(field="target_id", direction=-1)],
            limit=10000,
        )
        self.assertEqual([t.target_id for t in targets.data.targets], ["nobody", "ann"])
        page1 = client.chat.query_segment_targets(id=segment_id, limit=1)
        page2 = client.chat.query_segment_targets(id=segment_id, limit=1, next=page1.data.next)  # or prev
        self.assertEqual([t.target_id for t in page1.data.targets + page2.data.targets], ["ann", "nobody"])

        # Delete the segment
        client.chat.delete_segment(id=segment_id)

    def test_channel_segments(self):
        client = self.client
        channel_cids, channel_cid = ["messaging:two", "messaging:three"], "messaging:one"
        self.server.call("POST", "/segments", {"id": "segmentId", "type": "channel", "name": "segment_name"})
        self.server.call("POST", "/segments/segmentId/addtargets", {"target_ids": channel_cids + [channel_cid]})

        segment_id = "segmentId"

        # Get a segment
        self.assertEqual(client.chat.get_segment(id=segment_id).data.segment.size, 3)

        # Remove targets from a segment
        client.chat.delete_segment_targets(id=segment_id, target_ids=channel_cids)

        # Check if target exists in the segment
        client.chat.segment_target_exists(id=segment_id, target_id=channel_cid)
        self.refused(16, client.chat.segment_target_exists, id=segment_id, target_id="messaging:two")

        # Delete the segment
        client.chat.delete_segment(id=segment_id)
        self.refused(16, client.chat.get_segment, id=segment_id)

    def test_a_campaign_to_channels(self):
        client = self.client
        for member in ("ann", "bob"):
            self.server.call("POST", f"/channels/messaging/{member}-room/query", {"data": {
                "created_by_id": "sender", "members": [member, "sender"], "name": member}})
        segment = client.chat.create_segment("channel", id="mine", name="All my existing chats",
                                             all_sender_channels=True).data.segment
        self.assertEqual((segment.type, segment.all_sender_channels, segment.size), ("channel", True, 0))
        self.server.call("POST", "/campaigns", {"id": "campaign-id", "sender_id": "sender", "segment_ids": ["mine"],
                                                "message_template": {"text": "Hi {{ channel.name }}"}})
        client.chat.start_campaign(id="campaign-id")
        self.assertEqual(self.ended("campaign-id")["stats"]["messages_sent"], 2)
        self.assertEqual(self.texts("ann"), ["Hi ann"])

    def test_full_example(self):
        client = self.client
        self.server.call("POST", "/segments", {"id": "usa", "type": "user", "name": "People in the USA",
                                               "filter": {"country": "USA"}})
        for campaign_id in ("campaign-id", "printed-dates", "future-dates"):
            self.make_campaign(campaign_id, user_ids=None, segment_ids=["usa"], name="Campaign name (optional)",
                               description="Optional description",
                               message_template={"text": "Hi {{ receiver.name }} I'm {{ sender.name }}!"})

        # Start the campaign immediately
        client.chat.start_campaign(id="campaign-id")

        # The dates as printed lie in the past: a stop_at that has passed is refused.
        self.refused(4, client.chat.start_campaign,
                     id="printed-dates",
                     scheduled_for=datetime.datetime(2021, 12, 31, 23, 59, 59, tzinfo=datetime.timezone.utc),
                     stop_at=datetime.datetime(2022, 1, 1, 23, 59, 59, tzinfo=datetime.timezone.utc))
        client.chat.start_campaign(
            id="future-dates",
            scheduled_for=datetime.datetime(2121, 12, 31, 23, 59, 59, tzinfo=datetime.timezone.utc),
            stop_at=datetime.datetime(2122, 1, 1, 23, 59, 59, tzinfo=datetime.timezone.utc),
        )
        # The package computes with floating point numbers.
        apart = (client.chat.get_campaign(id="future-dates").data.campaign.scheduled_for
                 - datetime.datetime(2121, 12, 31, 23, 59, 59, tzinfo=UTC))
        self.assertLess(abs(apart.total_seconds()), 0.001)

        self.ended("campaign-id")
        res = client.chat.get_campaign(id="campaign-id")
        self.assertEqual(res.data.campaign.status, "completed")
        # The names printed (started_at, messages_sent …) are on the wire; the package's model has these:
        stats = res.data.campaign.stats
        self.assertEqual((stats.progress, stats.stats_messages_sent, stats.stats_channels_created,
                          stats.stats_users_sent, stats.stats_users_read), (1, 2, 2, 2, 0))
        self.assertGreaterEqual(stats.stats_completed_at, stats.stats_started_at)
        raw = self.campaign("campaign-id")["stats"]
        self.assertEqual([raw[k] for k in ("messages_sent", "channels_created", "stats_progress", "stats_users_sent",
                                           "stats_users_read")], [2, 2, 1, 2, 0])
        self.assertEqual(self.texts("ann"), ["Hi Ann I'm Sam!"])

    def test_updating_a_large_segment(self):
        client = self.client
        for i in range(31):
            self.server.call("POST", "/segments", {"id": f"s{i:02d}", "type": "user", "name": "many"})
        response = client.chat.query_segments(
            filter={"name": "many"},
            sort=[SortParamRequest(field="created_at", direction=-1)],
            limit=30,
        )
        rest = client.chat.query_segments(
            filter={"name": "many"},
            sort=[SortParamRequest(field="created_at", direction=-1)],
            limit=30,
            next=response.data.next,
        )
        self.assertEqual([s.id for s in response.data.segments + rest.data.segments],
                         [f"s{i:02d}" for i in range(30, -1, -1)])


class BeyondTheExamples(GetstreamCase):
    """What the documentation calls not yet available, the package has."""

    def test_a_campaign_from_nothing(self):
        client, chat = self.client, self.client.chat
        client.upsert_users(UserRequest(id="dan", name="Dan", custom={"country": "Peru"}))
        segment = chat.create_segment("user", id="peru", name="Peru", filter={"country": "Peru"}).data.segment
        self.assertEqual((segment.id, segment.type, segment.all_users), ("peru", "user", False))
        campaign = chat.create_campaign(
            sender_id="sender", segment_ids=["peru"], name="n", create_channels=True, sender_mode="include",
            message_template=CampaignMessageTemplate(text="Hola {{ receiver.name }}", poll_id="", searchable=True,
                                                     attachments=[], custom={"promo": True}),
            channel_template=CampaignChannelTemplate(type="messaging", id="{{receiver.id}}-news", custom={"k": 1}),
        ).data.campaign
        self.assertTrue(campaign.id)
        updated = chat.update_campaign(
            id=campaign.id, sender_id="sender", name="other", segment_ids=["peru"], create_channels=True,
            message_template=CampaignMessageTemplate(text="Hola, {{ receiver.name }}!", poll_id="", searchable=False,
                                                     attachments=[], custom={"promo": True}),
            channel_template=CampaignChannelTemplate(type="messaging", id="{{receiver.id}}-news", custom={"k": 1}),
        ).data
        self.assertEqual((updated.id, updated.name), (campaign.id, "other"))
        chat.start_campaign(id=campaign.id)
        self.ended(campaign.id)
        state = chat.get_or_create_channel("messaging", "dan-news", state=True,
                                           data=ChannelInput(created_by_id="sender")).data
        self.assertEqual(state.channel.custom["k"], 1)
        message = state.messages[0]
        self.assertEqual((message.text, message.user.id, message.type), ("Hola, Dan!", "sender", "regular"))
        self.assertEqual((message.custom["promo"], message.custom["campaign_id"]), (True, campaign.id))
        chat.delete_campaign(id=campaign.id)
        self.refused(16, chat.get_campaign, id=campaign.id)

    def test_targets(self):
        chat = self.client.chat
        chat.create_segment("user", id="list")
        chat.add_segment_targets(id="list", target_ids=[f"t{i:05d}" for i in range(10000)])
        error = self.refused(4, chat.add_segment_targets, id="list", target_ids=["x"] * 10001)
        self.assertIn("target_ids", error.message)
        chat.update_segment(id="list", description="ten thousand")
        segment = chat.get_segment(id="list").data.segment
        self.assertEqual((segment.size, segment.description), (10000, "ten thousand"))

    def test_channels_and_messages(self):
        chat = self.client.chat
        chat.get_or_create_channel("messaging", "talk", data=ChannelInput(
            created_by_id="ann", members=[ChannelMemberRequest(user_id="ann"), ChannelMemberRequest(user_id="bob")]))
        sent = chat.send_message("messaging", "talk", message=MessageRequest(text="hi", user_id="ann")).data.message
        self.assertEqual(chat.get_message(id=sent.id).data.message.text, "hi")
        found = chat.query_channels(filter_conditions={"members": {"$in": ["bob"]}}).data.channels
        self.assertEqual([c.channel.cid for c in found], ["messaging:talk"])
        chat.mark_read("messaging", "talk", user_id="bob")

    def test_errors(self):
        chat = self.client.chat
        self.refused(16, chat.get_campaign, id="nothing")
        self.refused(16, chat.start_campaign, id="nothing")
        self.refused(4, chat.create_segment, "group")
        self.refused(4, chat.query_campaigns, filter={"colour": "red"})
        self.refused(4, chat.query_campaigns, next="tampered")
        wrong = Stream(api_key=self.key, api_secret="x" * 32, base_url=self.url)
        self.refused(43, wrong.chat.query_campaigns)


if __name__ == "__main__":
    unittest.main()
