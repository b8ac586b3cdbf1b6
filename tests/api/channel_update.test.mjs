/* channel_update – changing, cutting off and deleting channels, made by the API and by campaigns:
 * api.md §6.2. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertAllRefused, assertError, assertOk, call, refused, userToken }
	from './lib/clients.mjs';
import { channelsByCid, ids, inbox, makeUsers, send, startServer } from './lib/fixtures.mjs';
import { seconds, until } from './lib/wait.mjs';

let server, api, js, node;
before(async () => {
	({ server, api, js, node } = await startServer([{ id: 'ann', name: 'Ann' }, 'bob', 'carl', 'dora',
		...ids('u', 120)]));
});
after(() => server.close());

const memberIds = ({ members }) => members.map(({ user_id }) => user_id).sort();
const texts = (state) => state.messages.map(({ text }) => text);
const make = async (id, more = {}) => {
	const channel = js.channel('messaging', id, { members: ['ann', 'bob'], created_by_id: 'ann',
		...more });
	await channel.create();
	return channel;
};
const shown = async (id, type = 'messaging') => assertOk(await api.get(`/channels/${type}/${id}`), 200);
const say = async (id, text, user_id = 'ann') => assertOk(await api.post(
	`/channels/messaging/${id}/message`, { message: { text, user_id } }), 201).message;
const as = (id, method, path, body, query = {}) => call(server, method, path,
	{ token: userToken(server, id), query, body });
/* Campaign channels, one per user, of the form prefix-{{receiver.id}}. */
const sendTo = (users, prefix, more = {}) => send(api, { sender_id: 'ann', user_ids: users,
	create_channels: true, message_template: { text: 'Hi' }, channel_template: { type: 'messaging',
		id: `${prefix}-{{receiver.id}}`, custom: { colour: 'red' } }, ...more });

describe('data', () => {
	test('stream-chat: update replaces custom data', async () => {
		const channel = await make('data-js', { colour: 'red', size: 3, frozen: false });
		const { channel: got, members } = await channel.update({ name: 'New', frozen: true });
		assert.deepEqual([got.name, got.colour, got.frozen], ['New', undefined, true]);
		assert.deepEqual(memberIds({ members }), ['ann', 'bob']);
		const { channel: again } = await shown('data-js');
		assert.deepEqual([again.name, again.size, again.frozen], ['New', undefined, true]);
		await channel.update({});
		assert.equal((await shown('data-js')).channel.name, undefined);
		assert.equal((await shown('data-js')).channel.frozen, true);
	});
	test('node-sdk: update', async () => {
		await make('data-node', { colour: 'red' });
		const channel = node.chat.channel('messaging', 'data-node');
		const { channel: got } = await channel.update({ data: { custom: { name: 'N' }, disabled: true,
			team: 'blue' } });
		assert.deepEqual([got.custom, got.disabled, got.team], [{ name: 'N' }, true, 'blue']);
		assert.ok(got.updated_at > got.created_at);
	});
	test('without data nothing of it changes', async () => {
		const channel = await make('data-none', { colour: 'red' });
		assert.equal((await channel.addMembers(['carl'])).channel.colour, 'red');
	});
	test('stream-chat: updatePartial by dotted paths', async () => {
		const channel = await make('part-js', { colour: 'red', deep: { a: 1, b: { c: 2 } } });
		const { channel: got } = await channel.updatePartial({ set: { 'deep.b.c': 3, name: 'P', frozen: true },
			unset: ['colour', 'deep.a'] });
		assert.deepEqual([got.name, got.colour, got.deep, got.frozen],
			['P', undefined, { b: { c: 3 } }, true]);
		const back = await channel.updatePartial({ unset: ['frozen', 'name'] });
		assert.deepEqual([back.channel.frozen, back.channel.name], [false, undefined]);
	});
	test('node-sdk: updateChannelPartial', async () => {
		await make('part-node', { colour: 'red' });
		const channel = node.chat.channel('messaging', 'part-node');
		const { channel: got } = await channel.updateChannelPartial({ set: { 'custom.size': 4, team: 'red' },
			unset: ['colour'] });
		assert.deepEqual([got.custom, got.team], [{ size: 4 }, 'red']);
	});
	test('tags: set, added, removed, found', async () => {
		const channel = await make('tagged', { filter_tags: ['a', 'b'] });
		assert.deepEqual((await shown('tagged')).channel.filter_tags, ['a', 'b']);
		await channel.addFilterTags(['c', 'a']);
		const { channel: got } = await channel.removeFilterTags(['b', 'x']);
		assert.deepEqual(got.filter_tags, ['a', 'c']);
		const found = async (filter_tags) => (await js.queryChannels({ type: 'messaging', filter_tags }))
			.map(({ id }) => id).join(' ');
		assert.equal(await found('a'), 'tagged');
		assert.equal(await found({ $in: ['x', 'c'] }), 'tagged');
		assert.equal(await found({ $eq: ['c', 'a'] }), 'tagged');
		assert.equal(await found({ $eq: ['a'] }), '');
		assert.equal(await found({ $in: ['b'] }), '');
		await channel.updatePartial({ set: { filter_tags: ['z'] } });
		assert.equal(await found('z'), 'tagged');
		await channel.updatePartial({ unset: ['filter_tags'] });
		assert.equal(await found('z'), '');
	});
	test('with a message that tells of it', async () => {
		const channel = await make('told');
		const { message } = await channel.update({ name: 'T' }, { text: 'renamed', user_id: 'bob' });
		assert.deepEqual([message.type, message.text, message.user.id], ['system', 'renamed', 'bob']);
		assert.deepEqual(texts(await shown('told')), ['renamed']);
		const long = { data: { name: 'U' }, message: { text: 'x'.repeat(5001), user_id: 'bob' } };
		assertError(await api.post('/channels/messaging/told', long), 400, 20);
		assert.equal((await shown('told')).channel.name, 'T', 'all or nothing');
	});
});

