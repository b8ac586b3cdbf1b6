/* live – users' own apps: the stock client, connected, and what it hears. */
import assert from 'node:assert/strict';

import { StreamChat } from 'stream-chat';

import { userToken } from './clients.mjs';
import { seconds, until } from './wait.mjs';

const OWN = new Set(['health.check', 'connection.changed', 'connection.recovered',
	'transport.changed', 'capabilities.changed', 'channels.queried', 'user.presence.changed']);

/* A connected client: ${heard} has the events that the server told, oldest first. */
export class Ear {
	static async of(server, id, options = {}) {
		const ear = new Ear();
		ear.id = id;
		ear.heard = [];
		ear.seen = 0;
		ear.client = new StreamChat(server.key, { baseURL: server.url, timeout: seconds(20),
			allowServerSideConnect: true, ...options });
		let since;
		/* What was committed a moment before he came may still be on its way: his state has it. */
		ear.client.on((event) => {
			if (!OWN.has(event.type) && since && event.created_at > since)
				ear.heard.push(event);
		});
		since = (await ear.client.connectUser({ id }, userToken(server, id))).created_at;
		assert.ok(since);
		return ear;
	}

	/* The next event that was not looked at yet, which must be of this type. */
	async hears(type, within = seconds(20)) {
		await until(`${this.id} hears ${type}`, () => this.heard.length > this.seen, { within });
		const event = this.heard[this.seen++];
		assert.equal(event.type, type, JSON.stringify(event).slice(0, 400));
		return event;
	}

	/* The first of this type that was not looked at yet, whatever stands before it. */
	async finds(type, within = seconds(20)) {
		const at = await until(`${this.id} hears ${type}`, () => {
			const found = this.heard.findIndex((event, i) => i >= this.seen && event.type === type);
			return found >= 0 && { found };
		}, { within });
		this.seen = at.found + 1;
		return this.heard[at.found];
	}

	close() {
		return this.client.disconnectUser(1000);
	}
}
