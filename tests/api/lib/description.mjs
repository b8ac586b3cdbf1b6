/* description – every answer that a test gets is held against GET /openapi.json. */
import assert from 'node:assert/strict';
import http from 'node:http';

import Ajv from 'ajv/dist/2020.js';

function fetchText(url) {
	return new Promise((resolve, reject) => {
		http.get(url, (res) => {
			const chunks = [];
			res.on('data', (chunk) => chunks.push(chunk));
			res.on('error', reject);
			res.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
		}).on('error', reject);
	});
}

/* "/campaigns/{id}" as an expression; literal parts first, as the server has it. */
function pathTest(path) {
	const parts = path.split('/').map((part) =>
		(part.startsWith('{') ? '[^/]+' : part.replace(/[.*+?^$()|[\]\\]/g, '\\$&')));
	return { test: new RegExp(`^${parts.join('/')}$`), vague: path.split('{').length };
}

async function load(url) {
	const doc = JSON.parse(await fetchText(`${url}/openapi.json`));
	const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
	const operations = Object.entries(doc.paths).flatMap(([path, item]) =>
		Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path,
			...pathTest(path), operation })));

	ajv.addSchema({ $id: 'doc', components: doc.components });
	operations.sort((a, b) => a.vague - b.vague);
	return { operations, ajv };
}

const resolved = (schema) =>
	JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"doc#/components/'));

/* One description a process: all servers of a test run are the same program. */
let description;

/* The status and the body are those that the description promises. */
export async function assertDescribed(server, method, path, answer) {
	description ??= load(server.url);
	const { operations, ajv } = await description;
	const found = operations.find((o) => o.method === method && o.test.test(path));
	if (!found)
		return; /* no such endpoint */
	const { responses, operationId } = found.operation;
	const response = responses[answer.status] ?? (answer.status >= 400 ? responses.default : undefined);
	assert.ok(response, `${operationId} answered ${answer.status}, which it does not describe`);
	found.checks ??= {};
	const check = found.checks[answer.status] ??=
		ajv.compile(resolved(response.content['application/json'].schema));
	if (!check(answer.body))
		assert.fail(`${operationId} ${answer.status}: ` + ajv.errorsText(check.errors) +
			`\n${answer.text.slice(0, 2000)}`);
}
