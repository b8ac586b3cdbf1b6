/* push_setup – push templates, preferences, and trying both out (api.md §6.9, §10). */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertError, assertOk, call, refused, userToken } from './lib/clients.mjs';
import { sayIn, startServer } from './lib/fixtures.mjs';
import { Double } from './lib/double.mjs';
import { Ear } from './lib/live.mjs';
import { until } from './lib/wait.mjs';

let double, server, api, js, node;
before(async () => {
	double = await Double.open();
	({ server, api, js, node } = await startServer([{ id: 'ann', name: 'Ann' }, { id: 'bob', name: 'Bob' }, 'cid', 'dan'],
		{ env: { FANFARE_PUSH_CA_FILE: double.ca, FANFARE_RETRY_LADDER: '0.1,0.2', FANFARE_LEASE_MS: 1500 } }));
	await js.upsertPushProvider(double.firebase('main'));
	await js.upsertPushProvider(double.apn('ios'));
	await js.addDevice('fcm-bob', 'firebase', 'bob', 'main');
	await js.addDevice('a0b1', 'apn', 'bob', 'ios');
	await js.channel('messaging', 'm', { members: ['ann', 'bob'], created_by_id: 'ann' }).create();
});
after(async () => {
	await server.close();
	await double.close();
});

const say = (text, more) => sayIn(js, text, more);
const came = (device, { id }) => until(`${device} gets ${id}`, () =>
	double.for(device).find((p) => (p.body.message?.data?.id ?? p.body.stream?.id ?? p.body.id) === id));
const has = (device, { id }) => double.for(device).some((p) =>
	(p.body.message?.data?.id ?? p.body.stream?.id ?? p.body.id) === id);

describe('push templates', () => {
	test('say it otherwise', async () => {
		const template = JSON.stringify({ data: { id: '{{message.id}}', n: 'X' }, notification: {
			title: '{{sender.name}}', body: '{{#if message.text}}{{truncate message.text 3}}{{/if}}' } })
			.replace('"X"', '{{unread_count}}');
		const { template: put } = await node.upsertPushTemplate({ event_type: 'message.new',
			push_provider_type: 'firebase', push_provider_name: 'main', template });
		const { created_at, updated_at, ...rest } = put;
		assert.ok(created_at instanceof Date && updated_at instanceof Date);
		assert.deepEqual(rest, { event_type: 'message.new', enable_push: true, template,
			push_provider_type: 'firebase', push_provider_name: 'main', push_provider_internal_id: 'firebase:main' });
		const { templates } = await node.getPushTemplates({ push_provider_type: 'firebase' });
		assert.deepEqual(templates.map((t) => t.template), [template]);
		assert.deepEqual((await node.getPushTemplates({ push_provider_type: 'apn' })).templates, []);
		const push = await came('fcm-bob', await say('Good "day"'));
		assert.deepEqual(push.body.message.notification, { title: 'Ann', body: 'Goo...' });
		assert.equal(typeof push.body.message.data.n, 'string');
		assert.equal(push.body.message.android, undefined);
	});
	test('switch an event off and on; what is not said stays', async () => {
		const put = (more) => assertOk2(api.post('/push_templates',
			{ event_type: 'message.new', push_provider_type: 'firebase', push_provider_name: 'main', ...more }));
		const assertOk2 = async (answer) => assertOk(await answer, 201).template;
		assert.equal((await put({ enable_push: false })).enable_push, false);
		const missed = await say('missed');
		await came('a0b1', missed);
		const kept = await put({ enable_push: true });
		assert.match(kept.template, /truncate/);
		assert.equal((await put({ template: '' })).template, undefined);
		const heard = await came('fcm-bob', await say('heard'));
		assert.equal(heard.body.message.android.priority, 'high');
		assert.ok(!has('fcm-bob', missed));
	});
	test('one of a type is for all providers that have none', async () => {
		assertOk(await api.post('/api/v2/push_templates', { event_type: 'message.new',
			push_provider_type: 'apn', template: '{"aps":{"alert":"{{channel.id}}"},"id":"{{message.id}}"}' }), 201);
		const push = await came('a0b1', await say('x'));
		assert.equal(push.body.aps.alert, 'm');
		assertOk(await api.post('/push_templates', { event_type: 'message.new', push_provider_type: 'apn',
			template: '' }), 201);
	});
	const good = { event_type: 'message.new', push_provider_type: 'apn' };
	for (const [what, change, field] of [
		['no event', { event_type: undefined }, /event_type/],
		['an unknown event', { event_type: 'message.gone' }, /event_type.*message\.gone/],
		['no type', { push_provider_type: undefined }, /push_provider_type/],
		['an unknown type', { push_provider_type: 'carrier' }, /push_provider_type.*carrier/],
		['a type that is no text', { push_provider_type: 7 }, /push_provider_type.*string/],
		['an unknown provider', { push_provider_name: 'nobody' }, /push_provider_name.*nobody/],
		['enable_push that is none', { enable_push: 'yes' }, /enable_push/],
		['a template that is no text', { template: {} }, /template.*string/],
		['one that is no template', { template: '{{#if x}}' }, /template: character \d+.*if/],
		['one with an unknown helper', { template: '{"a":"{{shout x}}"}' }, /unknown helper.*shout/],
		['one that gives no JSON', { template: '{"a":' }, /template.*JSON object/],
		['one that is too long', { template: `{"a":"${'x'.repeat(16384)}"}` }, /template.*16384/],
	])
		test(`a template with ${what}`, async () => {
			for (const { common } of DIALECTS)
				assertError(await api.post(`${common}/push_templates`, { ...good, ...change }), 400, 4, field);
		});
	test('go with their provider', async () => {
		await js.upsertPushProvider(double.apn('short'));
		assertOk(await api.post('/push_templates', { ...good, push_provider_name: 'short' }), 201);
		await js.deletePushProvider({ name: 'short', type: 'apn' });
		const { templates } = assertOk(await api.get('/push_templates', { push_provider_name: 'short' }), 200);
		assert.deepEqual(templates, []);
		assertError(await api.get('/push_templates', { push_provider_type: 'x' }), 400, 4, /push_provider_type/);
	});
});

