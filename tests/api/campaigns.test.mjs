/* campaigns – create, get, update, start, schedule, stop, delete, query in both dialects:
 * api.md §2.1–2.4 and Appendix B. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertError, assertOk, call, jsClient, nodeClient, refused }
	from './lib/clients.mjs';
import { checkStats, ended, getCampaign, ids, makeCampaign, makeUsers, send, startCampaign,
	startServer } from './lib/fixtures.mjs';
import { until } from './lib/wait.mjs';

const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const HOUR = 3600 * 1000;

let server, api, js, node;
before(async () => {
	({ server, api, js, node } = await startServer([{ id: 'ann', name: 'Ann' }, ...ids('u', 30)]));
	for (const id of ['seg1', 'seg2'])
		assertOk(await api.post('/segments', { id, type: 'user', name: id }), 201);
	assertOk(await api.post('/polls', { id: 'poll-id', name: 'Lunch?', user_id: 'ann' }), 201);
});
after(() => server.close());

const plain = (more = {}) => ({ sender_id: 'ann', message_template: { text: 'x' },
	user_ids: ['u00000'], ...more });
const ahead = (ms) => new Date(Date.now() + ms).toISOString();
const idsOf = (list) => list.map(({ id }) => id);

const ZERO_STATS = { progress: 0, stats_progress: 0, stats_started_at: null, started_at: null,
	stats_completed_at: null, completed_at: null, stats_messages_sent: 0, messages_sent: 0,
	stats_channels_created: 0, channels_created: 0, stats_users_sent: 0, stats_users_read: 0,
	audience: 0, skipped: {}, failed: {}, pending: 0 };

describe('create', () => {
	for (const { name, chat } of DIALECTS) {
		test(`${name}: the skeleton of Appendix B`, async () => {
			const answer = assertOk(await api.post(`${chat}/campaigns`, plain()), 201);
			assert.deepEqual(answer.users, {});
			const { id, created_at, updated_at, sender, users, stats, ...rest } = answer.campaign;
			assert.match(id, UUID4);
			assert.ok(created_at && updated_at);
			assert.equal(sender.id, 'ann');
			assert.equal(sender.name, 'Ann');
			assert.deepEqual(idsOf(users), ['u00000']);
			assert.deepEqual(stats, ZERO_STATS);
			for (const addition of ['paused', 'messages_per_second'])
				delete rest[addition];
			assert.deepEqual(rest, { name: '', description: '', status: 'draft', sender_id: 'ann',
				sender_mode: '', sender_visibility: '', segment_ids: [], segments: [],
				user_ids: ['u00000'], create_channels: false, show_channels: false,
				skip_push: false, skip_webhook: false, message_template: { text: 'x' } });
			for (const user of [sender, ...users]) {
				assert.equal(user.role, 'user');
				assert.equal(typeof user.banned, 'boolean');
				assert.equal(typeof user.online, 'boolean');
				if (name === 'v2')
					for (const [key, value] of Object.entries({ custom: {}, teams: [], language: '',
						blocked_user_ids: [], invisible: false, shadow_banned: false }))
						assert.deepEqual(user[key], value, key);
			}
		});

		test(`${name}: every option comes back`, async () => {
			const full = { id: `full-${name}`, name: 'N', description: 'D', sender_id: 'ann',
				sender_mode: 'include', sender_visibility: 'archived', segment_ids: ['seg1', 'seg2'],
				create_channels: true, show_channels: true, skip_push: true, skip_webhook: true,
				message_template: { text: 'Hi {{ receiver.name }}', poll_id: 'poll-id',
					searchable: true, custom: { promotional: true, deep: { list: [1, 'x', null] } },
					attachments: [{ type: 'image', image_url: 'https://x/y.png', own: { a: 1 } }] },
				channel_template: { type: 'messaging', id: '{{receiver.id}}-{{sender.id}}',
					team: 'red', custom: { promotional: true },
					members_template: [{ user_id: 'u00001', channel_role: 'channel_moderator',
						custom: { key1: 'value1' } }, { user_id: 'u00002' }] } };
			const { campaign } = assertOk(await api.post(`${chat}/campaigns`, full), 201);
			for (const [key, value] of Object.entries(full))
				assert.deepEqual(campaign[key], value, key);
			assert.deepEqual(campaign.segments.map(({ id }) => id), ['seg1', 'seg2']);
			for (const segment of campaign.segments)
				for (const key of ['id', 'type', 'name', 'all_users', 'all_sender_channels', 'size',
					'created_at', 'updated_at'])
					assert.ok(key in segment, key);
			assert.deepEqual([campaign.user_ids, campaign.users], [[], []]);
			const again = assertOk(await api.get(`${chat}/campaigns/full-${name}`), 200).campaign;
			assert.deepEqual(again, campaign);
		});
	}

	test('through stream-chat: with an id and without', async () => {
		const campaign = js.campaign('js-c', plain({ name: 'J' }));
		const made = await campaign.create();
		assert.deepEqual([made.campaign.id, campaign.id, made.campaign.name], ['js-c', 'js-c', 'J']);
		const nameless = js.campaign(plain());
		await nameless.create();
		assert.match(nameless.id, UUID4);
		assert.equal((await nameless.get()).campaign.id, nameless.id);
	});
	test('through node-sdk: times are decoded', async () => {
		const { campaign } = await node.chat.createCampaign(plain({ id: 'node-c' }));
		assert.ok(campaign.created_at instanceof Date);
		assert.ok(Math.abs(campaign.created_at - Date.now()) < 60000);
		assert.equal(campaign.stats.stats_started_at, null);
		assert.ok(campaign.sender.created_at instanceof Date);
		assert.ok(campaign.users[0].updated_at instanceof Date);
		assert.deepEqual(campaign.users[0].custom, {});
	});
	test('no audience yet is fine', async () => {
		const { campaign } = assertOk(await api.post('/campaigns',
			{ sender_id: 'ann', message_template: { text: 'x' } }), 201);
		assert.deepEqual([campaign.user_ids, campaign.segment_ids], [[], []]);
	});
	test('unknown users are taken; they have an id but no object', async () => {
		const { campaign } = assertOk(await api.post('/campaigns',
			plain({ user_ids: ['u00001', 'nobody', 'u00000'] })), 201);
		assert.deepEqual(campaign.user_ids, ['nobody', 'u00000', 'u00001']);
		assert.deepEqual(idsOf(campaign.users), ['u00000', 'u00001']);
	});
	test('the same user twice is one', async () => {
		const { campaign } = assertOk(await api.post('/campaigns',
			plain({ user_ids: ['u00001', 'u00000', 'u00001'] })), 201);
		assert.deepEqual(campaign.user_ids, ['u00000', 'u00001']);
	});
	test('10,000 users, 25 segments, 30 attachments, 1000 members', async () => {
		await makeCampaign(api, plain({ user_ids: ids('many', 10000) }));
		for (const id of ids('twenty', 25))
			assertOk(await api.post('/segments', { id, type: 'user' }), 201);
		await makeCampaign(api, plain({ user_ids: undefined, segment_ids: ids('twenty', 25) }));
		await makeCampaign(api, plain({ message_template: { text: 'x',
			attachments: Array(30).fill({ type: 'image' }) } }));
		await makeCampaign(api, plain({ channel_template:
			{ type: 'messaging', members: ids('u', 1000) } }));
	});

	const contradictions = {
		'both segment_ids and user_ids': { segment_ids: ['seg1'] },
		'members together with members_template': { channel_template: { type: 'messaging',
			members: ['u00000'], members_template: [{ user_id: 'u00001' }] } },
		'create_channels without channel_template': { create_channels: true },
	};
	for (const [name, more] of Object.entries(contradictions))
		test(`${name}: 400 code 4`, async () => {
			for (const { chat } of DIALECTS)
				assertError(await api.post(`${chat}/campaigns`, plain(more)), 400, 4,
					/^CreateCampaign failed with error: "/);
		});
	test('empty lists contradict nothing', async () => {
		await makeCampaign(api, plain({ segment_ids: [] }));
		await makeCampaign(api, { ...plain(), user_ids: [], segment_ids: ['seg1'] });
	});
	test('segment_ids:[null], as the documented example gives with stream-chat', async () => {
		const segment = js.segment('user', { name: 'x' });
		await segment.create();
		await refused(js.campaign(plain({ user_ids: undefined, segment_ids: [segment.id] })).create(),
			4, /segment_ids\[0\]/);
	});
	test('unknown segment, unknown or deleted sender: 404 code 16 that names it', async () => {
		assertError(await api.post('/campaigns', plain({ user_ids: undefined,
			segment_ids: ['seg1', 'seg9'] })), 404, 16, /seg9/);
		assertError(await api.post('/campaigns', plain({ sender_id: 'nobody' })), 404, 16, /nobody/);
		await js.upsertUser({ id: 'gone' });
		await js.deleteUsers(['gone']);
		assertError(await api.post('/campaigns', plain({ sender_id: 'gone' })), 404, 16, /gone/);
	});
	test('an id that is taken: 400 code 4', async () => {
		await makeCampaign(api, plain({ id: 'taken' }));
		assertError(await api.post('/campaigns', plain({ id: 'taken' })), 400, 4, /taken/);
	});
});

describe('get and its user pages', () => {
	const all = ids('u', 30);
	before(() => makeCampaign(api, plain({ id: 'paged', user_ids: [...all].reverse() })));

	test('all at once by default, by id', async () => {
		const answer = assertOk(await api.get('/campaigns/paged'), 200);
		assert.deepEqual(answer.campaign.user_ids, all);
		assert.deepEqual(idsOf(answer.campaign.users), all);
		assert.deepEqual(answer.users, {});
	});
	test('stream-chat: next and prev', async () => {
		const campaign = js.campaign('paged');
		const one = await campaign.get({ users: { limit: 12 } });
		assert.deepEqual(idsOf(one.campaign.users), all.slice(0, 12));
		assert.equal(one.users.prev, undefined);
		/* As documented, both cursors of page 1 are passed on; prev is absent there. */
		const two = await campaign.get({ users: { limit: 12, next: one.users.next,
			prev: one.users.prev } });
		assert.deepEqual(two.campaign.user_ids, all.slice(12, 24));
		const three = await campaign.get({ users: { limit: 12, next: two.users.next } });
		assert.deepEqual(idsOf(three.campaign.users), all.slice(24));
		assert.equal(three.users.next, undefined);
		const back = await campaign.get({ users: { limit: 12, prev: three.users.prev } });
		assert.deepEqual(idsOf(back.campaign.users), all.slice(12, 24));
		const first = await campaign.get({ users: { limit: 12, prev: two.users.prev } });
		assert.deepEqual(idsOf(first.campaign.users), all.slice(0, 12));
		assert.equal(first.users.prev, undefined);
		assert.equal(first.next, first.users.next);
	});
	test('node-sdk: the root carries copies of the cursors', async () => {
		const one = await node.chat.getCampaign({ id: 'paged', limit: 20 });
		assert.equal(one.next, one.users.next);
		const two = await node.chat.getCampaign({ id: 'paged', limit: 20, next: one.next });
		assert.deepEqual(idsOf(two.campaign.users), all.slice(20));
		assert.equal(two.prev, two.users.prev);
	});
	test('limits and cursors that are wrong: 400 code 4', async () => {
		const one = assertOk(await api.get('/campaigns/paged', { limit: 5 }), 200);
		for (const query of [{ limit: 1001 }, { limit: -1 }, { limit: 'x' }, { limit: '5x' },
			{ next: 'x' }, { prev: 'x' }, { next: one.users.next, prev: one.users.next }])
			assertError(await api.get('/campaigns/paged', query), 400, 4);
		await makeCampaign(api, plain({ id: 'other' }));
		assertError(await api.get('/campaigns/other', { next: one.users.next }), 400, 4);
		assert.equal(assertOk(await api.get('/campaigns/paged', { limit: 0 }), 200)
			.campaign.users.length, 30);
	});
	test('2000 users in pages of 1000', async () => {
		const many = ids('p', 2000);
		await makeCampaign(api, plain({ id: 'p2000', user_ids: many }));
		const one = await js.campaign('p2000').get({ users: { limit: 1000 } });
		const two = await js.campaign('p2000').get({ users: { limit: 1000, next: one.users.next } });
		assert.deepEqual([...one.campaign.user_ids, ...two.campaign.user_ids], many);
		assert.equal(two.users.next, undefined);
		const back = await js.campaign('p2000').get({ users: { limit: 1000, prev: two.users.prev } });
		assert.deepEqual(back.campaign.user_ids, one.campaign.user_ids);
		/* A thousand is the default, too. */
		const plainly = assertOk(await api.get('/api/v2/chat/campaigns/p2000'), 200);
		assert.deepEqual([plainly.campaign.user_ids.length, Boolean(plainly.users.next)], [1000, true]);
	});
	test('unknown: 404 code 16', async () => {
		await refused(js.campaign('c9').get(), 16, /GetCampaign failed.*c9/);
		await refused(node.chat.getCampaign({ id: 'c9' }), 16, /c9/);
	});
});

