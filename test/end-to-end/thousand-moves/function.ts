/** Bytes of a block, which begins with its number. */
export const BLOCK = 16_384

export function blockOf(n: number): Uint8Array {
  const block = Buffer.alloc(BLOCK, n % 251)
  block.writeUInt32BE(n)
  return block
}

/**
 * The module of a function with streams that have a name, and go as far as a file of that name says: so they
 * last as long as they are moved. Paths: `/download`, `/events`, `/upload`, each with `?name=NAME`.
 * @param folder where those files are @param blocks of a download @param events of a stream
 */
export function moduleOf(folder: string, blocks: number, events: number): string {
  return `
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

const allowed = new Map()
async function pace(name, n, signal) {
  while (n >= (allowed.get(name) ?? 0) && !signal?.aborted) {
    allowed.set(name, Number(readFileSync(join(${JSON.stringify(folder)}, name), 'utf8')))
    if (n >= allowed.get(name)) await setTimeout(2)
  }
}

const block = n => {
  const bytes = Buffer.alloc(${BLOCK}, n % 251)
  bytes.writeUInt32BE(n)
  return bytes
}

function download(state, ctx) {
  const { name } = state
  let { n } = state
  return ctx.resumable({
    async pull(controller) {
      await pace(name, n)
      if (n === ${blocks}) controller.close()
      else controller.enqueue(block(n++))
    },
    freeze: () => ({ kind: 'download', name, n }),
  })
}

const events = (last, ctx) =>
  ctx.events(last, async (id, signal) => {
    const [name, n] = id.split(':')
    await pace(name, Number(n), signal)
    const next = Number(n) + 1
    return next > ${events} ? undefined : { id: name + ':' + next, data: 'event ' + next }
  })

async function upload(state, ctx, request) {
  ctx.freezes(() => state)
  for await (const piece of request.body) {
    for (let at = 0; at < piece.length; ) {
      const begun = state.bytes % ${BLOCK}
      const part = piece.subarray(at, at + ${BLOCK} - begun)
      const wanted = block(Math.floor(state.bytes / ${BLOCK})).subarray(begun, begun + part.length)
      if (!wanted.equals(part)) state.wrong++
      state.bytes += part.length
      at += part.length
    }
  }
  return Response.json({ bytes: state.bytes, wrong: state.wrong })
}

export function resume(state, ctx, env, request) {
  if (typeof state === 'string') return events(state, ctx)
  return state.kind === 'download' ? download(state, ctx) : upload(state, ctx, request)
}

export default {
  fetch(request, env, ctx) {
    const name = new URL(request.url).searchParams.get('name')
    if (ctx.functionPath === '/upload') return upload({ kind: 'upload', bytes: 0, wrong: 0 }, ctx, request)
    if (ctx.functionPath === '/events') {
      const headers = { 'content-type': 'text/event-stream' }
      return new Response(events(name + ':0', ctx), { headers })
    }
    return new Response(download({ name, n: 0 }, ctx))
  },
}
`
}
