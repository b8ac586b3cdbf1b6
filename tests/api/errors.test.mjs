/* errors – what the server refuses, how it says so, and that nothing stays behind:
 * api.md §8 and the limits of §2, §6; I-28, I-30. */
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertAllRefused, assertError, assertOk, call, rawClient, serverToken } from './lib/clients.mjs';
import { ids, makeUsers } from './lib/fixtures.mjs';
import { Server } from './lib/server.mjs';

let server, api;
before(async () => {
	server = await Server.start();
	api = rawClient(server);
	await makeUsers(api, ['ann', 'bob']);
});
after(() => server.close());

/* Everything a client could have stored: must never grow in this file. */
async function stored() {
	const { users } = assertOk(await api.get('/users',
		{ payload: JSON.stringify({ filter_conditions: {}, limit: 100 }) }), 200);
	const { segments } = assertOk(await api.post('/segments/query', { limit: 100 }), 201);
	const { campaigns } = assertOk(await api.post('/campaigns/query', { limit: 100 }), 201);
	const { channels } = assertOk(await api.post('/channels',
		{ filter_conditions: {}, limit: 30 }), 201);
	const id = ({ id }) => id;
	return { users: users.map(id).sort(), segments: segments.map(id),
		campaigns: campaigns.map(id), channels: channels.map((state) => state.channel.cid) };
}
const NOTHING = { users: ['ann', 'bob'], segments: [], campaigns: [], channels: [] };

describe('routes', () => {
	test('an unknown route: 404 code 16', async () => {
		for (const path of ['/', '/campaign', '/campaigns/', '/campaigns/x/begin', '/api/v2',
			'/api/v2/campaigns', '/api/v2/chat/users', '/api/v3/users', '//campaigns/query',
			'/segments/a/b/c/d/e', '/%63ampaigns/x/nothing'])
			assertError(await api.get(path), 404, 16);
		assertError(await api.post('/nothing', { a: 1 }), 404, 16);
	});

	test('a known path with the wrong method: 405 code 4 and Allow', async () => {
		const cases = [
			['PATCH', '/campaigns/x', ['DELETE', 'GET', 'PUT']],
			['GET', '/campaigns/x/start', ['POST']],
			['POST', '/segments/x', ['DELETE', 'GET', 'PUT']],
			['PUT', '/segments/x/addtargets', ['POST']],
			['DELETE', '/users', ['GET', 'PATCH', 'POST']],
			['PATCH', '/messages/x', ['DELETE', 'GET', 'POST', 'PUT']],
			['PUT', '/channels/messaging/x', ['DELETE', 'GET', 'PATCH', 'POST']],
			['PATCH', '/channeltypes/x', ['DELETE', 'GET', 'PUT']],
		];
		for (const { chat, common } of DIALECTS) {
			for (const [method, path, allowed] of cases) {
				const prefix = path.startsWith('/users') ? common : chat;
				const answer = await call(server, method, prefix + path, { body: {} });
				assertError(answer, 405, 4);
				const allow = (answer.headers.allow ?? '').split(/\s*,\s*/);
				for (const one of allowed)
					assert.ok(allow.includes(one), `${method} ${path}: Allow: ${allow}`);
				assert.ok(!allow.includes(method), `${method} ${path}: Allow: ${allow}`);
			}
		}
	});

	test('paths that cannot be decoded are refused, never looked up', async () => {
		for (const path of ['/campaigns/%zz', '/campaigns/%', '/campaigns/%00', '/campaigns/%ff',
			'/campaigns/a%00b', '/segments/%c0%af/target/x']) {
			const answer = await api.get(path);
			assert.ok([400, 404].includes(answer.status), `${path}: ${answer.text}`);
		}
	});

	test('messages begin with the operation and name the id', async () => {
		const cases = [
			['GET', '/campaigns/c9', 'GetCampaign'], ['PUT', '/campaigns/c9', 'UpdateCampaign'],
			['DELETE', '/campaigns/c9', 'DeleteCampaign'],
			['POST', '/campaigns/c9/start', 'StartCampaign'],
			['POST', '/campaigns/c9/stop', 'StopCampaign'],
			['GET', '/segments/c9', 'GetSegment'], ['PUT', '/segments/c9', 'UpdateSegment'],
			['DELETE', '/segments/c9', 'DeleteSegment'],
			['POST', '/segments/c9/addtargets', 'AddSegmentTargets', { target_ids: ['bob'] }],
			['POST', '/segments/c9/deletetargets', 'DeleteSegmentTargets', { target_ids: ['bob'] }],
			['GET', '/segments/c9/target/bob', 'SegmentTargetExists'],
			['POST', '/segments/c9/targets/query', 'QuerySegmentTargets'],
		];
		for (const { chat } of DIALECTS) {
			for (const [method, path, operation, body = {}] of cases) {
				const answer = await call(server, method, chat + path,
					{ body: method === 'GET' ? undefined : body });
				assertError(answer, 404, 16, new RegExp(`^${operation} failed with error: "`));
				assert.match(answer.body.message, /c9/);
			}
			assertError(await call(server, 'GET', `${chat}/messages/m9`), 404, 16,
				/^GetMessage failed with error: "message with id m9 doesn't exist"$/);
		}
	});
});