describe('members', () => {
	test('stream-chat: add, remove, roles', async () => {
		const channel = await make('crew');
		const added = await channel.addMembers(['carl', { user_id: 'dora', channel_role: 'channel_moderator',
			seat: 7 }], { text: 'welcome', user_id: 'ann' });
		assert.deepEqual(memberIds(added), ['ann', 'bob', 'carl', 'dora']);
		assert.equal(added.message.text, 'welcome');
		const of = (state, id) => state.members.find(({ user_id }) => user_id === id);
		assert.deepEqual([of(added, 'dora').channel_role, of(added, 'dora').seat, of(added, 'dora').role],
			['channel_moderator', 7, 'moderator']);
		const again = await channel.addMembers([{ user_id: 'dora', seat: 8 }]);
		assert.equal(of(again, 'dora').seat, 7, 'who is there stays as he is');
		assert.deepEqual(memberIds(await channel.removeMembers(['carl', 'nobody'])), ['ann', 'bob', 'dora']);
		const roles = await channel.assignRoles([{ user_id: 'bob', channel_role: 'captain' }]);
		assert.equal(of(roles, 'bob').channel_role, 'captain');
		assert.equal(of(await channel.addModerators(['bob', 'carl']), 'carl').channel_role,
			'channel_moderator');
		assert.equal(of(await channel.demoteModerators(['carl']), 'carl').channel_role, 'channel_member');
		assert.equal((await shown('crew')).channel.member_count, 4);
	});
	test('node-sdk: add, remove, roles', async () => {
		await make('crew-node');
		const channel = node.chat.channel('messaging', 'crew-node');
		const added = await channel.update({ add_members: [{ user_id: 'carl', custom: { seat: 1 } }],
			add_moderators: ['bob'] });
		assert.deepEqual(memberIds(added), ['ann', 'bob', 'carl']);
		const carl = added.members.find(({ user_id }) => user_id === 'carl');
		assert.deepEqual([carl.custom, carl.is_moderator], [{ seat: 1 }, false]);
		assert.equal(added.members.find(({ user_id }) => user_id === 'bob').is_moderator, true);
		assert.deepEqual(memberIds(await channel.update({ remove_members: ['carl'] })), ['ann', 'bob']);
	});
	test('who comes later has nothing unread of before; hidden history is not shown', async () => {
		const channel = await make('late');
		await say('late', 'before');
		await channel.addMembers(['carl']);
		await channel.addMembers(['dora'], undefined, { hide_history: true });
		await say('late', 'after');
		for (const [who, expected] of [['carl', ['before', 'after']], ['dora', ['after']]]) {
			const [state] = await inbox(api, who, { filter_conditions: { cid: 'messaging:late' } });
			assert.deepEqual(texts(state), expected);
			assert.equal(state.read.find(({ user }) => user.id === who).unread_messages, 1, who);
		}
	});
	test('who leaves and comes back begins anew', async () => {
		const channel = await make('back', { members: ['ann', { user_id: 'bob', seat: 3 }] });
		await api.patch('/channels/messaging/back/member/bob', { set: { pinned: true } });
		await channel.removeMembers(['bob']);
		assert.deepEqual(await inbox(api, 'bob', { filter_conditions: { cid: 'messaging:back',
			members: { $in: ['bob'] } } }), []);
		const { members } = await channel.addMembers(['bob']);
		const bob = members.find(({ user_id }) => user_id === 'bob');
		assert.deepEqual([bob.pinned_at, bob.seat], [null, undefined]);
	});
	test('invitations', async () => {
		const channel = await make('party', { invites: ['carl'] });
		await channel.inviteMembers(['dora']);
		const of = async (id) => (await shown('party')).members.find(({ user_id }) => user_id === id);
		assert.deepEqual([(await of('carl')).invited, (await of('dora')).status], [true, 'pending']);
		const found = async (invite, user_id) => (await inbox(api, user_id,
			{ filter_conditions: { type: 'messaging', invite } })).map((state) => state.channel.id);
		assert.deepEqual(await found('pending', 'dora'), ['party']);
		await channel.acceptInvite({ user_id: 'carl' });
		assertOk(await as('dora', 'POST', '/channels/messaging/party', { reject_invite: true }), 201);
		assert.ok((await of('carl')).invite_accepted_at);
		assert.ok((await of('dora')).invite_rejected_at);
		assert.deepEqual([(await of('carl')).status, (await of('dora')).status], ['accepted', 'rejected']);
		assert.deepEqual(await found('rejected', 'dora'), ['party']);
		assert.deepEqual(await found('pending', 'dora'), []);
		await refused(channel.acceptInvite({ user_id: 'bob' }), 4, /not invited/);
	});
	test('a distinct channel gets no members, but loses some', async () => {
		const { channel: { id } } = await js.channel('messaging', { members: ['ann', 'bob', 'carl'],
			created_by_id: 'ann' }).create();
		const path = `/channels/messaging/${id}`;
		for (const body of [{ add_members: ['dora'] }, { invites: ['dora'] }, { add_moderators: ['dora'] }])
			assertError(await api.post(path, body), 400, 4, /nobody can be added/);
		assertOk(await api.post(path, { add_members: ['bob'], add_moderators: ['bob'] }), 201);
		assert.deepEqual(memberIds(assertOk(await api.post(path, { remove_members: ['carl'] }), 201)),
			['ann', 'bob']);
		const again = await js.channel('messaging', { members: ['ann', 'bob', 'carl'],
			created_by_id: 'ann' }).create();
		assert.equal(again.channel.id, id);
	});
	test('100 a call, not more', async () => {
		const channel = await make('hundred');
		const { channel: got } = await channel.addMembers(ids('u', 100));
		assert.equal(got.member_count, 102);
		await refused(channel.addMembers(ids('u', 101)), 4, /add_members/);
	});
});

