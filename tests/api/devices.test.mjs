/* devices – devices of users and push providers: api.md §6.6, §6.9. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { StreamChat } from 'stream-chat';

import { DIALECTS, assertAllRefused, assertError, assertOk, call, jwt, rawClient, refused,
	userToken } from './lib/clients.mjs';
import { ids, makeUsers, startServer } from './lib/fixtures.mjs';

let server, api, js, node;
before(async () => {
	({ server, api, js, node } = await startServer(['ann', 'bob', 'cid']));
});
after(() => server.close());

const idsOf = (devices) => devices.map(({ id }) => id);
const ACCOUNT = JSON.stringify({ type: 'service_account', project_id: 'p',
	client_email: 'x@p.iam', private_key: '-----BEGIN PRIVATE KEY-----\nMII\n' });

describe('devices', () => {
	test('through stream-chat, server side', async () => {
		await js.addDevice('js-1', 'firebase', 'ann');
		await js.addDevice('js-2', 'apn', 'ann');
		const { devices } = await js.getDevices('ann');
		assert.deepEqual(idsOf(devices), ['js-1', 'js-2']);
		const { created_at, ...rest } = devices[0];
		assert.ok(Math.abs(new Date(created_at) - Date.now()) < 60000);
		assert.deepEqual(rest, { id: 'js-1', push_provider: 'firebase', user_id: 'ann' });
		assert.deepEqual((await js.getDevices('bob')).devices, []);
		await js.removeDevice('js-1', 'ann');
		assert.deepEqual(idsOf((await js.getDevices('ann')).devices), ['js-2']);
		await refused(js.removeDevice('js-1', 'ann'), 16, /js-1/);
		await refused(js.removeDevice('js-2', 'bob'), 16, /js-2/);
	});
	test('through node-sdk: every field', async () => {
		await node.createDevice({ id: 'n-1', push_provider: 'apn', user_id: 'bob', voip_token: true,
			hardware_id: 'phone-7' });
		await node.createDevice({ id: 'n-2', push_provider: 'huawei', user: { id: 'bob' } });
		const { devices } = await node.listDevices({ user_id: 'bob' });
		assert.ok(devices[0].created_at instanceof Date);
		assert.deepEqual(devices.map(({ created_at, ...rest }) => rest), [
			{ id: 'n-1', push_provider: 'apn', user_id: 'bob', voip: true, hardware_id: 'phone-7' },
			{ id: 'n-2', push_provider: 'huawei', user_id: 'bob' }]);
		await node.deleteDevice({ id: 'n-1', user_id: 'bob' });
		assert.deepEqual(idsOf((await node.listDevices({ user_id: 'bob' })).devices), ['n-2']);
	});
	test('client side: the own ones, whatever is asked for', async () => {
		/* stream-chat as a browser has it, without a connection. */
		const mine = new StreamChat(server.key, { baseURL: server.url, allowServerSideConnect: true });
		mine.tokenManager.token = userToken(server, 'cid');
		mine.tokenManager.type = 'static';
		mine.userID = 'cid';
		mine.user = { id: 'cid' };
		await mine.addDevice('c-1', 'firebase');
		assert.deepEqual(idsOf((await mine.getDevices()).devices), ['c-1']);
		for (const { common } of DIALECTS) {
			const token = userToken(server, 'cid');
			const ask = (method, options) => call(server, method, `${common}/devices`,
				{ token, ...options });
			assertOk(await ask('POST', { body: { id: 'c-2', push_provider: 'apn', user_id: 'ann' } }), 201);
			const { devices } = assertOk(await ask('GET', { query: { user_id: 'ann' } }), 200);
			assert.deepEqual(devices.map(({ id, user_id }) => [id, user_id]),
				[['c-1', 'cid'], ['c-2', 'cid']]);
			assertOk(await ask('DELETE', { query: { id: 'c-2', user_id: 'ann' } }), 200);
			assertError(await ask('DELETE', { query: { id: 'js-2', user_id: 'ann' } }), 404, 16);
		}
		assert.deepEqual(idsOf((await js.getDevices('ann')).devices), ['js-2']);
		await mine.removeDevice('c-1');
		assert.deepEqual((await js.getDevices('cid')).devices, []);
	});
	test('25 per user, the one registered longest ago goes', async () => {
		await makeUsers(api, ['many']);
		const all = ids('d', 27);
		for (const id of all.slice(0, 25))
			await js.addDevice(id, 'firebase', 'many');
		await js.addDevice(all[0], 'firebase', 'many'); /* again: it is the newest now */
		for (const id of all.slice(25))
			await js.addDevice(id, 'firebase', 'many');
		const { devices } = await js.getDevices('many');
		assert.deepEqual(idsOf(devices), [all[0], ...all.slice(3)]);
	});
	test('registered again: one device, with what was said last', async () => {
		await makeUsers(api, ['again']);
		await js.addDevice('r', 'firebase', 'again');
		const [first] = (await js.getDevices('again')).devices;
		await js.addDevice('r', 'apn', 'again');
		const { devices } = await js.getDevices('again');
		assert.deepEqual(devices.map(({ push_provider, created_at }) => [push_provider, created_at]),
			[['apn', first.created_at]]);
	});
	test('two users may have the same device', async () => {
		await makeUsers(api, ['t1', 't2']);
		await js.addDevice('shared', 'firebase', 't1');
		await js.addDevice('shared', 'firebase', 't2');
		await js.removeDevice('shared', 't1');
		assert.deepEqual(idsOf((await js.getDevices('t2')).devices), ['shared']);
	});
	test('a named provider must exist', async () => {
		for (const { common } of DIALECTS)
			assertError(await api.post(`${common}/devices`, { id: 'x', push_provider: 'firebase',
				push_provider_name: 'staging', user_id: 'ann' }), 400, 4, /push_provider_name.*staging/);
		await js.upsertPushProvider({ name: 'staging', type: 'firebase', firebase_credentials: ACCOUNT });
		assertError(await api.post('/devices', { id: 'x', push_provider: 'apn',
			push_provider_name: 'staging', user_id: 'ann' }), 400, 4, /apn provider named "staging"/);
		await js.addDevice('named', 'firebase', 'ann', 'staging');
		const { devices } = await js.getDevices('ann');
		assert.equal(devices.find(({ id }) => id === 'named').push_provider_name, 'staging');
		assertOk(await api.post('/devices', { id: 'empty', push_provider: 'apn', user_id: 'ann',
			push_provider_name: '', hardware_id: '' }), 201);
	});
	test('with their user: FullUserResponse, but not for others', async () => {
		await makeUsers(api, [{ id: 'f1', crew: 'f' }, { id: 'f2', crew: 'f' }, { id: 'f3', crew: 'f' }]);
		await js.addDevice('f1-a', 'firebase', 'f1');
		await js.addDevice('f1-b', 'apn', 'f1');
		await js.addDevice('f3-a', 'apn', 'f3');
		const told = (users) => Object.fromEntries(users.map(({ id, devices }) => [id, idsOf(devices)]));
		const all = { f1: ['f1-a', 'f1-b'], f2: [], f3: ['f3-a'] };
		assert.deepEqual(told((await js.queryUsers({ crew: 'f' })).users), all);
		assert.deepEqual(told((await node.queryUsers({ payload:
			{ filter_conditions: { crew: 'f' } } })).users), all);
		assert.deepEqual(told(Object.values((await js.upsertUsers([{ id: 'f1', crew: 'f' }, { id: 'f2' }]))
			.users)), { f1: all.f1, f2: [] });
		assert.deepEqual(told(Object.values((await js.partialUpdateUser({ id: 'f3', set: { x: 1 } }))
			.users)), { f3: all.f3 });
		const { users } = assertOk(await call(server, 'GET', '/users', { token: userToken(server, 'f3'),
			query: { payload: JSON.stringify({ filter_conditions: { id: { $in: ['f1', 'f3'] } } }) } }), 200);
		assert.deepEqual(told(users), { f1: [], f3: all.f3 });
	});
	test('what becomes of them when the user goes', async () => {
		await makeUsers(api, ['g1', 'g2']);
		await js.addDevice('g1-a', 'firebase', 'g1');
		await js.addDevice('g2-a', 'firebase', 'g2');
		await js.deleteUsers(['g1']);
		await js.deleteUsers(['g2'], { user: 'hard' });
		await refused(js.getDevices('g1'), 16, /g1/);
		await js.restoreUsers(['g1']);
		assert.deepEqual(idsOf((await js.getDevices('g1')).devices), ['g1-a']);
		await makeUsers(api, ['g2']);
		assert.deepEqual((await js.getDevices('g2')).devices, []);
	});

	const TEXT = [5, 1.5, true, {}, []];
	const FIELDS = [
		['id', [undefined, null, '', 'x'.repeat(256), ...TEXT]],
		['push_provider', [undefined, null, '', 'fcm', 'Firebase', ...TEXT]],
		['push_provider_name', ['nothing', ...TEXT]],
		['hardware_id', ['x'.repeat(256), ...TEXT]],
		['voip_token', ['true', 1, {}, []]],
		['user_id', [undefined, null, '', ...TEXT]],
	];
	for (const { name, common } of DIALECTS) {
		test(`${name}: what is refused`, async () => {
			const strict = `strict-${name}`;
			await makeUsers(api, [strict]);
			for (const [field, values] of FIELDS)
				await assertAllRefused(values, (value) => api.post(`${common}/devices`, { id: 'x',
					push_provider: 'firebase', user_id: strict, [field]: value }), new RegExp(field));
			assert.deepEqual((await js.getDevices(strict)).devices, []);
			assertOk(await api.post(`${common}/devices`, { id: 'x'.repeat(255), push_provider: 'xiaomi',
				user_id: strict, hardware_id: null, voip_token: null }), 201);
			for (const ask of [api.get, api.del]) {
				assertError(await ask(`${common}/devices`, { id: 'x' }), 400, 4, /user_id/);
				assertError(await ask(`${common}/devices`, { id: 'x', user_id: 'd-never' }), 404, 16,
					/d-never/);
			}
			assertError(await api.del(`${common}/devices`, { user_id: strict }), 400, 4, /id/);
			assertError(await api.post(`${common}/devices`,
				{ id: 'x', push_provider: 'apn', user_id: 'd-never' }), 404, 16, /d-never/);
			assertError(await api.put(`${common}/devices`, {}), 405, 4);
		});
	}
});

