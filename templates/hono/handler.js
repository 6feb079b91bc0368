import { Hono } from 'hono'

const app = new Hono()

app.get('/', c => c.text('Hello from Hono\n'))
app.get('/greet/:name', c => c.json({ hello: c.req.param('name') }))
app.post('/', async c => c.text(`${(await c.req.text()).toUpperCase()}`))

export default app
