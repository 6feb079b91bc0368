import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'

type Reply = (ServerResponse | Http2ServerResponse) & {
  write(text: string): boolean
}

/** How a model is asked. */
export const MODELS = ['http/1.1', 'https, http/1.1', 'https, h2'] as const
export type ModelKind = (typeof MODELS)[number]

/** A server that answers as language models do: `?tokens=N` server-sent events, one after the other. */
export interface Model {
  readonly url: string
  /** What it has seen. */
  readonly seen: { connections: number; requests: number }
  /** Its end of each connection that is open. */
  readonly sockets: ReadonlySet<Socket>
  /** Milliseconds between two tokens. */
  pause: number
  close(): void
}

export async function modelServer(
  kind: ModelKind,
  { cert, key }: { readonly cert: string; readonly key: string },
): Promise<Model> {
  const seen = { connections: 0, requests: 0 }
  const sockets = new Set<Socket>()
  const answer = async (
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ): Promise<void> => {
    seen.requests++
    const reply = response as Reply
    const asked = new URL(request.url!, 'http://model').searchParams
    const tokens = Number(asked.get('tokens'))
    let gone = false
    reply.on('close', () => {
      gone = true
    })
    reply.setHeader('content-type', 'text/event-stream')
    for (let token = 1; token <= tokens && !gone; token++) {
      const taken = reply.write(eventOf(token))
      if (!taken && !gone) await Promise.race([once(reply, 'drain'), once(reply, 'close')])
      await setTimeout(model.pause)
    }
    reply.end()
  }
  const answered = (...both: Parameters<typeof answer>): void => {
    answer(...both).catch(() => {})
  }
  const server: Server =
    kind === 'http/1.1'
      ? createServer(answered)
      : kind === 'https, h2'
        ? createSecureServer({ cert, key, allowHTTP1: false }, answered)
        : createHttps({ cert, key }, answered)
  server.on('connection', (socket: Socket) => {
    seen.connections++
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const model: Model = {
    url: `${kind === 'http/1.1' ? 'http' : 'https'}://localhost:${port}/`,
    seen,
    sockets,
    pause: 5,
    close() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
  return model
}

/** One token. */
export function eventOf(token: number): string {
  return `data: token ${token}\n\n`
}

/** A whole answer. */
export function answerOf(tokens: number): string {
  return Array.from({ length: tokens }, (_, n) => eventOf(n + 1)).join('')
}

/** A function that passes on what a model says; `?ask=` is the model's URL. */
export const PROXY: string = `
const pass = ({ upstream }, ctx) => {
  const reader = upstream.body.getReader()
  return ctx.resumable({
    async pull(controller) {
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    freeze: () => ({ upstream }),
  })
}
export default {
  async fetch(request, env, ctx) {
    const asked = new URL(request.url).searchParams.get('ask')
    const upstream = await ctx.fetch(asked, { ca: env.CA })
    return new Response(pass({ upstream }, ctx), { headers: upstream.headers })
  },
}
export const resume = pass
`
