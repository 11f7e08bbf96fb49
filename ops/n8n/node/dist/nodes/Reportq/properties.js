const show = (resource, operation, more) => ({ displayOptions: { show: { resource, operation, ...more } } });
const ORDER = [['report'], ['generate', 'generateAndWait']];
const choose = (name, value, action, description) => ({ name, value, action, description });
const of = (resource, value, options) => ({ options, default: value, displayOptions: { show: { resource: [resource] } } });

const operation = { displayName: 'Operation', name: 'operation', type: 'options', noDataExpression: true, default: '' };

const ofJobs = (one, zip) => [
	choose('Cancel', 'cancel', `Cancel a ${one}`, 'Stop what is not being stored yet'),
	choose('Download', 'download', `Download a ${one}`, zip),
	choose('Get Status', 'getStatus', `Get the status of a ${one}`, 'How it stands, what went wrong, where the file is'),
	choose('Replay', 'replay', `Replay a ${one}`, 'Do again what failed or was cancelled'),
];

const text = (displayName, name, description) => ({ displayName, name, type: 'string', default: '', description });

const product = {
	displayName: 'Product Name or ID', name: 'productId', type: 'options',
	typeOptions: { loadOptionsMethod: 'getProducts' }, default: '', required: true,
	description:
		'Which kind of report. Choose from the list, or specify an ID using an <a href="https://docs.n8n.io/code/expressions/">expression</a>.',
};

const data = {
	displayName: 'Data (JSON)', name: 'data', type: 'json', default: '={{ $json }}',
	description: 'The content of the report, as one object',
};

