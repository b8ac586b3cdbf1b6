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

	test('parameters of paths are declared', () => {
		for (const { path, operation } of operations()) {
			const inPath = [...path.matchAll(/{([^}]+)}/g)].map(([, name]) => name);
			assert.deepEqual(operation.parameters.filter((p) => p.in === 'path').map((p) => p.name), inPath);
		}
	});
});
