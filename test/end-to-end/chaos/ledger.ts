import { utf8 } from '../../../src/wire/index.ts'
import { STREAMS } from './stream-function.ts'

/**
 * How a connection reaches its first container: relayed, as the socket itself with a duplicate at the gateway
 * or without one, or without TLS (any of these, and no container can go on after a crash).
 */
export const MODES = ['relay', 'kept', 'fd', 'plain'] as const
export type Mode = (typeof MODES)[number]
export const KINDS = ['h1', 'h2', 'ws', 'curl', 's_client', 'stream1', 'stream2', 'ws2'] as const
export type ClientKind = (typeof KINDS)[number]

/**
 * What became of a request. `interrupted`: a 503 in the same connection, because it is not known whether it
 * had had effects. `unavailable`: another refusal in the same connection. `lost`: its connection ended, or
 * its stream was reset, before it was answered.
 */
export type Outcome = 'answered' | 'interrupted' | 'unavailable' | 'lost'

/** One connection, as its client sees it. */
export interface Connection {
  readonly id: string
  readonly kind: ClientKind
  readonly mode: Mode
  /** The function that it begins with. */
  readonly home: string
  /** The container that answered last. */
  container: string | undefined
  /** Answers of any kind, so far. */
  answers: number
  /** How it ended, if its client had not asked for that, and when. */
  ending: { readonly how: string; readonly at: number } | undefined
  /** Its client has done with it. */
  closed: boolean
}

/** One request. */
export interface Asked {
  readonly id: string
  readonly connection: Connection
  readonly method: string
  readonly functionName: string
  /** What must come back. */
  readonly expected: Uint8Array
  outcome: Outcome | undefined
  /**
   * Times that the client itself may have sent it again: curl does, after a connection that ended without a
   * word.
   */
  sent: number
}

/** Once that a function began with a request, as it wrote it down itself. */
export interface Beginning {
  readonly id: string
  readonly container: string
  readonly index: number
}

/** A container, or the gateway, that died. Milliseconds since 1970. */
export interface Death {
  readonly container: string
  readonly at: number
}

/** Something that was done to containers, and the connections that it met, with their answers until then. */
interface Blow {
  readonly kind: string
  readonly met: readonly { readonly connection: Connection; readonly answers: number }[]
}

/**
 * Milliseconds before its end, and after it, in which a death explains the end of a connection: a verdict
 * alone may take five seconds, and a busy machine makes that more.
 */
const BEFORE = 30_000
const AFTER = 3_000

/** The message of a WebSocket is begun again from what was frozen before it: see {@link FUNCTION}. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'PUT', 'MESSAGE'])
const functionOf = (container: string): string => container.replace(/-\d+$/, '')

/** Every connection and every request of a run, and what is wrong with them. */
export class Ledger {
  readonly connections: Connection[] = []
  readonly requests: Asked[] = []
  readonly violations: string[] = []
  /** Connections that were not opened. */
  notOpened = 0
  readonly #blows: Blow[] = []
  readonly #done = new Map<string, number>()

  connect(kind: ClientKind, mode: Mode, home: string): Connection {
    const id = `${kind}.${mode}.${this.connections.length}`
    const connection = {
      id,
      kind,
      mode,
      home,
      container: undefined,
      answers: 0,
      ending: undefined,
      closed: false,
    }
    this.connections.push(connection)
    return connection
  }

  /** @param body what is sent, and comes back; a number: so many bytes of {@link pattern} come back */
  ask(connection: Connection, method: string, functionName: string, body: Uint8Array | number): Asked {
    const id = `${connection.id}.${this.requests.length}`
    const expected = typeof body === 'number' ? pattern(id, body) : body
    const asked = { id, connection, method, functionName, expected, outcome: undefined, sent: 1 }
    this.requests.push(asked)
    return asked
  }

  /** An answer has come, whole. */
  answer(
    asked: Asked,
    answer: { status: number; id: string | undefined; body: Uint8Array; container: string | undefined },
  ): void {
    const { connection, expected } = asked
    connection.answers++
    connection.container = answer.container ?? connection.container
    if (answer.status === 503 || answer.status === 502) {
      asked.outcome = new TextDecoder().decode(answer.body).includes('it is unknown whether')
        ? 'interrupted'
        : 'unavailable'
      return
    }
    asked.outcome = 'answered'
    if (answer.status !== 200) this.violation(`${asked.id}: status ${answer.status}`)
    else if (answer.id !== asked.id) this.violation(`${asked.id}: the answer to ${answer.id}`)
    else if (Buffer.compare(answer.body, expected) !== 0)
      this.violation(`${asked.id}: ${answer.body.length} bytes that are not the ${expected.length} wanted`)
  }

  /** No answer will come. @param how the connection ended, or undefined if it is only this request */
  lose(asked: Asked, how?: string): void {
    asked.outcome ??= 'lost'
    if (how !== undefined) this.end(asked.connection, how)
  }

