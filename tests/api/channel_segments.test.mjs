/* channel_segments – segments of channels (api.md §2.5) and campaigns sent to them (§3), in both
 * dialects. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertAllRefused, assertError, assertOk, refused } from './lib/clients.mjs';
import { channelsByCid, checkStats, ended, getCampaign, ids, inParallel, inbox, send, startServer }
	from './lib/fixtures.mjs';
import { until } from './lib/wait.mjs';

const HI = { text: 'Hi' };

let server, api, js, node;
before(async () => {
	({ server, api, js, node } = await startServer(
		['ann', 'bob', 'cid', 'dan', 'eve', 'zoe', ...ids('r', 40)]));
});
after(() => server.close());

async function makeChannel(id, members, data = {}, type = 'messaging') {
	const { channel } = assertOk(await api.post(`/channels/${type}/${id}/query`,
		{ data: { created_by_id: members[0] ?? 'zoe', members, ...data } }), 201);
	return channel.cid;
}

async function makeList(id, cids) {
	await js.segment('channel', id, {}).create();
	if (cids.length > 0)
		await js.segment('channel', id).addTargets(cids);
	return id;
}

/* Sends to segments and returns the stats. */
async function sendTo(segmentIds, more = {}) {
	const campaign = await send(api, { sender_id: 'ann', message_template: HI,
		segment_ids: [].concat(segmentIds), ...more });
	return { ...campaign.stats, id: campaign.id };
}

const markRead = async (cid, userId) => assertOk(await api.post(
	`/channels/${cid.replace(':', '/')}/read`, { user_id: userId }), 201);
const usersRead = async (id) => checkStats(await getCampaign(api, id)).stats_users_read;
const sized = (id, size) => until(`segment ${id} has size ${size}`, async () =>
	assertOk(await api.get(`/segments/${id}`), 200).segment.size === size);
const targetsOf = async (id, body = {}, chat = '') => {
	const answer = assertOk(await api.post(`${chat}/segments/${id}/targets/query`, body), 201);
	return { ...answer, found: answer.targets.map((target) => target.target_id) };
};

describe('create', () => {
	test('a list, through both SDKs', async () => {
		const { segment } = await js.segment('channel', 'js-list', { name: 'L' }).create();
		assert.deepEqual([segment.type, segment.size, segment.filter, segment.all_sender_channels],
			['channel', 0, {}, false]);
		const made = await node.chat.createSegment({ type: 'channel', id: 'node-list' });
		assert.equal(made.segment.type, 'channel');
		const { segments } = await js.querySegments({ type: 'channel',
			id: { $in: ['js-list', 'node-list'] } });
		assert.equal(segments.length, 2);
	});
	test('all_sender_channels has size 0', async () => {
		const { segment } = await node.chat.createSegment({ type: 'channel', id: 'all-mine',
			all_sender_channels: true });
		assert.deepEqual([segment.all_sender_channels, segment.size], [true, 0]);
		assertError(await api.get('/segments/all-mine/target/messaging%3Ax'), 400, 4, /sender/);
		assertError(await api.post('/segments/all-mine/targets/query', {}), 400, 4, /sender/);
		assertError(await api.post('/segments/all-mine/addtargets',
			{ target_ids: ['messaging:x'] }), 400, 4, /sender/);
		assertError(await api.put('/segments/all-mine', { filter: { type: 'team' } }), 400, 4,
			/sender/);
	});
	test('what is refused: 400 code 4', async () => {
		const filter = { type: 'team' };
		await assertAllRefused([
			{ all_users: true }, { filter, all_sender_channels: true }, { filter: {} },
			{ filter: [] }, { filter: 'x' }, { filter: { cid: { $contains: 'x' } } },
			{ filter: { cid: 7 } }, { filter: { frozen: 'yes' } }, { filter: { members: 5 } },
			{ filter: { created_at: 'yesterday' } }, { filter: { $xor: [] } },
			{ filter: { type: { $near: 'team' } } }, { filter: { member_count: '1' } },
			{ filter: { $or: [] } }, { filter: { cid: { $in: 'messaging:x' } } },
			{ all_sender_channels: 'yes' }, { all_sender_channels: 1 },
		], (body) => api.post('/segments', { type: 'channel', ...body }));
		await assertAllRefused([{ all_sender_channels: true }],
			(body) => api.post('/segments', { type: 'user', ...body }), /all_sender_channels/);
	});
	test('a filter is checked by the type at update, too', async () => {
		await js.segment('channel', 'refilter', { filter: { type: 'team' } }).create();
		for (const { chat } of DIALECTS) {
			assertError(await api.put(`${chat}/segments/refilter`,
				{ filter: { cid: { $contains: 'x' } } }), 400, 4, /cid/);
			assertError(await api.put(`${chat}/segments/refilter`, { filter: {} }), 400, 4);
		}
		/* Of users this is refused, of channels it is custom data. */
		const { segment } = await js.segment('channel', 'refilter')
			.update({ filter: { role: { $contains: 'x' } } });
		assert.deepEqual(segment.filter, { role: { $contains: 'x' } });
	});
});

