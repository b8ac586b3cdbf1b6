/* user_state – users who go and come back, and what becomes of what was theirs: api.md §6.1. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertAllRefused, assertError, assertOk, call, jsClient, jwt, rawClient, refused,
	userToken } from './lib/clients.mjs';
import { channelsByCid, ids, inbox, makeUsers, send, slices, startServer } from './lib/fixtures.mjs';
import { ON_PG, Server } from './lib/server.mjs';
import { until } from './lib/wait.mjs';

let server, api, js, node;
before(async () => {
	({ server, api, js, node } = await startServer());
});
after(() => server.close());

const query = async (filter_conditions, options = {}) => assertOk(await api.get('/users',
	{ payload: JSON.stringify({ filter_conditions, ...options }) }), 200).users;
const idsOf = (users) => users.map(({ id }) => id);

async function taskDone(id, status = 'completed') {
	const seen = [];
	const task = await until(`task ${id} has ended`, async () => {
		const found = assertOk(await api.get(`/tasks/${id}`), 200);
		if (found.status !== seen.at(-1))
			seen.push(found.status);
		return ['completed', 'failed'].includes(found.status) && found;
	});
	assert.equal(task.status, status, JSON.stringify(task));
	const order = ['waiting', 'running', status];
	assert.deepEqual(seen, order.filter((one) => seen.includes(one)));
	return task;
}

/* A channel with a message of each member; {cid, messages: {user: id}}. */
async function talk(id, members, type = 'messaging') {
	const { channel } = assertOk(await api.post(id ? `/channels/${type}/${id}/query`
		: `/channels/${type}/query`, { data: { members, created_by_id: members[0] } }), 201);
	const messages = {};
	for (const user_id of members) {
		const { message } = assertOk(await api.post(`/channels/${type}/${channel.id}/message`,
			{ message: { text: `from ${user_id}`, user_id } }), 201);
		messages[user_id] = message.id;
	}
	return { cid: channel.cid, messages };
}

const exists = async (path) => {
	const answer = await api.get(path);
	if (answer.status !== 200)
		assertError(answer, 404, 16);
	/* A message that was deleted is a place without content. */
	return answer.status === 200 && answer.body.message?.type !== 'deleted';
};
const channelExists = async (cid) => (await channelsByCid(api, [cid])).size === 1;
/* Options of a campaign that makes the distinct channels of sender and receiver. */
const MAKES = { create_channels: true, channel_template: { type: 'messaging' } };
const countRows = (sql) => Number(server.sql(sql));

