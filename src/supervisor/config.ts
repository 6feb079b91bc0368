import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { CARRIERS, type CarrierName, type CarrierSetting } from '../platform/carrier.ts'
import { isFunctionName } from '../platform/function-name.ts'
import { meant } from '../platform/nearest.ts'
import { RETRIES, type Retries } from '../platform/retries.ts'
import { normalisePattern } from '../platform/routes.ts'
import {
  asMap,
  below,
  ConfigError,
  directory,
  isText,
  oneOf,
  type Place,
  port,
  type Reader,
  type ReadonlyShape,
  type Remark,
  refuse,
  scalar,
  seconds,
  section,
  show,
  truth,
  whole,
} from './settings/readers.ts'
import { readYaml } from './settings/yaml.ts'
import { checkTrust, trust } from './trust.ts'

export { ConfigError, parseDuration } from './settings/readers.ts'

/**
 * What is configured, with the defaults filled in. Durations are in seconds, sizes in bytes, paths absolute.
 */
export interface Config extends ReadonlyShape<typeof ROOT> {}

/** What is configured of one function. */
export interface FunctionConfig {
  readonly name: string
  /** The name of a shipped function, or the path of a module. */
  readonly handler: string
  /** Host names, some perhaps with `*` as first label, as {@link normalisePattern} spells them. */
  readonly hosts: readonly string[]
  /** Whether the configuration names them; otherwise they are `NAME.local` and `NAME.localhost`. */
  readonly namesHosts: boolean
  /** The name of the certificate's files in the directory of the certificates. */
  readonly certificate: string
  /** Containers that serve it. */
  readonly replicas: Replicas
  readonly environment: Readonly<Record<string, string>>
  /** How its connections reach it; undefined: as all do. */
  readonly carrier: CarrierSetting | undefined
  /**
   * Whether the gateway keeps a duplicate of each of its sockets, if they are given away; undefined: as with
   * all.
   */
  readonly duplicate: boolean | undefined
  /** Which of its requests may be begun a second time after a container died over them. */
  readonly retries: Retries
  /**
   * The path of a file with authorities (PEM): its clients must show a certificate of theirs; undefined: they
   * need none.
   */
  readonly clientAuthorities: string | undefined
}

/** How many containers a function starts with, and how few and how many `scale` may ask for. */
export interface Replicas {
  readonly start: number
  readonly min: number
  readonly max: number
}

/** A configuration and what in it was not understood. */
export interface LoadedConfig {
  readonly config: Config
  /** A sentence for each unknown key, with its place. */
  readonly warnings: readonly string[]
  /**
   * Where the value of a key comes from, as `hotpotato.yml:3:12`, or a variable.
   * @param path keys and indices of lists, joined with dots
   */
  at(path: string): string
}

type Variables = Readonly<Record<string, string | undefined>>

/** The environment variables that go before the file, and the keys that they set. */
export const ENVIRONMENT: Readonly<Record<string, string>> = {
  HOTPOTATO_RUN_DIR: 'runDirectory',
  HOTPOTATO_CERTS_DIR: 'certificates',
  HOTPOTATO_HOST: 'gateway.host',
  HOTPOTATO_HTTP_PORT: 'gateway.http',
  HOTPOTATO_HTTPS_PORT: 'gateway.https',
  HOTPOTATO_DEFAULT_FUNCTION: 'gateway.defaultFunction',
  HOTPOTATO_CARRIER: 'carrier',
  HOTPOTATO_REHEARSALS: 'rehearsals',
  HOTPOTATO_DUPLICATE: 'duplicate',
}

/**
 * Reads and judges a configuration file.
 * @param directory where relative paths start; by default that of the file
 * @throws ConfigError it cannot be read, or {@link parseConfig} refuses it
 */
export function loadConfig(
  file: string,
  variables: Variables = {},
  directory = dirname(resolve(file)),
): LoadedConfig {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new ConfigError(`${file} cannot be read (${code ?? String(error)})`)
  }
  return parseConfig(text, directory, variables, file)
}

