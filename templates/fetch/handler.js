/** Answers a request: with the web's own Request and Response, as in browsers. */
export default {
  async fetch(request, _env, ctx) {
    const body = await request.text()
    ctx.log.info(`${request.method} ${ctx.functionPath}, ${body.length} characters`)
    return Response.json({ hello: body.trim() || 'world' })
  },
}
