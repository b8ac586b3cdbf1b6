/* cli – the commands of the program against a running server (product.md). */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { assertError, assertOk, call, jsClient, rawClient } from './lib/clients.mjs';
import { ids, inbox, makeUsers, onlyMessage } from './lib/fixtures.mjs';
import { SECRET, Server, run } from './lib/server.mjs';

let server, api, env;
before(async () => {
	server = await Server.start();
	api = rawClient(server);
	env = { FANFARE_URL: server.url, FANFARE_API_KEY: server.key, FANFARE_API_SECRET: SECRET };
	await makeUsers(api, [{ id: 'ann', name: 'Ann' }]);
});
after(() => server.close());

const fanfare = (args, options = {}) => run(args, { cwd: server.dir, ...options,
	env: { ...env, ...options.env } });
const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
const users = async (filter_conditions, limit = 100) => assertOk(await api.get('/users',
	{ payload: JSON.stringify({ filter_conditions, limit }) }), 200).users;

describe('help and version', () => {
	test('--version', async () => {
		const { code, stdout } = await fanfare(['--version']);
		assert.equal(code, 0);
		assert.match(stdout, /^fanfare \d+\.\d+\.\d+\S*\n$/);
	});
	test('--help lists the commands, each has its own', async () => {
		const { code, stdout, stderr } = await fanfare(['--help']);
		assert.deepEqual([code, stderr], [0, '']);
		for (const command of ['serve', 'token', 'import', 'send']) {
			assert.match(stdout, new RegExp(`\\b${command}\\b`));
			const help = await fanfare([command, '--help']);
			assert.deepEqual([help.code, help.stderr], [0, ''], command);
			assert.match(help.stdout, new RegExp(`fanfare ${command}`));
		}
	});
	test('serve --help names every setting', async () => {
		const { stdout } = await fanfare(['serve', '--help']);
		for (const name of ['store', 'listen', 'webhook.allow', 'batch.size', 'workers'])
			assert.match(stdout, new RegExp(name));
	});
	test('no command, an unknown one, an unknown option: exit 2 on standard error', async () => {
		for (const args of [[], ['dance'], ['token', '--nothing'], ['import'], ['import', 'users'],
			['send', '--nothing'], ['token', 'extra']]) {
			const { code, stdout, stderr } = await fanfare(args);
			assert.equal(code, 2, args.join(' '));
			assert.equal(stdout, '');
			assert.notEqual(stderr, '');
		}
	});
});

describe('token', () => {
	test('for the backend', async () => {
		const { code, stdout } = await fanfare(['token']);
		assert.equal(code, 0);
		assert.equal(claims(stdout).server, true);
		assertError(await call(server, 'GET', '/campaigns/none', { token: stdout.trim() }), 404, 16);
	});
	test('for a user', async () => {
		const { stdout } = await fanfare(['token', '--user', 'ann']);
		assert.equal(claims(stdout).user_id, 'ann');
		assertError(await call(server, 'GET', '/campaigns/none', { token: stdout.trim() }), 403, 17);
	});
	test('that expires', async () => {
		for (const [text, seconds] of [['90s', 90], ['15m', 900], ['1h', 3600], ['7d', 604800]]) {
			const { stdout } = await fanfare(['token', '--expires', text]);
			const { exp } = claims(stdout);
			assert.ok(Math.abs(exp - Date.now() / 1000 - seconds) < 30, `${text}: ${exp}`);
			assertError(await call(server, 'GET', '/campaigns/none', { token: stdout.trim() }), 404, 16);
		}
	});
	test('refused: bad ids and times, no secret', async () => {
		for (const args of [['--user', 'a b'], ['--user', ''], ['--expires', 'soon'],
			['--expires', '-1h'], ['--expires', '0s'], ['--user']]) {
			const { code, stdout } = await fanfare(['token', ...args]);
			assert.equal(code, 2, args.join(' '));
			assert.equal(stdout, '');
		}
		const { code, stderr } = await fanfare(['token'], { env: { FANFARE_API_SECRET: undefined } });
		assert.notEqual(code, 0);
		assert.match(stderr, /FANFARE_API_SECRET/);
	});
});