describe('lists', () => {
	const all = ids('messaging:k', 25);
	before(() => makeList('keyed', [...all].reverse()));

	test('targets need not exist; adding and removing is idempotent, size is in place', async () => {
		const list = js.segment('channel', 'idem', {});
		await list.create();
		for (let i = 0; i < 2; i++)
			await list.addTargets(['messaging:a', 'nosuchtype:b', 'team:!members-AAA', 'messaging:a']);
		assert.equal((await list.get()).segment.size, 3);
		await list.removeTargets(['messaging:a', 'messaging:never', 'not a cid']);
		await node.chat.deleteSegmentTargets({ id: 'idem', target_ids: ['messaging:a'] });
		assert.equal((await list.get()).segment.size, 2);
		assertError(await api.put('/segments/idem', { filter: { type: 'team' } }), 400, 4, /list/);
	});
	test('10,000 in one call', async () => {
		await js.segment('channel', 'large', {}).create();
		const many = ids('messaging:m', 10000);
		assertOk(await api.post('/segments/large/addtargets', { target_ids: many }), 201);
		await sized('large', 10000);
		const { found } = await targetsOf('large', { limit: 10000 });
		assert.deepEqual(found, many);
		assertOk(await api.post('/segments/large/deletetargets', { target_ids: many }), 201);
		await sized('large', 0);
	});
	test('bad targets: 400 code 4', async () => {
		await assertAllRefused([undefined, null, {}, { target_ids: [] }, { target_ids: 'a' },
			{ target_ids: [null] }, { target_ids: [7] }, { target_ids: ['bob'] },
			{ target_ids: ['messaging:'] }, { target_ids: [':x'] }, { target_ids: ['a:b:c'] },
			{ target_ids: ['messaging:a b'] }, { target_ids: [`messaging:${'x'.repeat(65)}`] },
			{ target_ids: [`${'t'.repeat(65)}:x`] }, { target_ids: ['messaging:ok', ''] },
			{ target_ids: ids('messaging:m', 10001) },
		], (body) => api.post('/segments/keyed/addtargets', body), /target_ids/);
		await sized('keyed', 25);
	});
	test('target exists', async () => {
		assertOk(await api.get('/segments/keyed/target/messaging%3Ak00003'), 200);
		assertOk(await api.get('/segments/keyed/target/messaging:k00003'), 200);
		await js.segment('channel', 'keyed').targetExists('messaging:k00004');
		await node.chat.segmentTargetExists({ id: 'keyed', target_id: 'messaging:k00005' });
		for (const id of ['messaging:k', 'k00003', 'team:k00003', ':', 'x'.repeat(300)])
			assertError(await api.get(`/segments/keyed/target/${encodeURIComponent(id)}`), 404, 16);
	});
	test('filters and sorts of target_id', async () => {
		const ask = async (body) => (await targetsOf('keyed', body)).found;
		const k = (n) => all[n];
		assert.deepEqual(await ask({}), all);
		assert.deepEqual(await ask({ filter: { target_id: { $gt: k(10), $lte: k(12) } } }),
			[k(11), k(12)]);
		assert.deepEqual(await ask({ filter: { target_id: { $lt: k(2) } } }), [k(0), k(1)]);
		assert.deepEqual(await ask({ filter: { target_id: k(7) } }), [k(7)]);
		assert.deepEqual(await ask({ filter: { target_id: { $in: [k(3), 'x', k(1)] } } }),
			[k(1), k(3)]);
		assert.deepEqual(await ask({ filter: { $and: [{ target_id: { $in: [k(3), k(1)] } },
			{ target_id: { $gte: k(2) } }] } }), [k(3)]);
		assert.deepEqual(await ask({ filter: { target_id: { $gt: k(20), $lt: k(24) } }, limit: 2,
			sort: [{ field: 'target_id', direction: -1 }] }), [k(23), k(22)]);
		await assertAllRefused([{ filter: { target_id: { $contains: 'x' } } },
			{ filter: { id: 'x' } }, { filter: { target_id: 7 } }, { limit: 10001 },
			{ sort: [{ field: 'created_at' }] }, { next: 'x' }, { limit: -1 }],
		(body) => api.post('/segments/keyed/targets/query', body));
	});
	for (const { name, chat } of DIALECTS) {
		test(`${name}: pages forwards and back`, async () => {
			const seen = [];
			let page = await targetsOf('keyed',
				{ limit: 10, sort: [{ field: 'target_id', direction: -1 }] }, chat);
			assert.equal(page.prev, undefined);
			seen.push(page.found);
			for (let n = 0; page.next && n < 5; n++) {
				page = await targetsOf('keyed', { limit: 10, next: page.next }, chat);
				seen.push(page.found);
			}
			assert.deepEqual(seen.map((found) => found.length), [10, 10, 5]);
			assert.deepEqual(seen.flat(), [...all].reverse());
			const back = await targetsOf('keyed', { limit: 10, prev: page.prev }, chat);
			assert.deepEqual(back.found, seen[1]);
			assertError(await api.post(`${chat}/segments/js-list/targets/query`,
				{ next: back.next }), 400, 4);
		});
	}
	test('the list of a deleted segment is swept away, its id is free again', async () => {
		await makeList('gone', ids('messaging:g', 30));
		await js.segment('channel', 'gone').delete();
		assertError(await api.get('/segments/gone/target/messaging%3Ag00001'), 404, 16);
		await until('the rows are gone', () =>
			server.sql("SELECT COUNT(*) FROM segment_cids WHERE cid LIKE 'messaging:g0%'") === '0');
		const { segment } = await js.segment('channel', 'gone', {}).create();
		assert.equal(segment.size, 0);
	});
});