describe('deactivation', () => {
	test('through stream-chat: gone from lists, not from the store', async () => {
		await js.upsertUser({ id: 'd1', name: 'One', country: 'USA' });
		const { user } = await js.deactivateUser('d1');
		assert.deepEqual([user.id, user.name, user.country], ['d1', 'One', 'USA']);
		assert.ok(Math.abs(new Date(user.deactivated_at) - Date.now()) < 60000);
		assert.deepEqual(await query({ id: 'd1' }), []);
		assert.deepEqual(idsOf(await query({ id: 'd1' }, { include_deactivated_users: true })), ['d1']);
		const again = await js.deactivateUser('d1', { created_by_id: 'boss' });
		assert.equal(again.user.deactivated_at, user.deactivated_at);

		const back = await js.reactivateUser('d1');
		assert.equal(back.user.deactivated_at, undefined);
		assert.deepEqual(idsOf(await query({ id: 'd1' })), ['d1']);
		await refused(js.reactivateUser('d1'), 4, /"d1" is not deactivated/);
	});
	test('through node-sdk, with a new name', async () => {
		await node.upsertUsers([{ id: 'd2', name: 'Two', custom: { a: 1 } }]);
		const { user } = await node.deactivateUser({ user_id: 'd2' });
		assert.ok(user.deactivated_at instanceof Date);
		assert.deepEqual(user.custom, { a: 1 });
		const back = await node.reactivateUser({ user_id: 'd2', name: 'Again' });
		assert.deepEqual([back.user.name, back.user.deactivated_at], ['Again', undefined]);
		assert.equal((await query({ id: 'd2' }))[0].name, 'Again');
	});
	test('of many, as a task: all or none, each once', async () => {
		const many = ids('dm', 100);
		await makeUsers(api, many);
		await refused(js.deactivateUsers([...many.slice(1), 'dm-never']), 16, /dm-never/);
		assert.equal((await query({ id: { $in: many } }, { limit: 100 })).length, 100);

		const { task_id } = await js.deactivateUsers(many);
		assert.deepEqual(await query({ id: { $in: many } }), []);
		const task = await taskDone(task_id);
		assert.deepEqual(Object.keys(task.result).sort(), many);
		assert.ok(Object.values(task.result).every(({ status }) => status === 'ok'));

		const twice = await node.reactivateUsers({ user_ids: ['dm00000', 'dm00001', 'dm00000'] });
		assert.deepEqual(Object.keys((await taskDone(twice.task_id)).result), ['dm00000', 'dm00001']);
		assert.deepEqual(idsOf(await query({ id: { $in: many } }, { sort: [{ field: 'id' }] })),
			['dm00000', 'dm00001']);
		await refused(js.reactivateUsers(['dm00002', 'dm00000']), 4, /"dm00000" is not deactivated/);
		assert.deepEqual(await query({ id: 'dm00002' }), []);
	});
	test('an upsert or a change does not reactivate', async () => {
		await makeUsers(api, ['d3']);
		await js.deactivateUser('d3');
		assert.ok((await js.upsertUser({ id: 'd3', name: 'x' })).users.d3.deactivated_at);
		assert.ok((await js.partialUpdateUser({ id: 'd3', set: { y: 1 } })).users.d3.deactivated_at);
		assert.deepEqual(await query({ id: 'd3' }), []);
	});
	test('his token is refused, nor is anything sent in his name', async () => {
		await makeUsers(api, ['d4', 'd5']);
		await talk('d45', ['d4', 'd5']);
		const mine = () => call(server, 'POST', '/channels', { token: userToken(server, 'd4'),
			body: { filter_conditions: { members: { $in: ['d4'] } } } });
		const say = () => api.post('/channels/messaging/d45/message',
			{ message: { text: 'x', user_id: 'd4' } });
		assert.equal(assertOk(await mine(), 201).channels.length, 1);
		await js.deactivateUser('d4');
		assertError(await mine(), 403, 17, /the user d4 was deactivated/);
		assertError(await say(), 403, 17, /the user d4 was deactivated/);
		await js.reactivateUser('d4');
		assertOk(await mine(), 201);
		assertOk(await say(), 201);
	});
	test('campaigns: not in all_users, not in filters, skipped where listed', async () => {
		await makeUsers(api, [{ id: 'cs' }, ...ids('c', 4).map((id) => ({ id, crew: 'c' }))]);
		await js.deactivateUser('c00001');
		assertOk(await api.post('/segments', { id: 'crew', type: 'user', filter: { crew: 'c' } }), 201);
		assertOk(await api.post('/segments', { id: 'all', type: 'user', all_users: true }), 201);
		assertOk(await api.post('/segments', { id: 'crew-list', type: 'user' }), 201);
		assertOk(await api.post('/segments/crew-list/addtargets', { target_ids: ids('c', 4) }), 201);
		const audience = async (more) => (await send(api, { sender_id: 'cs', ...MAKES,
			message_template: { text: 'x' }, ...more })).stats;
		const off = { user_deactivated: 1 };
		const crew = await audience({ segment_ids: ['crew'] });
		assert.deepEqual([crew.audience, crew.messages_sent, crew.skipped], [3, 3, {}]);
		const all = await audience({ segment_ids: ['all'] });
		assert.equal(all.audience, all.messages_sent + 1); /* the sender */
		assert.deepEqual(all.skipped, { is_sender: 1 });
		for (const listed of [{ user_ids: ids('c', 4) }, { segment_ids: ['crew-list'] },
			{ segment_ids: ['crew', 'crew-list'] }]) {
			const stats = await audience(listed);
			assert.deepEqual([stats.audience, stats.messages_sent, stats.skipped], [4, 3, off]);
		}
		for (const [segment, found] of [['crew', false], ['all', false], ['crew-list', true]])
			assert.equal(await exists(`/segments/${segment}/target/c00001`), found);
		await js.reactivateUser('c00001');
		assert.equal((await audience({ segment_ids: ['crew'] })).messages_sent, 4);
		assert.equal((await inbox(api, 'c00001')).length, 1);
	});
	test('messages and conversations hide with him and come back', async () => {
		await makeUsers(api, ['h1', 'h2', 'h3']);
		const pair = await talk(undefined, ['h1', 'h2']);
		const group = await talk('h123', ['h1', 'h2', 'h3']);
		const { id } = await send(api, { sender_id: 'h1', user_ids: ['h3'], ...MAKES,
			message_template: { text: 'campaign' } });
		const told = (await inbox(api, 'h3')).flatMap(({ messages }) => messages)
			.find(({ campaign_id }) => campaign_id === id);
		const seen = async () => [await channelExists(pair.cid), await exists(`/messages/${told.id}`),
			await exists(`/messages/${group.messages.h1}`), await exists(`/messages/${group.messages.h2}`)];
		assert.deepEqual(await seen(), [true, true, true, true]);

		const off = await api.post('/users/h1/deactivate',
			{ mark_messages_deleted: true, mark_channels_deleted: true });
		await taskDone(assertOk(off, 201).task_id);
		assert.deepEqual(await seen(), [false, false, false, true]);
		const gone = assertOk(await api.post('/users/h1/reactivate', {}), 201);
		assert.equal(gone.task_id, undefined);
		assert.deepEqual(await seen(), [false, false, false, true]);

		await taskDone((await js.deactivateUsers(['h1'], { mark_messages_deleted: true })).task_id);
		await taskDone((await js.reactivateUsers(['h1'], { restore_messages: true })).task_id);
		/* What the first deactivation hid stays hidden: it was not this one's. */
		assert.deepEqual(await seen(), [false, false, false, true]);
	});
	test('what was hidden is shown again by the reactivation that follows', async () => {
		await makeUsers(api, ['i1', 'i2', 'i3']);
		const pair = await talk('i12', ['i1', 'i2']);
		const group = await talk('i123', ['i1', 'i2', 'i3']);
		await api.post('/users/i1/deactivate',
			{ mark_messages_deleted: true, mark_channels_deleted: true });
		/* At once: tasks are done in their order. */
		const back = await api.post('/users/i1/reactivate',
			{ restore_messages: true, restore_channels: true });
		await taskDone(assertOk(back, 201).task_id);
		assert.ok(await channelExists(pair.cid));
		for (const id of [...Object.values(pair.messages), ...Object.values(group.messages)])
			assert.ok(await exists(`/messages/${id}`));
	});
});

