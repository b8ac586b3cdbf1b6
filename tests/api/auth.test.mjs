/* auth – who may call what: api.md §1.2, and I-25 of the invariants. */
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { StreamClient } from '@stream-io/node-sdk';
import { StreamChat } from 'stream-chat';

import { DIALECTS, assertError, assertOk, b64url, call, jwt, rawClient, refused, serverToken,
	userToken } from './lib/clients.mjs';
import { makeUsers } from './lib/fixtures.mjs';
import { KEY, SECRET, Server } from './lib/server.mjs';

let server, api;
before(async () => {
	server = await Server.start();
	api = rawClient(server);
	await makeUsers(api, ['bob', 'ann']);
});
after(() => server.close());

const now = () => Math.floor(Date.now() / 1000);

/* The cheapest call that needs a server-side token. */
const ask = (token, options) => call(server, 'GET', '/campaigns/none', { token, ...options });
const assertAccepted = (answer) => assertError(answer, 404, 16);
const assertForged = (answer) => {
	assert.equal(answer.status, 401, answer.text);
	assert.ok([5, 43].includes(answer.body.code), answer.text);
};

describe('accepted as server-side', () => {
	const cases = {
		'server:true': { server: true },
		'empty claims, as the Python SDK sends': {},
		'server:true with iat, iss, sub, scope': { server: true, iat: now() - 5, iss: 'x',
			sub: 'y', scope: 'admins' },
		'no user_id and no server claim': { iat: now() - 5, scope: 'admins' },
		'server:true together with user_id': { server: true, user_id: 'bob' },
		'exp in the future': { server: true, exp: now() + 60 },
		'exp as a float': { server: true, exp: now() + 60.5 },
		'nbf in the past': { server: true, nbf: now() - 60 },
		'iat within the leeway': { server: true, iat: now() + 3 },
	};
	for (const [name, claims] of Object.entries(cases))
		test(name, async () => assertAccepted(await ask(jwt(claims, SECRET))));

	test('a Bearer prefix', async () =>
		assertAccepted(await ask(`Bearer ${serverToken(server)}`)));
	test('a header without typ, and with unknown members', async () => {
		assertAccepted(await ask(jwt({}, SECRET, { header: { alg: 'HS256' } })));
		assertAccepted(await ask(jwt({}, SECRET, { header: { alg: 'HS256', typ: 'JWT', kid: '1' } })));
	});
	test('no stream-auth-type, or written in another case', async () => {
		assertAccepted(await ask(undefined, { headers: { 'stream-auth-type': '' } }));
		assertAccepted(await ask(undefined, { headers: { 'Stream-Auth-Type': 'JWT' } }));
	});
});

