/* sink – an endpoint of a webhook: notes what it is sent, and answers as it is told. */
import http from 'node:http';
import zlib from 'node:zlib';

import { until } from './wait.mjs';

export class Sink {
	/* ${answer}: (request, response, delivery) → answers, or does worse; default: 200. */
	constructor(answer) {
		this.answer = answer ?? ((req, res) => res.end());
		this.deliveries = [];
		this.connections = 0;
		this.server = http.createServer({ keepAliveTimeout: 60000 }, (req, res) => this.take(req, res));
		this.server.on('connection', () => this.connections++);
		this.server.on('clientError', (_, socket) => socket.destroy());
	}

	static async open(answer) {
		const sink = new Sink(answer);
		await new Promise((resolve) => sink.server.listen(0, '127.0.0.1', resolve));
		sink.port = sink.server.address().port;
		sink.url = `http://127.0.0.1:${sink.port}/hook`;
		return sink;
	}

	take(req, res) {
		const chunks = [];
		req.on('data', (chunk) => chunks.push(chunk));
		req.on('error', () => {});
		req.on('end', () => {
			const raw = Buffer.concat(chunks);
			const body = raw[0] === 0x1f && raw[1] === 0x8b ? zlib.gunzipSync(raw) : raw;
			const delivery = { at: Date.now(), method: req.method, path: req.url, headers: req.headers,
				raw, body: body.toString('utf8'), id: req.headers['x-webhook-id'],
				attempt: Number(req.headers['x-webhook-attempt']) };
			delivery.json = JSON.parse(delivery.body);
			this.deliveries.push(delivery);
			this.answer(req, res, delivery);
		});
	}

	/* Waits for ${n} deliveries that ${which} fits, which are returned. */
	async wait(n, which = () => true, options) {
		await until(`${n} deliveries have come`, () => this.deliveries.filter(which).length >= n, options);
		return this.deliveries.filter(which);
	}

	ids() {
		return new Set(this.deliveries.map((d) => d.id));
	}

	async close() {
		this.server.closeAllConnections();
		await new Promise((resolve) => this.server.close(resolve));
	}
}
