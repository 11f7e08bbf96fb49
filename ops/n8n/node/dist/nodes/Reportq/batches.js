const { createHash } = require('crypto');
const { sleep } = require('n8n-workflow');
const { Refusal, ask, asked } = require('./api');

const MOST_JOBS = 500; // in one batch
const MOST_BYTES = 900_000; // of one body; reportq takes 1,000,000
const DOWNLOADS_AT_ONCE = 5;
const POLL_EVERY = 2; // seconds

/** Lists of at most MOST_JOBS jobs and MOST_BYTES bytes, in order. */
function split(entries) {
	const parts = [];
	let bytes = Infinity;
	for (const entry of entries) {
		const size = Buffer.byteLength(JSON.stringify(entry.job)) + 1;
		const full = bytes + size > MOST_BYTES || parts.at(-1).length === MOST_JOBS;
		if (full) parts.push([]);
		parts.at(-1).push(entry);
		bytes = full ? size : bytes + size;
	}
	return parts;
}

/** What a refusal says of single jobs: place in the batch → sentences. */
function faults(refusal) {
	const found = new Map();
	for (const [where, what] of Object.entries(refusal.errors)) {
		const [path, sentence] = typeof what === 'object' ? [what.path, what.message] : [where, what];
		const place = /^\/?jobs[[/.](\d+)\]?[./]?(.*)$/.exec(path);
		if (!place) return new Map(); // the body itself is at fault
		found.set(Number(place[1]), [...(found.get(Number(place[1])) ?? []), `${place[2]} ${sentence}`.trim()]);
	}
	return found;
}

/**
 * Submit `entries` ({item, job}) as few batches: `parts` ({id, items, jobs, accepted}) of what was accepted, `refused`
 * (item → Refusal) of the rest. The key makes every repetition harmless: the same body is the same batch.
 */
async function submit(ctx, entries, { callback, key, patience, strict = true }) {
	const parts = [];
	const refused = new Map();
	const queue = split(entries);
	const give = (part, refusal) => part.forEach(({ item }) => refused.set(item, refusal));
	while (queue.length) {
		const part = queue.shift();
		const body = { jobs: part.map(({ job }) => job), ...(callback ? { callback } : {}) };
		const digest = createHash('sha256').update(`${key} ${part[0].item} ${JSON.stringify(body)}`).digest('hex');
		try {
			const headers = { 'Idempotency-Key': `n8n-${digest.slice(0, 48)}`, ...(strict && { Prefer: 'handling=strict' }) };
			const batch = await asked(ctx, 'POST', '/api/reports/batch', { body, headers, patience });
			const items = part.map(({ item }) => item);
			parts.push({ id: batch.batch_id, items, jobs: batch.jobs.map(({ job_id }) => job_id), accepted: batch.jobs });
		} catch (refusal) {
			const wrong = faults(refusal);
			if (wrong.size) {
				for (const [place, what] of wrong) {
					const { next_step, code, status } = refusal;
					refused.set(part[place].item, new Refusal({ message: `${what.join('; ')}.`, next_step, code, status }));
				}
				const rest = part.filter((_, place) => !wrong.has(place));
				if (!ctx.continueOnFail()) queue.splice(0); // the node will be red: nothing more is ordered
				else if (rest.length) queue.unshift(rest);
			} else if ((refusal.status === 413 || refusal.code === 'batch_too_large') && part.length > 1) {
				queue.unshift(part.slice(0, part.length / 2), part.slice(part.length / 2));
			} else {
				give(part, refusal);
				if (refusal.passing) queue.splice(0).forEach((later) => give(later, refusal)); // waited for long enough
			}
		}
	}
	return { parts, refused };
}

const pathOf = (part) => `/api/batches/${encodeURIComponent(part.id)}`;

/** When a batch ended, in milliseconds; Infinity while it is under way. */
async function endOf(ctx, part, patience) {
	const { status, ended_at } = await asked(ctx, 'GET', pathOf(part), { patience });
	return status === 'ended' ? Date.parse(ended_at) : Infinity;
}

/** For callers that cannot sleep: ask until all parts have ended, or until `deadline` (milliseconds). */
async function untilEnded(ctx, parts, deadline) {
	for (const part of parts) {
		while (Date.now() < deadline && (await endOf(ctx, part)) === Infinity) {
			if (ctx.getExecutionCancelSignal?.()?.aborted) return;
			await sleep(POLL_EVERY * 1000);
		}
	}
}

/** The results of a batch by job id. */
async function results(ctx, part) {
	const found = new Map();
	let cursor = null;
	do {
		const query = cursor ? `?cursor=${encodeURIComponent(cursor)}` : '';
		const page = await asked(ctx, 'GET', pathOf(part) + query);
		for (const result of page.results) found.set(result.job_id, result);
		cursor = page.next_cursor;
	} while (cursor);
	return found;
}

/** The name that an answer gives its file, if it is more than the job's id. */
function nameOf(answer, jobId) {
	const header = String(answer.headers['content-disposition'] ?? '');
	const encoded = /filename\*=UTF-8''([^;]+)/i.exec(header);
	const name = encoded ? decodeURIComponent(encoded[1]) : /filename="([^"]+)"/i.exec(header)?.[1];
	return name === `${jobId}.pdf` ? undefined : name;
}

/** A file as n8n's binary; `wanted` names it, else reportq's answer, else `fallback`. */
async function download(ctx, path, { wanted, fallback, jobId, type = 'application/pdf' }) {
	const answer = await ask(ctx, 'GET', path, { file: true });
	const extension = type === 'application/pdf' ? '.pdf' : '.zip';
	const name = (wanted || nameOf(answer, jobId) || fallback).replace(/[\\/]|\p{Cc}/gu, '_').slice(0, 200);
	const file = name.toLowerCase().endsWith(extension) ? name : name + extension;
	return await ctx.helpers.prepareBinaryData(Buffer.from(answer.body), file, type);
}

/** Run `work` over all of `list`, a few at a time. */
async function eachOf(list, work) {
	let next = 0;
	const lane = async () => {
		while (next < list.length) await work(list[next++]);
	};
	await Promise.all(Array.from({ length: DOWNLOADS_AT_ONCE }, lane));
}

module.exports = { submit, endOf, untilEnded, results, download, eachOf };