describe('bodies that are no good JSON: 400 code 4', () => {
	const good = '"sender_id":"ann","message_template":{"text":"x"},"user_ids":["bob"]';
	const bytes = (...parts) => Buffer.concat(parts.map((part) => Buffer.from(part)));
	const cases = {
		'cut off': `{${good}`,
		'a stray comma': `{${good},}`,
		'single quotes': "{'sender_id':'ann'}",
		'text after the end': `{${good}} x`,
		'two values': `{${good}}{}`,
		'a comment': `{${good} /* c */}`,
		'NaN': `{${good},"x":NaN}`,
		'a number out of range': `{${good},"x":1e999}`,
		'an integer out of range': `{${good},"x":123456789012345678901234567890}`,
		'a leading zero': `{${good},"x":01}`,
		'a control character in a text': `{${good},"name":"a\nb"}`,
		'the same key twice': `{${good},"name":"a","name":"b"}`,
		'the same key twice, deep down':
			'{"sender_id":"ann","message_template":{"text":"x","text":"y"},"user_ids":["bob"]}',
		'the same key twice, once escaped': `{${good},"name":"a","n\\u0061me":"b"}`,
		'NUL in a text': `{${good},"name":"a\\u0000b"}`,
		'NUL in a key': `{${good},"a\\u0000b":1}`,
		'a raw NUL': bytes(`{${good},"name":"a`, [0], 'b"}'),
		'a lone high surrogate': `{${good},"name":"\\ud800"}`,
		'a lone low surrogate': `{${good},"name":"\\udc00x"}`,
		'surrogates in the wrong order': `{${good},"name":"\\udc00\\ud800"}`,
		'a bad escape': `{${good},"name":"\\x41"}`,
		'invalid UTF-8': bytes(`{${good},"name":"`, [0xff, 0xfe], '"}'),
		'a cut UTF-8 sequence': bytes(`{${good},"name":"`, [0xe2, 0x82], '"}'),
		'overlong UTF-8': bytes(`{${good},"name":"`, [0xc0, 0xaf], '"}'),
		'a surrogate in UTF-8': bytes(`{${good},"name":"`, [0xed, 0xa0, 0x80], '"}'),
		'beyond U+10FFFF': bytes(`{${good},"name":"`, [0xf4, 0x90, 0x80, 0x80], '"}'),
		'nesting of 100,000 levels': `{${good},"x":${'['.repeat(100000)}${']'.repeat(100000)}}`,
		'nesting that never closes': '['.repeat(100000),
		'a list': `[{${good}}]`,
		'a text': '"campaign"',
		'a number': '5',
		'true': 'true',
		'blanks only': '   ',
		'UTF-16': Buffer.from(`{${good}}`, 'utf16le'),
	};
	for (const [name, raw] of Object.entries(cases)) {
		test(name, async () => {
			for (const path of ['/campaigns', '/api/v2/chat/campaigns'])
				assertError(await call(server, 'POST', path, { raw }), 400, 4);
		});
	}

	test('the same on PUT and PATCH', async () => {
		assertError(await call(server, 'PATCH', '/users', { raw: '{"users":[' }), 400, 4);
		assertError(await call(server, 'PUT', '/segments/x', { raw: '{"name":"\\ud800"}' }), 400, 4);
	});
	test('nothing was stored', async () => assert.deepEqual(await stored(), NOTHING));
});