describe('restoring', () => {
	test('a user who was deleted softly: his data, not his messages', async () => {
		await js.upsertUser({ id: 'r1', name: 'R', teams: ['red'], x: 1 });
		await makeUsers(api, ['r2']);
		const group = await talk('r12', ['r1', 'r2']);
		await taskDone((await js.deleteUsers(['r1'], { user: 'soft', messages: 'soft' })).task_id);
		await js.restoreUsers(['r1']);
		const [user] = await query({ id: 'r1' });
		assert.deepEqual([user.name, user.teams, user.x, user.deleted_at], ['R', ['red'], 1, undefined]);
		assert.equal(await exists(`/messages/${group.messages.r1}`), false);
		assert.equal(await exists(`/messages/${group.messages.r2}`), true);
		await node.deleteUsers({ user_ids: ['r1'] });
		assert.equal(typeof (await node.restoreUsers({ user_ids: ['r1', 'r1'] })).duration, 'string');
		assert.deepEqual(idsOf(await query({ id: 'r1' })), ['r1']);
	});
	test('who is not deleted, forgotten or unknown: refused, and nobody is restored', async () => {
		await makeUsers(api, ['r3', 'r4', 'r5', 'r6']);
		await js.deleteUsers(['r3']);
		await js.deleteUsers(['r5'], { user: 'hard' });
		await js.deleteUsers(['r6'], { user: 'pruning' });
		for (const { common } of DIALECTS) {
			const answer = await api.post(`${common}/users/restore`, { user_ids: ['r3', 'r4'] });
			assertError(answer, 400, 4);
			assert.equal(answer.body.message, 'RestoreUsers failed with error: "user "r4" is not ' +
				'deleted, it can\'t be restored"');
			for (const id of ['r5', 'r6'])
				assertError(await api.post(`${common}/users/restore`, { user_ids: ['r3', id] }), 400, 4,
					new RegExp(`"${id}" was deleted with its data`));
			assertError(await api.post(`${common}/users/restore`, { user_ids: ['r3', 'r-never'] }),
				404, 16, /r-never/);
			assert.deepEqual(await query({ id: 'r3' }), []);
		}
	});
	test('a user who was deactivated before is so again', async () => {
		await makeUsers(api, ['r7']);
		const { user } = await js.deactivateUser('r7');
		await js.deleteUsers(['r7']);
		await js.restoreUsers(['r7']);
		const [back] = await query({ id: 'r7' }, { include_deactivated_users: true });
		assert.equal(back.deactivated_at, user.deactivated_at);
	});
	test('a token is good again', async () => {
		await makeUsers(api, ['r8']);
		const mine = () => call(server, 'POST', '/channels', { token: userToken(server, 'r8'),
			body: { filter_conditions: { members: { $in: ['r8'] } } } });
		assertOk(await mine(), 201);
		await js.deleteUsers(['r8']);
		assertError(await mine(), 404, 16, /the user r8 was deleted/);
		await js.restoreUsers(['r8']);
		assertOk(await mine(), 201);
	});
});