/**
 * Reads a configuration from YAML.
 * @param directory where relative paths start
 * @param variables the environment
 * @param file its name, for messages
 * @throws ConfigError the text is no YAML, or a value is not one of those allowed
 */
export function parseConfig(
  text: string,
  directory: string,
  variables: Variables = {},
  file = 'hotpotato.yml',
): LoadedConfig {
  const { root, at: inFile, keyAt } = readYaml(text, file)
  const remarks: Remark[] = []
  const place = { path: '', directory, warnings: remarks, variables: variablesByPath(variables) }
  const at = (path: string): string => place.variables.get(path)?.[0] ?? inFile(path)
  const warnings = (): string[] => remarks.map(({ path, text }) => `${keyAt(path)}: ${text}`)
  try {
    const config = ROOT(root, place)
    checkTogether(config)
    return { config, warnings: warnings(), at }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const message = error.path === undefined ? error.message : `${at(error.path)}: ${error.message}`
    // A key that is missing may be there, misspelt.
    throw new ConfigError([message, ...warnings()].join('; '))
  }
}

/** How connections reach a function. */
export function carrierOf(
  one: Pick<FunctionConfig, 'carrier' | 'duplicate'>,
  config: Pick<Config, 'carrier' | 'duplicate'>,
): CarrierName {
  const carrier = one.carrier ?? config.carrier
  return carrier === 'fd' && (one.duplicate ?? config.duplicate) ? 'duplicate' : carrier
}

function variablesByPath(variables: Variables): Place['variables'] {
  const found = new Map<string, readonly [string, string]>()
  for (const [name, path] of Object.entries(ENVIRONMENT)) {
    const value = variables[name]
    if (value !== undefined && value !== '') found.set(path, [name, value])
  }
  return found
}

/** What no key can tell by itself. */
function checkTogether({ gateway, functions, carrier, tls, trust }: Config): void {
  const wrong = (path: string, message: string): never => {
    throw new ConfigError(message, path)
  }
  checkTrust(trust, functions)
  if (tls.tickets.lifetimeSeconds > 100 * tls.tickets.rotationSeconds)
    wrong(
      'tls.tickets.lifetimeSeconds',
      'tls.tickets.lifetimeSeconds must be at most 100 times tls.tickets.rotationSeconds',
    )
  const { defaultFunction, http, https } = gateway
  if (defaultFunction !== undefined && !functions.has(defaultFunction)) {
    const names = [...functions.keys()]
    const allowed = `must be one of the functions (${names.join(', ')}), not ${show(defaultFunction)}`
    wrong('gateway.defaultFunction', `gateway.defaultFunction ${allowed}${meant(defaultFunction, names)}`)
  }
  if (http === https && http !== 0)
    wrong('gateway.https', 'gateway.http and gateway.https must be different ports')
  const owners = new Map<string, string>()
  for (const { name, hosts, duplicate, ...one } of functions.values()) {
    const path = `functions.${name}`
    if (duplicate === true && (one.carrier ?? carrier) === 'relay')
      wrong(`${path}.duplicate`, `${path}.duplicate is for carrier: fd; a relayed connection needs none`)
    for (const host of hosts) {
      const other = owners.get(host)
      if (other !== undefined) wrong(`${path}.hosts`, `${path}.hosts: ${host} belongs to ${other} already`)
      owners.set(host, name)
    }
  }
}

// From here on: every key.

const hostAddress = scalar('an address or a host name to listen on', '127.0.0.1', value =>
  isText(value) && /^[A-Za-z0-9.:%_-]+$/.test(value) ? value : undefined,
)

const version: Reader<1> = scalar('1', 1, value => (value === 1 ? 1 : undefined))

const functionName = scalar('the name of a function', undefined, value =>
  typeof value === 'string' && isFunctionName(value) ? value : undefined,
)