describe('filters', () => {
	before(async () => {
		await makeChannel('f0', ['bob'], { colour: 'red', name: 'Zero' });
		await makeChannel('f1', ['bob', 'cid'], { colour: 'red', team: 'commonteam' });
		await makeChannel('f2', ['cid'], { colour: 'blue', frozen: true });
		await makeChannel('f3', ['dan', 'eve', 'zoe'], { colour: 'red' }, 'team');
	});
	const mine = { id: { $in: ['f0', 'f1', 'f2', 'f3'] }, type: { $in: ['messaging', 'team'] } };

	test('size, exists and targets follow from the channels', async () => {
		const cases = [
			[{ colour: 'red', $or: [{ type: 'messaging' }, { type: 'team' }] }, 'f0 f1 f3'],
			[{ team: 'commonteam' }, 'f1'],
			[{ members: { $in: ['cid'] }, $and: [mine] }, 'f1 f2'],
			[{ members: ['bob', 'cid'] }, 'f1'],
			[{ cid: { $in: ['messaging:f0', 'team:f3', 'messaging:never'] } }, 'f0 f3'],
			[{ ...mine, member_count: { $gte: 2 } }, 'f1 f3'],
			[{ colour: { $exists: true }, frozen: true }, 'f2'],
			[{ $and: [mine, { $nor: [{ colour: 'red' }] }] }, 'f2'],
			[{ ...mine, hidden: true }, ''],
			[{ colour: { $exists: true }, last_message_at: { $gte: '2100-01-01T00:00:00Z' } }, ''],
			[{ colour: 'red', created_by_id: 'dan' }, 'f3'],
		];
		for (const [i, [filter, expected]] of cases.entries()) {
			const id = `filter-${i}`;
			await js.segment('channel', id, { filter }).create();
			const cids = expected.split(' ').filter(Boolean)
				.map((name) => (name === 'f3' ? 'team:f3' : `messaging:${name}`));
			await sized(id, cids.length);
			assert.deepEqual((await targetsOf(id)).found, cids, JSON.stringify(filter));
			for (const cid of ['messaging:f0', 'messaging:f1', 'messaging:f2', 'team:f3']) {
				const answer = await api.get(`/segments/${id}/target/${encodeURIComponent(cid)}`);
				assert.equal(answer.status, cids.includes(cid) ? 200 : 404, `${id} ${cid}`);
			}
		}
	});
	test('pages of what a filter lets through', async () => {
		await inParallel(ids('p', 25), 4, (id) => makeChannel(id, ['dan'], { shelf: 'p' }));
		await js.segment('channel', 'paged', { filter: { shelf: 'p' } }).create();
		const one = await targetsOf('paged', { limit: 10,
			filter: { target_id: { $gte: 'messaging:p00003' } } });
		const two = await targetsOf('paged', { limit: 100, next: one.next });
		assert.deepEqual([...one.found, ...two.found], ids('messaging:p', 25).slice(3));
		assert.equal(two.next, undefined);
		const back = await targetsOf('paged', { limit: 3, prev: two.prev });
		assert.deepEqual(back.found, ids('messaging:p', 25).slice(10, 13));
	});
	test('targets cannot be added', async () => {
		await js.segment('channel', 'filter-only', { filter: { type: 'team' } }).create();
		await refused(js.segment('channel', 'filter-only').addTargets(['messaging:x']), 4, /filter/);
	});
});

