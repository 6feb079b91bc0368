import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { serving } from '../../src/http/alpn.ts'
import { H1Client } from '../../src/http/h1/index.ts'
import { H2Client } from '../../src/http/h2/index.ts'
import type { HttpHandlers, HttpRequest, HttpResponse, HttpServing } from '../../src/http/serving.ts'
import { wholeContent } from '../../src/http/serving.ts'
import { DEFAULT_TIMERS } from '../../src/http/timers.ts'
import { concat, EMPTY } from '../../src/wire/index.ts'
import { text } from '../support/h1-messages.ts'

/*
 * Applications take their time, and clients send and take as they like. None of that may be seen in what
 * arrives.
 */

/** What a request is, and how the application deals with it. */
interface Plan {
  readonly method: 'GET' | 'POST' | 'HEAD'
  readonly body: readonly Uint8Array[]
  readonly how: 'at once' | 'later' | 'in parts' | 'echo' | 'whole' | 'deaf'
  /** Turns of the loop between what the application does. */
  readonly turns: number
  readonly answer: readonly Uint8Array[]
}

const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 3000 }), { maxLength: 5 })
const plan: fc.Arbitrary<Plan> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'HEAD'),
  body: pieces,
  how: fc.constantFrom('at once', 'later', 'in parts', 'echo', 'whole', 'deaf'),
  turns: fc.nat(3),
  answer: pieces,
})
const plans = fc.array(plan, { minLength: 1, maxLength: 8 })
/** How the client's bytes are cut, and whether it takes what is there. */
const manners = fc.record({
  cuts: fc.infiniteStream(fc.integer({ min: 1, max: 5000 })),
  takes: fc.infiniteStream(fc.boolean()),
})

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

function contentOf({ method, body }: Plan): readonly Uint8Array[] {
  return method === 'POST' ? body : []
}

/** What the client should get. */
function expected(one: Plan): string {
  const content = one.how === 'echo' || one.how === 'whole' ? contentOf(one) : one.answer
  return one.method === 'HEAD' ? '' : text(concat(...content))
}

async function behave(one: Plan, request: HttpRequest, response: HttpResponse): Promise<void> {
  const wait = async (): Promise<void> => {
    for (let i = 0; i < one.turns; i++) await turn()
  }
  if (one.how === 'at once' || one.how === 'deaf') {
    response.reply({ status: 200, body: concat(...one.answer) })
    return
  }
  if (one.how === 'whole') {
    await wait()
    response.reply({ status: 200, body: await wholeContent(request) })
    return
  }
  if (one.how === 'echo') {
    response.begin({ status: 200, headers: [], length: undefined })
    request.content({
      async data(bytes) {
        await wait()
        await response.write(bytes)
      },
      end: () => response.end(),
      broken: () => response.abort(),
    })
    return
  }
  await wait()
  if (one.how === 'later') response.reply({ status: 200, body: concat(...one.answer) })
  else {
    const length = one.turns % 2 === 0 ? undefined : concat(...one.answer).length
    response.begin({ status: 200, headers: [], length })
    for (const piece of one.answer) {
      await response.write(piece)
      await wait()
    }
    response.end()
  }
}

function application(all: readonly Plan[]): HttpHandlers {
  return {
    request(request, response) {
      const one = all[Number(request.path.slice(1))]!
      // At once, if it can: that is what costs least and nests deepest.
      behave(one, request, response)
    },
    error: fault => {
      throw new Error(fault.reason)
    },
  }
}

interface Client {
  /** Bytes to send. */
  output(): Uint8Array
  input(bytes: Uint8Array): void
  /** Bodies of the answers that have come whole, by request. */
  readonly answers: (string | undefined)[]
}

