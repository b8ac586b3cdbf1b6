/* polls – polls, options, votes and messages that carry them, in both dialects and on both
 * sides; campaigns with a poll: api.md §6.7, §2.3.1, §3.3, §6.4. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { StreamChat } from 'stream-chat';

import { DIALECTS, assertAllRefused, assertError, assertOk, call, refused, userToken }
	from './lib/clients.mjs';
import { ended, ids, inParallel, inbox, makeCampaign, makeUsers, send, startCampaign,
	startServer } from './lib/fixtures.mjs';

const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let server, api, js, node;
before(async () => {
	({ server, api, js, node } = await startServer([{ id: 'ann', name: 'Ann' }, 'bob', 'carl',
		'eve', ...ids('v', 40)]));
});
after(() => server.close());

/* The stock client as a browser has it, without its socket. */
function userClient(id) {
	const client = new StreamChat(server.key, { baseURL: server.url, timeout: 20000 });
	client._setUser({ id });
	client._setToken({ id }, userToken(server, id));
	return client;
}

const asUser = (id, method, path, body) =>
	call(server, method, path, { token: userToken(server, id), query: { user_id: id }, body });

let made = 0;
const letters = (text) => [...text].map((letter) => ({ id: letter, text: letter.toUpperCase() }));

/* A poll of ann's in a message of hers to bob and carl, with options a, b and c. */
async function sentPoll(settings = {}) {
	const { poll } = await js.createPoll({ name: 'Lunch?', options: letters('abc'), ...settings },
		'ann');
	const channel = js.channel('messaging', `c${++made}`,
		{ members: ['ann', 'bob', 'carl'], created_by_id: 'ann' });
	await channel.create();
	const { message } = await channel.sendMessage({ text: 'vote!', poll_id: poll.id,
		user_id: 'ann' });
	return { poll, channel, message, id: poll.id, mid: message.id,
		vote: (option_id, user) => js.castPollVote(message.id, poll.id, { option_id }, user),
		answer: (text, user) => js.addPollAnswer(message.id, poll.id, text, user),
		get: async (user) => (await js.getPoll(poll.id, user)).poll };
}

const EMPTY = { description: '', voting_visibility: 'public', enforce_unique_vote: false,
	allow_user_suggested_options: false, allow_answers: false, is_closed: false, vote_count: 0,
	answers_count: 0, vote_counts_by_option: {}, latest_votes_by_option: {}, latest_answers: [],
	own_votes: [] };

