/* browser – a receiver's app in a real browser: the browser bundle of stream-chat on a small page of
 * another origin, in Chromium.  What it looked like is kept in build/browser.png. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { userToken } from './lib/clients.mjs';
import { getCampaign, ids, makeUsers, send, startServer } from './lib/fixtures.mjs';
import { STAYING } from './lib/server.mjs';
import { seconds, until } from './lib/wait.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const PICTURE = path.join(HERE, '../../build/browser.png');
const CHROMIUM = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser']
	.find((file) => file && fs.existsSync(file));

/* It wants a newer Node than the rest. */
const playwright = await import('playwright-core').catch(() => undefined);
const lacking = (!CHROMIUM && 'Chromium is not installed') ||
	(!playwright && 'playwright-core wants a newer Node');

/* A module of before ES modules, in the clothes of one. */
const wrap = (code) => `const module = { exports: {} }, exports = module.exports;
((module, exports) => {${code}\n})(module, exports);
export default module.exports;
export const fromByteArray = module.exports.fromByteArray;`;

function page(request, response) {
	const { pathname } = new URL(request.url, 'http://x');
	const [, kind, ...rest] = pathname.split('/');
	const file = kind === 'modules' || kind === 'commonjs'
		? path.join(HERE, 'node_modules', ...rest) : path.join(HERE, 'browser/index.html');
	const isModule = file.endsWith('js');

	if (pathname === '/favicon.ico')
		return response.writeHead(204).end();
	if (!fs.existsSync(file))
		return response.writeHead(404).end();
	const text = fs.readFileSync(file, 'utf8');
	response.writeHead(200, { 'Content-Type': isModule ? 'text/javascript' : 'text/html; charset=utf-8' });
	return response.end(kind === 'commonjs' ? wrap(text) : text);
}

describe('in a browser', { skip: lacking }, () => {
	const people = ids('web', 50);
	const wrong = [];
	let server, api, js, pages, browser, tab;

	before(async () => {
		pages = http.createServer(page);
		await new Promise((resolve) => pages.listen(0, '127.0.0.1', resolve));
		const origin = `http://127.0.0.1:${pages.address().port}`;
		({ server, api, js } = await startServer([{ id: 'news', name: 'The News' }],
			{ env: { FANFARE_LISTEN: STAYING, FANFARE_ORIGINS: origin } }));
		await makeUsers(api, people);
		browser = await playwright.chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
		tab = await browser.newPage({ viewport: { width: 720, height: 480 } });
		tab.setDefaultTimeout(seconds(30));
		tab.on('pageerror', (error) => wrong.push(String(error)));
		tab.on('console', (line) => line.type() === 'error' && wrong.push(line.text()));
		await tab.goto(`${origin}/?${new URLSearchParams({ key: server.key, base: server.url,
			user: people[7], token: userToken(server, people[7]) })}`);
		await tab.waitForSelector('body[data-ready=yes]').catch((error) => {
			throw new Error(`${error.message}\n${wrong.join('\n')}`);
		});
	});
	after(async () => {
		await browser?.close();
		pages?.close();
		await server?.close();
	});

	const texts = () => tab.$$eval('#messages li', (items) => items.map((item) => item.firstChild.data));
	const campaign = (text) => send(api, { sender_id: 'news', user_ids: people, create_channels: true,
		channel_template: { type: 'messaging', id: '{{receiver.id}}-{{sender.id}}' },
		message_template: { text } });
	let first;

	test('a campaign arrives while it looks', async () => {
		first = await campaign('Hello {{receiver.id}}, it works');
		await tab.waitForSelector('#messages li');
		assert.deepEqual(await texts(), [`Hello ${people[7]}, it works`]);
		await until('it is counted', async () => await tab.textContent('#unread') === '1');
	});
	test('it is read, and the stats follow', async () => {
		/* The page asked for its channels when it was added to one. */
		await tab.click('#read');
		await until('users_read is 1', async () => {
			await tab.click('#read');
			return (await getCampaign(api, first.id)).stats.stats_users_read === 1;
		});
		await until('nothing is unread', async () => await tab.textContent('#unread') === '0');
	});
	test('the next arrives in the channel that it watches', async () => {
		await campaign('And again');
		await tab.waitForSelector('#messages li:nth-child(2)');
		assert.deepEqual(await texts(), [`Hello ${people[7]}, it works`, 'And again']);
		assert.equal(await tab.getAttribute('#messages li:nth-child(2)', 'data-how'), 'message.new');
		fs.mkdirSync(path.dirname(PICTURE), { recursive: true });
		await tab.screenshot({ path: PICTURE });
		assert.ok(fs.statSync(PICTURE).size > 5000);
	});
	test('a server that comes back finds it again', async () => {
		await server.restart('kill');
		await js.channel('messaging', `${people[7]}-news`).sendMessage({ text: 'Meanwhile', user_id: 'news' });
		await campaign('Third');
		await until('it shows what it missed', async () =>
			(await texts()).slice(2).join() === 'Meanwhile,Third', { within: seconds(60) });
	});
	test('without a complaint', () => {
		/* While the server was away, the browser says so. */
		assert.deepEqual(wrong.filter((text) => !/ERR_CONNECTION_REFUSED|WebSocket connection/.test(text)), []);
	});
});
