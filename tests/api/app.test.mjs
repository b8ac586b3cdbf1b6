/* app – the settings of the app, and what they change at once (api.md §1.2, §6.8). */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { StreamChat } from 'stream-chat';

import { DIALECTS, assertAllRefused, assertError, assertOk, b64url, call, jsClient, jwt, nodeClient,
	rawClient, refused, serverToken, userToken } from './lib/clients.mjs';
import { makeUsers } from './lib/fixtures.mjs';
import { ON_PG, SECRET, Server } from './lib/server.mjs';
import { until } from './lib/wait.mjs';

let server, api;
before(async () => {
	server = await Server.start();
	api = rawClient(server);
	await makeUsers(api, ['bob', 'ann', 'eve']);
});
after(() => server.close());

/* Made anew: a server that was started again has another port. */
const js = () => jsClient(server);
const node = () => nodeClient(server);

const app = async (path = '/app') => assertOk(await api.get(path), 200).app;
const patch = async (body) => assertOk(await api.patch('/app', body), 200);
const now = () => Math.floor(Date.now() / 1000);

/* What the types of stream-chat and node-sdk want to be there, by type. */
const SHAPE = {
	boolean: ['allow_multi_user_devices', 'async_url_enrich_enabled', 'auto_translation_enabled',
		'campaign_enabled', 'disable_auth_checks', 'disable_permissions_checks',
		'feed_audit_logs_enabled', 'guest_user_creation_disabled', 'image_moderation_enabled',
		'member_custom_on_messages_enabled', 'moderation_audio_call_moderation_enabled',
		'moderation_enabled', 'moderation_llm_configurability_enabled',
		'moderation_multitenant_blocklist_enabled', 'moderation_video_call_moderation_enabled',
		'multi_tenant_enabled', 'poll_enabled', 'suspended', 'use_hook_v2',
		'user_response_time_enabled'],
	number: ['cdn_expiration_seconds', 'id', 'max_aggregated_activities_length', 'reminders_interval'],
	string: ['before_message_send_hook_url', 'custom_action_handler_url', 'enforce_unique_usernames',
		'moderation_webhook_url', 'name', 'organization', 'permission_version', 'placement', 'sns_key',
		'sns_secret', 'sns_topic_arn', 'sqs_key', 'sqs_secret', 'sqs_url', 'suspended_explanation',
		'webhook_url'],
	array: ['event_hooks', 'user_search_disallowed_roles', 'webhook_events'],
	object: ['call_types', 'channel_configs', 'file_upload_config', 'grants', 'image_upload_config',
		'policies', 'push_notifications'],
};
const typeOf = (v) => (Array.isArray(v) ? 'array' : v === null ? 'null' : typeof v);

function checkShape(settings) {
	for (const [type, names] of Object.entries(SHAPE))
		for (const name of names)
			assert.equal(typeOf(settings[name]), type, name);
	const { push_notifications: push, file_upload_config: files } = settings;
	assert.equal(typeof push.offline_only, 'boolean');
	assert.equal(typeof push.version, 'string');
	for (const provider of ['apn', 'firebase', 'huawei', 'xiaomi'])
		assert.equal(typeof push[provider].enabled, 'boolean', provider);
	assert.equal(typeof push.apn.development, 'boolean');
	assert.deepEqual(push.providers, []);
	assert.equal(typeof files.size_limit, 'number');
	assert.deepEqual(files.allowed_mime_types, []);
}

describe('GET /app', () => {
	for (const { name, common } of DIALECTS) {
		test(`${name}: everything the SDKs' types require, before anything was set`, async () => {
			const settings = await app(`${common}/app`);
			checkShape(settings);
			assert.equal(settings.campaign_enabled, true);
			assert.equal(settings.multi_tenant_enabled, false);
			assert.equal(settings.enforce_unique_usernames, 'no');
			assert.deepEqual(settings.event_hooks, []);
			assert.deepEqual(settings.channel_configs, {});
			assert.equal(settings.revoke_tokens_issued_before, undefined);
		});
	}

	test('a client with a user token sees what he needs, and no back end', async () => {
		const body = assertOk(await call(server, 'GET', '/app', { token: userToken(server, 'bob') }), 200);
		assert.deepEqual(Object.keys(body.app).sort(), ['async_url_enrich_enabled',
			'auto_translation_enabled', 'file_upload_config', 'id', 'image_upload_config', 'name']);
	});

	test('PATCH is for server-side callers', async () => assertError(await call(server, 'PATCH', '/app',
		{ token: userToken(server, 'bob'), body: { disable_auth_checks: true } }), 403, 17));
});

