/* house – a server with two users and a channel of theirs, whose hooks lead to sinks of the test. */
import { assertOk, jsClient, rawClient } from './clients.mjs';
import { sayIn, startServer } from './fixtures.mjs';
import { hookTo } from './receiver.mjs';
import { Sink } from './sink.mjs';

/* A hook for messages, as PATCH /app takes it. */
export const hook = (url, more = {}) => hookTo(url, { product: 'chat', event_types: ['message.new'], ...more });

/* Its functions may be taken out of it. */
export class House {
	closing = [];

	start = async (env) => {
		Object.assign(this, await startServer(['ann', 'bob'], { env }));
		await this.js.channel('messaging', 'm', { members: ['ann', 'bob'], created_by_id: 'ann' }).create();
		return this;
	};

	/* The clients of a server that was started again. */
	renew = () => Object.assign(this, { js: jsClient(this.server), api: rawClient(this.server) });

	close = async () => {
		await Promise.all(this.closing.map((close) => close()));
		await this.server.close();
	};

	/* See Sink.open(). */
	open = async (answer) => {
		const sink = await Sink.open(answer);
		this.closing.push(() => sink.close());
		return sink;
	};

	/* These hooks and no others. */
	use = (...hooks) => this.js.updateAppSettings({ event_hooks: hooks });
	say = (text) => sayIn(this.js, text);
	routes = async () => assertOk(await this.api.get('/routes'), 200).routes;
	/* The first, where there is one hook. */
	route = async () => (await this.routes())[0];
}