describe('what JSON may well be', () => {
	test('bodyless calls take nothing, null and {}', async () => {
		for (const raw of [undefined, '', 'null', '{}', ' { } ']) {
			assertOk(await call(server, 'POST', '/campaigns/query', { raw }), 201);
			assertOk(await call(server, 'POST', '/api/v2/chat/segments/query', { raw }), 201);
		}
	});
	test('an empty body with the content type of a form', async () =>
		assertError(await call(server, 'POST', '/campaigns/c9/stop', { raw: '',
			headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }), 404, 16));
	test('unknown fields are ignored, null is absent', async () => {
		const answer = await api.post('/segments', { id: 'odd', type: 'user', name: null,
			filter: null, all_users: null, description: null, colour: 'red', x: { y: [1] } });
		assert.equal(assertOk(answer, 201).segment.name, '');
		assertOk(await api.del('/segments/odd'), 200);
	});
	test('escapes, surrogate pairs and the whole of Unicode come back', async () => {
		const name = 'a"\\/\b\f\n\r\t é 漢 \u{1f600} \u2028\ufeff';
		const made = assertOk(await api.post('/segments', { id: 'uni', type: 'user', name }), 201);
		assert.equal(made.segment.name, name);
		const raw = '{"id":"uni2","type":"user","name":"\\ud83d\\ude00 \\u00e9"}';
		assert.equal(assertOk(await call(server, 'POST', '/segments', { raw }), 201).segment.name,
			'\u{1f600} é');
		assertOk(await api.del('/segments/uni'), 200);
		assertOk(await api.del('/segments/uni2'), 200);
	});
});

/* Sends text as it is on a connection of its own; gives what came back until ${enough}. */
function speak(text, enough = (got) => /\r\n\r\n[^]*\}\s*$/.test(got)) {
	return new Promise((resolve, reject) => {
		const socket = net.connect(server.port, '127.0.0.1');
		let got = '';
		const done = () => {
			socket.destroy();
			resolve(got);
		};
		socket.setTimeout(15000, () => reject(new Error(`no answer to ${text.slice(0, 200)}`)));
		socket.on('data', (data) => {
			got += data;
			if (enough(got))
				done();
		});
		socket.on('error', done); /* a reset after the answer is an answer, too */
		socket.on('close', done);
		socket.write(text);
	});
}

