/* live – what stock clients hear over their sockets: api.md §7.6, §7.7. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertAllRefused, assertError, assertOk, call, rawClient, userToken }
	from './lib/clients.mjs';
import { getCampaign, ids, inbox, makeUsers, send, startServer } from './lib/fixtures.mjs';
import { Ear } from './lib/live.mjs';
import { ON_PG, Server } from './lib/server.mjs';
import { until } from './lib/wait.mjs';

let server, api, js;
const ears = [];
before(async () => {
	({ server, api, js } = await startServer(['ann', 'bob', 'carl', 'dora']));
});
after(async () => {
	await Promise.all(ears.map((ear) => ear.close()));
	await server.close();
});

const ear = async (id, at = server) => {
	const made = await Ear.of(at, id);
	ears.push(made);
	return made;
};
const make = (id, members, more = {}) => js.channel('messaging', id,
	{ members, created_by_id: members[0], ...more }).create();
const say = (id, user_id, text = 'Hi', more = {}) =>
	js.channel('messaging', id).sendMessage({ text, user_id }, more);
const watching = async (who, id) => {
	const channel = who.client.channel('messaging', id);
	await channel.watch();
	return channel;
};

describe('messages', () => {
	test('to who watches, and to members who do not', async () => {
		await make('m1', ['ann', 'bob', 'carl']);
		const [bob, carl, dora] = [await ear('bob'), await ear('carl'), await ear('dora')];
		const channel = await watching(bob, 'm1');
		const { message } = await say('m1', 'ann', 'Hi', { skip_push: true });
		const event = await bob.hears('message.new');
		assert.equal(event.message.id, message.id);
		assert.equal(event.user.id, 'ann');
		assert.equal(event.watcher_count, 1);
		assert.equal(channel.state.messages.at(-1).text, 'Hi');
		assert.equal(channel.countUnread(), 1);
		const note = await carl.hears('notification.message_new');
		assert.equal(note.channel.cid, 'messaging:m1');
		assert.equal(note.message.id, message.id);
		assert.deepEqual(note.channel.members.map(({ user }) => user.id).sort(), ['ann', 'bob', 'carl']);
		assert.deepEqual([note.total_unread_count, note.unread_count, note.unread_channels], [1, 1, 1]);
		assert.equal(carl.client.configs['messaging:m1'].name, 'messaging');
		/* What each client makes of a change. */
		await js.updateMessage({ id: message.id, text: 'Ho', user_id: 'ann' });
		assert.equal((await bob.hears('message.updated')).message.text, 'Ho');
		assert.equal(channel.state.messages.at(-1).text, 'Ho');
		await js.deleteMessage(message.id);
		assert.equal((await bob.hears('message.deleted')).hard_delete, false);
		assert.equal(channel.state.messages.at(-1).type, 'deleted');
		await js.deleteMessage(message.id, true);
		assert.equal((await bob.hears('message.deleted')).hard_delete, true);
		assert.deepEqual(channel.state.messages, []);
		assert.equal(dora.heard.length, 0);
	});
	test('a client that sends hears itself once', async () => {
		await make('m2', ['ann', 'bob']);
		const bob = await ear('bob');
		const channel = await watching(bob, 'm2');
		await channel.sendMessage({ text: 'mine' });
		assert.equal((await bob.hears('message.new')).message.user.id, 'bob');
		await channel.sendMessage({ text: 'again' });
		assert.equal((await bob.hears('message.new')).message.text, 'again');
		assert.equal(channel.countUnread(), 0);
		assert.equal(channel.state.messages.length, 2);
	});
	test('who stops watching is told as a member', async () => {
		await make('m3', ['ann', 'bob']);
		const bob = await ear('bob');
		const channel = await watching(bob, 'm3');
		await say('m3', 'ann');
		await bob.hears('message.new');
		await channel.stopWatching();
		await say('m3', 'ann');
		await bob.hears('notification.message_new');
	});
	test('in the order in which they were sent, each once', async () => {
		await make('m4', ['ann', 'bob']);
		const bob = await ear('bob');
		await watching(bob, 'm4');
		for (let i = 0; i < 100; i++)
			await say('m4', 'ann', String(i));
		for (let i = 0; i < 100; i++)
			assert.equal((await bob.hears('message.new')).message.text, String(i));
	});
});

