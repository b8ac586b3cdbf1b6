/* realtime – clients connect and stay connected: api.md §7.1 to §7.4, and watching. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertError, assertOk, call, jwt, serverToken, userToken } from './lib/clients.mjs';
import { makeUsers, send, startServer } from './lib/fixtures.mjs';
import { STAYING, Server } from './lib/server.mjs';
import { CLOSE, Socket, TEXT, connectClient, connectPath, stockClient } from './lib/socket.mjs';
import { seconds, until } from './lib/wait.mjs';

let server, api, js;
before(async () => {
	({ server, api, js } = await startServer(['ann', 'bob', { id: 'eve', name: 'Eve', role: 'admin',
		teams: ['red'], color: 'blue', pets: { cats: 1, dogs: 2 } }]));
});
after(() => server.close());

const userOf = async (id) => (await js.queryUsers({ id })).users[0];
const as = (id, method, path, options = {}) => call(server, method, path,
	{ token: userToken(server, id), ...options });
const now = () => Math.floor(Date.now() / 1000);
const tokenOf = (id, more) => jwt({ user_id: id, ...more }, server.secret);
const event = (client, type, within = seconds(20)) => new Promise((resolve, reject) => {
	const timer = setTimeout(() => reject(new Error(`no ${type} within ${within} ms`)), within);
	const { unsubscribe } = client.on(type, (e) => {
		clearTimeout(timer);
		unsubscribe();
		resolve(e);
	});
});

describe('the first frame', () => {
	test('the stock client connects and knows itself', async () => {
		await makeUsers(api, ['rita']);
		await send(api, { sender_id: 'ann', user_ids: ['rita'], create_channels: true,
			message_template: { text: 'Hi' }, channel_template: { type: 'messaging', id: 'r-{{receiver.id}}' } });
		await js.addDevice('phone', 'apn', 'rita');
		const client = await connectClient(server, { id: 'rita', name: 'Rita', mood: 'good' });
		const { me, ...frame } = client.hello;
		assert.equal(frame.type, 'health.check');
		assert.equal(frame.cid, '*');
		assert.match(frame.connection_id, /^[0-9a-f-]{36}$/);
		assert.equal(client.wsConnection.connectionID, frame.connection_id);
		assert.match(frame.created_at, /Z$/);
		assert.deepEqual({ ...me, created_at: 0, updated_at: 0, last_active: 0, devices: 0 }, { id: 'rita',
			name: 'Rita', mood: 'good', role: 'user', language: '', teams: [], created_at: 0, updated_at: 0,
			last_active: 0, banned: false, shadow_banned: false, online: true, invisible: false,
			blocked_user_ids: [], channel_mutes: [], mutes: [], devices: 0, total_unread_count: 1,
			unread_count: 1, unread_channels: 1, unread_threads: 0 });
		assert.deepEqual(me.devices.map(({ id }) => id), ['phone']);
		assert.equal(client.user.total_unread_count, 1);
		await client.disconnectUser();
	});
	test('who is new is made, of what he says and may say', async () => {
		const client = await connectClient(server, { id: 'nina', name: 'Nina', image: 'http://i/n.png',
			language: 'en', role: 'admin', teams: ['red'], shoe: { size: 38 } });
		const user = await userOf('nina');
		assert.deepEqual([user.name, user.image, user.language, user.role, user.teams, user.shoe],
			['Nina', 'http://i/n.png', 'en', 'user', [], { size: 38 }]);
		assert.equal(user.online, true);
		assert.ok(Date.parse(user.last_active) > Date.now() - 60000);
		await client.disconnectUser();
		await until('nina is offline', async () => !(await userOf('nina')).online);
	});
	test('who is there keeps what he does not say', async () => {
		const client = await connectClient(server, { id: 'eve', name: 'Eva', role: 'user', teams: [],
			pets: { cats: 3 }, color: null });
		const user = await userOf('eve');
		assert.deepEqual([user.name, user.role, user.teams, user.color, user.pets],
			['Eva', 'admin', ['red'], 'blue', { cats: 3 }]);
		await client.disconnectUser();
	});
	test('who says nothing new is not written', async () => {
		const socket = await Socket.join(server, 'nina', { json: { user_id: 'nina',
			user_details: { id: 'nina', name: 'Nina', shoe: { size: 38 } } } });
		socket.close();
		const before = await userOf('nina');
		const again = await Socket.join(server, 'nina', { json: { user_id: 'nina',
			user_details: { id: 'nina', shoe: { size: 38 }, name: 'Nina' } } });
		assert.deepEqual([again.first.me.updated_at, again.first.me.last_active],
			[before.updated_at, before.last_active]);
		again.close();
	});
	test('a device is registered', async () => {
		const socket = await Socket.join(server, 'bob', { json: { user_id: 'bob',
			device: { id: 'tab', push_provider: 'firebase' } } });
		assert.deepEqual(socket.first.me.devices.map(({ id, push_provider }) => [id, push_provider]),
			[['tab', 'firebase']]);
		socket.close();
		assert.equal((await js.getDevices('bob')).devices.length, 1);
	});
	test('a token inside the JSON, or in the header', async () => {
		for (const options of [{ json: { user_id: 'bob', user_token: userToken(server, 'bob') }, token: null },
			{ token: null, headers: { Authorization: userToken(server, 'bob') } }])
			(await Socket.join(server, 'bob', options)).close();
	});
	test('anonymous and guest clients', async () => {
		const client = stockClient(server);
		const { me } = await client.connectAnonymousUser();
		assert.equal(me.role, 'anonymous');
		assert.equal(me.id, client.userID);
		await client.disconnectUser();
		assert.equal((await js.queryUsers({ id: me.id })).users.length, 0);
		const guest = stockClient(server);
		assert.equal((await guest.setGuestUser({ id: 'gus', name: 'Gus' })).me.role, 'guest');
		await guest.disconnectUser();
	});
});

/* ---- who is refused -------------------------------------------------------------------------- */

