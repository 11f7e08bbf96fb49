class ReportqApi {
	name = 'reportqApi';
	displayName = 'Reportq API';
	icon = { light: 'file:../nodes/Reportq/reportq.svg', dark: 'file:../nodes/Reportq/reportq.dark.svg' };
	documentationUrl = 'https://github.com/reportq/n8n-nodes-reportq#credential';
	properties = [
		{
			displayName: 'Address', name: 'url', type: 'string', default: 'http://127.0.0.1:8000', required: true,
			description: 'Where reportq answers, as n8n reaches it',
		},
		{
			displayName: 'API Key', name: 'apiKey', type: 'string', typeOptions: { password: true }, default: '',
			description: 'The key that "ops/reportq keys make NAME --role submit" shows once. Empty for a reportq without keys.',
		},
		{
			displayName: 'Webhook Secret', name: 'webhookSecret', type: 'string', typeOptions: { password: true },
			default: '',
			description:
				'One of REPORTQ_WEBHOOK_SECRETS (whsec_…). The trigger needs it. While secrets change, give both, separated by a space.',
		},
	];

	// A function and not a header template: a reportq without keys gets no header at all.
	authenticate = async (credentials, request) =>
		credentials.apiKey
			? { ...request, headers: { ...request.headers, Authorization: `Bearer ${credentials.apiKey}` } }
			: request;
	test = { request: { baseURL: '={{$credentials.url.replace(/\\/+$/, "")}}', url: '/api/me' } };
}

module.exports = { ReportqApi };
