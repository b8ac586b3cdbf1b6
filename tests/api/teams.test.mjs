/* teams – multi-tenancy as far as campaigns touch it (api.md §3.2, §6.1, §6.11). */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertAllRefused, assertError, assertOk, call, jsClient, userToken } from './lib/clients.mjs';
import { channelsByCid, ids, makeUsers, send, startServer } from './lib/fixtures.mjs';

let server, api, node;
before(async () => {
	({ server, api, node } = await startServer([{ id: 'news' }]));
});
after(() => server.close());

const setTeams = async (on) => assertOk(await api.patch('/app', { multi_tenant_enabled: on }), 200);
const teamsOf = async (cids) => [...(await channelsByCid(api, cids)).values()]
	.map(({ channel }) => [channel.cid, channel.team]).sort();

/* A campaign to these users over channels made by ${channel_template}. */
const sendTo = (users, channel_template, text = 'x') => send(api, { sender_id: 'news', user_ids: users,
	create_channels: true, message_template: { text }, channel_template: { type: 'messaging', ...channel_template } });

/* The three ways in which a channel is found and stored. */
const WAYS = {
	'an id that follows from the receiver': (p) => ({ id: `${p}-{{receiver.id}}` }),
	'an id of another shape': (p) => ({ id: `${p}-{{receiver.nick}}-x-{{receiver.id}}` }),
	'the distinct channel': (p) => ({ members: [`${p}-m`] }),
};

describe('channel_template.team', () => {
	let n = 0;
	const cast = async () => {
		const p = `t${n++}`;
		await makeUsers(api, [{ id: `${p}-m` }, ...ids(p, 3).map((id, i) => ({ id, nick: `n${i}`, squad: `s${i}` }))]);
		return { p, users: ids(p, 3) };
	};
	/* The team of the channel in which each of them has a message, and the message's text. */
	const found = async (users) => Promise.all(users.map(async (id) => {
		const { channels } = assertOk(await api.post('/channels', { state: true, user_id: id,
			filter_conditions: { members: { $in: [id] } } }), 201);
		assert.equal(channels.length, 1);
		return [channels[0].channel.team, channels[0].messages.at(-1).text];
	}));

	for (const [way, template] of Object.entries(WAYS)) {
		test(`${way}: counts only where multi-tenancy is on`, async () => {
			const { p, users } = await cast();
			await setTeams(false);
			const { channel_template } = await sendTo(users, { ...template(p), team: 'red' });
			assert.equal(channel_template.team, 'red');
			assert.deepEqual(await found(users), users.map(() => [undefined, 'x']));
		});

		test(`${way}: one team for all, and what {{ channel }} sees of it`, async () => {
			const { p, users } = await cast();
			const text = 'team {{ channel.team | default("none") }}';
			await setTeams(true);
			await sendTo(users, { ...template(p), team: 'red' }, text);
			assert.deepEqual(await found(users), users.map(() => ['red', 'team red']));
			/* What was made keeps its team, whatever is switched off; nothing takes one later. */
			await setTeams(false);
			await sendTo(users, { ...template(p), team: 'blue' }, text);
			assert.deepEqual(await found(users), users.map(() => ['red', 'team red']));
			const { channels } = assertOk(await api.post('/channels', { limit: 30,
				filter_conditions: { team: 'red', members: { $in: users } } }), 201);
			assert.equal(channels.length, 3);
			const v2 = await node.chat.queryChannels({ filter_conditions: { team: { $in: ['red'] },
				members: { $in: [users[0]] } } });
			assert.deepEqual(v2.channels.map(({ channel }) => channel.team), ['red']);
		});

		test(`${way}: a team for each`, async () => {
			const { p, users } = await cast();
			await setTeams(true);
			await sendTo(users, { ...template(p), team: '{{ receiver.squad }}' }, '{{ channel.team }}');
			assert.deepEqual(await found(users), [['s0', 's0'], ['s1', 's1'], ['s2', 's2']]);
			await sendTo(users, { ...template(p), team: 'other' }, 'again {{ channel.team }}');
			assert.deepEqual((await found(users))[2], ['s2', 'again s2']);
		});
	}

	test('an undefined one is none; one that is too long fails its recipient alone', async () => {
		await setTeams(true);
		await makeUsers(api, [{ id: 'long', x: 'ä'.repeat(1001) }, { id: 'fits', x: 'ä'.repeat(1000) }, { id: 'none' }]);
		const { stats } = await sendTo(['long', 'fits', 'none'], { id: 'len-{{receiver.id}}', team: '{{ receiver.x }}' });
		assert.deepEqual([stats.messages_sent, stats.failed], [2, { rendered_too_large: 1 }]);
		assert.deepEqual(await teamsOf(['messaging:len-fits', 'messaging:len-none']),
			[['messaging:len-fits', 'ä'.repeat(1000)], ['messaging:len-none', undefined]]);
	});

	test('is checked when the campaign is made', async () => {
		const campaign = (team) => ({ sender_id: 'news', user_ids: ['none'], message_template: { text: 'x' },
			channel_template: { type: 'messaging', team } });
		await assertAllRefused(['{{ receiver.x', '{{ x | nope }}', 'x'.repeat(1001), 5, {}].map(campaign),
			(body) => api.post('/campaigns', body), /channel_template\.team/);
	});

	test('survives a restart, and the channel is found again', async () => {
		await setTeams(true);
		await makeUsers(api, ['again']);
		await sendTo(['again'], { id: 'r-{{receiver.id}}', team: 'red' });
		await server.restart('kill');
		assert.deepEqual(await teamsOf(['messaging:r-again']), [['messaging:r-again', 'red']]);
		await sendTo(['again'], { id: 'r-{{receiver.id}}', team: 'blue' }, '{{ channel.team }}');
		assert.deepEqual(await found(['again']), [['red', 'red']]);
	});
});