describe('refusals are the first frame', () => {
	const bob = { user_id: 'bob' };
	const cases = [
		['another user\'s token', () => ({ json: bob, token: tokenOf('ann') }), 401, 5],
		['no token', () => ({ json: bob }), 401, 5],
		['the token "undefined"', () => ({ json: bob, token: 'undefined' }), 401, 5],
		['no JWT', () => ({ json: bob, token: 'x' }), 401, 5],
		['a server\'s token', () => ({ json: bob, token: serverToken(server) }), 401, 5],
		['a wrong signature', () => ({ json: bob, token: jwt(bob, 'wrong') }), 401, 43],
		['an expired token', () => ({ json: bob, token: tokenOf('bob', { exp: now() - 1 }) }), 401, 40],
		['a token of tomorrow', () => ({ json: bob, token: tokenOf('bob', { nbf: now() + 999 }) }), 401, 41],
		['a token from the future', () => ({ json: bob, token: tokenOf('bob', { iat: now() + 999 }) }), 401, 42],
		['an unknown key', () => ({ json: bob, token: tokenOf('bob'), query: { api_key: 'x' } }), 401, 2],
		['an unknown kind', () => ({ json: bob, token: tokenOf('bob'), query: { 'stream-auth-type': 'x' } }), 401, 5],
		['no json', () => ({ token: tokenOf('bob') }), 400, 4, /json/],
		['json that is none', () => ({ json: '{', token: tokenOf('bob') }), 400, 4, /json/],
		['json that is an array', () => ({ json: '[]', token: tokenOf('bob') }), 400, 4, /json.*object/],
		['a user_id that is none', () => ({ json: { user_id: 7 }, token: tokenOf('bob') }), 400, 4, /user_id/],
		['a user_id with a space', () => ({ json: { user_id: 'a b' }, token: tokenOf('bob') }), 400, 4, /user_id/],
		['details of another', () => ({ json: { ...bob, user_details: { id: 'ann' } }, token: tokenOf('bob') }),
			400, 4, /user_details\.id/],
		['details that are a text', () => ({ json: { ...bob, user_details: 'x' }, token: tokenOf('bob') }),
			400, 4, /user_details.*object/],
		['a name that is a number', () => ({ json: { ...bob, user_details: { name: 7 } }, token: tokenOf('bob') }),
			400, 4, /user_details.*name/],
		['too much custom data', () => ({ json: { ...bob, user_details: { x: 'x'.repeat(6000) } },
			token: tokenOf('bob') }), 400, 4, /5120/],
		['a device without provider', () => ({ json: { ...bob, device: { id: 'x' } }, token: tokenOf('bob') }),
			400, 4, /device.*push_provider/],
		['a device of no provider', () => ({ json: { ...bob, device: { id: 'x', push_provider: 'fax' } },
			token: tokenOf('bob') }), 400, 4, /push_provider/],
		['a device that is a text', () => ({ json: { ...bob, device: 'x' }, token: tokenOf('bob') }),
			400, 4, /device.*object/],
	];
	for (const [what, options, status, code, text] of cases)
		test(what, async () => {
			const error = await Socket.refused(server, options());
			assert.deepEqual([error.StatusCode, error.code, error.closedBy], [status, code, 1000], error.message);
			assert.equal(typeof error.message, 'string');
			assert.match(error.duration, /ms$/);
			assert.ok(error.more_info && Array.isArray(error.details));
			if (text)
				assert.match(error.message, text);
		});
	test('users who are gone', async () => {
		await makeUsers(api, ['gone', 'idle', 'late']);
		await js.deleteUser('gone');
		await js.deactivateUser('idle');
		const told = async (id) => {
			const error = await Socket.refused(server, { json: { user_id: id }, token: tokenOf(id) });
			return [error.StatusCode, error.code];
		};
		assert.deepEqual(await told('gone'), [404, 16]);
		assert.deepEqual(await told('idle'), [403, 17]);
		await js.partialUpdateUser({ id: 'late', set: { revoke_tokens_issued_before: new Date().toISOString() } });
		assert.deepEqual(await told('late'), [401, 40]);
		(await Socket.join(server, 'late', { token: tokenOf('late', { iat: now() + 2 }) })).close();
	});
	test('as the stock client tells them', async () => {
		const client = stockClient(server);
		const wrong = jwt({ user_id: 'bob' }, 'wrong');
		await assert.rejects(client.connectUser({ id: 'bob' }, wrong), (error) => {
			assert.deepEqual({ ...JSON.parse(error.message), message: '' },
				{ code: 43, StatusCode: 401, message: '', isWSFailure: false });
			return true;
		});
		await client.disconnectUser();
	});
	test('what is no WebSocket is answered in HTTP', async () => {
		const path = connectPath(server, { json: bob, token: tokenOf('bob') });
		for (const headers of [{ Upgrade: null, Connection: null }, { Upgrade: 'h2c' },
			{ 'Sec-WebSocket-Version': '8' }, { 'Sec-WebSocket-Key': 'short' }, { Connection: 'keep-alive' }]) {
			const socket = await Socket.dial(server, { path, headers });
			assert.equal(socket.status, 400, JSON.stringify(headers));
			socket.close();
		}
		const answer = await as('bob', 'GET', '/connect', { query: { json: JSON.stringify(bob) } });
		assertError(answer, 400, 4, /Upgrade/);
		assertError(await as('bob', 'POST', '/connect', { body: {} }), 405, 4);
		assert.equal((await as('bob', 'GET', '/api/v2/connect')).status, 404);
		assert.equal((await as('bob', 'GET', '/longpoll')).status, 404);
	});
});

