/* unread – marking one, many and all channels, taking marks back, delivery, counts over all
 * channels, and what becomes of stats_users_read: api.md §6.5, §3.5. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertAllRefused, assertError, assertOk, call, refused, userToken }
	from './lib/clients.mjs';
import { getCampaign, ids, inbox, makeUsers, send, startServer } from './lib/fixtures.mjs';

let server, api, js, node;
before(async () => {
	({ server, api, js, node } = await startServer(['ann', 'bob', 'carl', 'dora']));
});
after(() => server.close());

const make = (id, members, type = 'messaging', more = {}) => js.channel(type, id, { members,
	created_by_id: members[0], ...more }).create();
const say = async (id, user_id, more = {}) => assertOk(await api.post(
	`/channels/messaging/${id}/message`, { message: { text: 'x', user_id, ...more } }), 201).message;
const as = (id, method, path, body, query = {}) => call(server, method, path,
	{ token: userToken(server, id), query, body });
const counts = async (id) => {
	const answer = assertOk(await api.get('/unread', { user_id: id }), 200);
	return Object.fromEntries(answer.channels.map((c) => [c.channel_id, c.unread_count]));
};
const usersRead = async (id) => (await getCampaign(api, id)).stats.stats_users_read;
const sendTo = (users, prefix, more = {}) => send(api, { sender_id: 'ann', user_ids: users,
	create_channels: true, message_template: { text: 'Hi' }, channel_template: { type: 'messaging',
		id: `${prefix}-{{receiver.id}}` }, ...more });
const readState = async (cid, id) => (await inbox(api, id, { filter_conditions: { cid } }))[0].read
	.find(({ user }) => user.id === id);

describe('counts', () => {
	before(async () => {
		await makeUsers(api, ['cnt']);
		await make('c1', ['ann', 'cnt'], 'messaging', { team: 'red' });
		await make('c2', ['ann', 'cnt']);
		await make('c3', ['ann', 'cnt'], 'team');
		await make('c4', ['ann', 'cnt']);
		for (const id of ['c1', 'c1', 'c2'])
			await say(id, 'ann');
		await say('c2', 'cnt');
		await say('c2', 'ann', { silent: true });
		await say('c2', 'ann', { parent_id: (await say('c2', 'ann')).id });
		await js.channel('team', 'c3').sendMessage({ text: 'x', user_id: 'ann' });
		await sendTo(['cnt'], 'cn');
	});
	test('stream-chat: getUnreadCount', async () => {
		const got = await js.getUnreadCount('cnt');
		assert.deepEqual([got.total_unread_count, got.total_unread_threads_count, got.threads], [6, 0, []]);
		assert.deepEqual(got.channels.map(({ channel_id }) => channel_id),
			['messaging:cn-cnt', 'team:c3', 'messaging:c2', 'messaging:c1']);
		assert.deepEqual(got.channels.map(({ unread_count }) => unread_count), [1, 1, 2, 2]);
		assert.ok(got.channels.every(({ last_read }) => last_read));
		assert.deepEqual(Object.fromEntries(got.channel_type.map((t) =>
			[t.channel_type, [t.channel_count, t.unread_count]])), { messaging: [3, 5], team: [1, 1] });
		assert.deepEqual(got.total_unread_count_by_team, { red: 2 });
	});
	test('node-sdk: unreadCounts', async () => {
		const got = await node.chat.unreadCounts({ user_id: 'cnt' });
		assert.equal(got.total_unread_count, 6);
		assert.ok(got.channels[0].last_read instanceof Date);
	});
	test('many users at once', async () => {
		for (const ask of [() => js.getUnreadCountBatch(['cnt', 'dora', 'nobody', 'cnt']),
			() => node.chat.unreadCountsBatch({ user_ids: ['cnt', 'dora', 'nobody', 'cnt'] })]) {
			const { counts_by_user } = await ask();
			assert.deepEqual(Object.keys(counts_by_user), ['cnt', 'dora', 'nobody']);
			assert.equal(counts_by_user.cnt.total_unread_count, 6);
			assert.equal(counts_by_user.cnt.channels.length, 4);
			assert.deepEqual([counts_by_user.dora.total_unread_count, counts_by_user.nobody.channels], [0, []]);
		}
	});
	test('in the answers of users', async () => {
		const expected = [6, 6, 4, 0];
		const told = (user) => [user.total_unread_count, user.unread_count, user.unread_channels,
			user.unread_threads];
		const { users: [one] } = await js.queryUsers({ id: 'cnt' });
		assert.deepEqual(told(one), expected);
		const { users: { cnt } } = await js.upsertUser({ id: 'cnt', name: 'C' });
		assert.deepEqual(told(cnt), expected);
		const patched = await js.partialUpdateUser({ id: 'cnt', set: { name: 'D' } });
		assert.deepEqual(told(patched.users.cnt), expected);
		const { users } = await js.upsertUsers([{ id: 'cnt' }, { id: 'fresh' }]);
		assert.deepEqual([told(users.cnt), told(users.fresh)], [expected, [0, 0, 0, 0]]);
	});
	test('a user token asks for itself', async () => {
		assert.equal(assertOk(await as('cnt', 'GET', '/unread'), 200).total_unread_count, 6);
		assert.equal(assertOk(await as('dora', 'GET', '/unread', undefined, { user_id: 'cnt' }), 200)
			.total_unread_count, 0);
		assertError(await as('cnt', 'POST', '/unread_batch', { user_ids: ['ann'] }), 403, 17);
	});
	test('has_unread and unread_count filter and sort', async () => {
		const list = async (filter, sort) => assertOk(await api.post('/channels', { user_id: 'cnt', sort,
			filter_conditions: { members: { $in: ['cnt'] }, ...filter } }), 201).channels
			.map(({ channel }) => channel.id);
		assert.deepEqual((await list({ has_unread: true })).sort(), ['c1', 'c2', 'c3', 'cn-cnt']);
		assert.deepEqual(await list({ has_unread: false }), ['c4']);
		assert.deepEqual((await list({ unread_count: { $gte: 2 } })).sort(), ['c1', 'c2']);
		assert.deepEqual((await list({}, [{ field: 'has_unread', direction: 1 }]))[0], 'c4');
		assert.deepEqual((await list({}, [{ field: 'unread_count', direction: -1 }])).slice(0, 2).sort(),
			['c1', 'c2']);
	});
	test('a removed member, a deleted channel count no more', async () => {
		await makeUsers(api, ['cnt2']);
		for (const id of ['g1', 'g2']) {
			await make(id, ['ann', 'cnt2']);
			await say(id, 'ann');
		}
		await sendTo(['cnt2'], 'g');
		assert.deepEqual(Object.keys(await counts('cnt2')).length, 3);
		await js.channel('messaging', 'g1').removeMembers(['cnt2']);
		await js.channel('messaging', 'g2').delete();
		await js.channel('messaging', 'g-cnt2').truncate();
		assert.deepEqual(await counts('cnt2'), {});
	});
});

describe('mark read', () => {
	test('stream-chat: some channels, up to a message or all', async () => {
		await makeUsers(api, ['mr']);
		for (const id of ['r1', 'r2', 'r3'])
			await make(id, ['ann', 'mr']);
		const first = await say('r1', 'ann');
		for (const id of ['r1', 'r2', 'r3'])
			await say(id, 'ann');
		await js.markChannelsRead({ user_id: 'mr', read_by_channel: { 'messaging:r1': first.id,
			'messaging:r2': '' } });
		assert.deepEqual(await counts('mr'), { 'messaging:r1': 1, 'messaging:r3': 1 });
		assert.equal((await readState('messaging:r1', 'mr')).last_read_message_id, first.id);
	});
	test('all: by both clients, with what campaigns sent', async () => {
		await makeUsers(api, ['all1', 'all2']);
		const campaigns = [];
		for (const prefix of ['al', 'am'])
			campaigns.push((await sendTo(['all1', 'all2'], prefix)).id);
		for (const id of ['a1', 'a2']) {
			await make(id, ['ann', 'all1', 'all2']);
			await say(id, 'ann');
		}
		assert.equal(Object.keys(await counts('all1')).length, 4);
		await js.markAllRead({ user_id: 'all1' });
		assert.deepEqual(await counts('all1'), {});
		assert.equal(Object.keys(await counts('all2')).length, 4);
		assert.deepEqual([await usersRead(campaigns[0]), await usersRead(campaigns[1])], [1, 1]);
		await js.markAllRead({ user_id: 'all1' });
		await node.chat.markChannelsRead({ user_id: 'all2' });
		assert.deepEqual(await counts('all2'), {});
		assert.deepEqual([await usersRead(campaigns[0]), await usersRead(campaigns[1])], [2, 2]);
	});
	test('all, by a user token, with an empty body', async () => {
		await makeUsers(api, ['own']);
		const { id } = await sendTo(['own'], 'ow');
		assertOk(await as('own', 'POST', '/channels/read', {}), 201);
		assert.deepEqual([await counts('own'), await usersRead(id)], [{}, 1]);
	});
	test('all of 250 channels: more than one transaction', async () => {
		const prefixes = ids('w', 250);
		await makeUsers(api, ['wide']);
		for (const prefix of prefixes)
			assertOk(await api.post(`/channels/messaging/${prefix}/query`, { data: {
				created_by_id: 'ann', members: ['ann', 'wide'] } }), 201);
		for (const prefix of prefixes)
			await say(prefix, 'ann');
		assert.equal(assertOk(await api.get('/unread', { user_id: 'wide' }), 200).total_unread_count, 250);
		assert.equal(assertOk(await api.get('/unread', { user_id: 'wide' }), 200).channels.length, 100);
		assertOk(await api.post('/channels/read', { user_id: 'wide' }), 201);
		assert.deepEqual(await counts('wide'), {});
	});
	test('one channel with the messages of many: each reader counts once', async () => {
		const users = ids('hall', 50);
		await makeUsers(api, users);
		const { id } = await send(api, { sender_id: 'ann', user_ids: users, create_channels: true,
			message_template: { text: '{{receiver.id}}' },
			channel_template: { type: 'messaging', id: 'hall', members: users } });
		for (const user of [users[0], users[7], users[7], users[49]])
			assertOk(await api.post('/channels/messaging/hall/read', { user_id: user }), 201);
		assert.equal(await usersRead(id), 3);
	});
	test('refused', async () => {
		await makeUsers(api, ['strict']);
		await make('s1', ['ann', 'strict']);
		await make('s2', ['ann', 'dora']);
		const many = Object.fromEntries(ids('x', 31).map((id) => [`messaging:${id}`, '']));
		await assertAllRefused([{}, { user_id: 5 }, { user_id: 'strict', read_by_channel: 'x' },
			{ user_id: 'strict', read_by_channel: { 'messaging:s1': 5 } },
			{ user_id: 'strict', read_by_channel: { nonsense: '' } },
			{ user_id: 'strict', read_by_channel: many },
			{ user_id: 'strict', read_by_channel: { 'messaging:s1': '', 'messaging:s2': '' } }],
		(body) => api.post('/channels/read', body));
		for (const read_by_channel of [{ 'messaging:never': '' }, { 'messaging:s1': 'unknown' },
			{ 'chess:x': '' }])
			assertError(await api.post('/channels/read', { user_id: 'strict', read_by_channel }), 404, 16);
		assertError(await api.post('/channels/read', { user_id: 'nobody' }), 404, 16, /nobody/);
		assertError(await as('dora', 'POST', '/channels/read', { read_by_channel: { 'messaging:s1': '' } }),
			403, 17);
	});
});

describe('mark unread', () => {
	test('both clients: from a message on', async () => {
		await makeUsers(api, ['mu']);
		await make('u1', ['ann', 'mu']);
		const sent = [];
		for (let i = 0; i < 4; i++)
			sent.push(await say('u1', 'ann'));
		const channel = js.channel('messaging', 'u1');
		await channel.markRead({ user_id: 'mu' });
		await channel.markUnread({ message_id: sent[2].id, user_id: 'mu' });
		assert.deepEqual(await counts('mu'), { 'messaging:u1': 2 });
		const mark = await readState('messaging:u1', 'mu');
		assert.deepEqual([mark.unread_messages, mark.last_read_message_id], [2, sent[1].id]);
		await node.chat.channel('messaging', 'u1').markUnread({ message_id: sent[0].id, user_id: 'mu' });
		assert.deepEqual(await counts('mu'), { 'messaging:u1': 4 });
		assert.equal((await readState('messaging:u1', 'mu')).last_read_message_id, undefined);
		await channel.markUnread({ message_id: sent[3].id, user_id: 'mu' });
		assert.deepEqual(await counts('mu'), { 'messaging:u1': 4 }, 'never forward');
		await channel.markRead({ user_id: 'mu' });
		assertOk(await as('mu', 'POST', '/channels/messaging/u1/unread',
			{ message_timestamp: sent[1].created_at }), 201);
		assert.deepEqual(await counts('mu'), { 'messaging:u1': 3 });
	});
	test('who read a campaign\'s message counts once, however often he takes it back', async () => {
		await makeUsers(api, ['mc1', 'mc2']);
		const { id } = await sendTo(['mc1', 'mc2'], 'mc');
		const [{ messages: [message] }] = await inbox(api, 'mc1');
		const channel = js.channel('messaging', 'mc-mc1', { created_by_id: 'mc1' });
		await channel.query({});
		for (let i = 0; i < 3; i++) {
			await channel.markRead({ user_id: 'mc1' });
			assert.equal(await usersRead(id), 1);
			await channel.markUnread({ message_id: message.id, user_id: 'mc1' });
			assert.deepEqual(await counts('mc1'), { 'messaging:mc-mc1': 1 });
			assert.equal(await usersRead(id), 1);
		}
		await js.markAllRead({ user_id: 'mc1' });
		await js.markAllRead({ user_id: 'mc2' });
		assert.equal(await usersRead(id), 2);
	});
	test('refused', async () => {
		await make('u2', ['ann', 'bob']);
		await make('u3', ['ann', 'bob']);
		const { id } = await say('u2', 'ann');
		const path = '/channels/messaging/u2/unread';
		await assertAllRefused([{}, { user_id: 'bob' }, { message_id: id }, { user_id: 'bob', message_id: 5 },
			{ user_id: 'bob', message_timestamp: 'x' }, { user_id: 'dora', message_id: id }],
		(body) => api.post(path, body));
		assertError(await api.post(path, { user_id: 'bob', message_id: 'unknown' }), 404, 16);
		assertError(await api.post('/channels/messaging/u3/unread', { user_id: 'bob', message_id: id }), 404, 16);
		assertError(await api.post('/channels/messaging/never/unread', { user_id: 'bob', message_id: id }),
			404, 16);
		assertError(await as('dora', 'POST', path, { message_id: id }), 403, 17);
	});
});

describe('delivered', () => {
	test('both clients: the newest that reached a device', async () => {
		await makeUsers(api, ['dl']);
		await make('d1', ['ann', 'dl']);
		await sendTo(['dl'], 'dx');
		const first = await say('d1', 'ann'), second = await say('d1', 'ann');
		const [{ messages: [hi] }] = await inbox(api, 'dl', { filter_conditions: { cid: 'messaging:dx-dl' } });
		await js.markChannelsDelivered({ user_id: 'dl', latest_delivered_messages: [
			{ cid: 'messaging:d1', id: first.id }, { cid: 'messaging:dx-dl', id: hi.id }] });
		const state = await readState('messaging:d1', 'dl');
		assert.deepEqual([state.last_delivered_message_id, state.unread_messages], [first.id, 2]);
		assert.ok(state.last_delivered_at);
		assert.equal((await readState('messaging:dx-dl', 'dl')).last_delivered_message_id, hi.id);
		await node.chat.markDelivered({ user_id: 'dl', latest_delivered_messages: [
			{ cid: 'messaging:d1', id: first.id }, { cid: 'messaging:d1', id: second.id }] });
		assert.equal((await readState('messaging:d1', 'dl')).last_delivered_message_id, second.id);
		assertOk(await as('dl', 'POST', '/channels/delivered', { latest_delivered_messages: [
			{ cid: 'messaging:d1', id: first.id, parent_id: 'x' }] }), 201);
		assert.equal((await readState('messaging:d1', 'dl')).last_delivered_message_id, first.id);
	});
	test('what is not there any more is passed over', async () => {
		const { id } = await say('d1', 'ann');
		assertOk(await api.post('/channels/delivered', { user_id: 'dl', latest_delivered_messages: [
			{ cid: 'messaging:never', id: 'x' }, { cid: 'messaging:u2', id }, { cid: 'nonsense', id },
			{ cid: 'messaging:d1', id: 'unknown' }, { cid: 'messaging:d1', id }] }), 201);
		assert.equal((await readState('messaging:d1', 'dl')).last_delivered_message_id, id);
	});
	test('config.delivery_events says that it is worth it', async () => {
		const { channel } = assertOk(await api.get('/channels/messaging/d1'), 200);
		assert.equal(channel.config.delivery_events, true);
	});
	test('refused', async () => {
		const list = (latest_delivered_messages) => ({ user_id: 'dl', latest_delivered_messages });
		await assertAllRefused([{}, list('x'), list([5]), list([{}]), list([{ cid: 'messaging:d1' }]),
			list([{ cid: 5, id: 'x' }]), list([{ cid: 'messaging:d1', id: 5 }]),
			list(Array(101).fill({ cid: 'messaging:d1', id: 'x' }))],
		(body) => api.post('/channels/delivered', body));
		for (const { chat } of DIALECTS)
			assertOk(await api.post(`${chat}/channels/delivered`, { user_id: 'dl' }), 201);
	});
});

test('unread: refused', async () => {
	assertError(await api.get('/unread'), 400, 4, /user_id/);
	assertError(await api.get('/unread', { user_id: 'nobody' }), 404, 16, /nobody/);
	await assertAllRefused([{}, { user_ids: [] }, { user_ids: 'ann' }, { user_ids: [5] },
		{ user_ids: Array(101).fill('ann') }], (body) => api.post('/unread_batch', body), /user_ids/);
	await refused(js.getUnreadCountBatch([]), 4);
});
