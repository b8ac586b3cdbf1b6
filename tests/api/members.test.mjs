/* members – hide and show, archive and pin, custom data, queries: api.md §6.2. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertAllRefused, assertError, assertOk, call, refused, userToken }
	from './lib/clients.mjs';
import { ids, inbox, makeUsers, send, startServer } from './lib/fixtures.mjs';

let server, api, js, node;
before(async () => {
	({ server, api, js, node } = await startServer([{ id: 'ann', name: 'Ann Lee', email: 'a@x.org' },
		{ id: 'bob', name: 'Bob' }, { id: 'carl', name: 'Carl Lee' }, 'dora', ...ids('m', 150)]));
});
after(() => server.close());

const texts = (state) => state.messages.map(({ text }) => text);
const make = async (id, members = ['ann', 'bob'], more = {}) => {
	const channel = js.channel('messaging', id, { members, created_by_id: 'ann', ...more });
	await channel.create();
	return channel;
};
const say = async (id, text, user_id = 'ann', more = {}) => assertOk(await api.post(
	`/channels/messaging/${id}/message`, { message: { text, user_id }, ...more }), 201);
const as = (id, method, path, body, query = {}) => call(server, method, path,
	{ token: userToken(server, id), query, body });
/* The channels one user finds by a filter. */
const found = async (user_id, filter) => (await inbox(api, user_id,
	{ filter_conditions: { members: { $in: [user_id] }, ...filter } })).map((s) => s.channel.id).sort();