describe('members of a campaign\'s channel', () => {
	test('derived ones leave and come back, others come', async () => {
		await makeUsers(api, ['dm1']);
		await sendTo(['dm1'], 'dm');
		const channel = js.channel('messaging', 'dm-dm1');
		assert.deepEqual(memberIds(await channel.addMembers(['carl'])), ['ann', 'carl', 'dm1']);
		const gone = await channel.removeMembers(['dm1', 'carl']);
		assert.deepEqual(memberIds(gone), ['ann']);
		assert.equal(gone.channel.member_count, 1);
		assert.equal(gone.channel.colour, 'red');
		assert.deepEqual(await inbox(api, 'dm1'), []);
		assert.deepEqual(memberIds(await channel.addMembers(['dm1'])), ['ann', 'dm1']);
		assert.equal((await inbox(api, 'dm1')).length, 1);
		const { members } = await channel.assignRoles([{ user_id: 'dm1', channel_role: 'guest' }]);
		assert.equal(members.find(({ user_id }) => user_id === 'dm1').channel_role, 'guest');
	});
	test('its data: replaced, patched, cleared', async () => {
		await makeUsers(api, ['dd1', 'dd2', 'dd3']);
		await sendTo(['dd1', 'dd2', 'dd3'], 'dd');
		const colour = async (id) => (await shown(id)).channel.colour;
		await js.channel('messaging', 'dd-dd1').update({ size: 1 });
		await js.channel('messaging', 'dd-dd2').updatePartial({ set: { size: 2 } });
		await js.channel('messaging', 'dd-dd3').updatePartial({ unset: ['colour'] });
		assert.deepEqual([await colour('dd-dd1'), await colour('dd-dd2'), await colour('dd-dd3')],
			[undefined, 'red', undefined]);
		assert.equal((await shown('dd-dd2')).channel.size, 2);
		const { stats } = await sendTo(['dd1', 'dd2', 'dd3'], 'dd', { message_template:
			{ text: '{{ channel.colour|default:"none" }}' } });
		assert.deepEqual([stats.messages_sent, stats.channels_created], [3, 0]);
		assert.deepEqual(texts(await shown('dd-dd1')), ['Hi', 'none']);
		assert.deepEqual(texts(await shown('dd-dd2')), ['Hi', 'red']);
	});
});

