import { resolve } from 'node:path'
import { CARRIERS, type CarrierName } from '../platform/carrier.ts'
import { isFunctionName } from '../platform/function-name.ts'
import { RETRIES } from '../platform/retries.ts'
import { normalisePattern } from '../platform/routes.ts'
import {
  asMap,
  below,
  type Fallback,
  isText,
  type KeyValues,
  key,
  oneOf,
  type Place,
  path,
  type Reader,
  reader,
  refuse,
  scalar,
  seconds,
  section,
  truth,
} from './readers.ts'
import { replicas } from './replicas.ts'

const nameOf = ({ functionName }: Place): string => functionName!

const handler = scalar(
  'the name of a shipped function or the path of a module',
  nameOf,
  (value, place) => {
    if (!isText(value)) return undefined
    if (isFunctionName(value)) return value
    return /[/\\.]/.test(value) ? resolve(place.directory, value) : undefined
  },
  { type: 'string', minLength: 1 },
)

const certificate = scalar(
  'the name of a certificate: 1 to 63 of a-z, 0-9 and -',
  nameOf,
  value => (typeof value === 'string' && /^[a-z0-9-]{1,63}$/.test(value) ? value : undefined),
  { type: 'string', pattern: '^[a-z0-9-]{1,63}$' },
)

function hosts(fallback: Fallback<readonly string[]>): Reader<readonly string[]> {
  const allowed = 'host names, as echo.local or "*.echo.local"'
  return reader({ type: ['array', 'null'], items: { type: 'string' } }, (value, place) => {
    if (value === undefined || value === null)
      return typeof fallback === 'function' ? fallback(place) : fallback
    if (!Array.isArray(value)) return refuse(place.path, `a list of ${allowed}`, value)
    const names = value.map((one, index) => {
      const host = typeof one === 'string' ? normalisePattern(one) : undefined
      return host ?? refuse(place.path, allowed, one, `${place.path}.${index}`)
    })
    return [...new Set(names)]
  })
}

/** A map from names to text; numbers and truth values are taken as text. */
const texts: Reader<Readonly<Record<string, string>>> = reader(
  { type: ['object', 'null'], additionalProperties: { type: ['string', 'number', 'boolean'] }, default: {} },
  (value, place) => {
    const entries = [...asMap(value, place)].map(([name, one]) => {
      if (!['string', 'number', 'boolean'].includes(typeof one))
        refuse(below(place, String(name)).path, 'a text, a number or true or false', one)
      return [String(name), String(one)] as const
    })
    return Object.fromEntries(entries)
  },
)

/** Every key that a function may have: what it is for, what it may be, and what it is by default. */
export const FUNCTION_KEYS = {
  handler: key('A shipped function, or the path of a module; by default its own name.', handler),
  hosts: key(
    'Host names, some perhaps with * as first label; by default NAME.local and NAME.localhost.',
    hosts(place => [`${nameOf(place)}.local`, `${nameOf(place)}.localhost`]),
  ),
  certificate: key('The name of its certificate; by default its own.', certificate),
  replicas: key('Containers that serve it: a number, or { min, max }, which bounds `scale`.', replicas),
  environment: key('Variables that are given to the function, as `env`.', texts),
  idle: key('Without work for so long, it sleeps: it has no process; 0: never.', seconds(0, 604_800, 0)),
  carrier: key('How its connections reach it; by default as all do.', oneOf(CARRIERS, undefined)),
  duplicate: key('Whether the gateway keeps a copy of its sockets; by default as all.', truth(undefined)),
  retries: key(
    'Which of its requests are begun a second time after a container died over them.',
    oneOf(RETRIES, 'idempotent'),
  ),
  clientAuthorities: key(
    'A file of authorities (PEM): its clients must show a certificate of theirs.',
    path('the path of a file with certificates', undefined),
  ),
}

/** What is configured of one function. Durations in seconds, sizes in bytes, paths absolute. */
export interface FunctionConfig extends KeyValues<typeof FUNCTION_KEYS> {
  readonly name: string
  /** Whether the configuration names its hosts; otherwise they are `NAME.local` and `NAME.localhost`. */
  readonly namesHosts: boolean
}

const keys = section(FUNCTION_KEYS)

/** What an editor is told of one function. */
export const FUNCTION_SCHEMA = keys.schema

/** Reads one function. */
export function readFunction(name: string, value: unknown, place: Place): FunctionConfig {
  const namesHosts = value instanceof Map && Array.isArray(value.get('hosts'))
  return { name, namesHosts, ...keys(value, { ...place, functionName: name }) }
}

/** How connections reach a function. @param all what holds where it does not say so itself */
export function carrierOf(
  one: Pick<FunctionConfig, 'carrier' | 'duplicate'>,
  all: { readonly carrier: (typeof CARRIERS)[number]; readonly duplicate: boolean },
): CarrierName {
  const carrier = one.carrier ?? all.carrier
  return carrier === 'fd' && (one.duplicate ?? all.duplicate) ? 'duplicate' : carrier
}
