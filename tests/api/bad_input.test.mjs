/* bad_input – every endpoint of GET /openapi.json, every field of its request, in both dialects,
 * gets what it does not want: each is a 4xx that says why, nothing is stored (I-28).
 *
 * The description is the table: a new endpoint is tested as soon as it is served. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertOk, call, rawClient } from './lib/clients.mjs';
import { inParallel, makeUsers } from './lib/fixtures.mjs';
import { Server } from './lib/server.mjs';

const HOOK = '00000000-0000-4000-8000-000000000001';

let server, api, operations, schemas;
before(async () => {
	server = await Server.start();
	api = rawClient(server);
	await makeUsers(api, ['ann', 'bob']);
	assertOk(await api.post('/segments', { id: 'list', type: 'user' }), 201);
	assertOk(await api.post('/segments', { id: 'all', type: 'user', all_users: true }), 201);
	assertOk(await api.post('/campaigns', campaign('draft')), 201);
	assertOk(await api.post('/channels/messaging/talk/query',
		{ data: { created_by_id: 'ann', members: ['ann', 'bob'] } }), 201);
	assertOk(await api.post('/channels/messaging/talk/message',
		{ message: { id: 'talk', text: 'x', user_id: 'ann' } }), 201);
	assertOk(await api.post('/polls', { id: 'lunch', name: 'Lunch?', user_id: 'ann',
		options: [{ id: 'pizza', text: 'Pizza' }] }), 201);
	assertOk(await api.patch('/app', { event_hooks: [{ id: HOOK, hook_type: 'webhook', enabled: false,
		webhook_url: 'http://127.0.0.1:1/' }] }), 200);
	const doc = (await api.get('/openapi.json', {}, { check: false })).text;
	({ paths: operations, components: { schemas } } = JSON.parse(doc));
	operations = Object.entries(operations).flatMap(([path, item]) => Object.entries(item)
		.map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })))
		.filter(({ path }) => !/^\/(healthz|readyz|openapi.json|metrics)$/.test(path));
});
after(() => server.close());

const campaign = (id) => ({ id, sender_id: 'ann', user_ids: ['bob'], message_template: { text: 'x' } });

/* Path parameters that lead to something, so that the body is looked at. */
const PARAMS = { '/campaigns/{id}': 'draft', '/segments/{id}': 'list', '{type}': 'messaging', '{id}': 'talk',
	'{poll_id}': 'lunch', '{option_id}': 'pizza', '{user_id}': 'ann', '{name}': 'messaging', '{kind}': 'webhook',
	'{ident}': HOOK };
function filled(path) {
	let out = path;
	for (const [from, to] of Object.entries(PARAMS))
		out = out.replace(from, from.replace(/{[^}]*}/, to));
	return out.replaceAll(/{[^}]*}/g, 'nothing');
}

/* ---- bodies ---------------------------------------------------------------------------- */

const WRONG_TYPES = { string: [7, true, [], {}], integer: ['7', 1.5, true, [], {}], number: ['x', [], {}],
	boolean: ['true', 1, [], {}], array: ['x', 7, {}], object: ['x', 7, []] };

/* What a schema says in the end: references followed, parts joined, "or null" left out. */
const resolve = (schema) => {
	let found = schema;
	while (found.$ref)
		found = schemas[found.$ref.split('/').at(-1)];
	if (found.allOf) {
		const parts = found.allOf.map(resolve);
		return { type: 'object', properties: Object.assign({}, ...parts.map((part) => part.properties)),
			required: parts.flatMap((part) => part.required ?? []) };
	}
	const only = found.oneOf?.filter((one) => one.type !== 'null');
	if (only?.length === 1)
		return resolve(only[0]);
	/* A time is a text or an integer. */
	if (only?.some((one) => one.format === 'date-time'))
		return { type: 'string', format: 'date-time' };
	/* A member is an id, or an object with one. */
	if (only?.length === 2 && only[0].type === 'string')
		return { ...resolve(only[1]), either: 'string' };
	return Array.isArray(found.type) ? { ...found, type: found.type.find((type) => type !== 'null') } : found;
};
const requestOf = (operation) => resolve(schemas[`${name(operation)}Request`] ?? {});

