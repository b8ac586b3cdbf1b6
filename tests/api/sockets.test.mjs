/* sockets – clients that mean ill, or are ill: each gets the right close code or is dropped, memory
 * stays bounded, and everybody else is served (api.md §7.4, RFC 6455). */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';

import { assertOk, userToken } from './lib/clients.mjs';
import { ids, makeUsers, startServer } from './lib/fixtures.mjs';
import { BINARY, CLOSE, PING, PONG, Socket, TEXT, connectPath, frame } from './lib/socket.mjs';
import { seconds, until } from './lib/wait.mjs';

let server, api, healthy;
before(async () => {
	({ server, api } = await startServer(['ann', 'bob']));
	healthy = await Socket.join(server, 'ann');
});
after(async () => {
	healthy.close();
	await server.close();
});

/* Memory that a sanitizer keeps is not the program's. */
const sanitized = () => /lib[at]san/.test(fs.readFileSync(`/proc/${server.pid}/maps`, 'utf8'));
const residentKiB = () => sanitized() ? 0 : Number(/^VmRSS:\s+(\d+)/m.exec(
	fs.readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]);
const openFiles = () => fs.readdirSync(`/proc/${server.pid}/fd`).length;

/* Whatever somebody else did: the healthy one is answered, over its socket and over HTTP. */
async function othersAreServed() {
	const began = Date.now();
	healthy.send(TEXT, '[{"type":"health.check"}]');
	assert.equal((await healthy.json()).connection_id, healthy.id);
	assertOk(await api.post('/channels', { filter_conditions: {} }), 201);
	assert.ok(Date.now() - began < seconds(2), `${Date.now() - began} ms`);
}

describe('frames that break the protocol', () => {
	/* Who does not answer a close frame is waited for some seconds. */
	const parting = [];
	const cases = {
		'unmasked': [1002, frame(TEXT, 'hi', { masked: false })],
		'reserved bits': [1002, frame(TEXT, 'hi', { rsv: 4 })],
		'unknown opcode': [1002, frame(3, 'hi')],
		'unknown control opcode': [1002, frame(11, '')],
		'continuation of nothing': [1002, frame(0, 'hi')],
		'a message inside a message': [1002, frame(TEXT, 'a', { fin: false }), frame(TEXT, 'b')],
		'a ping in pieces': [1002, frame(PING, 'a', { fin: false })],
		'a large ping': [1002, frame(PING, 'x'.repeat(126))],
		'binary': [1003, frame(BINARY, 'hi')],
		'invalid UTF-8': [1007, frame(TEXT, Buffer.from([0x61, 0xff]))],
		'UTF-8 cut between fragments': [1007, frame(TEXT, Buffer.from([0xc3]), { fin: false }), frame(0, 'x')],
		'a close code that is none': [1002, frame(CLOSE, Buffer.from([0, 1]))],
		'a message above the limit': [1009, frame(TEXT, 'x'.repeat(16 * 1024 + 1))],
		'a length of an exabyte': [1009, frame(TEXT, 'x', { length: 2 ** 60 })],
		'fragments without end': [1008, frame(TEXT, '', { fin: false }),
			...Array.from({ length: 100 }, () => frame(0, '', { fin: false }))],
		'fragments above the limit': [1009, frame(TEXT, 'x', { fin: false }),
			...Array.from({ length: 20 }, () => frame(0, 'x'.repeat(1000), { fin: false }))],
		'a flood of pings': [1008, ...Array.from({ length: 1000 }, () => frame(PING, 'x'))],
		'a flood of messages': [1008, ...Array.from({ length: 1000 }, () => frame(TEXT, '[{"type":"health.check"}]'))],
		'a flood of pongs': [1008, ...Array.from({ length: 1000 }, () => frame(PONG, ''))],
	};
	for (const [what, [code, ...frames]] of Object.entries(cases))
		test(`${what}: ${code}`, async () => {
			for (const pieces of [frames, [Buffer.concat(frames)]]) {
				const socket = await Socket.join(server, 'bob');
				for (const piece of pieces)
					socket.raw.write(piece);
				assert.equal(await socket.closeCode(), code);
				parting.push(socket.end());
				await othersAreServed();
			}
		});
	test('garbage and zeros', async () => {
		for (const byte of [0x00, 0xff, 0x41]) {
			const socket = await Socket.join(server, 'bob');
			socket.raw.write(Buffer.alloc(100000, byte));
			assert.ok((await socket.closeCode()) >= 1002);
			parting.push(socket.end());
		}
		await othersAreServed();
	});
	test('end, whether the client answers or not', async () => {
		assert.ok(parting.length > 40);
		await Promise.all(parting);
	});
	test('a handshake that runs on: what follows it counts', async () => {
		const socket = new Socket(server);
		const path = connectPath(server, { json: { user_id: 'bob' }, token: userToken(server, 'bob') });
		socket.raw.write(Buffer.concat([Buffer.from(`GET ${path} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n` +
			'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'),
			frame(TEXT, '[{"type":"health.check"}]')]));
		await socket.readHead();
		assert.match(socket.head, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i);
		const first = await socket.json();
		const second = await socket.json();
		assert.deepEqual([first.me.id, second.me, second.connection_id], ['bob', undefined, first.connection_id]);
		socket.close();
	});
});

