/* presence – who of the users that a client looks at comes and goes: api.md §7.6. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertAllRefused, assertError, assertOk, call, userToken }
	from './lib/clients.mjs';
import { makeUsers, startServer } from './lib/fixtures.mjs';
import { ON_PG, Server } from './lib/server.mjs';
import { connectClient } from './lib/socket.mjs';
import { seconds, until } from './lib/wait.mjs';

let server, api, js;
const clients = [];
before(async () => {
	({ server, api, js } = await startServer(['ann']));
});
after(async () => {
	await Promise.all(clients.map((client) => client.disconnectUser()));
	await server.close();
});

/* Who goes is missed for five seconds before it is told. */
const AWAY = 5000;

const make = (id, members) => js.channel('messaging', id,
	{ members, created_by_id: members[0] }).create();
const idOf = (client) => client.wsConnection.connectionID;

/* A stock client; ${heard} has what it heard of who is there. */
async function join(id, at = server) {
	const client = await connectClient(at, id);
	client.heard = [];
	client.on('user.presence.changed', (event) => client.heard.push(event));
	clients.push(client);
	return client;
}

/* The next that it hears, which must be of this user. */
async function hears(client, id, online) {
	const event = await until(`${client.userID} hears of ${id}`, () => client.heard.shift());
	assert.deepEqual([event.user.id, event.user.online], [id, online], JSON.stringify(event));
	return event;
}

/* Whatever was told before has come. */
async function settle(client) {
	const mark = `mark-${Math.random()}`;
	let seen = false;
	const { unsubscribe } = client.on(mark, () => {
		seen = true;
	});
	await js.sendUserCustomEvent(client.userID, { type: mark });
	await until('the mark', () => seen);
	unsubscribe();
}

