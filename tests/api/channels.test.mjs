/* channels – query, get-or-create, messages and reads in both dialects: api.md §6.2–6.5. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertAllRefused, assertError, assertOk, call, refused, userToken }
	from './lib/clients.mjs';
import { ids, inbox, makeUsers, send, startServer } from './lib/fixtures.mjs';

let server, api, js, node;
before(async () => {
	({ server, api, js, node } = await startServer([
		{ id: 'ann', name: 'Ann', country: 'USA' }, { id: 'bob', name: 'Bob' },
		'carl', 'dora', 'emil', ...ids('u', 10)]));
});
after(() => server.close());

const memberIds = (state) => state.members.map(({ user_id }) => user_id).sort();
const texts = (state) => state.messages.map(({ text }) => text);

/* What the JS client needs in order not to crash, and what types promise (§6.3). */
function assertState(state, v2) {
	const told = JSON.stringify(state).slice(0, 2000);
	for (const key of ['members', 'messages', 'pinned_messages', 'read', 'threads'])
		assert.ok(Array.isArray(state[key]), `${key}: ${told}`);
	const { channel } = state;
	assert.equal(channel.cid, `${channel.type}:${channel.id}`);
	assert.equal(channel.frozen, false);
	assert.equal(channel.disabled, false);
	assert.ok(channel.created_at && channel.updated_at, told);
	assert.equal(typeof channel.member_count, 'number', told);
	assert.equal(channel.created_by?.id !== undefined, true, told);
	const { config } = channel;
	assert.equal(config.read_events, true);
	assert.equal(config.max_message_length, 5000);
	for (const key of ['name', 'message_retention', 'automod', 'automod_behavior'])
		assert.equal(typeof config[key], 'string', key);
	for (const key of ['typing_events', 'connect_events', 'delivery_events', 'search', 'reactions',
		'replies', 'quotes', 'mutes', 'uploads', 'url_enrichment', 'custom_events',
		'push_notifications', 'polls'])
		assert.equal(typeof config[key], 'boolean', key);
	assert.ok(Array.isArray(config.commands));
	for (const member of state.members) {
		assert.equal(member.user.id, member.user_id);
		assert.ok(['member', 'moderator', 'admin', 'owner'].includes(member.role), member.role);
		assert.match(member.channel_role, /^channel_(member|moderator)$/);
		assert.equal(typeof member.banned, 'boolean');
		assert.equal(typeof member.notifications_muted, 'boolean');
		if (v2)
			assert.equal(typeof member.custom, 'object');
	}
	for (const read of state.read) {
		assert.equal(typeof read.user.id, 'string');
		assert.equal(typeof read.unread_messages, 'number');
		assert.ok(read.last_read, told);
	}
	for (const message of state.messages)
		assertMessage(message, channel.cid, v2);
	if (v2)
		assert.equal(typeof channel.custom, 'object');
}

function assertMessage(message, cid, v2) {
	const told = JSON.stringify(message);
	assert.equal(message.cid, cid, told);
	for (const key of ['id', 'text', 'html', 'type'])
		assert.equal(typeof message[key], 'string', `${key}: ${told}`);
	for (const key of ['attachments', 'latest_reactions', 'own_reactions', 'mentioned_users',
		'restricted_visibility'])
		assert.ok(Array.isArray(message[key]), `${key}: ${told}`);
	for (const key of ['silent', 'shadowed', 'pinned'])
		assert.equal(message[key], false, `${key}: ${told}`);
	for (const key of ['reply_count', 'deleted_reply_count'])
		assert.equal(message[key], 0, `${key}: ${told}`);
	assert.ok(message.created_at && message.updated_at, told);
	assert.equal(typeof message.user.id, 'string', told);
	if (v2)
		assert.equal(typeof message.custom, 'object', told);
}