describe('users and channels in one campaign', () => {
	const body = { sender_id: 'ann', message_template: HI };
	before(async () => {
		await js.segment('user', 'mix-u', {}).create();
		await js.segment('channel', 'mix-c', {}).create();
	});

	test('refused at create and update', async () => {
		for (const { chat } of DIALECTS) {
			assertError(await api.post(`${chat}/campaigns`,
				{ ...body, segment_ids: ['mix-u', 'mix-c'] }), 400, 4, /segment_ids.*mixed/);
			const { campaign } = assertOk(await api.post(`${chat}/campaigns`,
				{ ...body, segment_ids: ['mix-c'] }), 201);
			assertError(await api.put(`${chat}/campaigns/${campaign.id}`,
				{ segment_ids: ['mix-c', 'mix-u'] }), 400, 4, /mixed/);
			assertOk(await api.put(`${chat}/campaigns/${campaign.id}`,
				{ segment_ids: ['mix-u'] }), 201);
			assertError(await api.post(`${chat}/campaigns`,
				{ ...body, segment_ids: ['mix-c'], user_ids: ['bob'] }), 400, 4);
		}
	});
	test('refused at start, when a segment has become another', async () => {
		await js.segment('user', 'turn-a', {}).create();
		await js.segment('user', 'turn-b', {}).create();
		const { campaign } = assertOk(await api.post('/campaigns',
			{ ...body, segment_ids: ['turn-a', 'turn-b'] }), 201);
		await js.segment('user', 'turn-b').delete();
		await js.segment('channel', 'turn-b', {}).create();
		assertError(await api.post(`/campaigns/${campaign.id}/start`, {}), 400, 4, /mixed/);
		assert.equal((await getCampaign(api, campaign.id)).status, 'draft');
	});
	test('no channel_template is needed, whatever create_channels says', async () => {
		assertOk(await api.post('/campaigns',
			{ ...body, segment_ids: ['mix-c'], create_channels: true }), 201);
		assertError(await api.post('/campaigns',
			{ ...body, segment_ids: ['mix-u'], create_channels: true }), 400, 4, /channel_template/);
	});
});

