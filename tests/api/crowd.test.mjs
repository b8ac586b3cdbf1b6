/* crowd – 200 stock clients in the audience of large campaigns: each hears once, finds one message,
 * and reads it; a server that dies in the middle changes nothing of that (api.md §7, I-1). */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { checkStats, ended, getCampaign, ids, inParallel, makeCampaign, makeUsers, startCampaign,
	startServer } from './lib/fixtures.mjs';
import { Ear } from './lib/live.mjs';
import { STAYING } from './lib/server.mjs';
import { seconds, until } from './lib/wait.mjs';

const AUDIENCE = 20000;
const CLIENTS = 200;
const MESSAGE = new Set(['message.new', 'notification.message_new']);

let server, api;
let ears = [];
const everybody = ids('crowd', AUDIENCE);
const definition = (text) => ({ sender_id: 'news', segment_ids: ['crowd'], create_channels: true,
	channel_template: { type: 'messaging', id: '{{receiver.id}}-{{sender.id}}' },
	message_template: { text } });

before(async () => {
	/* Small batches: a campaign that lasts long enough to be interrupted. */
	({ server, api } = await startServer(['news'], { env: { FANFARE_LISTEN: STAYING, FANFARE_BATCH_SIZE: 100, FANFARE_LEASE_MS: 3000,
		FANFARE_RATE_LIMIT: 1000000, FANFARE_RATE_LIMIT_USER: 0 } }));
	await makeUsers(api, everybody);
	await api.post('/segments', { id: 'crowd', type: 'user', filter: { id: { $gte: 'crowd' } } });
	ears = await inParallel(Array.from({ length: CLIENTS }, (_, i) =>
		everybody[i * (AUDIENCE / CLIENTS) + 7]), 20, (id) => Ear.of(server, id));
});
after(async () => {
	await Promise.all(ears.map((ear) => ear.close()));
	await server?.close();
});

const heardOf = (ear, campaign) => ear.heard.filter(({ type, message }) =>
	MESSAGE.has(type) && message.created_by_campaign_id === campaign);
const have = (channel, campaign) => channel.state.messages.filter((message) =>
	message.created_by_campaign_id === campaign);
const start = async (text) => {
	const { id } = await makeCampaign(api, definition(text));
	await startCampaign(api, id);
	return id;
};

describe('a crowd', () => {
	const channels = new Map();
	let first;

	test('each hears once, finds one message, reads it', async () => {
		first = await start('One');
		const campaign = await ended(api, first);
		assert.equal(campaign.stats.stats_messages_sent, AUDIENCE);
		await until('everybody has heard', () => ears.every((ear) => heardOf(ear, first).length > 0));
		await inParallel(ears, 20, async (ear) => {
			const found = await ear.client.queryChannels({ members: { $in: [ear.id] } });
			assert.equal(found.length, 1);
			assert.equal(have(found[0], first).length, 1);
			channels.set(ear.id, found[0]);
			await found[0].markRead();
		});
		await until('all have read', async () =>
			(await getCampaign(api, first)).stats.stats_users_read === CLIENTS);
		for (const ear of ears)
			assert.equal(heardOf(ear, first).length, 1, ear.id);
	});

	test('a server that dies in the middle and comes back', async () => {
		const second = await start('Two');
		const before = await until('it is under way', async () => {
			const campaign = await getCampaign(api, second);
			assert.equal(campaign.status, 'in_progress', 'it was over too soon');
			return campaign.stats.stats_messages_sent > AUDIENCE / 10 && campaign;
		}, { every: 1 });
		checkStats(before);
		await server.kill();
		await server.start();
		await ended(api, second);
		await until('everybody is back', () =>
			ears.every(({ client }) => client.wsConnection?.isHealthy), { within: seconds(60) });
		await until('everybody has it', () =>
			ears.every((ear) => have(channels.get(ear.id), second).length > 0),
		{ within: seconds(60) });
		await inParallel(ears, 20, async (ear) => {
			const channel = channels.get(ear.id);
			for (const campaign of [first, second])
				assert.equal(have(channel, campaign).length, 1);
			assert.ok(heardOf(ear, second).length <= 1, ear.id);
			const { messages } = await channel.query({ messages: { limit: 10 } });
			assert.deepEqual(messages.map(({ text }) => text), ['One', 'Two']);
		});
	});
});
