/* edges – where two rules meet: names that collide, things deleted under others, requests
 * that race, ids that two ways lead to. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertError, assertOk, call, jsClient, rawClient, userToken }
	from './lib/clients.mjs';
import { channelsByCid, checkStats, ended, getCampaign, ids, inbox, makeCampaign, makeUsers,
	onlyMessage, send, startCampaign } from './lib/fixtures.mjs';
import { Server } from './lib/server.mjs';

let server, api, js;
before(async () => {
	server = await Server.start();
	api = rawClient(server);
	js = jsClient(server);
	await makeUsers(api, [{ id: 'ann', name: 'Ann' }, { id: 'bob', name: 'Bob' }, 'eve']);
});
after(() => server.close());

const texts = (state) => state.messages.map(({ text }) => text);
const memberIds = (state) => state.members.map(({ user_id }) => user_id).sort();
const oneOff = (users, id, more = {}) => ({ sender_id: 'ann', user_ids: users,
	message_template: { text: 'x' }, create_channels: true,
	channel_template: { type: 'messaging', id }, ...more });

describe('custom data with the names of built-in fields', () => {
	/* The helper refuses any answer with a key twice in one object.  The times are null, as it
	 * would also take them for true ones where custom data is echoed. */
	const HOSTILE = { id: 'fake', cid: 'fake:fake', type: 'deleted', text: 'fake', user: { id: 'eve' },
		created_at: null, updated_at: null, attachments: 'fake', reply_count: 7, html: 'fake',
		campaign_id: 'fake', created_by_campaign_id: 'fake', poll_id: 'fake', members: 'fake',
		created_by: 'fake', config: 'fake', member_count: 99, frozen: true, name: 'Nick', role: 'admin',
		teams: ['fake'], banned: true, custom: { a: 1 }, devices: 'fake', own: 'kept' };

	test('in a message_template', async () => {
		await makeUsers(api, ['c1']);
		const { id } = await send(api, oneOff(['c1'], 'hostile-message',
			{ message_template: { text: 'true text', custom: HOSTILE } }));
		for (const { name, chat } of DIALECTS) {
			const { channels } = assertOk(await api.post(`${chat}/channels`, {
				filter_conditions: { cid: 'messaging:hostile-message' } }), 201);
			const [message] = channels[0].messages;
			assert.equal(message.text, 'true text');
			assert.equal(message.type, 'regular');
			assert.equal(message.cid, 'messaging:hostile-message');
			assert.equal(message.user.id, 'ann');
			assert.deepEqual(message.attachments, []);
			assert.equal(message.reply_count, 0);
			assert.ok(message.created_at);
			const custom = name === 'v1' ? message : message.custom;
			assert.equal(custom.own, 'kept');
			assert.equal(custom.campaign_id, id);
			assert.equal(custom.created_by_campaign_id, id);
			assertOk(await api.get(`${chat}/messages/${message.id}`), 200);
		}
	});
	test('in a channel_template', async () => {
		await makeUsers(api, ['c2']);
		await send(api, oneOff(['c2'], 'x', { channel_template: { type: 'messaging',
			id: 'hostile-channel', custom: HOSTILE } }));
		for (const { name, chat } of DIALECTS) {
			const { channels: [{ channel }] } = assertOk(await api.post(`${chat}/channels`,
				{ filter_conditions: { cid: 'messaging:hostile-channel' } }), 201);
			assert.equal(channel.id, 'hostile-channel');
			assert.equal(channel.type, 'messaging');
			assert.equal(channel.created_by.id, 'ann');
			assert.equal(channel.member_count, 2);
			assert.ok(channel.created_at);
			assert.equal(typeof channel.config, 'object');
			assert.equal((name === 'v1' ? channel : channel.custom).own, 'kept');
		}
	});
	test('in a user: refused by name, or kept apart', async () => {
		const made = await api.post('/api/v2/users', { users: { host: { id: 'host', custom: HOSTILE } } });
		if (made.status !== 201)
			return assertError(made, 400, 4, /custom\.\w+/);
		for (const { name, common } of DIALECTS) {
			const { users: [user] } = assertOk(await api.get(`${common}/users`, { payload:
				JSON.stringify({ filter_conditions: { id: 'host' } }) }), 200);
			assert.equal(user.id, 'host');
			assert.equal(user.role, 'user');
			assert.equal(user.banned, false);
			assert.equal((name === 'v1' ? user : user.custom).own, 'kept');
		}
	});
	test('a user sent back as it came: what the server made is not taken as custom', async () => {
		const { users: { back } } = await js.upsertUser({ id: 'back', name: 'B', colour: 'red' });
		const { users: { back: again } } = await js.upsertUser(back);
		assert.deepEqual(Object.keys(again).sort(), Object.keys(back).sort());
		assert.equal(again.created_at, back.created_at);
		const { users: [v2] } = assertOk(await api.get('/api/v2/users', { payload:
			JSON.stringify({ filter_conditions: { id: 'back' } }) }), 200);
		assert.deepEqual(v2.custom, { colour: 'red' });
	});
	test('a channel and a message sent by the API', async () => {
		assertOk(await api.post('/api/v2/chat/channels/messaging/hostile-api/query', { data:
			{ created_by_id: 'ann', members: [{ user_id: 'ann', custom: HOSTILE }], custom: HOSTILE } }),
		201);
		assertOk(await api.post('/api/v2/chat/channels/messaging/hostile-api/message', { message:
			{ text: 'true text', user_id: 'ann', custom: HOSTILE } }), 201);
		for (const { chat } of DIALECTS) {
			const { channels: [state] } = assertOk(await api.post(`${chat}/channels`,
				{ filter_conditions: { cid: 'messaging:hostile-api' } }), 201);
			assert.equal(state.channel.id, 'hostile-api');
			assert.equal(state.members[0].user_id, 'ann');
			assert.equal(state.members[0].user.id, 'ann');
			assert.equal(state.messages[0].text, 'true text');
		}
	});
});