describe('deletion', () => {
	/* What is left of ann's channels and messages: bob's in both channels always stay, unless the
	 * conversation is removed. */
	const cases = [
		['soft', {}, { pair: true, annsPair: true, annsGroup: true }],
		['soft', { messages: 'soft' }, { pair: true, annsPair: false, annsGroup: false }],
		['soft', { messages: 'pruning' }, { pair: true, annsPair: false, annsGroup: false }],
		['soft', { messages: 'hard' }, { pair: true, annsPair: false, annsGroup: false }],
		['soft', { conversations: 'soft' }, { pair: false, annsPair: false, annsGroup: true }],
		['soft', { conversations: 'hard' }, { pair: false, annsPair: false, annsGroup: true }],
		['pruning', { messages: 'pruning', conversations: 'soft' },
			{ pair: false, annsPair: false, annsGroup: false }],
		['hard', { messages: 'hard', conversations: 'hard' },
			{ pair: false, annsPair: false, annsGroup: false }],
		['hard', {}, { pair: true, annsPair: true, annsGroup: true }],
	];
	const stored = (id) => `SELECT COUNT(*) FROM messages m JOIN users u ON u.uid = m.author
		WHERE u.id = '${id}'`;
	for (const [i, [user, options, left]] of cases.entries()) {
		test(`user ${user}, ${JSON.stringify(options)}`, async () => {
			const [ann, bob, cid] = [`ann${i}`, `bob${i}`, `cid${i}`];
			await makeUsers(api, [{ id: ann, name: 'Ann', secret: 'x' }, bob, cid]);
			const distinct = await talk(undefined, [ann, bob]);
			const named = await talk(`pair${i}`, [bob, ann]);
			const group = await talk(`group${i}`, [ann, bob, cid]);
			const other = await talk(`other${i}`, [bob, cid]);
			assert.equal(countRows(stored(ann)), 3);

			const { task_id } = await js.deleteUsers([ann], { user, ...options });
			assert.deepEqual(await query({ id: ann }), []); /* at once */
			assert.deepEqual((await taskDone(task_id)).result, { [ann]: { status: 'ok' } });
			for (const { cid: channel, messages } of [distinct, named]) {
				assert.equal(await channelExists(channel), left.pair);
				assert.equal(await exists(`/messages/${messages[ann]}`), left.annsPair);
				assert.equal(await exists(`/messages/${messages[bob]}`), left.pair);
			}
			assert.ok(await channelExists(group.cid) && await channelExists(other.cid));
			assert.equal(await exists(`/messages/${group.messages[ann]}`), left.annsGroup);
			for (const id of [group.messages[bob], group.messages[cid], other.messages[bob]])
				assert.ok(await exists(`/messages/${id}`));

			const gone = options.messages === 'hard' ? 3 : options.conversations === 'hard' ? 2 : 0;
			assert.equal(countRows(stored(ann)), 3 - gone);
			const texts = `${stored(ann)} AND m.text LIKE 'from%'`;
			assert.equal(countRows(texts), options.messages === 'pruning' ? 0 : 3 - gone);
			const kept = countRows(`SELECT COUNT(*) FROM users WHERE id = '${ann}' AND name = 'Ann'`);
			assert.equal(kept, user === 'soft' ? 1 : 0);
			for (const table of ['channels', 'channel_ids'])
				assert.equal(countRows(`SELECT COUNT(*) FROM ${table} WHERE cid = '${named.cid}'`),
					options.conversations === 'hard' ? 0 : 1);
		});
	}

	test('a conversation that was removed can begin anew, empty', async () => {
		await makeUsers(api, ['n1', 'n2', 'n3']);
		const pair = await talk('n12', ['n1', 'n2']);
		const distinct = await talk(undefined, ['n1', 'n2']);
		await taskDone((await js.deleteUsers(['n1'], { conversations: 'hard' })).task_id);
		await js.restoreUsers(['n1']);
		for (const path of ['/channels/messaging/n12/query', '/channels/messaging/query']) {
			const state = assertOk(await api.post(path, { state: true,
				data: { members: ['n1', 'n2'], created_by_id: 'n1' } }), 201);
			assert.ok([pair.cid, distinct.cid].includes(state.channel.cid));
			assert.deepEqual([state.messages, state.members.length], [[], 2]);
		}
	});

	test('what a user does who was created anew is left alone', async () => {
		await makeUsers(api, ['m1', 'm2', 'm3']);
		await talk('m123', ['m1', 'm2', 'm3']);
		for (let n = 0; n < 5; n++) {
			const { task_id } = await js.deleteUsers(['m1'], { messages: 'hard', conversations: 'hard' });
			await makeUsers(api, ['m1']);
			const { message } = assertOk(await api.post('/channels/messaging/m123/message',
				{ message: { text: 'new', user_id: 'm1' } }), 201);
			const pair = await talk(`m12-${n}`, ['m1', 'm2']);
			await taskDone(task_id);
			assert.ok(await exists(`/messages/${message.id}`));
			assert.ok(await exists(`/messages/${pair.messages.m1}`));
			assert.equal(countRows(stored('m1')), 2);
		}
	});

	test('DELETE /users/{id}: the options of the older call', async () => {
		await makeUsers(api, ['o1', 'o2', 'o3', 'o4'].map((id) => ({ id, name: id })));
		const pairs = {};
		for (const id of ['o1', 'o2', 'o3'])
			pairs[id] = await talk(`${id}-o4`, [id, 'o4']);
		const one = await js.deleteUser('o1');
		assert.deepEqual([one.user.id, one.user.name, one.task_id], ['o1', 'o1', undefined]);
		assert.ok(one.user.deleted_at);
		assert.ok(await exists(`/messages/${pairs.o1.messages.o1}`));

		const two = await js.deleteUser('o2', { mark_messages_deleted: true });
		await taskDone(two.task_id);
		assert.equal(await exists(`/messages/${pairs.o2.messages.o2}`), false);
		assert.equal(await channelExists(pairs.o2.cid), true);
		assert.equal(countRows(stored('o2')), 1);

		const three = await js.deleteUser('o3',
			{ mark_messages_deleted: true, hard_delete: true, delete_conversation_channels: true });
		assert.equal(three.user.name, undefined);
		await taskDone(three.task_id);
		assert.equal(await channelExists(pairs.o3.cid), false);
		assert.equal(countRows(stored('o3')), 0);
		await refused(js.deleteUser('o1'), 16, /o1/);
		for (const { common } of DIALECTS)
			assertError(await api.del(`${common}/users/o-never`), 404, 16, /o-never/);
		for (const option of ['mark_messages_deleted', 'hard_delete', 'delete_conversation_channels'])
			assertError(await api.del('/users/o4', { [option]: 'maybe' }), 400, 4, new RegExp(option));
	});

	test('new_channel_owner_id takes over what a removed user had created', async () => {
		await makeUsers(api, ['w1', 'w2', 'w3']);
		const group = await talk('w123', ['w1', 'w2', 'w3']);
		const creator = async () => (await channelsByCid(api, [group.cid])).get(group.cid)
			.channel.created_by.id;
		await refused(js.deleteUsers(['w1'], { user: 'hard', new_channel_owner_id: 'w-never' }), 16,
			/w-never/);
		await refused(js.deleteUsers(['w1', 'w2'], { user: 'hard', new_channel_owner_id: 'w2' }), 4,
			/new_channel_owner_id/);
		assert.equal(await creator(), 'w1');
		await taskDone((await js.deleteUsers(['w1'],
			{ user: 'hard', new_channel_owner_id: 'w2' })).task_id);
		assert.equal(await creator(), 'w2');
	});

	test('campaigns: the channels and messages of a sender', async () => {
		for (const [i, options] of [{ messages: 'hard' }, { conversations: 'soft' },
			{ messages: 'hard', conversations: 'hard' }].entries()) {
			const sender = `s${i}`;
			const receivers = ids(`t${i}-`, 40);
			await makeUsers(api, [sender, 'w9', ...receivers]);
			const shapes = [undefined, '{{receiver.id}}-{{sender.id}}',
				`${sender}-{{ receiver.id|upper }}`];
			for (const id of shapes)
				await send(api, { sender_id: sender, user_ids: receivers, create_channels: true,
					message_template: { text: 'bulk' }, channel_template: { type: 'messaging', id } });
			await send(api, { sender_id: sender, user_ids: receivers, create_channels: true,
				message_template: { text: 'three of us' },
				channel_template: { type: 'team', id: '{{receiver.id}}-3', members: ['w9'] } });
			const found = async () => {
				const channels = await inbox(api, receivers[7]);
				return [channels.length, channels.flatMap(({ messages }) => messages)
					.filter(({ type }) => type !== 'deleted').length];
			};
			assert.deepEqual(await found(), [4, 4]);
			await taskDone((await js.deleteUsers([sender], options)).task_id);
			assert.deepEqual(await found(), [options.conversations ? 1 : 4, options.messages ? 0 : 1]);
			assert.equal(countRows(`SELECT COUNT(*) FROM messages m WHERE NOT EXISTS (
				SELECT 1 FROM channels c WHERE c.no = m.channel)`), 0);
			assert.equal(countRows(`SELECT COUNT(*) FROM messages m JOIN batches b
				ON m.key >= b.first_key AND m.key < b.first_key + b.n
				JOIN campaigns c ON c.no = b.campaign JOIN users u ON u.uid = c.sender
				WHERE u.id = '${sender}'`), options.messages ? 0 : 160);
		}
	});

	test('campaigns: the conversation of a receiver, and of who is named in the template', async () => {
		await makeUsers(api, ['x-sender', 'x1', 'x2', 'x3']);
		await send(api, { sender_id: 'x-sender', user_ids: ['x1', 'x2'], ...MAKES,
			message_template: { text: 'hi' } });
		await send(api, { sender_id: 'x-sender', sender_mode: 'exclude', user_ids: ['x1', 'x2'],
			create_channels: true, message_template: { text: 'hi' },
			channel_template: { type: 'messaging', id: 'x3-{{receiver.id}}', members: ['x3'] } });
		const counts = async () => [(await inbox(api, 'x1')).length, (await inbox(api, 'x2')).length];
		assert.deepEqual(await counts(), [2, 2]);
		await taskDone((await js.deleteUsers(['x3'], { conversations: 'hard' })).task_id);
		assert.deepEqual(await counts(), [1, 1]);
		await taskDone((await js.deleteUsers(['x1'], { conversations: 'hard' })).task_id);
		await js.restoreUsers(['x1']);
		assert.deepEqual(await counts(), [0, 1]);
		/* The next campaign makes the channel again. */
		await send(api, { sender_id: 'x-sender', user_ids: ['x1', 'x2'], ...MAKES,
			message_template: { text: 'again' } });
		assert.deepEqual(await counts(), [1, 1]);
		assert.equal((await inbox(api, 'x1'))[0].messages.length, 1);
	});
});