describe('reading', () => {
	test('is told to who watches and to all connections of the reader', async () => {
		await make('r1', ['ann', 'bob']);
		const [ann, bob, other] = [await ear('ann'), await ear('bob'), await ear('bob')];
		const theirs = await watching(ann, 'r1');
		const mine = await watching(bob, 'r1');
		const { message } = await say('r1', 'ann');
		await bob.hears('message.new');
		await ann.hears('message.new');
		await other.hears('notification.message_new');
		await mine.markRead();
		const event = await ann.hears('message.read');
		assert.deepEqual([event.user.id, event.last_read_message_id], ['bob', message.id]);
		assert.equal(theirs.state.read.bob.last_read_message_id, message.id);
		await bob.hears('message.read');
		for (const who of [bob, other]) {
			const note = await who.hears('notification.mark_read');
			assert.equal(note.channel.cid, 'messaging:r1');
			assert.ok(note.unread_channels >= 0 && note.total_unread_count >= 0);
		}
		assert.equal(mine.countUnread(), 0);
		await mine.markUnread({ message_id: message.id });
		const back = await other.hears('notification.mark_unread');
		assert.deepEqual([back.first_unread_message_id, back.unread_messages], [message.id, 1]);
		await until('his state follows', () => mine.state.read.bob.unread_messages === 1);
	});
});

describe('polls', () => {
	test('votes are told to who watches the channel of the message', async () => {
		await make('v1', ['ann', 'bob']);
		const [ann, bob] = [await ear('ann'), await ear('bob')];
		await watching(ann, 'v1');
		const { poll } = await js.createPoll({ name: 'Lunch?', user_id: 'ann', allow_answers: true,
			enforce_unique_vote: true, options: [{ text: 'yes' }, { text: 'no' }] });
		const [yes, no] = poll.options.map(({ id }) => id);
		const { message } = await js.channel('messaging', 'v1').sendMessage(
			{ poll_id: poll.id, user_id: 'ann' });
		await ann.hears('message.new');
		await bob.hears('notification.message_new');
		bob.client.polls.registerSubscriptions();
		await watching(bob, 'v1');
		const known = bob.client.polls.fromState(poll.id);
		const { vote } = await known.castVote(yes, message.id);
		for (const who of [ann, bob]) {
			const event = await who.hears('poll.vote_casted');
			assert.deepEqual([event.cid, event.message_id, event.poll.vote_count,
				event.poll_vote.id, event.poll_vote.option_id, event.poll_vote.user_id, event.poll.own_votes],
			['messaging:v1', message.id, 1, vote.id, yes, 'bob', []]);
		}
		assert.equal(known.data.vote_counts_by_option[yes], 1);
		assert.ok(known.data.ownVotesByOptionId[yes]);
		/* The same again is no news. */
		await bob.client.castPollVote(message.id, poll.id, { option_id: yes });
		await bob.client.castPollVote(message.id, poll.id, { option_id: no });
		assert.deepEqual((await ann.hears('poll.vote_changed')).poll.vote_counts_by_option, { [no]: 1 });
		await bob.hears('poll.vote_changed');
		assert.deepEqual(Object.keys(known.data.ownVotesByOptionId), [no]);
		await known.addAnswer('Perhaps', message.id);
		assert.equal((await ann.hears('poll.vote_casted')).poll_vote.answer_text, 'Perhaps');
		await bob.hears('poll.vote_casted');
		assert.equal(known.data.ownAnswer.answer_text, 'Perhaps');
		for (const mine of [known.data.ownVotesByOptionId[no], known.data.ownAnswer]) {
			await known.removeVote(mine.id, message.id);
			const event = await ann.hears('poll.vote_removed');
			assert.deepEqual([event.poll_vote.id, event.poll_vote.option_id, event.poll_vote.answer_text],
				[mine.id, mine.option_id, mine.answer_text]);
			await bob.hears('poll.vote_removed');
		}
		assert.deepEqual([known.data.vote_count, known.data.ownVotesByOptionId, known.data.ownAnswer],
			[0, {}, undefined]);
	});
	test('of anonymous polls without a name', async () => {
		await make('v2', ['ann', 'bob']);
		const ann = await ear('ann');
		await watching(ann, 'v2');
		const { poll } = await js.createPoll({ name: 'Secret', user_id: 'ann',
			voting_visibility: 'anonymous', options: [{ text: 'yes' }] });
		const { message } = await js.channel('messaging', 'v2').sendMessage(
			{ poll_id: poll.id, user_id: 'ann' });
		await ann.hears('message.new');
		await js.castPollVote(message.id, poll.id, { option_id: poll.options[0].id }, 'bob');
		const event = await ann.hears('poll.vote_casted');
		assert.equal(event.poll.vote_count, 1);
		assert.doesNotMatch(JSON.stringify(event), /bob/);
	});
});

