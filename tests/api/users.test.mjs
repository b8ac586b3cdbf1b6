/* users – upsert, partial update, query, delete in both dialects: api.md §6.1. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertError, assertOk, call, refused } from './lib/clients.mjs';
import { ids, makeUsers, startServer } from './lib/fixtures.mjs';
import { until } from './lib/wait.mjs';

let server, api, js, node;
before(async () => {
	({ server, api, js, node } = await startServer());
});
after(() => server.close());

const query = async (common, filter_conditions, options = {}) => assertOk(
	await api.get(`${common}/users`, { payload: JSON.stringify({ filter_conditions, ...options }) }),
	200).users;
const idsOf = (users) => users.map(({ id }) => id);

/* What every user object of an answer has (api.md §6.1). */
function assertFullUser(user, v2) {
	const told = JSON.stringify(user);
	for (const key of ['id', 'role', 'language'])
		assert.equal(typeof user[key], 'string', `${key}: ${told}`);
	for (const key of ['banned', 'online', 'invisible', 'shadow_banned'])
		assert.equal(typeof user[key], 'boolean', `${key}: ${told}`);
	for (const key of ['teams', 'blocked_user_ids', 'channel_mutes', 'devices', 'mutes'])
		assert.ok(Array.isArray(user[key]), `${key}: ${told}`);
	for (const key of ['total_unread_count', 'unread_channels', 'unread_count', 'unread_threads'])
		assert.equal(typeof user[key], 'number', `${key}: ${told}`);
	for (const key of ['created_at', 'updated_at'])
		assert.ok(user[key], `${key}: ${told}`);
	if (v2)
		assert.equal(typeof user.custom, 'object', told);
}

