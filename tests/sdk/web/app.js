// An app of Node's own modules: `https`, `https-h2` or `h2c` on a port of its
// own, which it prints. It answers with what it saw.
'use strict';

const fs = require('node:fs');
const http2 = require('node:http2');
const https = require('node:https');

const [kind, certificate, key] = process.argv.slice(2);

function answer(request, response) {
  if (request.url === '/dapr/config') {
    response.writeHead(404).end();
    return;
  }
  const version = request.httpVersion === '2.0' ? 'HTTP/2.0' : 'HTTP/1.1';
  response.setHeader('X-Seen', `${version} ${request.method} ${request.url}`);
  response.setHeader('X-Caller', request.headers['dapr-caller-app-id'] ?? '');
  request.pipe(response);
}

const tls = { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) };
const servers = {
  https: () => https.createServer(tls, answer),
  'https-h2': () => http2.createSecureServer(tls, answer),
  h2c: () => http2.createServer(answer),
};
const server = servers[kind]();
server.listen(0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