describe('get or create by id', () => {
	test('stream-chat', async () => {
		const channel = js.channel('messaging', 'js-1', { members: ['bob', 'ann'],
			created_by_id: 'ann', name: 'Talk', colour: 'red', deep: { a: [1] } });
		const state = await channel.create();
		assertState(state, false);
		assert.match(state.duration, /s$/);
		assert.equal(state.channel.cid, 'messaging:js-1');
		assert.deepEqual(memberIds(state), ['ann', 'bob']);
		assert.deepEqual([state.channel.name, state.channel.colour, state.channel.deep,
			state.channel.created_by.id, state.channel.created_by.country, state.channel.member_count],
			['Talk', 'red', { a: [1] }, 'ann', 'USA', 2]);
		const again = await js.channel('messaging', 'js-1', { created_by_id: 'bob',
			members: ['carl'] }).create();
		assert.equal(again.channel.created_by.id, 'ann');
		assert.equal(again.channel.colour, 'red');
	});
	test('node-sdk', async () => {
		const channel = node.chat.channel('team', 'node-1');
		const state = await channel.getOrCreate({ data: { created_by_id: 'ann',
			members: [{ user_id: 'ann' }, { user_id: 'bob', channel_role: 'channel_moderator',
				custom: { k: 1 } }], custom: { colour: 'blue', name: 'N' } } });
		assertState(state, true);
		assert.equal(state.channel.cid, 'team:node-1');
		assert.equal(state.channel.custom.colour, 'blue');
		assert.ok(state.channel.created_at instanceof Date);
		const bob = state.members.find(({ user_id }) => user_id === 'bob');
		assert.deepEqual([bob.channel_role, bob.custom], ['channel_moderator', { k: 1 }]);
		assert.ok(bob.created_at instanceof Date);
	});
	test('as the Java client does: created_by{…}, members[{user:{…}}]', async () => {
		const { channel, members } = assertOk(await api.post('/channels/team/java-1/query', {
			data: { created_by: { id: 'ann' }, members: [{ user: { id: 'bob' } },
				{ user: { id: 'ann' } }] } }), 201);
		assert.equal(channel.created_by.id, 'ann');
		assert.deepEqual(members.map(({ user_id }) => user_id).sort(), ['ann', 'bob']);
	});
	test('every built-in type', async () => {
		for (const type of ['messaging', 'team', 'livestream', 'gaming', 'commerce'])
			assertState(assertOk(await api.post(`/channels/${type}/builtin/query`,
				{ data: { created_by_id: 'ann' } }), 201), false);
	});
	test('unknown members, unknown creator: refused, nothing created', async () => {
		for (const data of [{ created_by_id: 'ann', members: ['nobody'] },
			{ created_by_id: 'nobody' }]) {
			const answer = await api.post('/channels/messaging/refused/query', { data });
			assert.ok([400, 404].includes(answer.status), answer.text);
			assert.match(answer.body.message, /nobody/);
		}
		assert.deepEqual(await js.queryChannels({ cid: 'messaging:refused' }), []);
	});
	test('a user token: the user is the creator', async () => {
		const state = assertOk(await call(server, 'POST', '/channels/messaging/own/query', {
			token: userToken(server, 'carl'), query: { user_id: 'carl' },
			body: { data: { members: ['carl', 'dora'] }, state: true } }), 201);
		assert.equal(state.channel.created_by.id, 'carl');
		assert.ok(state.channel.own_capabilities.includes('read-events'));
		assert.equal(state.membership.user_id, 'carl');
	});
	test('two at once make one channel', async () => {
		const states = await Promise.all(Array.from({ length: 20 }, () =>
			api.post('/channels/messaging/race/query', { data: { created_by_id: 'ann',
				members: ['ann', 'bob'] } })));
		for (const state of states)
			assert.deepEqual(memberIds(assertOk(state, 201)), ['ann', 'bob']);
		assert.equal((await js.queryChannels({ cid: 'messaging:race' })).length, 1);
	});
});

