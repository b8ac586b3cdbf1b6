/* channel_types – built-in ones, changed ones, the app's own, and what follows from them for
 * channels, messages and campaigns: api.md §6.3, §6.11. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertAllRefused, assertError, assertOk, call, refused, userToken }
	from './lib/clients.mjs';
import { ids, inbox, makeCampaign, makeUsers, onlyMessage, send, startCampaign, startServer }
	from './lib/fixtures.mjs';

let server, api, js, node;
before(async () => {
	({ server, api, js, node } = await startServer(['ann', 'bob']));
});
after(() => server.close());

const BUILT_IN = ['messaging', 'team', 'livestream', 'gaming', 'commerce'];

describe('built-in types', () => {
	test('are always there', async () => {
		for (const answer of [await js.listChannelTypes(), await node.chat.listChannelTypes()]) {
			assert.deepEqual(Object.keys(answer.channel_types).slice(0, 5), BUILT_IN);
			for (const [name, type] of Object.entries(answer.channel_types))
				assert.deepEqual([type.name, type.read_events, type.max_message_length, type.automod,
					type.commands, type.permissions, type.grants],
				[name, true, 5000, 'disabled', [], [], {}]);
		}
		for (const name of BUILT_IN) {
			assert.equal((await js.getChannelType(name)).name, name);
			await refused(js.deleteChannelType(name), 4, /built-in/);
			await refused(js.createChannelType({ name }), 4, /exists already/);
		}
		assert.ok((await node.chat.getChannelType({ name: 'team' })).created_at instanceof Date);
	});
	test('can be changed, and the config of channels follows', async () => {
		await js.channel('gaming', 'g', { members: ['ann'], created_by_id: 'ann' }).create();
		const changed = await js.updateChannelType('gaming', { max_message_length: 10, replies: false,
			read_events: false, count_messages: true });
		assert.deepEqual([changed.max_message_length, changed.replies, changed.quotes], [10, false, true]);
		for (const { chat } of DIALECTS) {
			const { channel: { config, message_count } } = assertOk(
				await api.get(`${chat}/channels/gaming/g`), 200);
			assert.deepEqual([config.name, config.max_message_length, config.replies, config.read_events,
				config.quotes, config.commands, config.grants, message_count],
			['gaming', 10, false, false, true, [], undefined, 0]);
		}
		const post = (text) => api.post('/channels/gaming/g/message', { message: { text, user_id: 'ann' } });
		assertOk(await post('ü'.repeat(10)), 201);
		assertError(await post('ü'.repeat(11)), 400, 20, /10 characters/);
		const { channel } = assertOk(await call(server, 'GET', '/channels/gaming/g',
			{ token: userToken(server, 'ann') }), 200);
		assert.equal(channel.message_count, 1);
		for (const one of ['read-events', 'send-reply'])
			assert.ok(!channel.own_capabilities.includes(one), one);
		assert.equal((await js.getChannelType('gaming')).replies, false);
		await js.updateChannelType('gaming', { max_message_length: 20000 });
		assertOk(await post('x'.repeat(20000)), 201);
		assert.equal((await js.getChannelType('gaming')).replies, false, 'what is absent stays');
		assert.equal((await js.getChannelType('messaging')).max_message_length, 5000);
	});
});

describe('types of the app', () => {
	test('stream-chat: create, get, update, delete', async () => {
		const made = await js.createChannelType({ name: 'support', typing_events: true, mutes: false,
			automod: 'simple', automod_behavior: 'block', grants: { user: ['read-channel'] },
			max_message_length: 300, message_retention: '30' });
		assert.deepEqual([made.name, made.typing_events, made.read_events, made.automod, made.grants,
			made.max_message_length, made.message_retention], ['support', true, true, 'simple',
			{ user: ['read-channel'] }, 300, '30']);
		const { duration: ignored, ...type } = made;
		const { duration: ignored2, ...got } = await js.getChannelType('support');
		assert.deepEqual(got, type);
		const updated = await js.updateChannelType('support', { automod: 'disabled', reactions: true });
		assert.deepEqual([updated.automod, updated.reactions, updated.max_message_length],
			['disabled', true, 300]);
		assert.ok(updated.updated_at > updated.created_at);
		assert.deepEqual(Object.keys((await js.listChannelTypes()).channel_types),
			[...BUILT_IN, 'support']);
		await js.deleteChannelType('support');
		await refused(js.getChannelType('support'), 16);
		await refused(js.deleteChannelType('support'), 16, /"support is not a defined channel type"/);
		await refused(js.updateChannelType('support', {}), 16, /not a defined channel type/);
	});
	test('node-sdk', async () => {
		const made = await node.chat.createChannelType({ name: 'desk', automod: 'disabled',
			automod_behavior: 'flag', max_message_length: 100, blocklists: [{ blocklist: 'b', behavior: 'flag' }] });
		assert.ok(made.created_at instanceof Date);
		const updated = await node.chat.updateChannelType({ name: 'desk', automod: 'AI',
			automod_behavior: 'flag', max_message_length: 200, push_level: 'mentions' });
		assert.deepEqual([updated.max_message_length, updated.push_level, updated.blocklists.length],
			[200, 'mentions', 1]);
		await node.chat.deleteChannelType({ name: 'desk' });
		await refused(node.chat.getChannelType({ name: 'desk' }), 16);
	});
	test('channels of them: made, found, queried; then the type stays', async () => {
		await refused(js.channel('shop', 'x', { created_by_id: 'ann' }).create(), 16, /shop/);
		await js.createChannelType({ name: 'shop' });
		const { channel } = await js.channel('shop', 'x', { members: ['ann', 'bob'],
			created_by_id: 'ann' }).create();
		assert.deepEqual([channel.cid, channel.config.name], ['shop:x', 'shop']);
		for (const filter of [{ type: 'shop' }, { id: 'x' }, { cid: 'shop:x' }])
			assert.deepEqual((await js.queryChannels(filter)).map(({ cid }) => cid), ['shop:x']);
		const distinct = await js.channel('shop', { members: ['ann', 'bob'], created_by_id: 'ann' }).create();
		assert.match(distinct.channel.cid, /^shop:!members-/);
		await refused(js.deleteChannelType('shop'), 4, /channels of the type shop/);
		assert.equal((await js.getChannelType('shop')).name, 'shop');
	});
	test('campaigns send into them, within their limits', async () => {
		await makeUsers(api, ['r1', 'r2']);
		const definition = (text) => ({ sender_id: 'ann', user_ids: ['r1'], create_channels: true,
			message_template: { text }, channel_template: { type: 'offers', id: 'o-{{receiver.id}}' } });
		assertError(await api.post('/campaigns', definition('x')), 400, 4, /"offers" is not a channel type/);
		await js.createChannelType({ name: 'offers', max_message_length: 5 });
		const { stats } = await send(api, definition('Hi {{receiver.id}}'));
		assert.equal(stats.messages_sent, 1);
		assert.equal((await onlyMessage(api, 'r1')).cid, 'offers:o-r1');
		const long = await send(api, definition('Hello {{receiver.id}}'));
		assert.deepEqual([long.stats.messages_sent, long.stats.failed], [0, { message_too_long: 1 }]);
		await refused(js.deleteChannelType('offers'), 4);
		const [{ channel }] = await inbox(api, 'r1');
		assert.equal(channel.config.max_message_length, 5);
	});
	test('a type that goes before the campaign starts, or stays while one is due', async () => {
		for (const name of ['brief', 'due'])
			await js.createChannelType({ name });
		const definition = (type) => ({ sender_id: 'ann', user_ids: ['bob'], create_channels: true,
			message_template: { text: 'x' }, channel_template: { type, id: 'b-{{receiver.id}}' } });
		const { id } = await makeCampaign(api, definition('brief'));
		await js.deleteChannelType('brief');
		assertError(await api.post(`/campaigns/${id}/start`, {}), 400, 4, /"brief" is not a channel type/);
		const due = await makeCampaign(api, definition('due'));
		await startCampaign(api, due.id, { scheduled_for: new Date(Date.now() + 3600000).toISOString() });
		await refused(js.deleteChannelType('due'), 4, /campaigns/);
		assertOk(await api.post(`/campaigns/${due.id}/stop`), 201);
		await js.deleteChannelType('due');
	});
});

test('refused', async () => {
	const bodies = [undefined, {}, { name: '' }, { name: 5 }, { name: 'a b' }, { name: 'a:b' },
		{ name: 'x'.repeat(65) }, { name: 'n', replies: 'yes' }, { name: 'n', max_message_length: 0 },
		{ name: 'n', max_message_length: 20001 }, { name: 'n', max_message_length: 'x' },
		{ name: 'n', automod: 'loud' }, { name: 'n', automod: 5 }, { name: 'n', automod: '' },
		{ name: 'n', automod_behavior: 'fl' }, { name: 'n', automod_behavior: 'flag block' },
		{ name: 'n', blocklist_behavior: 'x'.repeat(300) }, { name: 'n', push_level: 'some' },
		{ name: 'n', grants: [] }, { name: 'n', permissions: {} }, { name: 'n', blocklists: 'x' },
		{ name: 'n', message_retention: 5 }, { name: 'n', message_retention: 'x'.repeat(256) },
		{ name: 'n', automod_thresholds: 5 }, { name: 'n', partition_size: 1.5 },
		{ name: 'n', grants: { user: ['x'.repeat(20000)] } }];
	await assertAllRefused(bodies, (body) => api.post('/channeltypes', body));
	await assertAllRefused(bodies.slice(7), (body) => api.put('/channeltypes/team', body));
	assertError(await api.get('/channeltypes/n'), 404, 16);
	assert.equal((await js.getChannelType('team')).max_message_length, 5000);
	for (const [method, path] of [['GET', '/channeltypes'], ['POST', '/channeltypes'],
		['GET', '/channeltypes/team'], ['PUT', '/channeltypes/team'], ['DELETE', '/channeltypes/team']])
		assertError(await call(server, method, path, { token: userToken(server, 'ann'), body: {} }), 403, 17);
});

test('50 of the app, not more', async () => {
	const there = Object.keys((await js.listChannelTypes()).channel_types).length - BUILT_IN.length;
	for (const name of ids('t', 50 - there))
		await js.createChannelType({ name });
	await refused(js.createChannelType({ name: 'more' }), 4, /50 channel types/);
	await js.updateChannelType('commerce', { quotes: false });
	assert.equal(Object.keys((await js.listChannelTypes()).channel_types).length, 55);
	assert.equal((await js.getChannelType('commerce')).quotes, false);
});
