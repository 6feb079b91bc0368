import { createServer } from 'node:http'

/** The program that `npm run bench:programs` asks over HTTP: it gives back what it gets. */
const { SOCKET, PORT } = process.env
createServer((request, response) => {
  response.setHeader('content-length', request.headers['content-length'] ?? '0')
  request.pipe(response)
}).listen(SOCKET ?? { port: Number(PORT), host: '127.0.0.1' })