describe('distinct channels', () => {
	const DISTINCT = /^!members-[A-Za-z0-9_-]+$/;
	const get = async (members, type = 'messaging') => (await js.channel(type, undefined,
		{ members, created_by_id: members[0] }).create()).channel;

	test('one channel per set of members, whatever the order', async () => {
		const one = await get(['ann', 'bob']);
		assert.match(one.id, DISTINCT);
		assert.ok(one.id.length <= 64);
		assert.equal((await get(['bob', 'ann'])).cid, one.cid);
		assert.notEqual((await get(['ann', 'carl'])).cid, one.cid);
		assert.notEqual((await get(['ann', 'bob', 'carl'])).cid, one.cid);
		assert.notEqual((await get(['ann'])).cid, one.cid);
		assert.notEqual((await get(['ann', 'bob'], 'team')).cid, one.cid);
		assert.equal((await get(['ann', 'bob'], 'team')).id, one.id);
		assert.equal((await get(['ann', 'bob', 'ann'])).cid, one.cid);
	});
	test('more than three members: still a function of the set', async () => {
		const many = ids('u', 10);
		const one = await get(many);
		assert.match(one.id, DISTINCT);
		assert.ok(one.id.length <= 64);
		assert.equal((await get([...many].reverse())).cid, one.cid);
		assert.notEqual((await get(many.slice(1))).cid, one.cid);
	});
	test('ids sort as the users were made', async () => {
		const made = [];
		for (const id of ids('ord', 4)) {
			await makeUsers(api, [id]);
			made.push((await get([id, 'ann'])).id);
		}
		assert.deepEqual([...made].sort(), made);
	});
	test('node-sdk: getOrCreateDistinctChannel finds it again', async () => {
		const one = await get(['ann', 'bob']);
		const channel = node.chat.channel('messaging');
		const state = await channel.getOrCreate({ data: { created_by_id: 'bob',
			members: [{ user_id: 'bob' }, { user_id: 'ann' }] } });
		assert.equal(channel.id, one.id);
		assert.deepEqual(memberIds(state), ['ann', 'bob']);
		assertState(state, true);
	});
	test('opened by its id', async () => {
		const { id, cid } = await get(['ann', 'bob']);
		const state = await js.channel('messaging', id, { created_by_id: 'ann' }).query({});
		assert.equal(state.channel.cid, cid);
		assert.equal((await js.queryChannels({ cid }))[0].id, id);
	});
});