describe('refused', () => {
	const malformed = {
		'no Authorization': null,
		'an empty one': '',
		'not a token': 'secret',
		'one part': b64url('{"alg":"HS256"}'),
		'two parts': `${b64url('{"alg":"HS256"}')}.${b64url('{}')}`,
		'four parts': `${jwt({}, SECRET)}.x`,
		'not base64url': 'ä.b.c',
		'a header that is no JSON': jwt({}, SECRET, { header: 'HS256' }),
		'claims that are no JSON': jwt('server', SECRET),
		'claims that are a list': jwt([], SECRET),
		'claims that are a text': jwt('"server"', SECRET),
		'claims with trailing text': jwt('{"server":true}}', SECRET),
		'exp that is a text': jwt({ server: true, exp: `${now() + 60}` }, SECRET),
		'exp beyond any number': jwt('{"server":true,"exp":1e999}', SECRET),
		'nbf that is a text': jwt({ server: true, nbf: '0' }, SECRET),
		'iat that is an object': jwt({ server: true, iat: {} }, SECRET),
	};
	for (const [name, token] of Object.entries(malformed))
		test(`malformed, code 5: ${name}`, async () => assertError(await ask(token), 401, 5));

	test('another secret, code 43', async () =>
		assertError(await ask(jwt({ server: true }, `${SECRET}x`)), 401, 43));
	test('claims changed after signing, code 43', async () => {
		const [head, , signature] = jwt({ user_id: 'bob' }, SECRET).split('.');
		assertError(await ask(`${head}.${b64url('{"server":true}')}.${signature}`), 401, 43);
	});
	test('exp in the past, code 40', async () => {
		assertError(await ask(jwt({ server: true, exp: now() - 60 }, SECRET)), 401, 40);
		assertError(await ask(jwt({ server: true, exp: -1 }, SECRET)), 401, 40);
	});
	test('nbf in the future, code 41', async () =>
		assertError(await ask(jwt({ server: true, nbf: now() + 600 }, SECRET)), 401, 41));
	test('iat in the future, code 42', async () =>
		assertError(await ask(jwt({ server: true, iat: now() + 600 }, SECRET)), 401, 42));
	test('a bad signature is told before an expired claim', async () =>
		assertError(await ask(jwt({ exp: now() - 60 }, `${SECRET}x`)), 401, 43));

	test('unknown or missing api_key, code 2', async () => {
		assertError(await ask(undefined, { key: 'another' }), 401, 2);
		assertError(await ask(undefined, { key: null }), 401, 2);
	});
});

describe('no way around HS256', () => {
	for (const alg of ['none', 'None', 'NONE', 'nOnE']) {
		test(`alg ${alg}, with and without a signature`, async () => {
			const header = { alg, typ: 'JWT' };
			assertForged(await ask(jwt({ server: true }, SECRET, { header, sign: () => '' })));
			assertForged(await ask(jwt({ server: true }, SECRET, { header })));
		});
	}
	for (const alg of ['RS256', 'ES256', 'PS256', 'HS384', 'HS512', 'hs256', '', null, 5]) {
		test(`header alg ${JSON.stringify(alg)}, signed as HS256`, async () =>
			assertForged(await ask(jwt({ server: true }, SECRET, { header: { alg } }))));
	}
	test('a genuine HS512 signature', async () =>
		assertForged(await ask(jwt({ server: true }, SECRET, { header: { alg: 'HS512' },
			sign: (head) => crypto.createHmac('sha512', SECRET).update(head).digest('base64url') }))));
	test('no alg at all', async () =>
		assertForged(await ask(jwt({ server: true }, SECRET, { header: { typ: 'JWT' } }))));
	test('crit', async () => {
		for (const crit of [['exp'], [], ['b64']])
			assertForged(await ask(jwt({ server: true }, SECRET,
				{ header: { alg: 'HS256', crit } })));
	});
	test('an empty secret and a missing signature', async () => {
		assertForged(await ask(jwt({ server: true }, '')));
		assertForged(await ask(jwt({ server: true }, SECRET, { sign: () => '' })));
	});
	test('a devtoken', async () =>
		assertForged(await ask(jwt({ user_id: 'bob' }, SECRET, { sign: () => 'devtoken' }))));
	test('twice the same claim', async () =>
		assertForged(await ask(jwt('{"user_id":"bob","user_id":null}', SECRET))));
	test('a user_id that is no text never makes a server', async () => {
		for (const user_id of [5, '', {}, [], false]) {
			const answer = await ask(jwt({ user_id }, SECRET));
			assert.ok([401, 403].includes(answer.status), `${user_id}: ${answer.text}`);
		}
	});
	test('server that is not true never makes a server of a user', async () => {
		for (const claim of ['true', 1, {}, false, null])
			assertError(await ask(jwt({ server: claim, user_id: 'bob' }, SECRET)), 403, 17);
	});
});

