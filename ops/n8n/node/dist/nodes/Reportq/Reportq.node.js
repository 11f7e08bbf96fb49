const { NodeConnectionTypes, NodeOperationError } = require('n8n-workflow');
const { asked, shown } = require('./api');
const { download, eachOf, results, submit, untilEnded } = require('./batches');
const { dataOf, fieldsOf, picked } = require('./fields');
const { awaited, canSleep, resume, sleepUntil } = require('./waiting');
const { hintsOf } = require('./hints');
const properties = require('./properties');

/** A parameter that holds JSON, given as text or by an expression as a value. */
function jsonOf(ctx, value, name, itemIndex) {
	if (typeof value !== 'string') return value;
	try {
		return value.trim() === '' ? undefined : JSON.parse(value);
	} catch (error) {
		const description = 'Write one JSON object, or an expression that gives one.';
		throw new NodeOperationError(ctx.getNode(), `${name} is no valid JSON: ${error.message}`, { itemIndex, description });
	}
}

/** The job that an item orders, as reportq takes it. */
function jobOf(ctx, itemIndex) {
	const given = (name, otherwise) => ctx.getNodeParameter(name, itemIndex, otherwise);
	const { meta, fileName, password, callback, failureCallback } = given('options', {});
	const job = { code: given('code'), productId: given('productId'), priority: given('priority', 'normal') };
	const from = given('dataFrom', 'stored');
	if (from === 'json') job.data = jsonOf(ctx, given('data'), 'Data', itemIndex);
	if (from === 'fields') {
		const { mappingMode, value, schema } = given('fields');
		const automatic = mappingMode === 'autoMapInputData';
		job.data = dataOf(automatic ? picked(ctx.getInputData()[itemIndex].json, schema) : value);
	}
	const meant = jsonOf(ctx, meta, 'Meta', itemIndex);
	if (meant && Object.keys(meant).length) job.meta = meant;
	const texts = { fileName, password: password && String(password), callback, failureCallback };
	return { ...job, ...Object.fromEntries(Object.entries(texts).filter(([, value]) => value)) };
}

/** An error as data: it outlives the sleep of an execution, which an Error would not. */
const plain = ({ message, next_step, description, code, status }) => ({
	message, next_step: next_step ?? description ?? '', code, status,
});

/** A failed item, in the shape that n8n leads to the error output: `error`, `message` and `details` alone. */
const failed = ({ message, next_step, code }, item, details = {}) => ({
	json: { error: message, message: next_step, details: { error_code: code, ...details } }, pairedItem: { item },
});

/** The outputs in the order of the items; or the red node, unless the node continues on failures. */
function finished(ctx, outputs, refused) {
	if (!refused.size || ctx.continueOnFail()) return [outputs];
	const [item, first] = [...refused].sort(([a], [b]) => a - b)[0];
	if (ctx.getInputData().length === 1) throw shown(ctx, first, item);
	const ids = [...new Set(outputs.flatMap(({ json }) => json.batch_id ?? json.details?.batch_id ?? []))];
	const where = ids.length ? `All job IDs are in batch ${ids.join(', ')}: resource Batch, Get Status.` : 'Nothing was ordered.';
	const message = `${refused.size} of ${ctx.getInputData().length} reports failed. The first, item ${item}: ${first.message}`;
	throw shown(ctx, { ...first, message, next_step: `${first.next_step} ${where}` }, item);
}

/** Order a report for each item: `parts` of what was accepted, `refused` (item → why) of the rest. */
async function order(ctx, callback) {
	const wrong = new Map();
	const entries = [];
	for (let item = 0; item < ctx.getInputData().length; item++) {
		try {
			entries.push({ item, job: jobOf(ctx, item) });
		} catch (error) {
			wrong.set(item, error);
		}
	}
	const { patience, strict } = ctx.getNodeParameter('options', 0, {});
	const run = ctx.evaluateExpression('{{ $runIndex }}', 0);
	const key = `${ctx.getInstanceId()} ${ctx.getExecutionId()} ${ctx.getNode().id} ${run}`;
	const stopped = wrong.size && !ctx.continueOnFail();
	const { parts, refused } = await submit(ctx, stopped ? [] : entries, { callback, key, patience, strict });
	return { parts, refused: [...refused, ...wrong].map(([item, error]) => [item, plain(error)]) };
}