describe('what clients find', () => {
	const users = async (id) => assertOk(await call(server, 'GET', '/users', { token: userToken(server, id),
		query: { payload: JSON.stringify({ filter_conditions: { id: { $in: ['c-red', 'c-both', 'c-blue', 'c-free'] } },
			sort: [{ field: 'id', direction: 1 }] }) } }), 200).users.map((user) => user.id);
	const channels = async (id, filter_conditions = {}) => assertOk(await call(server, 'POST', '/channels',
		{ token: userToken(server, id), body: { filter_conditions, limit: 30 } }), 201)
		.channels.map(({ channel }) => channel.id).sort();

	before(async () => {
		await makeUsers(api, [{ id: 'c-red', teams: ['red'] }, { id: 'c-both', teams: ['red', 'blue'] },
			{ id: 'c-blue', teams: ['blue'] }, { id: 'c-free' }]);
		for (const [id, team] of [['a-red', 'red'], ['a-blue', 'blue'], ['a-free', undefined]])
			assertOk(await api.post(`/channels/team/${id}/query`, { data: { team, created_by_id: 'news',
				members: ['c-red', 'c-both', 'c-blue', 'c-free'] } }), 201);
	});

	test('where multi-tenancy is off: everything', async () => {
		await setTeams(false);
		for (const id of ['c-red', 'c-free']) {
			assert.equal((await users(id)).length, 4);
			assert.deepEqual(await channels(id), ['a-blue', 'a-free', 'a-red']);
		}
	});

	test('where it is on: their teams, or what has none', async () => {
		await setTeams(true);
		assert.deepEqual(await users('c-red'), ['c-both', 'c-red']);
		assert.deepEqual(await users('c-both'), ['c-blue', 'c-both', 'c-red']);
		assert.deepEqual(await users('c-free'), ['c-free']);
		assert.deepEqual(await channels('c-red'), ['a-red']);
		assert.deepEqual(await channels('c-both'), ['a-blue', 'a-red']);
		assert.deepEqual(await channels('c-free'), ['a-free']);
		/* A filter of theirs narrows further, and opens nothing. */
		assert.deepEqual(await channels('c-both', { team: 'blue' }), ['a-blue']);
		assert.deepEqual(await channels('c-red', { team: 'blue' }), []);
		assert.deepEqual(await channels('c-red', { $or: [{ team: 'blue' }, { cid: 'team:a-free' }] }), []);
		/* The back end sees all. */
		const { users: all } = await jsClient(server).queryUsers({ id: { $in: ['c-red', 'c-free'] } });
		assert.equal(all.length, 2);
		assert.equal(assertOk(await api.post('/channels', { filter_conditions: { type: 'team' } }), 201)
			.channels.length, 3);
		await setTeams(false);
	});
});

describe('the limits of users', () => {
	const upsert = (user) => api.post('/users', { users: { lim: { id: 'lim', ...user } } });
	const teams = (k) => Array.from({ length: k }, (_, i) => `team-${i}`);
	const name = (k) => 'ä'.repeat(k / 2);

	test('250 teams of 100 bytes, each with a role', async () => {
		const many = teams(250).map((team) => team.padEnd(100, '-'));
		const roles = Object.fromEntries(many.map((team) => [team, 'admin']));
		const { users } = assertOk(await upsert({ teams: many, teams_role: roles }), 201);
		assert.deepEqual(users.lim.teams, many);
		assert.deepEqual(users.lim.teams_role, roles);
		assertOk(await upsert({ teams: [name(100)] }), 201);
	});

	test('beyond them: 400 code 4 that names the field', async () => {
		const bad = [{ teams: teams(251) }, { teams: [name(102)] }, { teams: [''] }, { teams: [5] }, { teams: 'red' },
			{ teams_role: Object.fromEntries(teams(251).map((team) => [team, 'x'])) },
			{ teams_role: { [name(102)]: 'x' } }, { teams_role: { '': 'x' } }, { teams_role: { red: 5 } },
			{ teams_role: { red: '' } }, { teams_role: { red: 'x'.repeat(101) } }, { teams_role: [] }];
		await assertAllRefused(bad, upsert, /users\.lim\.teams/);
		assertError(await upsert({ x: 'x'.repeat(5120) }), 400, 4, /custom: .* at most 5120/);
	});
});