describe('messages', () => {
	before(() => js.channel('messaging', 'msg', { members: ['ann', 'bob'], created_by_id: 'ann' })
		.create());

	test('stream-chat: send, get', async () => {
		const channel = js.channel('messaging', 'msg');
		const { message } = await channel.sendMessage({ text: 'hello', user_id: 'ann', mood: 'good',
			attachments: [{ type: 'image', image_url: 'https://x/y.png', size: 3 }] });
		assertMessage(message, 'messaging:msg', false);
		assert.deepEqual([message.text, message.type, message.user.id, message.user.name, message.mood],
			['hello', 'regular', 'ann', 'Ann', 'good']);
		assert.deepEqual(message.attachments,
			[{ type: 'image', image_url: 'https://x/y.png', size: 3 }]);
		const { message: got } = await js.getMessage(message.id);
		assertMessage(got, 'messaging:msg', false);
		assert.deepEqual([got.text, got.mood, got.channel.cid], ['hello', 'good', 'messaging:msg']);
	});
	test('node-sdk: send, get', async () => {
		const { message } = await node.chat.channel('messaging', 'msg').sendMessage({ message:
			{ id: 'my-own-id', text: 'v2', user_id: 'bob', custom: { mood: 'v2' } } });
		assertMessage(message, 'messaging:msg', true);
		assert.deepEqual([message.id, message.custom.mood], ['my-own-id', 'v2']);
		assert.ok(message.created_at instanceof Date);
		const { message: got } = await node.chat.getMessage({ id: 'my-own-id' });
		assert.equal(got.text, 'v2');
		assert.equal(got.channel.cid, 'messaging:msg');
	});
	test('an author given as user{id}', async () => {
		const { message } = assertOk(await api.post('/channels/messaging/msg/message',
			{ message: { text: 'x', user: { id: 'bob' } } }), 201);
		assert.equal(message.user.id, 'bob');
	});
	test('the author of a user token is its user', async () => {
		const { message } = assertOk(await call(server, 'POST', '/channels/messaging/msg/message',
			{ token: userToken(server, 'bob'), query: { user_id: 'bob' },
				body: { message: { text: 'mine' } } }), 201);
		assert.equal(message.user.id, 'bob');
	});
	test('refused: no author, bad id, id twice, unknown channel', async () => {
		const post = (message, channel = 'msg') =>
			api.post(`/channels/messaging/${channel}/message`, { message });
		assertError(await post({ text: 'x' }), 400, 4);
		for (const id of ['a,b', 'a%b', 'x'.repeat(256), 5])
			assertError(await post({ id, text: 'x', user_id: 'ann' }), 400, 4);
		assertOk(await post({ id: 'once', text: 'x', user_id: 'ann' }), 201);
		assertError(await post({ id: 'once', text: 'x', user_id: 'ann' }), 400, 4, /once/);
		const answer = await post({ text: 'x', user_id: 'ann' }, 'no-such-channel');
		assert.ok([400, 404].includes(answer.status), answer.text);
		for (const message of [undefined, 'x', { text: 5, user_id: 'ann' },
			{ text: 'x', user_id: 'ann', attachments: 'x' },
			{ text: 'x', user_id: 'ann', attachments: Array(31).fill({}) }])
			assertError(await post(message), 400, 4);
		const stranger = await post({ text: 'x', user_id: 'nobody' });
		assert.ok([400, 404].includes(stranger.status), stranger.text);
	});
	test('5000 characters, not more: code 20', async () => {
		const post = (text) => api.post('/channels/messaging/msg/message',
			{ message: { text, user_id: 'ann' } });
		assert.equal(assertOk(await post('ü'.repeat(5000)), 201).message.text.length, 5000);
		assertError(await post('ü'.repeat(5001)), 400, 20);
	});
	test('attachments and custom data up to 64 KiB', async () => {
		const post = (blob) => api.post('/channels/messaging/msg/message', { message: {
			text: 'x', user_id: 'ann', attachments: [{ blob: 'y'.repeat(blob) }] } });
		assert.equal(assertOk(await post(65000), 201).message.attachments[0].blob.length, 65000);
		assertError(await post(65536), 400, 4, /message\.attachments/);
	});
	test('oldest first; the last 25, or message_limit', async () => {
		await js.channel('messaging', 'many', { members: ['ann', 'bob'], created_by_id: 'ann' }).create();
		const numbers = Array.from({ length: 30 }, (_, i) => `m${i}`);
		for (const text of numbers)
			assertOk(await api.post('/channels/messaging/many/message',
				{ message: { text, user_id: 'ann' } }), 201);
		const ask = async (more) => assertOk(await api.post('/channels',
			{ filter_conditions: { cid: 'messaging:many' }, ...more }), 201).channels[0];
		assert.deepEqual(texts(await ask({})), numbers.slice(5));
		assert.deepEqual(texts(await ask({ message_limit: 3 })), numbers.slice(27));
		assert.deepEqual(texts(await ask({ message_limit: 300 })), numbers);
		const one = assertOk(await api.post('/channels/messaging/many/query',
			{ data: { created_by_id: 'ann' }, state: true, messages: { limit: 4 } }), 201);
		assert.deepEqual(texts(one), numbers.slice(26));
		const before = assertOk(await api.post('/channels/messaging/many/query',
			{ data: { created_by_id: 'ann' }, state: true,
				messages: { limit: 2, id_lt: one.messages[0].id } }), 201);
		assert.deepEqual(texts(before), numbers.slice(24, 26));
	});
	test('last_message_at follows the newest', async () => {
		const [channel] = assertOk(await api.post('/channels',
			{ filter_conditions: { cid: 'messaging:many' }, message_limit: 1 }), 201).channels;
		assert.equal(channel.channel.last_message_at, channel.messages[0].created_at);
	});
	test('unknown: 404 code 16', () => refused(js.getMessage('m9'), 16, /message with id m9/));
});

