import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Host } from '../../src/containers/process/host.ts'
import { H1Server } from '../../src/http/h1/index.ts'
import { Session } from '../../src/tls13/index.ts'
import { Courier } from '../../src/transfer/courier.ts'
import { probe } from '../../src/transfer/native/libc.ts'
import { Sealer } from '../../src/transfer/seal.ts'
import { RawStream } from '../../src/transfer/streams/raw.ts'
import twice from '../rig/functions/twice-raw.ts'

/** The moments that are noted, in a container. Their numbers are what is kept. */
export const MARKS = [
  'feed',
  'opened',
  'request',
  'routed',
  'lift',
  'send',
  'seal',
  'sealed',
  'sent',
  'receive',
  'received',
  'open',
  'open-done',
  'take',
  'restore',
  'restored',
  'handle',
  'handled',
  'encrypt',
  'encrypted',
  'write',
  'written',
] as const
export type Mark = (typeof MARKS)[number]

/** One moment: nanoseconds of the clock that all processes of a machine share (CLOCK_MONOTONIC). */
export interface Moment {
  readonly mark: Mark
  readonly at: number
}

/** Moments kept until the bench asks: older ones give way. */
const ROOM = 1 << 17
/** Asks a process to write its moments down. */
export const ASK = 'SIGUSR2'

const NUMBER = new Map(MARKS.map((mark, index) => [mark, index]))

/**
 * Notes from now on when this process passes the points between the stages of a request and of a move, by
 * wrapping public methods. Asked by {@link ASK}, it writes them to `marks-NAME` and begins anew.
 */
export function noteMarks(directory: string, name: string): void {
  const which = new Uint8Array(ROOM)
  const when = new Float64Array(ROOM)
  let count = 0
  const note = (mark: Mark): void => {
    const at = count++ % ROOM
    which[at] = NUMBER.get(mark)!
    when[at] = Number(process.hrtime.bigint())
  }
  wrapSessions(note)
  wrapTransfer(note)
  process.on(ASK, () => {
    const kept = Math.min(count, ROOM)
    const lines = Array.from({ length: kept }, (_, i) => {
      const at = (count - kept + i) % ROOM
      return `${which[at]} ${when[at]}`
    })
    count = 0
    const file = join(directory, `marks-${name}`)
    writeFileSync(`${file}.part`, lines.join('\n'))
    renameSync(`${file}.part`, file)
  })
}

/** What {@link noteMarks} has written. @returns undefined if it is not there (yet) */
export function readMarks(directory: string, name: string): Moment[] | undefined {
  let text: string
  try {
    text = readFileSync(join(directory, `marks-${name}`), 'utf8')
  } catch {
    return undefined
  }
  return text
    .split('\n')
    .filter(line => line !== '')
    .map(line => {
      const [mark, at] = line.split(' ').map(Number) as [number, number]
      return { mark: MARKS[mark]!, at }
    })
}

type Note = (mark: Mark) => void
// biome-ignore lint/suspicious/noExplicitAny: whatever the method takes goes through unseen
type Method = (...args: any[]) => any

/** Puts marks before and after a method, the latter perhaps only if what it returned is of interest. */
function around<K extends PropertyKey>(
  owner: Record<K, Method>,
  name: K,
  before: (() => void) | undefined,
  after?: (result: unknown) => void,
): void {
  const inner = owner[name]
  owner[name] = function (this: unknown, ...args: unknown[]): unknown {
    before?.()
    const result = inner.apply(this, args)
    after?.(result)
    return result
  }
}

function methods(prototype: object): Record<string, Method> {
  return prototype as unknown as Record<string, Method>
}

function typeOf(event: unknown): string | undefined {
  return (event as { readonly type?: string } | undefined)?.type
}

function wrapSessions(note: Note): void {
  const session = methods(Session.prototype)
  around(session, 'feed', () => note('feed'))
  around(session, 'next', undefined, event => {
    if (typeOf(event) === 'application_data') note('opened')
  })
  around(session, 'send', () => note('encrypt'))
  around(session, 'takeOutput', undefined, output => {
    if ((output as readonly unknown[]).length > 0) note('encrypted')
  })
  around(
    methods(Session),
    'restore',
    () => note('restore'),
    () => note('restored'),
  )
  around(methods(H1Server.prototype), 'next', undefined, event => {
    if (typeOf(event) === 'request') note('request')
  })
  around(
    methods(twice),
    'handle',
    () => note('handle'),
    () => note('handled'),
  )
  around(methods(Host.prototype), 'ownerOf', undefined, () => note('routed'))
  const stream = methods(RawStream.prototype)
  around(
    stream,
    'write',
    () => note('write'),
    () => note('written'),
  )
  around(stream, 'lift', () => note('lift'))
}

function wrapTransfer(note: Note): void {
  around(methods(Courier.prototype), 'send', () => note('send'))
  const sealer = methods(Sealer.prototype)
  around(
    sealer,
    'seal',
    () => note('seal'),
    () => note('sealed'),
  )
  around(
    sealer,
    'open',
    () => note('open'),
    () => note('open-done'),
  )
  around(methods(Host.prototype), 'take', () => note('take'))
  const native = probe()
  if (!native.available) return
  const libc = methods(native.libc)
  around(libc, 'sendMessage', undefined, () => note('sent'))
  around(
    libc,
    'receiveMessage',
    () => note('receive'),
    () => note('received'),
  )
}
