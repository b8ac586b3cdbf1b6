/* templates – the language of api.md §4, seen in messages and channels of real campaigns. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { DIALECTS, assertError, assertOk, rawClient } from './lib/clients.mjs';
import { channelsByCid, makeUsers, send } from './lib/fixtures.mjs';
import { Server } from './lib/server.mjs';

let server, api;
before(async () => {
	server = await Server.start();
	api = rawClient(server);
	await makeUsers(api, [
		{ id: 'ann', name: 'Ann', role: 'admin', city: 'Rome' },
		{ id: 'bob', name: 'Bob', country: 'USA', age: 41, score: 2.5, vip: true, none: [],
			zero: 0, blank: '', tags: ['a', 'b', 'c'], address: { city: 'Turin', zip: { code: 7 } },
			evil: '{{ sender.id }} {% if true %}', html: '<b>"x" & \'y\'</b>', multi: 'eÌ漢\u{1f600}',
			json: '{"a":1}', born: '2001-02-03T04:05:06Z', long: 'the quick brown fox jumps' },
	]);
});
after(() => server.close());

let serial = 0;

/* The message that bob gets for this message_template, in a channel of its own. */
async function received(message_template, channel_template = {}) {
	const id = `t${serial++}`;
	await send(api, { id, sender_id: 'ann', user_ids: ['bob'], message_template,
		create_channels: true, channel_template: { type: 'messaging', id, ...channel_template } });
	const state = (await channelsByCid(api, [`messaging:${id}`])).get(`messaging:${id}`);
	assert.ok(state, `no channel messaging:${id}`);
	assert.equal(state.messages.length, 1);
	return { message: state.messages[0], channel: state.channel, id };
}

/* Many texts at the price of one campaign: each is a string of custom. */
async function rendered(texts) {
	const { message } = await received({ text: '-', custom: { list: texts } });
	return message.list;
}

async function check(cases) {
	/* A leading mark keeps a lone {{ expr }} from being typed. */
	const got = await rendered(cases.map(([template]) => `>${template}`));
	for (const [i, [template, expected]] of cases.entries())
		assert.equal(got[i], `>${expected}`, template);
}

describe('variables', () => {
	test('fields, custom fields, blanks, case of the root', () => check([
		['{{ receiver.name }}', 'Bob'], ['{{receiver.name}}', 'Bob'],
		['{{\treceiver.name\n}}', 'Bob'], ['{{ Receiver.name }}{{SENDER.id}}', 'Bobann'],
		['{{ receiver.id }}', 'bob'], ['{{ receiver.role }}/{{ sender.role }}', 'user/admin'],
		['{{ receiver.country }}', 'USA'], ['{{ receiver.custom.country }}', 'USA'],
		['{{ receiver.address.city }}', 'Turin'], ['{{ receiver.address.zip.code }}', '7'],
		['{{ sender.city }}', 'Rome'],
		['Hi {{ receiver.name }} I\'m {{ sender.name }}!', 'Hi Bob I\'m Ann!'],
	]));
	test('numbers, flags and lists as text', () => check([
		['{{ receiver.age }}', '41'], ['{{ receiver.score }}', '2.5'], ['{{ receiver.zero }}', '0'],
	]));
	test('the channel', async () => {
		const { message, id } = await received({ text: '{{ channel.id }} {{ channel.type }} ' +
			'{{ Channel.cid }}' });
		assert.equal(message.text, `${id} messaging messaging:${id}`);
	});
	test('custom data of a channel that exists', async () => {
		assertOk(await api.post('/channels/messaging/painted/query', { data: { created_by_id: 'bob',
			members: ['bob'], colour: 'red', name: 'Painted' } }), 201);
		await send(api, { sender_id: 'ann', user_ids: ['bob'], channel_template: { type: 'messaging',
			id: 'painted' }, message_template: { text: '{{channel.colour}} {{channel.name}}' } });
		const state = (await channelsByCid(api, ['messaging:painted'])).get('messaging:painted');
		assert.equal(state.messages[0].text, 'red Painted');
	});
	test('custom data of a channel that the campaign makes', async () => {
		const { message } = await received({ text: '{{ channel.colour }}' },
			{ custom: { colour: 'red' } });
		assert.equal(message.text, 'red');
	});
	test('undefined is empty and fails nobody', () => check([
		['{{ receiver.nothing }}', ''], ['{{ receiver.address.nothing.deeper }}', ''],
		['{{ receiver.name.deeper }}', ''], ['{{ nothing }}', ''], ['{{ custom }}', ''],
		['{{ channel.nothing }}', ''], ['[{{ receiver.blank }}]', '[]'],
		['{{ receiver.__proto__ }}{{ receiver.constructor }}', ''],
	]));
	test('what is no template stays as it is', () => check([
		['{Hello}', '{Hello}'], ['{ receiver.name }', '{ receiver.name }'], ['}} %} #}', '}} %} #}'],
		['100% {x} {', '100% {x} {'], ['$receiver.name', '$receiver.name'], ['', ''],
	]));
	test('one pass: data that looks like a template stays text', () => check([
		['{{ receiver.evil }}', '{{ sender.id }} {% if true %}'],
		['{{ receiver.evil|upper }}', '{{ SENDER.ID }} {% IF TRUE %}'],
		['{{ receiver.html }}', '<b>"x" & \'y\'</b>'], ['{{ receiver.json }}', '{"a":1}'],
		['{{ receiver.multi }}', 'eÌ漢\u{1f600}'],
	]));
	test('text, the plain documented example', async () => {
		const { message } = await received({ text: 'Hi {{ receiver.name }} I\'m {{ sender.name }}!' });
		assert.equal(message.text, 'Hi Bob I\'m Ann!');
		assert.equal((await received({ text: '{Hello}' })).message.text, '{Hello}');
		assert.equal((await received({ text: '{{ receiver.age }}' })).message.text, '41');
		assert.equal((await received({ text: '{{ receiver.address }}x{{ receiver.nothing }}' }))
			.message.text.replaceAll(' ', ''), '{"city":"Turin","zip":{"code":7}}x');
	});
});