describe('a poll', () => {
	for (const { name, common } of DIALECTS) {
		test(`${name}: the skeleton of §6.7`, async () => {
			const { poll } = assertOk(await api.post(`${common}/polls`,
				{ name: 'N', user_id: 'ann' }), 201);
			const { id, created_at, updated_at, created_by, max_votes_allowed, custom, ...rest } =
				poll;
			assert.match(id, UUID4);
			assert.ok(created_at && updated_at);
			assert.equal(created_by.name, 'Ann');
			assert.equal(max_votes_allowed ?? null, null);
			assert.deepEqual(custom, name === 'v2' ? {} : undefined);
			assert.deepEqual(rest, { ...EMPTY, name: 'N', options: [], created_by_id: 'ann' });
		});

		test(`${name}: everything that can be said comes back`, async () => {
			const v2 = name === 'v2';
			const own = (fields) => (v2 ? { custom: fields } : fields);
			const full = { id: `full-${name}`, name: 'N', description: 'D', max_votes_allowed: 10,
				voting_visibility: 'anonymous', enforce_unique_vote: true, allow_answers: true,
				allow_user_suggested_options: true, is_closed: true };
			const { poll } = assertOk(await api.post(`${common}/polls`, { ...full,
				...own({ place: 'here', deep: { list: [1, null] } }), user: { id: 'ann' },
				options: [{ text: 'A', ...own({ spice: 1 }) }, { id: 'mine', text: 'B' }] }), 201);
			for (const [key, value] of Object.entries(full))
				assert.deepEqual(poll[key], value, key);
			assert.deepEqual(v2 ? poll.custom : { place: poll.place, deep: poll.deep },
				{ place: 'here', deep: { list: [1, null] } });
			const [first, second] = poll.options;
			assert.match(first.id, UUID4);
			assert.equal(v2 ? first.custom.spice : first.spice, 1);
			assert.deepEqual([first.text, second.id, second.text], ['A', 'mine', 'B']);
			if (v2)
				assert.deepEqual(second, { id: 'mine', text: 'B', custom: {} });
			const again = assertOk(await api.get(`${common}/polls/full-${name}`), 200).poll;
			assert.deepEqual(again, poll);
		});
	}

	test('the dialects show the same custom data', async () => {
		await js.createPoll({ id: 'custom', name: 'N', mood: 'good', options:
			[{ id: 'o', text: 'O', weight: 2 }] }, 'ann');
		const { poll } = await node.getPoll({ poll_id: 'custom' });
		assert.deepEqual([poll.custom, poll.options[0].custom], [{ mood: 'good' }, { weight: 2 }]);
		/* Flattened it gives way to the fields. */
		await node.createPoll({ id: 'forged', name: 'N', user_id: 'ann',
			custom: { name: 'x', vote_count: 7, ok: 1 },
			options: [{ text: 'T', custom: { text: 'x', vote_count: 7 } }] });
		const forged = (await js.getPoll('forged')).poll;
		assert.deepEqual([forged.name, forged.vote_count, forged.ok, forged.options[0].text,
			forged.options[0].vote_count], ['N', 0, 1, 'T', 0]);
	});

	test('through stream-chat: create, get, update, change, close, delete', async () => {
		const { poll } = await js.createPoll({ id: 'js', name: 'N', place: 'x',
			options: [{ text: 'A' }] }, 'ann');
		const { poll: got } = await js.getPoll('js');
		assert.deepEqual(got, poll);
		/* What the client's own Poll sends back: the options as they were shown. */
		const { poll: updated } = await js.updatePoll({ id: 'js', name: 'M',
			options: [...got.options, { text: 'B' }] });
		assert.deepEqual(updated.options.map(({ id, text }) => [id === poll.options[0].id, text]),
			[[true, 'A'], [false, 'B']]);
		assert.deepEqual(Object.keys(updated.options[0]), Object.keys(poll.options[0]));
		assert.deepEqual([updated.name, updated.place], ['M', undefined]);
		assert.ok(updated.updated_at > poll.updated_at);
		const { poll: changed } = await js.partialUpdatePoll('js',
			{ set: { description: 'D', max_votes_allowed: 2, own: 1 } });
		assert.deepEqual([changed.name, changed.description, changed.max_votes_allowed, changed.own,
			changed.options.length], ['M', 'D', 2, 1, 2]);
		const { poll: unset } = await js.partialUpdatePoll('js',
			{ unset: ['description', 'max_votes_allowed', 'own', 'nothing'] });
		assert.deepEqual([unset.description, unset.max_votes_allowed, unset.own], ['', null, undefined]);
		assert.equal((await js.closePoll('js')).poll.is_closed, true);
		assert.deepEqual(Object.keys(await js.deletePoll('js')), ['duration']);
		await refused(js.getPoll('js'), 16, /poll with id js doesn't exist/);
		await refused(js.deletePoll('js'), 16);
		await refused(js.createPoll({ id: 'js', name: 'N' }, 'ann'), 4, /id: a poll with id js exists/);
	});

	test('through node-sdk: create, get, update, change, delete', async () => {
		const { poll } = await node.createPoll({ id: 'node', name: 'N', user_id: 'ann',
			options: [{ text: 'A', custom: { k: 1 } }], custom: { a: 1, b: 2 } });
		assert.ok(poll.created_at instanceof Date);
		assert.ok(poll.created_by.created_at instanceof Date);
		const { poll: got } = await node.getPoll({ poll_id: 'node', user_id: 'bob' });
		assert.deepEqual(got, poll);
		const { poll: updated } = await node.updatePoll({ id: 'node', name: 'M', user_id: 'ann',
			options: [{ id: poll.options[0].id }, { id: 'b', text: 'B' }], custom: { c: 3 } });
		assert.deepEqual(updated.options, [{ id: poll.options[0].id, text: 'A', custom: {} },
			{ id: 'b', text: 'B', custom: {} }]);
		assert.deepEqual(updated.custom, { c: 3 });
		const change = async (request) =>
			(await node.updatePollPartial({ poll_id: 'node', ...request })).poll;
		assert.deepEqual((await change({ set: { name: 'O', flat: 1, 'custom.dotted': 2 } })).custom,
			{ c: 3, flat: 1, dotted: 2 });
		assert.deepEqual((await change({ unset: ['c', 'custom.dotted'] })).custom, { flat: 1 });
		assert.deepEqual((await change({ set: { custom: { whole: 1 } } })).custom, { whole: 1 });
		assert.deepEqual((await change({ unset: ['custom'] })).custom, {});
		const { duration } = await node.deletePoll({ poll_id: 'node', user_id: 'ann' });
		assert.equal(typeof duration, 'string');
		await refused(node.getPoll({ poll_id: 'node' }), 16);
	});

	test('options through both clients', async () => {
		await js.createPoll({ id: 'o', name: 'N', options: letters('a') }, 'ann');
		const { poll_option: added } = await js.createPollOption('o', { text: 'B', spice: 2 }, 'ann');
		assert.match(added.id, UUID4);
		assert.deepEqual([added.text, added.spice, added.poll_id, added.position, added.vote_count],
			['B', 2, 'o', 1, 0]);
		assert.deepEqual((await js.getPollOption('o', added.id)).poll_option, added);
		const { poll_option: changed } = await js.updatePollOption('o', { id: 'a', text: 'Ah' });
		assert.deepEqual([changed.id, changed.text, changed.position], ['a', 'Ah', 0]);
		await js.deletePollOption('o', added.id);
		await refused(js.getPollOption('o', added.id), 16, /option with id .* doesn't exist in poll/);
		const { poll_option: two } = await node.createPollOption({ poll_id: 'o', text: 'C',
			custom: { k: 1 }, user_id: 'ann' });
		assert.deepEqual([two.text, two.custom], ['C', { k: 1 }]);
		const { poll_option: three } = await node.updatePollOption({ poll_id: 'o', id: two.id,
			text: 'D' });
		assert.deepEqual(three, { id: two.id, text: 'D', custom: {} });
		assert.deepEqual((await node.getPollOption({ poll_id: 'o', option_id: two.id })).poll_option,
			three);
		await node.deletePollOption({ poll_id: 'o', option_id: two.id });
		const { poll } = await js.getPoll('o');
		assert.deepEqual(poll.options.map(({ text }) => text), ['Ah']);
	});
});

describe('votes', () => {
	test('are cast, shown, taken back', async () => {
		const { id, mid, vote, get } = await sentPoll();
		const { vote: first, poll } = await vote('b', 'bob');
		assert.deepEqual([first.option_id, first.poll_id, first.user_id, first.user.id,
			first.is_answer], ['b', id, 'bob', 'bob', false]);
		assert.deepEqual(poll.own_votes, [first]);
		await vote('b', 'carl');
		const { vote: third } = await vote('a', 'bob');
		const seen = await get('bob');
		assert.deepEqual([seen.vote_count, seen.vote_counts_by_option], [3, { a: 1, b: 2 }]);
		assert.deepEqual(seen.latest_votes_by_option.b.map(({ user_id }) => user_id),
			['carl', 'bob']);
		assert.deepEqual(seen.latest_votes_by_option.a, [third]);
		assert.deepEqual(seen.own_votes, [first, third]);
		assert.deepEqual((await get('eve')).own_votes, []);
		assert.deepEqual((await get()).own_votes, []);
		/* The same vote again is no other. */
		assert.deepEqual((await vote('a', 'bob')).vote, third);
		const { vote: gone, poll: left } = await js.removePollVote(mid, id, first.id, 'bob');
		assert.deepEqual(gone, first);
		assert.deepEqual([left.vote_count, left.vote_counts_by_option], [2, { a: 1, b: 1 }]);
		await refused(js.removePollVote(mid, id, first.id, 'bob'), 16, /vote with id/);
		await refused(js.removePollVote(mid, id, third.id, 'carl'), 17, /another user/);
	});

	test('through node-sdk: times are decoded, answers have an empty option_id', async () => {
		const { id, mid } = await sentPoll({ allow_answers: true });
		const { poll, vote } = await node.chat.castPollVote({ message_id: mid, poll_id: id,
			user_id: 'bob', vote: { option_id: 'a' } });
		assert.ok(vote.created_at instanceof Date && vote.user.created_at instanceof Date);
		assert.equal(poll.vote_counts_by_option.a, 1);
		const { vote: answer } = await node.chat.castPollVote({ message_id: mid, poll_id: id,
			user: { id: 'bob' }, vote: { answer_text: 'hm', option_id: '' } });
		assert.deepEqual([answer.option_id, answer.answer_text, answer.is_answer], ['', 'hm', true]);
		const { poll: seen } = await node.getPoll({ poll_id: id, user_id: 'bob' });
		assert.ok(seen.own_votes[0].created_at instanceof Date);
		assert.ok(seen.latest_answers[0].user.updated_at instanceof Date);
		const { poll: left, vote: gone } = await node.chat.deletePollVote({ message_id: mid,
			poll_id: id, vote_id: answer.id, user_id: 'bob' });
		assert.deepEqual([left.answers_count, gone.id], [0, answer.id]);
	});

	test('unique votes move, and keep their id', async () => {
		const { vote, get } = await sentPoll({ enforce_unique_vote: true });
		const { vote: first } = await vote('a', 'bob');
		const { vote: second, poll } = await vote('b', 'bob');
		assert.equal(second.id, first.id);
		assert.ok(second.created_at >= first.created_at);
		assert.deepEqual([poll.vote_count, poll.vote_counts_by_option], [1, { b: 1 }]);
		assert.deepEqual(Object.keys((await get()).latest_votes_by_option), ['b']);
	});

	test('are limited to max_votes_allowed', async () => {
		const { vote, get } = await sentPoll({ max_votes_allowed: 2 });
		await vote('a', 'bob');
		await vote('b', 'bob');
		await refused(vote('c', 'bob'), 4, /2 votes .* which allows 2/);
		await vote('a', 'bob');
		assert.equal((await get()).vote_count, 2);
	});

	test('answers: one for each user, replaceable, counted apart', async () => {
		const { id, answer, vote, get } = await sentPoll({ allow_answers: true,
			max_votes_allowed: 1 });
		const { vote: first } = await answer('one', 'bob');
		assert.equal('option_id' in first, false);
		assert.equal((await answer('two', 'bob')).vote.id, first.id);
		await answer('other', 'carl');
		await vote('a', 'bob');
		const poll = await get('bob');
		assert.deepEqual([poll.answers_count, poll.vote_count], [2, 1]);
		assert.deepEqual(poll.latest_answers.map(({ answer_text }) => answer_text),
			['other', 'two']);
		assert.deepEqual(poll.own_votes.map((own) => own.answer_text ?? own.option_id).sort(),
			['a', 'two']);
		const { votes } = await js.queryPollAnswers(id);
		assert.deepEqual(votes, poll.latest_answers);
		const { answer: none } = await sentPoll();
		await refused(none('x', 'bob'), 4, /takes no answers/);
	});

	test('a closed poll takes none and gives none back', async () => {
		const { id, mid, vote, answer, get } = await sentPoll({ allow_answers: true });
		const { vote: mine } = await vote('a', 'bob');
		await js.closePoll(id);
		await refused(vote('b', 'carl'), 4, /closed/);
		await refused(answer('x', 'carl'), 4, /closed/);
		await refused(js.removePollVote(mid, id, mine.id, 'bob'), 4, /closed/);
		assert.equal((await get()).vote_count, 1);
		await js.partialUpdatePoll(id, { set: { is_closed: false } });
		await vote('b', 'carl');
	});

	test('an anonymous poll names nobody', async () => {
		const { id, mid, vote, answer, channel } = await sentPoll({ allow_answers: true,
			voting_visibility: 'anonymous' });
		const { vote: mine } = await vote('a', 'bob');
		await answer('hm', 'bob');
		const answers = [
			await api.get(`/polls/${id}`, { user_id: 'bob' }),
			await api.get(`/api/v2/polls/${id}`, { user_id: 'bob' }),
			await api.post(`/polls/${id}/votes`, {}),
			await api.post('/polls/query', { filter: { id } }),
			await api.post(`/messages/${mid}/polls/${id}/vote`,
				{ vote: { option_id: 'b' }, user_id: 'bob' }),
		];
		for (const { text, body } of answers) {
			assert.doesNotMatch(text, /"bob"/);
			assert.ok(body.poll?.own_votes.length !== 0);
		}
		const { poll } = (await channel.query({ messages: { limit: 1 } })).messages[0];
		assert.deepEqual([poll.vote_count, poll.answers_count], [2, 1]);
		assert.doesNotMatch(JSON.stringify(poll), /"bob"/);
		for (const filter of [{ user_id: 'bob' }, { created_by_id: { $in: ['bob'] } },
			{ $or: [{ user_id: 'bob' }] }])
			await refused(js.queryPollVotes(id, filter), 4, /anonymous/);
		await refused(js.partialUpdatePoll(id, { set: { voting_visibility: 'public' } }), 4,
			/cast anonymously/);
		/* His own he can take back. */
		await js.removePollVote(mid, id, mine.id, 'bob');
	});

	test('the latest ten of each, newest first', async () => {
		const { mid, id, get } = await sentPoll({ allow_answers: true });
		for (const user of ids('v', 12)) {
			await js.castPollVote(mid, id, { option_id: 'a' }, user);
			await js.addPollAnswer(mid, id, 'x', user);
		}
		const poll = await get();
		const newest = ids('v', 12).reverse().slice(0, 10);
		for (const list of [poll.latest_votes_by_option.a, poll.latest_answers])
			assert.deepEqual(list.map(({ user_id }) => user_id), newest);
		assert.deepEqual([poll.vote_count, poll.answers_count], [12, 12]);
	});

	test('that arrive at once are all counted, once', async () => {
		const voters = ids('v', 40);
		const { id, mid, get } = await sentPoll({ allow_answers: true });
		const other = await sentPoll({ enforce_unique_vote: true });
		/* Each votes for a and b twice, takes b back, and answers; in the other, votes turn. */
		const casts = voters.flatMap((user, i) => ['a', 'b', 'a', 'b', null].map((option) => async () => {
			if (option !== null)
				await js.castPollVote(mid, id, { option_id: option }, user);
			else
				await js.addPollAnswer(mid, id, `${i}`, user);
			await js.castPollVote(other.mid, other.id, { option_id: option ?? 'c' }, user);
		}));
		await inParallel(casts, 16, (cast) => cast());
		await inParallel(voters, 16, async (user) => {
			const { own_votes } = await get(user);
			assert.equal(own_votes.length, 3);
			const { id: vote } = own_votes.find(({ option_id }) => option_id === 'b');
			const twice = await Promise.allSettled([1, 2].map(() =>
				js.removePollVote(mid, id, vote, user)));
			assert.deepEqual(twice.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
		});
		const poll = await get();
		assert.deepEqual([poll.vote_count, poll.vote_counts_by_option, poll.answers_count],
			[40, { a: 40 }, 40]);
		const { vote_count, vote_counts_by_option: counts } = await other.get();
		assert.deepEqual([vote_count, (counts.a ?? 0) + (counts.b ?? 0) + (counts.c ?? 0)], [40, 40]);
		for (const option_id of ['a', 'b', 'c']) {
			const { votes } = await js.queryPollVotes(other.id, { option_id }, {}, { limit: 100 });
			assert.equal(votes.length, counts[option_id] ?? 0, option_id);
		}
	});
});

describe('queries', () => {
	test('votes, in pages, both ways', async () => {
		const { id, vote, answer } = await sentPoll({ allow_answers: true });
		const voters = ids('v', 7);
		for (const user of voters) {
			await vote('a', user);
			await vote('b', user);
		}
		await answer('x', 'bob');
		const first = await js.queryPollVotes(id, { option_id: 'a' }, { created_at: 1 }, { limit: 3 });
		const users = ({ votes }) => votes.map(({ user_id }) => user_id);
		assert.deepEqual(users(first), voters.slice(0, 3));
		assert.equal(first.prev, undefined);
		const second = await js.queryPollVotes(id, { option_id: 'b' }, { created_at: -1 },
			{ limit: 3, next: first.next });
		assert.deepEqual([users(second), second.votes[0].option_id], [voters.slice(3, 6), 'a']);
		const third = await js.queryPollVotes(id, {}, [], { next: second.next });
		assert.deepEqual([users(third), third.next], [voters.slice(6), undefined]);
		const back = await js.queryPollVotes(id, {}, [], { limit: 3, prev: second.prev });
		assert.deepEqual(users(back), voters.slice(0, 3));
		const found = async (filter) => (await node.queryPollVotes({ poll_id: id, filter, limit: 100 }))
			.votes.length;
		assert.equal(await found({}), 15);
		assert.equal(await found({ user_id: 'v00002' }), 2);
		assert.equal(await found({ user_id: { $in: ['v00002', 'bob', 'nobody'] } }), 3);
		assert.equal(await found({ is_answer: false }), 14);
		assert.equal(await found({ option_id: { $in: ['a', 'b'] } }), 14);
		assert.equal(await found({ option_id: { $exists: false } }), 1);
		assert.equal(await found({ id: first.votes[0].id }), 1);
		assert.equal(await found({ id: { $in: [first.votes[1].id, 'x'] }, option_id: 'a' }), 1);
		await refused(js.queryPollVotes('none'), 16);
		/* A cursor of one poll is none of another. */
		const other = await sentPoll();
		await refused(js.queryPollVotes(other.id, {}, [], { next: first.next }), 4, /cursor/);
	});

	test('polls, in pages, with own votes', async () => {
		for (const name of ['q1', 'q2', 'q3'])
			await js.createPoll({ name: 'query', id: name, options: letters('a'),
				is_closed: name === 'q2' }, name === 'q3' ? 'bob' : 'ann');
		const names = ({ polls }) => polls.map(({ id }) => id);
		const first = await js.queryPolls({ name: 'query' }, { id: 1 }, { limit: 2 });
		assert.deepEqual(names(first), ['q1', 'q2']);
		const second = await js.queryPolls({}, [], { next: first.next });
		assert.deepEqual([names(second), second.next], [['q3'], undefined]);
		assert.deepEqual(names(await js.queryPolls({ name: 'query' })), ['q3', 'q2', 'q1']);
		assert.deepEqual(names(await js.queryPolls({ name: 'query', is_closed: true })), ['q2']);
		assert.deepEqual(names(await js.queryPolls({ name: 'query', created_by_id: 'bob' })), ['q3']);
		const { polls } = await node.queryPolls({ filter: { id: { $in: ['q1', 'q2', 'x'] } },
			sort: [{ field: 'is_closed', direction: -1 }] });
		assert.deepEqual(polls.map(({ id }) => id), ['q2', 'q1']);
		assert.ok(polls[0].created_at instanceof Date && polls[0].created_by.created_at instanceof Date);
		const { id, vote } = await sentPoll();
		await vote('a', 'bob');
		const [seen] = (await js.queryPolls({ id }, [], {}, 'bob')).polls;
		assert.deepEqual(seen.own_votes.map(({ option_id }) => option_id), ['a']);
	});
});

describe('users', () => {
	test('make a poll, send it, vote, through their own client', async () => {
		const ann = userClient('ann'), bob = userClient('bob');
		const poll = await ann.polls.createPoll({ name: 'Lunch?', options: letters('ab') });
		assert.equal(poll.data.created_by_id, 'ann');
		await js.channel('messaging', 'users', { members: ['ann', 'bob'], created_by_id: 'ann' })
			.create();
		const { message } = await ann.channel('messaging', 'users')
			.sendMessage({ text: 'vote', poll_id: poll.id });
		assert.equal(message.poll.id, poll.id);
		const channel = bob.channel('messaging', 'users');
		const state = await channel.query({ messages: { limit: 5 } });
		for (const capability of ['send-poll', 'cast-poll-vote', 'query-poll-votes'])
			assert.ok(state.channel.own_capabilities.includes(capability), capability);
		assert.equal(state.channel.config.polls, true);
		/* The client keeps the poll of what it has read. */
		const seen = bob.polls.fromState(poll.id);
		assert.equal(seen.data.name, 'Lunch?');
		const { vote } = await seen.castVote('b', message.id);
		assert.equal(vote.user_id, 'bob');
		await seen.query(poll.id);
		assert.deepEqual(seen.data.vote_counts_by_option, { b: 1 });
		await channel.query({ messages: { limit: 5 } });
		assert.equal(seen.data.ownVotesByOptionId.b.id, vote.id);
		assert.deepEqual((await seen.queryOptionVotes({ filter: { option_id: 'b' } })).votes, [vote]);
		await seen.removeVote(vote.id, message.id);
		await poll.close();
		assert.equal((await bob.getPoll(poll.id)).poll.is_closed, true);
	});

	test('change only what is theirs', async () => {
		const { id } = await sentPoll();
		const denied = async (method, path, body) =>
			assertError(await asUser('bob', method, path, body), 403, 17,
				/only by the user who created it/);
		await denied('PUT', '/polls', { id, name: 'x' });
		await denied('PATCH', `/polls/${id}`, { set: { is_closed: true } });
		await denied('DELETE', `/polls/${id}`);
		await denied('POST', `/polls/${id}/options`, { text: 'x' });
		await denied('PUT', `/polls/${id}/options`, { id: 'a', text: 'x' });
		await denied('DELETE', `/polls/${id}/options/a`);
		/* A token's user counts, not one named in the body. */
		await denied('PATCH', `/polls/${id}`, { set: { name: 'x' }, user_id: 'ann' });
		assertOk(await asUser('ann', 'PATCH', `/polls/${id}`,
			{ set: { allow_user_suggested_options: true } }), 200);
		const { poll_option } = assertOk(await asUser('bob', 'POST', `/polls/${id}/options`,
			{ text: 'mine' }), 201);
		assert.equal(poll_option.text, 'mine');
		await denied('DELETE', `/polls/${id}/options/${poll_option.id}`);
	});

	test('list only what is theirs', async () => {
		const mine = userClient('eve');
		await mine.createPoll({ id: 'of-eve', name: 'N' });
		assert.deepEqual((await mine.queryPolls({})).polls.map(({ id }) => id), ['of-eve']);
		assert.deepEqual((await mine.queryPolls({ created_by_id: 'ann' })).polls, []);
	});

	test('send only what is theirs; a server may send any', async () => {
		const { poll } = await js.createPoll({ name: 'of ann' }, 'ann');
		await js.channel('messaging', 'send', { members: ['ann', 'bob'], created_by_id: 'ann' })
			.create();
		for (const { chat } of DIALECTS) {
			const path = `${chat}/channels/messaging/send/message`;
			const message = { text: 'x', poll_id: poll.id };
			assertError(await asUser('bob', 'POST', path, { message }), 403, 17,
				/message.poll_id: .* can be sent only by the user who created it/);
			assertError(await asUser('bob', 'POST', path, { message: { poll_id: 'none' } }), 404, 16,
				/message.poll_id: poll with id none doesn't exist/);
			assertOk(await asUser('ann', 'POST', path, { message }), 201);
			const sent = assertOk(await api.post(path, { message: { ...message, user_id: 'bob' } }), 201);
			assert.equal(sent.message.poll.id, poll.id);
			assertError(await api.post(path, { message: { text: 'x', poll_id: 'none',
				user_id: 'bob' } }), 404, 16, /poll with id none doesn't exist/);
		}
	});

	test('vote where they are members', async () => {
		const { id, mid, channel } = await sentPoll();
		const body = { vote: { option_id: 'a' } };
		for (const { chat } of DIALECTS) {
			const path = `${chat}/messages/${mid}/polls/${id}/vote`;
			assertError(await asUser('eve', 'POST', path, body), 403, 17, /not a member/);
			const { vote } = assertOk(await asUser('bob', 'POST', path, body), 201);
			assertError(await asUser('eve', 'DELETE', `${path}/${vote.id}`), 403, 17);
			assertError(await asUser('carl', 'DELETE', `${path}/${vote.id}`), 403, 17, /another user/);
			assertOk(await asUser('bob', 'DELETE', `${path}/${vote.id}`), 200);
			/* In whose name is said by the token. */
			const answer = assertOk(await asUser('bob', 'POST', path, { ...body, user_id: 'carl' }), 201);
			assert.equal(answer.vote.user_id, 'bob');
		}
		assert.ok(channel);
	});

	test('cannot vote in a frozen channel', async () => {
		await js.channel('messaging', 'frozen', { members: ['ann', 'bob'], created_by_id: 'ann',
			frozen: true }).create();
		const { poll } = await js.createPoll({ name: 'N', options: letters('a') }, 'ann');
		const { message } = await js.channel('messaging', 'frozen').sendMessage({ text: 'x',
			poll_id: poll.id, user_id: 'ann' });
		const path = `/messages/${message.id}/polls/${poll.id}/vote`;
		assertError(await asUser('bob', 'POST', path, { vote: { option_id: 'a' } }), 403, 17, /frozen/);
		const state = assertOk(await asUser('bob', 'POST', '/channels/messaging/frozen/query', {}), 201);
		assert.ok(!state.channel.own_capabilities.includes('cast-poll-vote'));
		await js.castPollVote(message.id, poll.id, { option_id: 'a' }, 'bob');
	});
});

describe('messages', () => {
	test('show the poll wherever they are shown', async () => {
		const { id, mid, vote, channel } = await sentPoll();
		await vote('a', 'bob');
		const polls = [
			(await js.getMessage(mid, { user_id: 'bob' })).message.poll,
			(await channel.query({ messages: { limit: 5 } })).messages[0].poll,
			(await js.queryChannels({ cid: channel.cid }, [], { state: true }))[0].state.messages[0].poll,
		];
		for (const poll of polls)
			assert.deepEqual([poll.id, poll.vote_count, poll.options.length], [id, 1, 3]);
		const { message } = assertOk(await api.get(`/api/v2/chat/messages/${mid}`,
			{ user_id: 'bob' }), 200);
		assert.deepEqual([message.poll_id, message.poll.id, message.poll.own_votes[0].option_id],
			[id, id, 'a']);
		assert.deepEqual((await api.get(`/messages/${mid}`, { user_id: 'carl' })).body.message.poll
			.own_votes, []);
	});

	test('many polls in one page, the same one more than once', async () => {
		const channel = js.channel('messaging', 'many', { members: ['ann', 'bob'],
			created_by_id: 'ann' });
		await channel.create();
		const made = [];
		for (let i = 0; i < 5; i++)
			made.push((await js.createPoll({ name: `n${i}`, options: letters('ab') }, 'ann')).poll.id);
		for (const id of [...made, made[0], made[0]])
			await channel.sendMessage({ text: 'x', poll_id: id, user_id: 'ann' });
		await channel.sendMessage({ text: 'none', user_id: 'ann' });
		const { messages } = await channel.query({ messages: { limit: 25 } });
		assert.deepEqual(messages.map(({ poll }) => poll?.name),
			['n0', 'n1', 'n2', 'n3', 'n4', 'n0', 'n0', undefined]);
		/* A vote at any of its messages is one in the poll. */
		const { poll } = await js.castPollVote(messages[6].id, made[0], { option_id: 'b' }, 'bob');
		assert.equal(poll.vote_count, 1);
	});

	test('keep the id of a deleted poll', async () => {
		const { id, mid, vote, channel } = await sentPoll();
		await js.deletePoll(id);
		for (const { chat } of DIALECTS) {
			const { message } = assertOk(await api.get(`${chat}/messages/${mid}`), 200);
			assert.deepEqual([message.poll_id, 'poll' in message], [id, false]);
		}
		const [message] = (await channel.query({ messages: { limit: 5 } })).messages;
		assert.deepEqual([message.poll_id, 'poll' in message], [id, false]);
		await refused(vote('a', 'bob'), 16, /poll with id/);
	});

	test('are asked for the poll they have', async () => {
		const one = await sentPoll(), other = await sentPoll();
		await refused(js.castPollVote(one.mid, other.id, { option_id: 'a' }, 'bob'), 16,
			/has no poll with id/);
		await refused(js.castPollVote('none', one.id, { option_id: 'a' }, 'bob'), 16,
			/message with id none/);
		await refused(js.removePollVote(one.mid, other.id, 'x', 'bob'), 16);
		await refused(js.removePollVote(one.mid, one.id, 'x', 'bob'), 16, /vote with id x/);
		await refused(js.castPollVote(one.mid, one.id, { option_id: 'z' }, 'bob'), 16,
			/vote.option_id: option with id z/);
		await refused(js.castPollVote(one.mid, one.id, { option_id: 'a' }, 'nobody'), 16,
			/user with id nobody/);
	});
});

describe('campaigns', () => {
	const definition = (more = {}) => ({ sender_id: 'ann', create_channels: true,
		channel_template: { type: 'messaging', id: '{{receiver.id}}-poll' }, ...more });

	test('an unknown poll: 404 code 16 at create and update', async () => {
		for (const { chat } of DIALECTS) {
			const message_template = { text: 'x', poll_id: 'none' };
			assertError(await api.post(`${chat}/campaigns`, definition({ message_template })), 404, 16,
				/CreateCampaign .*message_template.poll_id: poll with id none doesn't exist/);
			const { id } = await makeCampaign(api, definition({ message_template: { text: 'x' } }));
			assertError(await api.put(`${chat}/campaigns/${id}`, { message_template }), 404, 16,
				/UpdateCampaign .*message_template.poll_id/);
		}
		await refused(js.campaign('cp', definition({ message_template:
			{ text: 'x', poll_id: 'none' } })).create(), 16);
		await refused(js.campaign('cp').get(), 16);
	});

	test('one poll for all: receivers see it, vote, and see the votes of the others', async () => {
		const receivers = ids('r', 300);
		await makeUsers(api, receivers);
		const { poll } = await js.createPoll({ id: 'of-campaign', name: 'How are we doing?',
			options: letters('abc'), enforce_unique_vote: true, allow_answers: true }, 'bob');
		const campaign = js.campaign('with-poll', definition({ user_ids: receivers,
			message_template: { text: 'Hi {{ receiver.id }}', poll_id: poll.id,
				custom: { of: '{{ receiver.id }}' } } }));
		await campaign.create();
		await campaign.start();
		const { stats, status } = await ended(api, 'with-poll');
		assert.deepEqual([status, stats.messages_sent], ['completed', 300]);
		/* ann sends bob's poll: a campaign may. */
		await inParallel(receivers, 8, async (id, i) => {
			const client = userClient(id);
			const [channel] = await client.queryChannels({ members: { $in: [id] } }, [], { state: true });
			const [message] = channel.state.messages;
			assert.deepEqual([message.text, message.of, message.poll_id], [`Hi ${id}`, id, poll.id]);
			const seen = client.polls.fromState(poll.id);
			assert.equal(seen.data.name, 'How are we doing?');
			assert.equal(seen.data.created_by_id, 'bob');
			await seen.castVote('abc'[i % 3], message.id);
			if (i % 10 === 0)
				await seen.addAnswer(`a${i}`, message.id);
			const { message: again } = await client.getMessage(message.id);
			assert.deepEqual(again.poll.own_votes.length, i % 10 === 0 ? 2 : 1);
		});
		const { poll: result } = await js.getPoll(poll.id);
		assert.deepEqual([result.vote_count, result.vote_counts_by_option, result.answers_count],
			[300, { a: 100, b: 100, c: 100 }, 30]);
		const [state] = await inbox(api, receivers[7]);
		assert.deepEqual(state.messages[0].poll.vote_counts_by_option, { a: 100, b: 100, c: 100 });
		assert.equal(state.messages[0].poll.own_votes.length, 1);
		/* No message holds it: a change is seen by all. */
		await js.partialUpdatePoll(poll.id, { set: { name: 'How did we do?', is_closed: true } });
		assert.equal((await inbox(api, receivers[8]))[0].messages[0].poll.name, 'How did we do?');
		await js.deletePoll(poll.id);
		const [left] = (await inbox(api, receivers[9]))[0].messages;
		assert.deepEqual([left.poll_id, 'poll' in left], [poll.id, false]);
	});

	test('a poll that is deleted before the start does not stop it', async () => {
		await js.createPoll({ id: 'early', name: 'N' }, 'ann');
		const { id } = await makeCampaign(api, definition({ user_ids: ['carl'],
			message_template: { text: 'x', poll_id: 'early' } }));
		await js.deletePoll('early');
		assert.equal((await js.campaign(id).update({ name: 'y' })).campaign.name, 'y');
		await startCampaign(api, id);
		assert.equal((await ended(api, id)).status, 'completed');
		const state = (await inbox(api, 'carl')).find(({ channel }) => channel.id === 'carl-poll');
		assert.deepEqual([state.messages[0].poll_id, state.messages[0].poll], ['early', undefined]);
	});

	test('poll_id is no template, and "" is none', async () => {
		assertError(await api.post('/campaigns', definition({ message_template:
			{ text: 'x', poll_id: '{{ receiver.id }}' } })), 404, 16);
		await send(api, definition({ user_ids: ['eve'],
			message_template: { text: 'x', poll_id: '' } }));
		const state = (await inbox(api, 'eve')).find(({ channel }) => channel.id === 'eve-poll');
		assert.equal('poll_id' in state.messages[0], false);
	});
});

describe('bad input: 400 code 4, and nothing is stored', () => {
	const TEXT = [5, true, {}, []], FLAG = [5, 'yes', {}, []];
	const FIELDS = {
		name: [...TEXT, '', 'x'.repeat(1025)], description: [...TEXT, 'x'.repeat(4097)],
		voting_visibility: [...TEXT, 'secret', ''], enforce_unique_vote: FLAG, allow_answers: FLAG,
		allow_user_suggested_options: FLAG, is_closed: FLAG,
		max_votes_allowed: ['2', 0, 11, -1, 1.5, true, {}, []],
		options: [5, 'x', {}, [5], ['x'], [null], [[]], [{ text: 5 }], [{}], [{ text: '' }],
			[{ text: null }], [{ text: 'x'.repeat(1025) }], [{ id: 5, text: 'x' }],
			[{ id: 'x'.repeat(256), text: 'x' }], [{ id: 'x', text: 'a' }, { id: 'x', text: 'b' }],
			Array(101).fill({ text: 'x' })],
	};
	const LARGE = 'x'.repeat(5120);

	let poll, mid;
	before(async () => {
		({ id: poll, mid } = await sentPoll({ allow_answers: true }));
	});
	const state = async () => [await js.getPoll(poll), (await js.queryPolls({}, [], { limit: 100 }))
		.polls.map(({ id }) => id)].map((part) => JSON.stringify({ ...part, duration: '' }));

	for (const { name, chat, common } of DIALECTS) {
		const own = (fields) => (name === 'v2' ? { custom: fields } : fields);
		const v2 = (values) => (name === 'v2' ? values : []);

		test(`${name} POST and PUT /polls`, async () => {
			const was = await state();
			for (const [verb, base] of [['post', {}], ['put', { id: poll }]]) {
				const ask = (body) => api[verb](`${common}/polls`,
					{ name: 'N', user_id: 'ann', ...base, ...body });
				for (const [field, values] of Object.entries(FIELDS))
					await assertAllRefused(values.map((value) => ({ [field]: value })), ask,
						new RegExp(field));
				await assertAllRefused([{ name: null }, { user_id: 5 }, { user_id: null, user: 'x' },
					{ user_id: null, user: {} }, { id: 5 }, own({ k: LARGE }),
					{ options: [{ text: 'x', ...own({ k: LARGE }) }] },
					...v2([{ custom: 5 }, { custom: [] }, { options: [{ text: 'x', custom: 'x' }] }])], ask);
			}
			await assertAllRefused([{ id: 'x'.repeat(256) }, { user_id: null }, { id: poll }],
				(body) => api.post(`${common}/polls`, { name: 'N', user_id: 'ann', ...body }));
			await assertAllRefused([{ id: null }], (body) =>
				api.put(`${common}/polls`, { name: 'N', ...body }), /id: is required/);
			assertError(await api.post(`${common}/polls`, { name: 'N', user_id: 'nobody' }), 404, 16);
			assertError(await api.put(`${common}/polls`, { name: 'N', id: 'none' }), 404, 16);
			assert.deepEqual(await state(), was);
		});

		test(`${name} PATCH /polls/{id}`, async () => {
			const was = await state();
			const ask = (body) => api.patch(`${common}/polls/${poll}`, body);
			for (const [field, values] of Object.entries(FIELDS))
				await assertAllRefused(values.map((value) => ({ set: { [field]: value } })), ask,
					new RegExp(field));
			await assertAllRefused([{ set: 5 }, { set: [] }, { set: 'x' }, { set: { id: 'other' } },
				{ set: { id: 5 } }, { unset: 5 }, { unset: {} }, { unset: [5] }, { unset: [null] },
				{ unset: ['name'] }, { unset: ['id'] }, { unset: ['options'] },
				{ unset: ['vote_count'] }, { unset: Array(101).fill('x') }, { user_id: 5 },
				{ set: own({ k: LARGE }) }, ...v2([{ set: { custom: 5 } }])], ask);
			assertError(await api.patch(`${common}/polls/none`, {}), 404, 16, /UpdatePollPartial/);
			assert.deepEqual(await state(), was);
		});

		test(`${name} options`, async () => {
			const was = await state();
			const path = `${common}/polls/${poll}/options`;
			for (const [verb, base] of [['post', {}], ['put', { id: 'a' }]])
				await assertAllRefused([...TEXT, '', 'x'.repeat(1025)].map((text) => ({ text })).concat(
					[{ id: 5 }, { user_id: 5 }, own({ k: LARGE }), ...v2([{ custom: 5 }])]),
				(body) => api[verb](path, { text: 'x', ...base, ...body }));
			await assertAllRefused([{}, { text: null }], (body) => api.post(path, body), /text/);
			await assertAllRefused([{ text: 'x', id: 'a' }, { text: 'x', id: 'x'.repeat(256) }],
				(body) => api.post(path, body), /id/);
			await assertAllRefused([{ text: 'x' }, { text: 'x', id: null }], (body) =>
				api.put(path, body), /id: is required/);
			assertError(await api.put(path, { id: 'none', text: 'x' }), 404, 16, /option with id none/);
			assertError(await api.get(`${path}/none`), 404, 16, /GetPollOption/);
			assertError(await api.del(`${path}/none`), 404, 16, /DeletePollOption/);
			for (const answer of [await api.post(`${common}/polls/none/options`, { text: 'x' }),
				await api.put(`${common}/polls/none/options`, { id: 'a', text: 'x' }),
				await api.get(`${common}/polls/none/options/a`),
				await api.del(`${common}/polls/none/options/a`)])
				assertError(answer, 404, 16, /poll with id none doesn't exist/);
			assert.deepEqual(await state(), was);
		});

		test(`${name} votes`, async () => {
			const was = await state();
			const path = `${chat}/messages/${mid}/polls/${poll}/vote`;
			await assertAllRefused([5, 'a', [], null, undefined, {}, { option_id: null },
				{ option_id: '' }, { option_id: 5 }, { option_id: ['a'] }, { answer_text: 5 },
				{ answer_text: '' }, { answer_text: 'x'.repeat(1025) },
				{ option_id: 'a', answer_text: 'x' }, { is_answer: true }],
			(vote) => api.post(path, { vote, user_id: 'bob' }), /vote/);
			await assertAllRefused([{}, { user_id: 5 }, { user: 'bob' }, { user: {} }],
				(body) => api.post(path, { vote: { option_id: 'a' }, ...body }), /user/);
			assertError(await api.del(`${path}/x`, { user_id: 'bob' }), 404, 16, /DeletePollVote/);
			assertError(await api.del(`${path}/${'x'.repeat(300)}`), 404, 16);
			assert.deepEqual(await state(), was);
		});

		test(`${name} queries`, async () => {
			const bad = [{ limit: -1 }, { limit: 101 }, { limit: 'x' }, { limit: 1.5 }, { sort: 'x' },
				{ sort: {} }, { sort: [5] }, { sort: [{}] }, { sort: [{ field: 'nothing' }] },
				{ sort: [{ field: 'created_at', direction: 0 }] },
				{ sort: Array(6).fill({ field: 'created_at' }) }, { filter: 'x' }, { filter: [] },
				{ filter: { nothing: 1 } }, { filter: { $nothing: [] } }, { filter: { $or: [] } },
				{ filter: { id: { $gt: 'x' } } }, { filter: { id: 5 } }, { filter: { id: { $in: 'x' } } },
				{ filter: { created_at: 'noon' } }, { filter: { id: {} } }, { next: 5 }, { next: 'x' },
				{ prev: 'bm90IGEgY3Vyc29y' }, { next: 'x', prev: 'y' }];
			const special = {
				'/polls/query': [{ filter: { is_closed: 1 } }, { filter: { max_votes_allowed: 'x' } },
					{ filter: { name: { $contains: 'x' } } }, { sort: [{ field: 'vote_count' }] }],
				[`/polls/${poll}/votes`]: [{ filter: { option_id: 5 } }, { filter: { is_answer: 'x' } },
					{ filter: { user_id: { $ne: 'x' } } }, { filter: { user_id: { $in: [5] } } },
					{ filter: { option_id: { $exists: 'x' } } }, { sort: [{ field: 'user_id' }] }],
			};
			for (const [path, more] of Object.entries(special))
				await assertAllRefused([...bad, ...more], (body) => api.post(common + path, body));
			assertError(await api.post(`${common}/polls/none/votes`, {}), 404, 16, /QueryPollVotes/);
			assertError(await api.get(`${common}/polls/none`), 404, 16, /GetPoll/);
			assertError(await api.del(`${common}/polls/none`), 404, 16, /DeletePoll/);
			assertError(await api.get(`${common}/polls/${poll}`, { user_id: 'nobody' }), 404, 16,
				/user with id nobody/);
		});

		test(`${name} poll_id of messages`, async () => {
			await assertAllRefused(TEXT.map((poll_id) => ({ poll_id })), (message) =>
				api.post(`${chat}/channels/messaging/c1/message`,
					{ message: { text: 'x', user_id: 'ann', ...message } }), /poll_id/);
			await assertAllRefused([...TEXT, 'x'.repeat(256)], (poll_id) =>
				api.post(`${chat}/campaigns`, { sender_id: 'ann',
					message_template: { text: 'x', poll_id } }), /message_template.poll_id/);
		});
	}

	test('bodies that may be empty', async () => {
		for (const raw of [undefined, '', 'null', '{}'])
			for (const path of ['/polls/query', `/polls/${poll}/votes`])
				assertOk(await call(server, 'POST', path, { raw }), 201);
		for (const field of ['set', 'unset'])
			assertOk(await api.patch(`/polls/${poll}`, { [field]: null }), 200);
	});
});