/* Values that a property must refuse. */
function* badValues(name, schema) {
	const s = resolve(schema);
	/* Times may be integers: nanoseconds (api.md §0.4). */
	yield* (WRONG_TYPES[s.type] ?? []).filter((v) => (s.format !== 'date-time' || v !== 7) && typeof v !== s.either);
	if (s.format === 'date-time')
		yield* ['soon', '2027-13-01T00:00:00Z', '2027-01-01'];
	if (s.enum)
		yield 'none-of-them';
	if (s.maxLength)
		yield 'x'.repeat(s.maxLength + 1);
	if (s.maxItems && resolve(s.items ?? {}).type === 'string')
		yield Array.from({ length: s.maxItems + 1 }, (_, i) => `t${i}`);
	if (s.items && resolve(s.items).type === 'string')
		yield* [[7], [null], [{}]];
	if (s.minimum !== undefined)
		yield s.minimum - 1;
	if (s.maximum !== undefined)
		yield s.maximum + 1;
	if (s.type === 'integer')
		yield* [2 ** 63, -(2 ** 63), 1e300];
	if (name.toLowerCase() === 'filter' || name === 'filter_conditions')
		yield* [{ $nothing: [] }, { id: { $nothing: 1 } }, { $and: 1 }, { $or: [1] },
			JSON.parse('{"$and":['.repeat(40) + '{}' + ']}'.repeat(40))];
	if (name.toLowerCase() === 'sort')
		yield* [[{}], [{ field: 7 }], [{ field: 'id', direction: 2 }], [7]];
	if (name === 'next' || name === 'prev')
		yield* ['tampered', 'e30', 'x'.repeat(100000)];
}

/* [field, body, value] of everything that is wrong in one place, at any depth: in objects, and in the
 * first element of lists. */
function* mistakes(schema, valid, flat, depth = 0) {
	for (const [field, property] of Object.entries(schema.properties ?? {})) {
		if (field === 'custom' && flat)
			continue;
		/* Either of the two is read. */
		const rest = field === 'Sort' ? { ...valid, sort: undefined } : valid;
		for (const value of badValues(field, property))
			yield [field, { ...rest, [field]: value }, value];
		const s = resolve(property);
		const inside = s.type === 'array' ? resolve(s.items ?? {}) : s;
		if (depth > 2 || inside.type !== 'object' || !inside.properties)
			continue;
		const one = s.type === 'array' ? valid?.[field]?.[0] : valid?.[field];
		for (const [at, value, bad] of mistakes(inside, one ?? sample(inside), flat, depth + 1))
			yield [at, { ...rest, [field]: s.type === 'array' ? [value] : value }, bad];
	}
}

/* The least that the schema takes. */
function sample(schema) {
	const s = resolve(schema);
	switch (s.enum ? 'enum' : s.type) {
	case 'enum': return s.enum[0];
	case 'string': return s.format === 'date-time' ? '2027-01-01T00:00:00Z' : 'x';
	case 'integer': case 'number': return Math.max(s.minimum ?? 1, 1);
	case 'boolean': return true;
	case 'array': return s.minItems ? [sample(s.items)] : [];
	default: return Object.fromEntries((s.required ?? []).map((key) => [key, sample(s.properties[key])]));
	}
}