describe('hide and show', () => {
	test('stream-chat: it leaves the list of one member until a message comes', async () => {
		const channel = await make('hid');
		await channel.hide('bob');
		assert.ok(!(await found('bob')).includes('hid'));
		assert.ok((await found('ann')).includes('hid'));
		assert.deepEqual(await found('bob', { hidden: true }), ['hid']);
		const [state] = await inbox(api, 'bob', { filter_conditions: { hidden: true,
			members: { $in: ['bob'] } } });
		assert.deepEqual([state.hidden, state.channel.hidden], [true, true]);
		await say('hid', 'silent', 'ann', { keep_channel_hidden: true });
		assert.ok(!(await found('bob')).includes('hid'));
		await say('hid', 'hello');
		assert.ok((await found('bob')).includes('hid'));
	});
	test('node-sdk: hide, show', async () => {
		await make('hid-node');
		const channel = node.chat.channel('messaging', 'hid-node');
		await channel.hide({ user_id: 'bob' });
		assert.ok(!(await found('bob')).includes('hid-node'));
		await channel.show({ user_id: 'bob' });
		assert.ok((await found('bob')).includes('hid-node'));
	});
	test('hide_for_creator: a new channel, for who makes it', async () => {
		const state = assertOk(await api.post('/channels/messaging/quiet/query', { hide_for_creator: true,
			data: { created_by_id: 'ann', members: ['ann', 'bob'] } }), 201);
		assert.deepEqual(state.members.map(({ user_id }) => user_id).sort(), ['ann', 'bob']);
		const seen = async (user_id, more = {}) => assertOk(await api.post('/channels', { user_id,
			filter_conditions: { cid: 'messaging:quiet', ...more } }), 201).channels.length;
		assert.deepEqual([await seen('ann'), await seen('ann', { hidden: true }), await seen('bob')], [0, 1, 1]);
	});
	test('by a user token, who sends null', async () => {
		await make('hid-own');
		assertOk(await as('bob', 'POST', '/channels/messaging/hid-own/hide',
			{ user_id: null, clear_history: false }), 201);
		assert.ok(!(await found('bob')).includes('hid-own'));
		assertOk(await as('bob', 'POST', '/channels/messaging/hid-own/show', { user_id: null }), 201);
		assert.ok((await found('bob')).includes('hid-own'));
	});
	test('with clear_history: what was there is gone for him, also when shown again', async () => {
		const channel = await make('clear');
		for (const text of ['one', 'two'])
			await say('clear', text);
		await channel.hide('bob', true);
		await say('clear', 'three');
		const seen = async (id) => (await inbox(api, id, { filter_conditions: { cid: 'messaging:clear' },
			message_limit: 2 }))[0];
		assert.deepEqual(texts(await seen('bob')), ['three']);
		assert.deepEqual(texts(await seen('ann')), ['two', 'three']);
		const state = await seen('bob');
		assert.ok(state.hide_messages_before);
		assert.equal(state.read.find(({ user }) => user.id === 'bob').unread_messages, 1);
		await channel.hide('bob');
		await channel.show('bob');
		assert.deepEqual(texts(await seen('bob')), ['three']);
	});
	test('a campaign\'s channel, by its receiver and its sender', async () => {
		await makeUsers(api, ['hr']);
		const sendIt = (more = {}) => send(api, { sender_id: 'carl', user_ids: ['hr'], create_channels: true,
			message_template: { text: 'Hi' }, channel_template: { type: 'messaging',
				id: 'hr-{{receiver.id}}' }, ...more });
		const { id } = await sendIt();
		for (const who of ['hr', 'carl'])
			assertOk(await api.post('/channels/messaging/hr-hr/hide', { user_id: who,
				clear_history: who === 'hr' }), 201);
		assert.deepEqual(await found('hr'), []);
		assert.deepEqual(await found('hr', { hidden: true }), ['hr-hr']);
		await sendIt();
		assert.deepEqual(await found('hr'), [], 'show_channels is off');
		await sendIt({ show_channels: true });
		assert.deepEqual(await found('hr'), ['hr-hr']);
		assert.deepEqual((await inbox(api, 'hr')).map((state) => texts(state).length), [2]);
		assert.deepEqual(await found('carl', { hidden: true }), ['hr-hr']);
		assertOk(await api.post('/channels/messaging/hr-hr/show', { user_id: 'carl' }), 201);
		assert.deepEqual(await found('carl'), ['hr-hr']);
		assertOk(await api.post('/channels/messaging/hr-hr/read', { user_id: 'hr' }), 201);
		assert.equal((await js.getCampaign(id)).campaign.stats.stats_users_read, 0,
			'cleared away before it was read');
	});
	test('a sender who is hidden by his campaign shows it again', async () => {
		await makeUsers(api, ['sv', 'sv-sender']);
		await send(api, { sender_id: 'sv-sender', user_ids: ['sv'], create_channels: true,
			sender_visibility: 'hidden', message_template: { text: 'Hi' },
			channel_template: { type: 'messaging', id: 'sv-{{receiver.id}}' } });
		assert.deepEqual(await found('sv-sender'), []);
		await js.channel('messaging', 'sv-sv', { created_by_id: 'sv' }).query({});
		await js.channel('messaging', 'sv-sv').show('sv-sender');
		assert.deepEqual(await found('sv-sender'), ['sv-sv']);
	});
	test('refused', async () => {
		const path = '/channels/messaging/strict';
		await make('strict');
		for (const verb of ['hide', 'show']) {
			await assertAllRefused([{}, { user_id: 5 }, { user_id: 'dora' }, { user: {} }],
				(body) => api.post(`${path}/${verb}`, body));
			assertError(await api.post(`${path}/${verb}`, { user_id: 'nobody' }), 404, 16, /nobody/);
			assertError(await api.post(`/channels/messaging/never/${verb}`, { user_id: 'bob' }), 404, 16);
			assertError(await as('dora', 'POST', `${path}/${verb}`, {}), 403, 17);
		}
		assertError(await api.post(`${path}/hide`, { user_id: 'bob', clear_history: 'x' }), 400, 4);
	});
});

