/* limits – API rate limits: headers, 429, and what GET /rate_limits shows (api.md §6.10, §11.1). */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertError, assertOk, call, jsClient, nodeClient, rawClient, refused,
	userToken } from './lib/clients.mjs';
import { makeUsers } from './lib/fixtures.mjs';
import { Server, run } from './lib/server.mjs';

const HEADERS = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'];
const PER_MINUTE = 3000; /* 100 a second */
const PER_USER = 5;

/* Each may be used up once. */
const callers = ['bob0', 'bob1', 'bob2', 'bob3'];

let server, api;
before(async () => {
	server = await Server.start({ env: { FANFARE_RATE_LIMIT: PER_MINUTE,
		FANFARE_RATE_LIMIT_USER: PER_USER,
		FANFARE_RATE_LIMITS: 'QuerySegments:1200, GetTask:30' } });
	api = rawClient(server);
	await makeUsers(api, ['ann', 'eve', 'dan', ...callers]);
});
after(() => server.close());

const limitsOf = (answer) => HEADERS.map((name) => Number(answer.headers[name]));

/* What the three headers must look like together. */
function checkHeaders(answer, what) {
	for (const name of HEADERS)
		assert.match(answer.headers[name] ?? 'absent', /^\d+$/, `${name} of ${what}`);
	const [limit, remaining, reset] = limitsOf(answer);
	assert.ok(remaining >= 0 && remaining <= limit, `${what}: ${remaining} of ${limit}`);
	const left = reset - Date.now() / 1000;
	assert.ok(left > -2 && left <= 61, `${what}: reset in ${left} s`);
}

/* What holds for calls of one minute: when a new one began meanwhile, ask() is run again. */
async function withinOneMinute(ask) {
	const minute = () => Math.floor(Date.now() / 60000);
	for (;;) {
		const began = minute();
		try {
			await ask();
			return;
		} catch (error) {
			if (minute() === began)
				throw error;
		}
	}
}

describe('the headers', () => {
	test('are on every answer, all three', async () => {
		const token = userToken(server, 'dan');
		const asked = [
			['GET', '/users', {}, 200],
			['POST', '/campaigns/query', { body: {} }, 201],
			['POST', '/segments', { body: { type: 'nope' } }, 400],
			['GET', '/campaigns/none', {}, 404],
			['GET', '/nowhere', {}, 404],
			['PUT', '/users', { body: {} }, 405],
			['GET', '/campaigns/none', { key: 'x' }, 401],
			['GET', '/campaigns/none', { token: 'x' }, 401],
			['GET', '/campaigns/none', { token }, 403],
			['POST', '/campaigns/query', { raw: '{' }, 400],
			['POST', '/campaigns/c/stop', { raw: ' '.repeat(20000) }, 413],
		];
		for (const { chat } of DIALECTS) {
			for (const [method, path, options, status] of asked) {
				if (chat !== '' && path === '/users')
					continue;
				const answer = await call(server, method, chat + path, options);
				assert.equal(answer.status, status, answer.text);
				checkHeaders(answer, `${method} ${chat}${path}`);
			}
		}
	});

	test('are not on the answers of probes, which nothing limits', async () => {
		const answer = await call(server, 'GET', '/healthz', { key: null, token: null, check: false });
		for (const name of HEADERS)
			assert.equal(answer.headers[name], undefined);
	});

	test('count down, one a call, for each operation alone', () => withinOneMinute(async () => {
		const ask = () => api.post('/segments/query', {});
		const [limit, first] = limitsOf(await ask());
		assert.equal(limit, 1200);
		assert.equal(limitsOf(await ask())[1], first - 1);
		const other = limitsOf(await api.post('/campaigns/query', {}));
		assert.equal(other[0], PER_MINUTE);
		assert.equal(limitsOf(await ask())[1], first - 2);
	}));

	test('a call that is refused for its body has been counted, one without a caller has not', () =>
		withinOneMinute(async () => {
			const [, first] = limitsOf(await api.get('/segments/none'));
			const bad = limitsOf(await call(server, 'GET', '/segments/none', { token: 'x' }));
			assert.equal(bad[0], PER_MINUTE);
			assert.equal(limitsOf(await api.get('/segments/none'))[1], first - 1);
		}));

	test('are understood by node-sdk', async () => {
		const { metadata } = await nodeClient(server).chat.queryCampaigns({});
		assert.equal(metadata.rateLimit.rateLimit, PER_MINUTE);
		assert.ok(metadata.rateLimit.rateLimitRemaining < PER_MINUTE);
		const left = metadata.rateLimit.rateLimitReset.getTime() - Date.now();
		assert.ok(left > -2000 && left <= 61000, `${left}`);
	});
});

