const PRIVATE = /^(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|\[|[^.]+$)|\.(lan|local|internal)$/;

/** What reportq would meet at a callback URL, for the builder who tries a step in the editor. */
function hintsOf(url) {
	const { host, hostname, pathname } = URL.canParse(url) ? new URL(url) : { host: '' };
	const said = [];
	if (!host) said.push(`"${url}" is no URL: reportq refuses it (callback_refused).`);
	else if (PRIVATE.test(hostname)) {
		said.push(`reportq calls ${host} only when it is listed: start reportq with REPORTQ_WEBHOOK_ALLOW=${host}.`);
	}
	if (pathname?.includes('/webhook-test/')) {
		said.push('A test URL takes one call within two minutes. Then it answers 404: webhook_test_url.');
	} else if (pathname?.includes('/webhook-waiting/')) {
		said.push('The execution sleeps until reportq calls it. A callback that comes too early is answered 409, and sent again.');
	}
	return said.map((message) => ({ message, location: 'outputPane', type: 'info' }));
}

module.exports = { hintsOf };