describe('only canonical base64url', () => {
	const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

	test('unused bits of the last character', async () => {
		const token = jwt({ server: true }, SECRET);
		const last = ALPHABET.indexOf(token.at(-1));
		for (const bits of [1, 2, 3]) {
			const twin = token.slice(0, -1) + ALPHABET[last ^ bits];
			assert.deepEqual(Buffer.from(twin.split('.')[2], 'base64url'),
				Buffer.from(token.split('.')[2], 'base64url'));
			assertForged(await ask(twin));
		}
	});
	test('padding', async () => assertForged(await ask(`${jwt({ server: true }, SECRET)}=`)));
	test('the other alphabet', async () => {
		let token;
		for (let n = 0; !/[-_]/.test(token?.split('.')[2] ?? ''); n++)
			token = jwt({ server: true, n }, SECRET);
		const [head, claims, signature] = token.split('.');
		const other = signature.replaceAll('-', '+').replaceAll('_', '/');
		assertAccepted(await ask(token));
		assertForged(await ask(`${head}.${claims}.${other}`));
	});
	test('blanks inside', async () => {
		const token = jwt({ server: true }, SECRET);
		assertForged(await ask(`${token.slice(0, -4)} ${token.slice(-4)}`));
	});
	test('a token longer than any header may be', async () => {
		const answer = await ask(jwt({ server: true, pad: 'x'.repeat(20000) }, SECRET),
			{ check: false }).catch((error) => error);
		assert.ok(answer instanceof Error || answer.status === 404 ||
			(answer.status >= 400 && answer.status < 500), String(answer.status));
		assertAccepted(await ask());
	});
});

describe('user tokens', () => {
	const closed = [
		['POST', '/campaigns', {}], ['POST', '/campaigns/query', {}], ['GET', '/campaigns/c'],
		['PUT', '/campaigns/c', {}], ['DELETE', '/campaigns/c'],
		['POST', '/campaigns/c/start', {}], ['POST', '/campaigns/c/stop', {}],
		['POST', '/segments', { type: 'user' }], ['POST', '/segments/query', {}],
		['GET', '/segments/s'], ['PUT', '/segments/s', {}], ['DELETE', '/segments/s'],
		['POST', '/segments/s/addtargets', { target_ids: ['a'] }],
		['POST', '/segments/s/deletetargets', { target_ids: ['a'] }],
		['GET', '/segments/s/target/a'], ['POST', '/segments/s/targets/query', {}],
	];
	for (const { name, chat } of DIALECTS) {
		test(`${name}: 403 code 17 on every campaign and segment endpoint`, async () => {
			for (const [method, path, body] of closed) {
				const answer = await call(server, method, chat + path,
					{ token: userToken(server, 'bob'), body });
				assertError(answer, 403, 17);
			}
		});
	}

	test('open the own channels', async () => {
		const answer = await call(server, 'POST', '/channels', { token: userToken(server, 'bob'),
			query: { user_id: 'bob' },
			body: { filter_conditions: { members: { $in: ['bob'] } }, sort: [], limit: 5 } });
		assert.deepEqual(assertOk(answer, 201).channels, []);
	});

	test('revoked by revoke_tokens_issued_before: code 40, also without iat', async () => {
		const mine = (claims) => call(server, 'POST', '/channels', {
			token: jwt({ user_id: 'ann', ...claims }, SECRET),
			body: { filter_conditions: { members: { $in: ['ann'] } } } });

		assertOk(await mine({}), 201);
		assertOk(await api.patch('/users', { users: [{ id: 'ann', set: {
			revoke_tokens_issued_before: new Date(Date.now() - 30000).toISOString() } }] }), 200);
		assertError(await mine({}), 401, 40);
		assertError(await mine({ iat: now() - 60 }), 401, 40);
		assertOk(await mine({ iat: now() - 5 }), 201);
		assertOk(await call(server, 'POST', '/channels', { token: userToken(server, 'bob'),
			body: { filter_conditions: { members: { $in: ['bob'] } } } }), 201);
	});
});