/* ---- staying connected --------------------------------------------------------------------------- */

describe('staying connected', () => {
	test('pings are answered at once, as an array or alone', async () => {
		const socket = await Socket.join(server, 'bob');
		for (const ping of ['[{"type":"health.check","client_id":"bob--1"}]', '{"type":"health.check"}',
			' [ { "client_id":"x", "type" : "health.check" } ] ']) {
			socket.send(TEXT, ping);
			const answer = await socket.json();
			assert.deepEqual([answer.type, answer.connection_id, answer.cid, answer.me],
				['health.check', socket.id, '*', undefined]);
		}
		/* What means nothing here is passed over. */
		for (const other of ['[{"type":"typing.start"}]', '[]', '', 'x', '[[', '{"type":7}'])
			socket.send(TEXT, other);
		socket.send(TEXT, '[{"type":"health.check"}]');
		assert.equal((await socket.json()).connection_id, socket.id);
		socket.close();
	});
	test('the stock client pings and is answered', async () => {
		const client = await connectClient(server, 'ann');
		const answer = event(client, 'health.check');
		client.wsConnection.sendPing?.();
		client.wsConnection.ws.send(JSON.stringify([{ type: 'health.check', client_id: client.clientID }]));
		assert.equal((await answer).connection_id, client.hello.connection_id);
		await client.disconnectUser();
	});
	test('closing is answered, and the connection is forgotten', async () => {
		const socket = await Socket.join(server, 'bob');
		socket.send(CLOSE, Buffer.from([3, 232]));
		assert.equal(await socket.closeCode(), 1000);
		await socket.end();
		assert.equal((await userOf('bob')).online, false);
	});
	test('an expired token: the provider is asked again', async () => {
		let asked = 0;
		const client = await connectClient(server, 'ann', async () =>
			tokenOf('ann', { exp: now() + (asked++ === 0 ? -1 : 600) }));
		assert.equal(asked, 2);
		assert.equal(client.hello.me.id, 'ann');
		await client.disconnectUser();
	});
	test('a token that expires while connected ends the connection; the client comes back', async () => {
		let asked = 0;
		const client = await connectClient(server, 'ann', async () =>
			tokenOf('ann', { exp: now() + (asked++ === 0 ? 2 : 600) }));
		const first = client.hello.connection_id;
		await event(client, 'connection.recovered', seconds(30));
		assert.ok(asked >= 2);
		assert.notEqual(client.wsConnection.connectionID, first);
		await client.disconnectUser();
	});
	test('its close code is not the one for good', async () => {
		const exp = now() + 2;
		const socket = await Socket.join(server, 'bob', { token: tokenOf('bob', { exp }) });
		assert.equal(await socket.closeCode(), 1008);
		assert.ok(Date.now() >= exp * 1000 && Date.now() < exp * 1000 + seconds(1.5));
		socket.close();
	});
	test('who is deactivated or deleted is hung up upon, and does not come back', async () => {
		await makeUsers(api, ['dan', 'del']);
		for (const [id, go, code] of [['dan', () => js.deactivateUser('dan'), 17],
			['del', () => js.deleteUser('del'), 16]]) {
			const sockets = await Promise.all([1, 2].map(() => Socket.join(server, id)));
			await go();
			for (const socket of sockets)
				assert.equal(await socket.closeCode(), 1008);
			assert.equal((await Socket.refused(server, { json: { user_id: id }, token: tokenOf(id) })).code, code);
		}
		(await Socket.join(server, 'bob')).close();
	});
	test('revoked tokens end their connections, and no others', async () => {
		await makeUsers(api, ['rex', 'roy']);
		const older = { iat: now() - 60 };
		const join = (id, more) => Socket.join(server, id, { token: tokenOf(id, more) });
		const [dated, undated, newer, other] = await Promise.all([join('rex', older), join('rex'),
			join('rex', { iat: now() }), join('roy', older)]);
		const moment = new Date(Date.now() - seconds(30)).toISOString();
		await js.partialUpdateUser({ id: 'rex', set: { revoke_tokens_issued_before: moment } });
		for (const socket of [dated, undated])
			assert.equal(await socket.closeCode(), 1008);
		assert.equal((await Socket.refused(server, { json: { user_id: 'rex' }, token: tokenOf('rex', older) })).code, 40);
		await js.updateAppSettings({ revoke_tokens_issued_before: moment });
		assert.equal(await other.closeCode(), 1008);
		await js.updateAppSettings({ revoke_tokens_issued_before: null });
		newer.send(TEXT, '[{"type":"health.check"}]');
		let heard;
		do heard = await newer.json(); while (heard.type !== 'health.check');
		newer.close();
	});
	test('a stock client whose token is revoked comes back with a new one', async () => {
		await makeUsers(api, ['ron']);
		let asked = 0;
		const client = await connectClient(server, 'ron', async () =>
			tokenOf('ron', { iat: now() - (asked++ === 0 ? 60 : 0) }));
		const recovered = event(client, 'connection.recovered', seconds(30));
		await js.revokeUserToken('ron', new Date(Date.now() - seconds(30)));
		await recovered;
		assert.ok(asked >= 2);
		await client.disconnectUser();
	});
	test('what one client says of its user, his other ones hear', async () => {
		await makeUsers(api, ['twin']);
		const client = await connectClient(server, 'twin');
		const heard = event(client, 'user.updated');
		(await Socket.join(server, 'twin', { json: { user_id: 'twin', user_details: { name: 'Two' } } })).close();
		assert.equal((await heard).user.name, 'Two');
		await client.disconnectUser();
	});
	test('50 connections of a user', async () => {
		await makeUsers(api, ['many']);
		const sockets = await Promise.all(Array.from({ length: 50 }, () => Socket.join(server, 'many')));
		const error = await Socket.refused(server, { json: { user_id: 'many' }, token: tokenOf('many') });
		assert.deepEqual([error.code, error.StatusCode], [71, 429]);
		(await Socket.join(server, 'bob')).close();
		sockets[20].close();
		sockets[20] = await until('there is room again', async () => {
			const socket = await Socket.dial(server, { json: { user_id: 'many' }, token: tokenOf('many') });
			const first = await socket.json();
			if (first.error)
				socket.close();
			return !first.error && socket;
		});
		for (const socket of sockets)
			socket.close();
	});
});