/* Where it is not enough. */
const sortBy = (field) => () => ({ sort: [{ field }] });
const bob = [{ user_id: 'bob' }];
const message = { text: 'x', user_id: 'ann' };
const VALID = {
	CreateCampaign: () => campaign(), UpdateCampaign: () => ({ name: 'z' }),
	CreateSegment: () => ({ type: 'user' }),
	QueryCampaigns: sortBy('id'), QuerySegments: sortBy('id'), QueryChannels: sortBy('created_at'),
	QueryPolls: sortBy('id'), QueryPollVotes: sortBy('created_at'),
	QuerySegmentTargets: () => ({ sort: [{ field: 'target_id' }], Sort: [{ field: 'target_id' }] }),
	GetOrCreateChannel: () => ({ data: { created_by_id: 'ann', members: bob, invites: bob } }),
	UpdateChannel: () => ({ user_id: 'ann', add_members: bob, invites: bob,
		assign_roles: [{ user_id: 'bob', channel_role: 'channel_member' }] }),
	SendMessage: () => ({ message }), UpdateMessage: () => ({ message }),
	MarkUnread: () => ({ message_id: 'x', user_id: 'ann' }),
	MarkDelivered: () => ({ user_id: 'ann', latest_delivered_messages: [{ cid: 'messaging:talk', id: 'x' }] }),
	Sync: () => ({ channel_cids: ['messaging:talk'], last_sync_at: new Date(Date.now() - 60000), user_id: 'ann' }),
	CreatePoll: () => ({ name: 'x', user_id: 'ann', options: [{ text: 'x' }] }),
	UpdatePoll: () => ({ id: 'lunch', name: 'x', user_id: 'ann', options: [{ id: 'pizza', text: 'x' }] }),
	UpdatePollPartial: () => ({ user_id: 'ann', set: { options: [{ text: 'x' }] } }),
	CreatePollOption: () => ({ text: 'x', user_id: 'ann' }),
	UpdatePollOption: () => ({ id: 'pizza', text: 'x', user_id: 'ann' }),
	CastPollVote: () => ({ vote: { option_id: 'pizza' }, user_id: 'ann' }),
	CheckPush: () => ({ user_id: 'ann' }),
	UpdatePushNotificationPreferences: () => ({ preferences: [{ user_id: 'ann', chat_level: 'all' }] }),
	CreateDevice: () => ({ id: 'x', push_provider: 'apn', user_id: 'ann' }),
	AddSegmentTargets: () => ({ target_ids: ['ann'] }), DeleteSegmentTargets: () => ({ target_ids: ['ann'] }),
};

const name = ({ operationId }) => operationId.replace(/V2(_\d)?$/, '').replace(/_\d$/, '');

/* What must be refused and was not. */
async function verdict(operation, label, body, field, options = {}) {
	const answer = await call(server, operation.method, filled(operation.path), { body, check: false, ...options });
	const told = `${operation.method} ${operation.path} ${label} → ${answer.status} ${answer.text.slice(0, 200)}`;
	if (answer.status < 400 || answer.status >= 500)
		return [told];
	const { code, message } = JSON.parse(answer.text);
	if (typeof code !== 'number' || !message)
		return [told];
	/* What is no JSON has no fields; its place is told instead. */
	if (field && answer.status === 400 && !message.includes('invalid JSON') &&
		!message.toLowerCase().includes(field.toLowerCase().replace('filter_conditions', 'filter')))
		return [`${told} (does not name ${field})`];
	return [];
}

async function contents() {
	const lists = [await api.post('/segments/query', { limit: 100 }), await api.post('/campaigns/query', { limit: 100 }),
		await api.post('/channels', { filter_conditions: {}, limit: 30 }),
		await api.get('/users', { payload: JSON.stringify({ filter_conditions: {}, limit: 100 }) }),
		await api.post('/segments/list/targets/query', {}), await call(server, 'POST', '/polls/query',
			{ body: {}, query: { user_id: 'ann' } })];
	return lists.map(({ body }) => ({ ...body, duration: 0 }));
}

describe('every field of every request', () => {
	test('wrong types, sizes, ranges, values', async () => {
		const cases = operations.flatMap((operation) => {
			const schema = requestOf(operation);
			const valid = VALID[name(operation)]?.() ?? sample(schema);
			/* In v1 "custom" is a custom field, but of campaigns (api.md §0.4). */
			const flat = !operation.path.startsWith('/api/v2/') && !operation.path.startsWith('/campaigns');
			return [...mistakes(schema, valid, flat)].map(([field, body, value]) => ({ operation, field, body,
				label: `${field}=${JSON.stringify(value).slice(0, 60)} ${JSON.stringify(body).slice(0, 120)}` }));
		});
		const before = await contents();
		const wrong = (await inParallel(cases, 8, ({ operation, label, body, field }) =>
			verdict(operation, label, body, field))).flat();
		assert.deepEqual(wrong, []);
		assert.ok(cases.length > 2000, `${cases.length} cases`);
		assert.deepEqual(await contents(), before);
	});

	test('required ones missing or null', async () => {
		const cases = operations.flatMap((operation) => {
			const schema = requestOf(operation);
			const valid = VALID[name(operation)]?.() ?? sample(schema);
			/* An update is partial (api.md §2.3.3). */
			return (schema.required ?? []).flatMap((field) => [undefined, null].map((value) => ({
				operation, field, label: `${field}=${value}`, body: { ...valid, [field]: value } })));
		});
		const wrong = (await inParallel(cases, 8, ({ operation, label, body, field }) =>
			verdict(operation, label, body, field))).flat();
		assert.deepEqual(wrong, []);
		assert.ok(cases.length > 10);
	});

	test('query parameters', async () => {
		const cases = operations.flatMap((operation) => operation.parameters.filter((p) => p.in === 'query')
			.flatMap(({ name: field, schema }) => {
				const s = resolve(schema);
				const values = s.type === 'integer' ? ['x', '1.5', '-1', '99999999999999999999'] :
					s.type === 'boolean' ? ['maybe', '2'] : /^(next|prev)$/.test(field) ? ['tampered', 'e30'] : [];
				return values.map((value) => ({ operation, field, value }));
			}));
		const wrong = (await inParallel(cases, 8, ({ operation, field, value }) =>
			verdict(operation, `?${field}=${value}`, undefined, field, { query: { [field]: value } }))).flat();
		assert.deepEqual(wrong, []);
	});
});