describe('update', () => {
	test('stream-chat: partial', async () => {
		await makeCampaign(api, plain({ id: 'upd', name: 'a', description: 'd',
			message_template: { text: 't', custom: { k: 1 } } }));
		const { campaign, users } = await js.updateCampaign('upd', { name: 'z' });
		assert.deepEqual([campaign.id, campaign.name, campaign.description, campaign.sender_id,
			campaign.message_template], ['upd', 'z', 'd', 'ann', { text: 't', custom: { k: 1 } }]);
		assert.deepEqual(users, {});
		const { campaign: two } = await js.campaign('upd').update({ id: 'other', user_ids: undefined,
			message_template: { text: 'new' }, sender_mode: 'exclude' });
		assert.deepEqual([two.id, two.message_template, two.sender_mode, two.user_ids],
			['upd', { text: 'new' }, 'exclude', ['u00000']]);
		assert.notEqual(two.updated_at, campaign.updated_at);
		assert.equal(two.created_at, campaign.created_at);
	});
	test('node-sdk: the dual body', async () => {
		await makeCampaign(api, plain({ id: 'dual' }));
		const raw = assertOk(await api.put('/api/v2/chat/campaigns/dual', { name: 'raw' }), 201);
		const { campaign, duration, ...root } = raw;
		assert.deepEqual(root, campaign);
		assert.match(duration, /s$/);
		const answer = await node.chat.updateCampaign({ id: 'dual', name: 'sdk', sender_id: 'ann',
			message_template: { text: 'y' } });
		assert.deepEqual([answer.id, answer.name, answer.message_template.text],
			['dual', 'sdk', 'y']);
		assert.ok(answer.created_at instanceof Date);
	});
	test('the audience can change its kind when the other is emptied', async () => {
		await makeCampaign(api, plain({ id: 'kind' }));
		assertError(await api.put('/campaigns/kind', { segment_ids: ['seg1'] }), 400, 4);
		const { campaign } = assertOk(await api.put('/campaigns/kind',
			{ segment_ids: ['seg1'], user_ids: [] }), 201);
		assert.deepEqual([campaign.segment_ids, campaign.user_ids], [['seg1'], []]);
		const back = assertOk(await api.put('/campaigns/kind',
			{ segment_ids: [], user_ids: ['u00002'] }), 201).campaign;
		assert.deepEqual([back.segment_ids, back.segments, back.user_ids], [[], [], ['u00002']]);
	});
	test('the merged result is validated like a create; a refusal changes nothing', async () => {
		await makeCampaign(api, plain({ id: 'valid', name: 'before' }));
		for (const [more, status, code] of [[{ create_channels: true }, 400, 4],
			[{ sender_id: 'nobody' }, 404, 16], [{ message_template: { text: '{{' } }, 400, 4],
			[{ sender_mode: 'x' }, 400, 4], [{ message_template: {} }, 400, 4],
			[{ user_ids: [], segment_ids: ['seg9'] }, 404, 16]])
			assertError(await api.put('/campaigns/valid', { name: 'after', ...more }), status, code,
				/^UpdateCampaign failed with error: "/);
		assert.equal((await getCampaign(api, 'valid')).name, 'before');
		assertOk(await api.put('/campaigns/valid', { create_channels: true,
			channel_template: { type: 'messaging' } }), 201);
	});
	test('not once it was sent or stopped', async () => {
		await makeCampaign(api, plain({ id: 'sent' }));
		await startCampaign(api, 'sent');
		await ended(api, 'sent');
		assertError(await api.put('/campaigns/sent', { name: 'late' }), 400, 4, /completed/);
		await makeCampaign(api, plain({ id: 'halted' }));
		await startCampaign(api, 'halted', { scheduled_for: ahead(HOUR) });
		assertOk(await api.put('/campaigns/halted', { name: 'scheduled is fine' }), 201);
		assertOk(await api.post('/campaigns/halted/stop'), 201);
		assertError(await api.put('/campaigns/halted', { name: 'late' }), 400, 4, /stopped/);
	});
});

describe('start and schedule', () => {
	for (const { name, chat } of DIALECTS) {
		test(`${name}: at once`, async () => {
			const id = `start-${name}`;
			await makeCampaign(api, plain({ id }));
			const answer = assertOk(await api.post(`${chat}/campaigns/${id}/start`, {}), 201);
			assert.deepEqual(answer.users, {});
			assert.ok(['in_progress', 'completed'].includes(answer.campaign.status));
			assert.notEqual(answer.campaign.stats.stats_started_at, null);
			const campaign = await ended(api, id);
			assert.equal(campaign.status, 'completed');
			assert.ok(!('scheduled_for' in campaign) && !('stop_at' in campaign));
			assert.deepEqual(campaign.stats.skipped, { no_channel: 1 });
		});
		test(`${name}: scheduled with stop_at, stopped, deleted`, async () => {
			const id = `sched-${name}`;
			await makeCampaign(api, plain({ id }));
			const { campaign } = assertOk(await api.post(`${chat}/campaigns/${id}/start`,
				{ scheduled_for: ahead(HOUR), stop_at: ahead(2 * HOUR) }), 201);
			assert.equal(campaign.status, 'scheduled');
			assert.ok(campaign.scheduled_for && campaign.stop_at);
			assert.equal(campaign.stats.stats_started_at, null);
			assertError(await api.post(`${chat}/campaigns/${id}/start`, {}), 400, 4, /scheduled/);
			const stopped = assertOk(await api.post(`${chat}/campaigns/${id}/stop`, {}), 201);
			assert.equal(stopped.campaign.status, 'stopped');
			if (name === 'v2') {
				const { campaign: inner, duration, ...root } = stopped;
				assert.ok(duration);
				assert.deepEqual(root, inner);
			} else {
				assert.deepEqual(stopped.users, {});
			}
			assertError(await api.post(`${chat}/campaigns/${id}/start`, {}), 400, 4, /stopped/);
			assert.deepEqual(Object.keys(assertOk(await api.del(`${chat}/campaigns/${id}`), 200)),
				['duration']);
			assertError(await api.get(`${chat}/campaigns/${id}`), 404, 16);
		});
	}
	test('stream-chat: scheduledFor and stopAt', async () => {
		const campaign = js.campaign(plain());
		await campaign.create();
		const at = ahead(48 * HOUR);
		const answer = await campaign.start({ scheduledFor: at, stopAt: ahead(72 * HOUR) });
		assert.equal(Date.parse(answer.campaign.scheduled_for), Date.parse(at));
		assert.equal((await campaign.stop()).campaign.status, 'stopped');
		await campaign.delete();
		await refused(campaign.get(), 16);
	});
	test('node-sdk: dates in, dates out', async () => {
		const { campaign } = await node.chat.createCampaign(plain());
		/* Whole seconds: the SDK reads nanoseconds as a double, which rounds others. */
		const at = new Date(Math.ceil(Date.now() / 1000) * 1000 + HOUR);
		const { campaign: started } = await node.chat.startCampaign({ id: campaign.id,
			scheduled_for: at, stop_at: new Date(Date.now() + 2 * HOUR) });
		assert.equal(started.scheduled_for.getTime(), at.getTime());
		const stopped = await node.chat.stopCampaign({ id: campaign.id });
		assert.equal(stopped.status, 'stopped');
		assert.equal(stopped.scheduled_for.getTime(), at.getTime());
		await node.chat.deleteCampaign({ id: campaign.id });
	});
	test('every form of a time', async () => {
		const at = Date.now() + HOUR;
		const whole = Math.floor(at / 1000) * 1000;
		const iso = new Date(whole).toISOString();
		const forms = [iso, iso.replace('.000Z', 'Z'), iso.replace('.000Z', '+00:00'),
			iso.replace('.000Z', '.000000Z'), iso.replace('.000Z', '.000000000Z'),
			new Date(whole + 2 * HOUR).toISOString().replace('.000Z', '+02:00'),
			new Date(whole - 5.5 * HOUR).toISOString().replace('.000Z', '-05:30'), `${whole}000000`];
		for (const form of forms) {
			const { id } = await makeCampaign(api, plain());
			const raw = /^\d+$/.test(form) ? `{"scheduled_for":${form}}`
				: JSON.stringify({ scheduled_for: form });
			const { campaign } = assertOk(await call(server, 'POST',
				`/api/v2/chat/campaigns/${id}/start`, { raw }), 201);
			assert.equal(Math.round(campaign.scheduled_for / 1e6), whole, form);
			assertOk(await api.del(`/campaigns/${id}`), 200);
		}
	});
	test('times that are none: 400 code 4, the campaign stays a draft', async () => {
		await makeCampaign(api, plain({ id: 'badtime' }));
		for (const field of ['scheduled_for', 'stop_at'])
			for (const value of ['', 'tomorrow', '2031-13-01T00:00:00Z', '2031-02-30T00:00:00Z',
				'2031-01-01', '2031-01-01T25:00:00Z', '2031-01-01T00:00:00', true, {}, [], 1.5])
				assertError(await api.post('/campaigns/badtime/start', { [field]: value }), 400, 4,
					new RegExp(field));
		assert.equal((await getCampaign(api, 'badtime')).status, 'draft');
	});
	test('a past scheduled_for starts at once', async () => {
		await makeCampaign(api, plain({ id: 'past' }));
		const campaign = await startCampaign(api, 'past', { scheduled_for: '2021-12-31T23:59:59Z' });
		assert.ok(['in_progress', 'completed'].includes(campaign.status));
		assert.equal((await ended(api, 'past')).status, 'completed');
	});
	test('stop_at in the past or not after the start: 400 code 4', async () => {
		await makeCampaign(api, plain({ id: 'stopat' }));
		for (const options of [{ stop_at: '2022-01-01T23:59:59Z' },
			{ scheduled_for: '2021-12-31T23:59:59Z', stop_at: '2022-01-01T23:59:59Z' },
			{ scheduled_for: ahead(2 * HOUR), stop_at: ahead(HOUR) }])
			assertError(await api.post('/campaigns/stopat/start', options), 400, 4, /stop_at/);
		const at = ahead(HOUR);
		assertError(await api.post('/campaigns/stopat/start', { scheduled_for: at, stop_at: at }),
			400, 4, /stop_at/);
		assert.equal((await getCampaign(api, 'stopat')).status, 'draft');
	});
	test('no audience: 400 code 4', async () => {
		await makeCampaign(api, { ...plain(), id: 'nobody', user_ids: undefined });
		assertError(await api.post('/campaigns/nobody/start', {}), 400, 4, /segment_ids|user_ids/);
	});
	test('a schedule 1 s ahead starts by itself and not before', async () => {
		await makeCampaign(api, plain({ id: 'soon' }));
		const at = Date.now() + 1000;
		await startCampaign(api, 'soon', { scheduled_for: new Date(at).toISOString() });
		const campaign = await until('the scheduled campaign has completed', async () => {
			const now = await getCampaign(api, 'soon');
			checkStats(now);
			return now.status === 'completed' && now;
		});
		assert.ok(Date.parse(campaign.stats.stats_started_at) >= at - 1,
			`${campaign.stats.stats_started_at} is before ${new Date(at).toISOString()}`);
		assert.ok(Date.parse(campaign.stats.stats_started_at) < at + 10000);
		assert.ok(campaign.scheduled_for);
	});
	test('what fell due while the server was down starts with it', async () => {
		await makeCampaign(api, plain({ id: 'due' }));
		const at = Date.now() + 500;
		await startCampaign(api, 'due', { scheduled_for: new Date(at).toISOString() });
		await server.stop();
		await until('the campaign is due', () => Date.now() > at);
		await server.start();
		js = jsClient(server);
		node = nodeClient(server);
		assert.equal((await ended(api, 'due')).status, 'completed');
	});
	test('a stop_at that is not reached changes nothing', async () => {
		await makeCampaign(api, plain({ id: 'late', user_ids: undefined, segment_ids: ['seg1'] }));
		await startCampaign(api, 'late', { stop_at: ahead(HOUR) });
		const campaign = await ended(api, 'late');
		assert.equal(campaign.status, 'completed');
		assert.ok(campaign.stop_at);
	});
	test('100 starts at once: one wins', async () => {
		await makeCampaign(api, plain({ id: 'race', user_ids: ids('u', 30) }));
		const answers = await Promise.all(Array.from({ length: 100 }, () =>
			api.post('/campaigns/race/start', {})));
		assert.equal(answers.filter(({ status }) => status === 201).length, 1);
		for (const answer of answers)
			if (answer.status !== 201)
				assertError(answer, 400, 4);
		await ended(api, 'race');
	});
});

describe('stop', () => {
	test('a draft: 400 code 4', async () => {
		await makeCampaign(api, plain({ id: 'sd' }));
		for (const { chat } of DIALECTS)
			assertError(await api.post(`${chat}/campaigns/sd/stop`), 400, 4, /draft/);
		assert.equal((await getCampaign(api, 'sd')).status, 'draft');
	});
	test('completed or stopped: 201, unchanged', async () => {
		const done = await send(api, plain({ id: 'sc' }));
		const { campaign } = await js.campaign('sc').stop();
		assert.equal(campaign.status, 'completed');
		assert.deepEqual(campaign.stats, done.stats);
		assert.equal(campaign.updated_at, done.updated_at);
		await makeCampaign(api, plain({ id: 'ss' }));
		await startCampaign(api, 'ss', { scheduled_for: ahead(HOUR) });
		const one = assertOk(await api.post('/campaigns/ss/stop'), 201).campaign;
		const two = assertOk(await api.post('/campaigns/ss/stop', {}), 201).campaign;
		assert.deepEqual(two, one);
	});
	test('right after a start, then deleted', async () => {
		for (let i = 0; i < 10; i++) {
			const campaign = js.campaign(plain({ user_ids: ids('u', 30) }));
			await campaign.create();
			await campaign.start();
			const { campaign: stopped } = await campaign.stop();
			assert.ok(['stopped', 'completed'].includes(stopped.status), stopped.status);
			checkStats(stopped);
			await campaign.delete();
			await refused(campaign.get(), 16);
		}
	});
	test('without a body, with null, with {}', async () => {
		for (const raw of [undefined, '', 'null', '{}']) {
			const { id } = await makeCampaign(api, plain());
			await startCampaign(api, id, { scheduled_for: ahead(HOUR) });
			const { campaign } = assertOk(await call(server, 'POST', `/campaigns/${id}/stop`,
				{ raw }), 201);
			assert.equal(campaign.status, 'stopped');
		}
	});
});

describe('delete', () => {
	test('draft, scheduled, stopped, completed; afterwards everything is 404', async () => {
		const prepare = {
			draft: async () => {},
			scheduled: (id) => startCampaign(api, id, { scheduled_for: ahead(HOUR) }),
			stopped: async (id) => {
				await startCampaign(api, id, { scheduled_for: ahead(HOUR) });
				assertOk(await api.post(`/campaigns/${id}/stop`), 201);
			},
			completed: async (id) => {
				await startCampaign(api, id);
				await ended(api, id);
			},
		};
		for (const [status, reach] of Object.entries(prepare)) {
			const id = `del-${status}`;
			await makeCampaign(api, plain({ id }));
			await reach(id);
			assert.equal((await getCampaign(api, id)).status, status);
			assertOk(await api.del(`/campaigns/${id}`), 200);
			for (const answer of [await api.get(`/campaigns/${id}`), await api.del(`/campaigns/${id}`),
				await api.put(`/campaigns/${id}`, { name: 'x' }),
				await api.post(`/campaigns/${id}/start`, {}), await api.post(`/campaigns/${id}/stop`)])
				assertError(answer, 404, 16);
			assert.deepEqual((await js.queryCampaigns({ id })).campaigns, []);
			await makeCampaign(api, plain({ id }));
		}
	});
	test('deleting a scheduled one cancels it', async () => {
		await makeUsers(api, ['cancelled']);
		await makeCampaign(api, plain({ id: 'cancel', user_ids: ['cancelled'],
			create_channels: true, channel_template: { type: 'messaging' } }));
		await startCampaign(api, 'cancel', { scheduled_for: ahead(500) });
		assertOk(await api.del('/campaigns/cancel'), 200);
		/* A campaign that is due later has run: the deleted one had its chance. */
		await makeCampaign(api, plain({ id: 'after' }));
		await startCampaign(api, 'after', { scheduled_for: ahead(700) });
		await ended(api, 'after');
		const { channels } = assertOk(await api.post('/channels',
			{ filter_conditions: { members: { $in: ['cancelled'] } } }), 201);
		assert.deepEqual(channels, []);
	});
	test('segment and users can go before or after', async () => {
		await js.segment('user', 'shortlived', {}).create();
		await makeUsers(api, ['leaver']);
		await makeCampaign(api, plain({ id: 'left', sender_id: 'leaver', user_ids: undefined,
			segment_ids: ['shortlived', 'seg1'] }));
		await js.segment('user', 'shortlived').delete();
		await js.deleteUsers(['leaver'], { user: 'hard' });
		const campaign = await getCampaign(api, 'left');
		assert.deepEqual(idsOf(campaign.segments), ['seg1']);
		assert.equal(campaign.sender_id, 'leaver');
		assert.equal(campaign.sender, undefined);
		assertOk(await api.del('/campaigns/left'), 200);
	});
});

describe('query', () => {
	const mine = { id: { $in: ['q0', 'q1', 'q2', 'q3', 'q4'] } };
	before(async () => {
		await makeUsers(api, ['eve']);
		await makeCampaign(api, plain({ id: 'q0', name: 'b' }));
		await makeCampaign(api, plain({ id: 'q1', name: 'a', sender_id: 'eve' }));
		await makeCampaign(api, plain({ id: 'q2', name: 'c', user_ids: undefined,
			segment_ids: ['seg1', 'seg2'] }));
		await makeCampaign(api, plain({ id: 'q3', name: 'b', user_ids: ids('u', 30) }));
		await makeCampaign(api, plain({ id: 'q4', name: 'd', user_ids: undefined,
			segment_ids: ['seg2'] }));
		await startCampaign(api, 'q1', { scheduled_for: ahead(HOUR) });
		await startCampaign(api, 'q0');
		await ended(api, 'q0');
	});

	const cases = [
		[{ id: { $eq: 'q2' } }, 'q2'], [{ id: 'q2' }, 'q2'], [{ id: { $gt: 'q2' } }, 'q3 q4'],
		[{ id: { $in: ['q0', 'q4', 'x'] } }, 'q0 q4'], [{ id: { $exists: true } }, 'q0 q1 q2 q3 q4'],
		[{ name: { $in: ['a', 'b'] } }, 'q0 q1 q3'], [{ name: { $lte: 'b' } }, 'q0 q1 q3'],
		[{ sender_id: { $in: ['eve', 'x'] } }, 'q1'], [{ sender_id: 'ann' }, 'q0 q2 q3 q4'],
		[{ status: { $in: ['scheduled', 'in_progress'] } }, 'q1'], [{ status: 'completed' }, 'q0'],
		[{ status: 'draft' }, 'q2 q3 q4'],
		[{ segments: { $in: ['seg1', 'nothing'] } }, 'q2'], [{ segments: { $in: ['seg2'] } }, 'q2 q4'],
		[{ segments: { $contains: 'seg1' } }, 'q2'],
		[{ created_at: { $gte: '2021-01-01T00:00:00Z' } }, 'q0 q1 q2 q3 q4'],
		[{ updated_at: { $lt: '2021-01-01T00:00:00Z' } }, ''],
		[{ $or: [{ id: 'q0' }, { name: 'd' }] }, 'q0 q4'],
		[{ $nor: [{ name: 'b' }, { sender_id: 'eve' }] }, 'q2 q4'],
		[{ name: 'b', status: 'draft' }, 'q3'], [{}, 'q0 q1 q2 q3 q4'],
	];
	for (const { name, chat } of DIALECTS) {
		test(`${name}: filters`, async () => {
			for (const [filter, expected] of cases) {
				const { campaigns } = assertOk(await api.post(`${chat}/campaigns/query`,
					{ filter: { $and: [mine, filter] }, sort: [{ field: 'id' }] }), 201);
				assert.equal(idsOf(campaigns).join(' '), expected, JSON.stringify(filter));
			}
		});
		test(`${name}: every sort, ties by id`, async () => {
			for (const [field, direction, expected] of [['created_at', -1, 'q4 q3 q2 q1 q0'],
				['created_at', 1, 'q0 q1 q2 q3 q4'], ['name', 1, 'q1 q0 q3 q2 q4'],
				['name', -1, 'q4 q2 q0 q3 q1'], ['status', 1, 'q0 q2 q3 q4 q1'],
				['sender_id', -1, 'q1 q0 q2 q3 q4'], ['id', undefined, 'q0 q1 q2 q3 q4']]) {
				const { campaigns } = assertOk(await api.post(`${chat}/campaigns/query`,
					{ filter: mine, sort: [{ field, direction }] }), 201);
				assert.equal(idsOf(campaigns).join(' '), expected, `${field} ${direction}`);
			}
			const { campaigns } = assertOk(await api.post(`${chat}/campaigns/query`,
				{ filter: mine, sort: [{ field: 'updated_at' }] }), 201);
			const times = campaigns.map(({ updated_at }) => updated_at);
			assert.deepEqual(times, [...times].sort());
		});
	}
	/* api.md §2.3.7, the table: what stands there is taken, what does not is refused. */
	const SCALAR = ['$eq', '$exists', '$gt', '$gte', '$in', '$lt', '$lte'];
	const TABLE = { id: SCALAR, name: SCALAR, sender_id: SCALAR, status: SCALAR,
		segments: ['$contains', '$eq', '$in'], created_at: SCALAR, updated_at: SCALAR, colour: [] };
	for (const { name, chat } of DIALECTS)
		test(`${name}: each field takes its operators and no others`, async () => {
			const wrong = [];
			for (const [field, allowed] of Object.entries(TABLE))
				for (const op of [...SCALAR, '$ne', '$nin', '$contains', '$autocomplete', '$q', '$regex']) {
					const one = field.endsWith('_at') ? '2027-01-01T00:00:00Z' : 'x';
					const filter = { [field]: { [op]: op === '$exists' ? true : op === '$in' ? [one] : one } };
					const answer = await api.post(`${chat}/campaigns/query`, { filter });
					const [status, code] = allowed.includes(op) ? [201, undefined] : [400, 4];
					if (answer.status !== status || answer.body.code !== code ||
						(code && !answer.body.message.includes(field)))
						wrong.push(`${JSON.stringify(filter)} → ${answer.text.slice(0, 150)}`);
				}
			assert.deepEqual(wrong, []);
		});
	test('stream-chat: the documented pages', async () => {
		const sort = [{ field: 'created_at', direction: -1 }];
		const { campaigns, next, prev } = await js.queryCampaigns(mine, sort, { limit: 2 });
		assert.deepEqual(idsOf(campaigns), ['q4', 'q3']);
		assert.equal(prev, undefined);
		const two = await js.queryCampaigns(mine, sort, { limit: 2, next });
		assert.deepEqual(idsOf(two.campaigns), ['q2', 'q1']);
		const three = await js.queryCampaigns(mine, sort, { limit: 2, next: two.next });
		assert.deepEqual(idsOf(three.campaigns), ['q0']);
		assert.equal(three.next, undefined);
		const back = await js.queryCampaigns({}, [], { limit: 2, prev: three.prev });
		assert.deepEqual(idsOf(back.campaigns), ['q2', 'q1']);
	});
	test('a cursor carries filter and sort', async () => {
		const one = await js.queryCampaigns(mine, [{ field: 'name', direction: 1 }], { limit: 2 });
		const two = await js.queryCampaigns({ id: 'q1' }, [{ field: 'created_at', direction: 1 }],
			{ limit: 1, next: one.next });
		assert.deepEqual(idsOf(two.campaigns), ['q3']);
		assert.ok(two.next);
	});
	test('tampered, foreign and doubled cursors: 400 code 4', async () => {
		const { next } = await js.queryCampaigns(mine, [], { limit: 2 });
		for (let at = 0; at < next.length; at += Math.ceil(next.length / 16)) {
			const altered = next.slice(0, at) + (next[at] === 'x' ? 'y' : 'x') + next.slice(at + 1);
			assertError(await api.post('/campaigns/query', { next: altered }), 400, 4, /next|cursor/);
		}
		assertError(await api.post('/campaigns/query', { next, prev: next }), 400, 4);
		assertError(await api.post('/segments/query', { next }), 400, 4);
	});
	test('user_limit: 10 by default', async () => {
		const ask = async (options) => (await js.queryCampaigns({ id: 'q3' }, undefined, options))
			.campaigns[0];
		assert.deepEqual(idsOf((await ask()).users), ids('u', 10));
		assert.deepEqual((await ask({ user_limit: 3 })).user_ids, ids('u', 3));
		assert.equal((await ask({ user_limit: 1000 })).users.length, 30);
		assert.equal((await ask({ user_limit: 0 })).users.length, 10);
	});
	test('nothing asked: the newest 30; offset is ignored', async () => {
		for (const id of ids('bulk', 31))
			await makeCampaign(api, plain({ id }));
		const { campaigns, next } = assertOk(await api.post('/campaigns/query',
			{ offset: 5, limit: 0 }), 201);
		assert.deepEqual(idsOf(campaigns), ids('bulk', 31).reverse().slice(0, 30));
		assert.ok(next);
		assert.equal((await node.chat.queryCampaigns()).campaigns.length, 30);
		assert.ok((await node.chat.queryCampaigns({ limit: 100 })).campaigns.length > 31);
	});
	test('node-sdk: decoded like a single one', async () => {
		const { campaigns } = await node.chat.queryCampaigns({ filter: { id: { $eq: 'q0' } },
			sort: [{ field: 'created_at', direction: -1 }], limit: 10 });
		assert.equal(campaigns.length, 1);
		assert.ok(campaigns[0].stats.stats_completed_at instanceof Date);
		assert.equal(campaigns[0].status, 'completed');
	});
});

test('the 2022 API: its wrapper is taken, its endpoints are not there', async () => {
	await makeCampaign(api, plain({ id: 'old' }));
	for (const [method, path, body] of [['PATCH', '/campaigns/old/schedule', { send_at: ahead(HOUR) }],
		['PATCH', '/campaigns/old/resume', {}]])
		assertError(await call(server, method, path, { body }), 404, 16);
	for (const [method, path] of [['GET', '/campaigns'], ['GET', '/segments'], ['PATCH', '/campaigns/old/stop']])
		assertError(await call(server, method, path, { body: method === 'GET' ? undefined : {} }), 405, 4);
	assert.equal((await api.post('/campaigns', { campaign: plain({ id: 'wrapped' }) })).body.campaign.id, 'wrapped');
	assert.equal((await api.post('/segments', { segment: { id: 'wrapped', type: 'user' } })).body.segment.id, 'wrapped');
	assert.equal((await getCampaign(api, 'old')).status, 'draft');
});
