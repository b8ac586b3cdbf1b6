/* receiver – an endpoint of the app's owner: takes webhooks, and believes only those that the
 * clients' own verifiers and the one of Standard Webhooks let pass. */
import assert from 'node:assert/strict';
import http from 'node:http';
import zlib from 'node:zlib';

import { Webhook } from 'standardwebhooks';

import { jsClient, nodeClient } from './clients.mjs';
import { seconds, until } from './wait.mjs';

export class Receiver {
	/* ${verify} false: the caller judges by itself. */
	static async start(server, { verify = true, status = 200 } = {}) {
		const self = new Receiver();

		Object.assign(self, { server, status, all: [], bad: [], verifies: verify });
		self.js = jsClient(server);
		self.node = nodeClient(server);
		self.standard = new Webhook(`whsec_${Buffer.from(server.secret).toString('base64')}`);
		self.http = http.createServer((req, res) => self.#take(req, res));
		self.http.keepAliveTimeout = 60000;
		await new Promise((resolve) => self.http.listen(0, '127.0.0.1', resolve));
		self.origin = `http://127.0.0.1:${self.http.address().port}`;
		self.url = `${self.origin}/hook`;
		return self;
	}

	/* What came to a path. */
	at(path) {
		return this.all.filter((d) => d.path === path);
	}

	#take(req, res) {
		const parts = [];

		req.on('data', (part) => parts.push(part));
		req.on('end', () => {
			const raw = Buffer.concat(parts);

			res.statusCode = this.status;
			res.end('ok');
			try {
				this.#believe(req, raw);
			} catch (error) {
				this.bad.push(error);
			}
		});
	}

	#believe(req, raw) {
		const h = req.headers;
		const zipped = raw[0] === 0x1f && raw[1] === 0x8b;
		const plain = zipped ? zlib.gunzipSync(raw) : raw;
		const text = plain.toString('utf8');

		if (this.verifies) {
			assert.equal(req.method, 'POST');
			assert.equal(h['content-type'], 'application/json');
			assert.equal(h['content-encoding'], zipped ? 'gzip' : undefined);
			assert.equal(h['x-api-key'], this.server.key);
			assert.equal(h['webhook-id'], h['x-webhook-id']);
			assert.match(h['x-webhook-attempt'], /^[1-9]\d*$/);
			assert.match(h['user-agent'], /^Fanfare\/\d/);
			assert.ok(this.js.verifyWebhook(plain, h['x-signature']), 'X-Signature, by stream-chat');
			assert.ok(this.node.verifyWebhook(plain, h['x-signature']), 'X-Signature, by node-sdk');
			assert.deepEqual(this.js.verifyAndParseWebhook(raw, h['x-signature']).type,
				JSON.parse(text).type);
			this.standard.verify(text, h);
		}
		this.all.push({ id: h['x-webhook-id'], attempt: Number(h['x-webhook-attempt']), zipped,
			path: req.url, text, event: JSON.parse(text) });
	}

	/* The deliveries to ${path}, once there are ${n}. */
	async count(n, path = '/hook', within = seconds(30)) {
		await until(`${n} deliveries at ${path}, of ${this.all.length}`,
			() => this.bad.length > 0 || this.at(path).length >= n, { within });
		assert.deepEqual(this.bad, []);
		return this.at(path);
	}

	/* The next delivery of this type to ${path} behind the ${seen} first ones. */
	async of(type, { path = '/hook', seen = 0 } = {}) {
		const found = () => this.at(path).filter((d) => d.event.type === type)[seen];

		await until(`${type} is delivered`, () => this.bad.length > 0 || found());
		assert.deepEqual(this.bad, []);
		return found().event;
	}

	types(path = '/hook') {
		return this.at(path).map((d) => d.event.type);
	}

	async stop() {
		this.http.closeAllConnections?.();
		await new Promise((resolve) => this.http.close(resolve));
	}
}

/* A hook as PATCH /app takes it. */
export function hookTo(url, rest = {}) {
	return { enabled: true, hook_type: 'webhook', webhook_url: url, event_types: [], ...rest };
}