describe('channels', () => {
	test('hide, show, change, cut off, delete', async () => {
		await make('c1', ['ann', 'bob', 'carl']);
		const [bob, carl] = [await ear('bob'), await ear('carl')];
		const channel = await watching(bob, 'c1');
		await channel.hide();
		await bob.hears('channel.hidden');
		assert.equal(channel.data.hidden, true);
		await channel.show();
		await bob.hears('channel.visible');
		assert.equal(channel.data.hidden, false);
		await js.channel('messaging', 'c1').updatePartial({ set: { colour: 'red' } });
		assert.equal((await bob.hears('channel.updated')).channel.colour, 'red');
		assert.equal(channel.data.colour, 'red');
		assert.equal(channel.data.hidden, false); /* what is told to all does not say */
		await say('c1', 'ann');
		await bob.hears('message.new');
		await carl.hears('notification.message_new');
		await js.channel('messaging', 'c1').truncate();
		assert.ok((await bob.hears('channel.truncated')).channel.truncated_at);
		assert.deepEqual(channel.state.messages, []);
		await carl.hears('notification.channel_truncated');
		await js.channel('messaging', 'c1').delete();
		assert.ok((await bob.hears('channel.deleted')).channel.deleted_at);
		await carl.hears('notification.channel_deleted');
	});
	test('members come, change and go', async () => {
		await make('c2', ['ann', 'bob']);
		const [bob, carl] = [await ear('bob'), await ear('carl')];
		const channel = await watching(bob, 'c2');
		await js.channel('messaging', 'c2').addMembers(['carl']);
		assert.equal((await bob.hears('member.added')).member.user_id, 'carl');
		assert.ok(channel.state.members.carl);
		const added = await carl.hears('notification.added_to_channel');
		assert.deepEqual([added.member.user_id, added.channel.cid], ['carl', 'messaging:c2']);
		await js.channel('messaging', 'c2').addModerators(['carl']);
		assert.equal((await bob.hears('member.updated')).member.channel_role, 'channel_moderator');
		await js.channel('messaging', 'c2').removeMembers(['carl']);
		assert.equal((await bob.hears('member.removed')).user.id, 'carl');
		assert.equal(channel.state.members.carl, undefined);
		assert.equal((await carl.hears('notification.removed_from_channel')).channel.cid,
			'messaging:c2');
		await say('c2', 'ann');
		await bob.hears('message.new');
		await make('c3', ['carl', 'dora']);
		await carl.hears('notification.added_to_channel'); /* nothing in between */
	});
	test('a user hears what became of him', async () => {
		const dora = await ear('dora');
		await js.partialUpdateUser({ id: 'dora', set: { name: 'Dora', country: 'NL' } });
		const event = await dora.hears('user.updated');
		assert.deepEqual([event.user.name, event.user.country], ['Dora', 'NL']);
	});
});