describe('truncate', () => {
	test('stream-chat: all that is there goes, what comes stays', async () => {
		const channel = await make('cut');
		for (const text of ['one', 'two'])
			await say('cut', text);
		const { channel: got, message } = await channel.truncate({ message: { text: 'cut off',
			user_id: 'ann' } });
		assert.ok(got.truncated_at);
		assert.ok(message.created_at > got.truncated_at);
		assert.deepEqual(texts(await shown('cut')), ['cut off']);
		await say('cut', 'three');
		assert.deepEqual(texts(await shown('cut')), ['cut off', 'three']);
		const [bob] = await inbox(api, 'bob', { filter_conditions: { cid: 'messaging:cut' } });
		assert.equal(bob.read.find(({ user }) => user.id === 'bob').unread_messages, 2);
	});
	test('node-sdk: up to a time; gone for every way that leads to it', async () => {
		await make('cut-at');
		const sent = [];
		for (const text of ['one', 'two', 'three'])
			sent.push(await say('cut-at', text));
		const { channel } = await node.chat.channel('messaging', 'cut-at')
			.truncate({ truncated_at: sent[1].created_at });
		assert.ok(channel.truncated_at instanceof Date);
		assert.deepEqual(texts(await shown('cut-at')), ['three']);
		assertError(await api.get(`/messages/${sent[1].id}`), 404, 16);
		assertError(await api.put(`/messages/${sent[0].id}`, { set: { text: 'x' } }), 404, 16);
		assertError(await api.post('/channels/messaging/cut-at/read', { user_id: 'bob',
			message_id: sent[0].id }), 404, 16);
		assert.equal((await js.getMessage(sent[2].id)).message.text, 'three');
		const earlier = assertOk(await api.post('/channels/messaging/cut-at/truncate',
			{ truncated_at: '2020-01-01T00:00:00Z' }), 201);
		assert.equal(Date.parse(earlier.channel.truncated_at), channel.truncated_at.getTime());
	});
	test('a time to come cuts off what is there, no more', async () => {
		await make('cut-future');
		await say('cut-future', 'old');
		assertOk(await api.post('/channels/messaging/cut-future/truncate',
			{ truncated_at: '2090-01-01T00:00:00Z' }), 201);
		await say('cut-future', 'new');
		assert.deepEqual(texts(await shown('cut-future')), ['new']);
	});
	test('for some members', async () => {
		await make('cut-some');
		await say('cut-some', 'old');
		assertOk(await api.post('/channels/messaging/cut-some/truncate', { member_ids: ['bob'] }), 201);
		await say('cut-some', 'new');
		const seen = async (id) => texts((await inbox(api, id,
			{ filter_conditions: { cid: 'messaging:cut-some' } }))[0]);
		assert.deepEqual([await seen('ann'), await seen('bob')], [['old', 'new'], ['new']]);
	});
	test('last_message_at follows', async () => {
		await make('cut-last');
		await say('cut-last', 'old');
		await js.channel('messaging', 'cut-last').truncate();
		assert.equal((await shown('cut-last')).channel.last_message_at, undefined);
		const found = await js.queryChannels({ cid: 'messaging:cut-last',
			last_message_at: { $exists: true } });
		assert.deepEqual(found, []);
	});
	test('a campaign\'s channel: an unread message that was cut off is never read', async () => {
		await makeUsers(api, ['ct1']);
		const { id } = await sendTo(['ct1'], 'ct');
		await js.channel('messaging', 'ct-ct1').truncate({ hard_delete: true });
		assert.deepEqual((await inbox(api, 'ct1')).map(texts), [[]]);
		assertOk(await api.post('/channels/messaging/ct-ct1/read', { user_id: 'ct1' }), 201);
		assert.equal((await js.getCampaign(id)).campaign.stats.stats_users_read, 0);
		const { stats } = await sendTo(['ct1'], 'ct', { message_template: { text: 'again' } });
		assert.equal(stats.messages_sent, 1);
		assert.deepEqual((await inbox(api, 'ct1')).map(texts), [['again']]);
	});
});