describe('who comes and goes', { concurrency: true }, () => {
	test('is told to who asked with the channels, by the stock client', async () => {
		await makeUsers(api, ['a1', 'a2', { id: 'a3', name: 'Carl', pet: 'cat' }]);
		await make('a', ['a1', 'a2', 'a3']);
		const [looker, other] = [await join('a1'), await join('a2')];
		const [channel] = await looker.queryChannels({ cid: 'messaging:a' }, {},
			{ watch: true, state: true, presence: true });
		assert.equal(channel.state.members.a3.user.online, false);
		await other.queryChannels({ cid: 'messaging:a' }, {}, { watch: true, state: true });
		const before = Date.now();
		const carl = await join('a3');
		const { created_at, user } = await hears(looker, 'a3', true);
		assert.ok(Math.abs(Date.parse(created_at) - before) < seconds(20));
		assert.ok(Date.parse(user.last_active) >= before - 60000);
		assert.deepEqual([user.name, user.pet, user.role, user.teams, user.banned], ['Carl', 'cat', 'user', [], false]);
		/* What the client makes of it. */
		assert.equal(channel.state.members.a3.user.online, true);
		assert.equal(looker.state.users.a3.online, true);
		const left = Date.now();
		await carl.disconnectUser();
		await hears(looker, 'a3', false);
		assert.ok(Date.now() - left > AWAY - 500, `${Date.now() - left} ms`);
		assert.equal(channel.state.members.a3.user.online, false);
		/* Not to who did not ask, nor to himself. */
		await settle(other);
		assert.deepEqual([other.heard, carl.heard], [[], []]);
	});
	test('is told to who asked with one channel', async () => {
		await makeUsers(api, ['b1', 'b2', 'b3']);
		await make('b', ['b1', 'b2']);
		const looker = await join('b1');
		await looker.channel('messaging', 'b').watch({ presence: true });
		await looker.channel('messaging', { members: ['b1', 'b3'] }).query({ state: true, presence: true });
		await join('b2');
		await hears(looker, 'b2', true);
		await join('b3');
		await hears(looker, 'b3', true);
	});
	test('is told to who asked with users', async () => {
		await makeUsers(api, ['c1', 'c2', 'c3']);
		const looker = await join('c1');
		await looker.queryUsers({ id: { $in: ['c2'] } }, { id: 1 }, { presence: true });
		/* He was not among those whom it was shown. */
		await join('c3');
		await join('c2');
		await hears(looker, 'c2', true);
		assert.equal(looker.state.users.c2.online, true);
		assert.deepEqual(looker.heard, []);
	});
	for (const { name, chat, common } of DIALECTS)
		test(`${name}: by its connection_id, in the query or in the body`, async () => {
			const [one, two, three] = [1, 2, 3].map((i) => `d${name}${i}`);
			await makeUsers(api, [one, two, three]);
			await make(one, [one, two, three]);
			const looker = await join(one);
			const connection_id = idOf(looker);
			const as = (method, path, options) => call(server, method, path, { token: userToken(server, one), ...options });
			assertOk(await as('POST', `${chat}/channels`, { body: { connection_id, presence: true,
				filter_conditions: { cid: `messaging:${one}` }, member_limit: 1 } }), 201);
			assertOk(await as('GET', `${common}/users`, { query: { connection_id,
				payload: JSON.stringify({ presence: true, filter_conditions: { id: two } }) } }), 200);
			await join(two);
			await hears(looker, two, true);
			assertOk(await as('POST', `${chat}/channels/messaging/${one}/query`,
				{ body: { presence: true }, query: { connection_id } }), 201);
			await join(three);
			await hears(looker, three, true);
		});
	test('once for ten tabs, and not when they load anew', async () => {
		await makeUsers(api, ['e1', 'e2']);
		const looker = await join('e1');
		await looker.queryUsers({ id: 'e2' }, {}, { presence: true });
		let tabs = await Promise.all(Array.from({ length: 10 }, () => join('e2')));
		await hears(looker, 'e2', true);
		for (let i = 0; i < 3; i++) {
			await Promise.all(tabs.map((tab) => tab.disconnectUser()));
			await until('he is gone', async () => !(await js.queryUsers({ id: 'e2' })).users[0].online);
			await settle(looker);
			tabs = [await join('e2'), await join('e2')];
		}
		await Promise.all(tabs.map((tab) => tab.disconnectUser()));
		const left = Date.now();
		await hears(looker, 'e2', false);
		assert.ok(Date.now() - left > AWAY - 500, `${Date.now() - left} ms`);
		assert.deepEqual(looker.heard, []);
	});
	test('of the invisible nothing is told', async () => {
		await makeUsers(api, ['f1', { id: 'f2', invisible: true }, 'f3', 'f4']);
		const looker = await join('f1');
		const { users } = await looker.queryUsers({ id: { $in: ['f2', 'f3', 'f4'] } }, {}, { presence: true });
		assert.equal(users.length, 3);
		const hidden = await join('f2');
		await join('f3');
		await hears(looker, 'f3', true);
		/* Whoever hides while he is there is seen to go, and seen again when he wants to be. */
		for (const invisible of [true, false]) {
			await js.partialUpdateUser({ id: 'f3', set: { invisible } });
			await until('it is known', () => looker.state.users.f3.online === !invisible);
			assert.equal(looker.state.users.f3.invisible, invisible);
		}
		await hidden.disconnectUser();
		const left = Date.now();
		const brief = await join('f4');
		await hears(looker, 'f4', true);
		await brief.disconnectUser();
		/* Later than the invisible one would have been. */
		await hears(looker, 'f4', false);
		assert.ok(Date.now() - left > AWAY - 500, `${Date.now() - left} ms`);
		assert.deepEqual(looker.heard, []);
	});
	test('who becomes another is told as well, to himself once', async () => {
		await makeUsers(api, ['g1', 'g2']);
		const looker = await join('g1');
		const self = await join('g2');
		const updates = [];
		for (const who of [looker, self]) {
			who.on('user.updated', ({ user }) => updates.push(`${who.userID} ${user.name}`));
			await who.queryUsers({ id: 'g2' }, {}, { presence: true });
		}
		for (const name of ['Bo', 'Bob'])
			await js.partialUpdateUser({ id: 'g2', set: { name } });
		await until('both have heard', () => updates.length >= 4);
		await settle(looker);
		await settle(self);
		assert.deepEqual(updates.sort(), ['g1 Bo', 'g1 Bob', 'g2 Bo', 'g2 Bob']);
		assert.equal(looker.state.users.g2.name, 'Bob');
	});
	test('whose connections are ended is told to go', async () => {
		await makeUsers(api, ['h1', 'h2']);
		const looker = await join('h1');
		await looker.queryUsers({ id: 'h2' }, {}, { presence: true });
		await join('h2');
		await hears(looker, 'h2', true);
		await js.deactivateUser('h2');
		const { user } = await hears(looker, 'h2', false);
		assert.ok(user.deactivated_at);
	});
	test('a user who asks for himself hears of himself', async () => {
		await makeUsers(api, ['i1', 'i2']);
		await make('i', ['i1', 'i2']);
		const self = await join('i1');
		await self.queryChannels({ cid: 'messaging:i' }, {}, { watch: true, state: true, presence: true });
		/* He is there: another tab is nothing new, and his own going he cannot hear. */
		const tab = await join('i1');
		await tab.disconnectUser();
		await join('i2');
		await hears(self, 'i2', true);
		assert.deepEqual(self.heard, []);
	});
});

