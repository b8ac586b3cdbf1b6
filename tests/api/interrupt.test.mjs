/* interrupt – campaigns that are stopped, killed, changed or watched while they run: I-1, I-2,
 * I-4, I-7, I-12, I-13.  Batches of one recipient make a run long enough to meddle with. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertError, assertOk, rawClient } from './lib/clients.mjs';
import { checkStats, countMessages, ended, getCampaign, ids, makeCampaign, makeUsers,
	startCampaign } from './lib/fixtures.mjs';
import { ON_PG, Server } from './lib/server.mjs';
import { holds, until } from './lib/wait.mjs';

/* A commit takes longer there. */
const SCALE = ON_PG ? 4 : 1;
const USERS = ids('u', 10000 / SCALE);
const FEW = 1500 / SCALE;

let server, api;
before(async () => {
	/* What a killed process holds is free after a lease. */
	server = await Server.start({ env: { FANFARE_BATCH_SIZE: 1, FANFARE_LEASE_MS: 3000 } });
	api = rawClient(server);
	await makeUsers(api, ['ann', ...USERS]);
});
after(() => server.close());

const definition = (id, users, more = {}) => ({ id, sender_id: 'ann', user_ids: users,
	message_template: { text: 'Hi {{receiver.id}}' }, create_channels: true,
	channel_template: { type: 'messaging', id: `${id}-{{receiver.id}}` }, ...more });
const cids = (id, users) => users.map((user) => `messaging:${id}-${user}`);

/* Starts a campaign and waits until it is in the middle of its run. */
async function running(id, users, options) {
	await makeCampaign(api, definition(id, users));
	await startCampaign(api, id, options);
	return midway(id);
}

const midway = (id) => until(`${id} has sent its first messages`, async () => {
	const campaign = await getCampaign(api, id);
	const { stats_messages_sent, pending } = checkStats(campaign);
	assert.equal(campaign.status, 'in_progress', 'ended too early to interrupt');
	return stats_messages_sent > 0 && pending > 0 && campaign;
}, { every: 1 });

describe('stop', () => {
	test('is a barrier: nothing is sent after its answer', async () => {
		await running('halt', USERS);
		const { campaign } = assertOk(await api.post('/campaigns/halt/stop'), 201);
		const { stats } = campaign;
		assert.equal(campaign.status, 'stopped');
		checkStats(campaign);
		assert.ok(stats.stats_messages_sent > 0 && stats.pending > 0, JSON.stringify(stats));

		const sent = await countMessages(api, 'halt', cids('halt', USERS));
		assert.equal(sent, stats.stats_messages_sent);
		await holds(async () => {
			const now = await getCampaign(api, 'halt');
			assert.deepEqual([now.status, now.stats], ['stopped', stats]);
		});
		assert.equal(await countMessages(api, 'halt', cids('halt', USERS)), sent);
	});
	test('stays so after a restart; start and update are refused, delete is not', async () => {
		const { stats } = await getCampaign(api, 'halt');
		await server.restart();
		const campaign = await getCampaign(api, 'halt');
		assert.deepEqual([campaign.status, campaign.stats], ['stopped', stats]);
		assertError(await api.post('/campaigns/halt/start', {}), 400, 4);
		assertError(await api.put('/campaigns/halt', { name: 'x' }), 400, 4);
		assertOk(await api.del('/campaigns/halt'), 200);
		assertError(await api.get('/campaigns/halt'), 404, 16);
	});
	test('stop_at stops a running campaign', async () => {
		await makeCampaign(api, definition('alarm', USERS));
		const at = Date.now() + 150;
		await startCampaign(api, 'alarm', { stop_at: new Date(at).toISOString() });
		const campaign = await ended(api, 'alarm');
		assert.equal(campaign.status, 'stopped');
		assert.ok(campaign.stats.pending > 0);
		assert.ok(Date.now() >= at);
		assert.equal(await countMessages(api, 'alarm', cids('alarm', USERS)),
			campaign.stats.stats_messages_sent);
	});
});

