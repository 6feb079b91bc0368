import { resolve } from 'node:path'
import { CARRIERS, type CarrierName } from '../platform/carrier.ts'
import { isFunctionName } from '../platform/function-name.ts'
import { ACCESS_LOGS } from '../platform/log.ts'
import { RETRIES } from '../platform/retries.ts'
import { normalisePattern } from '../platform/routes.ts'
import { environment, environmentFiles, type FiledVariable, labels, readVariables } from './environment.ts'
import { files } from './files.ts'
import { ISOLATIONS } from './isolation.ts'
import {
  FOREIGN_FUNCTION_KEYS,
  fprocess,
  lang,
  names,
  resources,
  type ScaleLabels,
  scaleLabels,
} from './openfaas.ts'
import { PROGRAM_KEYS, type ProgramConfig, type Runtime, runtimeOf } from './program/program.ts'
import { asynchronous } from './queue.ts'
import {
  asMap,
  below,
  ConfigError,
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
  show,
  truth,
  whole,
} from './readers.ts'
import { MOST_REPLICAS, type Replicas, replicas } from './replicas.ts'
import { isSealedPython, sealed, sealedAlone } from './sealed.ts'

/** Where the key of a certificate is. */
const KEY_PLACES = ['container', 'signer'] as const

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

/** Every key that a function may have: what it is for, what it may be, and what it is by default. */
export const FUNCTION_KEYS = {
  lang: key('The template that it is written for, as node22.', lang),
  handler: key(
    'A shipped function, the path of a module, or the folder that it is in; by default its own name.',
    handler,
  ),
  hosts: key(
    'Host names, some perhaps with * as first label; by default NAME.local and NAME.localhost.',
    hosts(place => [`${nameOf(place)}.local`, `${nameOf(place)}.localhost`]),
  ),
  certificate: key('The name of its certificate; by default its own.', certificate),
  files: key('A directory that the shipped function `files` shows: its path, or { directory, html }.', files),
  keys: key(
    'Where the key of its certificate is: in its containers, or in a process of its own, the signer.',
    oneOf(KEY_PLACES, 'container'),
  ),
  replicas: key('Containers that serve it: a number, or { min, max, connections }.', replicas),
  environment: key('Variables that are given to the function, as `env` and in process.env.', environment),
  environment_file: key(
    'Files with lines KEY=VALUE, which go before environment, and the later before the earlier.',
    environmentFiles,
  ),
  secrets: key('Names of secrets that are given to it as files.', names),
  labels: key('Of these, com.openfaas.scale.min, max, zero and zero-duration mean something.', labels),
  annotations: key('Words for tools.', labels),
  limits: key('The most memory and processor time of one container.', resources),
  requests: key('Memory and processor time of one container that are set aside.', resources),
  readonly_root_filesystem: key(
    'Whether its file system is read-only but for /tmp: it is at sandbox and oci, whatever this says.',
    truth(undefined),
  ),
  idle: key('Without work for so long, it sleeps: it has no process; 0: never.', seconds(0, 604_800, 0)),
  isolation: key('How its containers are kept apart from the rest.', oneOf(ISOLATIONS, 'process')),
  carrier: key('How its connections reach it; by default as all do.', oneOf(CARRIERS, undefined)),
  duplicate: key('Whether the gateway keeps a copy of its sockets; by default as all.', truth(undefined)),
  retries: key(
    'Which of its requests are begun a second time after a container died over them.',
    oneOf(RETRIES, 'idempotent'),
  ),
  async: key('How its asynchronous calls are tried again.', asynchronous),
  maxInflight: key(
    'Requests that one of its containers works on at once; further ones get 429. 0: any number.',
    whole(0, 1_000_000, undefined),
  ),
  accessLog: key(
    'What is logged of each of its calls: nothing, or a line in the common format or JSON.',
    oneOf(ACCESS_LOGS, 'off'),
  ),
  clientAuthorities: key(
    'A file of authorities (PEM): its clients must show a certificate of theirs.',
    path('the path of a file with certificates', undefined),
  ),
  ...PROGRAM_KEYS,
  fprocess,
  sealed: key('It is a bundle: each request has to bring the key.', sealed),
  ...FOREIGN_FUNCTION_KEYS,
}

/** What is configured of one function. Durations in seconds, sizes in bytes, paths absolute. */
export interface FunctionConfig extends KeyValues<typeof FUNCTION_KEYS> {
  readonly name: string
  /** Whether the configuration names its hosts; otherwise they are `NAME.local` and `NAME.localhost`. */
  readonly namesHosts: boolean
  /** Variables that come out of `environment_file`, and where each stands there. */
  readonly filed: Readonly<Record<string, string>>
  /** The program that it is; undefined: it is a module. */
  readonly program: ProgramConfig | undefined
  /** That it has, and what says so; undefined: what `connection.timers.handler` says. */
  readonly time: Runtime['time']
  /** What holds for one process a request of a sealed function in Python. */
  readonly sealedFork: ProgramConfig['fork'] | undefined
}

