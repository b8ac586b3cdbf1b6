/* engine – who gets what, in which channel, and what the stats say: api.md §3, §12.9;
 * I-1, I-2, I-5, I-6, I-7.  Every scenario runs with batches of 4,096 and of 8. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertError, assertOk, call, rawClient, userToken } from './lib/clients.mjs';
import { channelsByCid, checkStats, countMessages, ended, getCampaign, ids, inbox, makeCampaign,
	makeUsers, onlyMessage, send, startCampaign } from './lib/fixtures.mjs';
import { Server } from './lib/server.mjs';

const memberIds = (state) => state.members.map(({ user_id }) => user_id).sort();
const texts = (state) => state.messages.map(({ text }) => text);

function scenarios(name, env, sizes) {
	describe(name, () => {
		const everyone = ids('e', Math.max(...sizes));
		let server, api;
		before(async () => {
			server = await Server.start({ env });
			api = rawClient(server);
			await makeUsers(api, [{ id: 'ann', name: 'Ann' }, 'eve', ...everyone]);
		});
		after(() => server.close());

		const created = (id, more = {}) => ({ create_channels: true,
			channel_template: { type: 'messaging', ...(id && { id }), ...more } });
		const campaign = (more) => ({ sender_id: 'ann', message_template: { text: 'x' }, ...more });
		const segment = async (definition, targets) => {
			const made = assertOk(await api.post('/segments', { type: 'user', ...definition }), 201);
			if (targets)
				assertOk(await api.post(`/segments/${made.segment.id}/addtargets`,
					{ target_ids: targets }), 201);
			return made.segment.id;
		};
		const cids = (prefix, users) => users.map((id) => `messaging:${prefix}${id}`);

		describe('audience', () => {
			for (const size of sizes) {
				test(`${size} recipients`, async () => {
					const users = everyone.slice(0, size);
					const audience = size ? { user_ids: users }
						: { segment_ids: [await segment({ name: 'empty' })] };
					const { id, stats } = await send(api, campaign({ ...audience,
						...created(`n${size}-{{receiver.id}}`) }));
					assert.deepEqual([stats.audience, stats.messages_sent, stats.stats_users_sent,
						stats.channels_created, stats.pending, stats.progress],
					[size, size, size, size, 0, 1]);
					assert.deepEqual([stats.skipped, stats.failed], [{}, {}]);
					assert.ok(stats.started_at <= stats.completed_at);
					assert.equal(await countMessages(api, id, cids(`n${size}-`, users)), size);
				});
			}

			test('overlapping segments: one message per user', async () => {
				await makeUsers(api, ids('o', 30).map((id, i) => ({ id, grp: i % 2 ? 'odd' : 'even' })));
				const o = ids('o', 30);
				const segment_ids = [await segment({}, o.slice(0, 20)), await segment({}, o.slice(10)),
					await segment({ filter: { grp: 'even' } }), await segment({}, ['o00000', 'ann', 'ghost']),
					await segment({ filter: { id: { $in: ['o00001', 'eve'] } } })];
				const { id, stats } = await send(api, campaign({ segment_ids, ...created('o-{{receiver.id}}') }));
				assert.deepEqual([stats.audience, stats.messages_sent, stats.channels_created], [33, 31, 31]);
				assert.deepEqual(stats.skipped, { is_sender: 1, no_such_user: 1 });
				assert.equal(await countMessages(api, id, cids('o-', [...o, 'eve'])), 31);
			});

			test('25 segments', async () => {
				const segment_ids = [];
				for (const id of ids('w', 25)) {
					await makeUsers(api, [id]);
					segment_ids.push(await segment({}, [id, 'w00000']));
				}
				const { stats } = await send(api, campaign({ segment_ids, ...created('w-{{receiver.id}}') }));
				assert.deepEqual([stats.audience, stats.messages_sent], [25, 25]);
			});

			test('filters are evaluated when it is sent', async () => {
				const id = await segment({ filter: { wave: 2 } });
				await makeUsers(api, [{ id: 'f1', wave: 2 }, { id: 'f2', wave: 1 }]);
				await makeCampaign(api, campaign({ id: `late-${sizes[2]}`, segment_ids: [id],
					...created('f-{{receiver.id}}') }));
				await makeUsers(api, [{ id: 'f2', wave: 2 }, { id: 'f1', wave: 1 }, { id: 'f3', wave: 2 }]);
				await startCampaign(api, `late-${sizes[2]}`);
				const { stats } = await ended(api, `late-${sizes[2]}`);
				assert.equal(stats.messages_sent, 2);
				assert.equal(await countMessages(api, `late-${sizes[2]}`,
					cids('f-', ['f2', 'f3'])), 2);
			});

			test('all_users: all but the sender and the deleted', async () => {
				await makeUsers(api, ['short1']);
				assertOk(await api.post('/users/delete', { user_ids: ['short1'] }), 201);
				const { users } = assertOk(await api.get('/users', { payload: JSON.stringify(
					{ filter_conditions: { id: 'short1' } }) }), 200);
				assert.deepEqual(users, []);
				const { id, stats } = await send(api, campaign({ segment_ids:
					[await segment({ all_users: true })], ...created('all-{{receiver.id}}') }));
				assert.deepEqual(stats.skipped, { is_sender: 1 });
				assert.equal(stats.messages_sent, stats.audience - 1);
				assert.equal(await countMessages(api, id, cids('all-', [...everyone, 'eve'])),
					everyone.length + 1);
				assert.equal(await countMessages(api, id, cids('all-', ['short1', 'ann'])), 0);
			});

			test('a deleted segment contributes nothing', async () => {
				const segment_ids = [await segment({}, ['eve']), await segment({}, everyone.slice(0, 1))];
				const { id } = await makeCampaign(api, campaign({ segment_ids, ...created('ds-{{receiver.id}}') }));
				assertOk(await api.del(`/segments/${segment_ids[0]}`), 200);
				await startCampaign(api, id);
				const { stats } = await ended(api, id);
				assert.deepEqual([stats.audience, stats.messages_sent], [1, 1]);
			});

			test('only the sender: completes, {Hello} untouched', async () => {
				const done = await send(api, campaign({ segment_ids: [await segment({}, ['ann'])],
					message_template: { text: '{Hello}' } }));
				assert.deepEqual([done.stats.audience, done.stats.skipped, done.stats.messages_sent],
					[1, { is_sender: 1 }, 0]);
				assert.equal(done.message_template.text, '{Hello}');
			});
		});

		describe('outcomes', () => {
			test('skipped: is_sender, no_such_user, no_channel', async () => {
				await makeUsers(api, ['del1', 'del2', 'nochan']);
				const { id } = await makeCampaign(api, campaign({
					user_ids: ['ann', 'ghost', 'del1', 'del2', 'nochan'] }));
				assertOk(await api.post('/users/delete', { user_ids: ['del1'], user: 'soft' }), 201);
				assertOk(await api.post('/users/delete', { user_ids: ['del2'], user: 'hard' }), 201);
				await startCampaign(api, id);
				const { stats } = await ended(api, id);
				assert.deepEqual(stats.skipped, { is_sender: 1, no_such_user: 3, no_channel: 1 });
				assert.deepEqual([stats.audience, stats.messages_sent, stats.stats_users_sent,
					stats.failed], [5, 0, 0, {}]);
				assert.deepEqual(await inbox(api, 'nochan'), []);
			});

			test('skipped: user_deactivated', async () => {
				await makeUsers(api, ['off']);
				assertOk(await api.post('/users/off/deactivate', {}), 201);
				const { stats } = await send(api, campaign({ user_ids: ['off'], ...created('off') }));
				assert.deepEqual(stats.skipped, { user_deactivated: 1 });
			});

			test('failed: invalid_channel_id, the others get theirs', async () => {
				const long = 'l'.repeat(62);
				await makeUsers(api, [long, 'mail@x', 'fine']);
				const { id, stats } = await send(api, campaign({ user_ids: [long, 'mail@x', 'fine'],
					...created('{{receiver.id}}-{{sender.id}}') }));
				assert.deepEqual(stats.failed, { invalid_channel_id: 2 });
				assert.deepEqual([stats.messages_sent, stats.channels_created], [1, 1]);
				assert.equal(await countMessages(api, id, ['messaging:fine-ann']), 1);
			});

			test('failed: a channel id that renders to nothing or breaks the charset', async () => {
				await makeUsers(api, [{ id: 'void', chan: '' }, { id: 'bang', chan: '!x' },
					{ id: 'dots', chan: 'a.b' }, { id: 'colon', chan: 'team:x' },
					{ id: 'good', chan: 'ok_1-A' }]);
				const { stats } = await send(api, campaign({ user_ids: ['void', 'bang', 'dots', 'colon',
					'good'], ...created('{{receiver.chan}}') }));
				assert.deepEqual(stats.failed, { invalid_channel_id: 4 });
				assert.equal(stats.messages_sent, 1);
			});

			test('a rendered id never takes the place of a distinct channel', async () => {
				await makeUsers(api, ['her', 'him', 'thief']);
				const distinct = async (type) => assertOk(await api.post(`/channels/${type}/query`,
					{ data: { created_by_id: 'her', members: ['her', 'him'] }, state: true }), 201);
				const { id } = (await distinct('team')).channel; /* the same in every type */
				await send(api, campaign({ user_ids: ['thief'], ...created(id) }));
				const state = await distinct('messaging');
				assert.deepEqual(memberIds(state), ['her', 'him']);
				assert.deepEqual(texts(state), []);
			});

			test('a frozen channel is sent to, a disabled one is skipped', async () => {
				await makeUsers(api, ['fro', 'dis']);
				for (const [who, data] of [['fro', { frozen: true }], ['dis', { disabled: true }]])
					assertOk(await api.post(`/channels/messaging/${who}-ice/query`, { data: {
						created_by_id: 'ann', members: [who, 'ann'], ...data } }), 201);
				const { stats } = await send(api, campaign({ user_ids: ['fro', 'dis'],
					...created('{{receiver.id}}-ice') }));
				assert.deepEqual([stats.messages_sent, stats.channels_created, stats.skipped],
					[1, 0, { channel_disabled: 1 }]);
				assert.deepEqual(texts((await inbox(api, 'fro'))[0]), ['x']);
			});
		});

		describe('channels', () => {
			test('by id; a second campaign creates none', async () => {
				const users = everyone.slice(0, 17);
				const make = (text) => campaign({ user_ids: users, message_template: { text },
					...created('again-{{receiver.id}}') });
				const one = await send(api, make('one'));
				assert.equal(one.stats.channels_created, users.length);
				const two = await send(api, make('two {{receiver.id}}'));
				assert.deepEqual([two.stats.channels_created, two.stats.messages_sent], [0, users.length]);
				const found = await channelsByCid(api, cids('again-', users));
				assert.equal(found.size, users.length);
				for (const [cid, state] of found)
					assert.deepEqual(texts(state), ['one', `two ${cid.slice(16)}`], cid);
			});

			test('without a channel_template: the distinct 1-to-1 channel', async () => {
				await makeUsers(api, ['p2p', 'none']);
				const { cid } = assertOk(await api.post('/channels/messaging/query', { data: {
					created_by_id: 'p2p', members: ['p2p', 'ann'] } }), 201).channel;
				const { stats } = await send(api, campaign({ user_ids: ['p2p', 'none'] }));
				assert.deepEqual([stats.messages_sent, stats.channels_created, stats.skipped],
					[1, 0, { no_channel: 1 }]);
				const message = await onlyMessage(api, 'p2p');
				assert.deepEqual([message.cid, message.user.id], [cid, 'ann']);
			});

			test('without an id: the distinct channel of the set, made once', async () => {
				await makeUsers(api, ['d1', 'd2', 'third']);
				const make = (more) => campaign({ user_ids: ['d1', 'd2'], ...created(undefined, more) });
				const one = await send(api, make());
				assert.equal(one.stats.channels_created, 2);
				const [state] = await inbox(api, 'd1');
				assert.match(state.channel.id, /^!members-/);
				assert.deepEqual(memberIds(state), ['ann', 'd1']);
				assert.equal(state.channel.created_by.id, 'ann');
				const same = assertOk(await api.post('/channels/messaging/query', { data: {
					created_by_id: 'd1', members: ['ann', 'd1'] }, state: true }), 201);
				assert.equal(same.channel.cid, state.channel.cid);
				assert.deepEqual(texts(same), ['x']);
				assert.equal((await send(api, make())).stats.channels_created, 0);
				const three = await send(api, make({ members: ['third'] }));
				assert.equal(three.stats.channels_created, 2);
				assert.equal((await send(api, make({ members: ['third', 'ann'] }))).stats
					.channels_created, 0);
			});

			test('create_channels=false: only where there is one', async () => {
				await makeUsers(api, ['has', 'hasnot']);
				assertOk(await api.post('/channels/team/has-room/query', { data: {
					created_by_id: 'eve', members: ['has'] } }), 201);
				const { stats } = await send(api, campaign({ user_ids: ['has', 'hasnot'],
					channel_template: { type: 'team', id: '{{receiver.id}}-room' } }));
				assert.deepEqual([stats.messages_sent, stats.channels_created, stats.skipped],
					[1, 0, { no_channel: 1 }]);
				const [state] = await inbox(api, 'has');
				assert.deepEqual(texts(state), ['x']);
				assert.deepEqual(memberIds(state), ['has'], 'sender_mode omitted: not added here');
			});

			test('sender_mode', async () => {
				await makeUsers(api, ['m0', 'm1', 'm2']);
				const members = {};
				for (const [who, sender_mode] of [['m0', undefined], ['m1', 'exclude'], ['m2', 'include']]) {
					assertOk(await api.post(`/channels/messaging/old-${who}/query`, { data: {
						created_by_id: 'eve', members: [who] } }), 201);
					for (const kind of ['new', 'old'])
						await send(api, campaign({ user_ids: [who], sender_mode,
							...created(`${kind}-{{receiver.id}}`) }));
					for (const state of await inbox(api, who)) {
						members[state.channel.id] = memberIds(state);
						assert.equal(state.messages[0].user.id, 'ann');
					}
				}
				assert.deepEqual(members, { 'new-m0': ['ann', 'm0'], 'old-m0': ['m0'],
					'new-m1': ['m1'], 'old-m1': ['m1'], 'new-m2': ['ann', 'm2'],
					'old-m2': ['ann', 'm2'] });
			});

			test('sender_mode=exclude without an id: the set is the receiver alone', async () => {
				await makeUsers(api, ['alone']);
				await send(api, campaign({ user_ids: ['alone'], sender_mode: 'exclude', ...created() }));
				const [state] = await inbox(api, 'alone');
				assert.deepEqual(memberIds(state), ['alone']);
				assert.equal(state.messages[0].user.id, 'ann');
				const same = assertOk(await api.post('/channels/messaging/query', { data: {
					created_by_id: 'alone', members: ['alone'] } }), 201);
				assert.equal(same.channel.cid, state.channel.cid);
			});

			test('sender_visibility', async () => {
				await makeUsers(api, ['vis', 'hid', 'arc', 's1', 's2', 's3']);
				const seen = async (sender, more) => assertOk(await api.post('/channels', {
					user_id: sender, filter_conditions: { members: { $in: [sender] }, ...more } }), 201)
					.channels;
				for (const [who, sender_id, sender_visibility] of [['vis', 's1', undefined],
					['hid', 's2', 'hidden'], ['arc', 's3', 'archived']])
					await send(api, campaign({ sender_id, user_ids: [who], sender_visibility,
						...created('v-{{receiver.id}}') }));
				assert.equal((await seen('s1')).length, 1);
				assert.equal((await seen('s2')).length, 0);
				assert.equal((await seen('s2', { hidden: true })).length, 1);
				const [archived] = await seen('s3');
				assert.ok(archived.membership.archived_at);
				assert.equal((await inbox(api, 'hid')).length, 1, 'the receiver sees it');
				assert.ok(!(await inbox(api, 'arc'))[0].membership.archived_at);
			});

			test('members and custom of the template, only when creating', async () => {
				await makeUsers(api, ['mm1', 'mm2', 'mod']);
				const make = (more) => send(api, campaign({ user_ids: ['mm1', 'mm2'],
					...created('mm-{{receiver.id}}', more) }));
				await make({ members: ['mod', 'mm1'], custom: { colour: 'red', of: '{{receiver.id}}' } });
				const { stats } = await make({ members: ['eve'], custom: { colour: 'blue' } });
				assert.equal(stats.channels_created, 0);
				const [state] = await inbox(api, 'mm2');
				assert.deepEqual(memberIds(state), ['ann', 'mm1', 'mm2', 'mod']);
				assert.deepEqual([state.channel.colour, state.channel.of], ['red', 'mm2']);
				const one = (await channelsByCid(api, ['messaging:mm-mm1'])).get('messaging:mm-mm1');
				assert.deepEqual(memberIds(one), ['ann', 'mm1', 'mod']);
			});

			test('a template whose ids meet: all receivers in one channel', async () => {
				await makeUsers(api, ids('room', 3));
				const { stats } = await send(api, campaign({ user_ids: ids('room', 3),
					message_template: { text: 'for {{receiver.id}}' }, ...created('one-room') }));
				assert.deepEqual([stats.channels_created, stats.messages_sent], [1, 3]);
				const found = await channelsByCid(api, ['messaging:one-room']);
				assert.deepEqual(texts(found.get('messaging:one-room')).sort(),
					ids('room', 3).map((id) => `for ${id}`));
			});

			test('channels that exist under the same id are used, whoever made them', async () => {
				const users = ids('mix', 20);
				await makeUsers(api, users);
				for (const id of users.slice(5, 12))
					assertOk(await api.post(`/channels/messaging/${id}-mixed/query`, { data: {
						created_by_id: 'eve', members: [id], note: 'mine' } }), 201);
				const { id, stats } = await send(api, campaign({ user_ids: users,
					...created('{{receiver.id}}-mixed') }));
				assert.deepEqual([stats.messages_sent, stats.channels_created], [20, 13]);
				assert.equal(await countMessages(api, id, users.map((u) => `messaging:${u}-mixed`)), 20);
				const [kept] = await inbox(api, users[6]);
				assert.deepEqual([kept.channel.note, kept.channel.created_by.id], ['mine', 'eve']);
			});
		});

		describe('reads', () => {
			const read = async (channel, who, more = {}) => assertOk(await api.post(
				`/channels/messaging/${channel}/read`, { user_id: who, ...more }), 201);
			const usersRead = async (id) => checkStats(await getCampaign(api, id)).stats_users_read;

			test('stats_users_read rises once per reader, after completion, too', async () => {
				const users = ids('r', 12);
				await makeUsers(api, users);
				const { id } = await send(api, campaign({ user_ids: users, ...created('r-{{receiver.id}}') }));
				assert.equal(await usersRead(id), 0);
				for (const [i, who] of users.slice(0, 5).entries()) {
					await read(`r-${who}`, who);
					assert.equal(await usersRead(id), i + 1);
					await read(`r-${who}`, who);
					assert.equal(await usersRead(id), i + 1, 'a second time');
				}
				await read('r-r00006', 'ann');
				assert.equal(await usersRead(id), 5, 'the sender reads');
				assertOk(await call(server, 'POST', '/channels/messaging/r-r00006/read', {
					token: userToken(server, 'r00006'), query: { user_id: 'r00006' }, body: {} }), 201);
				assert.equal(await usersRead(id), 6);
				await Promise.all(users.map((who) => read(`r-${who}`, who)));
				assert.equal(await usersRead(id), 12);
				const [state] = await inbox(api, 'r00003');
				assert.equal(state.read.find(({ user }) => user.id === 'r00003').unread_messages, 0);
			});

			test('only what is read at or after the message counts', async () => {
				await makeUsers(api, ['before']);
				const make = () => campaign({ user_ids: ['before'], ...created('rb-{{receiver.id}}') });
				const one = await send(api, make());
				await read('rb-before', 'before');
				const two = await send(api, make());
				assert.deepEqual([await usersRead(one.id), await usersRead(two.id)], [1, 0]);
				const [state] = await inbox(api, 'before');
				assert.equal(state.read.find(({ user }) => user.id === 'before').unread_messages, 1);
				await read('rb-before', 'before', { message_id: state.messages[0].id });
				assert.equal(await usersRead(two.id), 0, 'the first message by its id');
				await read('rb-before', 'before', { message_id: state.messages[1].id });
				assert.equal(await usersRead(two.id), 1);
				assert.equal(await usersRead(one.id), 1);
			});

			test('one read can answer several campaigns', async () => {
				await makeUsers(api, ['several']);
				const sent = [];
				for (let i = 0; i < 3; i++)
					sent.push(await send(api, campaign({ user_ids: ['several'],
						...created('rs-{{receiver.id}}') })));
				await read('rs-several', 'several');
				for (const { id } of sent)
					assert.equal(await usersRead(id), 1);
			});
		});

		describe('several at once', () => {
			test('five campaigns with the same users and channels', async () => {
				const users = everyone.slice(0, 17);
				const made = [];
				for (let i = 0; i < 5; i++)
					made.push(await makeCampaign(api, campaign({ user_ids: users,
						message_template: { text: `${i}` }, ...created('five-{{receiver.id}}') })));
				await Promise.all(made.map(({ id }) => startCampaign(api, id)));
				const done = await Promise.all(made.map(({ id }) => ended(api, id)));
				for (const { status, stats } of done)
					assert.deepEqual([status, stats.messages_sent], ['completed', users.length]);
				assert.equal(done.reduce((n, { stats }) => n + stats.channels_created, 0), users.length);
				const found = await channelsByCid(api, cids('five-', users));
				for (const state of found.values())
					assert.deepEqual(texts(state).sort(), ['0', '1', '2', '3', '4']);
			});
			test('start twice: the second is refused, nothing is sent twice', async () => {
				const { id } = await makeCampaign(api, campaign({ user_ids: everyone.slice(0, 9),
					...created('twice-{{receiver.id}}') }));
				await startCampaign(api, id);
				assertError(await api.post(`/campaigns/${id}/start`, {}), 400, 4);
				await ended(api, id);
				assertError(await api.post(`/campaigns/${id}/start`, {}), 400, 4, /completed/);
				assert.equal(await countMessages(api, id, cids('twice-', everyone.slice(0, 9))), 9);
			});
		});
	});
}

scenarios('batches of 4096', {}, [0, 1, 4095, 4096, 4097, 8193]);
scenarios('batches of 8', { FANFARE_BATCH_SIZE: 8 }, [0, 1, 7, 8, 9, 17]);