test('what a client looks at ends with it', async () => {
	const looks = async () => {
		const text = await (await fetch(`${server.url}/metrics`)).text();
		return Number(/^fanfare_socket_user_watches (\d+)$/m.exec(text)[1]);
	};
	await makeUsers(api, ['j1', 'j2', 'j3']);
	const others = await looks();
	const looker = await join('j1');
	for (let i = 0; i < 2; i++)
		await looker.queryUsers({ id: { $in: ['j2', 'j3'] } }, {}, { presence: true });
	assert.equal(await looks(), others + 2);
	await looker.disconnectUser();
	await until('it is over', async () => await looks() === others);
});

describe('bad input', () => {
	const users = (payload, query = {}) => call(server, 'GET', '/users', { token: userToken(server, 'ann'),
		query: { payload: JSON.stringify(payload), ...query } });
	const channel = (body, query = {}) => call(server, 'POST', '/channels/messaging/x/query',
		{ token: userToken(server, 'ann'), body: { data: { members: ['ann'] }, ...body }, query });
	const channels = (body, query = {}) => call(server, 'POST', '/channels',
		{ token: userToken(server, 'ann'), body: { filter_conditions: { cid: 'messaging:x' }, ...body }, query });

	for (const [name, ask, status] of [['users', users, 200], ['a channel', channel, 201],
		['channels', channels, 201]])
		test(`of ${name}`, async () => {
			await assertAllRefused(['yes', 'true', 1, 0, [], {}].map((presence) => ({ presence })),
				(body) => ask(body), /presence: expected a boolean/);
			await assertAllRefused([{ presence: true }, { presence: true, connection_id: '' },
				{ presence: true, connection_id: null }], ask, /presence: needs the connection_id/);
			await assertAllRefused([7, [], {}, true].map((connection_id) => ({ presence: true, connection_id })),
				ask, /connection_id: expected a string/);
			/* Of another user, of nobody; the server itself has none. */
			const other = await join('bea');
			for (const id of [idOf(other), 'x', '00000000-0000-4000-8000-000000000000'])
				assertError(await ask({ presence: true }, { connection_id: id }), 400, 46, /connection_id/);
			for (const presence of [false, null, undefined])
				assertOk(await ask({ presence }, { connection_id: 'x' }), status);
		});
	test('of the server', async () => {
		await makeUsers(api, ['ben']);
		const ann = await join('ann');
		const ask = (payload) => api.get('/users', { payload: JSON.stringify(payload), connection_id: idOf(ann) });
		assertError(await ask({ presence: true }), 400, 46);
		assertError(await ask({ presence: true, user_id: 'nobody-at-all' }), 404, 16);
		assertOk(await ask({ presence: true, user_id: 'ann',
			filter_conditions: { id: 'ben' } }), 200);
		await join('ben');
		await hears(ann, 'ben', true);
	});
});

