/* webhooks – what the app's owner is told (api.md §9): types, envelopes, filters, dialects, and
 * that a campaign is told recipient by recipient, each once. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertOk, call, userToken } from './lib/clients.mjs';
import { getCampaign, ids, makeCampaign, makeUsers, startCampaign, startServer } from './lib/fixtures.mjs';
import { Receiver, hookTo } from './lib/receiver.mjs';
import { holds, seconds, until } from './lib/wait.mjs';

const ALLOW = { FANFARE_WEBHOOK_ALLOW: '127.0.0.0/8' };
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

async function house(users, hooks = [{}]) {
	const all = await startServer(users, { env: ALLOW });
	const receiver = await Receiver.start(all.server);

	await setHooks(all.api, hooks.map((rest) => hookTo(receiver.url, rest)));
	return { ...all, receiver };
}

async function setHooks(api, event_hooks) {
	assertOk(await api.patch('/app', { event_hooks }), 200);
}

async function finish(h) {
	await h.receiver.stop();
	await h.server.stop();
}

async function completed(api, id) {
	await until(`campaign ${id} is completed`,
		async () => (await getCampaign(api, id)).status === 'completed', { within: seconds(60) });
}

const greeting = (id, users, rest = {}) => ({ id, user_ids: users, sender_id: 'ann', create_channels: true,
	channel_template: { type: 'messaging', id: '{{receiver.id}}-{{sender.id}}' },
	message_template: { text: 'Hi {{receiver.name}}', custom: { colour: 'red' } }, ...rest });

/* ---- campaigns ------------------------------------------------------------------------- */