describe('too many calls', () => {
	/* GetTask takes 30 a minute, so one a second: asked at once, the second call is one too many
	 * unless a second begins between the two. */
	async function untilRefused(ask, most) {
		for (let i = 0; i < most; i++) {
			const answer = await ask();
			if (answer.status === 429)
				return answer;
		}
		assert.fail(`${most} calls passed`);
	}

	test('in a second: 429 code 9, the window that is full, Retry-After', async () => {
		const answer = await untilRefused(() => api.get('/tasks/none'), 31);
		assertError(answer, 429, 9, /^GetTask failed with error: "rate limit: more than \d+ calls a/);
		checkHeaders(answer, 'the refusal');
		assert.equal(limitsOf(answer)[1], 0);
		const wait = Number(answer.headers['retry-after']);
		assert.ok(wait >= 1 && wait <= 60, `${wait}`);
	});

	test('the stock clients get code 9', async () => {
		const js = jsClient(server);
		const node = nodeClient(server);
		const many = (ask) => Promise.all(Array.from({ length: 40 }, ask));
		await refused(many(() => js.getTask('none').catch((e) => {
			if (e.code !== 16)
				throw e;
		})), 9, /rate limit/);
		await refused(many(() => node.getTask({ id: 'none' }).catch((e) => {
			if (e.code !== 16)
				throw e;
		})), 9, /rate limit/);
	});

	test('by one user: he is refused, others and the server are not', () => withinOneMinute(async () => {
		const bob = callers.pop();
		const query = (id) => call(server, 'GET', '/users', { token: userToken(server, id),
			query: { payload: '{}' } });
		for (let i = 1; i <= PER_USER; i++) {
			const answer = await query(bob);
			assertOk(answer, 200);
			assert.deepEqual(limitsOf(answer).slice(0, 2), [PER_USER, PER_USER - i]);
		}
		const answer = await query(bob);
		assertError(answer, 429, 9, /more than 5 calls a minute by one user/);
		assert.deepEqual(limitsOf(answer).slice(0, 2), [PER_USER, 0]);
		assertOk(await query('ann'), 200);
		for (let i = 0; i <= PER_USER; i++)
			assertOk(await api.get('/users', { payload: '{}' }), 200);
		/* Another operation is another budget. */
		assertOk(await call(server, 'POST', '/channels', { token: userToken(server, bob),
			body: { filter_conditions: {} } }), 201);
	}));
});

describe('GET /rate_limits', () => {
	const PLATFORMS = ['server_side', 'android', 'ios', 'web', 'unity'];

	for (const { name, common } of DIALECTS) {
		test(`${name}: all operations on all platforms`, async () => {
			const body = assertOk(await api.get(`${common}/rate_limits`), 200);
			assert.deepEqual(Object.keys(body).filter((key) => key !== 'duration'), PLATFORMS);
			for (const platform of PLATFORMS) {
				const { SendMessage, QuerySegments, GetOrCreateChannel, Healthz } = body[platform];
				assert.equal(SendMessage.limit, PER_MINUTE);
				assert.equal(QuerySegments.limit, 1200);
				assert.equal(GetOrCreateChannel.limit, PER_MINUTE);
				assert.equal(Healthz, undefined);
				assert.equal(typeof SendMessage.remaining, 'number');
				assert.ok(SendMessage.reset * 1000 > Date.now());
			}
		});

		test(`${name}: shows what the headers show, this call included`, () =>
			withinOneMinute(async () => {
				const header = limitsOf(await api.post('/segments/query', {}));
				const answer = await api.get(`${common}/rate_limits`, { server_side: 'true',
					endpoints: 'QuerySegments,GetRateLimits' });
				const { server_side: mine, ...others } = assertOk(answer, 200);
				assert.deepEqual(Object.keys(others), ['duration']);
				assert.deepEqual(mine.QuerySegments,
					{ limit: header[0], remaining: header[1], reset: header[2] });
				assert.equal(mine.GetRateLimits.remaining, limitsOf(answer)[1]);
				assert.deepEqual(Object.keys(mine).sort(), ['GetRateLimits', 'QuerySegments']);
			}));
	}

	test('counts a user by the platform of his client', () => withinOneMinute(async () => {
		const clients = { android: 'stream-chat-android-compose-6.4.1', ios: 'stream-chat-swift-client-v4',
			web: 'stream-chat-js-v9.53.0-browser', unity: 'stream-chat-unity-client-5.3.0' };
		const left = async () => {
			const body = assertOk(await api.get('/rate_limits', { endpoints: 'QueryChannels' }), 200);
			return Object.fromEntries(PLATFORMS.map((p) => [p, body[p].QueryChannels.remaining]));
		};
		for (const [platform, client] of Object.entries(clients)) {
			const was = await left();
			assertOk(await call(server, 'POST', '/channels', { token: userToken(server, 'ann'),
				headers: { 'X-Stream-Client': client }, body: { filter_conditions: {} } }), 201);
			assert.deepEqual(await left(), { ...was, [platform]: was[platform] - 1 });
		}
		/* A server-side call is one of the server whatever it calls itself. */
		const was = await left();
		assertOk(await api.post('/channels', { filter_conditions: {} },
			{ headers: { 'X-Stream-Client': clients.ios } }), 201);
		assert.deepEqual(await left(), { ...was, server_side: was.server_side - 1 });
	}));

	test('through stream-chat', async () => {
		const js = jsClient(server);
		const all = await js.getRateLimits();
		assert.equal(all.android.SendMessage.limit, PER_MINUTE);
		const some = await js.getRateLimits({ serverSide: true, endpoints: ['GetRateLimits', 'QueryUsers'] });
		assert.deepEqual(Object.keys(some).sort(), ['duration', 'server_side']);
		assert.deepEqual(Object.keys(some.server_side).sort(), ['GetRateLimits', 'QueryUsers']);
	});

	test('through node-sdk', async () => {
		const node = nodeClient(server);
		const all = await node.getRateLimits();
		assert.equal(all.unity.SendMessage.limit, PER_MINUTE);
		const some = await node.getRateLimits({ web: true, ios: true, endpoints: 'SendMessage' });
		assert.deepEqual(some.web, { SendMessage: some.web.SendMessage });
		assert.equal(some.ios.SendMessage.remaining, PER_MINUTE);
		assert.equal(some.server_side, undefined);
		assert.equal(some.metadata.rateLimit.rateLimit, PER_MINUTE);
	});

	test('a platform that is false is as one that is absent', async () => {
		const body = assertOk(await api.get('/rate_limits', { web: 'false', endpoints: 'GetTask' }), 200);
		assert.deepEqual(Object.keys(body).filter((key) => key !== 'duration'), PLATFORMS);
	});

	test('bad values: 400 code 4 that names the field', async () => {
		for (const platform of PLATFORMS)
			assertError(await api.get('/rate_limits', { [platform]: 'maybe' }), 400, 4,
				new RegExp(`"${platform}: expected true or false, got "maybe"`));
		for (const endpoints of ['Nope', 'SendMessage,', ',', 'SendMessage,,GetTask', 'sendmessage',
			'Healthz', 'x'.repeat(2000)])
			assertError(await api.get('/rate_limits', { endpoints }), 400, 4,
				/endpoints: no operation is named "/);
	});

	test('is for server-side callers', async () =>
		assertError(await call(server, 'GET', '/rate_limits', { token: userToken(server, 'eve') }), 403, 17));
});

test('a setting that cannot be understood ends the start with a line that says so', async () => {
	const cases = [
		['FANFARE_RATE_LIMITS', 'Nope:5', /rate_limits: no operation is named "Nope"/],
		['FANFARE_RATE_LIMITS', 'SendMessage', /rate_limits: SendMessage: expected OPERATION:CALLS/],
		['FANFARE_RATE_LIMITS', 'SendMessage:0', /rate_limits: SendMessage: expected/],
		['FANFARE_RATE_LIMIT', '0', /FANFARE_RATE_LIMIT: expected an integer from 1/],
		['FANFARE_RATE_LIMIT_USER', '-1', /FANFARE_RATE_LIMIT_USER: expected an integer from 0/],
	];
	for (const [name, value, message] of cases) {
		const end = await run(['serve'], { env: { FANFARE_LISTEN: '127.0.0.1:0', [name]: value } });
		assert.equal(end.code, 2, end.stderr);
		assert.match(end.stderr, message);
	}
});