describe('clients that stall', () => {
	test('handshakes that never end keep nobody out', async () => {
		const stalled = Array.from({ length: 200 }, () => net.connect(server.port, '127.0.0.1'));
		for (const [i, raw] of stalled.entries()) {
			raw.on('error', () => {});
			raw.write(i % 2 ? 'GET /connect?json=' : 'GET /connect HTTP/1.1\r\nUpgrade: websocket\r\nA: ');
		}
		await othersAreServed();
		(await Socket.join(server, 'bob')).close();
		for (const raw of stalled)
			raw.destroy();
	});
	test('one byte at a time is slow, not wrong', async () => {
		const socket = await Socket.join(server, 'bob');
		for (const byte of frame(TEXT, '[{"type":"health.check"}]'))
			await new Promise((resolve) => socket.raw.write(Buffer.from([byte]), resolve));
		assert.equal((await socket.json()).connection_id, socket.id);
		socket.close();
	});
	test('a thousand connections that come, vanish or close leave nothing behind', async () => {
		await makeUsers(api, ids('van', 40));
		const round = async () => {
			await Promise.all(ids('van', 40).map(async (id, i) => {
				const socket = await Socket.join(server, id);
				if (i % 4 === 0)
					socket.send(CLOSE, Buffer.from([3, 232]));
				if (i % 4 === 1)
					socket.raw.write(frame(TEXT, 'x'.repeat(1000)).subarray(0, 500));
				if (i % 4 === 2)
					socket.raw.resetAndDestroy();
				else if (i % 4 !== 0)
					socket.close();
				else
					await socket.end();
			}));
		};
		for (let i = 0; i < 5; i++)
			await round();
		const files = openFiles(), memory = residentKiB();
		for (let i = 0; i < 20; i++)
			await round();
		await until('their descriptors are closed', () => openFiles() <= files + 10);
		assert.ok(residentKiB() < memory + 4096, `${memory} KiB before, ${residentKiB()} KiB after`);
		await othersAreServed();
	});
	test('pings in, nothing read: what waits for a client is bounded', async () => {
		await makeUsers(api, ids('deaf', 50));
		const deaf = await Promise.all(ids('deaf', 50).map((id) => Socket.join(server, id)));
		const memory = residentKiB();
		for (const socket of deaf) {
			socket.raw.pause();
			/* Within what a client may send, each answered. */
			for (let i = 0; i < 90; i++)
				socket.send(TEXT, '[{"type":"health.check"}]');
		}
		await othersAreServed();
		assert.ok(residentKiB() < memory + 50 * 64, `${memory} KiB before, ${residentKiB()} KiB after`);
		for (const socket of deaf)
			socket.close();
		await othersAreServed();
	});
});
