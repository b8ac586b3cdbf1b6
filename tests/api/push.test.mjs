/* push – notifications to devices: who gets them, in what words, and what becomes of those that
 * services refuse (api.md §10).  Against a double of both over HTTP/2 and TLS. */
import assert from 'node:assert/strict';
import https from 'node:https';
import { after, before, beforeEach, describe, test } from 'node:test';

import { makeUsers, sayIn, startServer } from './lib/fixtures.mjs';
import { Double } from './lib/double.mjs';
import { until } from './lib/wait.mjs';

let double, server, api, js, node;
before(async () => {
	double = await Double.open();
	({ server, api, js, node } = await startServer([{ id: 'ann', name: 'Ann' }, { id: 'bob', name: 'Bob' }, 'cid'],
		{ env: { FANFARE_PUSH_CA_FILE: double.ca, FANFARE_RETRY_LADDER: '0.1,0.2',
			FANFARE_LEASE_MS: 1500 } }));
	await js.upsertPushProvider(double.firebase('main'));
	await js.upsertPushProvider(double.apn('ios'));
	await js.addDevice('fcm-bob', 'firebase', 'bob', 'main');
	await js.addDevice('a0b1', 'apn', 'bob', 'ios');
	await js.channel('messaging', 'm', { members: ['ann', 'bob', 'cid'], created_by_id: 'ann' }).create();
});
after(async () => {
	await server.close();
	await double.close();
});
beforeEach(() => {
	double.taken.length = 0;
	double.answer = () => undefined;
	double.answerToken = () => undefined;
});

const say = (text, options) => sayIn(js, text, {}, options);

/* What was sent before this one has been pushed to the device by now: it comes behind it.  Each
 * provider goes at its own pace. */
const idOf = ({ body }) => body.message?.data.id ?? body.stream?.id;
async function fence(...devices) {
	const { id } = await say('fence');
	const [first = 'fcm-bob', ...others] = devices;
	for (const device of [first, ...others])
		await until('the fence', () => double.for(device).some((p) => idOf(p) === id));
	return double.for(first).filter((p) => idOf(p) !== id);
}

describe('a message', () => {
	test('is pushed by Firebase and by Apple, as they want it', async () => {
		const message = await say('Hi "you"');
		const [fcm] = await double.wait('fcm-bob');
		assert.equal(fcm.http, '2.0');
		assert.deepEqual(fcm.body, { message: {
			token: 'fcm-bob',
			data: { version: 'v2', sender: 'stream.chat', type: 'message.new', id: message.id,
				message_id: message.id, channel_type: 'messaging', channel_id: 'm', cid: 'messaging:m',
				receiver_id: 'bob' },
			android: { priority: 'high' },
			apns: { payload: { aps: { alert: { title: 'New message from Ann', body: 'Hi "you"' }, badge: 1,
				sound: 'default', 'mutable-content': 1, 'content-available': 0 } } },
		} });
		const [apns] = await double.wait('a0b1');
		assert.equal(apns.headers['apns-collapse-id'], apns.headers['apns-id']);
		assert.deepEqual(apns.body, {
			aps: { alert: { title: 'You have a new message', body: 'Hi "you"' }, badge: 1, sound: 'default',
				'mutable-content': 1, 'content-available': 0 },
			stream: { version: 'v2', sender: 'stream.chat', type: 'message.new', id: message.id,
				cid: 'messaging:m', receiver_id: 'bob' },
		});
		assert.deepEqual(double.refused, []);
	});
	test('with skip_push, or silent, is not', async () => {
		await say('quiet', { skip_push: true });
		await js.channel('messaging', 'm').sendMessage({ text: 'silent', user_id: 'ann', silent: true });
		assert.deepEqual(await fence('fcm-bob', 'a0b1'), []);
		await api.post('/channels/messaging/m/message', { message: { text: 'x', user_id: 'ann' }, skip_push: 'yes' })
			.then(({ status, body }) => assert.deepEqual([status, body.code, /skip_push/.test(body.message)],
				[400, 4, true]));
	});
	test('of his own is not pushed to the author', async () => {
		await js.addDevice('fcm-ann', 'firebase', 'ann');
		await say();
		await fence('fcm-bob', 'a0b1');
		assert.deepEqual(double.for('fcm-ann'), []);
	});
	test('many share one connection and one token', async () => {
		const { sessions, tokens } = double;
		await Promise.all(Array.from({ length: 60 }, (_, i) => say(`n${i}`)));
		await double.wait('fcm-bob', 60);
		await double.wait('a0b1', 60);
		assert.equal(new Set(double.for('a0b1').map((p) => p.headers['apns-id'])).size, 60);
		assert.equal(new Set(double.for('a0b1').map((p) => p.headers.authorization)).size, 1);
		assert.equal(double.tokens, tokens);
		assert.ok(double.sessions - sessions <= 1);
	});
	test('gets its token also from who speaks HTTP/1.1 alone', async () => {
		const seen = [];
		const old = https.createServer(double.tls, (req, res) => {
			seen.push(req.httpVersion);
			res.end(JSON.stringify({ access_token: double.bearer, expires_in: 3599 }));
		});
		await new Promise((resolve) => old.listen(0, '127.0.0.1', resolve));
		await js.upsertPushProvider({ name: 'old', type: 'firebase', firebase_host: double.url,
			firebase_credentials: double.account({ token_uri: `https://localhost:${old.address().port}/token` }) });
		await js.addDevice('fcm-old', 'firebase', 'cid', 'old');
		await say();
		await double.wait('fcm-old');
		assert.deepEqual(seen, ['1.1']);
		await js.deletePushProvider({ type: 'firebase', name: 'old' });
		old.closeAllConnections?.();
		await new Promise((resolve) => old.close(resolve));
	});
});