  /** A connection ended that its client would have gone on with. */
  end(connection: Connection, how: string): void {
    connection.ending ??= { how, at: Date.now() }
  }

  violation(text: string): void {
    this.violations.push(text)
  }

  /** Something is about to be done to these containers, or to the gateway and so to every connection. */
  blow(kind: string, containers: readonly string[] | 'gateway'): void {
    const concerns = ({ container }: Connection): boolean =>
      containers === 'gateway' ? container !== undefined : containers.includes(container ?? '')
    const met = this.connections
      .filter(one => one.ending === undefined && !one.closed && concerns(one))
      .map(connection => ({ connection, answers: connection.answers }))
    this.#blows.push({ kind, met })
    this.count(kind)
  }

  /** Counts something that was done. */
  count(what: string): void {
    this.#done.set(what, (this.#done.get(what) ?? 0) + 1)
  }

  /**
   * Holds everything against the rules.
   * @param mayRepeat functions that may begin with any request a second time
   */
  audit(
    beginnings: readonly Beginning[],
    deaths: readonly Death[],
    mayRepeat: ReadonlySet<string>,
  ): string[] {
    const begun = grouped(beginnings, ({ id }) => id)
    const found = [...this.violations]
    const unanswered = new Map<Connection, Asked[]>()
    for (const asked of this.requests) {
      const { id, connection, method, functionName, outcome, sent } = asked
      const times = begun.get(id) ?? []
      const survivable = connection.mode === 'relay' || connection.mode === 'kept'
      const again = survivable && (IDEMPOTENT.has(method) || mayRepeat.has(functionName))
      const most = sent * (again ? 2 : 1)
      const where = times.map(({ container }) => container).join(', ')
      if (outcome === undefined) found.push(`${id}: never settled`)
      if (times.length > most) found.push(`${id}: ${method} begun ${times.length} times: ${where}`)
      if (outcome === 'answered' && times.length === 0) found.push(`${id}: answered, and never begun`)
      if (
        outcome === 'unavailable' &&
        times.length > 0 &&
        connection.mode !== 'relay' &&
        connection.kind === 'h1'
      )
        found.push(`${id}: refused, and begun in ${where}`)
      if (outcome !== 'answered') unanswered.set(connection, [...(unanswered.get(connection) ?? []), asked])
    }
    // Answers other than whole ones, too, need a reason, and so does an end.
    for (const connection of this.connections) {
      const { id, ending } = connection
      const asked = unanswered.get(connection) ?? []
      if ((ending === undefined && asked.length === 0) || isExplained(connection, asked, deaths)) continue
      const what = asked.map(({ id, functionName, outcome }) => `${id} for ${functionName} ${outcome}`)
      found.push(
        `${id}: ${ending?.how ?? 'it goes on'}, ${what.join(', ') || 'all answered'}, and none has died`,
      )
    }
    found.push(...this.#indexes(beginnings))
    return found
  }

  /**
   * A request of a connection has one place in it, wherever and however often it is begun, and shares it with
   * none.
   */
  #indexes(beginnings: readonly Beginning[]): string[] {
    const places = new Map<string, string>()
    return beginnings.flatMap(({ id, index }) => {
      if (!/^(h1|ws)\./.test(id)) return []
      const place = `${id.slice(0, id.lastIndexOf('.'))} ${index}`
      const other = places.get(place) ?? id
      places.set(place, other)
      return other === id ? [] : [`${place}: both ${other} and ${id}`]
    })
  }

  /**
   * Connections that something was done to, by what it was and by mode: how many were met, and how many were
   * answered afterwards.
   */
  survivors(): Map<string, { met: number; survived: number }> {
    const table = new Map<string, { met: number; survived: number }>()
    for (const { kind, met } of this.#blows) {
      for (const { connection, answers } of met) {
        const survived = connection.answers > answers
        // Its client closed it before it would have noticed anything.
        if (!survived && connection.ending === undefined) continue
        const key = `${kind} ${connection.mode}`
        const row = table.get(key) ?? { met: 0, survived: 0 }
        table.set(key, { met: row.met + 1, survived: row.survived + Number(survived) })
      }
    }
    return table
  }

  /** The same, of one mode, for several things that were done. */
  survivorsOf(mode: Mode, kinds: readonly string[]): { met: number; survived: number } {
    const rows = kinds.flatMap(kind => this.survivors().get(`${kind} ${mode}`) ?? [])
    const sum = (of: 'met' | 'survived'): number => rows.reduce((total, row) => total + row[of], 0)
    return { met: sum('met'), survived: sum('survived') }
  }