describe('deleted things', () => {
	test('a campaign: its messages and channels stay as they were', async () => {
		await makeUsers(api, ['keep']);
		await send(api, oneOff(['keep'], 'kept', { id: 'doomed', message_template: { text: 'stay',
			custom: { k: { v: 1 } }, attachments: [{ type: 'image', title: 't' }] },
		channel_template: { type: 'messaging', id: 'kept', custom: { colour: 'red' },
			members: ['eve'] } }));
		const state = async () => (await channelsByCid(api, ['messaging:kept'])).get('messaging:kept');
		const before = await state();
		assert.deepEqual(before.messages[0].k, { v: 1 });
		assertOk(await api.del('/campaigns/doomed'), 200);
		assert.deepEqual(await state(), before);
		await makeCampaign(api, oneOff(['keep'], 'kept', { id: 'doomed',
			message_template: { text: 'other' } }));
		assert.deepEqual(await state(), before);
		await startCampaign(api, 'doomed');
		assert.equal((await ended(api, 'doomed')).stats.messages_sent, 1);
		assert.deepEqual(texts(await state()), ['stay', 'other']);
	});
	for (const mode of ['soft', 'hard']) {
		test(`a sender, a member, a creator, ${mode}: the JS client still reads the channel`,
			async () => {
				const [s, r, m] = [`s-${mode}`, `r-${mode}`, `m-${mode}`];
				await makeUsers(api, [s, r, m]);
				await send(api, oneOff([r], `del-${mode}`, { sender_id: s, channel_template: {
					type: 'messaging', id: `del-${mode}`, members: [m] } }));
				const cid = `messaging:del-${mode}`;
				const one = await js.queryChannels({ cid });
				assert.equal(one[0].state.messages.length, 1);
				assertOk(await api.post('/users/delete', { user_ids: [s, m], user: mode }), 201);
				const fresh = jsClient(server);
				const [channel] = await fresh.queryChannels({ cid });
				assert.equal(channel.state.messages[0].text, 'x');
				for (const { chat } of DIALECTS) {
					const { channels: [state] } = assertOk(await api.post(`${chat}/channels`,
						{ filter_conditions: { members: { $in: [r] } }, user_id: r }), 201);
					assert.ok(memberIds(state).includes(r));
					for (const { user } of [...state.read, ...state.members])
						assert.equal(typeof user?.id, 'string');
					const [message] = state.messages;
					assert.equal(message.text, 'x');
					assert.equal(message.user?.id, s);
				}
				const [message] = (await inbox(api, r))[0].messages;
				assert.equal((await js.getMessage(message.id)).message.text, 'x');
			});
	}
	test('the sender, before the start: refused, or an end that adds up', async () => {
		await makeUsers(api, ['fleeting', 'waits']);
		for (const mode of ['soft', 'hard']) {
			await makeUsers(api, ['fleeting']);
			const { id } = await makeCampaign(api, oneOff(['waits'], `fl-${mode}`,
				{ sender_id: 'fleeting' }));
			assertOk(await api.post('/users/delete', { user_ids: ['fleeting'], user: mode }), 201);
			const answer = await api.post(`/campaigns/${id}/start`, {});
			if (answer.status === 201)
				checkStats(await ended(api, id));
			else
				assertError(answer, 404, 16, /fleeting/);
		}
	});
	test('the sender of a scheduled campaign: it ends all the same', async () => {
		await makeUsers(api, ['leaving']);
		const { id } = await makeCampaign(api, oneOff(['bob'], 'lv', { sender_id: 'leaving' }));
		await startCampaign(api, id,
			{ scheduled_for: new Date(Date.now() + 400).toISOString() });
		assertOk(await api.post('/users/delete', { user_ids: ['leaving'], user: 'hard' }), 201);
		checkStats(await ended(api, id));
	});
	test('a receiver who comes back under the same id finds his channel', async () => {
		await makeUsers(api, [{ id: 'phoenix', name: 'Old' }]);
		await send(api, oneOff(['phoenix'], 'ph-{{receiver.id}}'));
		assertOk(await api.post('/users/delete', { user_ids: ['phoenix'], user: 'soft' }), 201);
		await makeUsers(api, [{ id: 'phoenix', name: 'New' }]);
		const { stats } = await send(api, oneOff(['phoenix'], 'ph-{{receiver.id}}'));
		assert.deepEqual([stats.messages_sent, stats.channels_created], [1, 0]);
		assert.equal((await channelsByCid(api, ['messaging:ph-phoenix'])).size, 1);
	});
});