describe('query', () => {
	const mine = { type: 'gaming', id: { $gte: 'q0' } };
	before(async () => {
		for (const [id, members, custom] of [['q0', ['ann', 'bob'], { colour: 'red', n: 1 }],
			['q1', ['ann', 'carl'], { colour: 'blue', n: 2, name: 'Blue room' }],
			['q2', ['bob'], { colour: 'red', n: 3, frozen: true }],
			['q3', ['ann', 'bob', 'carl'], { n: 3, tags: ['x'] }]])
			await js.channel('gaming', id, { members, created_by_id: members[0], ...custom }).create();
		for (const id of ['q1', 'q0'])
			await js.channel('gaming', id).sendMessage({ text: id, user_id: 'ann' });
	});
	const cases = [
		[{ cid: 'gaming:q1' }, 'q1'], [{ cid: { $in: ['gaming:q0', 'gaming:q2', 'x:y'] } }, 'q0 q2'],
		[{ id: { $gte: 'q2' } }, 'q2 q3'], [{ members: { $in: ['ann'] } }, 'q0 q1 q3'],
		[{ members: { $in: ['bob', 'carl'] } }, 'q0 q1 q2 q3'], [{ created_by_id: 'bob' }, 'q2'],
		[{ colour: 'red' }, 'q0 q2'], [{ colour: { $in: ['blue', 'x'] } }, 'q1'],
		[{ n: { $gt: 1 } }, 'q1 q2 q3'], [{ colour: { $exists: false } }, 'q3'],
		[{ member_count: { $gte: 2 } }, 'q0 q1 q3'], [{ frozen: true }, 'q2'],
		[{ tags: { $contains: 'x' } }, 'q3'], [{ name: { $autocomplete: 'Blue' } }, 'q1'],
		[{ last_message_at: { $gt: '2020-01-01T00:00:00Z' } }, 'q0 q1'],
		[{ created_at: { $lt: '2020-01-01T00:00:00Z' } }, ''],
		[{ $or: [{ id: 'q0' }, { colour: 'blue' }] }, 'q0 q1'],
		[{ $nor: [{ colour: 'red' }] }, 'q1 q3'], [{}, 'q0 q1 q2 q3'],
		[{ members: ['ann', 'bob'] }, 'q0'],
		[{ created_by_id: { $gt: 'ann' } }, 'q2'], [{ created_by_id: { $lte: 'ann' } }, 'q0 q1 q3'],
		[{ created_by_id: { $in: ['ann', 'x'] } }, 'q0 q1 q3'],
		[{ created_by_id: { $exists: false } }, ''], [{ message_count: 1 }, 'q0 q1'],
		[{ message_count: { $lt: 1 } }, 'q2 q3'], [{ 'member.user.name': { $autocomplete: 'bo' } },
			'q0 q2 q3'], [{ 'member.user.name': 'Ann' }, 'q0 q1 q3'],
		[{ 'member.user.name': { $eq: 'A' } }, ''], [{ app_banned: 'excluded' }, 'q0 q1 q2 q3'],
		[{ app_banned: 'only' }, ''], [{ blocked: false }, 'q0 q1 q2 q3'], [{ muted: true }, ''],
		[{ distinct: false }, 'q0 q1 q2 q3'], [{ disabled: true }, ''], [{ joined: false }, 'q0 q1 q2 q3'],
		[{ name: { $q: 'room' } }, 'q1'], [{ type: { $gte: 'gaming' } }, 'q0 q1 q2 q3'],
		[{ team: { $exists: false } }, 'q0 q1 q2 q3'], [{ updated_at: { $gte: '2020-01-01T00:00:00Z' } },
			'q0 q1 q2 q3'], [{ last_updated: { $lt: '2020-01-01T00:00:00Z' } }, ''],
	];
	test('refused: operators and values that a field does not take', () => assertAllRefused([
		{ cid: { $contains: 'x' } }, { id: 5 }, { type: { $nope: 'x' } }, { members: { $gt: 'ann' } },
		{ members: 5 }, { 'member.user.name': { $in: ['x'] } }, { created_at: 'yesterday' },
		{ member_count: 'two' }, { message_count: { $contains: 1 } }, { frozen: 'yes' },
		{ hidden: { $gt: true } }, { channel_role: { $gt: 'x' } }, { app_banned: { $in: ['only'] } },
		{ created_by_id: 5 }, { last_message_at: { $exists: 1 } }, { $and: {} }, { $or: [] }, { $not: {} },
		{ pinned_at: '2020-01-01T00:00:00Z' },
	], (filter_conditions) => api.post('/channels', { filter_conditions }), /filter/));
	/* api.md §6.2, the table, and what is taken beyond it: $ne and $nin wherever they mean something,
	 * $autocomplete for every text, $in and $exists for flags.  All else is refused. */
	const SCALAR = ['$eq', '$exists', '$gt', '$gte', '$in', '$lt', '$lte', '$ne', '$nin'];
	const TEXT = [...SCALAR, '$autocomplete', '$q'];
	const FLAG = ['$eq', '$exists', '$in', '$ne'];
	const each = (fields, operators) => Object.fromEntries(fields.split(' ').map((field) => [field, operators]));
	const TABLE = { ...each('cid id type created_by_id team', TEXT),
		...each('created_at updated_at last_updated last_message_at member_count message_count', SCALAR),
		...each('frozen archived blocked disabled distinct has_unread hidden joined muted pinned', FLAG),
		app_banned: ['$eq'], members: ['$eq', '$in', '$nin'], 'member.user.name': ['$autocomplete', '$eq', '$q'],
		...each('channel_role invite filter_tags', ['$eq', '$in']),
		...each('name anything any.thing', [...TEXT, '$contains']) };
	const operand = (field, op) => {
		const one = /_at$|last_updated/.test(field) ? '2027-01-01T00:00:00Z' : /_count$/.test(field) ? 1
			: field === 'invite' ? 'pending' : field === 'app_banned' ? 'only'
				: TABLE[field] === FLAG ? true : 'x';
		return op === '$exists' ? true : op === '$in' || op === '$nin' ? [one] : one;
	};
	for (const { name, chat } of DIALECTS)
		test(`${name}: each field takes its operators and no others`, async () => {
			const wrong = [];
			for (const [field, allowed] of Object.entries(TABLE))
				for (const op of [...TEXT, '$contains', '$regex', '$not']) {
					const filter = { [field]: { [op]: operand(field, op) } };
					const answer = await api.post(`${chat}/channels`, { filter_conditions: filter, user_id: 'ann' });
					const [status, code] = allowed.includes(op) ? [201, undefined] : [400, 4];
					if (answer.status !== status || answer.body.code !== code ||
						(code && !answer.body.message.includes(field)))
						wrong.push(`${JSON.stringify(filter)} → ${answer.text.slice(0, 150)}`);
				}
			assert.deepEqual(wrong, []);
		});
	test('fields of one member', async () => {
		const mate = js.channel('livestream', 'mate', { members: ['ann', { user_id: 'bob', channel_role:
			'channel_moderator' }], created_by_id: 'ann' });
		await mate.create();
		await mate.hide('ann');
		assertOk(await api.patch('/channels/livestream/mate/member/bob', { set: { pinned: true, archived: true } }), 200);
		const sees = async (user_id, more) => assertOk(await api.post('/channels', { user_id,
			filter_conditions: { cid: 'livestream:mate', ...more } }), 201).channels.length === 1;
		for (const [who, more, expected] of [['ann', {}, false], ['ann', { hidden: true }, true], ['bob', {}, true],
			['bob', { hidden: true }, false], ['bob', { pinned: true }, true], ['bob', { pinned: false }, false],
			['bob', { archived: true }, true], ['bob', { archived: false }, false], ['bob', { joined: true }, true],
			['carl', { joined: true }, false], ['bob', { channel_role: 'channel_moderator' }, true],
			['bob', { channel_role: { $in: ['channel_member'] } }, false], ['bob', { has_unread: true }, false],
			['bob', { invite: 'pending' }, false]])
			assert.equal(await sees(who, more), expected, `${who} ${JSON.stringify(more)}`);
	});
	for (const { name, chat } of DIALECTS) {
		test(`${name}: filters`, async () => {
			for (const [filter, expected] of cases) {
				const { channels } = assertOk(await api.post(`${chat}/channels`,
					{ filter_conditions: { $and: [mine, filter] },
						sort: [{ field: 'created_at', direction: 1 }] }), 201);
				assert.equal(channels.map(({ channel }) => channel.id).join(' '), expected,
					JSON.stringify(filter));
				for (const state of channels)
					if (state.channel.id !== 'q2')
						assertState(state, name === 'v2');
			}
		});
		test(`${name}: sorts and pages`, async () => {
			const order = async (more) => assertOk(await api.post(`${chat}/channels`,
				{ filter_conditions: mine, ...more }), 201).channels
				.map(({ channel }) => channel.id).join(' ');
			const by = (field, direction) => ({ sort: [{ field, direction }] });
			assert.equal(await order(by('created_at', -1)), 'q3 q2 q1 q0');
			assert.equal((await order(by('last_message_at', -1))).slice(0, 5), 'q0 q1');
			assert.equal((await order({})).slice(0, 5), 'q0 q1');
			assert.equal(await order(by('created_at')), 'q0 q1 q2 q3');
			assert.equal(await order({ ...by('created_at', 1), limit: 2 }), 'q0 q1');
			assert.equal(await order({ ...by('created_at', 1), limit: 2, offset: 1 }), 'q1 q2');
			assert.equal(await order({ sort: [{ field: 'n', direction: -1 },
				{ field: 'created_at', direction: 1 }] }), 'q2 q3 q1 q0');
		});
	}
	test('10 by default', async () => {
		for (const id of ids('ten', 12))
			await js.channel('commerce', id, { created_by_id: 'emil' }).create();
		const { channels } = assertOk(await api.post('/channels',
			{ filter_conditions: { type: 'commerce', created_by_id: 'emil' } }), 201);
		assert.equal(channels.length, 10);
	});
	test('stream-chat: hydrated channels', async () => {
		const channels = await js.queryChannels({ type: 'gaming', members: { $in: ['ann'] } },
			[{ created_at: 1 }], { limit: 5, message_limit: 2, state: true });
		assert.deepEqual(channels.map(({ id }) => id), ['q0', 'q1', 'q3']);
		assert.equal(channels[0].state.messages[0].text, 'q0');
		assert.deepEqual(Object.keys(channels[0].state.members).sort(), ['ann', 'bob']);
		assert.equal(channels[0].data.colour, 'red');
	});
	test('node-sdk', async () => {
		const { channels } = await node.chat.queryChannels({
			filter_conditions: { cid: { $in: ['gaming:q1'] } }, limit: 5, state: true });
		assert.equal(channels[0].channel.custom.colour, 'blue');
		assert.ok(channels[0].messages[0].created_at instanceof Date);
	});
	test('member_limit cuts the list, not the count', async () => {
		const { channels: [state] } = assertOk(await api.post('/channels',
			{ filter_conditions: { cid: 'gaming:q3' }, member_limit: 2 }), 201);
		assert.equal(state.members.length, 2);
		assert.equal(state.channel.member_count, 3);
	});
});