/* ---- watching ------------------------------------------------------------------------------------- */

describe('watching', () => {
	const body = { data: { members: ['ann', 'bob'] } };
	const query = (id, more = {}, connection_id) => as(id, 'POST', '/channels/messaging/w1/query',
		{ body: { ...body, ...more }, query: connection_id ? { connection_id } : {} });

	test('watch, watcher_count, stop-watching with the stock client', async () => {
		const [ann, bob] = await Promise.all(['ann', 'bob'].map((id) => connectClient(server, id)));
		const channel = ann.channel('messaging', 'w0', { members: ['ann', 'bob'] });
		assert.equal((await channel.watch()).watcher_count, 1);
		const [listed] = await bob.queryChannels({ cid: 'messaging:w0' }, {}, { watch: true, state: true });
		assert.equal(listed.state.watcher_count, 2);
		assert.equal((await channel.query({})).watcher_count, 2);
		await channel.stopWatching();
		assert.equal((await listed.query({})).watcher_count, 1);
		await bob.disconnectUser();
		await until('nobody watches', async () => (await channel.query({})).watcher_count === 0);
		await ann.disconnectUser();
	});
	test('what watching needs', async () => {
		const [ann, bob] = await Promise.all(['ann', 'bob'].map((id) => Socket.join(server, id)));
		assertOk(await query('ann', { watch: true, presence: true }, ann.id), 201);
		assertError(await query('ann', { watch: true }), 400, 4, /connection_id/);
		assertError(await query('ann', { watch: 'yes' }, ann.id), 400, 4, /watch/);
		assertError(await query('ann', { presence: 7 }, ann.id), 400, 4, /presence/);
		assertError(await query('ann', { watch: true, connection_id: 7 }), 400, 4, /connection_id/);
		for (const other of [bob.id, 'x', '00000000-0000-4000-8000-000000000000']) {
			assertError(await query('ann', { watch: true }, other), 400, 46, /connection_id/);
			assertError(await as('ann', 'POST', '/channels', { query: { connection_id: other },
				body: { filter_conditions: { cid: 'messaging:w1' }, watch: true } }), 400, 46);
			assertError(await as('ann', 'POST', '/channels/messaging/w1/stop-watching',
				{ body: {}, query: { connection_id: other } }), 400, 46);
			/* Stock clients name theirs in every request, also when it is over. */
			assertOk(await query('ann', {}, other), 201);
		}
		assertError(await as('ann', 'POST', '/channels/messaging/w1/stop-watching', { body: {} }), 400, 4,
			/connection_id/);
		assertError(await as('ann', 'POST', '/channels/messaging/none/stop-watching',
			{ body: {}, query: { connection_id: ann.id } }), 404, 16);
		const state = assertOk(await query('bob', { watch: true }, bob.id), 201);
		assert.equal(state.watcher_count, 2);
		ann.close();
		bob.close();
	});
	test('who may not see a channel does not watch it', async () => {
		await makeUsers(api, ['mallory']);
		const socket = await Socket.join(server, 'mallory');
		assertError(await query('mallory', { watch: true, data: {} }, socket.id), 403, 17);
		assert.equal((await api.post('/channels/messaging/w1/query', {})).body.watcher_count, 0);
		socket.close();
	});
});

