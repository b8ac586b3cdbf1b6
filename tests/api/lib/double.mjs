/* double – a stand-in for Google and Apple on loopback, over real HTTP/2 and TLS: the token server of
 * a service account, FCM v1 and APNs.  It checks each request as they would, and keeps what it took. */
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http2 from 'node:http2';
import os from 'node:os';
import path from 'node:path';

import { until } from './wait.mjs';

const decode = (part) => JSON.parse(Buffer.from(part, 'base64url'));

/* {header, claims} of a token; throws unless the key signed it. */
function verify(token, key, hash) {
	const [header, claims, signature] = token.split('.');
	const ok = crypto.verify(hash, Buffer.from(`${header}.${claims}`),
		{ key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
	if (!ok)
		throw new Error('bad signature');
	return { header: decode(header), claims: decode(claims) };
}

export class Double {
	constructor() {
		this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'fanfare-double-'));
		this.ca = path.join(this.dir, 'cert.pem');
		this.rsa = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
		this.ec = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
		this.taken = []; /* notifications, in the order of arrival */
		this.tokens = 0; /* that were given out */
		this.sessions = 0;
		this.refused = []; /* what was wrong with requests */
		this.bearer = null;
		/* (request) => {status, body, headers} or nothing: the answer to it. */
		this.answer = () => undefined;
		this.answerToken = () => undefined;
	}

	static async open() {
		const d = new Double();
		const key = path.join(d.dir, 'key.pem');
		execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
			'-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext',
			'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', key, '-out', d.ca], { stdio: 'ignore' });
		/* A client's certificate, in the file that Apple's tools export. */
		execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2',
			'-subj', '/CN=Apple Push Services', '-keyout', path.join(d.dir, 'ck.pem'),
			'-out', path.join(d.dir, 'cc.pem')], { stdio: 'ignore' });
		execFileSync('openssl', ['pkcs12', '-export', '-passout', 'pass:', '-inkey', path.join(d.dir, 'ck.pem'),
			'-in', path.join(d.dir, 'cc.pem'), '-out', path.join(d.dir, 'c.p12')], { stdio: 'ignore' });
		d.p12 = fs.readFileSync(path.join(d.dir, 'c.p12')).toString('base64');
		d.tls = { key: fs.readFileSync(key), cert: fs.readFileSync(d.ca) };
		d.server = http2.createSecureServer({ ...d.tls,
			allowHTTP1: true, requestCert: true, rejectUnauthorized: false });
		d.live = new Set();
		d.server.on('session', (s) => {
			d.sessions++;
			d.live.add(s);
			s.on('close', () => d.live.delete(s));
		});
		d.server.on('request', (req, res) => d.take(req, res));
		await new Promise((resolve) => d.server.listen(0, '127.0.0.1', resolve));
		d.url = `https://localhost:${d.server.address().port}`;
		return d;
	}

	/* The credentials that a provider of ours gets. */
	account(more = {}) {
		return JSON.stringify({ type: 'service_account', project_id: 'proj', private_key_id: 'kid-1',
			client_email: 'push@proj.iam.test', token_uri: `${this.url}/token`,
			private_key: this.rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }), ...more });
	}
	firebase(name, more = {}) {
		return { name, type: 'firebase', firebase_credentials: this.account(), firebase_host: this.url, ...more };
	}
	apn(name, more = {}) {
		return { name, type: 'apn', apn_auth_type: 'token', apn_key_id: 'KEY1', apn_team_id: 'TEAM1',
			apn_topic: 'org.example.app', apn_host: this.url,
			apn_auth_key: this.ec.privateKey.export({ type: 'pkcs8', format: 'pem' }), ...more };
	}

	take(req, res) {
		const parts = [];
		req.on('data', (part) => parts.push(part));
		req.on('end', () => {
			const body = Buffer.concat(parts).toString();
			let answer;
			try {
				answer = req.url === '/token' ? this.takeToken(req, body) : this.takePush(req, body);
			} catch (error) {
				this.refused.push(`${req.url}: ${error.message}`);
				answer = { status: 400, body: { error: error.message } };
			}
			const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {});
			res.writeHead(answer.status ?? 200, answer.headers ?? {});
			res.end(text);
		});
	}

	takeToken(req, body) {
		const form = new URLSearchParams(body);
		const { header, claims } = verify(form.get('assertion'), this.rsa.publicKey, 'sha256');

		if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer')
			throw new Error('grant_type');
		if (header.alg !== 'RS256' || header.kid !== 'kid-1' || claims.iss !== 'push@proj.iam.test' ||
			claims.aud !== `${this.url}/token` ||
			claims.scope !== 'https://www.googleapis.com/auth/firebase.messaging' ||
			Math.abs(claims.iat - Date.now() / 1000) > 60 || claims.exp !== claims.iat + 3600)
			throw new Error(`claims ${JSON.stringify(claims)}`);
		const said = this.answerToken();
		if (said)
			return said;
		this.bearer = `ya29.${++this.tokens}`;
		return { body: { access_token: this.bearer, expires_in: 3599, token_type: 'Bearer' } };
	}

	takePush(req, text) {
		const body = JSON.parse(text);
		const push = { path: req.url, headers: req.headers, body, http: req.httpVersion,
			cert: req.socket.getPeerCertificate?.()?.subject?.CN ??
				req.stream?.session?.socket?.getPeerCertificate?.()?.subject?.CN };

		if (req.httpVersion !== '2.0' || req.method !== 'POST' || Buffer.byteLength(text) > 4096 ||
			req.headers['content-type'] !== 'application/json')
			throw new Error(`${req.httpVersion} ${req.method} ${text.length}`);
		if (req.url === '/v1/projects/proj/messages:send') {
			push.device = body.message.token;
			for (const value of Object.values(body.message.data))
				if (typeof value !== 'string')
					throw new Error('data holds more than texts');
			if (req.headers.authorization !== `Bearer ${this.bearer}`)
				return { status: 401, body: { error: { code: 401, status: 'UNAUTHENTICATED' } } };
		} else if (req.url.startsWith('/3/device/')) {
			push.device = decodeURIComponent(req.url.slice('/3/device/'.length));
			if (!push.cert) {
				const { header, claims } = verify(req.headers.authorization.replace(/^bearer /, ''),
					this.ec.publicKey, 'sha256');
				if (header.alg !== 'ES256' || header.kid !== 'KEY1' || claims.iss !== 'TEAM1' ||
					Math.abs(claims.iat - Date.now() / 1000) > 3600)
					throw new Error(`claims ${JSON.stringify(claims)}`);
			}
			if (req.headers['apns-topic'] !== 'org.example.app' ||
				req.headers['apns-push-type'] !== 'alert' || req.headers['apns-priority'] !== '10' ||
				!/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(req.headers['apns-id']))
				throw new Error(`headers ${JSON.stringify(req.headers)}`);
		} else {
			throw new Error('no such path');
		}
		push.answer = this.answer(push) ?? { body: { name: 'projects/proj/messages/1' } };
		this.taken.push(push);
		return push.answer;
	}

	/* Notifications for a device that were taken well. */
	for(device) {
		return this.taken.filter((p) => p.device === device && (p.answer.status ?? 200) === 200);
	}
	async wait(device, n = 1) {
		return until(`${n} notifications for ${device} (refused: ${this.refused.join('; ')})`, () => {
			const list = this.for(device);
			return list.length >= n ? list : null;
		});
	}

	async close() {
		for (const session of this.live)
			session.destroy();
		await new Promise((resolve) => this.server.close(resolve));
		fs.rmSync(this.dir, { recursive: true });
	}
}
