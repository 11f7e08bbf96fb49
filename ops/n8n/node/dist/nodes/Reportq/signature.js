const { createHmac, timingSafeEqual } = require('crypto');

/** The keys of "whsec_… whsec_…": one secret, or two while they are changed. */
function keysOf(secrets) {
	return String(secrets ?? '')
		.split(/[\s,]+/)
		.filter(Boolean)
		.map((secret) => Buffer.from(secret.replace(/^whsec_/, ''), 'base64'));
}

/**
 * Why a callback is not to be believed, by Standard Webhooks, in words for its sender's operator; null when it is
 * genuine. `raw` is the body as it came, `tolerance` is in seconds.
 */
function forgery({ raw, headers, secrets, tolerance, now = Date.now() / 1000 }) {
	const keys = keysOf(secrets).filter((key) => key.length > 0);
	if (!keys.length) return 'The credential of this node holds no webhook secret: give it one of REPORTQ_WEBHOOK_SECRETS.';
	const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers;
	if (!id || !timestamp || !signatures) {
		return 'There is no signature: reportq signs once REPORTQ_WEBHOOK_SECRETS is set.';
	}
	if (!/^\d{1,12}$/.test(timestamp)) return 'The webhook-timestamp is no number of seconds.';
	const age = Math.round(now - Number(timestamp));
	if (Math.abs(age) > tolerance) {
		return `It was signed ${Math.abs(age)} seconds ${age > 0 ? 'ago' : 'from now'}: compare the clocks, or raise the tolerance.`;
	}
	const given = String(signatures).split(' ').slice(0, 20);
	const right = keys.some((key) => {
		const wanted = Buffer.from(`v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(raw).digest('base64')}`);
		return given.some((one) => {
			const found = Buffer.from(one);
			return found.length === wanted.length && timingSafeEqual(found, wanted);
		});
	});
	return right ? null : 'The signature fits no secret of the credential: compare it with REPORTQ_WEBHOOK_SECRETS.';
}

/** The exact bytes of the request that a webhook() handles. */
async function rawBody(ctx) {
	const request = ctx.getRequestObject();
	if (!request.rawBody) await request.readRawBody?.();
	return request.rawBody ?? Buffer.from(JSON.stringify(ctx.getBodyData()));
}

module.exports = { forgery, rawBody };
