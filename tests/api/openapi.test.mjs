/* openapi – the description of everything served is complete and well-formed. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Server } from './lib/server.mjs';

let server, doc;
before(async () => {
	server = await Server.start();
	const answer = await fetch(`${server.url}/openapi.json`);
	assert.equal(answer.status, 200);
	assert.match(answer.headers.get('content-type'), /^application\/json/);
	doc = await answer.json();
});
after(() => server.close());

const operations = () => Object.entries(doc.paths).flatMap(([path, item]) =>
	Object.entries(item).map(([method, operation]) => ({ path, method, operation })));

describe('openapi', () => {
	test('both dialects of every path', () => {
		assert.ok(doc.paths['/campaigns/{id}'].get);
		assert.ok(doc.paths['/api/v2/chat/campaigns/{id}'].get);
		assert.ok(doc.paths['/api/v2/users'].post);
		assert.ok(!doc.paths['/api/v2/healthz']);
		assert.equal(doc.paths['/healthz'].get['x-fanfare-addition'], true);
		assert.ok(operations().length > 60);
	});

	test('operation ids are unique, references lead somewhere', () => {
		const ids = operations().map(({ operation }) => operation.operationId);
		assert.equal(new Set(ids).size, ids.length);
		const refs = [...JSON.stringify(doc).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)];
		assert.ok(refs.length > 0);
		for (const [, name] of refs)
			assert.ok(doc.components.schemas[name], name);
	});

	/* What a schema says, through all references. */
	const resolve = (schema) => {
		let found = schema;
		while (found?.$ref)
			found = doc.components.schemas[found.$ref.split('/').at(-1)];
		return found;
	};
	const says = (schema) => {
		const found = resolve(schema);
		return Boolean(found && (found.properties || found.additionalProperties || (found.allOf ?? []).some(says)));
	};

	test('every operation says what it takes and what it answers', () => {
		const silent = [];
		for (const { path, method, operation } of operations()) {
			const answer = Object.entries(operation.responses).find(([status]) => status.startsWith('2'))[1];
			/* A text for Prometheus is described by its format. */
			if (!answer.content['text/plain'] && !says(answer.content['application/json'].schema))
				silent.push(`${method} ${path}: its answer`);
			if (!['post', 'put', 'patch'].includes(method))
				continue;
			const body = operation.requestBody?.content ?? {};
			/* Lines of JSON are a text for the description. */
			if (!body['application/x-ndjson'] && !says(body['application/json']?.schema))
				silent.push(`${method} ${path}: its body`);
		}
		assert.deepEqual(silent, []);
	});

	test('what is answered, and with which status', () => {
		for (const { path, method, operation } of operations()) {
			const good = Object.keys(operation.responses).filter((status) => status !== 'default');
			assert.deepEqual(good, [method === 'post' || method === 'put' ? '201' : '200'], `${method} ${path}`);
			assert.ok(says(operation.responses.default.content['application/json'].schema));
		}
	});

	test('parameters of paths are declared', () => {
		for (const { path, operation } of operations()) {
			const inPath = [...path.matchAll(/{([^}]+)}/g)].map(([, name]) => name);
			assert.deepEqual(operation.parameters.filter((p) => p.in === 'path').map((p) => p.name), inPath);
		}
	});
});
