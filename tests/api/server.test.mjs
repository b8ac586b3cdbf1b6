/* server – the process: its first start, its store, its signals, its connections. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { assertError, assertOk, call, jsClient, rawClient, serverToken } from './lib/clients.mjs';
import { countMessages, ended, getCampaign, ids, makeCampaign, makeUsers, send, startCampaign }
	from './lib/fixtures.mjs';
import { ON_PG, Server, run, tempDir } from './lib/server.mjs';
import { until } from './lib/wait.mjs';

/* Ends what a test started, whatever became of the test. */
async function using(server, fn) {
	try {
		return await fn(server);
	} finally {
		await server.close();
	}
}

/* What `fanfare serve` says when it must not start. */
async function refusal(server) {
	const { code, stdout, stderr } = await run(['serve'], { env: server.env, cwd: server.dir });
	assert.notEqual(code, 0);
	assert.notEqual(code, null, 'killed by a signal');
	assert.doesNotMatch(stdout, /listening/);
	assert.match(stderr, /^[^\n]+\n$/, 'one line');
	return stderr;
}

describe('first start', () => {
	test('a key pair is made, printed once, and works', () => using(new Server({ empty: true, env:
		{ FANFARE_API_KEY: undefined, FANFARE_API_SECRET: undefined } }), async (server) => {
		await server.start();
		const value = (name) => new RegExp(`${name}\\W+(\\S{8,})`, 'i').exec(server.stdout)?.[1];
		server.key = value('API_KEY');
		server.secret = value('API_SECRET');
		assert.ok(server.key, server.stdout);
		assert.ok(server.secret?.length >= 32, 'a secret of some length');
		await jsClient(server).upsertUser({ id: 'first' });
		await server.restart();
		assert.ok(!server.stdout.includes(server.secret) && !server.stderr.includes(server.secret));
		assert.equal((await jsClient(server).queryUsers({ id: 'first' })).users.length, 1);
	}));

	test('two stores get two pairs', async () => {
		const made = [];
		for (let i = 0; i < 2; i++)
			await using(new Server({ empty: true, env: { FANFARE_API_KEY: undefined,
				FANFARE_API_SECRET: undefined } }), async (server) => {
				await server.start();
				made.push(/API_SECRET\W+(\S+)/i.exec(server.stdout)[1]);
			});
		assert.notEqual(made[0], made[1]);
	});

	test('a pair from the environment is used and never shown', () => using(new Server(),
		async (server) => {
			await server.start();
			assertOk(await rawClient(server).post('/campaigns/query', {}), 201);
			assert.doesNotMatch(server.stdout + server.stderr, new RegExp(server.secret));
			assert.match(server.stdout, /^listening on http:\/\/127\.0\.0\.1:\d+\n$/m);
		}));

	test('one half of a pair, or a secret as a flag, is refused', async () => {
		for (const env of [{ FANFARE_API_KEY: undefined }, { FANFARE_API_SECRET: undefined }])
			await using(new Server({ env }), refusal);
		await using(new Server(), async (server) => {
			const { code, stderr } = await run(['serve', '--api_secret', 'x'.repeat(40)],
				{ env: server.env, cwd: server.dir });
			assert.notEqual(code, 0);
			assert.doesNotMatch(stderr, /xxxx/);
		});
	});
});