describe('while it runs', () => {
	test('stats add up at every look and only grow; no delete, no update, no start', async () => {
		const few = USERS.slice(0, 2500 / SCALE);
		let last = (await running('watched', few)).stats;
		assertError(await api.del('/campaigns/watched'), 400, 4, /stop/);
		assertError(await api.put('/campaigns/watched', { name: 'x' }), 400, 4, /in_progress/);
		assertError(await api.post('/campaigns/watched/start', {}), 400, 4, /in_progress/);
		let looks = 0;
		await until('the watched campaign has completed', async () => {
			const campaign = await getCampaign(api, 'watched');
			const stats = checkStats(campaign);
			for (const key of ['stats_messages_sent', 'stats_channels_created', 'progress',
				'stats_users_sent'])
				assert.ok(stats[key] >= last[key], `${key} fell from ${last[key]} to ${stats[key]}`);
			assert.equal(stats.audience, few.length);
			assert.equal(stats.started_at, last.started_at);
			last = stats;
			looks++;
			return campaign.status === 'completed';
		}, { within: 60000 });
		assert.ok(looks > 3);
		assert.equal(last.messages_sent, few.length);
	});

	test('the audience is fixed when sending begins', async () => {
		const few = USERS.slice(0, FEW);
		const segment = assertOk(await api.post('/segments', { type: 'user' }), 201).segment.id;
		assertOk(await api.post(`/segments/${segment}/addtargets`, { target_ids: few }), 201);
		await makeCampaign(api, { ...definition('fixed', undefined), segment_ids: [segment] });
		await startCampaign(api, 'fixed');
		await midway('fixed');
		assertOk(await api.post(`/segments/${segment}/addtargets`,
			{ target_ids: USERS.slice(FEW, FEW + 100) }), 201);
		assertOk(await api.post(`/segments/${segment}/deletetargets`,
			{ target_ids: few.slice(-100) }), 201);
		const { status, stats } = await ended(api, 'fixed');
		assert.deepEqual([status, stats.audience, stats.messages_sent],
			['completed', few.length, few.length]);
		assert.equal(await countMessages(api, 'fixed', cids('fixed', USERS.slice(0, FEW + 100))),
			few.length);
		assert.equal(await countMessages(api, 'fixed', cids('fixed', USERS.slice(FEW, FEW + 100))), 0);
	});

	test('a user deleted on the way is skipped, the rest goes out', async () => {
		const few = USERS.slice(0, FEW);
		await makeUsers(api, ['victim']);
		await makeCampaign(api, definition('poison', [...few, 'victim']));
		await startCampaign(api, 'poison');
		await midway('poison');
		assertOk(await api.post('/users/delete', { user_ids: ['victim'], user: 'hard' }), 201);
		const { stats } = await ended(api, 'poison');
		assert.equal(stats.messages_sent + (stats.skipped.no_such_user ?? 0), few.length + 1);
		assert.ok(stats.messages_sent >= few.length);
	});
});

describe('kill -9', () => {
	test('a restart resumes and completes: one message each', async () => {
		const some = USERS.slice(0, 4000 / SCALE);
		await running('killed', some);
		let atRestart;
		for (let round = 0; round < 3; round++) {
			const before = (await getCampaign(api, 'killed')).stats.stats_messages_sent;
			await server.restart('kill');
			atRestart = await getCampaign(api, 'killed');
			checkStats(atRestart);
			assert.ok(atRestart.stats.stats_messages_sent >= before, 'what was told, was stored');
			if (atRestart.status !== 'in_progress')
				break;
			await until('more was sent', async () => {
				const now = await getCampaign(api, 'killed');
				return now.stats.stats_messages_sent > before + 50 || now.status === 'completed';
			}, { every: 1 });
		}
		const campaign = await ended(api, 'killed');
		assert.equal(campaign.status, 'completed');
		assert.deepEqual([campaign.stats.audience, campaign.stats.messages_sent,
			campaign.stats.channels_created], [some.length, some.length, some.length]);
		assert.equal(await countMessages(api, 'killed', cids('killed', some)), some.length);
	});
	test('answered writes are there afterwards', async () => {
		await makeUsers(api, [{ id: 'durable', mark: 1 }]);
		await makeCampaign(api, definition('durable', ['durable']));
		await server.restart('kill');
		assert.equal((await getCampaign(api, 'durable')).status, 'draft');
		const { users } = assertOk(await api.get('/users', { payload: JSON.stringify(
			{ filter_conditions: { id: 'durable' } }) }), 200);
		assert.equal(users[0].mark, 1);
		await startCampaign(api, 'durable');
		await server.restart('kill');
		const campaign = await ended(api, 'durable');
		assert.equal(campaign.stats.messages_sent, 1);
	});
});
