const { forgery, rawBody } = require('./signature');
const { endOf } = require('./batches');

/**
 * Put the execution to sleep until its parts are told to have ended, or until `date`. The node then runs again and
 * finds `pending` with `awaited()`.
 *
 * n8n wakes a sleeping node by passing its input on. So the entry that sleeps is emptied, and a second entry of the
 * same node stands behind it, with the input. It runs on a callback and on a time-out alike: the downloads happen in
 * a running execution, and not while reportq waits for an answer.
 */
async function sleepUntil(ctx, date, pending) {
	const entry = ctx.getExecuteData();
	ctx.runExecutionData.executionData.nodeExecutionStack.unshift({
		node: { ...entry.node, retryOnFail: false }, data: entry.data, source: entry.source,
		runIndex: ctx.evaluateExpression('{{ $runIndex }}', 0),
		metadata: { reportq: { ...pending, parts: pending.parts.map(({ id, items, jobs }) => ({ id, items, jobs })) } },
	});
	entry.data = { ...entry.data, main: [[]] };
	entry.node = { ...entry.node, alwaysOutputData: false };
	ctx.setMetadata({ reportqParts: pending.parts.map(({ id }) => id) });
	await ctx.putExecutionToWait(date);
}

/** What `sleepUntil` left for this run of the node; undefined in a run that has not slept. */
const awaited = (ctx) => ctx.getExecuteData().metadata?.reportq;

/** Whether this run can sleep: a tool of an AI agent cannot, and no n8n whose inside has changed. */
const canSleep = (ctx) =>
	!ctx.getNode().type.endsWith('Tool') &&
	typeof ctx.putExecutionToWait === 'function' &&
	Array.isArray(ctx.runExecutionData?.executionData?.nodeExecutionStack);

/**
 * Answer the callback of a batch. The execution goes on with the batch that ended last; the others are only taken:
 * of two that resumed one execution n8n would refuse the second.
 */
async function resume(ctx) {
	const answer = (status, message) => {
		ctx.getResponseObject().status(status).json({ message });
		return { noWebhookResponse: true };
	};
	const { webhookSecret } = await ctx.getCredentials('reportqApi');
	if (webhookSecret) {
		const headers = ctx.getHeaderData();
		const reason = forgery({ raw: await rawBody(ctx), headers, secrets: webhookSecret, tolerance: 300 });
		if (reason) return answer(401, reason);
	}
	const told = ctx.getBodyData().batch_id;
	const parts = ctx.runExecutionData.executionData.nodeExecutionStack[0].metadata?.reportqParts ?? [];
	if (!parts.includes(told)) return answer(200, 'This execution waits for another batch.');
	if (parts.length === 1) return { workflowData: [[]] };
	try {
		const ends = await Promise.all(parts.map((id) => endOf(ctx, { id }, 5)));
		const last = ends.lastIndexOf(Math.max(...ends));
		return parts[last] === told ? { workflowData: [[]] } : answer(200, 'Taken; another part ends later.');
	} catch (refusal) {
		return answer(503, refusal.message); // it is sent again
	}
}

module.exports = { sleepUntil, awaited, canSleep, resume };