describe('a campaign', () => {
	let h;

	before(async () => {
		h = await house([{ id: 'ann', name: 'Ann' }, { id: 'bob', name: 'Bob', country: 'NO' }, 'cid']);
	});
	after(() => finish(h));

	test('is told from its start to its end', async () => {
		await makeCampaign(h.api, greeting('c1', ['bob', 'cid']));
		await startCampaign(h.api, 'c1');
		const got = await h.receiver.count(6);

		assert.deepEqual(h.receiver.types().sort(), ['campaign.completed', 'campaign.started',
			'channel.created', 'channel.created', 'message.new', 'message.new']);
		for (const d of got) {
			assert.match(d.id, UUID);
			assert.match(d.event.created_at, RFC3339);
			assert.equal(d.attempt, 1);
		}
		assert.equal(new Set(got.map((d) => d.id)).size, 6);
	});

	test('campaign.started and campaign.completed carry the campaign', async () => {
		const started = await h.receiver.of('campaign.started');
		const done = await h.receiver.of('campaign.completed');

		assert.equal(started.campaign.id, 'c1');
		assert.equal(started.campaign.status, 'in_progress');
		assert.equal(started.campaign.stats.stats_messages_sent, 0);
		assert.equal(started.request_info.type, 'server');
		assert.equal(started.request_info.ip, '127.0.0.1');
		assert.deepEqual(started.custom, {});
		assert.equal(done.campaign.status, 'completed');
		assert.equal(done.campaign.stats.stats_messages_sent, 2);
		assert.equal(done.campaign.stats.progress, 1);
		assert.deepEqual(done.request_info, { type: 'server' });
		assert.deepEqual(done.campaign.user_ids, ['bob', 'cid']);
	});

	test('message.new has message, author, members and counters', async () => {
		const event = h.receiver.all.map((d) => d.event)
			.find((e) => e.type === 'message.new' && e.channel_id === 'bob-ann');

		assert.equal(event.cid, 'messaging:bob-ann');
		assert.equal(event.channel_type, 'messaging');
		assert.equal(event.message_id, event.message.id);
		assert.equal(event.message.text, 'Hi Bob');
		assert.equal(event.message.user.id, 'ann');
		assert.equal(event.message.colour, 'red', 'custom data is flat');
		assert.equal(event.message.campaign_id, 'c1');
		assert.equal(event.message.created_by_campaign_id, 'c1');
		assert.equal(event.user.id, 'ann');
		assert.equal(event.user.total_unread_count, 0);
		assert.equal(event.user.unread_channels, 0);
		assert.equal(event.watcher_count, 0);
		assert.equal(event.channel_member_count, 2);
		assert.deepEqual(event.request_info, { type: 'server' });
		const bob = event.members.find((m) => m.user_id === 'bob');

		assert.equal(event.members.length, 2);
		assert.equal(bob.user.country, 'NO');
		assert.equal(bob.user.channel_unread_count, 1);
		assert.equal(bob.user.total_unread_count, 1);
		assert.equal(bob.user.unread_count, 1);
		assert.equal(bob.channel_role, 'channel_member');
		assert.equal(bob.banned, false);
		assert.equal(bob.status, 'member');
	});

	test('channel.created has the channel with its members', async () => {
		const event = h.receiver.all.map((d) => d.event)
			.find((e) => e.type === 'channel.created' && e.channel_id === 'bob-ann');

		assert.equal(event.channel.cid, 'messaging:bob-ann');
		assert.equal(event.channel.created_by.id, 'ann');
		assert.equal(event.channel.config.name, 'messaging');
		assert.equal(event.channel.member_count, 2);
		assert.deepEqual(event.channel.members.map((m) => m.user_id).sort(), ['ann', 'bob']);
		assert.deepEqual(event.members.map((m) => m.user_id).sort(), ['ann', 'bob']);
		assert.equal(event.user.id, 'ann');
	});

	test('the id of a message is told before its recipient reads it', async () => {
		const event = await h.receiver.of('message.new');
		const { message } = assertOk(await h.api.get(`/messages/${event.message_id}`), 200);

		assert.equal(message.text, event.message.text);
	});

	test('skip_webhook silences what it generates', async () => {
		const seen = h.receiver.all.length;

		await makeCampaign(h.api, greeting('c2', ['bob', 'cid'], { skip_webhook: true }));
		await startCampaign(h.api, 'c2');
		await h.receiver.of('campaign.completed', { seen: 1 });
		assert.deepEqual(h.receiver.types().slice(seen), ['campaign.started', 'campaign.completed']);
	});

	test('channels that are there are not told as created; shown ones are', async () => {
		assertOk(await h.api.post('/channels/messaging/bob-ann/hide', { user_id: 'bob' }), 201);
		await h.receiver.of('channel.hidden');
		const seen = h.receiver.all.length;

		await makeCampaign(h.api, greeting('c3', ['bob', 'cid'], { show_channels: true }));
		await startCampaign(h.api, 'c3');
		await h.receiver.of('campaign.completed', { seen: 2 });
		assert.deepEqual(h.receiver.types().slice(seen).sort(), ['campaign.completed',
			'campaign.started', 'channel.visible', 'message.new', 'message.new']);
		const shown = await h.receiver.of('channel.visible');

		assert.equal(shown.user.id, 'bob');
		assert.equal(shown.channel.cid, 'messaging:bob-ann');
	});

	test('to channels: once for each channel', async () => {
		const { segment } = assertOk(await h.api.post('/segments',
			{ id: 's1', type: 'channel', name: 'two' }), 201);

		assertOk(await h.api.post(`/segments/${segment.id}/addtargets`,
			{ target_ids: ['messaging:bob-ann', 'messaging:cid-ann'] }), 201);
		const seen = h.receiver.all.length;

		await makeCampaign(h.api, { id: 'c4', segment_ids: ['s1'], sender_id: 'ann',
			message_template: { text: 'all' } });
		await startCampaign(h.api, 'c4');
		await h.receiver.of('campaign.completed', { seen: 3 });
		const told = h.receiver.all.slice(seen).map((d) => d.event);

		assert.deepEqual(told.filter((e) => e.type === 'message.new').map((e) => e.cid).sort(),
			['messaging:bob-ann', 'messaging:cid-ann']);
	});
});

