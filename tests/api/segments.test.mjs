/* segments – the nine endpoints of api.md §2.5 in both dialects, of users; those of
 * channels: channel_segments.test.mjs. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertError, assertOk, call, refused } from './lib/clients.mjs';
import { ended, ids, makeCampaign, makeUsers, send, slices, startCampaign,
	startServer } from './lib/fixtures.mjs';
import { until } from './lib/wait.mjs';

const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let server, api, js, node;
before(async () => {
	({ server, api, js, node } = await startServer([
		...ids('usa', 5).map((id) => ({ id, country: 'USA' })),
		...ids('ita', 3).map((id) => ({ id, country: 'Italy', team: 'commonteam' }))]));
});
after(() => server.close());

const sized = (id, size) => until(`segment ${id} has size ${size}`, async () =>
	assertOk(await api.get(`/segments/${id}`), 200).segment.size === size);
const idsOf = (segments) => segments.map(({ id }) => id);

describe('create', () => {
	test('only a type: a manual segment with every field', async () => {
		for (const { name, chat } of DIALECTS) {
			const { segment } = assertOk(await api.post(`${chat}/segments`, { type: 'user' }), 201);
			const { id, created_at, updated_at, ...rest } = segment;
			assert.match(id, UUID4);
			assert.ok(created_at && updated_at);
			const legacy = name === 'v1' ? { locked: false, task_id: '' } : {};
			if (name === 'v2')
				for (const key of ['locked', 'task_id'])
					delete rest[key];
			assert.deepEqual(rest, { type: 'user', name: '', description: '', filter: {},
				all_users: false, all_sender_channels: false, size: 0, deleted_at: null, ...legacy });
		}
	});
	test('id null or empty gives a UUID; a given id comes back unchanged', async () => {
		for (const id of [null, ''])
			assert.match(assertOk(await api.post('/segments', { id, type: 'user' }), 201).segment.id,
				UUID4);
		for (const id of ['s-1', 'sid/1', 'a b', 'messaging:x', 'ü'.repeat(255), '%41', 'query']) {
			const made = assertOk(await api.post('/segments', { id, type: 'user' }), 201);
			assert.equal(made.segment.id, id);
			const url = `/segments/${encodeURIComponent(id)}`;
			assert.equal(assertOk(await api.get(url), 200).segment.id, id);
			assertOk(await api.del(url), 200);
		}
	});
	test('through stream-chat: name, description, filter', async () => {
		const segment = js.segment('user', 'js-1', { name: 'People in the USA',
			description: 'all', filter: { country: 'USA' } });
		const { segment: made } = await segment.create();
		assert.deepEqual([made.id, made.name, made.description, made.filter],
			['js-1', 'People in the USA', 'all', { country: 'USA' }]);
		await sized('js-1', 5);
	});
	test('through stream-chat without an id', async () => {
		const { segment } = await js.segment('user', { name: 'no id' }).create();
		assert.match(segment.id, UUID4);
	});
	test('through node-sdk: times are decoded', async () => {
		const { segment } = await node.chat.createSegment({ type: 'user', id: 'node-1',
			name: 'N', filter: { country: { $in: ['Italy'] } } });
		assert.ok(segment.created_at instanceof Date);
		assert.ok(Math.abs(segment.created_at - Date.now()) < 60000);
		assert.equal(segment.deleted_at, null);
		await sized('node-1', 3);
	});
	test('all_users', async () => {
		await js.segment('user', 'everyone', { name: 'everyone', all_users: true }).create();
		await sized('everyone', 8);
	});
	test('the documented filters are taken', async () => {
		const filters = [{ created_at: { $gte: '2020-01-01T00:00:00Z' } }, { country: 'USA' },
			{ team: 'commonteam' }];
		for (const [i, size] of [[0, 8], [1, 5], [2, 3]]) {
			const { segment } = assertOk(await api.post('/segments',
				{ type: 'user', filter: filters[i] }), 201);
			assert.deepEqual(segment.filter, filters[i]);
			await sized(segment.id, size);
		}
	});
	test('an id that is taken: 400 code 4', async () => {
		await js.segment('user', 'twice', {}).create();
		await refused(js.segment('user', 'twice', {}).create(), 4, /twice/);
		await refused(node.chat.createSegment({ type: 'user', id: 'twice' }), 4, /twice/);
	});
	test('two kinds of audience at once: 400 code 4', async () => {
		const filter = { country: 'USA' };
		assertError(await api.post('/segments', { type: 'user', filter, all_users: true }), 400, 4);
		assertError(await api.post('/segments',
			{ type: 'user', all_users: true, all_sender_channels: true }), 400, 4);
		assertOk(await api.post('/segments', { type: 'user', filter, all_users: false }), 201);
	});
	test('an unknown type: 400 code 4', async () => {
		assertError(await api.post('/segments', { type: 'channels' }), 400, 4, /type/);
	});
	test('all_users on channels, all_sender_channels on users: 400 code 4', async () => {
		assertError(await api.post('/segments', { type: 'channel', all_users: true }), 400, 4);
		assertError(await api.post('/segments', { type: 'user', all_sender_channels: true }), 400, 4);
	});
});

describe('update', () => {
	for (const { name, chat } of DIALECTS) {
		test(`${name}: partial`, async () => {
			const id = `upd-${name}`;
			assertOk(await api.post(`${chat}/segments`, { id, type: 'user', name: 'one' }), 201);
			const { segment } = assertOk(await api.put(`${chat}/segments/${id}`,
				{ description: 'two' }), 201);
			assert.deepEqual([segment.id, segment.name, segment.description, segment.type],
				[id, 'one', 'two', 'user']);
			const before = segment.updated_at;
			const again = assertOk(await api.put(`${chat}/segments/${id}`, { name: 'three' }), 201);
			assert.deepEqual([again.segment.name, again.segment.description], ['three', 'two']);
			assert.notEqual(again.segment.updated_at, before);
			assert.equal(again.segment.created_at, segment.created_at);
		});
	}
	test('a new filter gives a new size', async () => {
		const segment = js.segment('user', 'refilter', { filter: { country: 'USA' } });
		await segment.create();
		await sized('refilter', 5);
		const { segment: changed } = await segment.update({ name: 'x', filter: { country: 'Italy' } });
		assert.deepEqual(changed.filter, { country: 'Italy' });
		await sized('refilter', 3);
	});
	test('to the letter: lengths in characters, null is absent, the rest is ignored', async () => {
		for (const { name: dialect, chat } of DIALECTS) {
			const id = `long-${dialect}`;
			const [name, description] = ['ü'.repeat(128), '漢'.repeat(256)];
			assertOk(await api.post(`${chat}/segments`, { id, type: 'user', name, description }), 201);
			const put = (body) => api.put(`${chat}/segments/${id}`, body);
			const same = assertOk(await put({ name: null, description: null, filter: null, id: 'x',
				type: 'channel', all_users: true, all_sender_channels: true, size: 7 }), 201).segment;
			assert.deepEqual([same.id, same.type, same.name, same.description, same.all_users,
				same.all_sender_channels, same.size], [id, 'user', name, description, false, false, 0]);
			assert.equal(assertOk(await put({ name: '' }), 201).segment.name, '');
			for (const bad of [{ name: 'x'.repeat(129) }, { description: 'x'.repeat(257) }, { name: 5 },
				{ description: {} }, { filter: 'x' }, { filter: [] }, { filter: {} }, { filter: { $x: [] } },
				{ filter: { created_at: { $gte: 'noon' } } }])
				assertError(await put(bad), 400, 4, new RegExp(Object.keys(bad)[0]));
			assertError(await api.put(`${chat}/segments/none-${dialect}`, { name: 'x' }), 404, 16);
		}
	});
	test('a filter for what is no filter: only an empty list takes one', async () => {
		assertOk(await api.post('/segments', { id: 'l0', type: 'user' }), 201);
		assertOk(await api.post('/segments', { id: 'l1', type: 'user' }), 201);
		assertOk(await api.post('/segments', { id: 'a0', type: 'user', all_users: true }), 201);
		assertOk(await api.post('/segments/l1/addtargets', { target_ids: ['x'] }), 201);
		const filter = { country: 'USA' };
		assertError(await api.put('/segments/l1', { filter }), 400, 4, /filter.*l1.*1 targets/);
		assertError(await api.put('/segments/a0', { filter }), 400, 4, /filter.*a0/);
		assert.deepEqual(assertOk(await api.put('/segments/l0', { filter }), 201).segment.filter, filter);
		await sized('l0', 5);
		assertError(await api.post('/segments/l0/addtargets', { target_ids: ['x'] }), 400, 4);
		assertError(await api.post('/segments/l0/deletetargets', { target_ids: ['x'] }), 400, 4);
	});
	test('the filter language is that of users, operator by operator', async () => {
		const good = [{ id: { $ne: 'x' } }, { id: { $autocomplete: 'x' } }, { name: { $autocomplete: 'x' } },
			{ username: 'x' }, { email: { $in: ['x'] } }, { role: { $gte: 'a' } }, { teams: { $contains: 'x' } },
			{ team: 'x' }, { banned: { $ne: true } }, { language: 'de' }, { last_active: { $exists: false } },
			{ custom: { $contains: 'x' } }, { 'a.b': { $exists: true } },
			{ $or: [{ a: 1 }, { $nor: [{ b: 2 }, { $and: [{ c: true }] }] }] }];
		const bad = [{ name: { $ne: 'x' } }, { email: { $gt: 'x' } }, { teams: { $gt: 'x' } },
			{ banned: { $in: [true] } }, { language: { $in: ['x'] } }, { created_at: { $contains: 'x' } },
			{ custom: { $autocomplete: 'x' } }, { custom: { $q: 'x' } }, { $not: { a: 1 } }, { $or: {} }];
		for (const { chat } of DIALECTS) {
			const id = `ops${chat.length}`;
			assertOk(await api.post(`${chat}/segments`, { id, type: 'user', filter: good[0] }), 201);
			for (const filter of good) {
				assertOk(await api.post(`${chat}/segments`, { type: 'user', filter }), 201);
				assertOk(await api.put(`${chat}/segments/${id}`, { filter }), 201);
			}
			for (const filter of bad) {
				assertError(await api.post(`${chat}/segments`, { type: 'user', filter }), 400, 4, /filter/);
				assertError(await api.put(`${chat}/segments/${id}`, { filter }), 400, 4, /filter/);
			}
			assert.deepEqual(assertOk(await api.get(`${chat}/segments/${id}`), 200).segment.filter,
				good.at(-1));
		}
	});
	test('a filter is checked as at creation', async () => {
		await js.segment('user', 'badfilter', { filter: { country: 'USA' } }).create();
		await refused(js.updateSegment('badfilter', { filter: { role: { $contains: 'x' } } }), 4,
			/role|\$contains/);
	});
	test('through node-sdk', async () => {
		await node.chat.createSegment({ type: 'user', id: 'node-upd' });
		const { segment } = await node.chat.updateSegment({ id: 'node-upd', description: 'd' });
		assert.equal(segment.description, 'd');
		assert.ok(segment.updated_at instanceof Date);
	});
});

describe('targets', () => {
	test('add, exists, remove; targets need not exist; size in place', async () => {
		const segment = js.segment('user', 'list', { name: 'list' });
		await segment.create();
		await segment.addTargets(['usa00000', 'ghost1', 'ghost2', 'ghost1']);
		assert.equal((await segment.get()).segment.size, 3);
		await segment.addTargets(['ghost1', 'ghost3']);
		assert.equal((await segment.get()).segment.size, 4);
		await segment.targetExists('ghost1');
		await refused(segment.targetExists('ghost9'), 16, /ghost9/);
		await refused(segment.targetExists('usa00001'), 16);
		await segment.removeTargets(['ghost1', 'never-there', 'usa00000']);
		assert.equal((await segment.get()).segment.size, 2);
		await refused(segment.targetExists('ghost1'), 16, /^StreamChat.*SegmentTargetExists/);
		await segment.removeTargets(['ghost1']);
		assert.equal((await segment.get()).segment.size, 2);
	});
	test('being named as a target makes no user', async () => {
		assert.deepEqual((await js.queryUsers({ id: { $in: ['ghost2', 'ghost3'] } })).users, []);
	});
	test('10,000 a call, in and out again', async () => {
		const segment = js.segment('user', 'large', {});
		await segment.create();
		const many = ids('t', 10000);
		await segment.addTargets(many);
		await segment.addTargets(ids('v', 2345));
		assert.equal((await segment.get()).segment.size, 12345);
		await segment.removeTargets(many);
		assert.equal((await segment.get()).segment.size, 2345);
	});
	test('through node-sdk', async () => {
		await node.chat.createSegment({ type: 'user', id: 'node-list' });
		const id = 'node-list';
		await node.chat.addSegmentTargets({ id, target_ids: ['a', 'b', 'c@x'] });
		await node.chat.segmentTargetExists({ id, target_id: 'c@x' });
		await node.chat.deleteSegmentTargets({ id, target_ids: ['b'] });
		await refused(node.chat.segmentTargetExists({ id, target_id: 'b' }), 16);
		const { targets } = await node.chat.querySegmentTargets({ id });
		assert.deepEqual(targets.map(({ target_id }) => target_id), ['a', 'c@x']);
		assert.ok(targets[0].created_at instanceof Date);
		assert.equal(targets[0].segment_id, id);
		assert.equal(typeof targets[0].app_pk, 'number');
	});
	test('dynamic segments take no targets', async () => {
		assertOk(await api.post('/segments', { id: 'dyn', type: 'user', all_users: true }), 201);
		assertError(await api.post('/segments/js-1/addtargets', { target_ids: ['a'] }), 400, 4);
		assertError(await api.post('/segments/dyn/addtargets', { target_ids: ['a'] }), 400, 4);
	});
	test('exists on dynamic segments is evaluated at the call', async () => {
		await js.upsertUser({ id: 'mover', country: 'Italy' });
		assertError(await api.get('/segments/js-1/target/mover'), 404, 16);
		await js.upsertUser({ id: 'mover', country: 'USA' });
		assertOk(await api.get('/segments/js-1/target/mover'), 200);
		assertOk(await api.get('/segments/dyn/target/mover'), 200);
		await js.deleteUsers(['mover']);
		assertError(await api.get('/segments/js-1/target/mover'), 404, 16);
		assertError(await api.get('/segments/dyn/target/mover'), 404, 16);
		assertError(await api.get('/segments/dyn/target/nobody'), 404, 16);
	});
});

describe('query targets', () => {
	const all = ids('k', 25);
	before(async () => {
		assertOk(await api.post('/segments', { id: 'pages', type: 'user' }), 201);
		const mixed = [...all].sort((a, b) => (a.at(-1) < b.at(-1) ? -1 : 1));
		assertOk(await api.post('/segments/pages/addtargets', { target_ids: mixed }), 201);
	});
	const ask = async (body, chat = '') => {
		const answer = assertOk(await api.post(`${chat}/segments/pages/targets/query`, body), 201);
		return { ...answer, found: answer.targets.map(({ target_id }) => target_id) };
	};

	test('all of them, by target_id', async () => {
		const answer = await ask({});
		assert.deepEqual(answer.found, all);
		assert.equal(answer.next, undefined);
		assert.equal(answer.prev, undefined);
	});
	test('filters and sorts', async () => {
		assert.deepEqual((await ask({ filter: { target_id: { $gte: 'k00020' } } })).found,
			all.slice(20));
		assert.deepEqual((await ask({ filter: { target_id: { $gt: 'k00010', $lte: 'k00012' } } }))
			.found, ['k00011', 'k00012']);
		assert.deepEqual((await ask({ filter: { target_id: { $lt: 'k00002' } } })).found,
			['k00000', 'k00001']);
		assert.deepEqual((await ask({ filter: { target_id: 'k00007' } })).found, ['k00007']);
		assert.deepEqual((await ask({ filter: { target_id: { $in: ['k00003', 'x', 'k00001'] } } }))
			.found, ['k00001', 'k00003']);
		assert.deepEqual((await ask({ sort: [{ field: 'target_id', direction: -1 }] })).found,
			[...all].reverse());
	});
	for (const { name, chat } of DIALECTS) {
		test(`${name}: Filter and Sort in capitals, as Python and Go send them`, async () => {
			const { found } = await ask({ Filter: { target_id: { $gte: 'k00022' } },
				Sort: [{ field: 'target_id', direction: -1 }], limit: 2 }, chat);
			assert.deepEqual(found, ['k00024', 'k00023']);
			assert.deepEqual((await ask({ Filter: null, Sort: null, limit: 3 }, chat)).found,
				all.slice(0, 3));
		});
		test(`${name}: pages forwards and back`, async () => {
			const seen = [];
			let page = await ask({ limit: 10, sort: [{ field: 'target_id', direction: -1 }] }, chat);
			assert.equal(page.prev, undefined);
			seen.push(page.found);
			for (let n = 0; page.next && n < 5; n++) {
				page = await ask({ limit: 10, next: page.next }, chat);
				seen.push(page.found);
			}
			assert.deepEqual(seen.map((found) => found.length), [10, 10, 5]);
			assert.deepEqual(seen.flat(), [...all].reverse());
			const back = await ask({ limit: 10, prev: page.prev }, chat);
			assert.deepEqual(back.found, seen[1]);
			const first = await ask({ limit: 10, prev: back.prev }, chat);
			assert.deepEqual(first.found, seen[0]);
			assert.equal(first.prev, undefined);
			assert.ok(first.next);
		});
	}
	test('a cursor overrides filter and sort of the body', async () => {
		const one = await ask({ limit: 5, filter: { target_id: { $gte: 'k00010' } } });
		const two = await ask({ limit: 5, next: one.next, filter: { target_id: { $lt: 'k00003' } },
			sort: [{ field: 'target_id', direction: -1 }] });
		assert.deepEqual(two.found, all.slice(15, 20));
		assert.ok(two.next);
	});
	test('the documented call of stream-chat', async () => {
		const segment = js.segment('user', 'pages');
		const sort = [{ field: 'target_id', direction: -1 }];
		const one = await segment.queryTargets({ target_id: { $gte: 'k00005' } }, sort, { limit: 12 });
		assert.equal(one.targets.length, 12);
		const two = await segment.queryTargets({ target_id: { $gte: 'k00005' } }, sort,
			{ limit: 12, next: one.next });
		assert.deepEqual([...one.targets, ...two.targets].map((t) => t.target_id),
			all.slice(5).reverse());
		assert.equal(two.next, undefined);
	});
	/* Both kinds of segments answer alike. */
	describe('combinators and ranges', () => {
		const some = ids('y', 12);
		const y = (...places) => places.map((i) => some[i]);
		const cases = [
			[{ target_id: { $gte: some[10] } }, y(10, 11)],
			[{ target_id: { $eq: some[3] } }, y(3)],
			[{ target_id: { $in: [] } }, []],
			[{ target_id: null }, []],
			[{}, some],
			[{ $or: [{ target_id: some[1] }, { target_id: { $gt: some[9] } }] }, y(1, 10, 11)],
			[{ $nor: [{ target_id: { $lt: some[9] } }, { target_id: some[11] }] }, y(9, 10)],
			[{ $and: [{ $or: [{ target_id: some[1] }, { target_id: some[2] }] },
				{ $or: [{ target_id: some[2] }, { target_id: some[3] }] }] }, y(2)],
			[{ target_id: { $lte: some[4] }, $nor: [{ target_id: { $in: y(0, 2, 9) } }] }, y(1, 3, 4)],
			[{ $and: [{ target_id: { $gt: some[2], $lte: some[5] } }, { target_id: { $in: y(2, 3, 5, 8) } }] },
				y(3, 5)],
			[{ target_id: { $in: y(1, 5) }, $or: [{}] }, y(1, 5)],
			[{ $or: [{ $and: [{ target_id: { $gte: some[7] } }, { target_id: { $lt: some[9] } }] },
				{ $nor: [{ target_id: { $gt: some[0] } }] }] }, y(0, 7, 8)],
		];
		before(async () => {
			await makeUsers(api, some.map((id) => ({ id, crew: 'y' })));
			assertOk(await api.post('/segments', { id: 'y-list', type: 'user' }), 201);
			assertOk(await api.post('/segments/y-list/addtargets', { target_ids: some }), 201);
			assertOk(await api.post('/segments', { id: 'y-filter', type: 'user', filter: { crew: 'y' } }), 201);
		});
		for (const segment of ['y-list', 'y-filter']) {
			test(segment, async () => {
				for (const { chat } of DIALECTS) {
					const query = async (body) => assertOk(await api.post(
						`${chat}/segments/${segment}/targets/query`, body), 201);
					for (const [filter, expected] of cases) {
						for (const direction of [1, -1]) {
							const sort = [{ field: 'target_id', direction }];
							const order = direction === 1 ? expected : [...expected].reverse();
							const found = [];
							let page = await query({ filter, sort, limit: 2 });
							assert.equal(page.prev, undefined);
							for (let n = 0; n < 10; n++) {
								found.push(...page.targets.map(({ target_id }) => target_id));
								if (!page.next)
									break;
								page = await query({ filter: { target_id: 'nonsense' }, limit: 2, next: page.next });
							}
							assert.deepEqual(found, order, JSON.stringify(filter));
						}
					}
				}
			});
			test(`${segment}: what is refused`, async () => {
				for (const body of [{ filter: { id: 'x' } }, { filter: { target_id: { $exists: true } } },
					{ filter: { target_id: { $ne: 'x' } } }, { filter: { target_id: { $gt: 5 } } },
					{ filter: { target_id: { $in: 'x' } } }, { filter: { target_id: {} } },
					{ filter: { $or: [{ name: 'x' }] } }, { filter: { $xor: [] } }, { Filter: 'x' },
					{ sort: [{ field: 'created_at' }] }, { Sort: [{ field: 'target_id', direction: 3 }] },
					{ limit: 10001 }, { limit: -1 }, { next: 'x' }, { prev: 5 }])
					assertError(await api.post(`/segments/${segment}/targets/query`, body), 400, 4);
			});
		}
	});

	test('pages: 1,000 by default, 10,000 at most', async () => {
		const many = ids('z', 12345);
		assertOk(await api.post('/segments', { id: 'wide', type: 'user' }), 201);
		for (const target_ids of slices(many, 10000))
			assertOk(await api.post('/segments/wide/addtargets', { target_ids }), 201);
		const query = async (body) => assertOk(await api.post('/segments/wide/targets/query', body), 201);
		for (const limit of [undefined, null, 0])
			assert.equal((await query({ limit })).targets.length, 1000);
		const one = await query({ limit: 10000 });
		const two = await query({ limit: 10000, next: one.next });
		assert.deepEqual([...one.targets, ...two.targets].map(({ target_id }) => target_id), many);
		assert.deepEqual([two.targets.length, two.next], [2345, undefined]);
		const back = await query({ limit: 10000, prev: two.prev });
		assert.deepEqual(back.targets, one.targets);
	});

	test('a target removed between two pages is not there, none is seen twice', async () => {
		assertOk(await api.post('/segments', { id: 'moving', type: 'user' }), 201);
		assertOk(await api.post('/segments/moving/addtargets', { target_ids: ids('m', 6) }), 201);
		const url = '/segments/moving/targets/query';
		const one = assertOk(await api.post(url, { limit: 3 }), 201);
		assertOk(await api.post('/segments/moving/deletetargets',
			{ target_ids: ['m00002', 'm00003'] }), 201);
		const two = assertOk(await api.post(url, { limit: 3, next: one.next }), 201);
		assert.deepEqual(two.targets.map((t) => t.target_id), ['m00004', 'm00005']);
	});
	test('foreign, altered and doubled cursors: 400 code 4', async () => {
		const { next } = await ask({ limit: 5 });
		const url = '/segments/pages/targets/query';
		assertOk(await api.post('/segments', { id: 'pages2', type: 'user' }), 201);
		assertError(await api.post('/segments/pages2/targets/query', { next }), 400, 4);
		assertError(await api.post('/segments/query', { next }), 400, 4);
		assertError(await api.post(url, { next, prev: next }), 400, 4);
		for (const at of [0, 5, next.length >> 1, next.length - 1]) {
			const other = next[at] === 'A' ? 'B' : 'A';
			const altered = next.slice(0, at) + other + next.slice(at + 1);
			assertError(await api.post(url, { next: altered }), 400, 4);
		}
		assertError(await api.post(url, { next: next.slice(0, -1) }), 400, 4);
		assertError(await api.post(url, { next: `${next}A` }), 400, 4);
	});
});

