import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { LESSONS } from '../../src/cli/teach/lessons.ts'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { select } from '../../src/tls13/crypto/selection.ts'
import type { RecordedConnection, RecordedMessage, RecordedSecret } from '../../src/trace/recording.ts'
import { fromHex } from '../../src/wire/index.ts'
import { recordedTrace } from '../support/recorded-trace.ts'
import { trace } from '../support/traces.ts'

/*
 * docs/learn.md: its buttons are those of the page, and its answers hold, of the traces of RFC 8448.
 */

const page = readFileSync(new URL('../../docs/learn.md', import.meta.url), 'utf8')
const exercises = page.split(/\n## \d+\. /).slice(1)

const recorded = (name: string): RecordedConnection => recordedTrace(trace(name)).connections[0]!
const message = ({ events }: RecordedConnection, type: string): RecordedMessage =>
  events.find((event): event is RecordedMessage => event.kind === 'message' && event.type === type)!
const secret = ({ events }: RecordedConnection, name: string): RecordedSecret =>
  events.find((event): event is RecordedSecret => event.kind === 'secret' && event.name === name)!
const fieldOf = ({ fields, bytes }: RecordedMessage, name: string) => {
  const found = fields.find(one => one.name === name)!
  return { text: found.text, bytes: bytes.slice(2 * found.offset, 2 * (found.offset + found.length)) }
}

it('has ten exercises, each with an answer', () => {
  expect(exercises.length).toBe(10)
  for (const one of exercises) expect(one).toMatch(/<summary>Answer<\/summary>\n\n.+/)
})

it('names buttons that the page has, and all of them but for one', () => {
  const titles = LESSONS.map(({ title }) => title)
  const named = exercises.flatMap(text => [...text.matchAll(/\*\*([^*]+)\*\*/g)].map(([, title]) => title!))
  for (const title of named) expect(titles).toContain(title)
  expect(titles.filter(title => !named.includes(title))).toEqual(['A client certificate'])
})

describe('its answers hold', () => {
  const simple = recorded('simple-1rtt')

  it('1: what is in clear', () => {
    const clear = simple.events.filter(event => event.kind === 'record' && event.sealed === undefined)
    expect(clear.length).toBe(2)
    for (const event of simple.events)
      if (event.kind === 'record' && event.sealed !== undefined) expect(event.bytes).toMatch(/^17/)
  })

  it('2: which version', () => {
    const hello = message(simple, 'server_hello')
    expect(fieldOf(hello, 'legacy_version').bytes).toBe('0303')
    expect(fieldOf(hello, 'supported_versions').bytes).toBe('0304')
  })

  it('3: how long the shares are', () => {
    const group = select(noble, {}).groups.find(({ name }) => name === 'X25519MLKEM768')!
    const { keyExchange } = group.generate(noble.random)
    const answer = group.respond(noble.random, keyExchange)!
    expect([keyExchange.length, answer.keyExchange.length]).toEqual([1216, 1120])
  })

  it('4: what a HelloRetryRequest is', () => {
    const retried = recorded('hello-retry-request')
    expect(fieldOf(message(retried, 'hello_retry_request'), 'random').bytes).toMatch(/^cf21ad74/)
  })

  it('5: what goes into a key', () => {
    const { step } = secret(simple, 'server_handshake_traffic_secret')
    if (step.operation !== 'HKDF-Expand-Label') throw new Error('no label')
    expect(step.context.bytes).toBe(message(simple, 'server_hello').transcriptHash)
  })

  it('6: a Finished by hand', () => {
    const key = fromHex(secret(simple, 'server finished_key').secret)
    const hash = fromHex(message(simple, 'certificate_verify').transcriptHash!)
    const made = createHmac('sha256', key).update(hash).digest('hex')
    expect(message(simple, 'finished').bytes).toBe(`14000020${made}`)
  })

  it('7: the ticket is the identity', () => {
    const ticket = fieldOf(message(simple, 'new_session_ticket'), 'ticket').bytes
    const again = message(recorded('resumed-0rtt'), 'client_hello')
    // Behind its length in each.
    expect(again.bytes).toContain(ticket.slice(4))
  })
})
