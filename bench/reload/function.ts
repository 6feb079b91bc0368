import { setTimeout } from 'node:timers/promises'
import type { Context } from '../../src/functions/contract.ts'
import type { ResumableStream } from '../../src/functions/resumable.ts'
import type { SocketHandlers, WebSocketFunction } from '../../src/functions/web-socket.ts'
import { type Kind, PERIOD, pieceOf } from './pieces.ts'

/** Where a stream stands: its next piece, and when that is due (milliseconds since 1970). */
interface Place {
  readonly kind: Exclude<Kind, 'socket'>
  readonly n: number
  readonly due: number
}

/** A stream that goes on in the next container. */
export function resume(place: Place, ctx: Context): ResumableStream {
  let at = place
  return ctx.resumable({
    async pull(controller) {
      const { kind, n, due } = at
      await setTimeout(Math.max(0, due - Date.now()))
      at = { kind, n: n + 1, due: due + PERIOD }
      controller.enqueue(pieceOf(kind, n))
    },
    freeze: () => at,
  })
}

export const webSocket: WebSocketFunction = (socket, _context, state): SocketHandlers => {
  const counted = (state as { count: number } | undefined) ?? { count: 0 }
  return {
    message: () => socket.send(String(++counted.count)),
    freeze: () => counted,
  }
}

export default {
  fetch(request: Request, _env: unknown, ctx: Context): Response {
    const kind = ctx.functionPath === '/events' ? 'events' : 'download'
    const last = Number(request.headers.get('last-event-id') ?? 0)
    const type = kind === 'events' ? 'text/event-stream' : 'application/octet-stream'
    const place = { kind, n: last + 1, due: Date.now() } as const
    return new Response(resume(place, ctx), { headers: { 'content-type': type } })
  },
}
