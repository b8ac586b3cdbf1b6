/* server – one fanfare process on a free loopback port, with a store of its own. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { seconds } from './wait.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));

export const BIN = path.resolve(process.env.FANFARE_BIN ??
	path.join(HERE, '../../../build/fanfare'));
export const KEY = 'api-suite-key';
export const SECRET = 'api-suite-secret-0123456789-abcdefghijkl';

/* What a process of ours may inherit: enough to run, nothing that configures it. */
const INHERITED = /^(PATH|HOME|TMPDIR|LANG|LD_LIBRARY_PATH|[A-Z]+SAN_OPTIONS|LLVM_.*)$/;

const living = new Set();
process.on('exit', () => {
	for (const child of living)
		child.kill('SIGKILL');
});

/* With FANFARE_TEST_PG (the URL of a server's database "postgres") each Server gets a database
 * there instead of a SQLite file: a copy of FANFARE_TEST_PG_TEMPLATE, if that is given. */
const PG = process.env.FANFARE_TEST_PG;
export const ON_PG = Boolean(PG);
/* For a server that comes back where it was: a port below those that the kernel gives to whoever
 * connects, or a client of another test may have it meanwhile. */
export const STAYING = `127.0.0.1:${10000 + process.pid % 20000}`;
let databases = 0;

function psql(sql) {
	execFileSync('psql', ['-X', '-q', '-d', PG, '-c', sql], { stdio: ['ignore', 'ignore', 'inherit'] });
}

function makeDatabase(template = 'template0') {
	const name = `api_${process.pid}_${++databases}`;
	psql(`CREATE DATABASE ${name} TEMPLATE ${template}`);
	return { name, url: PG.replace(/[^/]*$/, name) };
}

export function tempDir() {
	return fs.mkdtempSync(path.join(os.tmpdir(), 'fanfare-api-'));
}

function environment(extra) {
	const env = {};
	for (const [name, value] of Object.entries(process.env))
		if (INHERITED.test(name))
			env[name] = value;
	for (const [name, value] of Object.entries(extra))
		if (value !== undefined)
			env[name] = String(value);
	return env;
}

function launch(args, env, cwd) {
	const child = spawn(BIN, args, { cwd, env: environment(env), stdio: ['pipe', 'pipe', 'pipe'] });
	const out = { child, stdout: '', stderr: '' };

	living.add(child);
	child.stdout.setEncoding('utf8').on('data', (text) => (out.stdout += text));
	child.stderr.setEncoding('utf8').on('data', (text) => (out.stderr += text));
	child.stdin.on('error', () => {}); /* a program may end without reading its input */
	out.exited = new Promise((resolve, reject) => {
		child.on('error', reject);
		/* 'close' comes after the last output, 'exit' may come before it. */
		child.on('close', (code, signal) => {
			living.delete(child);
			resolve({ code, signal });
		});
	});
	return out;
}

function within(promise, ms, what) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/* Runs a command to its end: {code, signal, stdout, stderr}. */
export async function run(args, { env = {}, input = '', cwd = os.tmpdir() } = {}) {
	const job = launch(args, env, cwd);

	job.child.stdin.end(input);
	try {
		const end = await within(job.exited, seconds(60), `fanfare ${args.join(' ')}`);
		return { ...end, stdout: job.stdout, stderr: job.stderr };
	} finally {
		job.child.kill('SIGKILL');
	}
}

export class Server {
	/* ${beside}: another server, whose store this one shares; ${empty}: a store without schema. */
	constructor({ env = {}, args = [], dir = tempDir(), beside, empty = false } = {}) {
		this.dir = dir;
		this.args = args;
		this.file = path.join(dir, 'fanfare.db');
		if (beside)
			env = { FANFARE_STORE: beside.env.FANFARE_STORE, ...env };
		if (ON_PG && !('FANFARE_STORE' in env))
			this.database = makeDatabase(empty ? undefined : process.env.FANFARE_TEST_PG_TEMPLATE);
		this.env = {
			FANFARE_LISTEN: '127.0.0.1:0',
			FANFARE_STORE: this.database?.url ?? `sqlite:${this.file}`,
			FANFARE_API_KEY: KEY,
			FANFARE_API_SECRET: SECRET,
			FANFARE_WEBHOOK_ALLOW: '127.0.0.0/8',
			...env,
		};
		this.key = this.env.FANFARE_API_KEY;
		this.secret = this.env.FANFARE_API_SECRET;
	}

	/* A server that is up. */
	static async start(options) {
		const server = new Server(options);
		await server.start();
		return server;
	}

	async start() {
		assert.ok(!this.job, 'already running');
		const job = launch(['serve', ...this.args], this.env, this.dir);
		job.child.stdin.end();
		this.job = job;

		const listening = new Promise((resolve) => {
			const look = () => {
				const found = /^listening on (http:\/\/\S+:(\d+))\s*$/m.exec(job.stdout);
				if (found)
					resolve(found);
			};
			job.child.stdout.on('data', look);
		});
		const died = job.exited.then(({ code, signal }) => {
			throw new Error(`fanfare serve ended before it listened ` +
				`(code ${code}, signal ${signal}): ${job.stderr}`);
		});
		died.catch(() => {});
		try {
			const [, url, port] = await within(Promise.race([listening, died]), seconds(30),
				'fanfare serve: "listening on …"');
			this.url = url;
			this.port = Number(port);
		} catch (error) {
			job.child.kill('SIGKILL');
			this.job = undefined;
			throw error;
		}
	}

	/* Why no answer may come any more: undefined while the process lives or was ended here. */
	get death() {
		const { exitCode: code, signalCode: signal } = this.job?.child ?? {};
		if ((code ?? signal ?? null) === null)
			return undefined;
		return `the server has died (code ${code}, signal ${signal}): ${this.job.stderr}`;
	}

	get pid() {
		return this.job.child.pid;
	}

	get stdout() {
		return this.job.stdout;
	}

	get stderr() {
		return this.job.stderr;
	}

	/* SIGTERM to this process; it must drain and exit 0. */
	async stop() {
		const job = this.job;
		if (!job)
			return;
		this.job = undefined;
		job.child.kill('SIGTERM');
		try {
			const end = await within(job.exited, seconds(30), 'exit after SIGTERM');
			assert.deepEqual(end, { code: 0, signal: null }, `stderr: ${job.stderr}`);
		} finally {
			job.child.kill('SIGKILL');
		}
	}

	/* One statement by the store's own shell; returns what it prints. */
	sql(text) {
		const [program, args] = this.database
			? ['psql', ['-X', '-q', '-A', '-t', '-d', this.database.url, '-c', text]]
			: ['sqlite3', [this.file, text]];
		return execFileSync(program, args, { encoding: 'utf8' }).trim();
	}

	/* SIGKILL, as a power cut would. */
	async kill() {
		const job = this.job;
		this.job = undefined;
		job.child.kill('SIGKILL');
		await within(job.exited, seconds(10), 'exit after SIGKILL');
	}

	/* Another process on the same store (and another port). */
	async restart(how = 'stop') {
		await this[how]();
		await this.start();
	}

	/* Ends the process and forgets its files. */
	async close() {
		try {
			await this.stop();
		} finally {
			fs.rmSync(this.dir, { recursive: true, force: true });
			if (this.database)
				psql(`DROP DATABASE IF EXISTS ${this.database.name} WITH (FORCE)`);
		}
	}
}
