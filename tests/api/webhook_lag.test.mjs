/* webhook_lag – a campaign that is tied to the pace of webhooks (max_webhook_lag). */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertError, assertOk } from './lib/clients.mjs';
import { getCampaign, ids, makeCampaign, startCampaign, startServer } from './lib/fixtures.mjs';
import { hookTo } from './lib/receiver.mjs';
import { Sink } from './lib/sink.mjs';
import { holds, until } from './lib/wait.mjs';

const PEOPLE = ids('u', 40);
let server, api, js, sink, lives = false;
before(async () => {
	({ server, api, js } = await startServer(['ann', ...PEOPLE], { env: { FANFARE_BATCH_SIZE: 10,
		FANFARE_RETRY_LADDER: '0.2', FANFARE_WEBHOOK_ALLOW: '127.0.0.1' } }));
	sink = await Sink.open((req, res) => {
		res.statusCode = lives ? 200 : 503;
		res.end();
	});
	await js.updateAppSettings({ event_hooks: [hookTo(sink.url)] });
});
after(async () => {
	await sink.close();
	await server.close();
});

const campaign = (more) => makeCampaign(api, { sender_id: 'ann', user_ids: PEOPLE, create_channels: true,
	channel_template: { type: 'messaging', id: '{{receiver.id}}-{{sender.id}}' },
	message_template: { text: 'Hi' }, ...more });
const lag = async () => assertOk(await api.get('/routes'), 200).routes[0].lag;

test('no batch is sent while a webhook lags; then all are', async () => {
	/* Until its window is shut, what is put aside is not waited for. */
	let n = 0;
	await until('it lags', async () => {
		await js.channel('messaging', `c${n++}`, { members: ['ann', PEOPLE[0]], created_by_id: 'ann' }).create();
		return await lag() > 2;
	});
	const tied = await campaign({ max_webhook_lag: 1 });
	assert.equal(tied.max_webhook_lag, 1);
	const free = await campaign({ max_webhook_lag: 1 });
	await startCampaign(api, tied.id);
	await startCampaign(api, free.id, { max_webhook_lag: 0 });
	await until('the other is done', async () => (await getCampaign(api, free.id)).status === 'completed');
	await holds(async () => {
		const { status, stats } = await getCampaign(api, tied.id);
		assert.deepEqual([status, stats.pending], ['in_progress', PEOPLE.length]);
	}, { during: 1500 });
	lives = true;
	await until('it is done', async () => (await getCampaign(api, tied.id)).status === 'completed');
	assert.equal((await getCampaign(api, tied.id)).stats.stats_messages_sent, PEOPLE.length);
});

test('a paused webhook holds up nothing', async () => {
	lives = false;
	const [{ kind, ident }] = assertOk(await api.get('/routes'), 200).routes;
	assertOk(await api.post(`/routes/${kind}/${ident}/pause`, {}), 201);
	const { id } = await campaign({ max_webhook_lag: 1 });
	await startCampaign(api, id);
	await until('it is done', async () => (await getCampaign(api, id)).status === 'completed');
});

test('is kept, changed and taken away', async () => {
	const { id } = await campaign({ max_webhook_lag: 60 });
	assert.equal((await getCampaign(api, id)).max_webhook_lag, 60);
	assertOk(await api.put(`/campaigns/${id}`, { name: 'x' }), 201);
	assert.equal((await getCampaign(api, id)).max_webhook_lag, 60);
	assertOk(await api.put(`/campaigns/${id}`, { max_webhook_lag: 5 }), 201);
	assert.equal((await getCampaign(api, id)).max_webhook_lag, 5);
	assertOk(await api.put(`/campaigns/${id}`, { max_webhook_lag: 0 }), 201);
	assert.equal((await getCampaign(api, id)).max_webhook_lag, undefined);
});

test('bad values: 400 code 4 that names the field', async () => {
	const { id } = await campaign({});
	for (const value of [-1, 2592001, 1.5, 'x', [], {}, true])
		for (const answer of [
			await api.post('/campaigns', { sender_id: 'ann', user_ids: PEOPLE, message_template: { text: 'x' },
				max_webhook_lag: value }),
			await api.put(`/campaigns/${id}`, { max_webhook_lag: value }),
			await api.post(`/campaigns/${id}/start`, { max_webhook_lag: value }),
		]) {
			assertError(answer, 400, 4);
			assert.match(answer.body.message, /max_webhook_lag/);
		}
});