describe('sending', () => {
	test('one message a channel, rendered for it, by the sender', async () => {
		const cids = [await makeChannel('s0', ['bob', 'cid'], { name: 'Zero', colour: 'red' }),
			await makeChannel('s1', ['dan'], { name: 'One' }, 'team')];
		await makeList('s-list', cids);
		const stats = await sendTo('s-list', { message_template: {
			text: '[{{ receiver.name }}] {{ channel.name }} {{ channel.type }}:{{ channel.id }} ' +
				'{{ channel.cid }} {{ channel.colour }} from {{ sender.id }}',
			custom: { at: '{{ channel.id }}' } } });
		assert.deepEqual([stats.audience, stats.messages_sent, stats.channels_created,
			stats.stats_users_sent, stats.progress], [2, 2, 0, 3, 1]);
		const found = await channelsByCid(api, cids);
		const [zero] = found.get(cids[0]).messages;
		assert.equal(zero.text, '[] Zero messaging:s0 messaging:s0 red from ann');
		assert.deepEqual([zero.user.id, zero.type, zero.at, zero.campaign_id,
			zero.created_by_campaign_id], ['ann', 'regular', 's0', stats.id, stats.id]);
		assert.equal(found.get(cids[1]).messages[0].text, '[] One team:s1 team:s1  from ann');
		const { message } = await node.chat.getMessage({ id: zero.id });
		assert.deepEqual([message.cid, message.custom.campaign_id], [cids[0], stats.id]);
	});
	test('a text that says nothing of the channel', async () => {
		const cids = await inParallel(ids('plain', 30), 4, (id) => makeChannel(id, ['bob']));
		await makeList('plain', cids);
		const stats = await sendTo('plain', { message_template: { text: 'From {{ sender.id }}' } });
		assert.equal(stats.messages_sent, 30);
		assert.equal(stats.stats_users_sent, 1);
		for (const { messages } of (await channelsByCid(api, cids)).values())
			assert.deepEqual(messages.map((m) => m.text), ['From ann']);
	});
	test('missing, disabled, frozen, deleted; every target has one outcome', async () => {
		const frozen = await makeChannel('o-frozen', ['bob'], { frozen: true });
		const disabled = await makeChannel('o-disabled', ['bob'], { disabled: true });
		const deleted = await makeChannel('o-deleted', ['bob']);
		server.sql(`UPDATE channels SET deleted_at = 1 WHERE cid = '${deleted}'`);
		await makeList('o-list', [frozen, disabled, deleted, 'messaging:o-never', 'klingon:o-x']);
		await makeList('o-more', [disabled, 'messaging:o-never', 'messaging:o-other']);
		const stats = await sendTo(['o-list', 'o-more']);
		assert.deepEqual([stats.audience, stats.messages_sent, stats.pending, stats.failed],
			[6, 1, 0, {}]);
		assert.deepEqual(stats.skipped, { channel_disabled: 1, no_such_channel: 4 });
	});
	test('nothing but missing channels: completes', async () => {
		await makeList('ghosts', ids('messaging:ghost', 2000));
		const stats = await sendTo('ghosts');
		assert.deepEqual([stats.audience, stats.messages_sent, stats.progress, stats.skipped],
			[2000, 0, 1, { no_such_channel: 2000 }]);
	});
	test('an empty segment, and one that was deleted', async () => {
		await makeList('empty', []);
		assert.equal((await sendTo('empty')).audience, 0);
		await makeList('dropped', [await makeChannel('dropped', ['bob'])]);
		const { campaign } = assertOk(await api.post('/campaigns',
			{ sender_id: 'ann', message_template: HI, segment_ids: ['dropped'] }), 201);
		await js.segment('channel', 'dropped').delete();
		assertOk(await api.post(`/campaigns/${campaign.id}/start`, {}), 201);
		await until('it is completed', async () =>
			(await getCampaign(api, campaign.id)).status === 'completed');
		assert.equal((await getCampaign(api, campaign.id)).stats.audience, 0);
	});
	test('segments that overlap: each channel once', async () => {
		const cids = await inParallel(ids('d', 12), 4,
			(id) => makeChannel(id, ['eve'], { shelf: 'd' }));
		await makeList('d-low', cids.slice(0, 8));
		await makeList('d-high', cids.slice(4));
		await js.segment('channel', 'd-all', { filter: { shelf: 'd' } }).create();
		const stats = await sendTo(['d-low', 'd-high', 'd-all']);
		assert.deepEqual([stats.audience, stats.messages_sent, stats.stats_users_sent], [12, 12, 1]);
		for (const { messages } of (await channelsByCid(api, cids)).values())
			assert.equal(messages.length, 1);
	});
	test('a text that is too long fails its channel alone', async () => {
		const cids = [await makeChannel('long', ['bob'], { name: 'x'.repeat(4000) }),
			await makeChannel('short', ['bob'], { name: 'x' })];
		await makeList('lengths', cids);
		const stats = await sendTo('lengths',
			{ message_template: { text: '{{ channel.name }}{{ channel.name }}' } });
		assert.deepEqual([stats.messages_sent, stats.failed], [1, { message_too_long: 1 }]);
	});
	test('sender_mode include makes the sender a member; else he stays out', async () => {
		const cid = await makeChannel('mode', ['bob']);
		await makeList('mode', [cid]);
		const members = async () => (await channelsByCid(api, [cid])).get(cid).members
			.map((member) => member.user_id).sort();
		await sendTo('mode');
		await sendTo('mode', { sender_mode: 'exclude' });
		assert.deepEqual(await members(), ['bob']);
		const stats = await sendTo('mode', { sender_mode: 'include' });
		assert.deepEqual(await members(), ['ann', 'bob']);
		assert.equal(stats.stats_users_sent, 1);
	});
	test('a sender who is no user any more is told at create', async () => {
		assertError(await api.post('/campaigns', { sender_id: 'nobody', message_template: HI,
			segment_ids: ['mix-c'] }), 404, 16, /sender_id/);
	});
	test('show_channels un-hides for members', async () => {
		const cid = await makeChannel('hid', ['bob', 'cid']);
		await makeList('hid', [cid]);
		server.sql(`UPDATE members SET hidden_at = 1 WHERE channel = (SELECT no FROM channels
			WHERE cid = '${cid}') AND uid = (SELECT uid FROM users WHERE id = 'bob')`);
		const sees = async () => (await inbox(api, 'bob', { filter_conditions:
			{ cid: { $in: [cid] } } })).length;
		await sendTo('hid');
		assert.equal(await sees(), 0);
		await sendTo('hid', { show_channels: true });
		assert.equal(await sees(), 1);
	});
});