const END = {
	failed: (error) => ({ ...error, next_step: error?.next_step ?? 'Put right what it names, and replay the job.' }),
	cancelled: () => ({ message: 'The report was cancelled.', next_step: 'Replay the job if it is wanted.', code: 'cancelled' }),
};
const late = (status) => ({
	message: `The report had not ended within the time limit; it is ${status}.`,
	next_step: 'The job goes on: ask for its status later.', code: 'time_limit',
});

/** What became of each item, with its file when that is wanted. */
async function collect(ctx, { parts, refused }) {
	const outputs = [];
	const refusals = new Map();
	const refuse = (item, refusal, details) => {
		refusals.set(item, refusal);
		outputs[item] = failed(refusal, item, details);
	};
	for (const [item, refusal] of refused) refuse(item, refusal);
	const files = [];
	for (const part of parts) {
		const found = await results(ctx, part).catch((refusal) => refusal);
		part.items.forEach((item, place) => {
			const job_id = part.jobs[place];
			if (found instanceof Error) return refuse(item, plain(found), { job_id, batch_id: part.id });
			const { error, ...result } = found.get(job_id) ?? { job_id, status: 'unknown' };
			const json = { ...result, batch_id: part.id };
			if (json.status !== 'completed') return refuse(item, END[json.status]?.(error) ?? late(json.status), json);
			outputs[item] = { json, pairedItem: { item } };
			if (ctx.getNodeParameter('output', item, 'file') === 'file') files.push(item);
		});
	}
	if (refusals.size && !ctx.continueOnFail()) return finished(ctx, outputs, refusals);
	await eachOf(files, async (item) => {
		const { json } = outputs[item];
		try {
			const file = await fileOf(ctx, json.job_id, item, json.code);
			outputs[item].binary = { [ctx.getNodeParameter('binaryField', item, 'report')]: file };
		} catch (error) {
			refuse(item, plain(error), json);
		}
	});
	return finished(ctx, outputs, refusals);
}

function fileOf(ctx, jobId, item, fallback = jobId) {
	const { fileName: wanted } = ctx.getNodeParameter('options', item, {});
	return download(ctx, `/api/jobs/${encodeURIComponent(jobId)}/download`, { wanted, fallback, jobId });
}

/** What a builder who tries the step should know of a callback's URL. */
function explain(ctx, url) {
	if (url && ctx.getMode() === 'manual') ctx.addExecutionHints?.(...hintsOf(url));
}

/** What was ordered, as it stood when it was accepted. */
function accepted(ctx, { parts, refused }) {
	const outputs = [];
	for (const [item, refusal] of refused) outputs[item] = failed(refusal, item);
	for (const { id: batch_id, items, accepted: jobs } of parts) {
		items.forEach((item, place) => (outputs[item] = { json: { ...jobs[place], batch_id }, pairedItem: { item } }));
	}
	return finished(ctx, outputs, new Map(refused));
}

async function generate(ctx) {
	explain(ctx, ctx.getNodeParameter('options', 0, {}).callback);
	return accepted(ctx, await order(ctx));
}

async function generateAndWait(ctx) {
	const pending = awaited(ctx);
	if (pending) return await collect(ctx, pending);
	const asleep = canSleep(ctx) && ctx.getNodeParameter('options', 0, {}).waitBy !== 'asking';
	const callback = asleep ? ctx.evaluateExpression('{{ $execution.resumeUrl }}', 0) : undefined;
	explain(ctx, callback);
	const ordered = await order(ctx, callback);
	if (!ordered.parts.length || (ordered.refused.length && !ctx.continueOnFail())) return accepted(ctx, ordered);
	const until = Date.now() + ctx.getNodeParameter('timeLimit', 0, 30) * 60_000;
	if (asleep) {
		await sleepUntil(ctx, new Date(until), ordered);
		return [[]];
	}
	await untilEnded(ctx, ordered.parts, until);
	return await collect(ctx, ordered);
}

/** A job's JSON without a top-level `error`: n8n's Retry On Fail would take it for a failure of the node. */
const standing = ({ error, ...job }) =>
	error ? { ...job, error_code: error.code ?? null, error_message: error.message ?? error } : job;