const functions: Reader<ReadonlyMap<string, FunctionConfig>> = (value, place) => {
  const read = new Map<string, FunctionConfig>()
  for (const [key, entry] of asMap(value, place)) {
    const name = String(key)
    if (!isFunctionName(name)) {
      const rule = 'names of 1 to 63 of a-z, 0-9 and -, with no - at either end'
      throw new ConfigError(`${place.path} must have ${rule}, not ${show(name)}`, below(place, name).path)
    }
    read.set(name, functionConfig(name, entry, below(place, name)))
  }
  if (read.size === 0) throw new ConfigError(`${place.path} must have at least one function`, place.path)
  return read
}

function functionConfig(name: string, value: unknown, place: Place): FunctionConfig {
  const fields = section({
    handler: scalar('the name of a shipped function or the path of a module', name, one =>
      handlerOf(one, place),
    ),
    hosts: hosts([`${name}.local`, `${name}.localhost`]),
    certificate: scalar('the name of a certificate: 1 to 63 of a-z, 0-9 and -', name, one =>
      typeof one === 'string' && /^[a-z0-9-]{1,63}$/.test(one) ? one : undefined,
    ),
    replicas,
    environment,
    carrier: oneOf(CARRIERS, undefined),
    duplicate: truth(undefined),
    retries: oneOf(RETRIES, 'idempotent'),
    clientAuthorities: scalar('the path of a file with certificates', undefined, one =>
      isText(one) ? resolve(place.directory, one) : undefined,
    ),
  })
  const namesHosts = value instanceof Map && Array.isArray(value.get('hosts'))
  return { name, namesHosts, ...fields(value, place) }
}

/** `N`: to begin with. `{ min, max }`: min to begin with. */
const replicas: Reader<Replicas> = (value, place) => {
  if (!(value instanceof Map))
    return { start: whole(1, MOST_REPLICAS, 1)(value, place), min: 1, max: MOST_REPLICAS }
  const { min, max } = section({
    min: whole(1, MOST_REPLICAS, 1),
    max: whole(1, MOST_REPLICAS, MOST_REPLICAS),
  })(value, place)
  if (min > max) refuse(below(place, 'min').path, `at most max (${max})`, min)
  return { start: min, min, max }
}
const MOST_REPLICAS = 64

function handlerOf(value: unknown, place: Place): string | undefined {
  if (!isText(value)) return undefined
  if (isFunctionName(value)) return value
  return /[/\\.]/.test(value) ? resolve(place.directory, value) : undefined
}

/** Which there are is for the provider to say; here only what a name can look like. */
const groupNames: Reader<readonly string[] | undefined> = (value, place) => {
  if (value === undefined || value === null) return undefined
  const allowed = 'a list of names of groups, as [X25519MLKEM768, x25519]'
  const names = Array.isArray(value) ? value : refuse(place.path, allowed, value)
  const odd = names.findIndex(one => !isText(one) || !/^[A-Za-z0-9]{1,40}$/.test(one))
  if (odd >= 0) return refuse(place.path, allowed, names[odd], `${place.path}.${odd}`)
  if (names.length === 0) return refuse(place.path, allowed, value)
  return names as string[]
}

function hosts(fallback: readonly string[]): Reader<readonly string[]> {
  const allowed = 'host names, as echo.local or "*.echo.local"'
  return (value, place) => {
    if (value === undefined || value === null) return fallback
    if (!Array.isArray(value)) return refuse(place.path, `a list of ${allowed}`, value)
    const names = value.map((one, index) => {
      const host = typeof one === 'string' ? normalisePattern(one) : undefined
      return host ?? refuse(place.path, allowed, one, `${place.path}.${index}`)
    })
    return [...new Set(names)]
  }
}

