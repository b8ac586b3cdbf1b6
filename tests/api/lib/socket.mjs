/* socket – WebSockets by hand, for what the stock clients never do; and the stock client as an app
 * has it. */
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import net from 'node:net';

import { StreamChat } from 'stream-chat';

import { userToken } from './clients.mjs';
import { seconds } from './wait.mjs';

export const TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;

/* A frame as a client sends it, well-formed unless told otherwise. */
export function frame(opcode, data = '', { fin = true, rsv = 0, masked = true, length } = {}) {
	const body = Buffer.from(data);
	const n = length ?? body.length;
	const bit = masked ? 0x80 : 0;
	let head;
	if (n < 126) {
		head = Buffer.from([0, bit | n]);
	} else if (n < 65536) {
		head = Buffer.from([0, bit | 126, n >> 8, n & 255]);
	} else {
		head = Buffer.alloc(10);
		head[1] = bit | 127;
		head.writeBigUInt64BE(BigInt(n), 2);
	}
	head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
	if (!masked)
		return Buffer.concat([head, body]);
	const mask = crypto.randomBytes(4);
	return Buffer.concat([head, mask, body.map((byte, i) => byte ^ mask[i % 4])]);
}

/* The path of a connect: ${json} is what the client says, an object or text. */
export function connectPath(server, { json, token, query = {} } = {}) {
	const all = { json: typeof json === 'string' ? json : JSON.stringify(json), api_key: server.key,
		authorization: token, 'stream-auth-type': 'jwt', ...query };
	const given = Object.entries(all).filter(([, value]) => value !== undefined && value !== null);
	return `/connect?${new URLSearchParams(given)}`;
}

export class Socket {
	constructor(server) {
		this.raw = net.connect(server.port, '127.0.0.1');
		this.raw.setNoDelay(true);
		this.bytes = Buffer.alloc(0);
		this.ended = false;
		this.raw.on('data', (some) => {
			this.bytes = Buffer.concat([this.bytes, some]);
			this.wake?.();
		});
		this.raw.on('error', () => {});
		this.raw.on('close', () => {
			this.ended = true;
			this.wake?.();
		});
	}

	/* A socket for the user, with its first frame, which must say that it is connected. */
	static async join(server, id, options = {}) {
		const socket = await Socket.dial(server, { json: { user_id: id },
			token: userToken(server, id), ...options });
		assert.equal(socket.status, 101, socket.head);
		socket.first = await socket.json();
		assert.equal(socket.first.type, 'health.check', JSON.stringify(socket.first));
		socket.id = socket.first.connection_id;
		return socket;
	}

	/* The first frame of a connect that is refused, and the code it is closed by. */
	static async refused(server, options) {
		const socket = await Socket.dial(server, options);
		assert.equal(socket.status, 101, socket.head);
		const { error } = await socket.json();
		const { code } = await socket.next();
		socket.close();
		return { ...error, closedBy: code };
	}

	/* Sends the handshake and reads the head of the answer. */
	static async dial(server, { headers = {}, path, ...options } = {}) {
		const socket = new Socket(server);
		const all = { Host: '127.0.0.1', Upgrade: 'websocket', Connection: 'Upgrade',
			'Sec-WebSocket-Version': '13',
			'Sec-WebSocket-Key': crypto.randomBytes(16).toString('base64'), ...headers };
		const lines = Object.entries(all).filter(([, value]) => value !== null)
			.map(([name, value]) => `${name}: ${value}\r\n`).join('');
		socket.raw.write(`GET ${path ?? connectPath(server, options)} HTTP/1.1\r\n${lines}\r\n`);
		await socket.readHead();
		return socket;
	}

	async more() {
		if (this.ended)
			return false;
		let timer;
		await new Promise((resolve, reject) => {
			this.wake = resolve;
			timer = setTimeout(() => reject(new Error('nothing comes')), seconds(40));
		}).finally(() => clearTimeout(timer));
		return true;
	}

	async readHead() {
		let end;
		while ((end = this.bytes.indexOf('\r\n\r\n')) < 0)
			if (!await this.more())
				break;
		this.head = this.bytes.subarray(0, end < 0 ? undefined : end).toString();
		this.bytes = end < 0 ? Buffer.alloc(0) : this.bytes.subarray(end + 4);
		this.status = Number(/^HTTP\/1\.1 (\d+)/.exec(this.head)?.[1] ?? 0);
	}

	/* The next frame, {opcode, data, code}; opcode −1: the other side hung up. */
	async next() {
		for (;;) {
			const found = this.take();
			if (found)
				return found;
			if (!await this.more())
				return this.take() ?? { opcode: -1 };
		}
	}

	take() {
		const b = this.bytes;
		if (b.length < 2)
			return undefined;
		let n = b[1] & 127, head = 2;
		assert.equal(b[1] & 128, 0, 'a server masks nothing');
		if (n === 126) {
			if (b.length < 4)
				return undefined;
			n = b.readUInt16BE(2);
			head = 4;
		} else if (n === 127) {
			if (b.length < 10)
				return undefined;
			n = Number(b.readBigUInt64BE(2));
			head = 10;
		}
		if (b.length < head + n)
			return undefined;
		const data = b.subarray(head, head + n);
		this.bytes = b.subarray(head + n);
		return { opcode: b[0] & 15, data, code: (b[0] & 15) === CLOSE && n >= 2 ? data.readUInt16BE(0) : 0 };
	}

	/* The next text frame, parsed; pings of the protocol are passed over. */
	async json() {
		let f;
		do
			f = await this.next();
		while (f.opcode === PING);
		assert.equal(f.opcode, TEXT, `a text frame, not opcode ${f.opcode} (code ${f.code})`);
		return JSON.parse(f.data.toString('utf8'));
	}

	/* Reads on to the close frame: its code, 0 when there is none. */
	async closeCode() {
		let f;
		do
			f = await this.next();
		while (f.opcode !== CLOSE && f.opcode >= 0);
		return f.code ?? 0;
	}

	async end() {
		let f;
		do
			f = await this.next();
		while (f.opcode >= 0);
	}

	send(opcode, data, options) {
		this.raw.write(frame(opcode, data, options));
	}

	close() {
		this.raw.destroy();
	}
}

/* The stock client of a user's app, connected; ${token} may be a provider. */
export async function connectClient(server, user, token = userToken(server, user.id ?? user)) {
	const client = stockClient(server);
	client.hello = await client.connectUser(typeof user === 'string' ? { id: user } : user, token);
	return client;
}

/* The same, not connected. */
export function stockClient(server) {
	return new StreamChat(server.key, { baseURL: server.url, timeout: 20000, allowServerSideConnect: true });
}
