/*
 * What a recording has to look like (docs/recordings.md). It may come from anywhere: the page that shows it
 * depends on what is said here, and on nothing else of it.
 */

/** Connections, events, states and fields at most; more than any recording of ours has. */
const CONNECTIONS = 1024
const EVENTS_AT_MOST = 2 ** 20
const STATES = 1024
const FIELDS_AT_MOST = 2 ** 17
/** Fields within fields, at most. */
const DEEPEST = 64
const DEPTH = `number up to ${DEEPEST}`

/**
 * A shape: a kind of value; a list of such, with its most items; the members of an object, of which one with
 * `?` behind its name may be missing; or what is said of an object that has another shape.
 */
type Shape =
  | string
  | readonly [Shape, number]
  | Readonly<{ [name: string]: Shape }>
  | ((value: object) => Shape)

const BYTES = 'hex'
const AT = { at: 'number' } as const
const FIELD = {
  ...{ offset: 'number', length: 'number', depth: DEPTH, name: 'string', notation: 'string' },
  ...{ 'text?': 'string', 'prefix?': 'number' },
} as const
const FIELDS = { bytes: BYTES, fields: [FIELD, FIELDS_AT_MOST], 'stopped?': 'string' } as const
const STEPS: ReadonlyMap<unknown, Shape> = new Map<unknown, Shape>([
  [
    'HKDF-Extract',
    {
      salt: { from: 'string', bytes: BYTES },
      ...{ hash: 'string', 'from?': 'string', input: { what: 'string', 'bytes?': BYTES } },
    },
  ],
  [
    'HKDF-Expand-Label',
    {
      ...{ hash: 'string', from: 'string', label: 'string', context: { what: 'string', bytes: BYTES } },
      info: FIELDS,
    },
  ],
])
const SEALED = { secret: 'string', sequenceNumber: 'number', padding: 'number' }
const EVENTS: ReadonlyMap<unknown, Shape> = new Map<unknown, Shape>([
  [
    'record',
    {
      ...{ ...AT, side: 'side', index: 'number', bytes: BYTES, type: 'string', content: BYTES },
      'sealed?': SEALED,
    },
  ],
  [
    'message',
    {
      ...{ ...AT, side: 'side', type: 'string', ...FIELDS },
      ...{ 'section?': 'string', 'transcriptHash?': BYTES },
    },
  ],
  ['alert', { ...AT, side: 'side', bytes: BYTES, text: 'string' }],
  [
    'secret',
    {
      ...{ ...AT, name: 'string', secret: BYTES, 'follows?': 'boolean' },
      step: step => STEPS.get((step as { operation?: unknown }).operation) ?? 'an operation of HKDF',
    },
  ],
  ['keys', { ...AT, side: 'side', secret: 'string', aead: 'string', key: BYTES, iv: BYTES }],
  ['gap', { ...AT, side: 'side', length: 'number', reason: 'string', 'bytes?': BYTES }],
])
const STATE = { at: 'number', when: 'string', 'side?': 'side', ...FIELDS } as const
const RECORDING: Shape = {
  ...{ title: 'string', 'unrecorded?': 'number' },
  connections: [
    {
      ...{ title: 'string', side: 'side', leftOut: 'number', keyLog: ['string', EVENTS_AT_MOST] },
      events: [
        event => EVENTS.get((event as { kind?: unknown }).kind) ?? 'an event of a known kind',
        EVENTS_AT_MOST,
      ],
      states: [STATE, STATES],
      'parcels?': [STATE, STATES],
    },
    CONNECTIONS,
  ],
}

/** What is wrong with a recording, and where; undefined: nothing. */
export function faultOf(recording: unknown): string | undefined {
  return faultIn(recording, RECORDING, 'the recording')
}

function faultIn(value: unknown, shape: Shape, where: string): string | undefined {
  if (typeof shape === 'string') return isOf(value, shape) ? undefined : `${where} is not ${shape}`
  if (typeof value !== 'object' || value === null) return `${where} is missing`
  if (typeof shape === 'function') return faultIn(value, shape(value), where)
  if (isList(shape)) return faultInList(value, shape, where)
  for (const [key, inner] of Object.entries(shape)) {
    const name = key.replace('?', '')
    const member = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
    if (member === undefined && key !== name) continue
    const fault = faultIn(member, inner, `${where}: ${name}`)
    if (fault !== undefined) return fault
  }
  return shape === FIELDS || 'fields' in shape ? misfit(value as Annotated, where) : undefined
}

function faultInList(value: object, [shape, most]: readonly [Shape, number], where: string) {
  if (!Array.isArray(value)) return `${where} is no list`
  if (value.length > most) return `${where} has ${value.length} items; ${most} are shown at most`
  for (let index = 0; index < value.length; index++) {
    const fault = faultIn(value[index], shape, `${where}[${index}]`)
    if (fault !== undefined) return fault
  }
  return undefined
}

interface Annotated {
  readonly bytes: string
  readonly fields: readonly { readonly offset: number; readonly length: number; readonly prefix?: number }[]
}

/** A field lies within the bytes that it is of. */
function misfit({ bytes, fields }: Annotated, where: string): string | undefined {
  const index = fields.findIndex(
    ({ offset, length, prefix = 0 }) => prefix > length || offset + length > bytes.length / 2,
  )
  return index < 0 ? undefined : `${where}: fields[${index}] lies beyond the bytes`
}

function isList(shape: Shape): shape is readonly [Shape, number] {
  return Array.isArray(shape)
}

function isOf(value: unknown, kind: string): boolean {
  if (kind === 'hex') return typeof value === 'string' && value.length % 2 === 0 && !/[^0-9a-f]/.test(value)
  if (kind === 'side') return value === 'client' || value === 'server'
  if (kind === 'number') return Number.isSafeInteger(value) && (value as number) >= 0
  if (kind === DEPTH) return isOf(value, 'number') && (value as number) <= DEEPEST
  return (kind === 'string' || kind === 'boolean') && typeof value === kind
}
