import fastify from 'fastify'
import { fromNode } from '../../../dist/src/functions/adapters/node-http.js'

/** A Fastify application as a function. */
const app = fastify()
app.get('/hello/:name', request => ({ hello: request.params.name, secure: request.protocol === 'https' }))

export default fromNode(app)