describe('query segments', () => {
	before(async () => {
		for (const [i, name] of ['red', 'blue', 'green', 'blue'].entries())
			assertOk(await api.post('/segments', { id: `q${i}`, type: 'user', name,
				...(i === 3 ? { all_users: true } : {}) }), 201);
		assertOk(await api.post('/segments', { id: 'q4', type: 'user', name: 'red' }), 201);
	});
	const mine = { id: { $in: ['q0', 'q1', 'q2', 'q3', 'q4'] } };

	test('filters', async () => {
		const cases = [
			[{ id: 'q1' }, 'q1'], [{ name: 'blue' }, 'q1 q3'], [{ name: { $gte: 'green' } }, 'q0 q2 q4'],
			[{ type: 'channel' }, ''], [{ type: { $in: ['user'] } }, 'q0 q1 q2 q3 q4'],
			[{ all_users: true }, 'q3'], [{ all_users: { $eq: false }, name: 'red' }, 'q0 q4'],
			[{ created_at: { $gte: '2020-01-01T00:00:00Z' } }, 'q0 q1 q2 q3 q4'],
			[{ updated_at: { $lt: '2020-01-01T00:00:00Z' } }, ''],
			[{ $or: [{ id: 'q0' }, { all_users: true }] }, 'q0 q3'],
			[{ $nor: [{ name: 'blue' }] }, 'q0 q2 q4'],
		];
		for (const { chat } of DIALECTS) {
			for (const [filter, expected] of cases) {
				const { segments } = assertOk(await api.post(`${chat}/segments/query`,
					{ filter: { $and: [mine, filter] }, sort: [{ field: 'id' }] }), 201);
				assert.equal(idsOf(segments).join(' '), expected, JSON.stringify(filter));
			}
		}
	});
	test('each field takes its operators and no others', async () => {
		const SCALAR = ['$eq', '$exists', '$gt', '$gte', '$in', '$lt', '$lte'];
		const table = { id: SCALAR, name: SCALAR, created_at: SCALAR, updated_at: SCALAR,
			all_users: SCALAR, type: ['$eq', '$exists', '$in'], size: [], description: [] };
		const wrong = [];
		for (const { chat } of DIALECTS) {
			for (const [field, allowed] of Object.entries(table)) {
				for (const op of [...SCALAR, '$ne', '$nin', '$contains', '$autocomplete', '$q']) {
					const one = field.endsWith('_at') ? '2027-01-01T00:00:00Z' : field === 'all_users' ? true : 'x';
					const operand = op === '$exists' ? true : op.endsWith('in') ? [one] : one;
					const answer = await api.post(`${chat}/segments/query`, { filter: { [field]: { [op]: operand } } });
					if (answer.status !== (allowed.includes(op) ? 201 : 400))
						wrong.push(`${field} ${op} → ${answer.text.slice(0, 120)}`);
				}
			}
		}
		assert.deepEqual(wrong, []);
	});
	test('sorts: every scalar field, both ways; no others', async () => {
		const order = async (sort) => idsOf((await js.querySegments(mine, sort)).segments).join(' ');
		for (const [field, up, down] of [['id', 'q0 q1 q2 q3 q4', 'q4 q3 q2 q1 q0'],
			['name', 'q1 q3 q2 q0 q4', 'q0 q4 q2 q1 q3'], ['type', 'q0 q1 q2 q3 q4', 'q0 q1 q2 q3 q4'],
			['all_users', 'q0 q1 q2 q4 q3', 'q3 q0 q1 q2 q4'],
			['created_at', 'q0 q1 q2 q3 q4', 'q4 q3 q2 q1 q0']]) {
			assert.equal(await order([{ field }]), up, field);
			assert.equal(await order([{ field, direction: 1 }]), up, field);
			assert.equal(await order([{ field, direction: -1, type: '' }]), down, field);
		}
		assertOk(await api.put('/segments/q1', { description: 'touched' }), 201);
		assert.equal((await order([{ field: 'updated_at', direction: -1 }])).split(' ')[0], 'q1');
		assert.equal(await order([{ field: 'name' }, { field: 'id', direction: -1 }]), 'q3 q1 q2 q4 q0');
		for (const field of ['size', 'description', 'filter', 'deleted_at', 'no', ''])
			await refused(js.querySegments(mine, [{ field }]), 4, /sort/);
		for (const sort of [[{ field: 'id', direction: 0 }], [{ field: 'id', direction: 2 }], [5], 'id', {}])
			assertError(await api.post('/segments/query', { sort }), 400, 4, /sort/);
	});
	test('newest first; ties of a sort by id', async () => {
		const { segments } = await js.querySegments(mine);
		assert.deepEqual(idsOf(segments), ['q4', 'q3', 'q2', 'q1', 'q0']);
		const { segments: named } = await js.querySegments(mine, [{ field: 'name', direction: 1 }]);
		assert.deepEqual(idsOf(named), ['q1', 'q3', 'q2', 'q0', 'q4']);
	});
	test('pages with a tie at the edge', async () => {
		const sort = [{ field: 'name', direction: -1 }];
		const one = await js.querySegments(mine, sort, { limit: 1 });
		const two = await js.querySegments(mine, sort, { limit: 3, next: one.next });
		assert.deepEqual(idsOf([...one.segments, ...two.segments]), ['q0', 'q4', 'q2', 'q1']);
		assert.equal(one.prev, undefined);
		const back = await js.querySegments({}, [], { limit: 3, prev: two.prev });
		assert.deepEqual(idsOf(back.segments), ['q0']);
		const three = await js.querySegments({}, [], { limit: 3, next: two.next });
		assert.deepEqual(idsOf(three.segments), ['q3']);
		assert.equal(three.next, undefined);
	});
	test('without a filter; 30 by default', async () => {
		for (const id of ids('bulk', 32))
			assertOk(await api.post('/segments', { id, type: 'user' }), 201);
		const { segments, next } = assertOk(await call(server, 'POST', '/segments/query'), 201);
		assert.equal(segments.length, 30);
		assert.ok(next);
		const { segments: more } = await node.chat.querySegments({ filter: {}, limit: 100 });
		assert.ok(more.length > 32);
	});
});