describe('stats', () => {
	test('each member counts once, in however many channels', async () => {
		const one = await makeChannel('u1', ['bob', 'cid', 'ann']);
		const two = await makeChannel('u2', ['bob', 'dan', 'ann']);
		await makeList('u-list', [one, two]);
		const stats = await sendTo('u-list');
		assert.deepEqual([stats.messages_sent, stats.stats_users_sent, stats.stats_users_read],
			[2, 3, 0]);
		await markRead(one, 'bob');
		assert.equal(await usersRead(stats.id), 1);
		await markRead(two, 'bob');
		await markRead(one, 'bob');
		await markRead(one, 'ann'); /* the sender */
		assert.equal(await usersRead(stats.id), 1);
		await markRead(two, 'dan');
		await markRead(one, 'cid');
		assert.equal(await usersRead(stats.id), 3);
	});
	test('who joined after the message was sent is not counted', async () => {
		const cid = await makeChannel('late', ['bob']);
		await makeList('late', [cid]);
		const stats = await sendTo('late');
		server.sql(`INSERT INTO members (channel, uid, role, created_at) SELECT c.no, u.uid,
			'channel_member', 1 FROM channels c, users u WHERE c.cid = '${cid}' AND u.id = 'eve'`);
		await markRead(cid, 'eve');
		assert.deepEqual([await usersRead(stats.id), stats.stats_users_sent], [0, 1]);
		await markRead(cid, 'bob');
		assert.equal(await usersRead(stats.id), 1);
	});
	test('a mark of one message of many campaigns', async () => {
		const cid = await makeChannel('many', ['bob']);
		await makeList('many', [cid]);
		const first = await sendTo('many');
		const second = await sendTo('many');
		const { messages } = (await channelsByCid(api, [cid])).get(cid);
		assertOk(await api.post('/channels/messaging/many/read',
			{ user_id: 'bob', message_id: messages[0].id }), 201);
		assert.deepEqual([await usersRead(first.id), await usersRead(second.id)], [1, 0]);
		await markRead(cid, 'bob');
		assert.deepEqual([await usersRead(first.id), await usersRead(second.id)], [1, 1]);
	});
});