/** What one item asks of a job, a batch or a product: the item's outputs. */
async function single(ctx, resource, operation, item) {
	const given = (name, otherwise) => ctx.getNodeParameter(name, item, otherwise);
	const one = (json, binary) => [{ json, ...(binary ? { binary } : {}), pairedItem: { item } }];
	if (resource === 'product') {
		if (operation === 'getMany') return (await asked(ctx, 'GET', '/api/products')).products.flatMap((found) => one(found));
		const body = { data: jsonOf(ctx, given('data'), 'Data', item) };
		return one(await asked(ctx, 'POST', `/api/products/${encodeURIComponent(given('productId'))}/validate`, { body }));
	}
	const id = String(given(resource === 'job' ? 'jobId' : 'batchId') ?? '').trim();
	if (!id) throw new NodeOperationError(ctx.getNode(), `The ${resource} ID is empty.`, { itemIndex: item });
	const path = `/api/${resource === 'job' ? 'jobs' : 'batches'}/${encodeURIComponent(id)}`;
	if (operation === 'getStatus') {
		const found = standing(await asked(ctx, 'GET', path));
		if (found.webhook?.hint) ctx.addExecutionHints?.({ message: `Callback: ${found.webhook.hint}`, location: 'outputPane' });
		return one(found);
	}
	if (operation === 'download') {
		const zip = { wanted: given('options', {}).fileName, fallback: id, jobId: id, type: 'application/zip' };
		const file = resource === 'job' ? await fileOf(ctx, id, item) : await download(ctx, `${path}/download`, zip);
		return one({ [`${resource}_id`]: id, file_name: file.fileName }, { [given('binaryField', 'report')]: file });
	}
	const { callback } = given('options', {});
	const body = operation === 'replay' && callback ? { callback } : {};
	return one(standing(await asked(ctx, 'POST', `${path}/${operation}`, { body })));
}

class Reportq {
	description = {
		displayName: 'Reportq', name: 'reportq', icon: { light: 'file:reportq.svg', dark: 'file:reportq.dark.svg' },
		group: ['transform'], version: 1, subtitle: '={{ $parameter["operation"] + ": " + $parameter["resource"] }}',
		description: 'Order PDF reports, wait for them, and go on with the files', defaults: { name: 'Reportq' },
		usableAsTool: true, inputs: [NodeConnectionTypes.Main], outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'reportqApi', required: true }],
		webhooks: [
			{
				name: 'default', httpMethod: 'POST', responseMode: 'onReceived', responseData: 'The execution goes on.',
				path: '', restartWebhook: true, isFullPath: true,
			},
		],
		properties,
	};

	methods = {
		loadOptions: {
			async getProducts() {
				const { products } = await asked(this, 'GET', '/api/products', { patience: 0 });
				return products.map(({ id, title }) => ({ name: title || id, value: id, description: id }));
			},
		},
		resourceMapping: {
			async getFields() {
				const id = this.getCurrentNodeParameter('productId');
				if (!id) return { fields: [] };
				const schema = await asked(this, 'GET', `/api/products/${encodeURIComponent(id)}/schema`, { patience: 0 });
				return { fields: fieldsOf(schema) };
			},
		},
	};

	// The URL goes with each job: there is nothing to register, and nothing to take back.
	webhookMethods = {
		default: { async checkExists() { return true; }, async create() { return true; }, async delete() { return true; } },
	};

	async webhook() {
		return await resume(this);
	}

	async execute() {
		const resource = this.getNodeParameter('resource', 0);
		const operation = this.getNodeParameter('operation', 0);
		try {
			if (resource === 'report') return await (operation === 'generate' ? generate : generateAndWait)(this);
		} catch (error) {
			throw shown(this, error);
		}
		const outputs = [];
		const items = resource === 'product' && operation === 'getMany' ? 1 : this.getInputData().length;
		for (let item = 0; item < items; item++) {
			try {
				outputs.push(...(await single(this, resource, operation, item)));
			} catch (error) {
				if (!this.continueOnFail()) throw shown(this, error, item);
				outputs.push(failed(plain(error), item));
			}
		}
		return [outputs];
	}
}

module.exports = { Reportq };