/* ---- what single calls do --------------------------------------------------------------- */

describe('what calls do', () => {
	let h;
	const sees = async (type, seen = 0) => h.receiver.of(type, { seen });
	const channel = '/channels/messaging/x';

	before(async () => {
		h = await house(['ann', 'bob', 'cid']);
		assertOk(await h.api.post(`${channel}/query`, { data: { created_by_id: 'ann',
			members: ['ann', 'bob'], colour: 'blue' } }), 201);
	});
	after(() => finish(h));

	test('channel.created', async () => {
		const event = await sees('channel.created');

		assert.equal(event.channel.colour, 'blue');
		assert.deepEqual(event.members.map((m) => m.user_id).sort(), ['ann', 'bob']);
		assert.equal(event.user.id, 'ann');
	});

	test('message.new, updated, deleted', async () => {
		const { message } = assertOk(await h.api.post(`${channel}/message`,
			{ message: { id: 'm1', text: 'one', user_id: 'ann', mood: 'good' } }), 201);
		const sent = await sees('message.new');

		assert.equal(sent.message.id, message.id);
		assert.equal(sent.message.mood, 'good');
		assert.equal(sent.user.id, 'ann');
		assertOk(await h.api.post('/messages/m1', { message: { id: 'm1', text: 'two',
			user_id: 'ann' } }), 201);
		assert.equal((await sees('message.updated')).message.text, 'two');
		assertOk(await h.api.del('/messages/m1'), 200);
		const soft = await sees('message.deleted');

		assert.equal(soft.message.type, 'deleted');
		assert.equal(soft.hard_delete, false);
		assert.equal(soft.message.text, '');
		assertOk(await h.api.post(`${channel}/message`, { message: { id: 'm2', text: 'x',
			user_id: 'ann' } }), 201);
		await sees('message.new', 1);
		assertOk(await h.api.del('/messages/m2', { hard: true }), 200);
		const hard = await sees('message.deleted', 1);

		assert.equal(hard.hard_delete, true);
		assert.equal(hard.message_id, 'm2');
	});

	test('message.read and notification.mark_unread', async () => {
		assertOk(await h.api.post(`${channel}/message`, { message: { id: 'm3', text: 'x',
			user_id: 'ann' } }), 201);
		assertOk(await h.api.post(`${channel}/read`, { user_id: 'bob' }), 201);
		const read = await sees('message.read');

		assert.equal(read.user.id, 'bob');
		assert.equal(read.user.total_unread_count, 0);
		assert.equal(read.user.channel_unread_count, 0);
		assert.match(read.user.channel_last_read_at, RFC3339);
		assert.equal(read.last_read_message_id, 'm3');
		assertOk(await h.api.post(`${channel}/unread`, { user_id: 'bob', message_id: 'm3' }), 201);
		const unread = await sees('notification.mark_unread');

		assert.equal(unread.first_unread_message_id, 'm3');
		assert.equal(unread.unread_messages, 1);
		assert.equal(unread.total_unread_count, 1);
	});

	test('member.added, updated, removed', async () => {
		assertOk(await h.api.post(channel, { add_members: ['cid'] }), 201);
		const added = await sees('member.added');

		assert.equal(added.member.user_id, 'cid');
		assert.equal(added.user.id, 'cid');
		assert.equal(added.channel.cid, 'messaging:x');
		assert.equal(added.members.length, 3);
		assertOk(await h.api.post(channel, { add_moderators: ['cid'] }), 201);
		assert.equal((await sees('member.updated')).member.channel_role, 'channel_moderator');
		assertOk(await h.api.post(channel, { remove_members: ['cid'] }), 201);
		const removed = await sees('member.removed');

		assert.equal(removed.member.user_id, 'cid');
		assert.equal(removed.members.length, 2);
	});

	test('channel.updated, hidden, visible, truncated, deleted', async () => {
		assertOk(await h.api.patch(channel, { set: { colour: 'green' } }), 200);
		assert.equal((await sees('channel.updated')).channel.colour, 'green');
		assertOk(await h.api.post(`${channel}/hide`, { user_id: 'bob', clear_history: true }), 201);
		const hidden = await sees('channel.hidden');

		assert.equal(hidden.clear_history, true);
		assert.equal(hidden.user.id, 'bob');
		assert.equal(hidden.channel.hidden, true);
		assertOk(await h.api.post(`${channel}/show`, { user_id: 'bob' }), 201);
		assert.equal((await sees('channel.visible')).user.id, 'bob');
		assertOk(await h.api.post(`${channel}/truncate`, {}), 201);
		assert.ok((await sees('channel.truncated')).channel.truncated_at);
		assertOk(await h.api.del(channel), 200);
		assert.ok((await sees('channel.deleted')).channel.deleted_at);
	});

	test('polls and votes', async () => {
		const { poll } = assertOk(await h.api.post('/polls', { name: 'which?', user_id: 'ann',
			options: [{ text: 'a' }, { text: 'b' }] }), 201);

		assertOk(await h.api.post('/channels/messaging/p/query', { data: { created_by_id: 'ann',
			members: ['ann', 'bob'] } }), 201);
		assertOk(await h.api.post('/channels/messaging/p/message', { message: { id: 'm4',
			poll_id: poll.id, user_id: 'ann' } }), 201);
		assertOk(await h.api.post(`/messages/m4/polls/${poll.id}/vote`, { user_id: 'bob',
			vote: { option_id: poll.options[0].id } }), 201);
		const vote = await sees('poll.vote_casted');

		assert.equal(vote.poll.vote_count, 1);
		assert.equal(vote.poll_vote.option_id, poll.options[0].id);
		assert.equal(vote.message_id, 'm4');
		assertOk(await h.api.patch(`/polls/${poll.id}`, { user_id: 'ann', set: { name: 'which one?' } }), 200);
		const updated = await sees('poll.updated');

		assert.equal(updated.poll.name, 'which one?');
		assertOk(await h.api.patch(`/polls/${poll.id}`, { user_id: 'ann', set: { is_closed: true } }), 200);
		assert.equal((await sees('poll.closed')).poll.is_closed, true);
		assertOk(await h.api.del(`/polls/${poll.id}`, { user_id: 'ann' }), 200);
		assert.equal((await sees('poll.deleted')).poll.id, poll.id);
	});

	test('user.updated, deactivated, reactivated, deleted', async () => {
		await makeUsers(h.api, ['dan']);
		await makeUsers(h.api, [{ id: 'dan', name: 'Dan', hat: 1 }]);
		const updated = await sees('user.updated');

		assert.equal(updated.user.id, 'dan');
		assert.equal(updated.user.hat, 1);
		assert.deepEqual(updated.members, []);
		assertOk(await h.api.post('/users/dan/deactivate', {}), 201);
		assert.ok((await sees('user.deactivated')).user.deactivated_at);
		assertOk(await h.api.post('/users/dan/reactivate', {}), 201);
		assert.equal((await sees('user.reactivated')).user.deactivated_at, undefined);
		assertOk(await h.api.del('/users/dan', { hard_delete: true }), 200);
		const gone = await sees('user.deleted');

		assert.equal(gone.hard_delete, true);
		assert.equal(gone.user.id, 'dan');
		assert.ok(gone.user.deleted_at);
	});

	test('who asked is told', async () => {
		const headers = { 'X-Stream-Client': 'stream-chat-js-v9-test', 'User-Agent': 'the "browser"' };
		const seen = h.receiver.types().filter((t) => t === 'message.new').length;

		assertOk(await call(h.server, 'POST', '/channels/messaging/p/message', { headers,
			token: userToken(h.server, 'bob'), body: { message: { text: 'from bob' } } }), 201);
		assert.deepEqual((await sees('message.new', seen)).request_info, { type: 'client',
			ip: '127.0.0.1', user_agent: 'the "browser"', sdk: 'stream-chat-js-v9-test' });
		assertOk(await call(h.server, 'POST', '/channels/messaging/p/message', { headers,
			body: { message: { text: 'from ann', user_id: 'ann' } } }), 201);
		assert.equal((await sees('message.new', seen + 1)).request_info.type, 'server');
	});

	test('what clients alone hear is no webhook', () => {
		for (const type of h.receiver.types())
			assert.doesNotMatch(type, /^(notification\.(message_new|added_to_channel|mark_read)|health)/);
	});
});

