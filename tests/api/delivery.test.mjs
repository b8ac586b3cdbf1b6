/* delivery – what leaves the house arrives: signed, again when it failed, whatever dies (api.md
 * §9.2, §9.3; I-11, I-15, I-17). */
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, afterEach, before, describe, test } from 'node:test';

import { jsClient } from './lib/clients.mjs';
import { startServer } from './lib/fixtures.mjs';
import { Sink } from './lib/sink.mjs';
import { until } from './lib/wait.mjs';

let server, js;
const sinks = [];
before(async () => {
	({ server, js } = await startServer(['ann', 'bob'], { env: { FANFARE_RETRY_LADDER: '0.1,0.2', FANFARE_LEASE_MS: 1500,
		FANFARE_WEBHOOK_ALLOW: '127.0.0.0/8' } }));
	await js.channel('messaging', 'm', { members: ['ann', 'bob'], created_by_id: 'ann' }).create();
});
after(async () => {
	await Promise.all(sinks.map((sink) => sink.close()));
	await server.close();
});

const open = async (answer) => {
	const sink = await Sink.open(answer);
	sinks.push(sink);
	return sink;
};
const hook = (url, more = {}) => ({ enabled: true, hook_type: 'webhook', product: 'chat',
	event_types: ['message.new'], webhook_url: url, ...more });
const use = (...hooks) => js.updateAppSettings({ event_hooks: hooks });
const say = async (text = 'Hi') =>
	(await js.channel('messaging', 'm').sendMessage({ text, user_id: 'ann' })).message;

afterEach(async () => {
	await use();
	await js.updateAppSettings({ webhook_url: '' });
});

describe('a delivery', () => {
	test('has the documented headers, and both signatures', async () => {
		const sink = await open();
		await use(hook(sink.url));
		const message = await say();
		const [d] = await sink.wait(1);
		assert.equal(d.method, 'POST');
		assert.equal(d.path, '/hook');
		assert.equal(d.headers['content-type'], 'application/json');
		assert.match(d.headers['user-agent'], /^Fanfare\/\d/);
		assert.equal(d.headers['x-api-key'], server.key);
		assert.match(d.id, /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
		assert.equal(d.attempt, 1);
		assert.equal(d.headers['x-signature'],
			crypto.createHmac('sha256', server.secret).update(d.body).digest('hex'));
		assert.ok(js.verifyWebhook(d.body, d.headers['x-signature']));
		assert.equal(d.headers['webhook-id'], d.id);
		assert.ok(Math.abs(Number(d.headers['webhook-timestamp']) - Date.now() / 1000) < 10);
		const signed = `${d.id}.${d.headers['webhook-timestamp']}.${d.body}`;
		assert.equal(d.headers['webhook-signature'],
			`v1,${crypto.createHmac('sha256', server.secret).update(signed).digest('base64')}`);
		assert.equal(d.json.type, 'message.new');
		assert.match(d.body, new RegExp(message.id));
	});

	test('goes to each hook and to webhook_url', async () => {
		const [a, b, c] = [await open(), await open(), await open()];
		await use(hook(a.url), hook(b.url), hook(c.url, { enabled: false }));
		await js.updateAppSettings({ webhook_url: c.url });
		await say();
		await Promise.all([a, b, c].map((sink) => sink.wait(1, (d) => d.json.type === 'message.new')));
		assert.equal(a.deliveries.length, 1);
		assert.equal(b.deliveries.length, 1);
	});

	test('reuses its connection', async () => {
		const sink = await open();
		await use(hook(sink.url));
		for (let i = 0; i < 20; i++)
			await say(`${i}`);
		await sink.wait(20);
		assert.ok(sink.connections <= 8, `${sink.connections} connections`);
	});

	test('is compressed where it is asked for; the signature is over what was compressed', async () => {
		const sink = await open();
		await js.updateAppSettings({ enable_hook_payload_compression: true });
		await use(hook(sink.url));
		await say();
		const [d] = await sink.wait(1);
		await js.updateAppSettings({ enable_hook_payload_compression: false });
		assert.equal(d.headers['content-encoding'], 'gzip');
		assert.notEqual(d.raw.toString('utf8'), d.body);
		assert.equal(d.headers['x-signature'],
			crypto.createHmac('sha256', server.secret).update(d.body).digest('hex'));
	});
});

describe('what failed', () => {
	for (const status of [408, 429, 500, 503])
		test(`with ${status} comes again, with the same id and body`, async () => {
			const sink = await open((req, res, d) => {
				res.statusCode = d.attempt < 3 ? status : 200;
				res.end();
			});
			await use(hook(sink.url));
			await say();
			const all = await sink.wait(3);
			assert.deepEqual(all.map((d) => d.attempt), [1, 2, 3]);
			assert.equal(sink.ids().size, 1);
			assert.equal(new Set(all.map((d) => d.body)).size, 1);
			assert.ok(all[1].at - all[0].at >= 300, 'half a second, more or less');
			assert.ok(all[2].at - all[1].at >= 600, 'a second, more or less');
		});

	test('climbs the ladder after the first attempts', async () => {
		const sink = await open((req, res, d) => {
			res.statusCode = d.attempt < 6 ? 500 : 200;
			res.end();
		});
		await use(hook(sink.url));
		await say();
		const all = await sink.wait(6);
		assert.deepEqual(all.map((d) => d.attempt), [1, 2, 3, 4, 5, 6]);
	});

	test('is there after kill -9', async () => {
		let broken = true;
		const sink = await open((req, res) => {
			res.statusCode = broken ? 500 : 200;
			res.end();
		});
		await use(hook(sink.url));
		const said = [];
		for (let i = 0; i < 30; i++)
			said.push((await say(`${i}`)).id);
		await sink.wait(5);
		await server.restart('kill');
		js = jsClient(server);
		broken = false;
		const before = sink.deliveries.length;
		await until('all have arrived', () => {
			const got = sink.deliveries.slice(before).map((d) => d.body).join();
			return said.every((id) => got.includes(id));
		});
		const bodies = new Map();
		for (const d of sink.deliveries) {
			assert.equal(bodies.get(d.id) ?? d.body, d.body, 'one id, one body');
			bodies.set(d.id, d.body);
		}
	});
});