describe('one id, several ways to it', () => {
	const sent = async (users, id, more) => (await send(api, oneOff(users, id, more))).stats;
	const only = async (cid, expected) => {
		const found = await channelsByCid(api, [cid]);
		assert.deepEqual(texts(found.get(cid)), expected);
	};

	test('{{receiver.id}}-{{sender.id}} and the other way round', async () => {
		await makeUsers(api, ['left', 'right']);
		const one = await sent(['left'], '{{receiver.id}}-{{sender.id}}', { sender_id: 'right' });
		const two = await sent(['right'], '{{sender.id}}-{{receiver.id}}', { sender_id: 'left' });
		assert.deepEqual([one.channels_created, two.channels_created, two.messages_sent], [1, 0, 1]);
		await only('messaging:left-right', ['x', 'x']);
	});
	test('a suffix that is the end of another', async () => {
		await makeUsers(api, ['n', 'n-b']);
		const one = await sent(['n-b', 'n'], '{{receiver.id}}-a');
		const two = await sent(['n', 'n-b'], '{{receiver.id}}-b-a');
		assert.deepEqual([one.channels_created, two.channels_created], [2, 1]);
		await only('messaging:n-b-a', ['x', 'x']);
		await only('messaging:n-a', ['x']);
		await only('messaging:n-b-b-a', ['x']);
	});
	test('a literal id, a rendered one, and one made by the API', async () => {
		await makeUsers(api, ['lit']);
		const made = [(await sent(['lit'], 'way-lit')), (await sent(['lit'], 'way-{{receiver.id}}')),
			(await sent(['lit'], '{{ "way" }}-{{receiver.id|lower}}')),
			(await sent(['lit'], 'way-{{ receiver.nick|default:"lit" }}'))]
			.map(({ channels_created }) => channels_created);
		assert.deepEqual(made, [1, 0, 0, 0]);
		const state = assertOk(await api.post('/channels/messaging/way-lit/query',
			{ data: { created_by_id: 'lit' }, state: true }), 201);
		assert.equal(state.messages.length, 4);
	});
	test('made by the API before the user existed, and before the form did', async () => {
		assertOk(await api.post('/channels/messaging/late-comer-desk/query', { data: {
			created_by_id: 'eve', members: ['eve'] } }), 201);
		await makeUsers(api, ['late-comer', 'early']);
		const stats = await sent(['late-comer', 'early'], '{{receiver.id}}-desk');
		assert.deepEqual([stats.channels_created, stats.messages_sent], [1, 2]);
		assertOk(await api.post('/channels/messaging/unborn-desk/query', { data: {
			created_by_id: 'eve', members: ['eve'] } }), 201);
		await makeUsers(api, ['unborn']);
		const again = await sent(['unborn', 'early'], '{{receiver.id}}-desk');
		assert.deepEqual([again.channels_created, again.messages_sent], [0, 2]);
		const found = await channelsByCid(api, ['messaging:unborn-desk', 'messaging:late-comer-desk',
			'messaging:early-desk']);
		assert.deepEqual([...found.values()].map((state) => state.messages.length).sort(), [1, 1, 2]);
	});
	test('the same id in another type is another channel', async () => {
		await makeUsers(api, ['typ']);
		for (const type of ['messaging', 'team', 'gaming'])
			assert.equal((await sent(['typ'], '', { channel_template: { type,
				id: '{{receiver.id}}-typed' } })).channels_created, 1);
		assert.equal((await inbox(api, 'typ')).length, 3);
	});
	test('distinct: by the API, by a campaign, by members of the template', async () => {
		await makeUsers(api, ['x1', 'x2', 'x3']);
		const set = async (members) => assertOk(await api.post('/channels/messaging/query', { data: {
			created_by_id: members[0], members }, state: true }), 201);
		const cid = (await set(['x1', 'x2', 'x3'])).channel.cid;
		for (const [user, sender, member] of [['x1', 'x2', 'x3'], ['x2', 'x3', 'x1'],
			['x3', 'x1', 'x2']]) {
			const stats = await sent([user], '', { sender_id: sender, channel_template: {
				type: 'messaging', members: [member] } });
			assert.deepEqual([stats.channels_created, stats.messages_sent], [0, 1]);
		}
		const state = await set(['x3', 'x2', 'x1']);
		assert.deepEqual([state.channel.cid, state.messages.length], [cid, 3]);
	});
	test('1-to-1 in both directions', async () => {
		await makeUsers(api, ['y1', 'y2']);
		const make = (user, sender_id) => sent([user], '', { sender_id, channel_template:
			{ type: 'messaging' } });
		assert.equal((await make('y1', 'y2')).channels_created, 1);
		assert.equal((await make('y2', 'y1')).channels_created, 0);
		const [state] = await inbox(api, 'y1');
		assert.deepEqual(state.messages.map(({ user }) => user.id), ['y2', 'y1']);
	});
});