describe('size and framing', () => {
	const head = (method, path, more) => `${method} ${path}?api_key=${server.key} HTTP/1.1\r\n` +
		`Host: localhost\r\nAuthorization: ${serverToken(server)}\r\n` +
		`stream-auth-type: jwt\r\nContent-Type: application/json\r\n${more}\r\n\r\n`;

	test('a body that is announced too large: 413 code 22 before it is read', async () => {
		for (const path of ['/campaigns', '/users', '/segments/x/addtargets',
			'/api/v2/chat/segments', '/campaigns/x/start']) {
			const got = await speak(head('POST', path, 'Content-Length: 1000000000'));
			assert.match(got, /^HTTP\/1\.1 413 /, path);
			const body = JSON.parse(got.slice(got.indexOf('\r\n\r\n') + 4));
			assert.deepEqual([body.code, body.StatusCode], [22, 413]);
		}
	});

	/* Sends up to ${bytes} in chunks; gives the status, or the code of the broken connection. */
	const chunked = (path, bytes) => new Promise((resolve) => {
		const url = new URL(server.url);
		const req = http.request({ host: url.hostname, port: url.port, method: 'POST',
			path: `${path}?api_key=${server.key}`, agent: false,
			headers: { Authorization: serverToken(server), 'Transfer-Encoding': 'chunked' } });
		let over = false;
		const done = (result) => {
			over = true;
			resolve(result);
		};
		req.on('response', (res) => {
			res.resume();
			done(res.statusCode);
		});
		req.on('error', (error) => done(error.code));
		const piece = Buffer.alloc(65536, ' ');
		const more = () => {
			while (!over && bytes > 0) {
				bytes -= piece.length;
				if (!req.write(piece))
					return req.once('drain', more);
			}
			if (!over)
				req.end();
		};
		more();
	});
	test('a chunked body above the limit: 413', async () =>
		assert.equal(await chunked('/campaigns/x/stop', 600 * 1024), 413));
	test('a chunked body without end: 413, or the connection is cut', async () => {
		const end = await chunked('/campaigns', 512 * 1024 * 1024);
		assert.ok([413, 'ECONNRESET', 'EPIPE'].includes(end), `${end}`);
		assertError(await api.get('/campaigns/none'), 404, 16);
	});

	test('lengths that are no length', async () => {
		for (const length of ['99999999999999999999', '-1', '+5', '0x5', '5,5', 'five']) {
			const got = await speak(head('POST', '/campaigns/query', `Content-Length: ${length}`),
				(text) => text.includes('\r\n'));
			assert.match(got, /^HTTP\/1\.1 4(00|13) |^$/, `Content-Length: ${length}: ${got}`);
		}
	});

	test('two lengths, or a length and chunks, are never guessed', async () => {
		for (const more of ['Content-Length: 2\r\nContent-Length: 4',
			'Content-Length: 2\r\nTransfer-Encoding: chunked',
			'Transfer-Encoding: chunked, identity']) {
			const got = await speak(head('POST', '/campaigns/query', more) + '{}  ',
				(text) => text.includes('\r\n'));
			assert.match(got, /^HTTP\/1\.1 4\d\d |^$/, `${more}: ${got.slice(0, 100)}`);
		}
	});

	test('head lines larger than any client sends', async () => {
		const answer = await call(server, 'GET', `/campaigns/${'x'.repeat(60000)}`,
			{ check: false }).catch((error) => error);
		assert.ok(answer instanceof Error || (answer.status >= 400 && answer.status < 500));
		assertError(await api.get('/campaigns/none'), 404, 16);
	});

	test('garbage instead of HTTP does not hurt', async () => {
		for (const text of ['GET\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n',
			'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n'])
			assert.doesNotMatch(await speak(text, (got) => got.includes('\r\n')), /^HTTP\/1\.1 [23]/);
		assertError(await api.get('/campaigns/none'), 404, 16);
	});
	test('nothing was stored', async () => assert.deepEqual(await stored(), NOTHING));
});

/* One row: path of the field, values that are wrong for it.  undefined = left out. */
const TEXT = [5, 1.5, true, {}, [], ['x']];
const FLAG = ['true', 1, 0, {}, []];
const OBJECT = ['x', 5, true, [], [{}]];
const IDS = ['x', 5, {}, [5], [null], [{}], [true]];
const long = (n) => 'x'.repeat(n);

const SEGMENT = { base: { id: 's', type: 'user' }, rows: [
	['id', [...TEXT, long(256)]],
	['type', [undefined, null, 5, {}, [], true, '', 'users', 'Channel']],
	['name', [...TEXT, long(129)]],
	['description', [...TEXT, long(257)]],
	['filter', [...OBJECT, { $nope: [] }, { teams: { $regex: 'x' } }, { id: { $eq: {} } },
		{ created_at: { $gte: 'yesterday' } }, { $and: {} }, { $or: 'x' }, { banned: { $gt: true } }]],
	['all_users', FLAG],
	['all_sender_channels', [...FLAG, true]],
] };

