import { createHash, createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LESSONS } from '../../src/cli/teach/lessons.ts'
import { type RecordedConnection, type RecordedMessage, readRecording } from '../../src/trace/recording.ts'
import { fromHex } from '../../src/wire/index.ts'
import { Browser } from '../support/browser.ts'
import { CHROMIUM, CHROMIUM_NOTE } from '../support/chromium.ts'
import { Platform } from '../support/platform.ts'
import { Teaching } from '../support/teach.ts'

/*
 * docs/learn.md: the buttons that its exercises name are pressed, and what the page is given has the answers.
 */

const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions: { echo: { hosts: [echo.local] }, hello: {} }
`

/** Keeps what the next lesson of the page is answered with. */
const KEEP = `(() => {
  const ask = globalThis.fetch
  globalThis.fetch = async (...all) => {
    const answer = await ask(...all)
    if (all[1]?.method === 'POST') globalThis.taught = await answer.clone().json()
    return answer
  }
})()`

const all = ({ events }: RecordedConnection) =>
  events.filter((event): event is RecordedMessage => event.kind === 'message')
const types = (one: RecordedConnection): string[] => all(one).map(({ type }) => type)
function message(one: RecordedConnection, type: string, number = 0): RecordedMessage {
  return all(one).filter(event => event.type === type)[number]!
}
function secret({ events }: RecordedConnection, name: string) {
  for (const event of events) if (event.kind === 'secret' && event.name === name) return event
  throw new Error(`no ${name}`)
}
/** The bytes of all fields of that name, behind their lengths. */
function values({ fields, bytes }: RecordedMessage, name: string): string[] {
  return fields
    .filter(field => field.name === name)
    .map(({ offset, length, prefix = 0 }) => bytes.slice(2 * (offset + prefix), 2 * (offset + length)))
}
/** What both sides have as shares. */
const shares = (one: RecordedConnection): number[][] =>
  ['client_hello', 'server_hello'].map(type =>
    values(message(one, type), 'key_exchange').map(({ length }) => length / 2),
  )
const alerts = ({ events }: RecordedConnection): string[] =>
  events.flatMap(event => (event.kind === 'alert' && event.side === 'server' ? [event.text] : []))
const hasName = (one: RecordedMessage, name: string) => one.fields.some(field => field.name === name)

describe.skipIf(CHROMIUM === undefined)(`the ten exercises: ${CHROMIUM_NOTE}`, () => {
  let platform: Platform
  let teaching: Teaching
  let browser: Browser

  beforeAll(async () => {
    platform = await Platform.start({ config: CONFIG, args: ['--teach'] })
    teaching = await Teaching.open(platform.directory)
    browser = await Browser.open()
    await browser.go(teaching.address)
    await browser.until(`document.querySelectorAll('#lessons button').length === ${LESSONS.length}`)
    await browser.evaluate(KEEP)
  })
  afterAll(async () => {
    await browser?.close()
    await teaching?.close()
    await platform?.stop()
  })

  /** Presses the button of that title. */
  async function press(title: string): Promise<readonly RecordedConnection[]> {
    const buttons = `[...document.querySelectorAll('#lessons button')]`
    await browser.evaluate(`document.querySelector('#lesson').textContent = ''`)
    await browser.evaluate(`${buttons}.find(one => one.textContent === ${JSON.stringify(title)}).click()`)
    await browser.until(`!document.querySelector('#all').disabled`)
    expect(await text('#lesson')).toMatch(new RegExp(`^${title}: `))
    return readRecording(await browser.evaluate<string>('taught.recording')).connections
  }
  const text = (where: string) => browser.evaluate<string>(`document.querySelector('${where}').innerText`)

  it('1, 2, 5 and 6: a full handshake', async () => {
    const [full] = await press('A full handshake')
    const open = full!.events.filter(event => event.kind === 'record' && event.sealed === undefined)
    expect(open.map(event => event.kind === 'record' && event.type)).toEqual(
      expect.arrayContaining(['handshake']),
    )
    const clear = open.flatMap(event => (event.kind === 'record' ? [event.content] : [])).join('')
    for (const one of all(full!))
      expect(clear.includes(one.bytes)).toBe(/^(client|server)_hello$/.test(one.type))
    for (const event of full!.events)
      if (event.kind === 'record' && event.sealed !== undefined) expect(event.bytes).toMatch(/^17/)
    const hello = message(full!, 'server_hello')
    expect(values(hello, 'legacy_version')).toEqual(['0303'])
    expect(values(hello, 'supported_versions').join()).toMatch(/0304$/)

    const { step } = secret(full!, 'server_handshake_traffic_secret')
    if (step.operation !== 'HKDF-Expand-Label') throw new Error('no label')
    expect(step.context.bytes).toBe(hello.transcriptHash)
    const digest = createHash(step.hash.replace('-', ''))
    const both = message(full!, 'client_hello').bytes + hello.bytes
    expect(digest.update(fromHex(both)).digest('hex')).toBe(hello.transcriptHash)

    const hash = fromHex(message(full!, 'certificate_verify').transcriptHash!)
    const key = fromHex(secret(full!, 'server finished_key').secret)
    const made = createHmac(step.hash.replace('-', ''), key).update(hash).digest('hex')
    const finished = all(full!).find(one => one.type === 'finished' && one.side === 'server')!
    expect(values(finished, 'verify_data')).toEqual([made])
    expect(await text('#tree')).toContain('server finished_key')
  })

  it('3: what the quantum computer costs', async () => {
    const [classic] = await press('X25519 alone')
    expect(shares(classic!)).toEqual([[32], [32]])
    const [hybrid] = await press('A post-quantum group')
    expect(shares(hybrid!)).toEqual([[1216], [1120]])
  })

  it('4: another group', async () => {
    const [retried] = await press('HelloRetryRequest')
    const request = message(retried!, 'hello_retry_request')
    expect(request.bytes).toMatch(/^02/)
    const constant = createHash('sha256').update('HelloRetryRequest').digest('hex')
    expect([constant.slice(0, 8), ...values(request, 'random')]).toEqual(['cf21ad74', constant])
    const [first, second] = [0, 1].map(number => message(retried!, 'client_hello', number))
    expect(values(first!, 'key_exchange')).toEqual([])
    // The server names a group alone: two bytes.
    expect(values(second!, 'group')).toEqual([values(request, 'key_share').join('').slice(-4)])
    expect(values(second!, 'key_exchange').length).toBe(1)
  })

  it('7: who the server is this time', async () => {
    const [first, second] = await press('Resumption')
    expect(types(second!)).not.toContain('certificate')
    const tickets = all(first!).filter(({ type }) => type === 'new_session_ticket')
    const offered = values(message(second!, 'client_hello'), 'identity')
    expect(tickets.flatMap(ticket => values(ticket, 'ticket'))).toEqual(expect.arrayContaining(offered))
    expect(offered.length).toBe(1)

    const early = (await press('0-RTT')).at(-1)!
    const { step } = secret(early, 'client_early_traffic_secret')
    if (step.operation !== 'HKDF-Expand-Label') throw new Error('no label')
    const hello = fromHex(message(early, 'client_hello').bytes)
    const hashed = createHash(step.hash.replace('-', '')).update(hello).digest('hex')
    expect(step.context.bytes).toBe(hashed)

    const stale = (await press('An expired ticket')).at(-1)!
    expect(hasName(message(stale, 'client_hello'), 'pre_shared_key')).toBe(true)
    expect(hasName(message(stale, 'server_hello'), 'pre_shared_key')).toBe(false)
    expect(types(stale)).toContain('certificate')
  })

  it('8: new keys without a handshake', async () => {
    const [updated] = await press('KeyUpdate')
    const { step } = secret(updated!, 'client_application_traffic_secret_1')
    if (step.operation !== 'HKDF-Expand-Label') throw new Error('no label')
    expect([step.from, step.label]).toEqual(['client_application_traffic_secret_0', 'traffic upd'])
    expect(types(updated!)).toContain('key_update')
    const numbers = updated!.events.flatMap(event =>
      event.kind === 'record' && event.sealed?.secret === 'client_application_traffic_secret_1'
        ? [event.sealed.sequenceNumber]
        : [],
    )
    expect(numbers[0]).toBe(0)
    expect(await text('#states')).toMatch(/sequence_number/)
  })

  it.each(['Flip a bit', 'Drop a record', 'Replay a record'])('9: %s', async title => {
    const broken = (await press(title)).at(-1)!
    expect(alerts(broken).join()).toMatch(/bad_record_mac/)
  })

  it('10: where it moved', async () => {
    const [moved] = await press('A move')
    const answers = moved!.events.flatMap(event =>
      event.kind === 'record' && event.side === 'server' && event.type === 'application_data'
        ? [Buffer.from(event.content, 'hex').toString('latin1')]
        : [],
    )
    const containers = [...answers.join('').matchAll(/x-hotpotato-container: (\S+)/gi)].map(
      ([, name]) => name,
    )
    expect(containers.sort()).toEqual(['echo-1', 'hello-1'])
    const sealed = moved!.events.flatMap(event =>
      event.kind === 'record' && event.side === 'server' && event.sealed !== undefined ? [event.sealed] : [],
    )
    const last = 'server_application_traffic_secret_0'
    const numbers = sealed.filter(one => one.secret === last).map(({ sequenceNumber }) => sequenceNumber)
    expect(numbers).toEqual(numbers.map((_, number) => number))
    expect(sealed.at(-1)!.secret).toBe(last)
  })

  it('has said nothing on the console', () => {
    expect(browser.errors).toEqual([])
  })
})
