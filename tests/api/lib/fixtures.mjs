/* fixtures – users, campaigns and what receivers find, over the raw v1 wire. */
import assert from 'node:assert/strict';

import { assertOk, jsClient, nodeClient, rawClient } from './clients.mjs';
import { Server } from './server.mjs';
import { seconds, until } from './wait.mjs';

/* n ids with a common prefix; their order as text is their order as numbers. */
export function ids(prefix, n) {
	return Array.from({ length: n }, (_, i) => `${prefix}${String(i).padStart(5, '0')}`);
}

export function slices(list, size) {
	const out = [];
	for (let i = 0; i < list.length; i += size)
		out.push(list.slice(i, i + size));
	return out;
}

/* Runs fn over the list, at most ${width} at a time; results in order. */
export async function inParallel(list, width, fn) {
	const out = new Array(list.length);
	let next = 0;
	const lane = async () => {
		while (next < list.length) {
			const i = next++;
			out[i] = await fn(list[i], i);
		}
	};
	await Promise.all(Array.from({ length: width }, lane));
	return out;
}

/* Upserts users, given as ids or objects, in calls of 100. */
export async function makeUsers(api, users) {
	const objects = users.map((user) => (typeof user === 'string' ? { id: user } : user));
	await inParallel(slices(objects, 100), 4, async (some) => {
		const body = Object.fromEntries(some.map((user) => [user.id, user]));
		assertOk(await api.post('/users', { users: body }), 201);
	});
}

/* A server with these users, and the ways to talk to it: raw, v1, v2. */
export async function startServer(users = [], options = {}) {
	const server = await Server.start(options);
	const api = rawClient(server);
	await makeUsers(api, users);
	return { server, api, js: jsClient(server), node: nodeClient(server) };
}

/* A message of ann's in the channel messaging:m. */
export async function sayIn(js, text = 'Hi', more = {}, options = {}) {
	return (await js.channel('messaging', 'm').sendMessage({ text, user_id: 'ann', ...more }, options)).message;
}

export async function makeCampaign(api, definition) {
	return assertOk(await api.post('/campaigns', definition), 201).campaign;
}

export async function startCampaign(api, id, options = {}) {
	return assertOk(await api.post(`/campaigns/${id}/start`, options), 201).campaign;
}

export async function getCampaign(api, id, query = { limit: 1 }) {
	return assertOk(await api.get(`/campaigns/${id}`, query), 200).campaign;
}

export const sum = (counts) => Object.values(counts).reduce((a, b) => a + b, 0);

/* What must be true of the stats at every moment (I-7, api.md §12.9, §2.1). */
export function checkStats(campaign) {
	const { stats } = campaign;
	const told = JSON.stringify(stats);

	assert.equal(stats.audience, stats.stats_messages_sent + sum(stats.skipped) +
		sum(stats.failed) + stats.pending, told);
	assert.equal(stats.messages_sent, stats.stats_messages_sent, told);
	assert.equal(stats.channels_created, stats.stats_channels_created, told);
	assert.equal(stats.stats_progress, stats.progress, told);
	assert.equal(stats.started_at, stats.stats_started_at, told);
	assert.equal(stats.completed_at, stats.stats_completed_at, told);
	assert.ok(stats.progress >= 0 && stats.progress <= 1, told);
	assert.ok(stats.stats_users_read <= stats.stats_users_sent, told);
	if (stats.audience > 0) {
		const handled = (stats.audience - stats.pending) / stats.audience;
		assert.ok(Math.abs(stats.progress - handled) < 1e-6, told);
	}
	if (campaign.status === 'completed') {
		assert.equal(stats.pending, 0, told);
		assert.equal(stats.progress, 1, told);
		assert.notEqual(stats.stats_completed_at, null, told);
	}
	if (campaign.status !== 'completed' && campaign.status !== 'stopped')
		assert.equal(stats.stats_completed_at, null, told);
	return stats;
}

/* Waits for the end of a campaign, checking the stats each time it looks. */
export async function ended(api, id, within = seconds(60)) {
	return until(`campaign ${id} has ended`, async () => {
		const campaign = await getCampaign(api, id);
		checkStats(campaign);
		return ['completed', 'stopped'].includes(campaign.status) && campaign;
	}, { within });
}

/* Creates, starts and awaits a campaign. */
export async function send(api, definition, options = {}) {
	const { id } = await makeCampaign(api, definition);
	await startCampaign(api, id, options);
	const campaign = await ended(api, id);
	assert.equal(campaign.status, 'completed');
	return campaign;
}

/* The channels a server-side query finds for these cids, as a map by cid. */
export async function channelsByCid(api, cids, options = {}) {
	const found = new Map();
	await inParallel(slices(cids, 30), 4, async (some) => {
		const { channels } = assertOk(await api.post('/channels', { state: true, limit: 30,
			message_limit: 10, filter_conditions: { cid: { $in: some } }, ...options }), 201);
		for (const state of channels) {
			assert.ok(!found.has(state.channel.cid), `${state.channel.cid} twice`);
			found.set(state.channel.cid, state);
		}
	});
	return found;
}

/* The channels of one user, as he sees them. */
export async function inbox(api, userId, options = {}) {
	const { channels } = assertOk(await api.post('/channels', { state: true, user_id: userId,
		limit: 30, filter_conditions: { members: { $in: [userId] } }, ...options }), 201);
	return channels;
}

/* The newest message of a user's only channel. */
export async function onlyMessage(api, userId) {
	const channels = await inbox(api, userId);
	assert.equal(channels.length, 1, `${userId} has ${channels.length} channels`);
	assert.equal(channels[0].messages.length, 1);
	return channels[0].messages[0];
}

/* How many messages of a campaign lie in the channels of ${cids}; no channel may have two
 * (I-1). */
export async function countMessages(api, campaignId, cids) {
	const found = await channelsByCid(api, cids);
	let n = 0;
	for (const [cid, { messages }] of found) {
		const ours = messages.filter((message) => message.campaign_id === campaignId);
		assert.ok(ours.length <= 1, `${ours.length} messages of one campaign in ${cid}`);
		n += ours.length;
	}
	return n;
}
