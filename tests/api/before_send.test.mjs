/* before_send – the owner is asked before a message is sent, and his word counts; what he does not
 * say in time lets the message pass (api.md §9.6). */
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, beforeEach, describe, test } from 'node:test';

import { assertOk, call, jsClient, nodeClient, userToken } from './lib/clients.mjs';
import { getCampaign, inParallel, makeCampaign, startCampaign, startServer } from './lib/fixtures.mjs';
import { holds, seconds, until } from './lib/wait.mjs';

/* An owner who answers as ${answer} says: a function of the question and the response. */
class Owner {
	static async start(server) {
		const self = new Owner();

		Object.assign(self, { js: jsClient(server), node: nodeClient(server), asked: [], bad: [] });
		self.http = http.createServer((req, res) => {
			const parts = [];

			req.on('data', (part) => parts.push(part));
			req.on('end', () => self.#take(req, Buffer.concat(parts), res));
		});
		await new Promise((resolve) => self.http.listen(0, '127.0.0.1', resolve));
		self.url = `http://127.0.0.1:${self.http.address().port}/ask`;
		return self;
	}

	#take(req, body, res) {
		const signature = req.headers['x-signature'];

		if (!this.js.verifyWebhook(body, signature) || !this.node.verifyWebhook(body, signature))
			this.bad.push(req.headers);
		this.asked.push({ path: req.url, headers: req.headers, ...JSON.parse(body.toString()) });
		this.answer(this.asked.at(-1), res);
	}

	says(status, body, headers = {}) {
		this.answer = (question, res) => {
			res.writeHead(status, headers);
			res.end(typeof body === 'string' ? body : JSON.stringify(body));
		};
	}

	async stop() {
		this.http.closeAllConnections?.();
		await new Promise((resolve) => this.http.close(resolve));
	}
}

