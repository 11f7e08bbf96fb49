const KINDS = { string: 'string', number: 'number', integer: 'number', boolean: 'boolean', array: 'array' };

/** A schema with its `$ref` followed, and the one that is not null of `anyOf` and `oneOf`. */
function resolved(schema, root, depth = 0) {
	if (!schema || depth > 20) return {};
	if (typeof schema.$ref === 'string' && schema.$ref.startsWith('#/')) {
		const target = schema.$ref.slice(2).split('/').reduce((at, step) => at?.[step], root);
		return { ...schema, ...resolved(target, root, depth + 1) };
	}
	const choices = (schema.anyOf ?? schema.oneOf ?? []).filter(({ type }) => type !== 'null');
	return choices.length === 1 ? { ...schema, ...resolved(choices[0], root, depth + 1) } : schema;
}

/** The fields of n8n's resource mapper for a JSON Schema: `person.name` stands for a field inside an object. */
function fieldsOf(schema, root = schema, prefix = '', required = true, depth = 0) {
	const whole = resolved(schema, root);
	return Object.entries(whole.properties ?? {}).flatMap(([name, given]) => {
		const field = resolved(given, root);
		const id = prefix + name;
		const needed = required && (whole.required ?? []).includes(name);
		const type = [field.type].flat().find((one) => one !== 'null');
		if (field.properties && depth < 2) return fieldsOf(field, root, `${id}.`, needed, depth + 1);
		const options = field.enum?.map((value) => ({ name: String(value), value }));
		return {
			id, displayName: id, required: needed, display: true, defaultMatch: false, canBeUsedToMatch: false,
			type: options ? 'options' : (KINDS[type] ?? 'object'), ...(options ? { options } : {}),
		};
	});
}

/** The data of a report from a resource mapper's flat values. */
function dataOf(values) {
	const data = Object.create(null);
	for (const [id, value] of Object.entries(values ?? {})) {
		if (value === null || value === undefined) continue;
		const path = id.split('.');
		const last = path.pop();
		path.reduce((at, step) => (at[step] ??= Object.create(null)), data)[last] = value;
	}
	return data;
}

/** The values of the fields in `schema` that an item holds, under their own names or inside objects. */
function picked(item, schema) {
	const inside = (id) => id.split('.').reduce((at, step) => at?.[step], item);
	return Object.fromEntries((schema ?? []).map(({ id }) => [id, item[id] ?? inside(id)]));
}

module.exports = { fieldsOf, dataOf, picked };