describe('the store', () => {
	test('a second process is refused, the first goes on', { skip: ON_PG }, () => using(
		new Server(), async (server) => {
			await server.start();
			const rival = new Server({ dir: server.dir });
			assert.match(await refusal(rival), /fanfare\.db/);
			assertOk(await rawClient(server).post('/campaigns/query', {}), 201);
		}));

	test('a second process serves the same data', { skip: !ON_PG }, () => using(new Server(),
		async (server) => {
			await server.start();
			await using(new Server({ beside: server }), async (second) => {
				await second.start();
				await makeUsers(rawClient(server), ['shared']);
				assert.equal((await jsClient(second).queryUsers({ id: 'shared' })).users.length, 1);
			});
		}));

	test('several processes may start at once on an empty store', { skip: !ON_PG }, () => using(
		new Server({ empty: true }), async (server) => {
			const others = [1, 2, 3].map(() => new Server({ beside: server }));
			try {
				await Promise.all([server, ...others].map((one) => one.start()));
				await makeUsers(rawClient(server), ['first']);
				for (const one of others)
					assert.equal((await jsClient(one).queryUsers({ id: 'first' })).users.length, 1);
			} finally {
				await Promise.all(others.map((one) => one.close()));
			}
		}));

	test('a database that is not there, a wrong password, no server: one line, no secret',
		{ skip: !ON_PG }, async () => {
			const url = new URL(process.env.FANFARE_TEST_PG);
			const at = `${url.host}/nosuchdatabase`;
			for (const store of [`postgresql://${url.username}:hunter2@${at}`,
				'postgresql://u:hunter2@127.0.0.1:1/x', 'postgres://u:hunter2@[::1', 'pg://u:hunter2@h/x'])
				await using(new Server({ env: { FANFARE_STORE: store, FANFARE_STORE_WAIT: 0 } }),
					async (server) => {
						const stderr = await refusal(server);
						assert.doesNotMatch(stderr, /hunter2/);
						assert.equal(stderr.trim().split('\n').length, 1, stderr);
					});
		});

	test('after kill -9 the lock is free', () => using(new Server(), async (server) => {
		await server.start();
		await server.kill();
		await server.start();
		assertOk(await rawClient(server).post('/campaigns/query', {}), 201);
	}));

	test('one that is newer than the program is refused and not touched', () =>
		using(new Server(), async (server) => {
			await server.start();
			await makeUsers(rawClient(server), ['old']);
			await server.stop();
			const sql = (text) => server.sql(text);
			const version = Number(sql('SELECT MAX(version) FROM schema_version'));
			assert.ok(version >= 1);
			sql(`INSERT INTO schema_version VALUES (${version + 1})`);
			assert.match(await refusal(server), /newer|version/);
			assert.equal(sql('SELECT MAX(version) FROM schema_version'), `${version + 1}`);
			sql(`DELETE FROM schema_version WHERE version > ${version}`);
			await server.start();
			assert.equal((await jsClient(server).queryUsers({ id: 'old' })).users.length, 1);
		}));

	test('a path that cannot be opened, a directory, a file that is no database', async () => {
		const dir = tempDir();
		const folder = path.join(dir, 'folder');
		const junk = path.join(dir, 'junk.db');
		fs.mkdirSync(folder);
		fs.writeFileSync(junk, 'this is a letter to a friend, not a database\n'.repeat(100));
		for (const store of [`sqlite:${dir}/no/such/dir/x.db`, `sqlite:${folder}`, `sqlite:${junk}`,
			'mongodb://x', 'sqlite:'])
			await using(new Server({ env: { FANFARE_STORE: store } }), refusal);
		assert.match(fs.readFileSync(junk, 'utf8'), /^this is a letter/);
		fs.rmSync(dir, { recursive: true });
	});

	test('settings that are none', async () => {
		for (const env of [{ FANFARE_LISTEN: 'nowhere' }, { FANFARE_LISTEN: '127.0.0.1:99999' },
			{ FANFARE_BATCH_SIZE: '0' }, { FANFARE_BATCH_SIZE: '4097' }, { FANFARE_WORKERS: 'x' }])
			await using(new Server({ env }), refusal);
		const { code } = await run(['serve', '--no-such-setting', '1']);
		assert.notEqual(code, 0);
	});

	test('a port that is taken', () => using(new Server(), async (server) => {
		await server.start();
		await using(new Server({ env: { FANFARE_LISTEN: `127.0.0.1:${server.port}` } }), refusal);
	}));

	test('the default store is fanfare.db in the working directory', () => using(new Server({ env:
		{ FANFARE_STORE: undefined } }), async (server) => {
		await server.start();
		assert.ok(fs.existsSync(path.join(server.dir, 'fanfare.db')));
	}));
});