const keys = section(FUNCTION_KEYS)
/** The shipped function that shows a directory. */
const FILES = 'files'

/** What an editor is told of one function. */
export const FUNCTION_SCHEMA = keys.schema

/**
 * Reads one function. `environment` is what it gets: what its files say, too.
 * @throws ConfigError
 */
export function readFunction(name: string, value: unknown, place: Place): FunctionConfig {
  if (Object.hasOwn(FUNCTION_KEYS, name) && value !== undefined && value !== null && !(value instanceof Map))
    throw new ConfigError(
      `${place.path} must be a map of keys and values, not ${show(value)}: ` +
        `if ${name} is meant as a key of a function, indent it below that function's name`,
      place.path,
    )
  const given: ReadonlyMap<unknown, unknown> = asMap(value, place)
  const read = keys(value, { ...place, functionName: name })
  sealedAlone(read, given, place)
  remarkOnRoot(read, place)
  const files = read.environment_file.flatMap((file, index) => variablesOf(file, index, place))
  const scale = scaleLabels(read.labels, below(place, 'labels').path, MOST_REPLICAS)
  const environment = Object.fromEntries([
    ...(read.fprocess === undefined ? [] : [['fprocess', read.fprocess] as const]),
    ...Object.entries(read.environment),
    ...files.map(one => [one.name, one.value] as const),
  ])
  const filed = Object.fromEntries(files.map(one => [one.name, one.at]))
  const runtime = { ...read, environment, filed }
  const { program, time } = runtimeOf(runtime, given.get('handler'), { ...place, functionName: name })
  return {
    name,
    namesHosts: Array.isArray(given.get('hosts')),
    ...read,
    handler: handlerOf(name, given.get('handler'), read, place),
    idle: given.get('idle') === undefined ? (scale.idleSeconds ?? read.idle) : read.idle,
    replicas: given.get('replicas') === undefined ? labelled(read.replicas, scale) : read.replicas,
    environment,
    program: read.sealed === undefined ? program : undefined,
    time,
    sealedFork: isSealedPython(read) ? program?.fork : undefined,
    filed,
  }
}

/** What a level does for all is not a function's to choose. */
function remarkOnRoot(
  {
    readonly_root_filesystem: asked,
    isolation,
  }: Pick<FunctionConfig, 'readonly_root_filesystem' | 'isolation'>,
  place: Place,
): void {
  const isReadOnly = isolation === 'sandbox' || isolation === 'oci'
  if (asked === undefined || asked === isReadOnly) return
  const { path } = below(place, 'readonly_root_filesystem')
  const why = isReadOnly
    ? 'where the file system is always read-only, but for /tmp'
    : 'where a function may write as its user may; isolation: sandbox or oci keeps it from that'
  place.warnings.push({ path, text: `${path}: ${asked} has no effect at the level ${isolation}, ${why}` })
}

/** @throws ConfigError the function `files` has nothing to show */
function handlerOf(
  name: string,
  given: unknown,
  read: Pick<FunctionConfig, 'handler' | 'lang' | 'files' | 'sealed'>,
  place: Place,
): string {
  if (read.files !== undefined && given !== undefined && given !== null && read.handler !== FILES) {
    const { path } = below(place, 'files')
    throw new ConfigError(`${path}: handler: ${FILES} shows a directory, and this function has another`, path)
  }
  // A bundle has no folder.
  if (read.lang !== undefined && read.sealed === undefined) return folderOf(name, given, read, place)
  if (read.files !== undefined && (given === undefined || given === null)) return FILES
  if (read.handler === FILES && read.files === undefined)
    return refuse(`${place.path}.files`, 'the path of the directory that it shows', null, place.path)
  return read.handler
}

/** With a template, a handler is a path, also if it looks like the name of a shipped function. */
function folderOf(name: string, given: unknown, read: { readonly handler: string }, place: Place): string {
  return isFunctionName(read.handler) ? resolve(place.directory, isText(given) ? given : name) : read.handler
}

function labelled({ start, min, max }: Replicas, labels: ScaleLabels): Replicas {
  const least = labels.min ?? min
  return { start: labels.min ?? start, min: least, max: Math.max(least, labels.max ?? max) }
}

function variablesOf(file: string, index: number, place: Place): FiledVariable[] {
  const path = `${place.path}.environment_file.${index}`
  const whole = resolve(place.directory, file)
  let text: string
  try {
    text = place.readText(whole)
  } catch (error) {
    // It is called as the stack file calls it.
    const said = (error as Error).message.replace(whole, file)
    throw new ConfigError(`${below(place, 'environment_file').path}: ${said}`, path)
  }
  return readVariables(text, file, place)
}

/** How connections reach a function. @param all what holds where it does not say so itself */
export function carrierOf(
  one: Pick<FunctionConfig, 'carrier' | 'duplicate'>,
  all: { readonly carrier: (typeof CARRIERS)[number]; readonly duplicate: boolean },
): CarrierName {
  const carrier = one.carrier ?? all.carrier
  return carrier === 'fd' && (one.duplicate ?? all.duplicate) ? 'duplicate' : carrier
}
