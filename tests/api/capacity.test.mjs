/* capacity – the messages of a month: who may start, what is counted, what comes back (api.md
 * §11.2). */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertError, assertOk, jsClient, nodeClient, rawClient, refused } from './lib/clients.mjs';
import { checkStats, ended, getCampaign, ids, inParallel, makeCampaign, makeUsers, send, startCampaign } from './lib/fixtures.mjs';
import { ON_PG, Server, run } from './lib/server.mjs';
import { holds, until } from './lib/wait.mjs';

const PLAN = 100; /* users, so 300 messages a month */
const LIMIT = 3 * PLAN;
const WORLD = ids('w', LIMIT + 50);

/* A server whose store is new, with users and an empty segment to ask with. */
async function startWith(plan, options = {}) {
	const server = await Server.start({ ...options, env: { FANFARE_MAU_PLAN: plan, ...options.env } });
	const api = rawClient(server);
	await makeUsers(api, ['news', ...WORLD]);
	assertOk(await api.post('/segments', { id: 'nobody', type: 'user' }), 201);
	return { server, api };
}

const HEADERS = ['limit', 'used', 'left'];
const numbers = (answer) => Object.fromEntries(HEADERS.map((name) =>
	[name, Number(answer.headers[`x-message-capacity-${name}`])]));

/* A draft to these users; each sends into channels of its own, so that none is skipped. */
let serial = 0;
const draft = (api, user_ids, more = {}) => makeCampaign(api, { sender_id: 'news', user_ids, create_channels: true,
	channel_template: { type: 'messaging', id: `c${serial++}-{{receiver.id}}` }, message_template: { text: 'x' }, ...more });
const start = (api, { id }, options = {}) => api.post(`/campaigns/${id}/start`, options);

/* What stands in the headers of a start that takes nothing. */
async function capacity(api) {
	const answer = await start(api, await draft(api, undefined, { segment_ids: ['nobody'] }));
	assertOk(answer, 201);
	return numbers(answer);
}
const assertUsed = async (api, used) =>
	assert.deepEqual(await capacity(api), { limit: LIMIT, used, left: Math.max(LIMIT - used, 0) });

const sendTo = async (api, user_ids, more) => {
	const campaign = await draft(api, user_ids, more);
	assertOk(await start(api, campaign), 201);
	return ended(api, campaign.id);
};

/* Starts far enough ahead for what is asked meanwhile. */
const soon = (s) => new Date(Date.now() + s * 1000).toISOString();

