import { below, key, type Place, type Reader, reader, scalar, seconds, section, whole } from '../readers.ts'
import { pathOf, secondsOf } from './watchdog.ts'

/** A path of a program's own. */
export const probePath = scalar(
  'a path, as /healthz',
  undefined,
  value => (typeof value === 'string' && /^\/[\x21-\x7e]*$/.test(value) ? value : undefined),
  { type: 'string', pattern: '^/[!-~]*$' },
)

/** How a program is asked whether it is well, in seconds. */
export interface Health {
  readonly path: string
  readonly everySeconds: number
  readonly timeoutSeconds: number
  readonly failures: number
}

/** As Kubernetes has them. */
const EVERY = 10
const TIMEOUT = 1
const FAILURES = 3

const keys = section({
  path: key('The path, as /healthz.', probePath),
  everySeconds: key(
    'From one question to the next; the first comes as long after it is ready.',
    seconds(0.1, 3600, EVERY),
  ),
  timeoutSeconds: key('That it has to answer.', seconds(0.1, 3600, TIMEOUT)),
  failures: key(
    'Questions in a row that it may fail; with that many it is started anew.',
    whole(1, 1000, FAILURES),
  ),
})

/** A path, or a map that has one. */
export const health: Reader<Health | undefined> = reader(
  { anyOf: [probePath.schema, keys.schema] },
  (value, place) => {
    if (value === undefined || value === null) return undefined
    const read =
      value instanceof Map ? keys(value, place) : { ...keys(undefined, place), path: probePath(value, place) }
    const { path, everySeconds, timeoutSeconds, failures } = read
    return path === undefined ? undefined : { path, everySeconds, timeoutSeconds, failures }
  },
  keys,
)

/** What annotations of OpenFaaS say of both questions. */
export interface Probes {
  readonly ready: string | undefined
  readonly health: Health | undefined
}

const PREFIX = /^com\.openfaas\.(ready|health)\.http\.(.*)$/
/** What is read. */
const READ = /^(ready\.path|health\.(path|periodSeconds|timeoutSeconds|failureThreshold))$/
const NOT_READ =
  'means nothing here: a program is asked from its start on whether it is ready, then whether it is well'
/** What is said where there is none to ask. */
const UNASKED = {
  module: 'is for a program that serves HTTP: a module is ready when it has been loaded',
  fork: 'is for a program that serves HTTP: a process for each request is not asked',
}

/**
 * Reads `com.openfaas.ready.http.*` and `com.openfaas.health.http.*`, and remarks on what of them means
 * nothing here.
 */
export function probesOf(
  annotations: Readonly<Record<string, string>>,
  of: 'server' | keyof typeof UNASKED,
  place: Place,
): Probes {
  const remark = (name: string, text: string): void => {
    const { path } = below(below(place, 'annotations'), name)
    place.warnings.push({ path, text: `${path} ${text}` })
  }
  const told: Record<string, string> = {}
  for (const [name, value] of Object.entries(annotations)) {
    const [, kind, what] = PREFIX.exec(name) ?? []
    if (kind === undefined) continue
    if (of === 'server' && READ.test(`${kind}.${what}`)) told[name] = value
    else if (of === 'server') remark(name, NOT_READ)
    // The platform answers these two for every function.
    else if (what === 'path' && !/^\/_\/(ready|health)$/.test(value)) remark(name, UNASKED[of])
  }
  const path = (name: string): string | undefined => pathOf(told[name], text => remark(name, text))
  const number = (what: string, fallback: number): number => {
    const name = `com.openfaas.health.http.${what}`
    return secondsOf(told[name], text => remark(name, text)) || fallback
  }
  const asked = path('com.openfaas.health.http.path')
  const health: Health | undefined =
    asked === undefined
      ? undefined
      : {
          path: asked,
          everySeconds: number('periodSeconds', EVERY),
          timeoutSeconds: number('timeoutSeconds', TIMEOUT),
          failures: Math.ceil(number('failureThreshold', FAILURES)),
        }
  return { ready: path('com.openfaas.ready.http.path'), health }
}