describe('channels made by campaigns', () => {
	const made = ids('r', 40).map((id) => `messaging:${id}-zoe`);
	before(async () => {
		/* zoe makes a channel with each, eve is named in all; one of them has left. */
		await send(api, { sender_id: 'zoe', message_template: HI, create_channels: true,
			user_ids: ids('r', 40), channel_template: { type: 'messaging',
				id: '{{receiver.id}}-{{sender.id}}', members: ['eve'], custom: { shelf: 'z' } } });
	});

	test('by list, by filter, by their sender and by a named member', async () => {
		await makeList('z-list', made);
		assert.deepEqual((await sendTo('z-list')).messages_sent, 40);
		await js.segment('channel', 'z-filter', { filter: { shelf: 'z' } }).create();
		await sized('z-filter', 40);
		assert.equal((await sendTo('z-filter')).messages_sent, 40);
		await js.segment('channel', 'z-all', { all_sender_channels: true }).create();
		assert.equal((await sendTo('z-all', { sender_id: 'zoe' })).audience,
			Number(server.sql(`SELECT COUNT(*) FROM channels c WHERE c.deleted_at IS NULL AND (c.origin <> 0 OR
				EXISTS (SELECT 1 FROM members m WHERE m.channel = c.no AND m.uid =
				(SELECT uid FROM users WHERE id = 'zoe')))`)));
		await js.segment('channel', 'z-member',
			{ filter: { members: { $in: ['r00007', 'ghost'] } } }).create();
		await sized('z-member', 1);
	});
	test('members that follow from the campaign are reached and read', async () => {
		const stats = await sendTo('z-list', { message_template: { text: '{{ channel.shelf }}!' } });
		/* 40 receivers, zoe and eve. */
		assert.deepEqual([stats.messages_sent, stats.stats_users_sent], [40, 42]);
		await markRead(made[3], 'r00003');
		await markRead(made[4], 'eve');
		await markRead(made[5], 'eve');
		await markRead(made[5], 'zoe');
		assert.equal(await usersRead(stats.id), 3);
		assert.equal((await channelsByCid(api, [made[9]])).get(made[9]).messages.at(-1).text, 'z!');
	});
	test('by their own sender, who does not count', async () => {
		const stats = await sendTo('z-list', { sender_id: 'zoe' });
		assert.deepEqual([stats.messages_sent, stats.stats_users_sent], [40, 41]);
	});
	test('all_sender_channels: what he is in when it is sent', async () => {
		await js.segment('channel', 'e-all', { all_sender_channels: true }).create();
		const before_ = (await sendTo('e-all', { sender_id: 'eve' })).audience;
		assert.ok(before_ >= 40);
		server.sql(`INSERT INTO members (channel, uid, created_at, removed_at) SELECT c.no, u.uid, 1, 2
			FROM channels c, users u, users r WHERE u.id = 'eve' AND r.id = 'r00000' AND
			c.no / 4096 = r.uid AND c.origin <> 0`);
		await makeChannel('e-new', ['eve']);
		await makeChannel('e-not', ['bob']);
		const after_ = await sendTo('e-all', { sender_id: 'eve' });
		assert.equal(after_.audience, before_); /* one less, one more */
		assert.equal(after_.messages_sent, before_);
		assert.equal((await sendTo('e-all', { sender_id: 'r00001' })).audience, 1);
	});
	test('hidden for the sender who made them, and shown by another', async () => {
		await send(api, { sender_id: 'dan', sender_visibility: 'hidden', message_template: HI,
			create_channels: true, user_ids: ['r00001', 'r00002'], channel_template:
				{ type: 'messaging', id: '{{receiver.id}}-hidden-{{sender.id}}' } });
		const cids = ['messaging:r00001-hidden-dan', 'messaging:r00002-hidden-dan'];
		await makeList('shown', cids);
		const seen = async () => (await inbox(api, 'dan', { filter_conditions:
			{ cid: { $in: cids } } })).length;
		await sendTo('shown');
		assert.equal(await seen(), 0);
		await sendTo('shown', { sender_id: 'dan', show_channels: true });
		assert.equal(await seen(), 0);
		await sendTo('shown', { show_channels: true });
		assert.equal(await seen(), 2);
	});
});

