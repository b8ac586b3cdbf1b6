/* clients – the stock SDKs pointed at a server, and raw requests for what they cannot send. */
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';

import { StreamClient } from '@stream-io/node-sdk';
import { StreamChat } from 'stream-chat';

import { assertDescribed } from './description.mjs';

/* The SDKs give up after 3 s; a machine that runs everything at once may need longer. */
const TIMEOUT = 20000;

/* The v1 dialect: npm stream-chat, server side. */
export function jsClient(server) {
	return new StreamChat(server.key, server.secret, { baseURL: server.url, timeout: TIMEOUT });
}

/* The v2 dialect: npm @stream-io/node-sdk. */
export function nodeClient(server) {
	return new StreamClient(server.key, server.secret, { basePath: server.url, timeout: TIMEOUT });
}

/* ---- tokens -------------------------------------------------------------------------- */

export const b64url = (data) => Buffer.from(data).toString('base64url');

/* A JWT of any claims and header; ${sign} may replace the HS256 signature. */
export function jwt(claims, secret, { header = { alg: 'HS256', typ: 'JWT' }, sign } = {}) {
	const text = (part) => (typeof part === 'string' ? part : JSON.stringify(part));
	const head = `${b64url(text(header))}.${b64url(text(claims))}`;
	const signature = sign ? sign(head)
		: crypto.createHmac('sha256', secret).update(head).digest('base64url');
	return `${head}.${signature}`;
}

export const serverToken = (server) => jwt({ server: true }, server.secret);
export const userToken = (server, id) => jwt({ user_id: id }, server.secret);

/* ---- raw requests -------------------------------------------------------------------- */

const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });

const TIME_FIELDS = '(?:created|updated|deleted|deactivated|archived|pinned|read|stop|started|' +
	'completed|stats_started|stats_completed|last_message|truncated)_at|scheduled_for|' +
	'last_read|last_active|hide_messages_before|revoke_tokens_issued_before|resets_at';
const EVERY_TIME = new RegExp(`"(${TIME_FIELDS})":("[^"]*"|[^",}\\]]+)`, 'g');
const RFC3339 = /^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z"$/;
const NANOSECONDS = /^[1-9]\d{15,18}$/;

/* api.md §0.4: v1 has RFC 3339 texts, v2 plain integers of nanoseconds, anywhere. */
function checkTimes(path, text) {
	const form = path.startsWith('/api/v2/') ? NANOSECONDS : RFC3339;
	for (const [, field, value] of text.matchAll(EVERY_TIME))
		if (value !== 'null' && !value.startsWith('{')) /* '{': a filter that is echoed */
			assert.match(value, form, `${field} in the answer of ${path}`);
}

/* Sends one request: body is JSON-encoded, raw is sent as it is.  The answer is
 * {status, headers, text, body}; what every answer must have is checked right here.
 *   token  undefined = the server's own, null = no Authorization
 *   key    undefined = the server's own, null = no api_key */
export async function call(server, method, path, options = {}) {
	const { body, raw, query = {}, headers = {}, token, key, check = true } = options;
	const url = new URL(server.url);
	const params = new URLSearchParams(query);
	const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
	const head = { 'stream-auth-type': 'jwt', ...headers };

	if (key !== null)
		params.set('api_key', key ?? server.key);
	if (token !== null)
		head.Authorization = token ?? serverToken(server);
	if (payload !== undefined && !head['Content-Type'])
		head['Content-Type'] = 'application/json';
	if (payload !== undefined)
		head['Content-Length'] = Buffer.byteLength(payload);
	const answer = await new Promise((resolve, reject) => {
		const req = http.request({ agent, host: url.hostname, port: url.port, method,
			path: `${path}?${params}`, headers: head, timeout: TIMEOUT });
		req.on('timeout', () => req.destroy(new Error(`${method} ${path}: no answer`)));
		/* A crash closes its connections before its end is known: look again a little later. */
		req.on('error', (error) => setTimeout(() =>
			reject(server.death ? new Error(server.death, { cause: error }) : error), 50));
		req.on('response', (res) => {
			const chunks = [];
			res.on('data', (chunk) => chunks.push(chunk));
			res.on('error', reject);
			res.on('end', () => resolve({ status: res.statusCode, headers: res.headers,
				text: Buffer.concat(chunks).toString('utf8') }));
		});
		req.end(payload);
	});
	if (check) {
		checkAnswer(method, path, answer);
		await assertDescribed(server, method, path, answer);
	}
	return answer;
}

