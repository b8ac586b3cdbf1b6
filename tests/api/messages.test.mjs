/* messages – changing and deleting them, pages of a channel's messages: api.md §6.2, §6.4. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertAllRefused, assertError, assertOk, call, refused, userToken }
	from './lib/clients.mjs';
import { inbox, makeUsers, send, startServer } from './lib/fixtures.mjs';

let server, api, js, node;
before(async () => {
	({ server, api, js, node } = await startServer(['ann', 'bob', 'carl']));
	for (const id of ['talk', 'pages', 'other'])
		await js.channel('messaging', id, { members: ['ann', 'bob'], created_by_id: 'ann' }).create();
});
after(() => server.close());

const texts = (state) => state.messages.map(({ text }) => text);
const say = async (text, more = {}, channel = 'talk') => assertOk(await api.post(
	`/channels/messaging/${channel}/message`, { message: { text, user_id: 'ann', ...more } }), 201)
	.message;
const shown = async (channel = 'talk', more = {}) => assertOk(await api.post(
	`/channels/messaging/${channel}/query`, { state: true, ...more }), 201);
const as = (id, method, path, body, query = {}) => call(server, method, path,
	{ token: userToken(server, id), query, body });

describe('change', () => {
	test('stream-chat: updateMessage replaces text, attachments and custom data', async () => {
		const { id } = await say('first', { mood: 'good', attachments: [{ type: 'image' }] });
		const { message } = await js.updateMessage({ id, text: 'second', colour: 'red' }, 'ann');
		assert.deepEqual([message.id, message.text, message.colour, message.mood, message.user.id],
			[id, 'second', 'red', undefined, 'ann']);
		assert.deepEqual(message.attachments, []);
		assert.ok(message.updated_at > message.created_at);
		const { message: got } = await js.getMessage(id);
		assert.deepEqual([got.text, got.colour], ['second', 'red']);
	});
	test('node-sdk: updateMessage', async () => {
		const { id } = await say('first', { mood: 'good' });
		const { message } = await node.chat.updateMessage({ id,
			message: { text: 'v2', user_id: 'ann', custom: { colour: 'blue' } } });
		assert.deepEqual([message.text, message.custom], ['v2', { colour: 'blue' }]);
	});
	test('stream-chat: partialUpdateMessage keeps the rest', async () => {
		const { id } = await say('first', { mood: 'good', deep: { a: 1, b: 2 },
			attachments: [{ type: 'image' }] });
		const { message } = await js.partialUpdateMessage(id,
			{ set: { text: 'now', 'deep.a': 7, 'new.path': true }, unset: ['mood', 'deep.b'] }, 'ann');
		assert.deepEqual([message.text, message.mood, message.deep, message.new],
			['now', undefined, { a: 7 }, { path: true }]);
		assert.deepEqual(message.attachments, [{ type: 'image' }]);
		const bare = await js.partialUpdateMessage(id, { unset: ['attachments'] });
		assert.deepEqual(bare.message.attachments, []);
	});
	test('node-sdk: updateMessagePartial, custom data by either name', async () => {
		const { id } = await say('first', { mood: 'good' });
		const { message } = await node.chat.updateMessagePartial({ id, user_id: 'ann',
			set: { text: 'now', 'custom.colour': 'red', size: 3 }, unset: ['mood'] });
		assert.deepEqual([message.text, message.custom], ['now', { colour: 'red', size: 3 }]);
		const all = await node.chat.updateMessagePartial({ id, set: { custom: { only: 1 } } });
		assert.deepEqual(all.message.custom, { only: 1 });
	});
	test('mentioned_users', async () => {
		const { id } = await say('hello', { mentioned_users: ['bob'] });
		const { message } = await js.partialUpdateMessage(id, { set: { mentioned_users: ['ann'] } });
		assert.deepEqual(message.mentioned_users.map((user) => user.id), ['ann']);
	});
	test('of a campaign: what is changed is kept, its marks stay', async () => {
		await makeUsers(api, ['camp']);
		const campaign = await send(api, { sender_id: 'ann', user_ids: ['camp'], create_channels: true,
			channel_template: { type: 'messaging', id: 'camp-{{receiver.id}}' }, message_template: {
				text: 'Hi', attachments: [{ type: 'image' }], custom: { k: 1 } } });
		const find = async () => (await inbox(api, 'camp'))[0].messages[0];
		const { id } = await find();
		const { message } = await js.partialUpdateMessage(id, { set: { text: 'Hi again', k: 2 } });
		assert.deepEqual([message.text, message.k, message.campaign_id], ['Hi again', 2, campaign.id]);
		assert.deepEqual(message.attachments, [{ type: 'image' }]);
		await js.updateMessage({ id, text: 'bare' }, 'ann');
		const bare = await find();
		assert.deepEqual([bare.text, bare.k, bare.campaign_id, bare.user.id],
			['bare', undefined, campaign.id, 'ann']);
		assert.deepEqual(bare.attachments, []);
	});
	test('refused', async () => {
		const { id } = await say('first');
		await assertAllRefused([undefined, {}, { message: 'x' }, { message: { text: 5 } },
			{ message: { text: '' } }, { message: { text: 'x', attachments: Array(31).fill({}) } },
			{ message: { text: 'x', attachments: [5] } },
			{ message: { text: 'x', blob: 'y'.repeat(6000) } }],
		(body) => api.post(`/messages/${id}`, body), /message/);
		await assertAllRefused([{ set: 5 }, { unset: 'text' }, { unset: [5] }, { set: { text: 5 } },
			{ set: { attachments: 'x' } }, { set: { attachments: Array(31).fill({}) } },
			{ set: { cid: 'x:y' } }, { set: { user: { id: 'bob' } } }, { unset: ['id'] },
			{ set: { 'created_at.x': 1 } }, { set: { 'a..b': 1 } }, { set: { '': 1 } },
			{ set: { text: '' } }, { unset: ['text'] }, { set: { blob: 'y'.repeat(6000) } },
			{ set: { mentioned_users: 'bob' } }, { set: { 'a.b.c.d.e.f.g.h.i': 1 } }],
		(body) => api.put(`/messages/${id}`, body));
		const long = 'ü'.repeat(5001);
		assertError(await api.post(`/messages/${id}`, { message: { text: long } }), 400, 20);
		assertError(await api.put(`/messages/${id}`, { set: { text: long } }), 400, 20);
		assertError(await api.put('/messages/nowhere', { set: { text: 'x' } }), 404, 16, /nowhere/);
		assertError(await api.post('/messages/nowhere', { message: { text: 'x' } }), 404, 16, /nowhere/);
		assert.equal((await js.getMessage(id)).message.text, 'first');
	});
	test('a user changes his own messages only', async () => {
		const { id } = await say('mine');
		for (const ask of [() => as('bob', 'POST', `/messages/${id}`, { message: { text: 'x' } }),
			() => as('bob', 'PUT', `/messages/${id}`, { set: { text: 'x' } }),
			() => as('carl', 'PUT', `/messages/${id}`, { set: { text: 'x' } })])
			assertError(await ask(), 403, 17);
		const { message } = assertOk(await as('ann', 'PUT', `/messages/${id}`, { set: { text: 'x' } }), 201);
		assert.equal(message.text, 'x');
	});
});

describe('delete', () => {
	test('soft: it stays, blank, and counts no more', async () => {
		const { id } = await say('secret', { mood: 'good', attachments: [{ type: 'image' }] }, 'other');
		const before = (await inbox(api, 'bob', { filter_conditions: { cid: 'messaging:other' } }))[0];
		assert.equal(before.read.find(({ user }) => user.id === 'bob').unread_messages, 1);
		const { message } = await js.deleteMessage(id);
		assert.deepEqual([message.type, message.text, message.mood], ['deleted', '', undefined]);
		assert.ok(message.deleted_at);
		const [state] = await inbox(api, 'bob', { filter_conditions: { cid: 'messaging:other' } });
		const [left] = state.messages;
		assert.deepEqual([left.id, left.type, left.text, left.attachments], [id, 'deleted', '', []]);
		assert.equal(state.read.find(({ user }) => user.id === 'bob').unread_messages, 0);
		for (const { chat } of DIALECTS) {
			const got = assertOk(await api.get(`${chat}/messages/${id}`), 200).message;
			assert.deepEqual([got.type, got.text, got.attachments], ['deleted', '', []]);
			const full = assertOk(await api.get(`${chat}/messages/${id}`,
				{ show_deleted_message: true }), 200).message;
			assert.equal(full.text, 'secret');
			assert.equal(full.attachments.length, 1);
		}
		assertError(await as('ann', 'GET', `/messages/${id}`, undefined,
			{ show_deleted_message: true }), 403, 17);
		await refused(js.deleteMessage(id), 16, /doesn't exist/);
		await refused(js.updateMessage({ id, text: 'x' }, 'ann'), 16, /doesn't exist/);
	});
	test('hard: it is gone', async () => {
		for (const [text, remove] of [['gone 1', (id) => js.deleteMessage(id, true)],
			['gone 2', (id) => node.chat.deleteMessage({ id, hard: true })]]) {
			const { id } = await say(text);
			const { message } = await remove(id);
			assert.equal(message.id, id);
			assertError(await api.get(`/messages/${id}`, { show_deleted_message: true }), 404, 16);
			assert.ok(!texts(await shown()).includes(text));
			await refused(js.deleteMessage(id, true), 16, /doesn't exist/);
		}
		const { id } = await say('twice');
		await js.deleteMessage(id);
		await js.deleteMessage(id, true);
		assertError(await api.get(`/messages/${id}`), 404, 16);
		await say('again', { id: 'own-id' });
		await js.deleteMessage('own-id', true);
		assert.equal((await say('reborn', { id: 'own-id' })).text, 'reborn');
	});
	test('of a campaign: it is gone, and stays sent once', async () => {
		await makeUsers(api, ['rid']);
		const definition = { id: 'rid-camp', sender_id: 'ann', user_ids: ['rid'], create_channels: true,
			channel_template: { type: 'messaging', id: 'rid-{{receiver.id}}' },
			message_template: { text: 'Hi', attachments: [{ type: 'image' }] } };
		await send(api, definition);
		const [{ messages: [{ id }] }] = await inbox(api, 'rid');
		await js.deleteMessage(id, true);
		assertError(await api.get(`/messages/${id}`), 404, 16);
		const [state] = await inbox(api, 'rid');
		assert.deepEqual(texts(state), []);
		assert.equal(state.channel.last_message_at, undefined);
		await api.post('/channels/messaging/rid-rid/read', { user_id: 'rid' });
		const { campaign } = await js.getCampaign('rid-camp');
		assert.deepEqual([campaign.stats.stats_messages_sent, campaign.stats.stats_users_read], [1, 0]);
	});
	test('by users: the own, or all as a moderator; never hard', async () => {
		const { id } = await say('by bob', { user_id: 'bob' });
		const second = await say('by ann');
		assertError(await as('bob', 'DELETE', `/messages/${second.id}`), 403, 17);
		assertError(await as('carl', 'DELETE', `/messages/${id}`), 403, 17);
		assertError(await as('bob', 'DELETE', `/messages/${id}`, undefined, { hard: true }), 403, 17);
		assertOk(await as('bob', 'DELETE', `/messages/${id}`), 200);
		const third = await say('by bob', { user_id: 'bob' });
		assertOk(await as('ann', 'DELETE', `/messages/${third.id}`), 200); /* she made the channel */
	});
	test('refused', async () => {
		const { id } = await say('stays');
		for (const query of [{ hard: 'maybe' }, { delete_for_me: true }, { delete_for_me: 'x' }])
			assertError(await api.del(`/messages/${id}`, query), 400, 4, /hard|delete_for_me/);
		assertError(await api.get(`/messages/${id}`, { show_deleted_message: 'x' }), 400, 4);
		assertError(await api.del('/messages/nowhere'), 404, 16, /nowhere/);
		assert.equal((await js.getMessage(id)).message.text, 'stays');
	});
});