describe('push providers', () => {
	test('through stream-chat: created, listed without credentials, changed, deleted', async () => {
		const { push_provider: made } = await js.upsertPushProvider({ name: 'main', type: 'firebase',
			description: 'd', firebase_credentials: ACCOUNT, firebase_server_key: 'top-secret-key',
			firebase_host: 'http://127.0.0.1:1', firebase_data_template: '{"a":1}' });
		const { created_at, updated_at, ...rest } = made;
		assert.equal(created_at, updated_at);
		const shown = { name: 'main', type: 'firebase', description: 'd',
			firebase_host: 'http://127.0.0.1:1', firebase_data_template: '{"a":1}' };
		assert.deepEqual(rest, shown);

		const { push_provider: changed } = await js.upsertPushProvider({ name: 'main', type: 'firebase',
			description: 'e', firebase_data_template: '' });
		assert.deepEqual([changed.description, changed.firebase_host, changed.firebase_data_template],
			['e', shown.firebase_host, undefined]);
		assert.deepEqual([changed.created_at, changed.updated_at > updated_at], [created_at, true]);
		const answer = await api.get('/push_providers');
		const { push_providers } = assertOk(answer, 200);
		assert.ok(push_providers.some(({ name }) => name === 'main'));
		assert.doesNotMatch(answer.text, /top-secret|PRIVATE KEY|x@p\.iam/);
		assert.match(server.sql("SELECT settings FROM push_providers WHERE name = 'main'"), /PRIVATE KEY/);

		await js.deletePushProvider({ type: 'firebase', name: 'main' });
		await refused(js.deletePushProvider({ type: 'firebase', name: 'main' }), 16, /main/);
		await refused(js.deletePushProvider({ type: 'apn', name: 'staging' }), 16, /staging/);
	});
	test('through node-sdk: names per type, times', async () => {
		for (const type of ['apn', 'firebase', 'huawei'])
			await node.upsertPushProvider({ push_provider: { name: 'a b/ü', type,
				disabled_at: new Date('2027-01-01T00:00:00Z'), disabled_reason: 'r', apn_development: true } });
		const { push_providers } = await node.listPushProviders();
		const mine = push_providers.filter(({ name }) => name === 'a b/ü');
		assert.deepEqual(mine.map(({ type }) => type), ['apn', 'firebase', 'huawei']);
		assert.ok(mine[0].created_at instanceof Date);
		assert.equal(mine[0].disabled_at.toISOString(), '2027-01-01T00:00:00.000Z');
		assert.deepEqual([mine[0].disabled_reason, mine[0].apn_development], ['r', true]);
		for (const { type, name } of mine)
			assertOk(await api.del(`/api/v2/push_providers/${type}/${encodeURIComponent(name)}`), 200);
	});
	test('25 of them', async () => {
		const { push_providers: before } = await js.listPushProviders();
		const names = ids('p', 25 - before.length);
		for (const name of names)
			await js.upsertPushProvider({ name, type: 'apn' });
		await refused(js.upsertPushProvider({ name: 'one-more', type: 'apn' }), 4, /at most 25/);
		await js.upsertPushProvider({ name: names[0], type: 'apn', apn_topic: 'still changes' });
		assert.equal((await js.listPushProviders()).push_providers.length, 25);
		for (const name of names)
			await js.deletePushProvider({ type: 'apn', name });
	});
	test('credentials that cannot be any', async () => {
		const XIAOMI = { xiaomi_package_name: 'com.example.app', xiaomi_app_secret: 'xCfl3Wl0yZK9lCOVLyPeCw==' };
		const bad = [
			['firebase', { firebase_credentials: 'x' }], ['firebase', { firebase_credentials: '[]' }],
			['firebase', { firebase_credentials: '{}' }],
			['firebase', { firebase_credentials: ACCOUNT.replace('project_id', 'project') }],
			['apn', { apn_auth_type: 'magic' }],
			['huawei', { huawei_app_id: 'x' }], ['huawei', { huawei_app_secret: 'short' }],
			['xiaomi', {}], ['xiaomi', { xiaomi_package_name: 'com.example.app', xiaomi_app_secret: 'short' }],
			['xiaomi', { ...XIAOMI, xiaomi_package_name: 'a b' }],
			['xiaomi', { xiaomi_app_secret: XIAOMI.xiaomi_app_secret }],
		];
		for (const { common } of DIALECTS) {
			for (const [type, fields] of bad) {
				const answer = await api.post(`${common}/push_providers`,
					{ push_provider: { name: 'bad', type, ...fields } });
				assertError(answer, 400, 4);
				assert.equal(answer.body.message,
					`UpsertPushProvider failed with error: "${type} credentials are invalid"`);
			}
		}
		const good = [['firebase', { firebase_credentials: ACCOUNT }], ['apn', { apn_auth_type: 'token',
			apn_auth_key: 'k', apn_key_id: 'i', apn_team_id: 't', apn_topic: 'b' }],
			['huawei', { huawei_app_id: '104', huawei_app_secret: 'ab'.repeat(32) }], ['xiaomi', XIAOMI]];
		for (const [type, fields] of good) {
			await js.upsertPushProvider({ name: 'good', type, ...fields });
			await js.deletePushProvider({ name: 'good', type });
		}
	});
	for (const { name, common } of DIALECTS) {
		test(`${name}: what is refused`, async () => {
			const { push_providers: before } = await js.listPushProviders();
			const put = (push_provider) => api.post(`${common}/push_providers`, { push_provider });
			await assertAllRefused([undefined, null, 'x', 5, []], put, /push_provider/);
			const FIELDS = [
				['name', [undefined, null, '', 'ü'.repeat(37), 5, {}]],
				['type', [undefined, null, '', 'fcm', 'APN', 5, {}]],
				['description', [5, {}, [], true]], ['firebase_host', [5, {}]],
				['firebase_credentials', [5, {}, JSON.parse(ACCOUNT)]], ['apn_development', ['true', 1]],
				['apn_auth_key', [5, true]], ['disabled_at', ['soon', {}, true]],
				['firebase_apn_template', [{}, 'x'.repeat(16385)]],
			];
			for (const [field, values] of FIELDS)
				await assertAllRefused(values, (value) => put({ name: 'x', type: 'apn', [field]: value }),
					new RegExp(field));
			const large = Object.fromEntries(['firebase_data_template', 'firebase_apn_template',
				'firebase_notification_template', 'apn_notification_template', 'description']
				.map((field) => [field, 'x'.repeat(16000)]));
			await assertAllRefused([large], (fields) => put({ name: 'x', type: 'apn', ...fields }), /larger/);
			assert.deepEqual((await js.listPushProviders()).push_providers, before);
			const token = jwt({ user_id: 'ann' }, server.secret);
			for (const [method, path] of [['POST', ''], ['GET', ''], ['DELETE', '/apn/x']])
				assertError(await call(server, method, `${common}/push_providers${path}`,
					{ token, ...(method === 'POST' && { body: {} }) }), 403, 17);
			assertError(await api.get(`${common}/push_providers/apn/x`), 405, 4);
		});
	}
	test('they survive a restart', async () => {
		await js.upsertPushProvider({ name: 'kept', type: 'apn', apn_topic: 't' });
		await js.addDevice('kept', 'apn', 'ann', 'kept');
		await server.restart('kill');
		const again = rawClient(server);
		const { push_providers } = assertOk(await again.get('/push_providers'), 200);
		assert.equal(push_providers.find(({ name }) => name === 'kept').apn_topic, 't');
		const { devices } = assertOk(await again.get('/devices', { user_id: 'ann' }), 200);
		assert.ok(devices.some(({ push_provider_name }) => push_provider_name === 'kept'));
	});
});
