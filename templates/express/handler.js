import express from 'express'

const app = express()

app.get('/', (_request, response) => {
  response.type('text').send('Hello from Express\n')
})
app.get('/greet/:name', (request, response) => {
  response.json({ hello: request.params.name })
})
app.post('/', express.text({ type: '*/*' }), (request, response) => {
  response.type('text').send(String(request.body).toUpperCase())
})

export default app