describe('archive, pin, custom data', () => {
	test('stream-chat: archive and pin, and back', async () => {
		const channel = await make('arch');
		const archived = await channel.archive({ user_id: 'bob' });
		assert.deepEqual([archived.user_id, typeof archived.archived_at, archived.pinned_at],
			['bob', 'string', null]);
		assert.ok((await channel.pin({ user_id: 'bob' })).pinned_at);
		assert.deepEqual(await found('bob', { archived: true }), ['arch']);
		assert.deepEqual(await found('bob', { pinned: true }), ['arch']);
		assert.deepEqual(await found('ann', { pinned: true }), []);
		assert.ok(!(await found('bob', { archived: false })).includes('arch'));
		assert.equal((await channel.unarchive({ user_id: 'bob' })).archived_at, null);
		assert.equal((await channel.unpin({ user_id: 'bob' })).pinned_at, null);
		assert.deepEqual(await found('bob', { archived: true }), []);
	});
	test('a mark keeps its first time', async () => {
		const channel = await make('arch-twice');
		const first = await channel.pin({ user_id: 'bob' });
		assert.equal((await channel.pin({ user_id: 'bob' })).pinned_at, first.pinned_at);
	});
	test('the path of the description: user_id in the query', async () => {
		await make('arch-spec');
		const { channel_member } = await node.chat.channel('messaging', 'arch-spec')
			.updateMemberPartial({ user_id: 'bob', set: { archived: true, seat: 3, 'custom.row': 'a' } });
		assert.ok(channel_member.archived_at);
		assert.deepEqual(channel_member.custom, { seat: 3, row: 'a' });
		assertOk(await as('bob', 'PATCH', '/channels/messaging/arch-spec/member',
			{ set: { pinned: true } }), 200);
		const mine = await js.channel('messaging', 'arch-spec').updateMemberPartial(
			{ set: { deep: { a: 1 } }, unset: ['seat', 'archived'] }, { userId: 'bob' });
		assert.deepEqual([mine.channel_member.deep, mine.channel_member.seat, mine.channel_member.row,
			mine.channel_member.archived_at], [{ a: 1 }, undefined, 'a', null]);
		assert.ok(mine.channel_member.pinned_at);
	});
	test('a role, by the server; members do not promote themselves', async () => {
		await make('roles');
		const path = '/channels/messaging/roles/member/bob';
		const { channel_member } = assertOk(await api.patch(path, { set: { channel_role: 'captain' } }), 200);
		assert.equal(channel_member.channel_role, 'captain');
		assertError(await as('bob', 'PATCH', path, { set: { channel_role: 'channel_moderator' } }), 403, 17);
		assertError(await as('carl', 'PATCH', path, { set: { pinned: true } }), 403, 17);
		const back = assertOk(await api.patch(path, { unset: ['channel_role'] }), 200);
		assert.equal(back.channel_member.channel_role, 'channel_member');
	});
	test('a campaign\'s channel: the template\'s role and data stay', async () => {
		await makeUsers(api, ['ar']);
		await send(api, { sender_id: 'carl', user_ids: ['ar'], create_channels: true,
			message_template: { text: 'Hi' }, sender_visibility: 'archived', channel_template: {
				type: 'messaging', id: 'ar-{{receiver.id}}', members_template: [{ user_id: 'dora',
					channel_role: 'guide', custom: { desk: 4 } }] } });
		const channel = js.channel('messaging', 'ar-ar');
		const dora = await channel.partialUpdateMember('dora', { set: { pinned: true, floor: 2 } });
		assert.deepEqual([dora.channel_member.channel_role, dora.channel_member.desk,
			dora.channel_member.floor], ['guide', 4, 2]);
		assert.ok((await channel.archive({ user_id: 'ar' })).archived_at);
		assert.deepEqual(await found('ar', { archived: true }), ['ar-ar']);
		const carl = await channel.pin({ user_id: 'carl' });
		assert.ok(carl.archived_at && carl.pinned_at, 'what the campaign made of him stays');
		assert.equal((await channel.unarchive({ user_id: 'carl' })).archived_at, null);
		assert.equal((await channel.queryMembers({ user_id: 'dora' })).members[0].desk, 4);
	});
	test('pinned_at sorts', async () => {
		for (const id of ['pin-a', 'pin-b'])
			await (await make(id, ['dora'])).pin({ user_id: 'dora' });
		const { channels } = assertOk(await api.post('/channels', { user_id: 'dora',
			filter_conditions: { members: { $in: ['dora'] }, pinned: true, id: { $in: ['pin-a', 'pin-b'] } },
			sort: [{ field: 'pinned_at', direction: -1 }] }), 201);
		assert.deepEqual(channels.map(({ channel }) => channel.id), ['pin-b', 'pin-a']);
	});
	test('refused', async () => {
		await make('strict-member');
		const path = '/channels/messaging/strict-member/member';
		await assertAllRefused([{ set: 5 }, { set: { archived: 'x' } }, { set: { pinned: 1 } },
			{ set: { channel_role: 5 } }, { set: { channel_role: '' } }, { set: { user_id: 'ann' } },
			{ set: { 'user.id': 'ann' } }, { set: { created_at: 1 } }, { unset: ['banned'] },
			{ unset: 'archived' }, { set: { blob: 'x'.repeat(6000) } }, { set: { 'a..b': 1 } }],
		(body) => api.patch(`${path}/bob`, body));
		assertError(await api.patch(path, { set: { pinned: true } }), 400, 4, /user_id/);
		assertError(await api.patch(`${path}/dora`, { set: { pinned: true } }), 400, 4, /not a member/);
		assertError(await api.patch(`${path}/nobody`, { set: { pinned: true } }), 404, 16, /nobody/);
		assertError(await api.patch('/channels/messaging/never/member/bob', { set: {} }), 404, 16);
	});
});