const TEMPLATE = { text: 'x' };
const CHANNEL = { type: 'messaging' };
const CAMPAIGN = { base: { id: 'c', sender_id: 'ann', message_template: TEMPLATE,
	user_ids: ['bob'] }, rows: [
	['id', [...TEXT, long(256)]],
	['name', TEXT],
	['description', TEXT],
	['sender_id', [undefined, null, ...TEXT]],
	['sender_mode', [...TEXT, 'maybe', 'Exclude']],
	['sender_visibility', [...TEXT, 'shown']],
	['user_ids', [...IDS, ids('u', 10001)]],
	['segment_ids', [...IDS, ids('s', 26)]],
	['message_template', [undefined, null, ...OBJECT, {}]],
	['message_template.text', [undefined, null, ...TEXT]],
	['message_template.attachments', ['x', 5, {}, [5], ['x'], [null], [[]],
		Array(31).fill({ type: 'image' })]],
	['message_template.poll_id', TEXT],
	['message_template.custom', OBJECT],
	['message_template.searchable', FLAG],
	['show_channels', FLAG],
	['create_channels', [...FLAG, true]],
	['skip_push', FLAG],
	['skip_webhook', FLAG],
	['channel_template', [...OBJECT, {}]],
	['channel_template.type', [undefined, null, ...TEXT, '', long(65), 'a b', 'a:b']],
	['channel_template.id', TEXT],
	['channel_template.team', [...TEXT, long(1001)]],
	['channel_template.custom', OBJECT],
	['channel_template.members', [...IDS, ids('m', 1001)]],
	['channel_template.members_template', ['x', 5, {}, [5], ['x'], [null], [{}],
		ids('m', 1001).map((user_id) => ({ user_id }))]],
], context: { segment_ids: { user_ids: undefined }, 'channel_template.type':
	{ channel_template: CHANNEL }, 'channel_template.id': { channel_template: CHANNEL },
	'channel_template.team': { channel_template: CHANNEL },
	'channel_template.custom': { channel_template: CHANNEL },
	'channel_template.members': { channel_template: CHANNEL },
	'channel_template.members_template': { channel_template: CHANNEL } } };

/* Copies of ${table.base}, each wrong in one place: [field, value, body]. */
function* wrong(table) {
	for (const [field, values] of table.rows) {
		for (const value of values) {
			const body = structuredClone({ ...table.base, ...table.context?.[field] });
			const keys = field.split('.');
			let at = body;
			for (const key of keys.slice(0, -1))
				at = at[key];
			at[keys.at(-1)] = value;
			yield [field, value, body];
		}
	}
}

const show = (value) => (JSON.stringify(value) ?? 'absent').slice(0, 60);