function overHttp1(all: readonly Plan[]): Client {
  const client = new H1Client()
  const answers: string[] = []
  let body = ''
  const sent = all.map((one, i) => {
    const content = contentOf(one)
    const chunked = one.method === 'POST' ? [['Transfer-Encoding', 'chunked'] as const] : []
    const head = client.request({ method: one.method, target: `/${i}`, headers: [['Host', 'a'], ...chunked] })
    if (one.method !== 'POST') return head
    return concat(head, ...content.map(piece => H1Client.chunk(piece)), H1Client.chunk(EMPTY))
  })
  let output: Uint8Array = concat(...sent)
  return {
    answers,
    output() {
      const all = output
      output = EMPTY
      return all
    },
    input(bytes) {
      for (const event of client.receive(bytes)) {
        if (event.type === 'body') body += text(event.data)
        else if (event.type === 'end') {
          answers.push(body)
          body = ''
        } else if (event.type !== 'response') throw new Error(JSON.stringify(event))
      }
    },
  }
}

function overHttp2(all: readonly Plan[]): Client {
  const client = new H2Client()
  const answers: (string | undefined)[] = all.map(() => undefined)
  const bodies = all.map(() => '')
  const streams = new Map<number, number>()
  for (const [i, one] of all.entries()) {
    const head = { method: one.method, scheme: 'https', authority: 'a', path: `/${i}` }
    const id = client.request(head, one.method !== 'POST')
    streams.set(id, i)
    if (one.method !== 'POST') continue
    for (const piece of contentOf(one)) client.write(id, piece)
    client.end(id)
  }
  return {
    answers,
    output: () => client.takeOutput(),
    input(bytes) {
      client.receive(bytes)
      for (let event = client.next(); event !== undefined; event = client.next()) {
        if (event.type === 'error') throw new Error(event.reason)
        if (!('streamId' in event)) continue
        const i = streams.get(event.streamId)!
        if (event.type === 'data') {
          bodies[i] += text(event.data)
          client.consume(event.streamId, event.data.length)
        }
        if ((event.type === 'data' || event.type === 'response') && event.endStream) answers[i] = bodies[i]
      }
    },
  }
}

async function converse(
  one: HttpServing,
  client: Client,
  count: number,
  { cuts, takes, wish }: { cuts: Iterator<number>; takes: Iterator<boolean>; wish: { output: boolean } },
) {
  let out = EMPTY
  for (let turns = 0; turns < 2000; turns++) {
    out = concat(out, client.output())
    if (one.wantsInput && out.length > 0) {
      const length = cuts.next().value
      const piece = out.slice(0, length)
      out = out.slice(length)
      one.receive(piece)
      wish.output = true
      // The memory is the caller's again.
      piece.fill(0xaa)
    }
    // As a stream does it: output is looked for where there is word of it.
    if (wish.output && takes.next().value) {
      wish.output = false
      for (let back = concat(...one.takeOutput()); back.length > 0; back = concat(...one.takeOutput()))
        client.input(back)
    }
    if (client.answers.filter(answer => answer !== undefined).length === count) return
    await turn()
  }
  throw new Error('the conversation does not end')
}

describe.each([
  ['http/1.1', overHttp1],
  ['h2', overHttp2],
] as const)('over %s', (alpn, clientOf) => {
  it('every answer arrives whole, whatever the manners of both sides', async () => {
    await fc.assert(
      fc.asyncProperty(plans, manners, async (all, { cuts, takes }) => {
        // HTTP/2 speaks first.
        const wish = { output: true }
        const one = serving(alpn, false, {
          handlers: application(all),
          timers: DEFAULT_TIMERS,
          now: () => 0,
          date: () => 0,
          wake() {
            wish.output = true
          },
          earlyBytes: () => 0,
          fault() {},
        })
        const client = clientOf(all)
        await converse(one, client, all.length, { cuts, takes, wish })
        expect(client.answers).toEqual(all.map(expected))
        expect(one.shouldClose).toBe(false)
      }),
      { numRuns: process.env.HOTPOTATO_LONG ? 2000 : 60 },
    )
  })
})