describe('import users', () => {
	const ndjson = (list) => list.map((user) => `${JSON.stringify(user)}\n`).join('');

	test('from a file: 25,000 users with custom data', async () => {
		const file = path.join(server.dir, 'users.ndjson');
		fs.writeFileSync(file, ndjson(ids('imp', 25000).map((id, i) =>
			({ id, name: `Nr ${i}`, teams: ['red'], country: i % 2 ? 'USA' : 'Italy', n: i }))));
		const { code, stdout, stderr } = await fanfare(['import', 'users', file]);
		assert.equal(code, 0, stderr);
		assert.match(stdout.replace(/[,.’' \u202f\u00a0]/g, ''), /25000/);
		const [last] = await users({ id: 'imp24999' });
		assert.deepEqual([last.name, last.teams, last.country, last.n],
			['Nr 24999', ['red'], 'USA', 24999]);
		const segment = assertOk(await api.post('/segments', { type: 'user',
			filter: { country: 'USA' } }), 201).segment;
		assertOk(await api.get(`/segments/${segment.id}/target/imp00001`), 200);
		assertError(await api.get(`/segments/${segment.id}/target/imp00002`), 404, 16);
	});
	test('from standard input, without a last line break; again replaces', async () => {
		assert.equal((await fanfare(['import', 'users', '-'],
			{ input: ndjson([{ id: 'in1', a: 1 }, { id: 'in2' }]).trimEnd() })).code, 0);
		assert.equal((await fanfare(['import', 'users', '-'],
			{ input: ndjson([{ id: 'in1', b: 2 }]) })).code, 0);
		const [user] = await users({ id: 'in1' });
		assert.deepEqual([user.a, user.b], [undefined, 2]);
		assert.equal((await users({ id: 'in2' })).length, 1);
	});
	test('bad lines are named and counted, the good ones stay', async () => {
		const { code, stdout, stderr } = await fanfare(['import', 'users', '-'], { input:
			'{"id":"good1"}\n\n{"id":"bad id"}\nnot json\n{"id":"good2"}\n{"name":"no id"}\n' +
			'{"id":"good3","name":5}\n' });
		assert.notEqual(code, 0);
		for (const line of [3, 4, 6, 7])
			assert.match(stderr, new RegExp(`line ${line}\\b`));
		assert.doesNotMatch(stderr, /^line [125]\b/m);
		assert.match(stdout, /2/);
		assert.deepEqual((await users({ id: { $in: ['good1', 'good2', 'good3'] } }))
			.map(({ id }) => id).sort(), ['good1', 'good2']);
	});
	test('nothing to import', async () => {
		assert.equal((await fanfare(['import', 'users', '-'], { input: '' })).code, 0);
	});
	test('no such file, no such server, wrong secret', async () => {
		const gone = await fanfare(['import', 'users', '/no/such/file.ndjson']);
		assert.notEqual(gone.code, 0);
		assert.match(gone.stderr, /no\/such\/file/);
		const wrong = await fanfare(['import', 'users', '-'], { input: '{"id":"x"}\n',
			env: { FANFARE_API_SECRET: 'w'.repeat(40) } });
		assert.notEqual(wrong.code, 0);
		assert.doesNotMatch(wrong.stderr, /w{40}/);
	});
});

describe('send', () => {
	before(() => makeUsers(api, [{ id: 'to1', name: 'One', pack: 'a' }, { id: 'to2', name: 'Two',
		pack: 'a' }, { id: 'to3', name: 'Three', pack: 'b' }]));

	test('to listed users: creates, starts, waits, tells', async () => {
		const { code, stdout, stderr } = await fanfare(['send', '--sender', 'ann', '--users',
			'to1,to2,ghost', '--text', 'Hi {{receiver.name}}', '--create-channels', '--channel-id',
			'{{receiver.id}}-cli', '--custom', '{"k":1}', '--name', 'from the shell']);
		assert.equal(code, 0, stderr);
		assert.match(stdout, /completed/);
		assert.match(stdout, /sent\s+2\b/);
		assert.match(stdout, /no_such_user\s+1\b/);
		const message = await onlyMessage(api, 'to2');
		assert.deepEqual([message.text, message.cid, message.k], ['Hi Two', 'messaging:to2-cli', 1]);
		const { campaigns } = await jsClient(server).queryCampaigns({ name: 'from the shell' });
		assert.deepEqual([campaigns.length, campaigns[0].status], [1, 'completed']);
	});
	test('to a file of users, to a segment, to a filter, to everybody', async () => {
		const file = path.join(server.dir, 'ids.txt');
		fs.writeFileSync(file, 'to1\nto3\n');
		await jsClient(server).segment('user', 'cli-seg', {}).create();
		await jsClient(server).segment('user', 'cli-seg').addTargets(['to2']);
		for (const [audience, sent] of [[['--users', file], 2], [['--segment', 'cli-seg'], 1],
			[['--filter', '{"pack":"a"}'], 2]]) {
			const { code, stdout, stderr } = await fanfare(['send', '--sender', 'ann', ...audience,
				'--text', 'x', '--create-channels']);
			assert.equal(code, 0, stderr);
			assert.match(stdout, new RegExp(`sent\\s+${sent}\\b`), audience.join(' '));
		}
		const { code, stdout } = await fanfare(['send', '--sender', 'ann', '--all-users',
			'--text', 'all', '--create-channels']);
		assert.equal(code, 0);
		assert.match(stdout, /is_sender\s+1\b/);
		assert.ok((await inbox(api, 'to3')).some(({ messages }) =>
			messages.some(({ text }) => text === 'all')));
	});
	test('scheduled, without waiting', async () => {
		const at = new Date(Date.now() + 3600000).toISOString();
		const { code, stdout } = await fanfare(['send', '--sender', 'ann', '--users', 'to1',
			'--text', 'later', '--at', at, '--no-wait']);
		assert.equal(code, 0);
		const { campaign } = await jsClient(server).campaign(stdout.trim()).get();
		assert.equal(campaign.status, 'scheduled');
		assert.equal(Date.parse(campaign.scheduled_for), Date.parse(at));
	});
	test('refused: missing options, two audiences, bad JSON, a bad template, unknown sender',
		async () => {
			const good = ['--sender', 'ann', '--users', 'to1', '--text', 'x'];
			for (const args of [[], good.slice(2), good.slice(0, 4), good.slice(0, 2).concat(good.slice(4)),
				[...good, '--all-users'], [...good, '--custom', '{'], [...good, '--at', 'noon']]) {
				const { code, stderr } = await fanfare(['send', ...args]);
				assert.equal(code, 2, args.join(' '));
				assert.notEqual(stderr, '');
			}
			for (const [args, why] of [[['--sender', 'nobody', '--users', 'to1', '--text', 'x'], /nobody/],
				[['--sender', 'ann', '--users', 'to1', '--text', '{{'], /message_template\.text/],
				[['--sender', 'ann', '--segment', 'no-seg', '--text', 'x'], /no-seg/]]) {
				const { code, stderr } = await fanfare(['send', ...args]);
				assert.equal(code, 1, args.join(' '));
				assert.match(stderr, why);
			}
		});
	test('no server there', async () => {
		const { code, stderr } = await fanfare(['send', '--sender', 'ann', '--users', 'to1',
			'--text', 'x'], { env: { FANFARE_URL: 'http://127.0.0.1:1' } });
		assert.notEqual(code, 0);
		assert.match(stderr, /127\.0\.0\.1:1/);
	});
});