describe('PATCH /app', () => {
	const values = {
		multi_tenant_enabled: true,
		disable_permissions_checks: true,
		enable_hook_payload_compression: true,
		permission_version: 'v1',
		grants: { user: ['read-channel', 'create-message'] },
		reminders_interval: 3600,
		webhook_url: 'https://example.com/hooks?x=1',
		webhook_events: ['message.new', 'campaign.started'],
		before_message_send_hook_url: 'http://127.0.0.1:9/before',
		before_message_send_hook_attempt_timeout_ms: 1500,
		custom_action_handler_url: 'https://example.com/{action}',
		file_upload_config: { allowed_file_extensions: ['.pdf'], allowed_mime_types: [],
			blocked_file_extensions: [], blocked_mime_types: ['text/html'], size_limit: 1000 },
	};
	const unset = { multi_tenant_enabled: false, disable_permissions_checks: false,
		enable_hook_payload_compression: false, webhook_url: '', webhook_events: null,
		before_message_send_hook_url: '', custom_action_handler_url: '' };

	for (const { name, common } of DIALECTS) {
		test(`${name}: what is set is what is read, also by the next process`, async () => {
			assertOk(await api.patch(`${common}/app`, values), 200);
			for (const [key, value] of Object.entries(values))
				assert.deepEqual((await app(`${common}/app`))[key], value, key);
			await server.restart('kill');
			for (const [key, value] of Object.entries(values))
				assert.deepEqual((await app(`${common}/app`))[key], value, key);
			checkShape({ ...await app(`${common}/app`), file_upload_config: { ...values.file_upload_config,
				allowed_mime_types: [] } });
			/* What is absent, null or unknown changes nothing. */
			await patch({ webhook_url: null, grants: null, nonsense: 5 });
			assert.equal((await app()).webhook_url, values.webhook_url);
			await patch(unset);
			const after = await app();
			assert.deepEqual(after.webhook_events, []);
			assert.equal(after.webhook_url, '');
		});
	}

	test('objects change member by member, and secrets are never read back', async () => {
		const secrets = ['KEY-aaa', 'KEY-bbb', 'KEY-ccc', 'KEY-ddd', 'KEY-eee', 'KEY-fff'];
		await patch({ push_config: { version: 'v3', offline_only: true },
			firebase_config: { credentials_json: secrets[0], server_key: secrets[1] },
			apn_config: { auth_type: 'token', auth_key: secrets[2], p12_cert: secrets[3], key_id: 'k',
				team_id: 't', bundle_id: 'com.example', development: true, host: 'http://127.0.0.1:9' },
			sqs_url: 'https://sqs.example.com/q', sqs_key: secrets[4], sqs_secret: secrets[5] });
		await patch({ firebase_config: { notification_template: '{{x}}' }, push_config: { version: 'v2' } });
		const answer = await api.get('/app');
		for (const secret of secrets)
			assert.ok(!answer.text.includes(secret), secret);
		const { push_notifications: push, sqs_url } = assertOk(answer, 200).app;
		assert.deepEqual([push.version, push.offline_only, sqs_url],
			['v2', true, 'https://sqs.example.com/q']);
		assert.deepEqual(push.firebase, { enabled: true, notification_template: '{{x}}',
			data_template: '', apn_template: '' });
		assert.deepEqual(push.apn, { enabled: true, development: true, auth_type: 'token',
			bundle_id: 'com.example', host: 'http://127.0.0.1:9', key_id: 'k', team_id: 't',
			notification_template: '' });
		await patch({ firebase_config: { disabled: true }, apn_config: { auth_key: '', p12_cert: '' } });
		const off = (await app()).push_notifications;
		assert.deepEqual([off.firebase.enabled, off.apn.enabled], [false, false]);
		await patch({ firebase_config: { disabled: false } });
		assert.equal((await app()).push_notifications.firebase.enabled, true);
		/* They are not in what the process logs, either (I-31). */
		for (const secret of secrets)
			assert.ok(!(server.stdout + server.stderr).includes(secret), secret);
	});

	test('bad values: 400 code 4 that names the field, and nothing is changed', async () => {
		const long = 'x'.repeat(3000);
		const bad = {
			multi_tenant_enabled: [1, 'true', {}, []],
			disable_auth_checks: ['yes', 0],
			disable_permissions_checks: ['yes'],
			enforce_unique_usernames: ['maybe', '', true, 1],
			permission_version: ['v3', 2],
			reminders_interval: [-1, 1.5, '5', 1e12],
			webhook_url: ['example.com', 'ftp://example.com', 'http://', 'https:///x', 'http://a b',
				'http://a\nb', 'javascript:x', 5, `http://${long}`],
			webhook_events: ['message.new', [5], [null], ['x'.repeat(300)], Array(201).fill('a')],
			before_message_send_hook_url: ['x', {}],
			before_message_send_hook_attempt_timeout_ms: [0, 5001, '5', 1.5],
			custom_action_handler_url: [[]],
			revoke_tokens_issued_before: ['yesterday', '', true, {}],
			grants: [[], { user: 'x' }, { user: [5] }, 'x'],
			push_config: [5, { version: 'v4' }, { offline_only: 'x' }],
			firebase_config: ['x', { credentials_json: 5 }, { disabled: 'x' }],
			apn_config: [[], { auth_type: 'x' }, { development: 1 }, { bundle_id: long }],
			file_upload_config: [[], { size_limit: -1 }, { size_limit: '5' }, { blocked_mime_types: 'x' }],
			image_upload_config: [1, { allowed_file_extensions: [1] }],
			sqs_url: ['x'],
			sns_key: [5, long],
			event_hooks: ['x', {}, Array(51).fill({ webhook_url: 'http://a' })],
		};
		const was = await app();
		for (const [field, list] of Object.entries(bad))
			await assertAllRefused(list.map((value) => ({ [field]: value, webhook_url: field === 'webhook_url' ?
				value : 'http://never.example' })), (body) => api.patch('/app', body),
			new RegExp(`^UpdateApp failed with error: "${field}`));
		assertError(await call(server, 'PATCH', '/app', { raw: '[]' }), 400, 4);
		assert.deepEqual(await app(), was);
	});
});