describe('every body', () => {
	const deep = (open, close, n = 10000) => open.repeat(n) + close.repeat(n);
	const RAW = {
		'no JSON': '{', 'not even close': 'hello', 'an array': '[]', 'a text': '"x"', 'a number': '7',
		'trailing garbage': '{} x', 'duplicate keys': '{"name":"a","name":"b"}',
		'invalid UTF-8': Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0x22, 0x7d]),
		'overlong UTF-8': Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xc0, 0xaf, 0x22, 0x7d]),
		'a NUL': '{"name":"a\\u0000b"}', 'a raw NUL': '{"name":"a\0b"}', 'a lone surrogate': '{"name":"\\ud800"}',
		'deep arrays': `{"filter":${deep('[', ']')}}`, 'deep objects': `{"filter":${deep('{"$and":[', ']}')}}`,
		'a huge number': '{"limit":1e999}', 'a byte order mark': '\ufeff{}',
	};

	test('malformed: refused by every endpoint that takes one', async () => {
		const takers = operations.filter(({ method, requestBody }) => ['POST', 'PUT', 'PATCH'].includes(method) &&
			!requestBody?.content?.['application/x-ndjson']);
		const cases = takers.flatMap((operation) => Object.entries(RAW).map(([label, raw]) => ({ operation, label, raw })));
		const before = await contents();
		const wrong = (await inParallel(cases, 8, ({ operation, label, raw }) =>
			verdict(operation, label, undefined, undefined, { raw }))).flat();
		assert.deepEqual(wrong, []);
		assert.deepEqual(await contents(), before);
	});

	test('absent, null or empty: never a 5xx', async () => {
		const cases = operations.filter(({ method }) => method !== 'DELETE')
			.flatMap((operation) => ['', 'null', '{}'].map((raw) => ({ operation, raw })));
		const wrong = (await inParallel(cases, 8, async ({ operation: { method, path }, raw }) => {
			const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
			const answer = await call(server, method, path.replaceAll(/{[^}]*}/g, 'nothing'),
				{ raw: method === 'GET' ? undefined : raw, check: false, headers });
			return answer.status >= 500 ? [`${method} ${path} ${raw} → ${answer.text.slice(0, 200)}`] : [];
		})).flat();
		assert.deepEqual(wrong, []);
	});

	test('paths of any bytes: never a 5xx', async () => {
		const parts = ['%00', '%ff', '..', '%2e%2e', "'%20OR%201=1--", 'x'.repeat(2000), '%F0%9F%98%80', '+', '%25', ':'];
		const cases = operations.filter(({ path }) => path.includes('{'))
			.flatMap((operation) => parts.map((part) => ({ operation, part })));
		const wrong = (await inParallel(cases, 8, async ({ operation: { method, path }, part }) => {
			const answer = await call(server, method, path.replaceAll(/{[^}]*}/g, part), { body: {}, check: false });
			return answer.status >= 500 ? [`${method} ${path} ${part} → ${answer.text.slice(0, 200)}`] : [];
		})).flat();
		assert.deepEqual(wrong, []);
	});
});