/* ---- the server goes -------------------------------------------------------------------------------- */

describe('a server that goes', () => {
	test('says so, and the stock client comes back by itself', async () => {
		const { server: other } = await startServer(['ann', 'bob'],
			{ env: { FANFARE_LISTEN: STAYING } });
		try {
			const client = await connectClient(other, 'ann');
			const channel = client.channel('messaging', 'r1', { members: ['ann', 'bob'] });
			await channel.watch();
			for (const how of ['stop', 'kill']) {
				const socket = await Socket.join(other, 'bob');
				const recovered = event(client, 'connection.recovered', seconds(40));
				const first = client.wsConnection.connectionID;
				const closed = socket.closeCode();
				await other.restart(how);
				assert.equal(await closed, how === 'stop' ? 1012 : 0);
				await recovered;
				assert.notEqual(client.wsConnection.connectionID, first);
				/* What it watched it watches again. */
				await until('the channel is watched again', async () =>
					(await channel.query({})).watcher_count === 1);
			}
			await client.disconnectUser();
		} finally {
			await other.close();
		}
	});
	test('refusals that pass are no frames: the client tries again', async () => {
		const limited = await Server.start({ env: { FANFARE_RATE_LIMITS: 'Connect:1', FANFARE_CONNECTIONS: '1' } });
		try {
			const options = { json: { user_id: 'ann' }, token: jwt({ user_id: 'ann' }, limited.secret) };
			const first = await Socket.join(limited, 'ann');
			const second = await Socket.dial(limited, options);
			assert.equal(second.status, 429);
			first.close();
			second.close();
		} finally {
			await limited.close();
		}
	});
});
