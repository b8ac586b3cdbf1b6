/* cors – browser apps of other origins: which may call, and what they are told. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { call, userToken } from './lib/clients.mjs';
import { makeUsers } from './lib/fixtures.mjs';
import { rawClient } from './lib/clients.mjs';
import { Server, run } from './lib/server.mjs';

const APP = 'https://app.example';
let listed, closed, open;
before(async () => {
	[listed, closed, open] = await Promise.all([`${APP}, http://localhost:3000`, '', '*'].map((origins) =>
		Server.start({ env: { FANFARE_ORIGINS: origins } })));
	for (const server of [listed, closed, open])
		await makeUsers(rawClient(server), ['bob']);
});
after(() => Promise.all([listed, closed, open].map((server) => server.close())));

const ask = (server, origin, path = '/channels') => call(server, 'OPTIONS', path, { token: null, key: null,
	check: false, headers: { Origin: origin, 'Access-Control-Request-Method': 'POST',
		'Access-Control-Request-Headers': 'authorization,stream-auth-type,x-stream-client' } });
const query = (server, origin) => call(server, 'POST', '/channels', { token: userToken(server, 'bob'),
	headers: origin ? { Origin: origin } : {}, body: { filter_conditions: {} } });

describe('preflights', () => {
	test('of listed origins, for any path', async () => {
		for (const origin of [APP, 'http://localhost:3000'])
			for (const path of ['/channels', '/api/v2/chat/channels', '/nothing']) {
				const { status, headers, text } = await ask(listed, origin, path);
				assert.deepEqual([status, text], [204, '']);
				assert.equal(headers['access-control-allow-origin'], origin);
				assert.equal(headers.vary, 'Origin');
				for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
					assert.match(headers['access-control-allow-methods'], new RegExp(`\\b${method}\\b`));
				for (const name of ['authorization', 'stream-auth-type', 'x-stream-client', 'content-type'])
					assert.match(headers['access-control-allow-headers'].toLowerCase(), new RegExp(name));
				assert.equal(headers['access-control-allow-credentials'], undefined);
			}
	});
	test('of others are no more than a wrong method', async () => {
		for (const [server, origin] of [[listed, 'https://evil.example'], [listed, 'http://app.example'],
			[listed, `${APP}:444`], [listed, 'null'], [closed, APP]]) {
			const { status, headers } = await ask(server, origin);
			assert.equal(status, 405, origin);
			assert.equal(headers['access-control-allow-origin'], undefined);
		}
	});
	test('any origin, where all may', async () => {
		const { status, headers } = await ask(open, 'https://any.example');
		assert.deepEqual([status, headers['access-control-allow-origin']], [204, 'https://any.example']);
	});
});

describe('calls', () => {
	test('say so in every answer', async () => {
		const good = await query(listed, APP);
		assert.equal(good.status, 201);
		assert.equal(good.headers['access-control-allow-origin'], APP);
		assert.match(good.headers['access-control-expose-headers'], /X-RateLimit-Limit/);
		const bad = await call(listed, 'POST', '/channels', { token: 'x', headers: { Origin: APP }, body: {} });
		assert.equal(bad.status, 401);
		assert.equal(bad.headers['access-control-allow-origin'], APP);
		/* Bodies that are asked for first: the refusal, and the answer, with each header once. */
		const big = { filter_conditions: { name: 'x'.repeat(20000) } };
		const large = await call(listed, 'POST', '/channels', { token: 'x', headers: { Origin: APP }, body: big });
		assert.deepEqual([large.status, large.headers['access-control-allow-origin']], [401, APP]);
		const read = await call(listed, 'POST', '/channels', { token: userToken(listed, 'bob'),
			headers: { Origin: APP }, body: big });
		assert.equal(read.headers['access-control-allow-origin'], APP);
	});
	test('without an origin, or of one that may not, say nothing', async () => {
		for (const [server, origin] of [[listed, undefined], [listed, 'https://evil.example'], [closed, APP]]) {
			const { status, headers } = await query(server, origin);
			assert.equal(status, 201);
			assert.equal(headers['access-control-allow-origin'], undefined);
		}
	});
});

test('what is no list of origins', async () => {
	for (const origins of ['app.example', 'https://', 'https://a.example/', 'https://a.example/x', 'ftp://a.example',
		'https://u@a.example', 'https://*.example', `${APP},x`, '*,https://a.example', 'https://a b']) {
		const end = await run(['serve'], { env: { FANFARE_LISTEN: '127.0.0.1:0', FANFARE_ORIGINS: origins } });
		assert.equal(end.code, 2, origins);
		assert.match(end.stderr, /origins: expected http/);
	}
});
