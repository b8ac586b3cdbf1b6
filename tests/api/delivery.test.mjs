/* delivery – what leaves the house arrives: signed, again when it failed, whatever dies (api.md
 * §9.2, §9.3; I-11, I-15, I-17). */
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, afterEach, before, describe, test } from 'node:test';

import { assertError, assertOk, call, jsClient, userToken } from './lib/clients.mjs';
import { House, hook } from './lib/house.mjs';
import { ON_PG, Server } from './lib/server.mjs';
import { until } from './lib/wait.mjs';

const house = new House();
const { open, use, say, routes, route } = house;
let server, api, js;
before(async () => {
	({ server, api, js } = await house.start({ FANFARE_RETRY_LADDER: '0.1,0.2', FANFARE_LEASE_MS: 1500,
		FANFARE_WEBHOOK_ALLOW: '127.0.0.0/8' }));
});
after(house.close);

const pathOf = async (what) => {
	const { kind, ident } = await route();
	return `/routes/${kind}/${ident}/${what}`;
};

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
		({ js, api } = house.renew());
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

describe('dead letters', () => {
	test('what is refused for good is kept, listed, replayed, dropped', async () => {
		let status = 404;
		const sink = await open((req, res) => {
			res.statusCode = status;
			res.end();
		});
		await use(hook(sink.url));
		for (let i = 0; i < 3; i++)
			await say(`${i}`);
		await until('three are dead', async () => (await route()).dead === 3);
		assert.equal(sink.deliveries.length, 3, 'a 4xx is not tried again');
		const seen = await route();
		assert.deepEqual([seen.sent, seen.failed, seen.failures, seen.put_aside],
			[0, 3, { http_404: 3 }, 0]);

		const one = assertOk(await api.get(await pathOf('dead'), { limit: 2 }), 200);
		assert.equal(one.letters.length, 2);
		const two = assertOk(await api.get(await pathOf('dead'), { limit: 2, next: one.next }), 200);
		const letters = [...one.letters, ...two.letters];
		assert.deepEqual(letters.map((l) => [l.reason, l.attempts, l.type]),
			Array(3).fill(['http_404', 1, 'message.new']));
		assert.deepEqual(new Set(letters.map((l) => l.body)),
			new Set(sink.deliveries.map((d) => d.body)));

		status = 200;
		const [first, second] = letters;
		assert.equal(assertOk(await api.post(await pathOf('replay'), { id: first.id }), 201).replayed, 1);
		const [again] = await sink.wait(1, (d) => d.id === first.id && d.attempt === 2);
		assert.equal(again.body, first.body);
		await until('two are left', async () => (await route()).dead === 2);
		assert.equal(assertOk(await api.del(await pathOf('dead'), { id: second.id }), 200).dropped, 1);
		assert.equal(assertOk(await api.post(await pathOf('replay'), {}), 201).replayed, 1);
		await until('all is sent', async () => {
			const { sent, dead, put_aside } = await route();
			return sent === 2 && dead === 0 && put_aside === 0;
		});
		assert.equal(assertOk(await api.del(await pathOf('dead')), 200).dropped, 0);
	});

	test('bad input', async () => {
		const sink = await open();
		await use(hook(sink.url));
		const { ident } = await route();
		const dead = `/routes/webhook/${ident}/dead`;
		for (const [method, path, body, query, status, words] of [
			['GET', '/routes/x/y/dead', undefined, {}, 400, 'kind: expected webhook or push'],
			['GET', '/routes/webhook/nobody/dead', undefined, {}, 404, 'webhook/nobody'],
			['GET', `/routes/push/${ident}/dead`, undefined, {}, 404, `push/${ident}`],
			['POST', '/routes/webhook/nobody/pause', {}, {}, 404, 'webhook/nobody'],
			['POST', '/routes/webhook/nobody/replay', {}, {}, 404, 'webhook/nobody'],
			['DELETE', '/routes/webhook/nobody/dead', undefined, {}, 404, 'webhook/nobody'],
			['GET', dead, undefined, { limit: 0 }, 400, 'limit'],
			['GET', dead, undefined, { limit: 101 }, 400, 'limit'],
			['GET', dead, undefined, { limit: 'x' }, 400, 'limit'],
			['GET', dead, undefined, { next: 'x' }, 400, 'next'],
			['GET', dead, undefined, { next: 'x', prev: 'y' }, 400, 'next and prev'],
			['POST', `/routes/webhook/${ident}/replay`, { id: 5 }, {}, 400, 'id'],
			['POST', `/routes/webhook/${ident}/replay`, { id: 'x'.repeat(65) }, {}, 400, 'id'],
			['POST', `/routes/webhook/${ident}/replay`, [], {}, 400, 'body'],
		]) {
			const answer = await call(server, method, path, { body, query });
			assertError(answer, status, status === 404 ? 16 : 4);
			assert.ok(answer.body.message.includes(words), answer.body.message);
		}
		const token = userToken(server, 'bob');
		assertError(await call(server, 'GET', '/routes', { token }), 403, 17);
		assertError(await call(server, 'POST', `/routes/webhook/${ident}/pause`, { token, body: {} }), 403, 17);
	});
});

