import express from 'express'
import { fromNode } from '../../../dist/src/functions/adapters/node-http.js'

/** An Express application as a function. */
const app = express()
app.use(express.json())
app.get('/', (request, response) => response.json({ url: request.url, originalUrl: request.originalUrl }))
app.post('/sum', (request, response) => response.json(request.body.reduce((all, one) => all + one, 0)))
app.get('/large', (_request, response) => response.send(Buffer.alloc(3_000_000, 'x')))

export default fromNode(app)