describe('tasks', () => {
	const BULK = 20000;
	const crowd = ids('bulk', BULK);
	const left = () => countRows("SELECT COUNT(*) FROM messages WHERE text = 'en masse'");
	before(async () => {
		/* A store of its own: no channel ids that others could render to, too.  And a killed
		 * process is believed for the time of a lease where others could take over. */
		await server.close();
		({ server, api, js, node } = await startServer(['mass', 'mass2', ...crowd],
			{ env: { FANFARE_LEASE_MS: 1000 } }));
		for (const sender_id of ['mass', 'mass2']) {
			assertOk(await api.post('/segments', { id: sender_id, type: 'user' }), 201);
			for (const target_ids of slices(crowd, 10000))
				assertOk(await api.post(`/segments/${sender_id}/addtargets`, { target_ids }), 201);
			await send(api, { sender_id, segment_ids: [sender_id], create_channels: true,
				message_template: { text: 'en masse' },
				channel_template: { type: 'messaging', id: `${sender_id}-{{receiver.id}}` } });
		}
		assert.equal(left(), 2 * BULK);
	});

	test('a large one survives kill -9, and ends once', async () => {
		const { task_id } = await js.deleteUsers(['mass'], { messages: 'hard', conversations: 'hard' });
		const states = new Set();
		await until('something is gone', async () => {
			states.add((await js.getTask(task_id)).status);
			return left() < 2 * BULK;
		}, { every: 1 });
		for (let round = 0; round < 3; round++) {
			await server.restart('kill');
			states.add(assertOk(await api.get(`/tasks/${task_id}`), 200).status);
		}
		js = jsClient(server);
		const task = await taskDone(task_id);
		assert.ok(states.has('running'), [...states].join());
		assert.ok(task.updated_at > task.created_at);
		assert.equal(left(), BULK);
		assert.equal((await inbox(api, crowd[0])).length, 1);
	});

	test('requests are answered while it runs', async () => {
		const { task_id } = await js.deleteUsers(['mass2'], { messages: 'soft', conversations: 'hard' });
		let slowest = 0;
		await until('the task is done', async () => {
			const began = Date.now();
			await js.upsertUser({ id: 'mass3', at: began });
			slowest = Math.max(slowest, Date.now() - began);
			return (await js.getTask(task_id)).status === 'completed';
		}, { every: 1, within: 60000 });
		assert.ok(slowest < 3000, `${slowest} ms`); /* the JavaScript clients give up then */
		assert.equal(left(), 0);
		assert.equal(countRows(`SELECT COUNT(*) FROM messages m WHERE NOT EXISTS (
			SELECT 1 FROM channels c WHERE c.no = m.channel)`), 0);
	});

	test('one whose work nobody knows fails and says why, those behind it go on', async () => {
		await server.stop();
		server.sql(`INSERT INTO tasks (id, status, created_at, updated_at, result, no, kind, work)
			VALUES ('odd', 'waiting', 1700000000000000, 1700000000000000, '{"a":1}', 900000, 'odd', '{}'),
			('damaged', 'running', 1700000000000000, 1700000000000000, '{}', 900001, 'purge', '{}')`);
		await server.start();
		for (const { common } of DIALECTS) {
			for (const [id, why] of [['odd', /"odd"/], ['damaged', /messages: is required/]]) {
				const task = await until(`${id} has ended`, async () => {
					const found = assertOk(await api.get(`${common}/tasks/${id}`), 200);
					return found.status === 'failed' && found;
				});
				assert.deepEqual(task.result, {});
				assert.equal(task.error.type, 'internal');
				assert.match(task.error.description, why);
				assert.deepEqual([typeof task.error.stacktrace, typeof task.error.version],
					['string', 'string']);
			}
			assertError(await api.get(`${common}/tasks/no-such-task`), 404, 16, /no-such-task/);
		}
		js = jsClient(server);
		await makeUsers(api, ['behind']);
		await taskDone((await js.deleteUsers(['behind'], { messages: 'soft' })).task_id);
	});

	test('two processes do each task once', { skip: !ON_PG }, async () => {
		const other = await Server.start({ beside: server });
		try {
			const both = [rawClient(server), rawClient(other)];
			const users = ids('two', 40);
			await makeUsers(api, users);
			for (const slice of slices(users, 2))
				await talk(undefined, slice);
			const tasks = await Promise.all(users.map(async (id, i) => assertOk(await both[i % 2].post(
				'/users/delete', { user_ids: [id], messages: 'hard', conversations: 'hard' }), 201).task_id));
			for (const id of tasks)
				await taskDone(id);
			const logged = `${server.stderr}${other.stderr}`;
			const done = tasks.map((id) => server.sql(`SELECT no FROM tasks WHERE id = '${id}'`));
			for (const no of done)
				assert.equal(logged.match(new RegExp(`task ${no} done`, 'g'))?.length, 1);
		} finally {
			await other.close();
		}
	});
});