describe('a plan of 100 users', () => {
	let server, api;
	before(async () => ({ server, api } = await startWith(PLAN)));
	after(() => server.close());

	test('each message takes one; skipped and failed recipients take none', async () => {
		await assertUsed(api, 0);
		const { stats } = await sendTo(api, [...WORLD.slice(0, 10), 'ghost1', 'ghost2', 'news']);
		assert.deepEqual([stats.messages_sent, stats.skipped], [10, { no_such_user: 2, is_sender: 1 }]);
		await assertUsed(api, 10);
		const failed = await sendTo(api, WORLD.slice(0, 5), { channel_template: { type: 'messaging', id: 'a b {{receiver.id}}' } });
		assert.deepEqual(failed.stats.failed, { invalid_channel_id: 5 });
		await assertUsed(api, 10);
		/* A message to a channel is not a campaign's. */
		assertOk(await api.post('/channels/messaging/plain/query', { data: { created_by_id: 'news' } }), 201);
		assertOk(await api.post('/channels/messaging/plain/message', { message: { text: 'x', user_id: 'news' } }), 201);
		await assertUsed(api, 10);
	});

	for (const { name, chat } of DIALECTS) {
		test(`${name}: more than is left: 403 code 17 with the numbers, and it stays a draft`, async () => {
			const campaign = await draft(api, WORLD.slice(0, LIMIT - 10 + 1));
			for (const options of [{}, { scheduled_for: soon(3600) }]) {
				const answer = await api.post(`${chat}/campaigns/${campaign.id}/start`, options);
				assertError(answer, 403, 17);
				assert.equal(answer.body.message, 'StartCampaign failed with error: "message capacity ' +
					'exceeded: the audience is 291, 10 of 300 messages are used, 290 are left this month"');
				const { resets_at, ...rest } = answer.body.capacity;
				assert.deepEqual(rest, { limit: 300, used: 10, left: 290, audience: 291 });
				const reset = name === 'v1' ? new Date(resets_at) : new Date(resets_at / 1e6);
				const now = new Date();
				assert.equal(reset.getTime(), Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1));
				assert.deepEqual(numbers(answer), { limit: 300, used: 10, left: 290 });
				assert.match(answer.headers['x-ratelimit-limit'], /^\d+$/);
				assert.equal((await getCampaign(api, campaign.id)).status, 'draft');
			}
			await assertUsed(api, 10);
			/* It can be made smaller and be started then. */
			assertOk(await api.put(`/campaigns/${campaign.id}`, { user_ids: [] }), 201);
			assertOk(await api.put(`/campaigns/${campaign.id}`, { segment_ids: ['nobody'] }), 201);
			assertOk(await start(api, campaign), 201);
		});
	}

	test('the stock clients get code 17 and the text', async () => {
		const { id } = await draft(api, WORLD.slice(0, LIMIT));
		await refused(jsClient(server).startCampaign(id), 17, /the audience is 300, 10 of 300/);
		await refused(nodeClient(server).chat.startCampaign({ id }), 17, /290 are left this month/);
	});

	test('other refusals have neither the headers nor the member', async () => {
		const answers = [await api.post('/campaigns/none/start', {}),
			await start(api, await draft(api, undefined)), await start(api, await draft(api, ['w00000']), { stop_at: 5 })];
		for (const answer of answers) {
			assert.ok([400, 404].includes(answer.status), answer.text);
			assert.equal(answer.headers['x-message-capacity-limit'], undefined);
			assert.equal(answer.body.capacity, undefined);
		}
	});

	test('a scheduled start holds its audience until it is sent, stopped or deleted', async () => {
		const [stopped, deleted, sent] = await Promise.all([10, 20, 30].map((k) => draft(api, WORLD.slice(0, k))));
		const answer = await start(api, stopped, { scheduled_for: soon(3600) });
		assert.equal(assertOk(answer, 201).campaign.status, 'scheduled');
		assert.deepEqual(numbers(answer), { limit: 300, used: 20, left: 280 });
		assertOk(await start(api, deleted, { scheduled_for: soon(3600) }), 201);
		assertOk(await start(api, sent, { scheduled_for: soon(1) }), 201);
		await assertUsed(api, 10 + 10 + 20 + 30);
		assertError(await start(api, await draft(api, WORLD.slice(0, 231))), 403, 17, /the audience is 231/);
		assertOk(await api.post(`/campaigns/${stopped.id}/stop`), 201);
		await assertUsed(api, 10 + 20 + 30);
		assertOk(await api.del(`/campaigns/${deleted.id}`), 200);
		await assertUsed(api, 10 + 30);
		assert.equal((await ended(api, sent.id)).stats.messages_sent, 30);
		await assertUsed(api, 40);
	});

	test('a user in several segments counts once, and filters are counted at the call', async () => {
		for (const [id, users] of [['first', WORLD.slice(0, 200)], ['second', WORLD.slice(100, 260)]]) {
			assertOk(await api.post('/segments', { id, type: 'user' }), 201);
			assertOk(await api.post(`/segments/${id}/addtargets`, { target_ids: users }), 201);
		}
		assertOk(await api.post('/segments', { id: 'filter', type: 'user', filter: { id: { $in: WORLD.slice(255, 262) } } }), 201);
		assertOk(await api.post('/segments', { id: 'all', type: 'user', all_users: true }), 201);
		/* 260 of the lists and 2 more by the filter, 40 of 300 used: two too many. */
		const union = await draft(api, undefined, { segment_ids: ['first', 'second', 'filter'] });
		assertError(await start(api, union), 403, 17, /the audience is 262, 40 of 300/);
		const everybody = await draft(api, undefined, { segment_ids: ['all'] });
		assertError(await start(api, everybody), 403, 17, new RegExp(`the audience is ${WORLD.length + 1}, `));
		assertOk(await api.post('/segments/second/deletetargets', { target_ids: WORLD.slice(258, 260) }), 201);
		assertOk(await api.put('/segments/filter', { filter: { id: { $in: WORLD.slice(255, 260) } } }), 201);
		/* Exactly what is left fits. */
		const answer = await start(api, union);
		assertOk(answer, 201);
		assert.deepEqual(numbers(answer), { limit: 300, used: 300, left: 0 });
		assert.equal((await ended(api, union.id)).stats.messages_sent, 260);
		await assertUsed(api, 300);
		assertError(await start(api, await draft(api, ['w00000'])), 403, 17, /300 of 300 messages are used, 0 are left/);
	});

	test('the next month is a new one', async () => {
		/* As if all of it had been sent a month ago. */
		await server.stop();
		server.sql('UPDATE campaigns SET month = month - 1 WHERE month > 0');
		await server.start();
		api = rawClient(server);
		await assertUsed(api, 0);
		await sendTo(api, WORLD.slice(0, 7));
		await assertUsed(api, 7);
	});
});