describe('query', () => {
	const list = (answer) => answer.members.map(({ user_id }) => user_id);
	let channel;
	before(async () => {
		channel = await make('listed', [{ user_id: 'ann', seat: 1 },
			{ user_id: 'bob', channel_role: 'channel_moderator', seat: 2, tags: ['x'] }, 'carl']);
		await channel.inviteMembers(['dora']);
	});
	test('stream-chat: filters', async () => {
		for (const [filter, expected] of [[{}, 'ann bob carl dora'], [{ user_id: 'bob' }, 'bob'],
			[{ id: { $in: ['ann', 'x', 'carl'] } }, 'ann carl'], [{ name: 'Bob' }, 'bob'],
			[{ name: { $autocomplete: 'lee' } }, 'ann carl'], [{ name: { $q: 'car' } }, 'carl'],
			[{ name: { $in: ['Bob', 'Ann Lee'] } }, 'ann bob'], [{ 'user.email': 'a@x.org' }, 'ann'],
			[{ channel_role: 'channel_moderator' }, 'bob'], [{ is_moderator: true }, 'bob'],
			[{ invite: 'pending' }, 'dora'], [{ joined: true }, 'ann bob carl'], [{ joined: false }, 'dora'],
			[{ banned: false }, 'ann bob carl dora'], [{ notifications_muted: true }, ''],
			[{ created_at: { $gt: '2020-01-01T00:00:00Z' } }, 'ann bob carl dora'],
			[{ updated_at: { $lt: '2020-01-01T00:00:00Z' } }, ''], [{ last_active: { $exists: false } },
				'ann bob carl dora'], [{ cid: 'messaging:listed' }, 'ann bob carl dora'],
			[{ cid: 'messaging:other' }, ''], [{ seat: { $gt: 1 } }, 'bob'], [{ tags: { $contains: 'x' } }, 'bob'],
			[{ $or: [{ seat: 1 }, { name: 'Bob' }] }, 'ann bob'], [{ $nor: [{ seat: { $exists: true } }] },
				'carl dora']])
			assert.equal(list(await channel.queryMembers(filter)).sort().join(' '), expected,
				JSON.stringify(filter));
	});
	test('stream-chat: sorts and pages', async () => {
		const order = async (sort, options = {}) => list(await channel.queryMembers({}, sort, options)).join(' ');
		assert.equal(await order([{ user_id: -1 }]), 'dora carl bob ann');
		assert.equal(await order([{ name: 1 }]), 'dora ann bob carl'); /* dora has none */
		assert.equal(await order([{ created_at: 1 }]), 'ann bob carl dora');
		assert.equal(await order([]), 'ann bob carl dora');
		assert.equal(await order([{ user_id: 1 }], { limit: 2 }), 'ann bob');
		assert.equal(await order([{ user_id: 1 }], { limit: 2, offset: 3 }), 'dora');
		assert.equal(await order([{ user_id: 1 }], { user_id_gt: 'bob' }), 'carl dora');
		assert.equal(await order([{ user_id: 1 }], { user_id_lte: 'bob' }), 'ann bob');
		assert.equal(await order([], { created_at_after: '2090-01-01T00:00:00Z' }), '');
		await refused(channel.queryMembers({}, [{ name: 1 }, { user_id: 1 }]), 4,
			/sort must contain at maximum 1 item"/);
	});
	test('node-sdk', async () => {
		const { members } = await node.chat.queryMembers({ payload: { type: 'messaging', id: 'listed',
			filter_conditions: { seat: 2 }, sort: [{ field: 'user_id', direction: 1 }] } });
		assert.deepEqual(members.map(({ user_id, custom }) => [user_id, custom]),
			[['bob', { seat: 2, tags: ['x'] }]]);
		assert.ok(members[0].created_at instanceof Date);
	});
	test('of a distinct channel, by its members', async () => {
		await js.channel('messaging', { members: ['bob', 'carl'], created_by_id: 'bob' }).create();
		const ask = (members) => api.get('/members', { payload: JSON.stringify({ type: 'messaging', members,
			filter_conditions: {} }) });
		assert.deepEqual(list(assertOk(await ask(['carl', { user_id: 'bob' }]), 200)).sort(), ['bob', 'carl']);
		assertError(await ask(['carl', 'dora']), 404, 16);
	});
	test('of a campaign\'s channel: derived, named, added, gone', async () => {
		await makeUsers(api, ['mq']);
		await send(api, { sender_id: 'carl', user_ids: ['mq'], create_channels: true,
			message_template: { text: 'Hi' }, channel_template: { type: 'messaging',
				id: 'mq-{{receiver.id}}', members: ['dora', 'bob'] } });
		const derived = js.channel('messaging', 'mq-mq');
		await derived.addMembers(['ann']);
		await derived.removeMembers(['bob']);
		assert.equal(list(await derived.queryMembers({}, [{ user_id: 1 }])).join(' '), 'ann carl dora mq');
		assert.equal(list(await derived.queryMembers({ name: { $autocomplete: 'lee' } },
			[{ user_id: 1 }])).join(' '), 'ann carl');
	});
	test('100 at most, the offset goes on', async () => {
		const big = await make('big', ids('m', 100));
		await big.addMembers(ids('m', 150).slice(100));
		const pages = [await big.queryMembers({}, [{ user_id: 1 }], {}),
			await big.queryMembers({}, [{ user_id: 1 }], { offset: 100 })].map(list);
		assert.deepEqual(pages.map((page) => page.length), [100, 50]);
		assert.deepEqual(pages.flat(), ids('m', 150));
		const state = assertOk(await api.post('/channels/messaging/big/query',
			{ state: true, members: { limit: 10, offset: 145 } }), 201);
		assert.equal(state.members.length, 5);
		assert.equal(state.channel.member_count, 150);
	});
	test('a user sees members of his channels only', async () => {
		const ask = (id) => as(id, 'GET', '/members', undefined, { payload: JSON.stringify({
			type: 'messaging', id: 'listed', filter_conditions: {} }) });
		assert.equal(assertOk(await ask('bob'), 200).members.length, 4);
		await makeUsers(api, ['stranger']);
		assertError(await ask('stranger'), 403, 17);
	});
	test('refused', async () => {
		const good = { type: 'messaging', id: 'listed' };
		for (const { chat } of DIALECTS)
			await assertAllRefused([undefined, 'x', [], { id: 'listed' }, { type: 5 }, { type: 'messaging' },
				{ ...good, filter_conditions: 5 }, { ...good, filter_conditions: { banned: { $gt: 1 } } },
				{ ...good, filter_conditions: { user_id: 5 } }, { ...good, filter_conditions: { $x: [] } },
				{ ...good, filter_conditions: { created_at: 'x' } }, { ...good, limit: 101 },
				{ ...good, limit: 'x' }, { ...good, offset: -1 }, { ...good, offset: 1001 },
				{ ...good, sort: [{ field: 'seat' }] }, { ...good, sort: [{ field: 'name', direction: 2 }] },
				{ ...good, sort: 'name' }, { ...good, created_at_after: 'x' }, { ...good, user_id_gt: 5 },
				{ type: 'messaging', members: [5] }, { type: 'messaging', members: ['nobody'] }],
			(payload) => api.get(`${chat}/members`, payload === undefined ? {}
				: { payload: JSON.stringify(payload) }));
		for (const [type, id] of [['messaging', 'never'], ['chess', 'x']])
			assertError(await api.get('/members', { payload: JSON.stringify({ type, id }) }), 404, 16);
		assertError(await api.get('/members', { payload: '{' }), 400, 4, /payload/);
	});
});
