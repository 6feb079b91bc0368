import { verifier } from '../../src/tls13/io/verify.ts'
import { sustained } from '../migration/load.ts'
import { type Place, tourOf, Wanderer } from '../migration/wanderer.ts'
import type { Answer, Order } from './guests.ts'

/*
 * A process that is the clients of the platform, or its pages: what they use is not the platform's.
 */

const TOUR = tourOf('raw')
/** Connections that are opened at a time: handshakes are not what is measured. */
const AT_ONCE = 16

let asking: readonly Wanderer[] = []
let told = 0

process.on('message', (order: Order) => {
  obey(order).then(
    answer => process.send!(answer),
    (error: unknown) => process.send!({ error: String(error) } satisfies Answer),
  )
})
process.on('disconnect', () => process.exit())

async function obey(order: Order): Promise<Answer> {
  if (order.kind === 'connect') {
    let number = 0
    const { port, authority, idle } = order
    const verify = verifier({ ca: authority })
    const place: Place = {
      options: { port, verify, suite: 'TLS_AES_128_GCM_SHA256' },
      nextNumber: () => number++,
    }
    await open(place, idle)
    asking = await open(place, order.asking)
    return {}
  }
  if (order.kind === 'move') return { rate: await sustained(asking, order.requests, one => one.move()) }
  if (order.kind === 'watch') {
    const { origin, pathname, hash } = new URL(order.page)
    const headers = { authorization: `Bearer ${hash.slice(1)}` }
    for (let count = 0; count < order.count; count++) {
      const answer = await fetch(`${origin}${pathname}events`, { headers })
      if (!answer.ok || answer.body === null) throw new Error(`a page is refused: ${answer.status}`)
      void read(answer.body).catch(() => undefined)
    }
  }
  return { told }
}

/** What pages are told is counted, and not drawn. */
async function read(body: ReadableStream<Uint8Array>): Promise<void> {
  for await (const bytes of body) told += bytes.length
}

async function open(place: Place, count: number): Promise<Wanderer[]> {
  const wanderers: Wanderer[] = []
  while (wanderers.length < count) {
    const some = Math.min(AT_ONCE, count - wanderers.length)
    wanderers.push(...(await Promise.all(Array.from({ length: some }, () => Wanderer.open(place, TOUR)))))
  }
  return wanderers
}