describe('races', () => {
	const statuses = async (n, ask) => {
		const answers = await Promise.all(Array.from({ length: n }, (_, i) => ask(i)));
		return answers.map(({ status }) => status).sort();
	};
	test('the same id created 20 times at once: one wins', async () => {
		for (const [path, body] of [['/campaigns', oneOff(['bob'], 'x', { id: 'racer' })],
			['/segments', { id: 'racer', type: 'user' }]])
			assert.deepEqual(await statuses(20, () => api.post(path, body)),
				[201, ...Array(19).fill(400)]);
	});
	test('the same message id sent 10 times at once', async () => {
		assertOk(await api.post('/channels/messaging/msg-race/query', { data: {
			created_by_id: 'ann', members: ['ann'] } }), 201);
		assert.deepEqual(await statuses(10, () => api.post('/channels/messaging/msg-race/message',
			{ message: { id: 'racing-message', text: 'x', user_id: 'ann' } })),
		[201, ...Array(9).fill(400)]);
	});
	test('the same user upserted and patched from all sides', async () => {
		const found = await statuses(40, (i) => (i % 2
			? api.post('/users', { users: { busy: { id: 'busy', n: i } } })
			: api.patch('/users', { users: [{ id: 'ann', set: { [`k${i}`]: i } }] })));
		assert.deepEqual([...new Set(found)], [200, 201]);
		const { users: [user] } = await js.queryUsers({ id: 'ann' });
		for (let i = 0; i < 40; i += 2)
			assert.equal(user[`k${i}`], i, 'no patch is lost');
	});
	test('targets added by 8 clients: the size is exact', async () => {
		assertOk(await api.post('/segments', { id: 'crowd', type: 'user' }), 201);
		await Promise.all(Array.from({ length: 8 }, (_, i) => api.post('/segments/crowd/addtargets',
			{ target_ids: ids('crowd', 3000).slice(i * 300, i * 300 + 900) })));
		assert.equal(assertOk(await api.get('/segments/crowd'), 200).segment.size, 3000);
	});
	test('start, stop and delete at once: nothing half done', async () => {
		for (let i = 0; i < 10; i++) {
			const { id } = await makeCampaign(api, oneOff(['bob'], `sd${i}`));
			const answers = await Promise.all([api.post(`/campaigns/${id}/start`, {}),
				api.post(`/campaigns/${id}/stop`), api.del(`/campaigns/${id}`)]);
			for (const { status, text } of answers)
				assert.ok([200, 201, 400, 404].includes(status), text);
			const now = await api.get(`/campaigns/${id}`);
			if (answers[2].status === 200)
				assertError(now, 404, 16);
			else
				await ended(api, id);
		}
	});
	test('20 readers at once count once each', async () => {
		const users = ids('rd', 20);
		await makeUsers(api, users);
		const { id } = await send(api, oneOff(users, 'rd-{{receiver.id}}'));
		await Promise.all([...users, ...users].map((user) =>
			api.post(`/channels/messaging/rd-${user}/read`, { user_id: user })));
		assert.equal((await getCampaign(api, id)).stats.stats_users_read, 20);
	});
});