test('a channel of 150 members: 100 are shown, who looks among the read marks', async () => {
	const crowd = ids('crowd', 150);
	await makeUsers(api, crowd);
	const channel = js.channel('team', 'crowd', { members: crowd.slice(0, 100), created_by_id: crowd[0] });
	await channel.create();
	await channel.addMembers(crowd.slice(100));
	await channel.sendMessage({ text: 'x', user_id: crowd[0] });
	for (const [who, unread] of [[crowd[0], 0], [crowd[149], 1]]) {
		const [queried] = await inbox(api, who, { filter_conditions: { cid: 'team:crowd' } });
		const got = assertOk(await api.post('/channels/team/crowd/query', { user_id: who, state: true,
			data: { created_by_id: who } }), 201);
		for (const state of [queried, got]) {
			assertState(state, false);
			assert.deepEqual([state.members.length, state.channel.member_count, state.membership?.user_id],
				[100, 150, who]);
			assert.ok(state.read.length >= 100 && state.read.length <= 101, `${state.read.length}`);
			assert.equal(state.read.find(({ user }) => user.id === who)?.unread_messages, unread, who);
		}
	}
});

describe('read marks', () => {
	const channel = () => js.channel('messaging', 'reading');
	const unread = async (id) => {
		const [state] = await inbox(api, id, { filter_conditions: { cid: 'messaging:reading' } });
		return state.read.find(({ user }) => user.id === id)?.unread_messages;
	};
	before(async () => {
		await js.channel('messaging', 'reading', { members: ['ann', 'bob'], created_by_id: 'ann' })
			.create();
		for (const text of ['one', 'two', 'three'])
			await channel().sendMessage({ text, user_id: 'ann' });
	});

	test('messages of others are unread, the own are not', async () => {
		assert.equal(await unread('bob'), 3);
		assert.equal(await unread('ann'), 0);
	});
	test('stream-chat: markRead', async () => {
		const { event } = await channel().markRead({ user_id: 'bob' });
		assert.equal(event.type, 'message.read');
		assert.deepEqual([event.cid, event.user.id], ['messaging:reading', 'bob']);
		assert.equal(await unread('bob'), 0);
		const [state] = await inbox(api, 'bob', { filter_conditions: { cid: 'messaging:reading' } });
		const mark = state.read.find(({ user }) => user.id === 'bob');
		assert.equal(mark.last_read_message_id, state.messages.at(-1).id);
	});
	test('node-sdk: markRead; a new message is unread again', async () => {
		const { message } = await channel().sendMessage({ text: 'four', user_id: 'ann' });
		assert.equal(await unread('bob'), 1);
		const { event } = await node.chat.channel('messaging', 'reading')
			.markRead({ user_id: 'bob' });
		assert.ok(event.created_at instanceof Date);
		assert.equal(event.last_read_message_id, message.id);
		assert.equal(await unread('bob'), 0);
	});
	test('by a user token with an empty body', async () => {
		await channel().sendMessage({ text: 'five', user_id: 'ann' });
		const { event } = assertOk(await call(server, 'POST', '/channels/messaging/reading/read',
			{ token: userToken(server, 'bob'), query: { user_id: 'bob' }, body: {} }), 201);
		assert.equal(event.user.id, 'bob');
		assert.equal(await unread('bob'), 0);
	});
	test('nobody named, unknown channel', async () => {
		assertError(await api.post('/channels/messaging/reading/read', {}), 400, 4);
		const answer = await api.post('/channels/messaging/nowhere/read', { user_id: 'bob' });
		assertError(answer, 404, 16);
	});
});

