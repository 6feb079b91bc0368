import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'

/** A Hono application, unmodified. */
const app = new Hono()
app.get('/hello/hello/:name', one => one.text(`hello ${one.req.param('name')}, by path`))
app.get('/hello/events', one =>
  streamSSE(one, async stream => {
    for (let i = 0; i < 3; i++) await stream.writeSSE({ event: 'count', data: String(i) })
  }),
)

export default app