describe('signals', () => {
	test('SIGTERM during a campaign: exit 0; the next start completes it', () => using(
		new Server({ env: { FANFARE_BATCH_SIZE: 1 } }), async (server) => {
			await server.start();
			const api = rawClient(server);
			const users = ids('t', ON_PG ? 1000 : 3000);
			await makeUsers(api, ['ann', ...users]);
			await makeCampaign(api, { id: 'term', sender_id: 'ann', user_ids: users,
				message_template: { text: 'x' }, create_channels: true,
				channel_template: { type: 'messaging', id: 't-{{receiver.id}}' } });
			await startCampaign(api, 'term');
			await until('the campaign runs', async () =>
				(await getCampaign(api, 'term')).stats.messages_sent > 0, { every: 1 });
			await server.stop(); /* checks the exit status */
			await server.start();
			const { status, stats } = await ended(api, 'term');
			assert.deepEqual([status, stats.messages_sent, stats.audience],
				['completed', users.length, users.length]);
			assert.equal(await countMessages(api, 'term', users.map((id) => `messaging:t-${id}`)),
				users.length);
		}));

	test('SIGINT ends it, too', () => using(new Server(), async (server) => {
		await server.start();
		const { exited } = server.job;
		process.kill(server.pid, 'SIGINT');
		server.job = undefined;
		assert.deepEqual(await exited, { code: 0, signal: null });
	}));

	test('idle connections do not hold it up; a request in flight is answered', () =>
		using(new Server(), async (server) => {
			await server.start();
			const agent = new http.Agent({ keepAlive: true });
			const url = new URL(server.url);
			const ask = () => new Promise((resolve, reject) => http.get({ agent, host: url.hostname,
				port: url.port, path: '/healthz' }, (res) => {
				res.resume();
				res.on('end', resolve);
			}).on('error', reject));
			await Promise.all(Array.from({ length: 20 }, ask));
			const began = Date.now();
			const job = server.job;
			const flying = rawClient(server).post('/users', { users: { fly: { id: 'fly' } } });
			const answer = await flying;
			assertOk(answer, 201);
			await server.stop();
			assert.ok(Date.now() - began < 5000, 'drains at once when nothing runs');
			assert.doesNotMatch(job.stderr, /Sanitizer|runtime error/);
			agent.destroy();
		}));
});