describe('push preferences', () => {
	test('through stream-chat and node-sdk: told, kept, changed', async () => {
		const told = await js.setPushPreferences([{ user_id: 'cid', chat_level: 'mentions', call_level: 'none' },
			{ user_id: 'cid', channel_cid: 'messaging:m', chat_level: 'none', disabled_until: '2099-01-01T00:00:00Z' }]);
		assert.deepEqual(told.user_preferences, { cid: { chat_level: 'mentions', call_level: 'none' } });
		assert.deepEqual(told.user_channel_preferences, { cid: { 'messaging:m':
			{ chat_level: 'none', disabled_until: '2099-01-01T00:00:00.000000Z' } } });
		const next = await node.updatePushNotificationPreferences({ preferences: [
			{ user_id: 'cid', chat_preferences: { default_preference: 'all' } },
			{ user_id: 'cid', channel_cid: 'messaging:m', chat_level: 'default', remove_disable: true }] });
		assert.deepEqual(next.user_preferences, { cid: { chat_level: 'mentions', call_level: 'none',
			chat_preferences: { default_preference: 'all' } } });
		assert.deepEqual(next.user_channel_preferences, { cid: { 'messaging:m': {} } });
	});
	test('are obeyed', async () => {
		await js.setPushPreferences([{ user_id: 'bob', chat_level: 'mentions' }]);
		const plain = await say('plain');
		const mention = await say('mention', { mentioned_users: ['bob'] });
		await came('fcm-bob', mention);
		await js.setPushPreferences([{ user_id: 'bob', channel_cid: 'messaging:m', chat_level: 'all' }]);
		await came('fcm-bob', await say('all of this channel'));
		await js.setPushPreferences([{ user_id: 'bob', disabled_until: '2099-01-01T00:00:00Z' }]);
		await js.channel('messaging', 'm').addMembers(['cid']);
		await js.addDevice('fcm-cid', 'firebase', 'cid');
		const late = await say('late');
		await came('fcm-cid', late);
		await js.setPushPreferences([{ user_id: 'bob', remove_disable: true }]);
		await came('fcm-bob', await say('again'));
		assert.ok(!has('fcm-bob', late));
		assert.ok(!has('fcm-bob', plain));
		await js.removeDevice('fcm-cid', 'cid');
		await js.setPushPreferences([{ user_id: 'bob', chat_level: 'default' },
			{ user_id: 'bob', channel_cid: 'messaging:m', chat_level: 'default' }]);
	});
	test('client side: the own ones', async () => {
		for (const { common } of DIALECTS) {
			const { user_preferences } = assertOk(await call(server, 'POST', `${common}/push_preferences`, {
				token: userToken(server, 'ann'), body: { preferences: [{ user_id: 'bob', chat_level: 'none' }] } }), 201);
			assert.deepEqual(user_preferences, { ann: { chat_level: 'none' } });
		}
		const { user_preferences } = await js.setPushPreferences([{ user_id: 'bob' }]);
		assert.deepEqual(user_preferences, { bob: {} });
	});
	for (const [what, preferences, status, code, field] of [
		['no list', undefined, 400, 4, /preferences/],
		['no list but an object', {}, 400, 4, /preferences/],
		['more than 100', Array.from({ length: 101 }, () => ({ user_id: 'bob' })), 400, 4, /preferences/],
		['no object', ['bob'], 400, 4, /preferences\[0\].*object/],
		['no user', [{ chat_level: 'all' }], 400, 4, /preferences\[0\]\.user_id/],
		['an unknown user', [{ user_id: 'bob' }, { user_id: 'nobody' }], 404, 16, /preferences\[1\].*nobody/],
		['an unknown channel', [{ user_id: 'bob', channel_cid: 'messaging:none' }], 404, 16, /channel_cid.*messaging:none/],
		['a cid that is none', [{ user_id: 'bob', channel_cid: 'x' }], 404, 16, /channel_cid/],
		['an unknown level', [{ user_id: 'bob', chat_level: 'loud' }], 400, 4, /preferences\[0\]\.chat_level.*loud/],
		['a level that is no text', [{ user_id: 'bob', chat_level: 1 }], 400, 4, /chat_level/],
		['an unknown level of calls', [{ user_id: 'bob', call_level: 'mentions' }], 400, 4, /call_level.*mentions/],
		['a time that is none', [{ user_id: 'bob', disabled_until: 'tomorrow' }], 400, 4, /disabled_until/],
		['both a time and its end', [{ user_id: 'bob', disabled_until: '2099-01-01T00:00:00Z', remove_disable: true }],
			400, 4, /remove_disable/],
		['finer ones that are none', [{ user_id: 'bob', chat_preferences: { direct_mentions: 'some' } }], 400, 4,
			/preferences\[0\]\.chat_preferences\.direct_mentions.*some/],
		['finer ones that are no object', [{ user_id: 'bob', chat_preferences: 'all' }], 400, 4, /chat_preferences/],
		['too much', [{ user_id: 'bob', feeds_preferences: { x: 'y'.repeat(3000) } }], 400, 4, /feeds_preferences/],
	])
		test(`preferences with ${what}`, async () => {
			for (const { common } of DIALECTS)
				assertError(await api.post(`${common}/push_preferences`, { preferences }), status, code, field);
		});
});