describe('pages', () => {
	const sent = [];
	before(async () => {
		for (let i = 0; i < 9; i++)
			sent.push(await say(`p${i}`, {}, 'pages'));
	});
	const cases = () => [
		[{ limit: 3 }, 'p6 p7 p8'], [{ limit: 2, id_lt: sent[4].id }, 'p2 p3'],
		[{ limit: 2, id_lte: sent[4].id }, 'p3 p4'], [{ limit: 2, id_gt: sent[4].id }, 'p5 p6'],
		[{ limit: 2, id_gte: sent[4].id }, 'p4 p5'], [{ limit: 4, id_around: sent[4].id }, 'p2 p3 p4 p5'],
		[{ limit: 5, id_around: sent[4].id }, 'p2 p3 p4 p5 p6'],
		[{ limit: 3, id_around: sent[0].id }, 'p0 p1'], [{ limit: 1, id_around: sent[8].id }, 'p8'],
		[{ limit: 2, created_at_before: sent[4].created_at }, 'p2 p3'],
		[{ limit: 2, created_at_before_or_equal: sent[4].created_at }, 'p3 p4'],
		[{ limit: 2, created_at_after: sent[4].created_at }, 'p5 p6'],
		[{ limit: 2, created_at_after_or_equal: sent[4].created_at }, 'p4 p5'],
		[{ limit: 3, created_at_around: sent[4].created_at }, 'p3 p4 p5'],
		[{ id_lt: 'unknown' }, ''], [{ id_around: 'unknown' }, ''], [{}, sent.map((m) => m.text).join(' ')],
		[{ limit: 2, id_gt: sent[4].id, id_lt: null }, 'p5 p6'],
	];
	test('of a get-or-create', async () => {
		for (const { chat } of DIALECTS)
			for (const [messages, expected] of cases()) {
				const state = assertOk(await api.post(`${chat}/channels/messaging/pages/query`,
					{ state: true, messages }), 201);
				assert.equal(texts(state).join(' '), expected, JSON.stringify(messages));
			}
	});
	test('of a get, in the query', async () => {
		for (const [messages, expected] of cases()) {
			const query = Object.fromEntries(Object.entries(messages)
				.filter(([key, value]) => !key.startsWith('created') && value !== null)
				.map(([key, value]) => [`messages_${key}`, value]));
			if (Object.keys(query).length !== Object.keys(messages).length)
				continue;
			const state = assertOk(await api.get('/channels/messaging/pages', query), 200);
			assert.equal(texts(state).join(' '), expected, JSON.stringify(query));
		}
		const state = await node.chat.getChannel({ type: 'messaging', id: 'pages', messages_limit: 2,
			messages_id_lt: sent[4].id, members_limit: 1 });
		assert.deepEqual([texts(state), state.members.length], [['p2', 'p3'], 1]);
	});
	test('times as integers of nanoseconds', async () => {
		const at = BigInt(Date.parse(sent[4].created_at.slice(0, 23) + 'Z')) * 1000000n +
			BigInt(sent[4].created_at.slice(23, 26)) * 1000n;
		const answer = await call(server, 'POST', '/channels/messaging/pages/query',
			{ raw: `{"messages":{"limit":1,"created_at_before_or_equal":${at}}}` });
		assert.deepEqual(texts(assertOk(answer, 201)), ['p4']);
	});
	test('stream-chat: the channel pages back', async () => {
		const channel = js.channel('messaging', 'pages');
		await channel.query({ messages: { limit: 3 } });
		const { messages } = await channel.query({ messages: { limit: 3, id_lt: sent[6].id } });
		assert.deepEqual(messages.map(({ text }) => text), ['p3', 'p4', 'p5']);
	});
	test('refused', async () => {
		await assertAllRefused([5, { limit: 301 }, { limit: -1 }, { limit: 'x' }, { id_lt: 5 },
			{ id_lt: 'a', id_gt: 'b' }, { id_around: 'a', created_at_after: '2027-01-01T00:00:00Z' },
			{ created_at_before: 'yesterday' }, { created_at_around: true }],
		(messages) => api.post('/channels/messaging/pages/query', { messages }), /messages/);
		for (const query of [{ messages_limit: 301 }, { messages_limit: 'x' }, { members_limit: 101 },
			{ messages_id_lt: 'a', messages_id_gt: 'b' }])
			assertError(await api.get('/channels/messaging/pages', query), 400, 4, /m\w+_/);
	});
});