describe('a campaign', () => {
	const campaign = (more) => ({ user_ids: ['bob', 'cid'], sender_id: 'ann', create_channels: true,
		channel_template: { type: 'messaging', id: '{{receiver.id}}-{{sender.id}}' },
		message_template: { text: 'Hello {{ receiver.name }}!' }, ...more });
	const send = async (more) => {
		const c = js.campaign(null, campaign(more));
		const { campaign: { id } } = await c.create();
		await c.start();
		await until('completed', async () => (await js.getCampaign(id)).campaign.status === 'completed');
		return id;
	};

	test('is pushed to each receiver with a device', async () => {
		await send();
		const [push] = await double.wait('fcm-bob');
		assert.equal(push.body.message.apns.payload.aps.alert.body, 'Hello Bob!');
		assert.equal(push.body.message.data.cid, 'messaging:bob-ann');
		await double.wait('a0b1');
		await fence();
		assert.equal(double.for('fcm-bob').length, 2);
	});
	test('with skip_push is not', async () => {
		await send({ skip_push: true });
		assert.deepEqual(await fence(), []);
	});
});

describe('refusals', () => {
	test('a token that is gone disables its device', async () => {
		await js.addDevice('gone', 'firebase', 'cid', 'main');
		double.answer = ({ device }) => (device === 'gone' ? { status: 404, body: { error: { code: 404,
			status: 'NOT_FOUND', details: [{ '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError',
				errorCode: 'UNREGISTERED' }] } } } : undefined);
		await say();
		const device = await until('disabled', async () => (await js.getDevices('cid')).devices
			.find(({ id, disabled }) => id === 'gone' && disabled));
		assert.equal(device.disabled_reason, 'UNREGISTERED');
		double.taken.length = 0;
		await fence();
		assert.ok(!double.taken.some((p) => p.device === 'gone'));
		/* Registered anew, it is new to the service. */
		double.answer = () => undefined;
		await js.addDevice('gone', 'firebase', 'cid', 'main');
		await say();
		await double.wait('gone');
		await js.removeDevice('gone', 'cid');
	});
	test('Apple says it with 410', async () => {
		await js.addDevice('dead', 'apn', 'cid', 'ios');
		double.answer = ({ device }) => (device === 'dead' ?
			{ status: 410, body: { reason: 'Unregistered', timestamp: Date.now() } } : undefined);
		await say();
		await until('disabled', async () => (await js.getDevices('cid')).devices
			.some(({ id, disabled_reason }) => id === 'dead' && disabled_reason === 'Unregistered'));
		await js.removeDevice('dead', 'cid');
	});
	test('what passes is tried again, with the same id and body', async () => {
		let n = 0;
		double.answer = ({ device }) => (device === 'a0b1' && ++n <= 4 ?
			{ status: n % 2 ? 503 : 429, body: { reason: n % 2 ? 'ServiceUnavailable' : 'TooManyRequests' } } : undefined);
		const { id } = await say('again');
		await double.wait('a0b1');
		const tries = double.taken.filter((p) => p.body.stream?.id === id);
		assert.ok(tries.length >= 5);
		assert.equal(new Set(tries.map((p) => p.headers['apns-id'])).size, 1);
		assert.equal(new Set(tries.map((p) => JSON.stringify(p.body))).size, 1);
	});
	test('an access token that ran out is renewed', async () => {
		await say();
		await double.wait('fcm-bob');
		const { tokens } = double;
		double.bearer = 'another'; /* what was given out is refused from here on */
		const { id } = await say('late');
		await until('the late one', () => double.for('fcm-bob').some((p) => p.body.message.data.id === id));
		assert.equal(double.tokens, tokens + 1);
	});
	test('refused credentials disable the provider, and what happens is kept until they change', async () => {
		await js.upsertPushProvider(double.apn('other'));
		await js.addDevice('c0ffee', 'apn', 'cid', 'other');
		double.answer = ({ device }) => (device === 'c0ffee' ?
			{ status: 403, body: { reason: 'InvalidProviderToken' } } : undefined);
		const first = await say('first');
		const provider = async () => (await js.listPushProviders()).push_providers.find(({ name }) => name === 'other');
		const told = await until('disabled', async () => {
			const p = await provider();
			return p.disabled_at ? p : null;
		});
		assert.equal(told.disabled_reason, 'InvalidProviderToken');
		assert.ok(Math.abs(new Date(told.disabled_at) - Date.now()) < 60000);
		const second = await say('second');
		await fence();
		assert.deepEqual(double.for('c0ffee'), []);
		double.answer = () => undefined;
		await js.upsertPushProvider({ name: 'other', type: 'apn', apn_key_id: 'KEY1' });
		assert.equal((await provider()).disabled_at, undefined);
		await until('both came', () => [first, second].every(({ id }) =>
			double.for('c0ffee').some((p) => p.body.stream.id === id)));
		await js.deletePushProvider({ name: 'other', type: 'apn' });
		await js.removeDevice('c0ffee', 'cid');
	});
	test('a service account that is refused disables its provider', async () => {
		double.answerToken = () => ({ status: 400, body: { error: 'invalid_grant' } });
		await js.upsertPushProvider(double.firebase('stale'));
		await js.addDevice('stale-1', 'firebase', 'cid', 'stale');
		await say();
		await until('disabled', async () => (await js.listPushProviders()).push_providers
			.some(({ name, disabled_reason }) => name === 'stale' && disabled_reason === 'invalid_grant'));
		double.answerToken = () => undefined;
		await js.upsertPushProvider(double.firebase('stale'));
		await double.wait('stale-1');
		await js.deletePushProvider({ name: 'stale', type: 'firebase' });
		await js.removeDevice('stale-1', 'cid');
	});
});