describe('what is refused', () => {
	const IDS = [undefined, null, 'x', 5, {}, [], [5], [null], ids('x', 101)];
	for (const { name, common } of DIALECTS) {
		test(`${name}: user_ids`, async () => {
			for (const verb of ['delete', 'restore', 'deactivate', 'reactivate'])
				await assertAllRefused(IDS, (user_ids) => api.post(`${common}/users/${verb}`, { user_ids }),
					/user_ids/);
		});
		test(`${name}: fields`, async () => {
			await makeUsers(api, ['f1']);
			const FLAG = ['true', 1, {}, []];
			const fields = [
				['delete', 'user', ['gently', 5, true, {}, 'Soft']], ['delete', 'messages', ['softly', 5]],
				['delete', 'conversations', ['pruning', 5]], ['delete', 'calls', ['pruning', 5]],
				['delete', 'files', FLAG], ['delete', 'new_channel_owner_id', [5, {}]],
				['delete', 'new_call_owner_id', [5, []]],
				['deactivate', 'mark_messages_deleted', FLAG], ['deactivate', 'mark_channels_deleted', FLAG],
				['deactivate', 'created_by_id', [5, {}]], ['reactivate', 'restore_messages', FLAG],
				['reactivate', 'restore_channels', FLAG], ['reactivate', 'created_by_id', [5]],
			];
			for (const [verb, field, values] of fields) {
				const message = new RegExp(`${field}: expected`);
				await assertAllRefused(values, (value) => api.post(`${common}/users/${verb}`,
					{ user_ids: ['f1'], [field]: value }), message);
				if (verb !== 'delete')
					await assertAllRefused(values, (value) => api.post(`${common}/users/f1/${verb}`,
						{ [field]: value }), message);
			}
			await assertAllRefused([5, {}, [], true], (value) =>
				api.post(`${common}/users/f1/reactivate`, { name: value }), /name: expected/);
			assert.deepEqual(idsOf(await query({ id: 'f1' })), ['f1']);
		});
		test(`${name}: users that do not exist`, async () => {
			await makeUsers(api, ['f2', 'f3']);
			await js.deleteUsers(['f3']);
			for (const id of ['f-never', 'f3', 'a b', 'ü'])
				for (const verb of ['deactivate', 'reactivate'])
					assertError(await api.post(`${common}/users/${encodeURIComponent(id)}/${verb}`, {}),
						404, 16);
			for (const verb of ['deactivate', 'reactivate', 'delete', 'restore'])
				assertError(await api.post(`${common}/users/${verb}`, { user_ids: ['f2', 'a b'] }), 404, 16);
			assert.deepEqual(idsOf(await query({ id: 'f2' })), ['f2']);
		});
		test(`${name}: user tokens`, async () => {
			await makeUsers(api, ['f4']);
			const token = jwt({ user_id: 'f4' }, server.secret);
			for (const path of ['/users/delete', '/users/restore', '/users/deactivate',
				'/users/reactivate', '/users/f4/deactivate', '/users/f4/reactivate'])
				assertError(await call(server, 'POST', common + path,
					{ token, body: { user_ids: ['f4'] } }), 403, 17);
			assertError(await call(server, 'DELETE', `${common}/users/f4`, { token }), 403, 17);
			assertError(await call(server, 'GET', `${common}/tasks/x`, { token }), 403, 17);
		});
	}
});