describe('message capacity', () => {
	test('what counts are the channels at the start, of lists and filters', async () => {
		const { server: small, api: its } = await startServer(['ann', 'bob'],
			{ env: { FANFARE_MAU_PLAN: 1 } });
		try {
			for (let i = 0; i < 4; i++)
				assertOk(await its.post(`/channels/messaging/q${i}/query`,
					{ data: { created_by_id: 'bob', members: ['bob'] } }), 201);
			const start = async (id, definition, options = {}) => {
				assertOk(await its.post('/segments', { id, type: 'channel', ...definition }), 201);
				if (options.target_ids)
					assertOk(await its.post(`/segments/${id}/addtargets`, options), 201);
				const { campaign } = assertOk(await its.post('/campaigns',
					{ sender_id: 'ann', message_template: HI, segment_ids: [id] }), 201);
				return its.post(`/campaigns/${campaign.id}/start`, {});
			};
			/* 3 messages a month, 4 channels. */
			assertError(await start('all', { filter: { type: 'messaging' } }), 403, 17, /4/);
			const answer = await start('some', {},
				{ target_ids: ['messaging:q0', 'messaging:q1', 'messaging:never'] });
			assertOk(answer, 201);
			const { stats } = await ended(its, answer.body.campaign.id);
			assert.deepEqual([stats.audience, stats.messages_sent], [3, 2]);
			assertError(await start('again', {}, { target_ids: ['messaging:q2', 'messaging:q3'] }),
				403, 17);
		} finally {
			await small.close();
		}
	});
});

describe('many', () => {
	test('more channels than fit a batch', async () => {
		/* 9,000 users, a derived channel for each. */
		const users = ids('x', 9000);
		await inParallel(Array.from({ length: 90 }, (_, i) => users.slice(i * 100, i * 100 + 100)), 4,
			async (some) => assertOk(await api.post('/users',
				{ users: Object.fromEntries(some.map((id) => [id, { id }])) }), 201));
		await send(api, { sender_id: 'cid', message_template: HI, create_channels: true,
			user_ids: users, channel_template: { type: 'messaging', id: '{{receiver.id}}-{{sender.id}}' } });
		await js.segment('channel', 'm-list', {}).create();
		await js.segment('channel', 'm-list').addTargets(users.map((id) => `messaging:${id}-cid`));
		const stats = await sendTo('m-list');
		assert.deepEqual([stats.audience, stats.messages_sent, stats.stats_users_sent],
			[9000, 9000, 9001]);
	});
});