describe('the app', () => {
	test('has providers of its own, without names', async () => {
		await makeUsers(api, ['dan']);
		await js.channel('messaging', 'dan', { members: ['ann', 'dan'], created_by_id: 'ann' }).create();
		await js.addDevice('any', 'apn', 'dan');
		const { apn_auth_key, apn_key_id, apn_team_id, apn_topic, apn_host } = double.apn('x');
		await js.updateAppSettings({ apn_config: { auth_type: 'token', auth_key: apn_auth_key, key_id: apn_key_id,
			team_id: apn_team_id, bundle_id: apn_topic, host: apn_host } });
		await js.channel('messaging', 'dan').sendMessage({ text: 'Hi', user_id: 'ann' });
		/* One without a name is for all of the type. */
		await double.wait('any', 2);
		await js.updateAppSettings({ apn_config: { auth_type: 'token', auth_key: '', disabled: true } });
	});
	test('has certificates, too', async () => {
		await makeUsers(api, ['eve']);
		await js.channel('messaging', 'eve', { members: ['ann', 'eve'], created_by_id: 'ann' }).create();
		await js.upsertPushProvider({ name: 'cert', type: 'apn', apn_auth_type: 'certificate',
			apn_p12_cert: double.p12, apn_topic: 'org.example.app', apn_host: double.url });
		await js.addDevice('cafe', 'apn', 'eve', 'cert');
		await js.channel('messaging', 'eve').sendMessage({ text: 'Hi', user_id: 'ann' });
		const [push] = await double.wait('cafe');
		assert.equal(push.cert, 'Apple Push Services');
		assert.equal(push.headers.authorization, undefined);
		await js.deletePushProvider({ name: 'cert', type: 'apn' });
	});
});

test('kill -9: what was not delivered is, after the next start', async () => {
	double.answer = ({ device }) => (device === 'fcm-bob' ? { status: 503, body: {} } : undefined);
	const { id } = await say('before');
	await until('an attempt', () => double.taken.some((p) => p.body.message?.data.id === id));
	await server.kill('SIGKILL');
	double.answer = () => undefined;
	await server.start();
	js.setBaseURL(server.url);
	node.apiClient.apiConfig.baseUrl = server.url;
	await until('the notification', () => double.for('fcm-bob').some((p) => p.body.message.data.id === id));
	const bodies = double.taken.filter((p) => p.body.message?.data.id === id).map((p) => JSON.stringify(p.body));
	assert.equal(new Set(bodies).size, 1);
});