  /** What happened, for people. */
  report(): string {
    const shares = this.survivors()
    const kinds = [...new Set(this.#blows.map(({ kind }) => kind))]
    const cell = (kind: string, mode: Mode): string => {
      const { met, survived } = shares.get(`${kind} ${mode}`) ?? { met: 0, survived: 0 }
      return met === 0 ? '-' : `${survived}/${met} ${Math.round((100 * survived) / met)} %`
    }
    const row = (cells: readonly string[]): string =>
      cells
        .map(one => one.padEnd(18))
        .join('')
        .trimEnd()
    const tally = (of: readonly string[]): string =>
      [...grouped(of, one => one)].map(([what, all]) => `${all.length} ${what}`).join(', ')
    const endings = this.connections.flatMap(({ mode, ending }) => (ending ? [`${mode}: ${ending.how}`] : []))
    return [
      `requests: ${tally(this.requests.map(({ outcome }) => outcome ?? 'open'))}`,
      ...KINDS.map(kind => {
        const mine = this.requests.filter(({ connection }) => connection.kind === kind)
        return `  ${kind}: ${tally(mine.map(({ outcome }) => outcome ?? 'open'))}`
      }),
      `connections: ${this.connections.length}, ${this.notOpened} of them not opened; ` +
        `ended early: ${tally(endings) || 'none'}`,
      `done: ${[...this.#done].map(([what, times]) => `${times} ${what}`).join(', ')}`,
      'connections that went on, of those in the containers concerned:',
      row(['', ...MODES]),
      ...kinds.map(kind => row([kind, ...MODES.map(mode => cell(kind, mode))])),
    ].join('\n')
  }
}

/**
 * Whether a container of a function that the connection had to do with has died at about that time, or the
 * gateway if that had it.
 */
function isExplained(
  { home, mode, container, answers, ending }: Connection,
  asked: readonly Asked[],
  deaths: readonly Death[],
): boolean {
  const functions = new Set([home, functionOf(container ?? ''), ...asked.map(one => one.functionName)])
  if (mode === 'relay' || mode === 'plain' || answers === 0) functions.add('gateway')
  const at = ending?.at
  return deaths.some(
    death =>
      functions.has(functionOf(death.container)) &&
      (at === undefined || (death.at > at - BEFORE && death.at < at + AFTER)),
  )
}

function grouped<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const one of all) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one])
  return groups
}

/** Bytes that follow from an id, as the function makes them: see {@link FUNCTION}. */
export function pattern(id: string, size: number): Uint8Array {
  let state = utf8(id).reduce((sum, byte) => (Math.imul(sum, 31) + byte) >>> 0, 7)
  const bytes = new Uint8Array(size)
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = 97 + ((state >>> 24) % 26)
  }
  return bytes
}

/**
 * The functions of a run, and their WebSockets, which count: they write down that they begin, take their
 * time, and give back what they got, or {@link pattern}.
 */
export const FUNCTION = `
import { appendFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
const begun = new URL('./begun', import.meta.url)
const pattern = (id, size) => {
  let state = [...id].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0, 7)
  const bytes = new Uint8Array(size)
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = 97 + ((state >>> 24) % 26)
  }
  return bytes
}
const begin = (query, { container, requestIndex }) =>
  appendFileSync(begun, query.get('id') + ' ' + container + ' ' + requestIndex + '\\n')
export const webSocket = (socket, { connection: { container } }, state = { count: 0 }) => ({
  async message(data) {
    const { id, sleep, body } = JSON.parse(data)
    begin(new URLSearchParams({ id }), { container, requestIndex: state.count })
    if (sleep > 0) await setTimeout(sleep)
    state.count++
    socket.send(JSON.stringify({ id, count: state.count, container, body }))
  },
  freeze: () => state,
})
`
/** Of the usual kind, with responses in pieces. */
export const USUAL = `${FUNCTION}${STREAMS}
async function* pieces(bytes) {
  for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 4)) {
    yield bytes.subarray(at, at + Math.ceil(bytes.length / 4))
    await setTimeout(30)
  }
}
const answer = async (request, context) => {
  const query = new URL(request.url).searchParams
  begin(query, context.connection)
  const id = query.get('id')
  if (query.has('stream')) return streamOf(query.get('stream'), query, request, context)
  const sent = new Uint8Array(await request.arrayBuffer())
  if (query.has('sleep')) await setTimeout(Number(query.get('sleep')))
  const body = request.method === 'GET' ? pattern(id, Number(query.get('size'))) : sent
  const stream = query.has('pieces') && body.length > 0 ? ReadableStream.from(pieces(body)) : body
  return new Response(stream, { headers: { 'x-id': id, 'content-type': 'text/plain' } })
}
export default { fetch: (request, env, context) => answer(request, context) }
`
/** Of the raw kind. */
export const RAW = `${FUNCTION}
export default {
  async handle(request, context) {
    const query = new URLSearchParams(request.query)
    begin(query, context.connection)
    const id = query.get('id')
    if (query.has('sleep')) await setTimeout(Number(query.get('sleep')))
    const body = request.method === 'GET' ? pattern(id, Number(query.get('size'))) : request.body
    return { status: 200, headers: [['x-id', id], ['content-type', 'text/plain']], body }
  },
}
`