describe('campaigns', () => {
	const template = (name) => ({ type: 'messaging', id: `{{receiver.id}}-${name}` });

	test('live, then read: stats_users_read follows', async () => {
		const many = ids('live', 300);
		await makeUsers(api, many);
		const [first, last] = [await ear(many[0]), await ear(many[299])];
		const sent = await send(api, { sender_id: 'ann', user_ids: many, create_channels: true,
			channel_template: template('one'), message_template: { text: 'Hi {{receiver.id}}' } });
		for (const who of [first, last]) {
			const added = await who.hears('notification.added_to_channel');
			assert.equal(added.channel.cid, `messaging:${who.id}-one`);
			const event = await who.hears('notification.message_new');
			assert.equal(event.message.text, `Hi ${who.id}`);
			assert.equal(event.message.created_by_campaign_id, sent.id);
			assert.deepEqual([event.total_unread_count, event.unread_channels], [1, 1]);
			const [channel] = await who.client.queryChannels({ members: { $in: [who.id] } });
			assert.deepEqual(channel.state.messages.map(({ id }) => id), [event.message.id]);
			await channel.markRead();
			await who.finds('notification.mark_read');
		}
		assert.equal((await getCampaign(api, sent.id)).stats.stats_users_read, 2);
		/* They watch now. */
		await send(api, { sender_id: 'ann', user_ids: many, create_channels: true,
			channel_template: template('one'), message_template: { text: 'Two' } });
		for (const who of [first, last])
			assert.equal((await who.hears('message.new')).message.text, 'Two');
	});
	test('hidden channels are silent unless the campaign shows them', async () => {
		await makeUsers(api, ['hid']);
		const hid = await ear('hid');
		const to = (more) => send(api, { sender_id: 'ann', user_ids: ['hid'], create_channels: true,
			channel_template: template('h'), message_template: { text: 'x' }, ...more });
		await to({});
		await hid.hears('notification.added_to_channel');
		await hid.hears('notification.message_new');
		await js.channel('messaging', 'hid-h').hide('hid');
		await hid.hears('channel.hidden');
		await to({});
		await to({ show_channels: true });
		assert.equal((await hid.hears('channel.visible')).channel.cid, 'messaging:hid-h');
		await hid.hears('notification.message_new');
		assert.equal((await inbox(api, 'hid')).length, 1);
	});
	test('to channels: every member who is there', async () => {
		await make('seg', ['ann', 'bob', 'carl']);
		const [bob, carl] = [await ear('bob'), await ear('carl')];
		await watching(bob, 'seg');
		const { segment } = await js.createSegment('channel', null, { name: 's' });
		await js.addSegmentTargets(segment.id, ['messaging:seg']);
		await send(api, { sender_id: 'ann', segment_ids: [segment.id],
			message_template: { text: 'All' } });
		assert.equal((await bob.hears('message.new')).message.text, 'All');
		assert.equal((await carl.hears('notification.message_new')).message.text, 'All');
	});
});

describe('several processes', { skip: !ON_PG && 'SQLite has one' }, () => {
	test('what one commits the clients of the other hear', async () => {
		const other = await Server.start({ beside: server });
		try {
			const there = rawClient(other);
			await make('p1', ['ann', 'bob']);
			const bob = await ear('bob');
			const channel = await watching(bob, 'p1');
			assertOk(await there.post('/channels/messaging/p1/message',
				{ message: { text: 'from afar', user_id: 'ann' } }), 201);
			assert.equal((await bob.hears('message.new')).message.text, 'from afar');
			const far = await ear('ann', other);
			await watching(far, 'p1');
			await channel.markRead();
			assert.equal((await far.hears('message.read')).user.id, 'bob');
			/* Two processes send the batches of one campaign. */
			const many = ids('far', 40);
			await makeUsers(api, many);
			const [near, away] = [await ear(many[7]), await ear(many[31], other)];
			await send(there, { sender_id: 'ann', user_ids: many, create_channels: true,
				channel_template: { type: 'messaging', id: '{{receiver.id}}-far' },
				message_template: { text: 'Hi' } });
			for (const who of [near, away]) {
				await who.hears('notification.added_to_channel');
				assert.equal((await who.hears('notification.message_new')).message.text, 'Hi');
			}
		} finally {
			await other.close();
		}
	});
});

