const { NodeConnectionTypes } = require('n8n-workflow');
const { objectOf } = require('./api');
const { forgery, rawBody } = require('./signature');

class ReportqTrigger {
	description = {
		displayName: 'Reportq Trigger', name: 'reportqTrigger',
		icon: { light: 'file:reportq.svg', dark: 'file:reportq.dark.svg' }, group: ['trigger'], version: 1,
		subtitle: '={{$parameter["events"].join(", ")}}',
		description: 'Starts the workflow when a report or a batch has ended. Only genuine callbacks are taken.',
		defaults: { name: 'Reportq Trigger' }, inputs: [], outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'reportqApi', required: true }],
		webhooks: [
			{ name: 'default', httpMethod: 'POST', responseMode: 'onReceived', path: '={{$parameter["path"]}}', isFullPath: true },
		],
		properties: [
			{
				displayName:
					'Give the production URL as callback of your jobs. The test URL takes one call within two minutes of the click on "Listen for test event". Later calls are answered 404, and reportq shows the hint webhook_test_url.',
				name: 'notice', type: 'notice', default: '',
			},
			{
				displayName: 'Path', name: 'path', type: 'string', default: 'reportq', required: true,
				description: 'The last part of the URL; no other workflow may use it',
			},
			{
				displayName: 'Events', name: 'events', type: 'multiOptions',
				default: ['completed', 'failed', 'cancelled', 'batch'],
				description: 'What starts the workflow; the others are taken and forgotten',
				options: [
					{ name: 'Batch Ended', value: 'batch' }, { name: 'Report Cancelled', value: 'cancelled' },
					{ name: 'Report Completed', value: 'completed' }, { name: 'Report Failed', value: 'failed' },
				],
			},
			{
				displayName: 'Tolerance', name: 'tolerance', type: 'number', typeOptions: { minValue: 1 },
				default: 300, description: 'How many seconds the clocks of the two machines may differ',
			},
		],
	};

	// The URL goes with each job: there is nothing to register, and nothing to take back.
	webhookMethods = {
		default: { async checkExists() { return true; }, async create() { return true; }, async delete() { return true; } },
	};

	async webhook() {
		const { webhookSecret: secrets } = await this.getCredentials('reportqApi');
		const [raw, headers] = [await rawBody(this), this.getHeaderData()];
		const reason = forgery({ raw, headers, secrets, tolerance: this.getNodeParameter('tolerance', 300) });
		const body = objectOf(raw);
		if (reason || !body) {
			const code = reason ? 401 : 400;
			this.getResponseObject().status(code).json({ code, message: reason ?? 'The body is no JSON object.' });
			return { noWebhookResponse: true };
		}
		const event = body.type?.startsWith('batch.') ? 'batch' : body.status;
		const wanted = this.getNodeParameter('events', []).includes(event);
		return wanted ? { workflowData: [[{ json: body }]] } : { webhookResponse: { message: 'Not asked for' } };
	}
}

module.exports = { ReportqTrigger };