describe('the hook before sending', () => {
	let h, owner, n = 0;
	const path = '/channels/messaging/x/message';
	const send = async (message, options = {}) => assertOk(await call(h.server, 'POST', path,
		{ body: { message: { user_id: 'ann', ...message } }, ...options }), 201).message;
	const stored = async (id) => assertOk(await h.api.get(`/messages/${id}`), 200).message;
	const set = async (settings) => assertOk(await h.api.patch('/app', settings), 200);

	before(async () => {
		h = await startServer([{ id: 'ann', name: 'Ann' }, 'bob'], { env: {
			FANFARE_WEBHOOK_ALLOW: '127.0.0.0/8', FANFARE_HTTP_THREADS: '4' } });
		owner = await Owner.start(h.server);
		await set({ before_message_send_hook_url: owner.url });
		assertOk(await h.api.post('/channels/messaging/x/query', { data: { created_by_id: 'ann',
			members: ['ann', 'bob'], colour: 'blue' } }), 201);
	});
	beforeEach(() => {
		owner.asked.length = 0;
		owner.says(200, '');
	});
	after(async () => {
		assert.deepEqual(owner.bad, []);
		await owner.stop();
		await h.server.stop();
	});

	test('is asked with the message, its author, the channel, and who calls', async () => {
		const sent = await send({ text: 'one', mood: 'good', silent: true },
			{ headers: { 'X-Stream-Client': 'sdk-7' } });
		const [asked] = owner.asked;

		assert.equal(owner.asked.length, 1);
		assert.equal(asked.message.id, sent.id);
		assert.equal(asked.message.text, 'one');
		assert.equal(asked.message.mood, 'good');
		assert.equal(asked.message.silent, true);
		assert.equal(asked.message.user.name, 'Ann');
		assert.equal(asked.user.id, 'ann');
		assert.equal(asked.channel.cid, 'messaging:x');
		assert.equal(asked.channel.colour, 'blue');
		assert.equal(asked.request_info.type, 'server');
		assert.equal(asked.request_info.sdk, 'sdk-7');
		assert.equal(asked.headers['x-api-key'], h.server.key);
		assert.equal(asked.headers['x-webhook-attempt'], '1');
		assert.match(asked.headers['x-webhook-id'], /^[0-9a-f-]{36}$/);
		assert.equal((await stored(sent.id)).text, 'one');
	});

	test('users are asked for, too', async () => {
		const sent = await send({ id: 'own-id', text: 'mine', user_id: undefined },
			{ token: userToken(h.server, 'bob') });

		assert.equal(owner.asked[0].request_info.type, 'client');
		assert.equal(owner.asked[0].user.id, 'bob');
		assert.equal(owner.asked[0].message.id, 'own-id');
		assert.equal(sent.id, 'own-id');
	});

	test('may change text, custom data, attachments, silence', async () => {
		owner.says(200, { message: { text: 'better', silent: true, mood: 'calm', more: [1],
			attachments: [{ type: 'image', image_url: 'https://x.example/i.png' }] } });
		const sent = await send({ text: 'rude', mood: 'bad', kept: 1 });
		const read = await stored(sent.id);

		for (const m of [sent, read]) {
			assert.equal(m.text, 'better');
			assert.equal(m.silent, true);
			assert.equal(m.mood, 'calm');
			assert.equal(m.kept, 1);
			assert.deepEqual(m.more, [1]);
			assert.equal(m.attachments[0].type, 'image');
		}
	});

	test('may send the message back as it came', async () => {
		owner.answer = (question, res) => res.end(JSON.stringify({ message: question.message }));
		const sent = await send({ text: 'same', mood: 'good' });

		assert.equal((await stored(sent.id)).text, 'same');
		assert.equal(sent.mood, 'good');
	});

	test('may refuse: the author is shown why, nothing is stored', async () => {
		owner.says(200, { message: { type: 'error', text: 'not here' } });
		const sent = await send({ id: `refused-${++n}`, text: 'rude' });

		assert.equal(sent.type, 'error');
		assert.equal(sent.text, 'not here');
		assert.equal((await h.api.get(`/messages/${sent.id}`)).status, 404);
	});

	for (const [what, answer] of [
		['500', () => owner.says(500, { message: { type: 'error', text: 'x' } })],
		['404', () => owner.says(404, 'no')],
		['a redirect', () => owner.says(302, '', { Location: owner.url })],
		['what is no JSON', () => owner.says(200, '{"message":')],
		['another JSON', () => owner.says(200, '[1]')],
		['a message that is none', () => owner.says(200, { message: 7 })],
		['fields of wrong types', () => owner.says(200, { message: { text: 7 } })],
		['attachments that are none', () => owner.says(200, { message: { attachments: [1] } })],
		['a type that is none', () => owner.says(200, { message: { text: 'y', type: 'magic' } })],
		['too much custom data', () => owner.says(200, { message: { blob: 'x'.repeat(6000) } })],
		['a megabyte', () => owner.says(200, { message: { text: 'x'.repeat(1 << 20) } })],
		['a connection that is cut', () => (owner.answer = (question, res) => res.destroy())],
	]) {
		test(`${what}: the message passes as it was`, async () => {
			answer();
			const sent = await send({ text: 'as it was' });

			assert.equal(sent.text, 'as it was');
			assert.equal(sent.type, 'regular');
			assert.equal((await stored(sent.id)).text, 'as it was');
			assert.equal(owner.asked.length, 1, 'one attempt');
		});
	}

	test('silence lets it pass when its time is over', async () => {
		await set({ before_message_send_hook_attempt_timeout_ms: 300 });
		owner.answer = () => {};
		const began = Date.now();
		const sent = await send({ text: 'in time' });
		const took = Date.now() - began;

		assert.equal(sent.text, 'in time');
		assert.ok(took >= 290 && took < seconds(3), `${took} ms`);
	});

	test('at most half of the threads wait for it', async () => {
		await set({ before_message_send_hook_attempt_timeout_ms: 5000 });
		owner.answer = () => {};
		let sending = 0;
		const all = inParallel(Array.from({ length: 6 }), 6, async () => {
			sending++;
			const m = await send({ text: 'slow' });
			sending--;
			return m;
		});

		await until('two of four threads wait', () => owner.asked.length === 2 && sending > 0);
		await holds(() => assert.equal(owner.asked.length, 2));
		/* Others are on the threads that wait, or pass unasked. */
		owner.answer = (question, res) => res.end();
		for (const m of await all)
			assert.equal((await stored(m.id)).text, 'slow');
	});

	test('who does not answer several times in a row is left alone for a while', async () => {
		await set({ before_message_send_hook_attempt_timeout_ms: 200 });
		owner.answer = () => {};
		await until('it is not asked any more', async () => {
			const before = owner.asked.length;

			await send({ text: 'anyone?' });
			return owner.asked.length === before;
		});
		assert.ok(owner.asked.length <= 5, `${owner.asked.length} calls`);
		owner.says(200, { message: { text: 'here again' } });
		await until('it is asked again', async () => (await send({ text: 'x' })).text === 'here again');
		assert.equal((await send({ text: 'x' })).text, 'here again');
		await set({ before_message_send_hook_attempt_timeout_ms: 1500 });
	});

	test('a campaign is not asked for', async () => {
		await makeCampaign(h.api, { id: 'c', sender_id: 'ann', user_ids: ['bob'], create_channels: true,
			channel_template: { type: 'messaging', id: '{{receiver.id}}-c' },
			message_template: { text: 'hello' } });
		await startCampaign(h.api, 'c');
		await until('it is completed', async () => (await getCampaign(h.api, 'c')).status === 'completed');
		assert.deepEqual(owner.asked, []);
	});

	test('without a URL nobody is asked', async () => {
		await set({ before_message_send_hook_url: '' });
		await send({ text: 'unasked' });
		assert.deepEqual(owner.asked, []);
	});
});