describe('stream-chat', () => {
	test('upsertUsers: every id comes back, custom fields flat', async () => {
		const answer = await js.upsertUsers([
			{ id: 'js-a', name: 'Ann', country: 'USA', age: 41, tags: ['x', { y: null }] },
			{ id: 'js_b@x', role: 'admin', image: 'https://x/y.png', language: 'de',
				teams: ['red', 'blue'], invisible: true },
		]);
		assert.deepEqual(Object.keys(answer.users).sort(), ['js-a', 'js_b@x']);
		assert.equal(answer.membership_deletion_task_id, '');
		const a = answer.users['js-a'];
		assertFullUser(a, false);
		assert.equal(a.role, 'user');
		assert.equal(a.name, 'Ann');
		assert.equal(a.country, 'USA');
		assert.deepEqual(a.tags, ['x', { y: null }]);
		const b = answer.users['js_b@x'];
		assert.deepEqual([b.role, b.image, b.language, b.teams, b.invisible],
			['admin', 'https://x/y.png', 'de', ['red', 'blue'], true]);
		assert.ok(!('name' in b) || b.name === '');
	});

	test('an upsert replaces: what is not sent again is gone', async () => {
		await js.upsertUser({ id: 'js-r', name: 'R', country: 'USA', teams: ['red'] });
		const { users: first } = await js.upsertUser({ id: 'js-r', plan: 'free' });
		const user = first['js-r'];
		assert.deepEqual([user.name ?? '', user.country, user.plan, user.teams],
			['', undefined, 'free', []]);
		const { users } = await js.queryUsers({ id: 'js-r' });
		assert.equal(users[0].country, undefined);
		assert.equal(users[0].plan, 'free');
	});

	test('every field comes back, in both dialects', async () => {
		const privacy_settings = { typing_indicators: { enabled: false },
			read_receipts: { enabled: true }, delivery_receipts: { enabled: false } };
		const whole = { id: 'whole', name: 'W', image: 'https://x/y.png', role: 'admin', language: 'de',
			teams: ['red', 'blue'], teams_role: { red: 'admin', blue: 'user' }, invisible: true,
			privacy_settings };
		for (const { common } of DIALECTS) {
			const custom = { country: 'USA', deep: { a: [1, 2.5, null, { b: true }] } };
			const body = common ? { ...whole, custom } : { ...whole, ...custom };
			const { users } = assertOk(await api.post(`${common}/users`, { users: { whole: body } }), 201);
			for (const user of [users.whole, ...await query(common, { id: 'whole' })]) {
				assertFullUser(user, Boolean(common));
				for (const [key, value] of Object.entries(body))
					assert.deepEqual(user[key], value, key);
			}
			/* And all of it goes with the next upsert. */
			const { users: bare } = assertOk(await api.post(`${common}/users`,
				{ users: { whole: { id: 'whole', role: '', teams: [], teams_role: null } } }), 201);
			const { role, language, teams, invisible, teams_role, privacy_settings: privacy, name, image,
				country } = bare.whole;
			assert.deepEqual([role, language, teams, invisible, teams_role, privacy, name, image, country],
				['user', '', [], false, ...Array(5).fill(undefined)]);
		}
	});

	test('what only the server says is ignored', async () => {
		const { users } = await js.upsertUser({ id: 'liar', banned: true, online: true,
			created_at: '2001-01-01T00:00:00Z', deleted_at: 'x', deactivated_at: {}, unread_count: 7,
			devices: [{ id: 'x' }], revoke_tokens_issued_before: '2030-01-01T00:00:00Z' });
		const { created_at, ...user } = users.liar;
		assert.ok(Math.abs(new Date(created_at) - Date.now()) < 60000);
		assert.deepEqual([user.banned, user.online, user.unread_count, user.devices, user.deleted_at,
			user.deactivated_at, user.revoke_tokens_issued_before], [false, false, 0, [],
			undefined, undefined, undefined]);
	});

	test('created_at stays, updated_at moves', async () => {
		const { users: one } = await js.upsertUser({ id: 'js-t' });
		const { users: two } = await js.upsertUser({ id: 'js-t', x: 1 });
		assert.equal(two['js-t'].created_at, one['js-t'].created_at);
		assert.ok(two['js-t'].updated_at > one['js-t'].updated_at);
	});

	test('partialUpdateUser: set and unset, dotted paths', async () => {
		await js.upsertUser({ id: 'js-p', name: 'P', country: 'USA',
			address: { city: 'Rome', zip: '1' }, old: 1 });
		const { users } = await js.partialUpdateUser({ id: 'js-p',
			set: { country: 'Italy', 'address.city': 'Milan', 'address.street': 'Via', role: 'admin' },
			unset: ['old', 'address.zip'] });
		const user = users['js-p'];
		assert.deepEqual([user.name, user.country, user.role, 'old' in user],
			['P', 'Italy', 'admin', false]);
		assert.deepEqual(user.address, { city: 'Milan', street: 'Via' });
		await js.partialUpdateUser({ id: 'js-p', unset: ['name', 'address'] });
		const [again] = (await js.queryUsers({ id: 'js-p' })).users;
		assert.deepEqual([again.name ?? '', 'address' in again, again.country],
			['', false, 'Italy']);
	});

	test('dotted paths reach into fields, too; null takes away', async () => {
		await js.upsertUser({ id: 'js-dots', name: 'D', role: 'admin', teams: ['red'], a: { b: { c: 1, d: 2 } },
			privacy_settings: { read_receipts: { enabled: true } }, teams_role: { red: 'user' } });
		const change = async (update) => (await js.partialUpdateUser({ id: 'js-dots', ...update }))
			.users['js-dots'];
		const one = await change({ set: { 'privacy_settings.read_receipts.enabled': false,
			'privacy_settings.typing_indicators': { enabled: false }, 'teams_role.blue': 'admin',
			'a.b.c': null, 'a.x.y.z': [1], name: null, teams: ['blue', 'green'] } });
		assert.deepEqual(one.privacy_settings, { read_receipts: { enabled: false },
			typing_indicators: { enabled: false } });
		assert.deepEqual(one.teams_role, { red: 'user', blue: 'admin' });
		assert.deepEqual(one.a, { b: { c: null, d: 2 }, x: { y: { z: [1] } } });
		assert.deepEqual([one.name, one.teams], [undefined, ['blue', 'green']]);
		const two = await change({ unset: ['role', 'privacy_settings.read_receipts', 'a.b', 'nothing',
			'nothing.there', 'teams_role', 'teams'], set: { id: 'js-dots', invisible: true } });
		assert.deepEqual([two.role, two.privacy_settings, two.a, two.teams_role, two.teams, two.invisible],
			['user', { typing_indicators: { enabled: false } }, { x: { y: { z: [1] } } }, undefined, [], true]);
		const none = await change({});
		assert.deepEqual({ ...none, updated_at: 0 }, { ...two, updated_at: 0 });
		for (const update of [{ set: { id: 'other' } }, { unset: ['id'] }, { set: { 'a..b': 1 } },
			{ set: { '.a': 1 } }, { unset: ['a.'] }, { set: { 'a.x.y.z.q': 1 } }, { set: { 'name.x': 1 } },
			{ set: { 'teams.0': 'x' } }, { set: { 'a.b.c.d.e.f.g.h.i': 1 } },
			{ set: { 'privacy_settings.read_receipts.enabled': 'no' } }, { set: { 'teams_role.red': 5 } },
			{ set: { big: 'x'.repeat(5200) } }, { set: { teams: ids('t', 251) } }])
			assertError(await api.patch('/users', { users: [{ id: 'js-dots', ...update }] }), 400, 4,
				/users\[0\]/);
		const [after] = await query('', { id: 'js-dots' });
		assert.deepEqual(after, none);
	});

	test('the same user twice in one call: one after the other', async () => {
		await js.upsertUser({ id: 'js-twice', n: 1 });
		const { users } = await js.partialUpdateUsers([{ id: 'js-twice', set: { n: 2, m: 1 } },
			{ id: 'js-twice', set: { n: 3 } }]);
		assert.deepEqual([users['js-twice'].n, users['js-twice'].m], [3, 1]);
	});

	test('partialUpdateUsers is all or nothing; an unknown user: code 16', async () => {
		await js.upsertUser({ id: 'js-q', n: 1 });
		await refused(js.partialUpdateUsers([{ id: 'js-q', set: { n: 2 } },
			{ id: 'js-nobody', set: { n: 2 } }]), 16, /js-nobody/);
		assert.equal((await js.queryUsers({ id: 'js-q' })).users[0].n, 1);
	});

	test('deleteUsers and deleteUser', async () => {
		await js.upsertUsers([{ id: 'js-d1' }, { id: 'js-d2' }, { id: 'js-d3' }]);
		const task = await js.deleteUsers(['js-d1', 'js-d2'], { user: 'soft' });
		assert.match(task.task_id, /./);
		assert.deepEqual(idsOf((await js.queryUsers({ id: { $in: ['js-d1', 'js-d2', 'js-d3'] } }))
			.users), ['js-d3']);
		const gone = await api.del('/users/js-d3');
		if (gone.status !== 404) {
			assert.equal(assertOk(gone, 200).user.id, 'js-d3');
			assert.deepEqual((await js.queryUsers({ id: 'js-d3' })).users, []);
		}
	});

	test('the task of a deletion completes', async () => {
		await js.upsertUser({ id: 'js-task' });
		const { task_id } = await js.deleteUsers(['js-task'], { user: 'hard', messages: 'hard',
			conversations: 'hard' });
		const task = await until('the task has completed', async () => {
			const found = await js.getTask(task_id);
			assert.ok(['waiting', 'running', 'completed'].includes(found.status), found.status);
			return found.status === 'completed' && found;
		});
		assert.equal(task.task_id, task_id);
		await refused(js.getTask('no-such-task'), 16);
	});

	test('deleting an unknown user: code 16 that names it', () =>
		refused(js.deleteUsers(['js-never'], {}), 16, /js-never/));

	test('a user created again after deletion starts afresh', async () => {
		await js.upsertUser({ id: 'js-again', name: 'Old', country: 'USA' });
		await js.deleteUsers(['js-again'], { user: 'soft' });
		await js.upsertUser({ id: 'js-again' });
		const [user] = (await js.queryUsers({ id: 'js-again' })).users;
		assert.deepEqual([user.name ?? '', user.country, user.deleted_at ?? null],
			['', undefined, null]);
	});
});

