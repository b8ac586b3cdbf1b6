/* guests – users that anybody may become: api.md §6.11. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertAllRefused, assertError, assertOk, call, refused,
	userToken } from './lib/clients.mjs';
import { startServer } from './lib/fixtures.mjs';

let server, js, node;
before(async () => {
	({ server, js, node } = await startServer([{ id: 'ann', name: 'Ann', role: 'admin' }]));
});
after(() => server.close());

/* As stream-chat's setGuestUser() asks: anonymously. */
const ask = (common, body, options = {}) => call(server, 'POST', `${common}/guest`,
	{ token: null, headers: { 'stream-auth-type': 'anonymous' }, body, ...options });
const channelsOf = (id, token) => call(server, 'POST', '/channels', { token, query: { user_id: id },
	body: { filter_conditions: { members: { $in: [id] } } } });

for (const { name, common } of DIALECTS) {
	describe(name, () => {
		test('an id behind one of ours, and a token that works', async () => {
			const custom = common ? { custom: { shoe: 41 } } : { shoe: 41 };
			const { user, access_token } = assertOk(await ask(common, { user: { id: 'ann', name: 'Mallory',
				role: 'admin', teams: ['red'], teams_role: { red: 'admin' }, ...custom } }), 201);
			assert.match(user.id, /^guest-[0-9a-f-]{36}-ann$/);
			assert.deepEqual([user.name, user.role, user.teams, user.teams_role, (user.custom ?? user).shoe],
				['Mallory', 'guest', [], undefined, 41]);
			assert.deepEqual(assertOk(await channelsOf(user.id, access_token), 201).channels, []);
			const { users } = await js.queryUsers({ id: { $in: ['ann', user.id] } }, [{ id: 1 }]);
			assert.deepEqual(users.map(({ id, role }) => [id, role]),
				[['ann', 'admin'], [user.id, 'guest']]);
			const again = assertOk(await ask(common, { user: { id: 'ann' } }), 201);
			assert.notEqual(again.user.id, user.id);
		});
		test('without Authorization, whatever the type', async () => {
			for (const headers of [{}, { 'stream-auth-type': '' }, { 'stream-auth-type': 'ANONYMOUS' }])
				assert.match(assertOk(await ask(common, { user: { id: 'x' } }, { headers }), 201).user.id,
					/^guest-.*-x$/);
		});
		test('what is refused', async () => {
			await assertAllRefused([{}, { user: null }, { user: 'x' }, { user: [] }, { user: {} },
				...['', 'a b', 5, null, 'i'.repeat(213)].map((id) => ({ user: { id } })),
				{ user: { id: 'x', name: 5 } }, { user: { id: 'x', teams: 'x' } }],
			(body) => ask(common, body), /user/);
			assertOk(await ask(common, { user: { id: 'i'.repeat(212) } }), 201);
			assertError(await ask(common, { user: { id: 'x' } }, { key: null }), 401, 2);
			assertError(await ask(common, { user: { id: 'x' } },
				{ token: userToken(server, 'ann'), headers: {} }), 403, 17);
			assertError(await ask(common, { user: { id: 'x' } },
				{ token: 'nonsense', headers: { 'stream-auth-type': 'jwt' } }), 401, 5);
			/* Nothing else can be asked anonymously. */
			for (const path of ['/users', '/devices', '/campaigns/query', '/channels'])
				assertError(await call(server, 'POST', path, { token: null, body: {},
					headers: { 'stream-auth-type': 'anonymous' } }), 401, 5);
		});
	});
}

test('the server gives its guests the ids it likes, and takes no user for one', async () => {
	const { user, access_token } = await node.createGuest({ user: { id: 'visitor', name: 'V',
		teams: ['red'] } });
	assert.deepEqual([user.id, user.name, user.role, user.teams], ['visitor', 'V', 'guest', ['red']]);
	assertOk(await channelsOf('visitor', access_token), 201);
	assert.equal((await node.createGuest({ user: { id: 'visitor', name: 'W' } })).user.name, 'W');
	await refused(node.createGuest({ user: { id: 'ann' } }), 4, /"ann" exists and is no guest/);
	assert.equal((await js.queryUsers({ id: 'ann' })).users[0].role, 'admin');
	await js.revokeUserToken('visitor');
	const later = await node.createGuest({ user: { id: 'visitor' } });
	assertOk(await channelsOf('visitor', later.access_token), 201); /* at once */
	await js.revokeUserToken('visitor', new Date(Date.now() + 5000));
	for (const token of [access_token, later.access_token])
		assertError(await channelsOf('visitor', token), 401, 40);
	await js.partialUpdateUser({ id: 'visitor', unset: ['revoke_tokens_issued_before'] });
	await js.deleteUsers(['visitor']);
	const anew = await node.createGuest({ user: { id: 'visitor' } });
	assert.deepEqual([anew.user.id, anew.user.name], ['visitor', undefined]);
	assertOk(await channelsOf('visitor', anew.access_token), 201);
});

test('a guest may do what users do, and no more', async () => {
	const { user, access_token } = assertOk(await ask('', { user: { id: 'g' } }), 201);
	for (const path of ['/campaigns/query', '/segments/query', '/users/delete'])
		assertError(await call(server, 'POST', path, { token: access_token, body: {} }), 403, 17);
	await js.deactivateUser(user.id);
	assertError(await channelsOf(user.id, access_token), 403, 17, /deactivated/);
});