/* ---- who is told what ------------------------------------------------------------------- */

describe('hooks', () => {
	let h;

	before(async () => {
		h = await house(['ann', 'bob'], []);
		assertOk(await h.api.post('/channels/messaging/x/query', { data: { created_by_id: 'ann',
			members: ['ann', 'bob'] } }), 201);
	});
	after(() => finish(h));

	const path = (name) => `${h.receiver.origin}/${name}`;
	const say = async (text) => assertOk(await h.api.post('/channels/messaging/x/message',
		{ message: { text, user_id: 'ann' } }), 201);
	/* Exactly these, in any order: attempts overtake each other. */
	const told = async (name, types) => {
		const all = () => h.receiver.types(`/${name}`).sort();

		await until(`${name} is told ${types}`, () => all().length >= types.length);
		await holds(() => assert.deepEqual(all(), types));
		assert.deepEqual(h.receiver.bad, []);
	};

	test('each is told what it names, from when it was set', async () => {
		await say('before');
		await setHooks(h.api, [hookTo(path('all')), hookTo(path('new'), { event_types: ['message.new'] }),
			hookTo(path('some'), { event_types: ['message.*', 'user.updated'] }),
			hookTo(path('off'), { enabled: false }), hookTo(path('video'), { product: 'video' }),
			hookTo(path('none'), { event_types: ['reaction.new'] })]);
		const { message } = await say('one');

		await makeUsers(h.api, [{ id: 'bob', name: 'Robert' }]);
		assertOk(await h.api.post(`/messages/${message.id}`, { message: { id: message.id,
			text: 'two', user_id: 'ann' } }), 201);
		assertOk(await h.api.post('/channels/messaging/x/read', { user_id: 'bob' }), 201);
		await told('all', ['message.new', 'message.read', 'message.updated', 'user.updated']);
		await told('new', ['message.new']);
		await told('some', ['message.new', 'message.read', 'message.updated', 'user.updated']);
		for (const name of ['off', 'video', 'none'])
			await told(name, []);
	});

	test('webhook_url is told, by webhook_events, and not twice where a hook has its URL', async () => {
		await setHooks(h.api, [hookTo(path('both'), { event_types: ['message.new'] })]);
		assertOk(await h.api.patch('/app', { webhook_url: path('both'),
			webhook_events: ['message.new', 'user.updated'] }), 200);
		await makeUsers(h.api, [{ id: 'bob', name: 'Bobby' }]);
		assertOk(await h.api.post('/channels/messaging/x/read', { user_id: 'bob' }), 201);
		await say('both');
		await told('both', ['message.new', 'user.updated']);
		assertOk(await h.api.patch('/app', { webhook_events: null }), 200);
		assertOk(await h.api.post('/channels/messaging/x/read', { user_id: 'bob' }), 201);
		await told('both', ['message.new', 'message.read', 'user.updated']);
		assertOk(await h.api.patch('/app', { webhook_url: '' }), 200);
	});

	test('campaign.stopped goes to who names it', async () => {
		await setHooks(h.api, [hookTo(path('named'), { event_types: ['campaign.stopped', 'message.new'] }),
			hookTo(path('everything'))]);
		await makeCampaign(h.api, greeting('c1', ['bob']));
		await startCampaign(h.api, 'c1', { scheduled_for: new Date(Date.now() + 3600000).toISOString() });
		assertOk(await h.api.post('/campaigns/c1/stop', {}), 201);
		await say('stopped');
		await told('named', ['campaign.stopped', 'message.new']);
		await told('everything', ['message.new']);
		assert.equal(h.receiver.at('/named').map((d) => d.event)
			.find((e) => e.type === 'campaign.stopped').campaign.status, 'stopped');
	});

	test('the second dialect: integers of nanoseconds, nested custom data', async () => {
		await setHooks(h.api, [hookTo(path('v2'), { payload_dialect: 'v2' })]);
		assertOk(await h.api.post('/channels/messaging/x/message',
			{ message: { text: 'custom', user_id: 'ann', mood: 'good' } }), 201);
		await makeCampaign(h.api, greeting('c2', ['bob']));
		await startCampaign(h.api, 'c2');
		await until('the campaign is told', () => h.receiver.types('/v2').includes('campaign.completed'));
		for (const { text, event } of h.receiver.at('/v2')) {
			for (const [, key, value] of text.matchAll(/"(\w+_at|last_read)":("[^"]*"|[^",}\]]+)/g))
				assert.match(value, /^([1-9]\d{17,18}|null)$/, `${key} of ${event.type}`);
			assert.equal(typeof event.custom, 'object', event.type);
		}
		assert.equal(h.receiver.at('/v2').map((d) => d.event)
			.find((e) => e.message?.text === 'custom').message.custom.mood, 'good');
		await assert.rejects(() => setHooks(h.api, [hookTo(path('v3'), { payload_dialect: 'v3' })]),
			/payload_dialect/);
	});

	test('payloads are compressed where that is set, signed as they were before', async () => {
		/* The courier sees settings within a second. */
		const comes = (zipped) => until(`what is said comes ${zipped ? 'zipped' : 'plain'}`, async () => {
			const before = h.receiver.at('/zip').length;

			await say('zip');
			await until('it is told', () => h.receiver.at('/zip').length > before);
			return h.receiver.at('/zip').at(-1).zipped === zipped;
		});

		await setHooks(h.api, [hookTo(path('zip'))]);
		await comes(false);
		assertOk(await h.api.patch('/app', { enable_hook_payload_compression: true }), 200);
		await comes(true);
		assertOk(await h.api.patch('/app', { enable_hook_payload_compression: false }), 200);
		await comes(false);
		assert.deepEqual(h.receiver.bad, []);
	});
});