describe('node-sdk', () => {
	test('upsertUsers: custom nested, times are numbers on the wire', async () => {
		const { users } = await node.upsertUsers([{ id: 'n-a', name: 'Ann', role: 'user',
			custom: { country: 'USA', deep: { a: [1, 2.5, null] } } }]);
		const user = users['n-a'];
		assertFullUser(user, true);
		assert.deepEqual(user.custom, { country: 'USA', deep: { a: [1, 2.5, null] } });
		assert.ok(user.created_at instanceof Date);
		assert.ok(Math.abs(user.created_at - Date.now()) < 60000);
	});

	test('the same user seen from both dialects', async () => {
		await node.upsertUsers([{ id: 'n-both', name: 'B', custom: { country: 'USA' } }]);
		const [flat] = (await js.queryUsers({ id: 'n-both' })).users;
		assert.equal(flat.country, 'USA');
		await js.partialUpdateUser({ id: 'n-both', set: { age: 3 } });
		const { users } = await node.queryUsers({ payload:
			{ filter_conditions: { id: { $eq: 'n-both' } } } });
		assert.deepEqual(users[0].custom, { country: 'USA', age: 3 });
		assertFullUser(users[0], true);
	});

	test('updateUsersPartial and deleteUsers', async () => {
		await node.upsertUsers([{ id: 'n-p', custom: { a: 1, b: 2 } }]);
		const { users } = await node.updateUsersPartial({ users: [{ id: 'n-p',
			set: { name: 'N' }, unset: [] }] });
		assert.equal(users['n-p'].name, 'N');
		assert.deepEqual(users['n-p'].custom, { a: 1, b: 2 });
		const { task_id } = await node.deleteUsers({ user_ids: ['n-p'], user: 'hard' });
		assert.match(task_id, /./);
		assert.deepEqual((await node.queryUsers({ payload:
			{ filter_conditions: { id: { $eq: 'n-p' } } } })).users, []);
	});
});