test('without a plan nothing is refused or told, but all is counted', async () => {
	const { server, api } = await startWith(0);
	try {
		const answer = await start(api, await draft(api, WORLD));
		assertOk(answer, 201);
		assert.equal(answer.headers['x-message-capacity-limit'], undefined);
		await ended(api, answer.body.campaign.id);
		const small = await sendTo(api, WORLD.slice(0, 20));
		assert.equal(small.stats.messages_sent, 20);

		/* A plan that comes later in the month. */
		await server.stop();
		server.env.FANFARE_MAU_PLAN = 200;
		await server.start();
		assert.deepEqual(await capacity(rawClient(server)), { limit: 600, used: 370, left: 230 });

		/* One that is smaller than what was used. */
		await server.stop();
		server.env.FANFARE_MAU_PLAN = 100;
		await server.start();
		assert.deepEqual(await capacity(rawClient(server)), { limit: 300, used: 370, left: 0 });
	} finally {
		await server.close();
	}
});

describe('what a campaign does not send comes back', () => {
	const MANY = ids('m', 20000);
	let server, api;
	before(async () => {
		/* Small batches, so that a campaign can be caught in the middle. */
		({ server, api } = await startWith(100000, { env: { FANFARE_BATCH_SIZE: 16, FANFARE_WORKERS: 1 } }));
		await makeUsers(api, MANY);
		assertOk(await api.post('/segments', { id: 'many', type: 'user' }), 201);
		for (let i = 0; i < MANY.length; i += 10000)
			assertOk(await api.post('/segments/many/addtargets', { target_ids: MANY.slice(i, i + 10000) }), 201);
	});
	after(() => server.close());
	let used = 0;

	const begin = async () => {
		const campaign = await draft(api, undefined, { segment_ids: ['many'] });
		await startCampaign(api, campaign.id);
		await until('some of it is sent', async () => (await getCampaign(api, campaign.id)).stats.messages_sent > 0);
		return campaign.id;
	};

	test('while it sends, all of its audience is used; after a stop, what it sent', async () => {
		const id = await begin();
		await holds(async () => {
			const { used: now } = await capacity(api);
			const { status } = await getCampaign(api, id);
			if (status === 'in_progress')
				assert.equal(now, used + MANY.length);
		}, { during: 100 });
		assertOk(await api.post(`/campaigns/${id}/stop`), 201);
		const { stats } = await getCampaign(api, id);
		used += stats.messages_sent;
		assert.equal((await capacity(api)).used, used);
	});

	test('a kill in the middle loses and doubles none', async () => {
		const id = await begin();
		await server.restart('kill');
		api = rawClient(server);
		const { stats } = await ended(api, id);
		assert.equal(stats.messages_sent, MANY.length);
		used += MANY.length;
		assert.equal((await capacity(api)).used, used);
	});
});

describe('starts at the same moment', () => {
	async function race(apis) {
		const drafts = await inParallel(Array.from({ length: 12 }), 4, () => draft(apis[0], WORLD.slice(0, 100)));
		const answers = await Promise.all(drafts.map((campaign, i) => start(apis[i % apis.length], campaign)));
		const passed = answers.filter(({ status }) => status === 201);
		assert.equal(passed.length, 3, answers.map(({ status }) => status).join());
		for (const answer of answers.filter(({ status }) => status !== 201))
			assertError(answer, 403, 17, /the audience is 100, 300 of 300 messages are used|the audience is 100, \d+ of 300/);
		const sent = await Promise.all(passed.map(({ body }) => ended(apis[0], body.campaign.id)));
		assert.equal(sent.reduce((n, campaign) => n + checkStats(campaign).messages_sent, 0), LIMIT);
		await assertUsed(apis[0], LIMIT);
	}

	test('do not both pass on what is left for one', async () => {
		const { server, api } = await startWith(PLAN);
		try {
			await race([api]);
		} finally {
			await server.close();
		}
	});

	test('nor through two processes', { skip: !ON_PG && 'a SQLite store belongs to one process' }, async () => {
		const { server, api } = await startWith(PLAN);
		const other = await Server.start({ beside: server, env: { FANFARE_MAU_PLAN: PLAN } });
		try {
			await race([api, rawClient(other)]);
		} finally {
			await other.stop();
			await server.close();
		}
	});
});

test('a plan that is no number ends the start', async () => {
	for (const plan of ['-1', 'many', '1.5']) {
		const end = await run(['serve'], { env: { FANFARE_LISTEN: '127.0.0.1:0', FANFARE_MAU_PLAN: plan } });
		assert.equal(end.code, 2, end.stderr);
		assert.match(end.stderr, /FANFARE_MAU_PLAN: expected an integer from 0/);
	}
});