describe('polls', () => {
	test('changes are told to who watches a channel with a message that carries it', async () => {
		await make('p1', ['ann', 'bob', 'carl']);
		await make('p2', ['ann', 'carl']);
		const { poll } = await js.createPoll({ name: 'Lunch?', options: [{ text: 'yes' }] }, 'ann');
		const [bob, carl] = [await ear('bob'), await ear('carl')];
		await watching(bob, 'p1');
		bob.client.polls.registerSubscriptions();
		await watching(carl, 'p2');
		/* One that comes while he watches. */
		await js.channel('messaging', 'p1').sendMessage({ text: 'Vote', poll_id: poll.id, user_id: 'ann' });
		await bob.hears('message.new');
		await js.partialUpdatePoll(poll.id, { set: { name: 'Dinner?' } }, 'ann');
		const event = await bob.hears('poll.updated');
		assert.deepEqual([event.poll.id, event.poll.name, event.poll.options.length], [poll.id, 'Dinner?', 1]);
		assert.equal(bob.client.polls.fromState(poll.id).data.name, 'Dinner?');
		await js.createPollOption(poll.id, { text: 'no' }, 'ann');
		assert.deepEqual((await bob.hears('poll.updated')).poll.options.map(({ text }) => text), ['yes', 'no']);
		/* One that was there when he began to. */
		const late = await ear('bob');
		await watching(late, 'p1');
		await js.closePoll(poll.id, 'ann');
		for (const who of [bob, late])
			assert.equal((await who.hears('poll.closed')).poll.is_closed, true);
		const list = await ear('bob');
		await list.client.queryChannels({ cid: 'messaging:p1' }, {}, { watch: true });
		await js.deletePoll(poll.id, 'ann');
		for (const who of [bob, late, list])
			assert.equal((await who.hears('poll.deleted')).poll.id, poll.id);
		assert.ok(!carl.heard.some(({ type }) => type.startsWith('poll.')));
	});
	test('of a campaign: one poll, told in all of its channels', async () => {
		const { poll } = await js.createPoll({ name: 'Which?', options: [{ text: 'a' }] }, 'ann');
		const ears = [await ear('bob'), await ear('carl')];
		const run = (n) => send(api, { sender_id: 'ann', user_ids: ['bob', 'carl'], create_channels: true,
			message_template: { text: `Vote ${n}`, poll_id: poll.id },
			channel_template: { type: 'messaging', id: 'poll-{{receiver.id}}' } });
		await run(1);
		for (const who of ears) {
			await who.finds('notification.message_new');
			await watching(who, `poll-${who.id}`);
		}
		await js.partialUpdatePoll(poll.id, { set: { description: 'x' } }, 'ann');
		for (const who of ears)
			assert.equal((await who.hears('poll.updated')).poll.description, 'x');
	});
});