describe('limits', () => {
	test('100 users in one call, ids of 255 characters', async () => {
		const long = 'i'.repeat(255);
		await js.upsertUsers([...ids('lim', 99).map((id) => ({ id })), { id: long }]);
		assert.deepEqual(idsOf((await js.queryUsers({ id: long })).users), [long]);
		assert.equal((await js.queryUsers({ id: { $autocomplete: 'lim' } }, { id: 1 },
			{ limit: 100 })).users.length, 99);
	});
	test('all or nothing: one bad user stores none', async () => {
		assertError(await api.post('/users', { users: { 'lim-ok': { id: 'lim-ok' },
			'lim-bad': { id: 'lim bad' } } }), 400, 4, /id/);
		assert.deepEqual(await query('', { id: 'lim-ok' }), []);
	});
	test('custom data of up to 5 KB', async () => {
		await js.upsertUser({ id: 'lim-big', big: 'x'.repeat(4500) });
		await refused(js.upsertUser({ id: 'lim-big', big: 'x'.repeat(5200) }), 4);
		assert.equal((await js.queryUsers({ id: 'lim-big' })).users[0].big.length, 4500);
	});
});

describe('import', () => {
	const post = (lines) => call(server, 'POST', '/users/import', { raw: lines.join('\n') });
	test('many lines: counts, bad lines by number, the last of equal ids counts', async () => {
		const lines = ids('im', 12000).map((id) => JSON.stringify({ id, n: 1 }));
		lines.push(JSON.stringify({ id: 'im00003', n: 2 }), '', JSON.stringify({ id: 'a b' }));
		lines[5000] = '{"id":';
		const answer = assertOk(await post(lines), 201);
		assert.equal(answer.imported, 12000);
		assert.equal(answer.failed_count, 2);
		assert.deepEqual(answer.failed.map(({ line }) => line), [5001, 12003]);
		const { users } = await js.queryUsers(
			{ id: { $in: ['im00003', 'im04999', 'im05000', 'im11999'] } }, [{ id: 1 }]);
		assert.deepEqual(users.map(({ id, n }) => [id, n]),
			[['im00003', 2], ['im04999', 1], ['im11999', 1]]);
	});
	test('exactly a slice, and nothing', async () => {
		const lines = ids('sl', 5000).map((id) => JSON.stringify({ id }));
		assert.equal(assertOk(await post(lines), 201).imported, 5000);
		assertError(await post(['', '']), 400, 4, /one JSON object per line/);
	});
});