describe('event_hooks', () => {
	const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
	const url = 'http://127.0.0.1:9/hook';

	test('get an id, times and defaults; the array is replaced as a whole', async () => {
		await patch({ event_hooks: [{ webhook_url: url },
			{ hook_type: 'webhook', enabled: false, webhook_url: `${url}2`, event_types: ['message.new'],
				product: 'chat', timeout_ms: 3000, should_send_custom_events: true, payload_dialect: 'v2' }] });
		const settings = await app();
		const [first, second] = settings.event_hooks;
		assert.equal(settings.use_hook_v2, true);
		assert.match(first.id, UUID);
		assert.notEqual(first.id, second.id);
		assert.deepEqual({ ...first, id: 0, created_at: 0, updated_at: 0 }, { id: 0, created_at: 0,
			updated_at: 0, hook_type: 'webhook', enabled: true, product: 'all', event_types: [],
			webhook_url: url, should_send_custom_events: false });
		assert.equal(first.created_at, first.updated_at);
		assert.ok(Math.abs(Date.parse(first.created_at) - Date.now()) < 60000);
		assert.deepEqual([second.enabled, second.timeout_ms, second.payload_dialect], [false, 3000, 'v2']);

		/* Sent back: one as it was, one changed, one new. */
		await patch({ event_hooks: [{ ...second, enabled: true }, first, { webhook_url: `${url}3` }] });
		const again = (await app()).event_hooks;
		assert.deepEqual(again[1], first);
		assert.deepEqual(again[0], { ...second, enabled: true, updated_at: again[0].updated_at });
		assert.ok(Date.parse(again[0].updated_at) >= Date.parse(second.updated_at));
		assert.notEqual(again[0].updated_at, second.updated_at);
		assert.match(again[2].id, UUID);

		/* Those not sent are gone; delete:true says it in other words; null says nothing. */
		await patch({ event_hooks: [{ ...again[2] }, { ...again[1], delete: true }] });
		assert.deepEqual((await app()).event_hooks.map((hook) => hook.id), [again[2].id]);
		await patch({ event_hooks: null, webhook_url: '' });
		assert.equal((await app()).event_hooks.length, 1);
		await patch({ event_hooks: [] });
		const gone = await app();
		assert.deepEqual([gone.event_hooks, gone.use_hook_v2], [[], false]);
	});

	test('keep the secrets that are not sent again, and show none', async () => {
		await patch({ event_hooks: [{ hook_type: 'sqs', sqs_queue_url: 'https://sqs.example/q',
			sqs_auth_type: 'keys', sqs_key: 'HUSH-1', sqs_secret: 'HUSH-2', failover_config:
			{ gcs_bucket: 'b', gcs_credentials: 'HUSH-3' } }] });
		const [hook] = (await app()).event_hooks;
		await patch({ event_hooks: [hook] });
		assert.deepEqual((await app()).event_hooks, [hook]);
		assert.ok(!(await api.get('/app')).text.includes('HUSH'));
		const stored = server.sql('SELECT doc FROM app_settings');
		for (const secret of ['HUSH-1', 'HUSH-2', 'HUSH-3'])
			assert.ok(stored.includes(secret), secret);
		await patch({ event_hooks: [] });
	});

	test('bad ones: 400 code 4 that names hook and field', async () => {
		const good = { webhook_url: url };
		const bad = [[5, /event_hooks\[1\]\.expected an object/],
			[{}, /event_hooks\[1\]\.webhook_url: is required when hook_type is \\?"webhook/],
			[{ ...good, hook_type: 'mail' }, /event_hooks\[1\]\.hook_type: expected one of/],
			[{ hook_type: 'sqs' }, /event_hooks\[1\]\.sqs_queue_url: is required/],
			[{ hook_type: 'sns', sns_topic_arn: '' }, /event_hooks\[1\]\.sns_topic_arn: is required/],
			[{ webhook_url: 'nope' }, /event_hooks\[1\]\.webhook_url: expected an http/],
			[{ ...good, id: 'one' }, /event_hooks\[1\]\.id: expected a UUID/],
			[{ ...good, event_types: ['Message New'] }, /event_hooks\[1\]\.event_types\[0\]: /],
			[{ ...good, event_types: [''] }, /event_hooks\[1\]\.event_types\[0\]: /],
			[{ ...good, event_types: 'message.new' }, /event_hooks\[1\]\.event_types: expected an array/],
			[{ ...good, timeout_ms: -1 }, /event_hooks\[1\]\.timeout_ms: /],
			[{ ...good, product: 'mail' }, /event_hooks\[1\]\.product: /],
			[{ ...good, enabled: 'x' }, /event_hooks\[1\]\.enabled: /],
			[{ ...good, payload_dialect: 'v3' }, /event_hooks\[1\]\.payload_dialect: /],
			[{ ...good, callback: { mode: 'x' } }, /event_hooks\[1\]\.callback\.mode: /],
			[{ ...good, delete: 5 }, /event_hooks\[1\]\.delete: /]];
		for (const [hook, message] of bad)
			assertError(await api.patch('/app', { event_hooks: [good, hook] }), 400, 4, message);
		const id = '00000000-0000-4000-8000-000000000000';
		assertError(await api.patch('/app', { event_hooks: [{ ...good, id }, { ...good, id }] }), 400, 4,
			/event_hooks\[1\]\.id: hook 0000.* stands there twice/);
		assert.deepEqual((await app()).event_hooks, []);
	});

	test('GET /hook/events lists what can be asked for', async () => {
		const { events } = await js().getHookEvents();
		for (const name of ['campaign.started', 'campaign.completed', 'message.new', 'message.read',
			'channel.created', 'channel.visible', 'channel.hidden', 'member.added', 'user.updated'])
			assert.ok(events.some((event) => event.name === name && event.description !== '' &&
				event.products.includes('chat')), name);
		assert.deepEqual((await js().getHookEvents(['chat', 'video'])).events, events);
		assert.deepEqual((await js().getHookEvents(['video'])).events, []);
		assertError(await api.get('/hook/events', { product: 'mail' }), 400, 4, /product: expected all, chat/);
		assertError(await api.get('/hook/events', { product: 'chat,' }), 400, 4, /product: /);
	});
});

describe('disable_auth_checks', () => {
	const dev = (claims) => `${b64url('{"alg":"HS256","typ":"JWT"}')}.${
		Buffer.from(JSON.stringify(claims)).toString('base64')}.devtoken`;
	const asBob = (token) => call(server, 'POST', '/channels', { token, body: { filter_conditions: {} } });

	test('lets development tokens pass, as users only', async () => {
		const token = new StreamChat(server.key).devToken('bob');
		assertError(await asBob(token), 401, 43);
		await patch({ disable_auth_checks: true });
		assertOk(await asBob(token), 201);
		assertOk(await asBob(dev({ user_id: 'bob' })), 201);
		assertError(await asBob(dev({ user_id: 'nobody-of-that-name' })), 404, 16);
		/* None of them is the back end. */
		assertError(await call(server, 'GET', '/campaigns/c', { token }), 403, 17);
		for (const claims of [{}, { server: true }, { server: true, user_id: 'bob' }, { user_id: null },
			{ user_id: 5 }, { user_id: 'b b' }, [], 'x'])
			assertError(await call(server, 'GET', '/campaigns/c', { token: dev(claims) }), 401, 5);
		for (const bad of ['devtoken', '.devtoken', '..devtoken', 'a.b.c.devtoken', `${token}x`, 'a.%.devtoken'])
			assert.equal((await asBob(bad)).status, 401, bad);
		/* A token that is signed is still checked. */
		assertError(await asBob(jwt({ user_id: 'bob' }, `${SECRET}x`)), 401, 43);
		await patch({ disable_auth_checks: false });
		assertError(await asBob(token), 401, 43);
	});
});

describe('disable_permissions_checks', () => {
	test('lets a user reach channels he is not in', async () => {
		assertOk(await api.post('/channels/messaging/private/query',
			{ data: { created_by_id: 'ann', members: ['ann'] } }), 201);
		const asBob = (method, path, body) => call(server, method, path,
			{ token: userToken(server, 'bob'), body });
		const list = async () => assertOk(await asBob('POST', '/channels',
			{ filter_conditions: { cid: 'messaging:private' } }), 201).channels.length;
		const send = () => asBob('POST', '/channels/messaging/private/message', { message: { text: 'x' } });
		assertError(await send(), 403, 17);
		assert.equal(await list(), 0);
		await patch({ disable_permissions_checks: true });
		assertOk(await send(), 201);
		assert.equal(await list(), 1);
		assertError(await asBob('GET', '/campaigns/c'), 403, 17);
		await patch({ disable_permissions_checks: false });
		assertError(await send(), 403, 17);
		assert.equal(await list(), 0);
	});
});

describe('revoke_tokens_issued_before', () => {
	const asEve = (claims) => call(server, 'POST', '/channels', {
		token: jwt({ user_id: 'eve', ...claims }, SECRET), body: { filter_conditions: {} } });

	test('through stream-chat: earlier tokens and those without iat get code 40', async () => {
		assertOk(await asEve({}), 201);
		const before = new Date((now() - 30) * 1000);
		await js().revokeTokens(before);
		assert.equal(new Date((await app()).revoke_tokens_issued_before).getTime(), before.getTime());
		assertError(await asEve({}), 401, 40);
		assertError(await asEve({ iat: now() - 60 }), 401, 40);
		assertOk(await asEve({ iat: now() - 5 }), 201);
		/* The back end's token has no iat, and is no user's. */
		assertOk(await call(server, 'GET', '/app', { token: serverToken(server) }), 200);
		await js().revokeTokens(null);
		assert.equal((await app()).revoke_tokens_issued_before, undefined);
		assertOk(await asEve({}), 201);
	});

	test('through node-sdk, which reads it as a Date', async () => {
		const before = new Date((now() - 30) * 1000);
		await node().updateApp({ revoke_tokens_issued_before: before });
		assert.deepEqual((await node().getApp()).app.revoke_tokens_issued_before, before);
		assertError(await asEve({}), 401, 40);
		await patch({ revoke_tokens_issued_before: null });
		assertOk(await asEve({}), 201);
	});
});

describe('enforce_unique_usernames', () => {
	const upsert = (users) => api.post('/users', { users: Object.fromEntries(
		users.map((user) => [user.id, user])) });
	const taken = (answer, name) => assertError(answer, 400, 6, new RegExp(`name: "${name}" is the name of`));
	const named = () => server.sql('SELECT COUNT(*) FROM app_settings WHERE names_from IS NULL');

	test('app: no second user gets a name, whoever had it before', async () => {
		await makeUsers(api, [{ id: 'old1', name: 'Old' }, { id: 'old2', name: 'Old' }, { id: 'u0', name: 'U' }]);
		await patch({ enforce_unique_usernames: 'app' });
		assert.equal((await app()).enforce_unique_usernames, 'app');
		await until('the names of earlier users are entered', () => named() === '1');
		taken(await upsert([{ id: 'n1', name: 'Old' }]), 'Old');
		assertOk(await upsert([{ id: 'n1', name: 'New' }, { id: 'n2', name: 'Newer' }, { id: 'n3' }, { id: 'n4' }]), 201);
		taken(await upsert([{ id: 'n3', name: 'New' }]), 'New');
		taken(await upsert([{ id: 'n5', name: 'Twin' }, { id: 'n6', name: 'Twin' }]), 'Twin');
		/* Nothing of a refused call is there. */
		await refused(node().updateUsersPartial({ users: [{ id: 'n5', set: { x: 1 } }] }), 16);
		/* Who keeps his name may, also those who had the same before. */
		assertOk(await upsert([{ id: 'old1', name: 'Old', role: 'admin' }, { id: 'n1', name: 'New' }]), 201);
		/* Partial updates, and both SDKs. */
		taken(await api.patch('/users', { users: [{ id: 'n2', set: { name: 'New' } }] }), 'New');
		await refused(js().upsertUsers([{ id: 'n3', name: 'Newer' }]), 6);
		await refused(node().upsertUsers([{ id: 'n3', name: 'Newer' }]), 6);
		const bad = await api.post('/users/import', undefined, { raw: '{"id":"n7","name":"U"}\n' });
		taken(bad, 'U');
		/* A name that was given up, or whose user is gone, is free. */
		assertOk(await upsert([{ id: 'n1', name: 'Other' }]), 201);
		assertOk(await upsert([{ id: 'n3', name: 'New' }]), 201);
		assertOk(await api.post('/users/delete', { user_ids: ['n2'], user: 'soft' }), 201);
		assertOk(await upsert([{ id: 'n4', name: 'Newer' }]), 201);
		/* Two who swap. */
		assertOk(await upsert([{ id: 'n3', name: 'Newer' }, { id: 'n4', name: 'New' }]), 201);
		await patch({ enforce_unique_usernames: 'no' });
		assertOk(await upsert([{ id: 'n8', name: 'New' }]), 201);
	});

	test('team: unique among those who share a team', async () => {
		await makeUsers(api, [{ id: 't1', name: 'Kim', teams: ['red', 'blue'] }, { id: 't2', name: 'Lee' }]);
		await patch({ enforce_unique_usernames: 'team' });
		await until('the names of earlier users are entered', () => named() === '1');
		assertError(await upsert([{ id: 't3', name: 'Kim', teams: ['green', 'blue'] }]), 400, 6,
			/users\.t3\.name: "Kim" is the name of another user of team "blue"/);
		assertOk(await upsert([{ id: 't3', name: 'Kim', teams: ['green'] }]), 201);
		assertOk(await upsert([{ id: 't4', name: 'Kim' }, { id: 't5', name: 'Lee' }]), 201);
		/* Joining a team where the name is taken is refused as well. */
		taken(await api.patch('/users', { users: [{ id: 't4', set: { teams: ['red'] } }] }), 'Kim');
		assertOk(await api.patch('/users', { users: [{ id: 't1', set: { teams: ['blue'] } }] }), 200);
		assertOk(await api.patch('/users', { users: [{ id: 't4', set: { teams: ['red'] } }] }), 200);
		await patch({ enforce_unique_usernames: 'no' });
	});
});

describe('two processes on one database', { skip: !ON_PG && 'a SQLite store belongs to one process' }, () => {
	let other;
	before(async () => (other = await Server.start({ beside: server })));
	after(() => other.stop());

	test('a change by one is obeyed by the other within a second', async () => {
		const theirs = rawClient(other);
		const token = new StreamChat(server.key).devToken('bob');
		const ask = () => call(other, 'POST', '/channels', { token, body: { filter_conditions: {} } });
		for (const on of [true, false, true, false]) {
			assert.equal((await ask()).status, on ? 401 : 201);
			await patch({ disable_auth_checks: on });
			const began = Date.now();
			await until('the other process has heard of it', async () =>
				(await ask()).status === (on ? 201 : 401), { within: 5000, every: 20 });
			assert.ok(Date.now() - began < 1500, `${Date.now() - began} ms`);
			assert.equal(assertOk(await theirs.get('/app'), 200).app.disable_auth_checks, on);
		}
	});

	test('names are unique across both, from the moment it is switched on', async () => {
		await patch({ enforce_unique_usernames: 'app' });
		assertOk(await rawClient(other).post('/users', { users: { x1: { id: 'x1', name: 'Across' } } }), 201);
		assertError(await api.post('/users', { users: { x2: { id: 'x2', name: 'Across' } } }), 400, 6);
		await patch({ enforce_unique_usernames: 'no' });
	});
});