describe('filters', () => {
	test('both call styles', () => check([
		['{{ receiver.nick|default("friend") }}', 'friend'],
		['{{ receiver.nick|default:"friend" }}', 'friend'],
		["{{ receiver.nick | default : 'friend' }}", 'friend'],
		['{{ receiver.name|default("friend") }}', 'Bob'],
		['{{ receiver.nick|default(sender.name) }}', 'Ann'],
	]));
	test('case', () => check([
		['{{ receiver.name|upper }}', 'BOB'], ['{{ receiver.name|lower }}', 'bob'],
		['{{ receiver.long|title }}', 'The Quick Brown Fox Jumps'],
		['{{ receiver.long|capfirst }}', 'The quick brown fox jumps'],
		['{{ receiver.name|lower|capfirst|default("x") }}', 'Bob'],
	]));
	test('length and cutting', () => check([
		['{{ receiver.name|length }}', '3'], ['{{ receiver.tags|length }}', '3'],
		['{{ receiver.nothing|length }}', '0'],
		['{{ receiver.name|truncatechars:10 }}', 'Bob'],
	]));
	test('truncatewords says that something is missing', async () => {
		const [cut] = await rendered(['>{{ receiver.long|truncatewords:2 }}']);
		assert.match(cut, /^>the quick ?(…|\.\.\.)$/);
	});
	test('truncatechars counts characters, the ellipsis included', async () => {
		const [cut] = await rendered(['>{{ receiver.long|truncatechars(9) }}']);
		assert.ok([...cut.slice(1)].length <= 9, cut);
		assert.match(cut, /^>the qu/);
	});
	test('lists', () => check([
		['{{ receiver.tags|join(", ") }}', 'a, b, c'], ['{{ receiver.tags|join:"" }}', 'abc'],
		['{{ receiver.tags|first }}{{ receiver.tags|last }}', 'ac'],
		['{{ receiver.none|first }}', ''],
	]));
	test('numbers', () => check([
		['{{ receiver.score|floatformat:2 }}', '2.50'], ['{{ receiver.score|round:1 }}', '2.5'],
		['{{ receiver.age|floatformat:1 }}', '41.0'],
	]));
	test('escape and json', async () => {
		const [html, list, name] = await rendered(['>{{ receiver.html|escape }}',
			'>{{ receiver.tags|json }}', '>{{ receiver.name|json }}']);
		assert.match(html, /^>&lt;b&gt;&quot;x&quot; &amp; &#(39|x27);y&#(39|x27);&lt;\/b&gt;$/);
		assert.deepEqual(JSON.parse(list.slice(1)), ['a', 'b', 'c']);
		assert.equal(name, '>"Bob"');
	});
	test('date', async () => {
		const [born] = await rendered(['>{{ receiver.born|date:"Y-m-d" }}']);
		assert.equal(born, '>2001-02-03');
	});
});

describe('conditions', () => {
	test('if, elif, else', () => check([
		['{% if receiver.vip %}VIP{% else %}no{% endif %}', 'VIP'],
		['{% if receiver.none %}x{% elif receiver.age > 40 %}old{% else %}young{% endif %}', 'old'],
		['{% if receiver.nothing %}x{% endif %}', ''],
		['{%if receiver.zero%}x{%else%}0{%endif%}', '0'],
		['{% if receiver.blank %}x{% else %}blank{% endif %}', 'blank'],
		['{% if receiver.vip %}{% if receiver.age < 18 %}kid{% else %}adult{% endif %}{% endif %}',
			'adult'],
		['{% if receiver.vip %}{{ receiver.name }}{% endif %}!', 'Bob!'],
	]));
	test('and, or, not, comparisons, in', () => check([
		['{% if receiver.vip and receiver.age >= 41 %}y{% endif %}', 'y'],
		['{% if receiver.nothing or receiver.country == "USA" %}y{% endif %}', 'y'],
		['{% if not receiver.nothing %}y{% endif %}', 'y'],
		["{% if receiver.country != 'USA' %}y{% else %}n{% endif %}", 'n'],
		['{% if "a" in receiver.tags %}y{% endif %}', 'y'],
		['{% if "z" in receiver.tags %}y{% else %}n{% endif %}', 'n'],
		['{% if "quick" in receiver.long %}y{% endif %}', 'y'],
		['{% if not receiver.vip or receiver.age == 41 and receiver.score <= 2.5 %}y{% endif %}', 'y'],
		['{% if receiver.id == sender.id %}y{% else %}n{% endif %}', 'n'],
	]));
	test('comments and literal blocks', () => check([
		['a{# {{ receiver.name }} {% if %} #}b', 'ab'],
		['{% raw %}{{ receiver.name }} {% if %}{% endraw %}', '{{ receiver.name }} {% if %}'],
		['{% verbatim %}{{ x }}{% endverbatim %}{{ receiver.name }}', '{{ x }}Bob'],
	]));
});

describe('typed values', () => {
	test('a string that is one expression becomes the value itself', async () => {
		const { message } = await received({ text: 'x', custom: { obj: '{{ receiver.address }}',
			list: '{{receiver.tags}}', num: '{{ receiver.age }}', real: '{{ receiver.score }}',
			flag: '{{ receiver.vip }}', str: '{{ receiver.name }}', none: '{{ receiver.nothing }}',
			campaign_data: '{{ custom }}', mixed: 'age {{ receiver.age }}',
			deep: [{ x: '{{ receiver.zero }}' }], untouched: [1, true, null, { '{{ receiver.id }}': 'k' }] } });
		assert.deepEqual({ obj: message.obj, list: message.list, num: message.num, real: message.real,
			flag: message.flag, str: message.str, none: message.none,
			campaign_data: message.campaign_data, mixed: message.mixed, deep: message.deep,
			untouched: message.untouched },
		{ obj: { city: 'Turin', zip: { code: 7 } }, list: ['a', 'b', 'c'], num: 41, real: 2.5,
			flag: true, str: 'Bob', none: '', campaign_data: '', mixed: 'age 41', deep: [{ x: 0 }],
			untouched: [1, true, null, { '{{ receiver.id }}': 'k' }] });
	});
	test('values go into JSON as values, whatever they contain', async () => {
		const { message } = await received({ text: '{{ receiver.html }}', custom: {
			a: '{{ receiver.html }}', b: 'x{{ receiver.json }}","c":"' },
		attachments: [{ type: 'image', title: '{{ receiver.name }}', text: '"{{ receiver.html }}"',
			own: { n: '{{ receiver.age }}' } }] });
		assert.equal(message.text, '<b>"x" & \'y\'</b>');
		assert.equal(message.a, '<b>"x" & \'y\'</b>');
		assert.equal(message.b, 'x{"a":1}","c":"');
		assert.deepEqual(message.attachments, [{ type: 'image', title: 'Bob',
			text: '"<b>"x" & \'y\'</b>"', own: { n: 41 } }]);
	});
});

describe('channel_template', () => {
	test('id and custom are rendered, type and members are not', async () => {
		const { channel } = await received({ text: 'x' }, { custom: { for: '{{ receiver.name }}',
			tags: '{{ receiver.tags }}' } });
		assert.deepEqual([channel.for, channel.tags], ['Bob', ['a', 'b', 'c']]);
	});
	test('the documented id', async () => {
		await send(api, { sender_id: 'ann', user_ids: ['bob'], message_template: { text: 'x' },
			create_channels: true, channel_template: { type: 'messaging',
				id: '{{receiver.id}}-{{sender.id}}' } });
		assert.ok((await channelsByCid(api, ['messaging:bob-ann'])).has('messaging:bob-ann'));
	});
	test('an id that is rendered with filters and conditions', async () => {
		await send(api, { sender_id: 'ann', user_ids: ['bob'], message_template: { text: 'x' },
			create_channels: true, channel_template: { type: 'team', id:
				'{% if receiver.vip %}vip{% else %}std{% endif %}_{{ receiver.id|upper }}' } });
		assert.ok((await channelsByCid(api, ['team:vip_BOB'])).has('team:vip_BOB'));
	});
});

describe('syntax errors: 400 code 4 with field and position', () => {
	const bad = ['{{', '{{ receiver.name', '{{ }}', '{% if receiver.vip %}x', '{% endif %}',
		'{% if %}x{% endif %}', '{% for x in y %}{% endfor %}', '{% include "x" %}', '{% macro x() %}',
		'{{ receiver.name|uper }}', '{{ receiver.name| }}', '{{ receiver..name }}', '{{ "open }}',
		'{% if receiver.vip %}a{% else %}b{% else %}c{% endif %}', '{# never closed', '{% raw %}x',
		'{{ receiver.name|default( }}', '{% if a == %}x{% endif %}', '{{ 1 + }}', '{{ receiver.name }',
		'{% elif x %}', '{%'];
	for (const { name, chat } of DIALECTS) {
		test(`${name}: at create and update`, async () => {
			const base = { sender_id: 'ann', user_ids: ['bob'], message_template: { text: 'x' } };
			const id = `syntax-${name}`;
			assertOk(await api.post(`${chat}/campaigns`, { ...base, id }), 201);
			for (const text of bad) {
				const made = await api.post(`${chat}/campaigns`, { ...base, message_template: { text } });
				assertError(made, 400, 4, /^CreateCampaign.*message_template\.text.*\d/s);
				const changed = await api.put(`${chat}/campaigns/${id}`, { message_template: { text } });
				assertError(changed, 400, 4, /^UpdateCampaign.*message_template\.text.*\d/s);
			}
			for (const [field, more] of [
				['custom', { message_template: { text: 'x', custom: { deep: [{ k: 'a {{' }] } } }],
				['attachments', { message_template: { text: 'x', attachments: [{ title: '{% x %}' }] } }],
				['channel_template.id', { channel_template: { type: 'messaging', id: '{{' } }],
				['channel_template.custom', { channel_template: { type: 'messaging',
					custom: { k: '{% if %}' } } }]])
				assertError(await api.post(`${chat}/campaigns`, { ...base, ...more }), 400, 4,
					new RegExp(field.replace('.', '\\.')));
			assert.deepEqual(assertOk(await api.get(`${chat}/campaigns/${id}`), 200)
				.campaign.message_template, { text: 'x' });
		});
	}
	test('the position is that of the mistake', async () => {
		assertError(await api.post('/campaigns', { sender_id: 'ann', user_ids: ['bob'],
			message_template: { text: 'line one\nHello {{ receiver.name|uper }}' } }), 400, 4,
		/line 2.*uper/);
	});
	test('100,000 tags and deep nesting are answered', async () => {
		for (const text of ['{{ receiver.name }}'.repeat(100000), '{% if receiver.vip %}'.repeat(20000),
			'{{ '.repeat(10000), `{{ ${'('.repeat(50000)} }}`]) {
			const answer = await api.post('/campaigns', { sender_id: 'ann', user_ids: ['bob'],
				message_template: { text } });
			assert.ok([201, 400, 413].includes(answer.status), answer.text.slice(0, 200));
		}
	});
});

test('what renders too large fails that recipient only', async () => {
	await makeUsers(api, [{ id: 'huge', bulk: 'x'.repeat(4000) }, { id: 'tiny', bulk: 'x' }]);
	const { stats } = await send(api, { sender_id: 'ann', user_ids: ['huge', 'tiny'],
		message_template: { text: '{{ receiver.bulk }}'.repeat(6) }, create_channels: true,
		channel_template: { type: 'messaging', id: 'size-{{ receiver.id }}' } });
	assert.equal(stats.stats_messages_sent, 1);
	assert.deepEqual(stats.skipped, {});
	assert.equal(stats.failed.rendered_too_large ?? stats.failed.message_too_long, 1);
	assert.ok(!(await channelsByCid(api, ['messaging:size-huge'])).has('messaging:size-huge'));
});