describe('query', () => {
	const people = [
		{ id: 'q0', name: 'Ann Lee', role: 'admin', teams: ['red'], language: 'en', country: 'USA',
			age: 20, vip: true, address: { city: 'Rome' } },
		{ id: 'q1', name: 'Bob', teams: ['red', 'blue'], language: 'de', country: 'USA', age: 30 },
		{ id: 'q2', name: 'Carl', country: 'Italy', age: 40, team: 'red', vip: false,
			email: 'c@x.org', username: 'carl' },
		{ id: 'q3', country: 'italy', age: '40', tags: ['a', 'b'] },
		{ id: 'q4', name: 'ann', age: 40.5 },
	];
	before(async () => {
		for (const user of people) /* one by one: created_at must differ */
			await makeUsers(api, [user]);
	});

	const mine = { id: { $in: people.map(({ id }) => id) } };
	const cases = [
		[{ id: 'q1' }, 'q1'],
		[{ id: { $eq: 'q1' } }, 'q1'],
		[{ id: { $gt: 'q2' } }, 'q3 q4'],
		[{ id: { $gte: 'q2', $lt: 'q4' } }, 'q2 q3'],
		[{ id: { $lte: 'q0' } }, 'q0'],
		[{ id: { $ne: 'q0' } }, 'q1 q2 q3 q4'],
		[{ id: { $nin: ['q0', 'q4'] } }, 'q1 q2 q3'],
		[{ id: { $in: [] } }, ''],
		[{ id: { $autocomplete: 'q' } }, 'q0 q1 q2 q3 q4'],
		[{ name: { $exists: false } }, 'q3'],
		[{ name: { $autocomplete: 'ann' } }, 'q0 q4'],
		[{ name: 'Bob' }, 'q1'],
		[{ role: 'admin' }, 'q0'],
		[{ role: { $in: ['user'] } }, 'q1 q2 q3 q4'],
		[{ teams: { $contains: 'red' } }, 'q0 q1'],
		[{ teams: { $in: ['blue', 'green'] } }, 'q1'],
		[{ team: 'red' }, 'q0 q1 q2'],
		[{ banned: false }, 'q0 q1 q2 q3 q4'],
		[{ banned: true }, ''],
		[{ language: 'de' }, 'q1'],
		[{ country: 'USA' }, 'q0 q1'],
		[{ country: { $in: ['USA', 'Italy'] } }, 'q0 q1 q2'],
		[{ country: { $exists: true } }, 'q0 q1 q2 q3'],
		[{ age: { $gt: 20 } }, 'q1 q2 q4'],
		[{ age: { $gte: 40 } }, 'q2 q4'],
		[{ age: 40 }, 'q2'],
		[{ age: '40' }, 'q3'],
		[{ vip: true }, 'q0'],
		[{ vip: false }, 'q2'],
		[{ tags: { $contains: 'b' } }, 'q3'],
		[{ email: 'c@x.org' }, 'q2'],
		[{ created_at: { $gte: '2020-01-01T00:00:00Z' } }, 'q0 q1 q2 q3 q4'],
		[{ created_at: { $lt: '2020-01-01T00:00:00+00:00' } }, ''],
		[{ $or: [{ id: 'q0' }, { age: 30 }] }, 'q0 q1'],
		[{ $and: [{ country: 'USA' }, { age: { $lt: 25 } }] }, 'q0'],
		[{ $nor: [{ country: 'USA' }, { name: 'Carl' }] }, 'q3 q4'],
		[{ country: 'USA', language: 'de' }, 'q1'],
		[{ "it's; --": 'x' }, ''],
		[{ name: "'; DROP TABLE users; --" }, ''],
		[{ name: { $autocomplete: '%' } }, ''],
	];
	for (const { name, common } of DIALECTS) {
		test(`${name}: filters`, async () => {
			for (const [filter, expected] of cases) {
				const found = await query(common, { $and: [mine, filter] },
					{ sort: [{ field: 'id', direction: 1 }] });
				assert.equal(idsOf(found).join(' '), expected, JSON.stringify(filter));
			}
		});

		test(`${name}: order and pages`, async () => {
			const order = async (sort, more = {}) =>
				idsOf(await query(common, mine, { sort, ...more })).join(' ');
			assert.equal(await order(undefined), 'q4 q3 q2 q1 q0');
			assert.equal(await order([]), 'q4 q3 q2 q1 q0');
			assert.equal(await order([{ field: 'created_at', direction: 1 }]), 'q0 q1 q2 q3 q4');
			assert.equal(await order([{ field: 'id', direction: -1 }]), 'q4 q3 q2 q1 q0');
			assert.equal(await order([{ field: 'id' }]), 'q0 q1 q2 q3 q4');
			assert.equal(await order([{ field: 'id' }], { limit: 2 }), 'q0 q1');
			assert.equal(await order([{ field: 'id' }], { limit: 2, offset: 3 }), 'q3 q4');
			assert.equal(await order([{ field: 'id' }], { offset: 5 }), '');
		});
	}

	/* api.md §6.1, the table: what stands there is taken, what does not is refused. */
	const SCALAR = ['$eq', '$exists', '$gt', '$gte', '$in', '$lt', '$lte'];
	const TABLE = {
		id: [...SCALAR, '$autocomplete', '$ne', '$nin'], name: [...SCALAR, '$autocomplete'],
		username: ['$autocomplete', '$eq'], email: ['$eq', '$in'], role: SCALAR,
		teams: ['$contains', '$eq', '$in'], banned: ['$eq', '$ne'], shadow_banned: ['$eq', '$ne'],
		bypass_moderation: ['$eq', '$ne'], language: ['$eq'], created_at: SCALAR, updated_at: SCALAR,
		last_active: SCALAR, anything: [...SCALAR, '$contains'], 'any.thing': [...SCALAR, '$contains'],
	};
	const OPERATORS = [...SCALAR, '$ne', '$nin', '$contains', '$autocomplete', '$q', '$regex', '$not'];
	const operand = (field, op) => {
		const one = /_at$|active/.test(field) ? '2027-01-01T00:00:00Z'
			: /banned|bypass/.test(field) ? true : 'x';
		if (op === '$exists')
			return true;
		return op === '$in' || op === '$nin' || (field === 'teams' && op === '$eq') ? [one] : one;
	};
	for (const { name, common } of DIALECTS) {
		test(`${name}: each field takes its operators and no others`, async () => {
			const wrong = [];
			for (const [field, allowed] of Object.entries(TABLE)) {
				for (const op of OPERATORS) {
					const filter = { [field]: { [op]: operand(field, op) } };
					const answer = await api.get(`${common}/users`,
						{ payload: JSON.stringify({ filter_conditions: filter }) });
					const [status, code] = allowed.includes(op) ? [200, undefined] : [400, 4];
					if (answer.status !== status || answer.body.code !== code ||
						(code && !answer.body.message.includes(field)))
						wrong.push(`${JSON.stringify(filter)} → ${answer.text.slice(0, 150)}`);
				}
			}
			assert.deepEqual(wrong, []);
		});

		test(`${name}: corners of the payload`, async () => {
			const ask = async (payload) => assertOk(await api.get(`${common}/users`,
				payload === undefined ? {} : { payload }), 200).users;
			const all = await ask();
			assert.equal(all.length, 30);
			for (const payload of ['', 'null', '{}', '{"filter_conditions":null,"sort":null,"limit":null,' +
				'"offset":null,"presence":null,"user_id":null,"include_deactivated_users":null}',
			'{"limit":0,"sort":[],"filter_conditions":{},"presence":false,"user_id":"q0","x":1}'])
				assert.deepEqual(idsOf(await ask(payload)), idsOf(all), payload);
			const mineBy = async (more) => idsOf(await query(common, mine,
				{ sort: [{ field: 'id' }], ...more })).join(' ');
			assert.equal(await mineBy({ id_gt: 'q1' }), 'q2 q3 q4');
			assert.equal(await mineBy({ id_gte: 'q1', id_lt: 'q3' }), 'q1 q2');
			assert.equal(await mineBy({ id_lte: 'q1', limit: 1 }), 'q0');
			assert.equal(await mineBy({ id_lte: 'q1', offset: 1 }), 'q1');
			assert.equal(await mineBy({ sort: [{ field: 'country', direction: -1 }, { field: 'id',
				direction: -1, type: '' }] }), 'q3 q1 q0 q2 q4');
			for (const bad of ['[', '{"a":1}{}', '{"limit":1,"limit":2}', { id_lt: 5 }, { id_gt: {} },
				{ presence: 'yes' }, { include_deactivated_users: 1 }, { user_id: 5 }, { limit: 101 },
				{ sort: Array(6).fill({ field: 'id' }) }, { sort: [{ field: 'teams' }] }, { sort: [{}] },
				{ sort: { id: 1 } }, { filter_conditions: { $or: [] } }, { filter_conditions: { id: {} } },
				{ filter_conditions: { $and: [5] } }, { filter_conditions: { '': 1 } }])
				assertError(await api.get(`${common}/users`,
					{ payload: typeof bad === 'string' ? bad : JSON.stringify(bad) }), 400, 4);
		});
	}

	test('users of the default page: 30, the newest', async () => {
		await makeUsers(api, ids('page', 40));
		await makeUsers(api, ['newest']);
		const users = await query('', {}, { sort: [] });
		assert.equal(users.length, 30);
		assert.equal(users[0].id, 'newest');
	});
	test('stream-chat sends its payload', async () => {
		const { users } = await js.queryUsers({ country: 'USA' }, [{ id: 1 }], { limit: 2 });
		assert.equal(users.length, 2);
		for (const user of users)
			assertFullUser(user, false);
	});
	test('deactivated users only on request', async () => {
		await js.upsertUser({ id: 'q-off' });
		assertOk(await api.post('/users/q-off/deactivate', {}), 201);
		assert.deepEqual(await query('', { id: 'q-off' }), []);
		assert.deepEqual(idsOf(await query('', { id: 'q-off' },
			{ include_deactivated_users: true })), ['q-off']);
	});
});