describe('a route', () => {
	test('that is paused keeps what happens; resumed it sends it', async () => {
		const sink = await open();
		await use(hook(sink.url));
		const paused = assertOk(await api.post(await pathOf('pause'), {}), 201).route;
		assert.notEqual(paused.paused_at, null);
		/* Until its courier has heard of it, what is said goes out. */
		await until('nothing goes out any more', async () => {
			const before = sink.deliveries.length;
			await say('quiet');
			await until('it is sent, or lags', async () =>
				sink.deliveries.length > before || (await route()).lag > 0.3);
			return sink.deliveries.length === before;
		});
		await say('kept');
		assert.ok((await route()).behind > 1);
		const before = sink.deliveries.length;
		assert.equal(assertOk(await api.post(await pathOf('resume'), {}), 201).route.paused_at, null);
		await sink.wait(before + 2);
		await until('nothing waits', async () => (await route()).behind === 0);
	});

	test('counts what cannot be told, and goes on', async () => {
		const sink = await open();
		await js.channel('messaging', 'faulty', { members: ['ann'], created_by_id: 'ann' }).create();
		await use(hook(sink.url));
		assertOk(await api.post(await pathOf('pause'), {}), 201);
		/* Who starts with a paused route reads nothing for it. */
		await server.restart();
		({ js, api } = house.renew());
		await js.channel('messaging', 'faulty').sendMessage({ text: 'lost', user_id: 'ann' });
		server.sql("UPDATE channels SET cid = 'gone:faulty' WHERE cid = 'messaging:faulty'");
		const { id } = await say('kept');
		assertOk(await api.post(await pathOf('resume'), {}), 201);
		await sink.wait(1, (d) => d.body.includes(id));
		/* What is missed is known before what is sent was answered. */
		await until('both are counted', async () => {
			const { missed, sent } = await route();
			return missed === 1 && sent === 1;
		});
		const { ident, failed, dead } = await route();
		assert.deepEqual([failed, dead, sink.deliveries.length], [0, 0, 1]);
		await until('/metrics says so', async () => new RegExp(`missed_total{[^}]*${ident}[^}]*} 1\\b`)
			.test(await (await fetch(`${server.url}/metrics`)).text()));
	});

	test('that was disabled skips what happened meanwhile', async () => {
		const sink = await open();
		await use(hook(sink.url));
		const { id } = (await js.getAppSettings()).app.event_hooks[0];
		await say('before');
		await sink.wait(1);
		await use(hook(sink.url, { id, enabled: false }));
		assert.equal((await route()).enabled, false);
		await say('meanwhile');
		await use(hook(sink.url, { id }));
		const { id: last } = await say('after');
		await sink.wait(1, (d) => d.body.includes(last));
		assert.equal(sink.ids().size, 2);
	});

	test('nobody names any more is gone, with what was under way', async () => {
		const sink = await open((req, res) => {
			res.statusCode = 500;
			res.end();
		});
		await use(hook(sink.url));
		await say();
		await until('it is put aside', async () => (await route()).put_aside === 1);
		await use();
		assert.deepEqual(await routes(), []);
		assert.equal(server.sql('SELECT COUNT(*) FROM parcels'), '0');
		assert.equal(server.sql('SELECT COUNT(*) FROM route_failures'), '0');
	});
});

