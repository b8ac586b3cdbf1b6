/* wait – conditions instead of sleeps: until() a thing is so, while() it must stay so. */

/* Machines under sanitizers or load may be slow: every deadline is multiplied by this. */
const SCALE = Number(process.env.FANFARE_TEST_SLOWNESS ?? 1);

export const seconds = (n) => n * 1000 * SCALE;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* Calls probe() until it gives something truthy, which is returned.  ${what} names the
 * condition in the error; the last value seen and the last exception are told, too. */
export async function until(what, probe, { within = seconds(20), every = 5 } = {}) {
	const deadline = Date.now() + within;
	let seen;
	let wait = every;

	for (;;) {
		seen = await probe();
		if (seen)
			return seen;
		if (Date.now() > deadline)
			throw new Error(`waited ${within} ms in vain until ${what}`);
		await pause(wait);
		wait = Math.min(wait * 1.5, 100);
	}
}

/* Calls probe() for ${during} ms; each call must pass.  For what must not happen. */
export async function holds(probe, { during = 400, every = 20 } = {}) {
	const deadline = Date.now() + during;

	while (Date.now() < deadline) {
		await probe();
		await pause(every);
	}
	await probe();
}