describe('slow mode', () => {
	const path = '/channels/messaging/slow';
	const send = (id, text) => as(id, 'POST', `${path}/message`, { message: { text } });

	before(() => js.channel('messaging', 'slow', { members: ['ann', 'bob', 'carl'], created_by_id: 'ann' }).create());

	test('one message of a member in so many seconds: code 60', async () => {
		const { channel } = await js.channel('messaging', 'slow').enableSlowMode(60);
		assert.equal(channel.cooldown, 60);
		assertOk(await send('bob', 'one'), 201);
		assertError(await send('bob', 'two'), 403, 60, /slow mode/);
		/* For each by himself; not for who moderates, nor for the back end. */
		assertOk(await send('carl', 'one'), 201);
		for (const text of ['one', 'two'])
			assertOk(await send('ann', text), 201);
		for (const text of ['three', 'four'])
			await js.channel('messaging', 'slow').sendMessage({ text, user_id: 'bob' });
		const mine = assertOk(await as('bob', 'POST', `${path}/query`, { state: true }), 201).channel;
		assert.deepEqual([mine.cooldown, mine.own_capabilities.includes('skip-slow-mode')], [60, false]);
		assert.ok(assertOk(await as('ann', 'POST', `${path}/query`, { state: true }), 201).channel
			.own_capabilities.includes('skip-slow-mode'));
	});
	test('two at once do not slip through', async () => {
		await makeUsers(api, ['hasty']);
		await js.channel('messaging', 'slow').addMembers(['hasty']);
		const answers = await Promise.all(['a', 'b', 'c', 'd'].map((text) => send('hasty', text)));
		assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 403, 403, 403]);
	});
	test('it ends, and stays through other changes', async () => {
		const slow = js.channel('messaging', 'slow');
		await slow.update({ name: 'Slow' });
		assertError(await send('bob', 'no'), 403, 60);
		await slow.updatePartial({ set: { name: 'Still' } });
		assertError(await send('bob', 'no'), 403, 60);
		const { channel } = await slow.disableSlowMode();
		assert.equal(channel.cooldown, undefined);
		for (const text of ['one', 'two'])
			assertOk(await send('bob', text), 201);
		assert.equal((await slow.updatePartial({ set: { cooldown: 5 } })).channel.cooldown, 5);
		assert.equal((await slow.updatePartial({ unset: ['cooldown'] })).channel.cooldown, undefined);
	});
	test('bad input, and who may not', async () => {
		await assertAllRefused([-1, 121, 1.5, '5', true, [], {}].map((cooldown) => ({ cooldown })),
			(body) => api.post(path, body), /cooldown/);
		await assertAllRefused([-1, 121, 1.5, '5', true, [], {}].map((cooldown) => ({ set: { cooldown } })),
			(body) => api.patch(path, body), /cooldown/);
		assertError(await as('bob', 'POST', path, { cooldown: 5 }), 403, 17);
		assertOk(await as('ann', 'POST', path, { cooldown: 0 }), 201);
	});
});