describe('a channel of a campaign is one like any other', () => {
	test('seen by its receiver and its sender in both dialects', async () => {
		await makeUsers(api, ['rec', 'snd']);
		await send(api, { id: 'camp', sender_id: 'snd', user_ids: ['rec'],
			message_template: { text: 'Hi', custom: { k: { a: 1 } } }, create_channels: true,
			channel_template: { type: 'messaging', id: '{{receiver.id}}-{{sender.id}}',
				custom: { colour: 'red' } } });
		for (const { name, chat } of DIALECTS) {
			for (const who of ['rec', 'snd']) {
				const { channels } = assertOk(await api.post(`${chat}/channels`, { user_id: who,
					state: true, filter_conditions: { members: { $in: [who] } } }), 201);
				assert.equal(channels.length, 1);
				const [state] = channels;
				assertState(state, name === 'v2');
				assert.equal(state.channel.cid, 'messaging:rec-snd');
				assert.deepEqual(memberIds(state), ['rec', 'snd']);
				assert.equal(state.channel.created_by.id, 'snd');
				const { colour } = name === 'v2' ? state.channel.custom : state.channel;
				assert.equal(colour, 'red');
				assert.equal(state.membership.user_id, who);
				const [message] = state.messages;
				assert.deepEqual([message.text, message.type, message.user.id],
					['Hi', 'regular', 'snd']);
				const custom = name === 'v2' ? message.custom : message;
				assert.deepEqual(custom.k, { a: 1 });
				assert.equal(custom.campaign_id, 'camp');
				assert.equal(custom.created_by_campaign_id, 'camp');
				const got = assertOk(await api.get(`${chat}/messages/${message.id}`), 200).message;
				assertMessage(got, 'messaging:rec-snd', name === 'v2');
				assert.equal(got.text, 'Hi');
			}
		}
	});
	test('get-or-create finds it; an answer can be sent there', async () => {
		const state = await js.channel('messaging', 'rec-snd', { created_by_id: 'rec' }).query({});
		assert.equal(state.channel.created_by.id, 'snd');
		assert.deepEqual(texts(state), ['Hi']);
		await js.channel('messaging', 'rec-snd').sendMessage({ text: 'Thanks', user_id: 'rec' });
		const [seen] = await inbox(api, 'snd');
		assert.deepEqual(texts(seen), ['Hi', 'Thanks']);
		assert.equal(seen.read.find(({ user }) => user.id === 'snd').unread_messages, 1);
	});
	test('filters find it by what its template gave', async () => {
		for (const filter of [{ cid: 'messaging:rec-snd' }, { type: 'messaging', colour: 'red' },
			{ created_by_id: 'snd' }, { members: { $in: ['rec'] } }, { id: 'rec-snd' },
			{ members: ['snd', 'rec'] }]) {
			const { channels } = assertOk(await api.post('/channels',
				{ filter_conditions: filter }), 201);
			assert.ok(channels.some(({ channel }) => channel.cid === 'messaging:rec-snd'),
				JSON.stringify(filter));
		}
	});
});