module.exports = [
	{
		displayName: 'Resource', name: 'resource', type: 'options', noDataExpression: true,
		options: [
			{ name: 'Batch', value: 'batch' }, { name: 'Job', value: 'job' },
			{ name: 'Product', value: 'product' }, { name: 'Report', value: 'report' },
		],
		default: 'report',
	},
	{
		...operation,
		...of('report', 'generateAndWait', [
			choose('Generate', 'generate', 'Generate reports', 'Order a report for each item, and go on at once'),
			choose('Generate and Wait', 'generateAndWait', 'Generate reports and wait', 'Order them, and go on when all have ended'),
		]),
	},
	{ ...operation, ...of('job', 'getStatus', ofJobs('job', 'The PDF of a completed job')) },
	{ ...operation, ...of('batch', 'getStatus', ofJobs('batch', 'Every PDF in one ZIP')) },
	{
		...operation,
		...of('product', 'getMany', [
			choose('Get Many', 'getMany', 'Get many products', 'The kinds of report there are'),
			choose('Validate', 'validate', 'Validate data', 'Every fault of the data, before anything is ordered'),
		]),
	},
	{
		displayName: 'Job ID', name: 'jobId', type: 'string', default: '={{ $json.job_id }}', required: true,
		displayOptions: { show: { resource: ['job'] } },
	},
	{
		displayName: 'Batch ID', name: 'batchId', type: 'string', default: '={{ $json.batch_id }}', required: true,
		displayOptions: { show: { resource: ['batch'] } },
	},
	{ ...product, ...show(...ORDER) },
	{ ...product, ...show(['product'], ['validate']) },
	{
		displayName: 'Code', name: 'code', type: 'string', default: '={{ $json.code }}', required: true,
		description: 'Which report: the "code" of its document in MongoDB, and the name that it is found by',
		...show(...ORDER),
	},
	{
		displayName: 'Data', name: 'dataFrom', type: 'options',
		options: [
			{ name: 'Fields of the Product', value: 'fields', description: 'Map each field of the product' },
			{ name: 'JSON', value: 'json', description: 'One JSON object' },
			{ name: 'Stored in MongoDB', value: 'stored', description: 'Found there by code and product' },
		],
		default: 'stored', description: 'Where the content of the report comes from', ...show(...ORDER),
	},
	{ ...data, ...show(...ORDER, { dataFrom: ['json'] }) },
	{ ...data, ...show(['product'], ['validate']) },
	{
		displayName: 'Fields', name: 'fields', type: 'resourceMapper', noDataExpression: true,
		default: { mappingMode: 'defineBelow', value: null },
		typeOptions: {
			loadOptionsDependsOn: ['productId'],
			resourceMapper: {
				resourceMapperMethod: 'getFields', mode: 'add', fieldWords: { singular: 'field', plural: 'fields' },
				addAllFields: true, supportAutoMap: true,
			},
		},
		...show(...ORDER, { dataFrom: ['fields'] }),
	},
	{
		displayName: 'Priority', name: 'priority', type: 'options',
		options: [
			{ name: 'High', value: 'high', description: 'Somebody waits for it' },
			{ name: 'Low', value: 'low', description: 'Bulk work: it stands behind everything else' },
			{ name: 'Normal', value: 'normal' },
		],
		default: 'normal', ...show(...ORDER),
	},
	{
		displayName: 'Output', name: 'output', type: 'options',
		options: [
			{ name: 'Link Only', value: 'link', description: 'The link and the job ID; nothing is downloaded' },
			{ name: 'PDF File', value: 'file', description: 'The PDF as binary data, beside the link' },
		],
		default: 'file', ...show(['report'], ['generateAndWait']),
	},
	{
		displayName: 'Time Limit (Minutes)', name: 'timeLimit', type: 'number', typeOptions: { minValue: 0.05 },
		default: 30,
		description: 'After this time, what has not ended is an error that names its job ID. The jobs go on. N8n looks once a minute.',
		...show(['report'], ['generateAndWait']),
	},
	{
		displayName: 'Put Output File in Field', name: 'binaryField', type: 'string', default: 'report',
		required: true, hint: 'The name of the output binary field to put the file in',
		displayOptions: { show: { operation: ['generateAndWait', 'download'] } },
	},
	{
		displayName: 'Options', name: 'options', type: 'collection', placeholder: 'Add option', default: {},
		...show(['report'], ['generate', 'generateAndWait']),
		options: [
			text('Callback URL', 'callback', 'Told of the end of each report, for example the production URL of a Reportq Trigger'),
			{
				displayName: 'Check Data First', name: 'strict', type: 'boolean', default: true,
				description: 'Whether data that does not fit the product is refused at once, with every fault, and not after the job began',
			},
			text('Failure Callback URL', 'failureCallback', 'Told instead when a report failed or was cancelled'),
			text('File Name', 'fileName', 'The name of the PDF. Empty: the name that reportq gives, or the code.'),
			{
				displayName: 'Meta', name: 'meta', type: 'json', default: '{}',
				description: 'Anything; each callback brings it back. At most 8 kB.',
			},
			{ ...text('Password', 'password', 'Needed to open the PDF'), typeOptions: { password: true } },
			{
				displayName: 'Patience (Seconds)', name: 'patience', type: 'number',
				typeOptions: { minValue: 0, maxValue: 3600 }, default: 120,
				description: 'How long to try when reportq is away or full. No job is made twice. A wrong key is refused at once.',
			},
			{
				displayName: 'Wait By', name: 'waitBy', type: 'options',
				options: [
					{ name: 'Asking', value: 'asking', description: 'The execution runs and asks: for an n8n that reportq cannot reach' },
					{ name: 'Callback', value: 'callback', description: 'The execution sleeps until reportq calls it' },
				],
				default: 'callback', description: 'How Generate and Wait learns of the end',
			},
		],
	},
	{
		displayName: 'Options', name: 'options', type: 'collection', placeholder: 'Add option', default: {},
		...show(['job', 'batch'], ['download', 'replay']),
		options: [
			text('Callback URL', 'callback', 'Replay: told of the new end. A resume URL of n8n works once: a replay needs a new one.'),
			text('File Name', 'fileName', 'Download: the name of the file'),
		],
	},
];