/* JSON.parse keeps the last of two equal keys; other clients keep the first or give up.  One
 * token a turn: a text (a key when ':' follows) or a bracket; the rest does not matter. */
export function assertUniqueKeys(text, where) {
	const open = [];
	for (const [token, string, colon] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*(:?)|[{}[\]]/g)) {
		if (token === '{' || token === '[') {
			open.push(new Set());
		} else if (token === '}' || token === ']') {
			open.pop();
		} else if (colon) {
			const key = JSON.parse(string);
			assert.ok(!open.at(-1).has(key), `"${key}" twice in one object: ${where}`);
			open.at(-1).add(key);
		}
	}
}

const DURATION = /^\d+(\.\d+)?(ns|µs|us|ms|s)$/;

/* api.md §2 and §8: JSON always, a duration always, the error body for every status ≥ 400. */
export function checkAnswer(method, path, answer) {
	const where = `${method} ${path} → ${answer.status}: ${answer.text.slice(0, 300)}`;

	assert.match(answer.headers['content-type'] ?? '', /^application\/json/, where);
	answer.body = JSON.parse(answer.text);
	assert.match(answer.body.duration ?? '', DURATION, `duration: ${where}`);
	checkTimes(path, answer.text);
	assertUniqueKeys(answer.text, where);
	if (answer.status < 400)
		return;
	assert.equal(answer.body.StatusCode, answer.status, where);
	assert.equal(typeof answer.body.code, 'number', where);
	assert.equal(typeof answer.body.message, 'string', where);
	assert.notEqual(answer.body.message, '', where);
	assert.equal(typeof answer.body.more_info, 'string', where);
	assert.ok(Array.isArray(answer.body.details), where);
	/* Clients read these words as "feature switched off" (api.md §8). */
	assert.doesNotMatch(answer.body.message, /not enabled|not available/i, where);
	assert.ok(answer.status < 500, where); /* I-28 */
}

/* A raw caller bound to a server: api.post('/campaigns', {…}), api.get(…) … */
export function rawClient(server, defaults = {}) {
	const bound = (method) => (path, body, options) =>
		call(server, method, path, { ...defaults, ...options, body });
	const bodyless = (method) => (path, query, options) =>
		call(server, method, path, { ...defaults, ...options, query });

	return { post: bound('POST'), put: bound('PUT'), patch: bound('PATCH'),
		get: bodyless('GET'), del: bodyless('DELETE') };
}

/* The two dialects by what differs on the wire. */
export const DIALECTS = [
	{ name: 'v1', chat: '', common: '' },
	{ name: 'v2', chat: '/api/v2/chat', common: '/api/v2' },
];

/* ---- assertions ---------------------------------------------------------------------- */

/* A raw answer that is an error of this status and code. */
export function assertError(answer, status, code, message) {
	assert.deepEqual([answer.status, answer.body.code], [status, code],
		`${answer.status} ${answer.text.slice(0, 400)}`);
	if (message !== undefined)
		assert.match(answer.body.message, message);
}

export function assertOk(answer, status) {
	assert.equal(answer.status, status, answer.text.slice(0, 400));
	return answer.body;
}

/* An SDK call that must be refused; both SDKs give the code and a message. */
export function refused(promise, code, message) {
	return assert.rejects(promise, (error) => {
		assert.equal(error.code, code, `${error}`);
		if (message !== undefined)
			assert.match(error.message, message);
		return true;
	});
}

/* Asks once per body; every answer that is not 400 code 4 (or whose message does not match)
 * is told at the end, all together. */
export async function assertAllRefused(bodies, ask, message = /./) {
	const wrong = [];
	for (const body of bodies) {
		const answer = await ask(body);
		if (answer.status !== 400 || answer.body.code !== 4 || !message.test(answer.body.message))
			wrong.push(`${(JSON.stringify(body) ?? 'absent').slice(0, 80)} → ` +
				answer.text.slice(0, 200));
	}
	assert.deepEqual(wrong, []);
}