/* ---- many ------------------------------------------------------------------------------- */

const MANY = 60000;

test(`a campaign to ${MANY}: every recipient once, every signature verified (I-15)`, async () => {
	const h = await house(['ann'], []);
	const names = ids('u', MANY);

	try {
		await makeUsers(h.api, names);
		await setHooks(h.api, [hookTo(h.receiver.url,
			{ event_types: ['message.new', 'campaign.completed', 'campaign.started'] })]);
		const { segment } = assertOk(await h.api.post('/segments', { id: 'all', type: 'user',
			name: 'all', all_users: true }), 201);

		await makeCampaign(h.api, greeting('big', undefined, { user_ids: undefined,
			segment_ids: [segment.id] }));
		await startCampaign(h.api, 'big');
		await completed(h.api, 'big');
		const got = await h.receiver.count(MANY + 2, '/hook', seconds(120));
		const sent = got.filter((d) => d.event.type === 'message.new');

		assert.equal(new Set(got.map((d) => d.id)).size, MANY + 2);
		assert.equal(got.length, MANY + 2);
		assert.equal(new Set(sent.map((d) => d.event.message_id)).size, MANY);
		assert.equal(new Set(sent.map((d) => d.event.channel_id)).size, MANY);
		assert.equal(new Set(got.filter((d) => d.attempt > 1)).size, 0);
	} finally {
		await finish(h);
	}
});