const environment: Reader<Readonly<Record<string, string>>> = (value, place) => {
  const entries = [...asMap(value, place)].map(([key, one]) => {
    const name = below(place, String(key)).path
    if (!['string', 'number', 'boolean'].includes(typeof one))
      refuse(name, 'a text, a number or true or false', one)
    return [String(key), String(one)] as const
  })
  return Object.fromEntries(entries)
}

/** A tebibyte. */
const MOST_MEMORY = 2 ** 40

const connectionKeys = section({
  /** The old name of `timers.keepAlive`. */
  idleSeconds: seconds(0.1, 3600, undefined),
  timers: section({
    headers: seconds(0.1, 3600, 10),
    requestBody: seconds(0.1, 3600, 30),
    keepAlive: seconds(0.1, 3600, undefined),
    handler: seconds(0, 86_400, 60),
    container: seconds(0.01, 3600, 5),
  }),
  minimumRate: section({
    bytesPerSecond: whole(0, 1_000_000_000, 240),
    graceSeconds: seconds(0.1, 3600, 30),
  }),
  memoryBytes: whole(0, MOST_MEMORY, 134_217_728),
  http2: truth(true),
  streams: whole(1, 10_000, 128),
  quietSeconds: seconds(0, 60, 0.05),
  requests: whole(1, 1_000_000_000, 100),
  headBytes: whole(256, 1_048_576, 16_384),
  headerFields: whole(1, 10_000, 100),
  bodyBytes: whole(0, 1_073_741_824, 10_485_760),
})

/** What one connection may do, and how long anything on it is waited for; `handler` 0: for ever. */
const connection = (value: unknown, place: Place) => {
  const { idleSeconds, timers, ...limits } = connectionKeys(value, place)
  if (idleSeconds !== undefined && timers.keepAlive !== undefined) {
    place.warnings.push({
      path: `${place.path}.idleSeconds`,
      text:
        'connection.idleSeconds is the old name of connection.timers.keepAlive, ' +
        'which is also set and takes precedence',
    })
  }
  return { ...limits, timers: { ...timers, keepAlive: timers.keepAlive ?? idleSeconds ?? KEEP_ALIVE } }
}
const KEEP_ALIVE = 30

/** Every key there is, with what it may be and what it is by default. */
const ROOT = section({
  version,
  runDirectory: directory('run'),
  certificates: directory('certs'),
  carrier: oneOf(CARRIERS, 'fd'),
  duplicate: truth(false),
  gateway: section({
    host: hostAddress,
    http: port(8080),
    https: port(8443),
    defaultFunction: functionName,
    limits: section({
      connections: whole(1, 1_000_000, 10_000),
      helloBytes: whole(512, 65_536, 16_384),
      helloSeconds: seconds(0.1, 300, 5),
      holdSeconds: seconds(0, 300, 2),
      memoryBytes: whole(0, MOST_MEMORY, 134_217_728),
    }),
  }),
  liveness: section({
    periodSeconds: seconds(0.1, 3600, 2),
    failureSeconds: seconds(1, 3600, 10),
    busySeconds: seconds(1, 3600, 60),
    startSeconds: seconds(1, 3600, 60),
  }),
  log: section({
    maxBytes: whole(4096, 1_073_741_824, 10_485_760),
    files: whole(1, 100, 5),
    bytesPerSecond: whole(1024, 1_073_741_824, 262_144),
  }),
  rehearsals: whole(0, 1_000_000, 6000),
  rehearsalSeconds: seconds(0, 3600, 10),
  restart: section({
    firstSeconds: seconds(0.01, 3600, 0.1),
    mostSeconds: seconds(0.01, 3600, 10),
    healthySeconds: seconds(0.1, 3600, 10),
    crashLoop: whole(2, 1000, 5),
  }),
  tls: section({
    groups: groupNames,
    tickets: section({
      count: whole(0, 16, 2),
      lifetimeSeconds: seconds(1, 604_800, 7200),
      rotationSeconds: seconds(1, 604_800, 3600),
    }),
  }),
  connection,
  trust,
  functions,
})
