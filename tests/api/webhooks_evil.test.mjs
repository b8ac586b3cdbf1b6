/* webhooks_evil – endpoints at their worst: each is outlived, none holds up another, nothing is
 * lost, nothing leads inward (I-11, I-16, I-17, I-18). */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import zlib from 'node:zlib';

import { House, hook } from './lib/house.mjs';
import { Server, tempDir } from './lib/server.mjs';
import { seconds, until } from './lib/wait.mjs';

const house = new House();
const { open, use, say, routes, route, closing } = house;
let dir;
before(async () => {
	dir = tempDir();
	await house.start({ FANFARE_RETRY_LADDER: '0.2', FANFARE_WEBHOOK_ALLOW: '127.0.0.1' });
});
after(async () => {
	await house.close();
	fs.rmSync(dir, { recursive: true, force: true });
});
afterEach(() => use());

/* A listener on which ${play}(socket, head, n) plays the n-th request, given as its head. */
async function evil(play) {
	const sockets = new Set(), seen = [];
	const listener = net.createServer((socket) => {
		let text = '';
		sockets.add(socket);
		socket.on('close', () => sockets.delete(socket));
		socket.on('error', () => {});
		socket.on('data', (some) => {
			text += some.toString('latin1');
			const end = text.indexOf('\r\n\r\n');
			const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
			if (end < 0 || text.length < end + 4 + length)
				return;
			const head = text.slice(0, end);
			text = text.slice(end + 4 + length);
			seen.push({ id: /x-webhook-id: (\S+)/i.exec(head)[1],
				attempt: Number(/x-webhook-attempt: (\d+)/i.exec(head)[1]), at: Date.now() });
			play(socket, head, seen.length);
		});
	});
	await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
	closing.push(() => new Promise((resolve) => {
		sockets.forEach((socket) => socket.destroy());
		listener.close(resolve);
	}));
	return { url: `http://127.0.0.1:${listener.address().port}/`, seen, sockets };
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

/* What fails with ${why} at first and is delivered in the end, under one id. */
async function recovers(url, seen, why, { attempts = 2 } = {}) {
	await use(hook(url, { timeout_ms: 1000 }));
	await say();
	await until('it has arrived', async () => (await route()).sent === 1, { within: seconds(30) });
	const { failures, put_aside, dead } = await route();
	assert.ok(failures[why] >= 1, JSON.stringify(failures));
	assert.deepEqual([put_aside, dead], [0, 0]);
	assert.equal(new Set(seen.map((d) => d.id)).size, 1);
	assert.deepEqual(seen.map((d) => d.attempt), seen.map((_, i) => i + 1));
	assert.ok(seen.length >= attempts);
}

describe('an endpoint that', () => {
	test('never answers', async () => {
		const it = await evil((socket, _, n) => n > 1 && socket.write(OK));
		await recovers(it.url, it.seen, 'timeout');
	});

	test('drips its headers', async () => {
		const it = await evil((socket, _, n) => {
			if (n > 1)
				return socket.write(OK);
			let at = 0;
			const text = 'HTTP/1.1 200 OK\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaa\r\n\r\n';
			const timer = setInterval(() => socket.write(text[at++]), 200);
			socket.on('close', () => clearInterval(timer));
		});
		await recovers(it.url, it.seen, 'timeout');
	});

	test('hangs up, with and without having read', async () => {
		const it = await evil((socket, _, n) => (n > 2 ? socket.write(OK)
			: n > 1 ? socket.destroy() : socket.resetAndDestroy()));
		await recovers(it.url, it.seen, 'network', { attempts: 3 });
	});

	test('speaks no HTTP', async () => {
		const it = await evil((socket, _, n) => socket.end(n > 1 ? OK : 'SSH-2.0-OpenSSH_9.2\r\n'));
		await recovers(it.url, it.seen, 'network');
	});

	test('answers a million headers', async () => {
		const it = await evil((socket, _, n) => {
			if (n > 1)
				return socket.write(OK);
			socket.write('HTTP/1.1 200 OK\r\n');
			const lines = 'X-Header: and another one\r\n'.repeat(1000);
			let left = 1000;
			const more = () => {
				while (left-- > 0 && !socket.destroyed)
					if (!socket.write(lines))
						return socket.once('drain', more);
			};
			more();
		});
		await recovers(it.url, it.seen, 'network');
	});

	test('answers 10 GB: it has answered, and is not listened to', async () => {
		let written = 0;
		const it = await evil((socket) => {
			const some = Buffer.alloc(65536, 'x');
			socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n');
			const more = () => {
				while (!socket.destroyed && written < 1e10) {
					written += some.length;
					if (!socket.write(some))
						return socket.once('drain', more);
				}
			};
			more();
		});
		await use(hook(it.url));
		await say();
		await until('it counts as sent', async () => (await route()).sent === 1);
		await until('it was hung up upon', () => it.sockets.size === 0);
		assert.ok(written < 5e7, `${written} bytes were taken`);
		assert.equal(it.seen.length, 1);
	});

	test('hangs in the body: it has answered', async () => {
		const it = await evil((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx'));
		await use(hook(it.url, { timeout_ms: 1000 }));
		await say();
		await until('it counts as sent', async () => (await route()).sent === 1);
		assert.equal(it.seen.length, 1);
	});

	test('answers a bomb: nothing is unpacked', async () => {
		const bomb = zlib.gzipSync(Buffer.alloc(100e6));
		const it = await evil((socket) => {
			socket.write(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`);
			socket.write(bomb);
		});
		await use(hook(it.url));
		await say();
		await until('it counts as sent', async () => (await route()).sent === 1);
	});

	for (const [what, value] of [['seconds', '99999999999'], ['more than there are', '9'.repeat(60)],
		['a date', 'Fri, 31 Dec 9999 23:59:59 GMT'], ['a date in the past', 'Mon, 01 Jan 1990 00:00:00 GMT'],
		['less than nothing', '-5'], ['nonsense', 'soon'], ['nothing', '']])
		test(`asks for a pause of ${what}`, async () => {
			const it = await evil((socket, _, n) => socket.write(n > 1 ? OK
				: `HTTP/1.1 429 Slow\r\nRetry-After: ${value}\r\nContent-Length: 0\r\n\r\n`));
			await recovers(it.url, it.seen, 'http_429');
		});

	for (const to of ['http://127.0.0.1:1/', 'http://169.254.169.254/latest/meta-data/', 'http://[::1]:1/',
		'file:///etc/passwd', 'gopher://127.0.0.1:1/x', '/elsewhere'])
		test(`sends us to ${to}: we stay`, async () => {
			const it = await evil((socket, head, n) => socket.write(n > 1 ? OK
				: `HTTP/1.1 302 Found\r\nLocation: ${to}\r\nContent-Length: 0\r\n\r\n`));
			await recovers(it.url, it.seen, 'http_302');
		});

	test('closes when its connection is used again', async () => {
		const it = await evil((socket, _, n) => {
			socket.uses = (socket.uses ?? 0) + 1;
			if (socket.uses > 1 && n < 8)
				return socket.resetAndDestroy();
			return socket.write(OK);
		});
		await use(hook(it.url));
		for (let i = 0; i < 5; i++)
			await say(`${i}`);
		await until('all five are sent', async () => (await route()).sent === 5);
		assert.equal(new Set(it.seen.map((d) => d.id)).size, 5);
	});

	test('has a certificate that is not good', async () => {
		const key = path.join(dir, 'key.pem'), cert = path.join(dir, 'cert.pem');
		execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
			'-nodes', '-keyout', key, '-out', cert, '-subj', '/CN=127.0.0.1', '-days', '1',
			'-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' });
		let requests = 0;
		const listener = https.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) },
			(req, res) => {
				requests++;
				res.end();
			});
		await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
		closing.push(() => new Promise((resolve) => listener.close(resolve)));
		await use(hook(`https://127.0.0.1:${listener.address().port}/`));
		await say();
		await until('it has failed', async () => (await route()).failures.network >= 2);
		assert.equal(requests, 0);
	});
});

describe('a dead endpoint', () => {
	test('holds up no other', async () => {
		const dead = await evil(() => {});
		const sink = await open();
		await use(hook(dead.url), hook('http://127.0.0.1:1/'), hook(dead.url.replace(/\/$/, '/2')),
			hook(sink.url));
		const times = new Map();
		for (let i = 0; i < 100; i++) {
			const { id } = await say(`${i}`);
			times.set(id, Date.now());
		}
		await sink.wait(100, undefined, { within: seconds(10) });
		const lags = sink.deliveries.map((d) => d.at - times.get([...times.keys()]
			.find((id) => d.body.includes(id))));
		assert.ok(Math.max(...lags) < 2000, `${Math.max(...lags)} ms`);
	});

	test('is probed, and gets everything once it lives', async () => {
		let lives = false;
		const sink = await open((req, res) => {
			res.statusCode = lives ? 200 : 503;
			res.end();
		});
		await use(hook(sink.url));
		const said = [];
		for (let i = 0; i < 200; i++)
			said.push((await say(`${i}`)).id);
		await until('its window is shut', async () => (await route()).window === 0);
		const { put_aside } = await route();
		assert.ok(put_aside < 100, `${put_aside} are put aside`);
		lives = true;
		await until('all have arrived', async () => (await route()).sent === 200, { within: seconds(60) });
		const bodies = new Map();
		for (const d of sink.deliveries) {
			assert.equal(bodies.get(d.id) ?? d.body, d.body);
			bodies.set(d.id, d.body);
		}
		assert.equal(bodies.size, 200);
		const { window, dead } = await route();
		assert.ok(window > 0);
		assert.equal(dead, 0);
	});
});

test('what was tried for too long is a dead letter', async () => {
	const sink = await open((req, res) => {
		res.statusCode = 500;
		res.end();
	});
	const brief = await new House().start({ FANFARE_RETRY_LADDER: '0.2', FANFARE_RETRY_FOR: 2,
		FANFARE_WEBHOOK_ALLOW: '127.0.0.1' });
	try {
		await brief.use(hook(sink.url));
		await brief.say();
		const found = await until('it is dead', async () => {
			const one = await brief.route();
			return one.dead === 1 && one;
		});
		assert.equal(found.failures.http_500, sink.deliveries.length);
		assert.ok(sink.deliveries.length >= 3);
	} finally {
		await brief.close();
	}
});
