/** What the functions of a run have for streams; `pattern` is the ledger's. */
export const STREAMS = `
const download = (state, ctx) => {
  let { at } = state
  const all = pattern(state.id, state.size)
  const step = Math.ceil(state.size / 20)
  return ctx.resumable({
    async pull(controller) {
      await setTimeout(state.pause)
      if (at >= all.length) return controller.close()
      const piece = all.slice(at, at + step)
      at += piece.length
      controller.enqueue(piece)
    },
    freeze: () => ({ ...state, at }),
  })
}
const events = (last, ctx) =>
  ctx.events(last, async id => {
    const [n, most, pause] = id.split(':').map(Number)
    await setTimeout(pause)
    return n === most ? undefined : { id: [n + 1, most, pause].join(':'), data: String(n + 1) }
  })
const upload = async (state, ctx, request) => {
  ctx.freezes(() => state)
  for await (const piece of request.body) state.text += new TextDecoder().decode(piece)
  return new Response(state.text, { headers: { 'x-id': state.id } })
}
export const resume = (state, ctx, env, request) => {
  if (typeof state === 'string') return events(state, ctx)
  return state.text === undefined ? download(state, ctx) : upload(state, ctx, request)
}
const streamOf = (kind, query, request, ctx) => {
  const id = query.get('id')
  const [size, pause] = ['size', 'pause'].map(name => Number(query.get(name)))
  if (kind === 'upload') return upload({ id, text: '' }, ctx, request)
  const begun = { id, size, pause, at: 0 }
  const content = kind === 'events' ? events([0, size, pause].join(':'), ctx) : download(begun, ctx)
  return new Response(content, { headers: { 'x-id': id } })
}
`