describe('several processes', { skip: !ON_PG && 'SQLite has one' }, () => {
	/* What becomes of ${id}, without saying the same twice. */
	const changes = (client, id) => client.heard.filter(({ user }) => user.id === id)
		.map(({ user }) => user.online).filter((online, i, all) => online !== all[i - 1]);

	test('who comes and goes at one is told to the clients of the other', async () => {
		const other = await Server.start({ beside: server });
		try {
			await makeUsers(api, ['p1', 'p2', 'p3', 'p4', 'knock']);
			const looker = await join('p1');
			await looker.queryUsers({ id: { $in: ['p2', 'p3', 'p4', 'knock'] } }, {}, { presence: true });
			/* It begins to listen when it starts, and what is said before is lost. */
			await until('it is heard', async () => {
				await (await join('knock', other)).disconnectUser();
				return changes(looker, 'knock').length > 0;
			});
			/* One stays there, one moves over, one is at both and leaves the other. */
			const [stays, moves, twice] = await Promise.all(['p2', 'p3', 'p4'].map((id) => join(id, other)));
			const here = await join('p4');
			for (const id of ['p2', 'p3', 'p4'])
				await until(`${id} is seen`, () => changes(looker, id).length > 0);
			const { user } = looker.heard.find((event) => event.user.id === 'p2');
			assert.equal(user.online, true);
			assert.ok(user.last_active);
			await Promise.all([moves.disconnectUser(), twice.disconnectUser()]);
			const moved = await join('p3');
			const left = Date.now();
			await stays.disconnectUser();
			await until('he is missed', () => changes(looker, 'p2').length > 1);
			assert.ok(Date.now() - left > AWAY - 500, `${Date.now() - left} ms`);
			/* By now the others would be. */
			assert.deepEqual(['p2', 'p3', 'p4'].map((id) => changes(looker, id)), [[true, false], [true], [true]]);
			await Promise.all([moved.disconnectUser(), here.disconnectUser()]);
			await until('they are missed', () => ['p3', 'p4'].every((id) => changes(looker, id).length > 1));
			assert.deepEqual(['p3', 'p4'].map((id) => changes(looker, id)), [[true, false], [true, false]]);
		} finally {
			await other.close();
		}
	});
	test('who is at another as well is seen to stay, by its clients too', async () => {
		const other = await Server.start({ beside: server });
		try {
			await makeUsers(api, ['q1', 'q2', 'q3', 'q4', 'knock', 'rap']);
			const [looker, far] = [await join('q1'), await join('q3', other)];
			for (const who of [looker, far])
				await who.queryUsers({ id: { $in: ['q2', 'q4', 'knock', 'rap'] } }, {}, { presence: true });
			await until('each hears of the other', async () => {
				await (await join('knock', other)).disconnectUser();
				await (await join('rap')).disconnectUser();
				return changes(looker, 'knock').length > 0 && changes(far, 'rap').length > 0;
			});
			const here = await join('q2');
			const there = await join('q2', other);
			for (const who of [looker, far])
				await until('he is seen', () => changes(who, 'q2').length > 0);
			await there.disconnectUser();
			const mark = await join('q4', other);
			for (const who of [looker, far])
				await until('he is seen', () => changes(who, 'q4').length > 0);
			await mark.disconnectUser();
			for (const who of [looker, far])
				await until('who left later is missed', () => changes(who, 'q4').length > 1);
			for (const who of [looker, far])
				assert.deepEqual(changes(who, 'q2'), [true]);
			await here.disconnectUser();
			for (const who of [looker, far])
				await until('he is missed', () => changes(who, 'q2').length > 1);
		} finally {
			await other.close();
		}
	});
});