describe('check_push', () => {
	test('shows what would be sent', async () => {
		const message = await say('Look');
		const { rendered_apn_template, rendered_firebase_template, device_errors, general_errors } =
			await js.testPushSettings('bob', { messageID: message.id });
		assert.equal(JSON.parse(rendered_apn_template).aps.alert.body, 'Look');
		assert.equal(JSON.parse(rendered_firebase_template).message.data.id, message.id);
		assert.deepEqual([device_errors, general_errors], [{}, []]);
	});
	test('with other templates, and without devices', async () => {
		const { rendered_apn_template, rendered_firebase_template, skip_devices } = await js.testPushSettings('dan', {
			apnTemplate: '{"a":"{{sender.id}}"}', firebaseTemplate: '{"title":"{{receiver.id}}"}',
			firebaseDataTemplate: '{"n":{{unread_count}}}', skipDevices: true });
		assert.deepEqual(JSON.parse(rendered_apn_template), { a: 'dan' });
		const { notification, data } = JSON.parse(rendered_firebase_template).message;
		assert.deepEqual([notification, data.n], [{ title: 'dan' }, '0']);
		assert.equal(skip_devices, true);
		const { rendered_apn_template: of_example } = await node.checkPush({ user_id: 'bob',
			push_provider_type: 'apn', skip_devices: true });
		assert.match(of_example, /example/);
	});
	test('tells what is wrong', async () => {
		await refused(js.testPushSettings('cid', {}), 4, /CheckPush failed with error: "User has no enabled devices associated"/);
		await js.upsertPushProvider({ name: 'broken', type: 'apn', apn_topic: 'x' });
		await js.addDevice('beef', 'apn', 'ann', 'broken');
		const told = await js.testPushSettings('ann', { pushProviderName: 'broken', pushProviderType: 'apn' });
		assert.match(told.general_errors[0], /apn provider "broken": p12_cert/);
		assert.deepEqual(Object.keys(told.device_errors), ['beef']);
		assert.match(told.device_errors.beef.error_message, /p12_cert/);
		await js.deletePushProvider({ name: 'broken', type: 'apn' });
		const alone = await js.testPushSettings('ann', {});
		assert.equal(alone.device_errors.beef.error_message, 'no push provider serves it');
		const none = await js.testPushSettings('ann', { pushProviderName: 'nobody', skipDevices: true });
		assert.deepEqual(none.general_errors, ['there is no such push provider']);
		await js.removeDevice('beef', 'ann');
	});
	for (const [what, body, status, code, field] of [
		['no user', {}, 400, 4, /user_id/],
		['an unknown user', { user_id: 'nobody' }, 404, 16, /nobody/],
		['an unknown message', { user_id: 'bob', message_id: 'none' }, 404, 16, /none/],
		['another event', { user_id: 'bob', event_type: 'reaction.new' }, 400, 4, /event_type/],
		['an unknown type', { user_id: 'bob', push_provider_type: 'x' }, 400, 4, /push_provider_type/],
		['a template that is none', { user_id: 'bob', apn_template: '{{' }, 400, 4, /apn_template/],
		['one that gives no JSON', { user_id: 'bob', firebase_template: 'x' }, 400, 4, /firebase_template.*JSON/],
		['one that is no text', { user_id: 'bob', firebase_data_template: [] }, 400, 4, /firebase_data_template/],
		['skip_devices that is none', { user_id: 'bob', skip_devices: 1 }, 400, 4, /skip_devices/],
	])
		test(`a check with ${what}`, async () => {
			for (const { common } of DIALECTS)
				assertError(await api.post(`${common}/check_push`, body), status, code, field);
		});
});

test('where offline_only is set, who is connected hears of it by his socket alone', async () => {
	const channel = js.channel('messaging', 'two', { members: ['ann', 'bob', 'cid'], created_by_id: 'ann' });
	await channel.create();
	await js.updateAppSettings({ push_config: { version: 'v2', offline_only: true } });
	await js.addDevice('fcm-cid', 'firebase', 'cid');
	const bob = await Ear.of(server, 'bob');
	const { message: quiet } = await channel.sendMessage({ text: 'quiet', user_id: 'ann' });
	await came('fcm-cid', quiet); /* both are looked at together */
	await bob.close();
	await until('bob is gone', async () => !(await js.queryUsers({ id: 'bob' })).users[0].online);
	const { message: loud } = await channel.sendMessage({ text: 'loud', user_id: 'ann' });
	await came('fcm-bob', loud);
	assert.ok(!has('fcm-bob', quiet));
});