describe('a field of the wrong kind: 400 code 4 that names it', () => {
	for (const { name, chat } of DIALECTS) {
		for (const [path, table] of [['/segments', SEGMENT], ['/campaigns', CAMPAIGN]]) {
			for (const [field] of table.rows) {
				test(`${name} POST ${path}: ${field}`, async () => {
					const mistakes = [];
					for (const [at, value, body] of wrong(table)) {
						if (at !== field)
							continue;
						const answer = await api.post(chat + path, body);
						const names = [field.split('.').at(-1), ...Object.keys(value ?? {}).slice(0, 1)];
						if (answer.status !== 400 || answer.body.code !== 4 ||
							!names.some((name) => answer.body.message.includes(name)))
							mistakes.push(`${show(value)} → ${answer.text.slice(0, 200)}`);
					}
					assert.deepEqual(mistakes, []);
				});
			}
		}
	}

	test('fields inside lists are named with their place', async () => {
		const answer = await api.post('/campaigns', { ...CAMPAIGN.base,
			user_ids: ['bob', 'ann', null] });
		assertError(answer, 400, 4, /user_ids\[2\].*null/);
		assertError(await api.post('/campaigns', { ...CAMPAIGN.base, user_ids: undefined,
			segment_ids: [null] }), 400, 4, /segment_ids\[0\].*null/);
	});

	for (const { name, common } of DIALECTS) {
		test(`${name} POST ${common}/users`, async () => {
			const user = (fields) => ({ users: { x: { id: 'x', ...fields } } });
			const bodies = [{}, { users: 'x' }, { users: ['x'] }, { users: { x: 5 } },
				{ users: { x: null } }, { users: { x: 'x' } }, { users: { x: {} } },
				{ users: Object.fromEntries(ids('x', 101).map((id) => [id, { id }])) },
				...['', 'a b', 'a.b', 'a/b', 'ü', 'a:b', long(256), 5, {}, null]
					.map((id) => user({ id })),
				...TEXT.flatMap((value) => [user({ name: value }), user({ image: value }),
					user({ role: value }), user({ language: value })]),
				...IDS.map((value) => user({ teams: value })),
				user({ teams: ids('t', 251) }), user({ teams: [long(101)] }),
				...OBJECT.flatMap((value) => [user({ teams_role: value }),
					user({ privacy_settings: value })]),
				...[{ red: 5 }, { red: null }, { red: '' }, { red: long(101) }, { '': 'x' },
					{ [long(101)]: 'x' }, Object.fromEntries(ids('t', 251).map((id) => [id, 'x']))]
					.map((value) => user({ teams_role: value })),
				...[{ read_receipts: 5 }, { typing_indicators: { enabled: 'x' } },
					{ delivery_receipts: [] }].map((value) => user({ privacy_settings: value })),
				...FLAG.map((value) => user({ invisible: value })),
				user(common ? { custom: { big: long(6000) } } : { big: long(6000) }),
				...(common ? OBJECT.map((value) => user({ custom: value })) : [])];
			await assertAllRefused(bodies, (body) => api.post(`${common}/users`, body));
		});

		test(`${name} PATCH and POST delete of ${common}/users`, async () => {
			await assertAllRefused([{}, { users: 'x' }, { users: {} }, { users: [5] },
				{ users: [{}] }, { users: [{ id: 5 }] }, { users: [{ id: 'ann', set: 'x' }] },
				{ users: [{ id: 'ann', unset: 'x' }] }, { users: [{ id: 'ann', unset: [5] }] },
				{ users: [{ id: 'ann', set: { name: 5 } }] },
				{ users: ids('x', 101).map((id) => ({ id, set: {} })) }],
			(body) => api.patch(`${common}/users`, body));
			await assertAllRefused([{}, { user_ids: [] }, { user_ids: 'ann' }, { user_ids: [5] },
				{ user_ids: ids('x', 101) }, { user_ids: ['ann'], user: 'gently' },
				{ user_ids: ['ann'], user: 5 }, { user_ids: ['ann'], messages: 5 },
				{ user_ids: ['ann'], messages: 'softly' },
				{ user_ids: ['ann'], conversations: 'pruning' }],
			async (body) => {
				const answer = await api.post(`${common}/users/delete`, body);
				await makeUsers(api, ['ann']);
				return answer;
			});
		});

		test(`${name} GET ${common}/users?payload=`, async () => {
			const payloads = ['x', '5', '[]', { filter_conditions: 'x' }, { limit: 101 },
				{ limit: -1 }, { limit: '5' }, { limit: 1.5 }, { offset: -1 }, { offset: 1001 },
				{ sort: 'x' }, { sort: [5] }, { sort: [{ field: 5 }] },
				{ sort: [{ field: 'id', direction: 2 }] }, { filter_conditions: { $not: {} } },
				{ filter_conditions: { id: { $contains: 'x' } } },
				{ filter_conditions: { created_at: 'now' } }];
			await assertAllRefused(payloads, (payload) => api.get(`${common}/users`, { payload:
				typeof payload === 'string' ? payload
					: JSON.stringify({ filter_conditions: {}, ...payload }) }));
		});
	}

	for (const { name, chat } of DIALECTS) {
		test(`${name} targets`, async () => {
			assertOk(await api.post(`${chat}/segments`, { id: 'list', type: 'user' }), 201);
			try {
				for (const verb of ['addtargets', 'deletetargets'])
					await assertAllRefused([undefined, null, [], ...IDS, ids('t', 10001)],
						(target_ids) => api.post(`${chat}/segments/list/${verb}`, { target_ids }),
						/target_ids/);
				assert.equal(assertOk(await api.get(`${chat}/segments/list`), 200).segment.size, 0);
			} finally {
				assertOk(await api.del(`${chat}/segments/list`), 200);
			}
		});

		test(`${name} queries`, async () => {
			assertOk(await api.post(`${chat}/segments`, { id: 'list', type: 'user' }), 201);
			const bad = [{ limit: -1 }, { limit: 'x' }, { limit: 1.5 }, { limit: 2 ** 40 },
				{ sort: 'x' }, { sort: {} }, { sort: [5] }, { sort: [{}] }, { sort: [{ field: 5 }] },
				{ sort: [{ field: 'nothing' }] }, { filter: 'x' }, { filter: [] },
				{ filter: { nothing: 1 } }, { filter: { $nothing: [] } }, { next: 5 }, { prev: {} },
				{ next: 'x' }, { prev: 'bm90IGEgY3Vyc29y' }];
			const special = {
				'/campaigns/query': [{ limit: 101 }, { user_limit: 1001 }, { user_limit: -1 },
					{ sort: [{ field: 'segments' }] }, { sort: [{ field: 'id', direction: 0 }] },
					{ filter: { segments: { $gt: 'x' } } }, { filter: { status: { $ne: 'draft' } } },
					{ filter: { created_at: { $gt: 'noon' } } }, { filter: { id: { $in: 'x' } } }],
				'/segments/query': [{ limit: 101 }, { filter: { type: { $gt: 'user' } } },
					{ filter: { all_users: { $eq: 'yes' } } }, { sort: [{ field: 'size' }] }],
				'/segments/list/targets/query': [{ limit: 10001 }, { filter: { id: 'x' } },
					{ filter: { target_id: { $exists: true } } }, { sort: [{ field: 'created_at' }] }],
			};
			try {
				for (const [path, more] of Object.entries(special))
					await assertAllRefused([...bad, ...more], (body) => api.post(chat + path, body));
			} finally {
				assertOk(await api.del(`${chat}/segments/list`), 200);
			}
		});

		test(`${name} channels`, async () => {
			const create = `${chat}/channels/messaging/x/query`;
			const data = (fields) => ({ data: { created_by_id: 'ann', ...fields } });
			const bodies = [{ data: 'x' }, { data: [] }, data({ members: 'x' }),
				data({ members: [5] }), data({ members: [{}] }), data({ members: [null] }),
				data({ created_by_id: 5 }), data({ frozen: 'x' }),
				{ ...data({}), messages: 'x' }, { ...data({}), messages: { limit: 301 } }];
			await assertAllRefused(bodies, (body) => api.post(create, body));
			const orphan = await api.post(create, {});
			assertError(orphan, 400, 4);
			assert.equal(orphan.body.message, 'GetOrCreateChannel failed with error: "either ' +
				'data.created_by or data.created_by_id must be provided when using server ' +
				'side auth."');
			await assertAllRefused(['a%20b', 'a:b', 'a.b', '%C3%BC', 'a%2Fb', 'x'.repeat(65), '!mine'],
				(id) => api.post(`${chat}/channels/messaging/${id}/query`, data({})));
			assertError(await api.post(`${chat}/channels/messaging/query`, data({})), 400, 4,
				/members/);
			await assertAllRefused([{ limit: 31 }, { limit: -1 }, { limit: 'x' }, { offset: 1001 },
				{ offset: -1 }, { message_limit: 301 }, { member_limit: 101 },
				{ filter_conditions: 'x' }, { filter_conditions: { members: { $gt: 'x' } } },
				{ sort: 'x' }, { sort: Array(6).fill({ field: 'created_at' }) },
				{ sort: [{ field: 'created_at', direction: 0 }] }, { limit: 30, message_limit: 101 }],
			(body) => api.post(`${chat}/channels`, { filter_conditions: {}, ...body }));
		});
	}
	test('nothing was stored', async () => assert.deepEqual(await stored(), NOTHING));
});