describe('signals', () => {
	test('typing, told to who watches', async () => {
		await make('t1', ['ann', 'bob']);
		const [ann, bob] = [await ear('ann'), await ear('bob')];
		const theirs = await watching(ann, 't1');
		const mine = await watching(bob, 't1');
		await mine.keystroke();
		const event = await ann.hears('typing.start');
		assert.deepEqual([event.user.id, event.cid], ['bob', 'messaging:t1']);
		assert.ok(theirs.state.typing.bob);
		await mine.stopTyping();
		await ann.hears('typing.stop');
		assert.equal(theirs.state.typing.bob, undefined);
		await js.channel('messaging', 't1').sendEvent({ type: 'confetti', colour: 'red', user_id: 'ann' });
		const own = await bob.finds('confetti');
		assert.deepEqual([own.colour, own.user.id], ['red', 'ann']);
	});
	test('v2 has custom data nested, sockets have it flat', async () => {
		await make('t2', ['ann', 'bob']);
		const bob = await ear('bob');
		await watching(bob, 't2');
		const { event } = assertOk(await api.post('/api/v2/chat/channels/messaging/t2/event',
			{ event: { type: 'wave', user_id: 'ann', custom: { hands: 2 } } }), 201);
		assert.deepEqual([event.custom, Number.isInteger(event.created_at)], [{ hands: 2 }, true]);
		assert.equal((await bob.hears('wave')).hands, 2);
	});
	test('to the clients of another process', { skip: !ON_PG && 'SQLite has one' }, async () => {
		const other = await Server.start({ beside: server });
		try {
			await make('t3', ['ann', 'bob']);
			const [bob, far] = [await ear('bob'), await ear('ann', other)];
			const mine = await watching(bob, 't3');
			await watching(far, 't3');
			/* It begins to listen when it starts, and words that are said before are lost. */
			await until('it is heard', async () => {
				await mine.sendEvent({ type: 'knock' });
				return far.heard.some(({ type }) => type === 'knock');
			});
			await mine.keystroke();
			assert.equal((await far.finds('typing.start')).user.id, 'bob');
		} finally {
			await other.close();
		}
	});
	test('from the back end to one user, on all of his connections', async () => {
		const [bob, again, carl] = [await ear('bob'), await ear('bob'), await ear('carl')];
		await js.sendUserCustomEvent('bob', { type: 'friendship_request', text: 'Hey' });
		for (const who of [bob, again]) {
			const event = await who.hears('friendship_request');
			assert.deepEqual([event.text, event.user.id, event.cid], ['Hey', 'bob', undefined]);
		}
		assertOk(await api.post('/api/v2/chat/users/carl/event',
			{ event: { type: 'wave', custom: { hands: 2 } } }), 201);
		assert.equal((await carl.hears('wave')).hands, 2);
		const path = '/users/bob/event';
		await assertAllRefused([undefined, null, 'x', [], {}, ...[null, '', 1, 'message.new', 'user.banned',
			'health.check', 'typing.start', 'x'.repeat(101)].map((type) => ({ type })),
		{ type: 'x', parent_id: 1 }, { type: 'x', text: 'x'.repeat(6000) }].map((event) => ({ event })),
		(body) => api.post(path, body), /event/);
		assertError(await api.post('/users/nobody/event', { event: { type: 'x' } }), 404, 16);
		assertError(await call(server, 'POST', path, { token: userToken(server, 'bob'),
			body: { event: { type: 'x' } } }), 403, 17);
	});
	test('bad input, and who may not', async () => {
		await make('t4', ['ann', 'bob']);
		const path = '/channels/messaging/t4/event';
		const bad = (events) => assertAllRefused(events.map((event) => ({ event })),
			(body) => api.post(path, body), /event/);
		await bad([undefined, null, 'x', [], {}, ...[null, '', 1, 'message.new', 'notification.x', 'channel',
			'user.banned', 'health.check', 'typing.pause', 'x'.repeat(101)].map((type) =>
			({ type, user_id: 'ann' })), { type: 'x' }, { type: 'x', user_id: 'ann', parent_id: 1 },
		{ type: 'x', user_id: 'ann', text: 'x'.repeat(6000) }]);
		const as = (id, type = 'typing.start') => call(server, 'POST', path,
			{ token: userToken(server, id), body: { event: { type } } });
		assertError(await as('carl'), 403, 17);
		assertOk(await as('bob'), 201);
		await js.createChannelType({ name: 'quiet', typing_events: false, custom_events: false });
		await js.channel('quiet', 'q', { created_by_id: 'ann', members: ['ann'] }).create();
		for (const type of ['typing.start', 'x'])
			assertError(await api.post('/channels/quiet/q/event', { event: { type, user_id: 'ann' } }),
				403, 17, /events are off/);
		assertError(await api.post('/channels/messaging/none/event',
			{ event: { type: 'x', user_id: 'ann' } }), 404, 16);
	});
});

