const { NodeApiError, NodeOperationError, sleep } = require('n8n-workflow');

const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);
const LONGEST_PAUSE = 15; // seconds between two tries

/** What reportq (or the way to it) said no with: `detail` is the message, `next_step` the description. */
class Refusal extends Error {
	constructor({ message, next_step, code, status, errors, retryAfter }) {
		super(message);
		Object.assign(this, { next_step, code, status, errors: errors ?? {}, retryAfter });
		this.passing = status === undefined || PASSING.has(status);
	}
}

/** The JSON object in a text or in bytes; null when there is none. */
function objectOf(text) {
	try {
		const value = JSON.parse(text.toString());
		return typeof value === 'object' ? value : null;
	} catch {
		return null;
	}
}

function refusalOf(answer) {
	const { body: given } = answer;
	const body = Buffer.isBuffer(given) || given instanceof ArrayBuffer ? objectOf(Buffer.from(given)) : given;
	return new Refusal({
		message: body?.detail ?? `The address answered ${answer.statusCode} and no sentence of reportq.`,
		next_step: body?.next_step ?? 'Check the address in the credential, and what stands between n8n and reportq.',
		code: body?.code, errors: body?.errors, status: answer.statusCode,
		retryAfter: Number(answer.headers?.['retry-after']) || undefined,
	});
}

/**
 * One request; a Refusal unless it succeeds. What passes by itself is tried again for `patience` seconds, and
 * Retry-After is kept to. A wrong key or a body that does not fit is refused at once.
 */
async function ask(ctx, method, path, { body, headers, file = false, patience = 120 } = {}) {
	const { url } = await ctx.getCredentials('reportqApi');
	const base = String(url).replace(/\/+$/, '');
	const until = Date.now() + patience * 1000;
	for (let pause = 1; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
		let refusal;
		try {
			const answer = await ctx.helpers.httpRequestWithAuthentication.call(ctx, 'reportqApi', {
				method, url: base + path, headers: { Accept: file ? '*/*' : 'application/json', ...headers },
				...(body === undefined ? {} : { body }),
				...(file ? { encoding: 'arraybuffer' } : { json: true }),
				returnFullResponse: true, ignoreHttpStatusErrors: true, timeout: 60_000,
			});
			if (answer.statusCode < 300 && (file || typeof answer.body === 'object')) return answer;
			refusal = refusalOf(answer);
		} catch (error) {
			const why = error.code ?? error.cause?.code ?? error.message;
			const next_step = 'Check the address in the credential, and that reportq runs. What was accepted before goes on.';
			refusal = new Refusal({ message: `reportq did not answer at ${base}: ${why}.`, next_step, code: 'unreachable' });
		}
		const seconds = Math.min(refusal.retryAfter ?? pause, LONGEST_PAUSE);
		const late = Date.now() + seconds * 1000 > until;
		if (!refusal.passing || late || ctx.getExecutionCancelSignal?.()?.aborted) throw refusal;
		await sleep(seconds * 1000);
	}
}

/** The JSON of an answer. */
const asked = async (...question) => (await ask(...question)).body;

/** A Refusal as n8n shows errors. */
function shown(ctx, refusal, itemIndex) {
	if (refusal instanceof NodeOperationError || refusal instanceof NodeApiError) return refusal;
	const { message, next_step: description, status } = refusal;
	const httpCode = status === undefined ? undefined : String(status);
	const error = new NodeApiError(ctx.getNode(), { message }, { message, description, httpCode, itemIndex });
	error.message = message; // n8n puts a sentence of its own in place of what names ECONNREFUSED and the like
	return error;
}

module.exports = { Refusal, ask, asked, objectOf, shown };