describe('user tokens speak for their user only', () => {
	const as = (id, method, path, body, query = {}) => call(server, method, path,
		{ token: userToken(server, id), query, body });

	test('a message in the name of another', async () => {
		assertOk(await api.post('/channels/messaging/alone/query', { data: { created_by_id: 'ann',
			members: ['ann', 'bob'] } }), 201);
		const answer = await as('bob', 'POST', '/channels/messaging/alone/message',
			{ message: { text: 'x', user_id: 'ann' } });
		if (answer.status === 201)
			assert.equal(answer.body.message.user.id, 'bob');
		else
			assert.ok([400, 403].includes(answer.status), answer.text);
	});
	test('a read mark of another', async () => {
		await makeUsers(api, ['reader', 'spy']);
		const { id } = await send(api, oneOff(['reader'], 'spied-{{receiver.id}}'));
		const answer = await as('spy', 'POST', '/channels/messaging/spied-reader/read',
			{ user_id: 'reader' });
		assert.ok(answer.status < 500, answer.text);
		assert.equal((await getCampaign(api, id)).stats.stats_users_read, 0);
	});
	test('users are not theirs to delete or to change', async () => {
		for (const answer of [await as('bob', 'POST', '/users/delete', { user_ids: ['eve'] }),
			await as('bob', 'PATCH', '/users', { users: [{ id: 'eve', set: { role: 'admin' } }] }),
			await as('bob', 'POST', '/users', { users: { eve: { id: 'eve', role: 'admin' } } })])
			assert.equal(answer.status, 403, answer.text);
		assert.equal((await js.queryUsers({ id: 'eve' })).users[0].role, 'user');
	});
	test('user_id in the query does not change who calls', async () => {
		const answer = await as('bob', 'POST', '/channels',
			{ filter_conditions: { members: { $in: ['bob'] } } }, { user_id: 'ann' });
		if (answer.status === 201)
			for (const { membership } of answer.body.channels)
				assert.equal(membership.user_id, 'bob');
		else
			assert.ok([400, 401, 403].includes(answer.status), answer.text);
	});
});

describe('sizes', () => {
	test('a text of 5000 characters goes out, one more fails that recipient', async () => {
		await makeUsers(api, [{ id: 'short', pad: '' }, { id: 'longer', pad: 'ü' }]);
		const { stats } = await send(api, oneOff(['short', 'longer'], 'len-{{receiver.id}}',
			{ message_template: { text: `${'ü'.repeat(5000)}{{ receiver.pad }}` } }));
		assert.deepEqual([stats.messages_sent, stats.failed], [1, { message_too_long: 1 }]);
		assert.equal((await onlyMessage(api, 'short')).text.length, 5000);
	});
	test('ids at their limits: a channel id of 64 characters', async () => {
		const max = 'm'.repeat(62);
		await makeUsers(api, [max]);
		const { stats } = await send(api, oneOff([max], '{{receiver.id}}-a'));
		assert.equal(stats.messages_sent, 1);
		assert.equal((await onlyMessage(api, max)).cid, `messaging:${max}-a`);
	});
	test('ids in an audience that no user can have', async () => {
		for (const bad of ['a b', 'ü', '', 'x'.repeat(256), 'a/b']) {
			const answer = await api.post('/campaigns', oneOff([bad], 'x'));
			if (answer.status === 201) {
				await startCampaign(api, answer.body.campaign.id);
				const { stats } = await ended(api, answer.body.campaign.id);
				assert.deepEqual(stats.skipped, { no_such_user: 1 });
			} else {
				assertError(answer, 400, 4, /user_ids\[0\]/);
			}
		}
	});
	test('a sender with thousands of channels pages through his own', async () => {
		const users = ids('fan', 1200);
		await makeUsers(api, ['star', ...users]);
		await send(api, oneOff(users, 'fan-{{receiver.id}}', { sender_id: 'star' }));
		const seen = new Set();
		for (let offset = 0; offset < 300; offset += 30) {
			const channels = await inbox(api, 'star', { offset, message_limit: 1 });
			assert.equal(channels.length, 30);
			for (const { channel, membership } of channels) {
				assert.equal(membership.user_id, 'star');
				seen.add(channel.cid);
			}
		}
		assert.equal(seen.size, 300);
	});
});