describe('delete', () => {
	test('stream-chat: soft; the channel is gone', async () => {
		const channel = await make('del-js');
		const { id } = await say('del-js', 'x');
		const { channel: got } = await channel.delete();
		assert.equal(got.cid, 'messaging:del-js');
		assert.ok(got.deleted_at);
		for (const answer of [await api.get('/channels/messaging/del-js'), await api.get(`/messages/${id}`),
			await api.post('/channels/messaging/del-js', {}), await api.del('/channels/messaging/del-js'),
			await api.patch('/channels/messaging/del-js', {}),
			await api.post('/channels/messaging/del-js/truncate', {}),
			await api.post('/channels/messaging/del-js/hide', { user_id: 'bob' }),
			await api.post('/channels/messaging/del-js/read', { user_id: 'bob' }),
			await api.post('/channels/messaging/del-js/message', { message: { text: 'x', user_id: 'ann' } })])
			assertError(answer, 404, 16);
		assert.deepEqual(await js.queryChannels({ cid: 'messaging:del-js' }), []);
		assert.ok(!(await inbox(api, 'bob')).some((state) => state.channel.id === 'del-js'));
	});
	test('made again, it is empty and as the call says', async () => {
		await make('phoenix', { colour: 'red', members: ['ann', 'bob'], frozen: true });
		await say('phoenix', 'old');
		await js.channel('messaging', 'phoenix').delete();
		const state = assertOk(await api.post('/channels/messaging/phoenix/query', { data: {
			members: ['carl'], created_by_id: 'dora', size: 1 } }), 201);
		assert.deepEqual([memberIds(state), texts(state)], [['carl'], []]);
		assert.deepEqual([state.channel.colour, state.channel.size, state.channel.created_by.id,
			state.channel.frozen, state.channel.deleted_at, state.channel.truncated_at],
			[undefined, 1, 'dora', false, undefined, undefined]);
		await say('phoenix', 'new', 'carl');
		assert.deepEqual(texts(await shown('phoenix')), ['new']);
	});
	test('a distinct channel, too', async () => {
		const get = () => js.channel('messaging', { members: ['bob', 'dora'], created_by_id: 'bob' }).create();
		const { channel: { id } } = await get();
		await say(id, 'old', 'bob');
		await js.channel('messaging', id).delete({ hard_delete: true });
		const state = await get();
		assert.equal(state.channel.id, id);
		assert.deepEqual([memberIds(state), texts(state)], [['bob', 'dora'], []]);
	});
	for (const hard_delete of [false, true])
		test(`a campaign's channel, ${hard_delete ? 'hard' : 'soft'}, and campaigns afterwards`, async () => {
			const prefix = hard_delete ? 'dch' : 'dcs', users = [`${prefix}1`, `${prefix}2`];
			await makeUsers(api, users);
			const first = await sendTo(users, prefix);
			const path = `/channels/messaging/${prefix}-${users[0]}`;
			assertOk(await api.del(path, { hard_delete }), 200);
			assert.deepEqual(await inbox(api, users[0]), []);
			const second = await sendTo(users, prefix);
			assert.deepEqual([second.stats.messages_sent, second.stats.skipped],
				[1, { no_channel: 1 }]);
			const state = assertOk(await api.post(`${path}/query`, { data: { created_by_id: users[0],
				members: [users[0]] } }), 201);
			assert.deepEqual([memberIds(state), texts(state), state.channel.colour],
				[[users[0]], [], undefined]);
			const third = await sendTo(users, prefix, { message_template: { text: 'third' } });
			assert.deepEqual([third.stats.messages_sent, third.stats.channels_created], [2, 0]);
			assert.deepEqual((await inbox(api, users[0])).map(texts), [['third']]);
			const { campaign } = await js.getCampaign(first.id);
			assert.deepEqual([campaign.stats.stats_messages_sent, campaign.stats.stats_users_read], [2, 0]);
		});
	test('many: a task, and what became of each', async () => {
		for (const id of ['many1', 'many2'])
			await make(id);
		const cids = ['messaging:many1', 'messaging:many2', 'messaging:never', 'chess:x', 'nonsense'];
		const { result, task_id } = await js.deleteChannels(cids);
		assert.deepEqual(cids.map((cid) => result[cid].status), ['ok', 'ok', 'error', 'error', 'error']);
		assert.match(result['messaging:never'].error, /doesn't exist/);
		const task = await js.getTask(task_id);
		assert.equal(task.status, 'completed');
		assert.deepEqual(task.result, result);
		assert.equal((await channelsByCid(api, cids.slice(0, 2))).size, 0);
		await make('many3');
		const v2 = await node.chat.deleteChannels({ cids: ['messaging:many3'], hard_delete: true });
		assert.equal(v2.result['messaging:many3'].status, 'ok');
		assert.equal((await node.getTask({ id: v2.task_id })).status, 'completed');
	});
	test('hard: what was said is forgotten', async () => {
		await make('forget', { colour: 'red' });
		const { id } = await say('forget', 'secret', 'bob');
		await js.channel('messaging', 'forget').delete({ hard_delete: true });
		/* A message id that a client chose is free again when its message is forgotten. */
		await make('forget-id');
		assertOk(await api.post('/channels/messaging/forget-id/message',
			{ message: { id: 'chosen', text: 'x', user_id: 'ann' } }), 201);
		await js.channel('messaging', 'forget-id').delete({ hard_delete: true });
		await make('forget-id-2');
		await until('the id is free', async () => (await api.post('/channels/messaging/forget-id-2/message',
			{ message: { id: 'chosen', text: 'y', user_id: 'ann' } })).status === 201, { within: seconds(20) });
		assertError(await api.get(`/messages/${id}`), 404, 16);
	});
});

describe('user tokens', () => {
	test('the creator and moderators change a channel, others do not', async () => {
		await make('rights', { members: ['ann', { user_id: 'bob', channel_role: 'channel_moderator' }, 'carl'] });
		const path = '/channels/messaging/rights';
		const asks = [['POST', path, { data: { name: 'x' } }], ['PATCH', path, { set: { name: 'x' } }],
			['POST', path, { add_members: ['dora'] }], ['POST', path, { remove_members: ['bob'] }],
			['POST', path, { assign_roles: [{ user_id: 'carl', channel_role: 'channel_moderator' }] }],
			['POST', path, { add_moderators: ['carl'] }], ['POST', `${path}/truncate`, {}],
			['POST', path, { add_filter_tags: ['x'] }], ['DELETE', path],
			['POST', path, { message: { text: 'all hail carl' } }],
			['POST', path, { remove_members: ['carl', 'bob'], message: { text: 'x' } }]];
		for (const [method, where, body] of asks) {
			assertError(await as('carl', method, where, body), 403, 17, /carl/);
			assertError(await as('dora', method, where, body), 403, 17, /dora/);
		}
		assertOk(await as('bob', 'POST', path, { data: { name: 'B' } }), 201);
		assertOk(await as('ann', 'PATCH', path, { set: { name: 'A' } }), 200);
		const left = assertOk(await as('carl', 'POST', path, { remove_members: ['carl'],
			message: { text: 'bye' } }), 201);
		assert.deepEqual([left.message.type, left.message.user.id], ['system', 'carl']);
		assertError(await as('bob', 'DELETE', path, undefined, { hard_delete: true }), 403, 17);
		assertError(await as('bob', 'POST', '/channels/delete', { cids: ['messaging:rights'] }), 403, 17);
		assertOk(await as('ann', 'DELETE', path), 200);
	});
	test('own_capabilities say so', async () => {
		await make('capable');
		const of = async (id) => assertOk(await as(id, 'GET', '/channels/messaging/capable'), 200)
			.channel.own_capabilities;
		for (const id of ['ann', 'bob'])
			for (const one of ['send-message', 'read-events', 'send-reply', 'quote-message',
				'update-own-message', 'delete-own-message', 'leave-channel', 'delivery-events'])
				assert.ok((await of(id)).includes(one), `${id}: ${one}`);
		assert.ok((await of('ann')).includes('update-channel-members'));
		assert.ok(!(await of('bob')).includes('update-channel-members'));
	});
});

describe('refused', () => {
	const path = '/channels/messaging/strict';
	before(() => make('strict', { members: ['ann', 'bob'], colour: 'red' }));
	const untouched = async () => {
		const state = await shown('strict');
		assert.deepEqual([memberIds(state), state.channel.colour, state.channel.filter_tags],
			[['ann', 'bob'], 'red', undefined]);
	};
	test('update', async () => {
		await assertAllRefused([{ data: 5 }, { data: { frozen: 'yes' } }, { data: { team: 5 } },
			{ data: { disabled: 1 } }, { data: { blob: 'x'.repeat(6000) } }, { add_members: 'ann' },
			{ add_members: [5] }, { add_members: [{}] }, { add_members: ['nobody'] },
			{ add_members: [{ user_id: 'carl', channel_role: 5 }] }, { add_members: Array(101).fill('carl') },
			{ add_members: [{ user_id: 'carl', blob: 'x'.repeat(6000) }] }, { remove_members: [5] },
			{ remove_members: 'bob' }, { assign_roles: ['bob'] }, { assign_roles: [{ user_id: 'bob' }] },
			{ assign_roles: [{ user_id: 'carl', channel_role: 'x' }] }, { add_moderators: ['nobody'] },
			{ add_moderators: [{ user_id: 'bob' }] }, { demote_moderators: ['carl'] },
			{ demote_moderators: 5 }, { invites: [5] }, { invites: ['nobody'] }, { accept_invite: true },
			{ accept_invite: 'x' }, { reject_invite: true, accept_invite: true, user_id: 'bob' },
			{ reject_invite: true, user_id: 'bob' }, { hide_history: 'x' },
			{ hide_history_before: 'yesterday' }, { add_filter_tags: [5] }, { add_filter_tags: 'x' },
			{ add_filter_tags: [''] }, { add_filter_tags: Array.from({ length: 11 }, (_, i) => `t${i}`) },
			{ message: 'x' }, { message: { text: 'x' } }, { message: { user_id: 'ann' } },
			{ message: { text: 5, user_id: 'ann' } }], (body) => api.post(path, body));
		await untouched();
	});
	test('partial update', async () => {
		await assertAllRefused([{ set: 5 }, { set: [] }, { unset: 'x' }, { unset: [null] },
			{ set: { frozen: 'x' } }, { set: { team: 5 } }, { set: { filter_tags: 'x' } },
			{ set: { filter_tags: [5] } }, { set: { cid: 'x:y' } }, { set: { members: [] } },
			{ unset: ['id'] }, { set: { 'created_by.id': 'bob' } }, { set: { '.a': 1 } },
			{ set: { 'colour.x': 1 } }, { set: { blob: 'x'.repeat(6000) } },
			{ set: { 'a.b.c.d.e.f.g.h.i': 1 } }], (body) => api.patch(path, body));
		assertError(await api.patch('/api/v2/chat/channels/messaging/strict', { set: { custom: 5 } }), 400, 4);
		await untouched();
	});
	test('truncate, delete', async () => {
		await assertAllRefused([{ truncated_at: 'x' }, { hard_delete: 'x' }, { member_ids: 'ann' },
			{ member_ids: ['nobody'] }, { member_ids: [5] }, { message: { text: 'x' } }, { message: 5 }],
		(body) => api.post(`${path}/truncate`, body));
		await assertAllRefused([{}, { cids: [] }, { cids: 'x' }, { cids: [5] },
			{ cids: Array(101).fill('messaging:strict') }, { cids: ['messaging:strict'], hard_delete: 'x' }],
		(body) => api.post('/channels/delete', body));
		assertError(await api.del(path, { hard_delete: 'x' }), 400, 4, /hard_delete/);
		await untouched();
	});
	test('what is not there: 404 code 16', async () => {
		for (const { chat } of DIALECTS)
			for (const where of ['messaging/never', 'chess/x']) {
				const at = `${chat}/channels/${where}`;
				for (const answer of [await api.get(at), await api.post(at, {}), await api.patch(at, {}),
					await api.del(at), await api.post(`${at}/truncate`, {})])
					assertError(answer, 404, 16, /doesn't exist/);
			}
		assertError(await api.post(path, { user_id: 'nobody' }), 404, 16, /nobody/);
	});
});