describe('delete', () => {
	for (const { name, chat } of DIALECTS) {
		test(`${name}: afterwards everything answers 404 code 16`, async () => {
			const url = `${chat}/segments/del-${name}`;
			assertOk(await api.post(`${chat}/segments`, { id: `del-${name}`, type: 'user' }), 201);
			assert.deepEqual(Object.keys(assertOk(await api.del(url), 200)), ['duration']);
			assertError(await api.get(url), 404, 16);
			assertError(await api.put(url, { name: 'x' }), 404, 16);
			assertError(await api.del(url), 404, 16);
			assertError(await api.post(`${url}/addtargets`, { target_ids: ['a'] }), 404, 16);
			assertError(await api.get(`${url}/target/a`), 404, 16);
			assertError(await api.post(`${url}/targets/query`, {}), 404, 16);
			assert.deepEqual(assertOk(await api.post(`${chat}/segments/query`,
				{ filter: { id: `del-${name}` } }), 201).segments, []);
		});
	}
	test('a deleted segment gives no targets to a campaign not yet sent', async () => {
		await makeUsers(api, ['seg-sender']);
		for (const id of ['stays', 'goes']) {
			assertOk(await api.post('/segments', { id, type: 'user' }), 201);
			assertOk(await api.post(`/segments/${id}/addtargets`, { target_ids: [`${id}-1`, 'both'] }), 201);
		}
		await makeUsers(api, ['stays-1', 'goes-1', 'both']);
		const definition = { sender_id: 'seg-sender', segment_ids: ['stays', 'goes'],
			message_template: { text: 'x' }, create_channels: true, channel_template: { type: 'messaging' } };
		const whole = await send(api, definition);
		assert.equal(whole.stats.messages_sent, 3);
		const { id } = await makeCampaign(api, definition);
		await js.segment('user', 'goes').delete();
		await startCampaign(api, id);
		const { stats } = await ended(api, id);
		assert.deepEqual([stats.audience, stats.messages_sent], [2, 2]);
		/* An id that is taken again is another segment, but the same name for the campaign. */
		assertError(await api.post('/campaigns', definition), 404, 16, /goes/);
	});
	test('an id is free again', async () => {
		await js.segment('user', 'phoenix', { name: 'old' }).create();
		await js.segment('user', 'phoenix').addTargets(['a']);
		await js.segment('user', 'phoenix').delete();
		const { segment } = await js.segment('user', 'phoenix', {}).create();
		assert.deepEqual([segment.name, segment.size], ['', 0]);
		await refused(js.segment('user', 'phoenix').targetExists('a'), 16);
		await node.chat.deleteSegment({ id: 'phoenix' });
		await refused(node.chat.getSegment({ id: 'phoenix' }), 16, /phoenix/);
	});
});

describe('paths', () => {
	test('ids with a slash and colons, escaped as each SDK does', async () => {
		const segment = js.segment('user', 'sid/1', {});
		await segment.create();
		await segment.addTargets(['a']);
		assert.equal((await segment.get()).segment.id, 'sid/1');
		await refused(segment.targetExists('messaging:x'), 16, /messaging:x/);
		assertError(await api.get('/segments/sid%2F1/target/messaging%3Ax'), 404, 16);
		assertError(await api.get('/segments/sid/1'), 404, 16);
		await segment.delete();
		await node.chat.createSegment({ type: 'user', id: 'a:b c' });
		assert.equal((await node.chat.getSegment({ id: 'a:b c' })).segment.id, 'a:b c');
	});
});