describe('connections', () => {
	let server, api;
	before(async () => {
		server = await Server.start();
		api = rawClient(server);
		await makeUsers(api, ['ann', 'bob']);
	});
	after(() => server.close());

	test('/hi warms a connection up, whoever calls', async () => {
		const answer = await call(server, 'GET', '/hi', { token: null, key: null });
		assert.deepEqual(Object.keys(assertOk(answer, 200)), ['duration']);
	});
	test('/healthz answers 200', async () => {
		const answer = await call(server, 'GET', '/healthz', { token: null, key: null, check: false });
		assert.equal(answer.status, 200);
	});

	test('keep-alive: many requests, errors among them, on one connection', async () => {
		const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
		const url = new URL(server.url);
		const sockets = new Set();
		const ask = (method, target, body) => new Promise((resolve, reject) => {
			const req = http.request({ agent, host: url.hostname, port: url.port, method,
				path: `${target}?api_key=${server.key}`,
				headers: { Authorization: serverToken(server), 'stream-auth-type': 'jwt',
					...(body && { 'Content-Length': Buffer.byteLength(body) }) } });
			req.on('socket', (socket) => sockets.add(socket));
			req.on('error', reject);
			req.on('response', (res) => {
				res.resume();
				res.on('end', () => resolve(res.statusCode));
			});
			req.end(body);
		});
		for (let i = 0; i < 50; i++) {
			assert.equal(await ask('POST', '/campaigns/query', '{}'), 201);
			assert.equal(await ask('GET', '/campaigns/none'), 404);
			assert.equal(await ask('POST', '/campaigns', '{'), 400);
			assert.equal(await ask('PATCH', '/campaigns/x', '{}'), 405);
			assert.equal(await ask('GET', '/nothing'), 404);
		}
		assert.equal(sockets.size, 1);
		agent.destroy();
	});

	/* Sends text on one connection; gives all that came until ${enough} matches. */
	const speak = (text, enough) => new Promise((resolve, reject) => {
		const socket = net.connect(server.port, '127.0.0.1');
		let got = '';
		socket.setTimeout(15000, () => reject(new Error(`waited for ${enough}, got: ${got}`)));
		socket.on('data', (data) => {
			got += data;
			if (enough.test(got))
				socket.destroy();
		});
		socket.on('error', reject);
		socket.on('close', () => resolve(got));
		socket.write(text);
	});
	const head = (line, more = '') => `${line} HTTP/1.1\r\nHost: localhost\r\n` +
		`Authorization: ${serverToken(server)}\r\n${more}\r\n`;

	test('200 requests in one write are answered in order', async () => {
		const got = await speak(Array.from({ length: 200 }, (_, i) =>
			head(`GET /campaigns/p${i}?api_key=${server.key}`)).join(''), /with id p199 /);
		const order = [...got.matchAll(/with id p(\d+) /g)].map(([, n]) => Number(n));
		assert.deepEqual(order, Array.from({ length: 200 }, (_, i) => i));
	});
	test('Expect: 100-continue, as curl sends with large bodies', async () => {
		const body = '{"type":"user","id":"expected"}';
		const got = await speak(head(`POST /segments?api_key=${server.key}`,
			`Expect: 100-continue\r\nContent-Length: ${body.length}\r\n`) + body, /"expected"/);
		assert.match(got, /^HTTP\/1\.1 100 [^]*HTTP\/1\.1 201 /);
	});
	test('HTTP/1.0', async () => {
		const got = await speak('GET /healthz HTTP/1.0\r\n\r\n', /\}$/);
		assert.match(got, /^HTTP\/1\.[01] 200 /);
	});

	test('200 connections at once', async () => {
		const agent = new http.Agent({ keepAlive: true, maxSockets: 200 });
		const url = new URL(server.url);
		const statuses = await Promise.all(Array.from({ length: 1000 }, (_, i) =>
			new Promise((resolve, reject) => http.get({ agent, host: url.hostname, port: url.port,
				path: `/campaigns/none${i}?api_key=${server.key}`,
				headers: { Authorization: serverToken(server) } }, (res) => {
				res.resume();
				res.on('end', () => resolve(res.statusCode));
			}).on('error', reject))));
		assert.deepEqual([...new Set(statuses)], [404]);
		agent.destroy();
	});

	test('a client that vanishes in mid-request or mid-answer', async () => {
		const url = new URL(server.url);
		await Promise.all(Array.from({ length: 50 }, (_, i) => new Promise((resolve) => {
			const req = http.request({ host: url.hostname, port: url.port, method: 'POST',
				path: `/campaigns/query?api_key=${server.key}`, agent: false,
				headers: { Authorization: serverToken(server), 'Content-Length': 1000 } });
			req.on('error', () => {});
			req.on('close', resolve);
			req.write('{'.padEnd(i * 20 + 1));
			req.once('socket', (socket) => socket.once('connect', () => setImmediate(() =>
				req.destroy())));
		})));
		assertError(await api.get('/campaigns/none'), 404, 16);
	});

	test('every answer has its duration', async () => {
		for (const answer of [await api.get('/users', { payload: '{"filter_conditions":{}}' }),
			await api.post('/segments', { id: 'dur', type: 'user' }), await api.get('/segments/dur'),
			await api.put('/segments/dur', { name: 'x' }), await api.del('/segments/dur'),
			await api.get('/nothing'), await api.patch('/campaigns/x', {})])
			assert.match(answer.body.duration, /^\d+(\.\d+)?(ns|µs|us|ms|s)$/);
	});

	test('p99 of reads stays low while a campaign runs', async () => {
		const users = ids('busy', 5000);
		await makeUsers(api, users);
		await makeCampaign(api, { id: 'busy', sender_id: 'ann', user_ids: users,
			message_template: { text: 'x' }, create_channels: true,
			channel_template: { type: 'messaging' } });
		await startCampaign(api, 'busy');
		const times = [];
		for (let i = 0; i < 200; i++) {
			const began = process.hrtime.bigint();
			await getCampaign(api, 'busy');
			times.push(Number(process.hrtime.bigint() - began) / 1e6);
		}
		times.sort((a, b) => a - b);
		/* The SDKs give up after 3 s (api.md §1.1); the true figure is measured by the bench. */
		assert.ok(times[197] < 1000, `p99 ${times[197]} ms`);
		assert.equal((await ended(api, 'busy')).stats.messages_sent, 5000);
	});

	test('another secret after a restart: old tokens are void', async () => {
		const old = serverToken(server);
		await send(api, { sender_id: 'ann', user_ids: ['bob'], message_template: { text: 'x' } });
		await server.stop();
		server.env.FANFARE_API_SECRET = server.secret = 'another-secret-0123456789-abcdefghijkl';
		await server.start();
		assertError(await call(server, 'GET', '/campaigns/none', { token: old }), 401, 43);
		assertError(await api.get('/campaigns/none'), 404, 16);
	});
});