describe('several processes on one store', { skip: !ON_PG && 'PostgreSQL only' }, () => {
	test('each hook is served by one of them, and by the other when that one dies', async () => {
		const sink = await open();
		await use(hook(sink.url));
		const other = await Server.start({ beside: server, env: { FANFARE_LEASE_MS: 1500,
			FANFARE_RETRY_LADDER: '0.1', FANFARE_WEBHOOK_ALLOW: '127.0.0.0/8' } });
		try {
			const there = jsClient(other).channel('messaging', 'm');
			const said = [];
			for (let i = 0; i < 20; i++) {
				said.push((await say(`${i}`)).id);
				said.push((await there.sendMessage({ text: `${i}`, user_id: 'bob' })).message.id);
			}
			await sink.wait(40);
			assert.equal(sink.deliveries.length, 40, 'each is sent once');
			await server.kill();
			for (let i = 0; i < 5; i++)
				said.push((await there.sendMessage({ text: `${i}`, user_id: 'bob' })).message.id);
			await until('the other sends', () => said.every((id) =>
				sink.deliveries.some((d) => d.body.includes(id))));
			assert.equal(sink.ids().size, 45);
		} finally {
			await server.start();
			({ js, api } = house.renew());
			await other.close();
		}
	});
});

test('addresses that lead inward are refused where they are saved', async () => {
	for (const [body, field] of [
		[{ webhook_url: 'http://10.0.0.1/' }, 'webhook_url'],
		[{ webhook_url: 'http://user:pw@example.com/' }, 'webhook_url'],
		[{ before_message_send_hook_url: 'http://[::1]:80/' }, 'before_message_send_hook_url'],
		[{ custom_action_handler_url: 'http://0xa9fea9fe/' }, 'custom_action_handler_url'],
		[{ event_hooks: [hook('https://example.com'), hook('http://169.254.169.254/')] },
			'event_hooks[1].webhook_url'],
		[{ event_hooks: [hook('https://example.com', { callback: { mode: 'CALLBACK_MODE_REST',
			server_url: 'http://192.168.0.1/' } })] }, 'event_hooks[0].callback.server_url'],
		[{ apn_config: { host: '10.1.1.1' } }, 'apn_config.host'],
	]) {
		const answer = await call(server, 'PATCH', '/app', { body });
		assertError(answer, 400, 4);
		assert.ok(answer.body.message.includes(`${field}: `), answer.body.message);
	}
	for (const field of ['firebase_host', 'apn_host']) {
		const answer = await api.post('/push_providers', { push_provider: { name: 'x',
			type: 'firebase', [field]: 'http://172.16.1.1:8080' } });
		assertError(answer, 400, 4);
		assert.ok(answer.body.message.includes(`push_provider.${field}: `), answer.body.message);
	}
});

test('GET /metrics counts what is there', async () => {
	const sink = await open((req, res) => {
		res.statusCode = 404;
		res.end();
	});
	await use(hook(sink.url));
	await say();
	await until('it is dead', async () => (await route()).dead === 1);
	const { ident } = await route();
	const labels = `kind="webhook",ident="${ident}"`;
	const metrics = await until('it is counted', async () => {
		const answer = await fetch(`${server.url}/metrics`);
		assert.equal(answer.status, 200);
		assert.match(answer.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
		const text = await answer.text();
		return text.includes(`fanfare_route_dead_letters{${labels}} 1\n`) && text;
	});
	for (const line of metrics.trimEnd().split('\n'))
		assert.match(line, /^(# (HELP|TYPE) fanfare_\w+ .+|fanfare_\w+({(\w+="[^"]*",?)+})? -?\d+(\.\d+)?)$/, line);
	assert.ok(metrics.includes(`fanfare_route_failed_total{${labels},reason="http_404"} 1\n`), metrics);
	for (const name of ['outbox_position', 'sockets', 'campaign_messages_total', 'build_info'])
		assert.match(metrics, new RegExp(`^fanfare_${name}\\b`, 'm'));
	assert.ok(!metrics.includes('127.0.0.1'), 'no URL');
	assert.ok(!metrics.includes(server.secret));
});