describe('revoked for one user', () => {
	const mine = (id, claims) => call(server, 'POST', '/channels', {
		token: jwt({ user_id: id, ...claims }, SECRET),
		body: { filter_conditions: { members: { $in: [id] } } } });

	for (const { name, common } of DIALECTS) {
		test(`${name}: to the microsecond, until it is unset`, async () => {
			const id = `rev-${name}`;
			await makeUsers(api, [id]);
			const set = async (revoke_tokens_issued_before) => {
				const answer = await api.patch(`${common}/users`,
					{ users: [{ id, set: { revoke_tokens_issued_before } }] });
				return assertOk(answer, 200).users[id].revoke_tokens_issued_before;
			};
			const second = now() - 100;
			const at = (fraction) => new Date(second * 1000).toISOString().replace('.000Z', fraction);
			assert.ok(await set(at('.000000Z')));
			assertOk(await mine(id, { iat: second }), 201);
			assertOk(await mine(id, { iat: second + 0.5 }), 201);
			assertError(await mine(id, { iat: second - 1 }), 401, 40, /revoked/);
			await set(at('.000001Z'));
			assertError(await mine(id, { iat: second }), 401, 40);
			assertOk(await mine(id, { iat: second + 1 }), 201);
			for (const claims of [{}, { iat: null }, { iat: -1e300 }, { iat: 0, exp: now() + 60 }])
				assertError(await mine(id, claims), 401, 40);
			/* The server's token is no user's, whoever it acts for. */
			assertOk(await api.post('/channels', { user_id: id,
				filter_conditions: { members: { $in: [id] } } }), 201);
			assert.equal(await set(null), undefined);
			assertOk(await mine(id, {}), 201);
			await set(at('Z'));
			assertError(await mine(id, {}), 401, 40);
			assertOk(await api.patch(`${common}/users`,
				{ users: [{ id, unset: ['revoke_tokens_issued_before'] }] }), 200);
			assertOk(await mine(id, {}), 201);
			for (const bad of ['yesterday', {}, true, [], '2020-13-01T00:00:00Z'])
				assertError(await api.patch(`${common}/users`,
					{ users: [{ id, set: { revoke_tokens_issued_before: bad } }] }), 400, 4,
				/revoke_tokens_issued_before/);
		});
	}
	test('an upsert does not unset it', async () => {
		await makeUsers(api, ['rev-up']);
		const js = new StreamChat(KEY, SECRET, { baseURL: server.url });
		await js.revokeUserToken('rev-up');
		assertError(await mine('rev-up', { iat: now() - 5 }), 401, 40);
		await makeUsers(api, ['rev-up']);
		assertError(await mine('rev-up', { iat: now() - 5 }), 401, 40);
		assertOk(await mine('rev-up', { iat: now() + 2 }), 201);
		await js.revokeUsersToken(['rev-up', 'bob'], new Date(Date.now() - 60000));
		assertOk(await mine('rev-up', { iat: now() - 5 }), 201);
	});
});

describe('through the SDKs', () => {
	test('stream-chat: wrong secret, wrong key', async () => {
		const baseURL = server.url;
		await refused(new StreamChat(KEY, 'wrong', { baseURL }).queryCampaigns({}), 43);
		await refused(new StreamChat('wrong', SECRET, { baseURL }).queryCampaigns({}), 2);
	});
	test('node-sdk: wrong secret, wrong key', async () => {
		const basePath = server.url;
		await refused(new StreamClient(KEY, 'wrong', { basePath }).chat.queryCampaigns({}), 43);
		await refused(new StreamClient('wrong', SECRET, { basePath }).chat.queryCampaigns({}), 2);
	});
	test('a token made by node-sdk for a user', async () => {
		const token = new StreamClient(KEY, SECRET, { basePath: server.url })
			.generateUserToken({ user_id: 'bob' });
		assertError(await ask(token), 403, 17);
	});
});

test('GET /healthz asks for neither key nor token', async () => {
	const answer = await call(server, 'GET', '/healthz', { key: null, token: null, check: false });
	assert.equal(answer.status, 200);
});