describe('sync', () => {
	const as = (id, body) => call(server, 'POST', '/sync', { token: userToken(server, id), body });
	let since;

	before(async () => {
		await makeUsers(api, ['sue']);
		await make('s1', ['ann', 'sue']);
		await make('s2', ['ann', 'sue']);
		await make('s3', ['ann', 'bob']);
		await say('s1', 'ann', 'before');
		since = new Date((await js.channel('messaging', 's1').query({ messages: { limit: 1 } }))
			.messages[0].created_at);
		since.setMilliseconds(since.getMilliseconds() + 1);
		await until('the clock is beyond it', () => new Date() > since);
		const { message } = await say('s1', 'ann', 'one');
		await js.updateMessage({ id: message.id, text: 'ONE', user_id: 'ann' });
		await send(api, { sender_id: 'ann', user_ids: ['sue'], create_channels: true,
			channel_template: { type: 'messaging', id: 's2' }, message_template: { text: 'two' } });
		await js.channel('messaging', 's2').updatePartial({ set: { colour: 'red' } });
		await js.channel('messaging', 's1').addMembers(['carl']);
		await say('s3', 'ann', 'secret');
	});
	test('stream-chat: events of channels since a time', async () => {
		const sue = await ear('sue');
		const { events } = await sue.client.sync(['messaging:s1', 'messaging:s2'], since.toISOString());
		assert.deepEqual(events.map(({ type, cid }) => `${type} ${cid}`), [
			'message.new messaging:s1', 'message.updated messaging:s1', 'message.new messaging:s2',
			'channel.updated messaging:s2', 'member.added messaging:s1']);
		assert.deepEqual(events.map(({ message }) => message?.text),
			['ONE', 'ONE', 'two', undefined, undefined]);
		assert.ok(events[2].message.created_by_campaign_id);
		assert.equal(events[2].user.id, 'ann');
		assert.equal(events[3].channel.colour, 'red');
		assert.equal(events[4].member.user_id, 'carl');
	});
	test('nothing of channels of others', async () => {
		const body = { channel_cids: ['messaging:s1', 'messaging:s3', 'messaging:none', 'x', 'no:s1'],
			last_sync_at: since.toISOString(), with_inaccessible_cids: true };
		const got = assertOk(await as('sue', body), 201);
		assert.ok(got.events.length > 0 && got.events.every(({ cid }) => cid === 'messaging:s1'));
		assert.deepEqual(got.inaccessible_cids, ['messaging:s3', 'messaging:none', 'x', 'no:s1']);
		const all = assertOk(await api.post('/sync', { ...body, with_inaccessible_cids: false }), 201);
		assert.ok(all.events.some(({ cid }) => cid === 'messaging:s3'));
		assert.equal(all.inaccessible_cids, undefined);
	});
	test('what is hidden is told to who hides', async () => {
		const sue = await ear('sue');
		await js.channel('messaging', 's2').hide('sue');
		await sue.hears('channel.hidden');
		const types = async (id) => assertOk(await as(id, { channel_cids: ['messaging:s2'],
			last_sync_at: since.toISOString() }), 201).events.map(({ type }) => type);
		assert.ok((await types('sue')).includes('channel.hidden'));
		assert.ok(!(await types('ann')).includes('channel.hidden'));
	});
	test('deleted messages and channels', async () => {
		await make('s4', ['ann', 'sue']);
		const { message } = await say('s4', 'ann', 'x');
		await js.deleteMessage(message.id, true);
		const events = async () => assertOk(await as('sue', { channel_cids: ['messaging:s4'],
			last_sync_at: since.toISOString() }), 201).events;
		const [told] = await events();
		assert.deepEqual([told.type, told.message.id, told.hard_delete],
			['message.deleted', message.id, true]);
		await js.channel('messaging', 's4').delete();
		assert.deepEqual((await events()).map(({ type }) => type).at(-1), 'channel.deleted');
	});
	test('v2', async () => {
		const answer = assertOk(await api.post('/api/v2/chat/sync', { channel_cids: ['messaging:s1'],
			last_sync_at: since.toISOString() }), 201);
		assert.ok(answer.events.every(({ created_at }) => Number.isInteger(created_at)));
	});
	test('too many, and bad input', async () => {
		for (const { chat } of DIALECTS) {
			const path = `${chat}/sync`;
			const good = { channel_cids: ['messaging:s1'], last_sync_at: since.toISOString() };
			const bad = (key, values, message) => assertAllRefused(values.map((value) =>
				({ ...good, [key]: value })), (body) => api.post(path, body), message);

			await bad('channel_cids', [null, undefined, 'x', {}, [], [1], [null],
				Array(256).fill('messaging:s1')], /channel_cids/);
			await bad('last_sync_at', [null, undefined, 'x', true, {}, '2020-01-01T00:00:00Z'],
				/last_sync_at/);
			await bad('with_inaccessible_cids', ['x', 1, {}], /with_inaccessible_cids/);
			await bad('user_id', [1, {}], /user_id/);
		}
		assertError(await call(server, 'POST', '/sync', { token: null, body: {} }), 401, 5);
	});
});
