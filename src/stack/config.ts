import { resolve } from 'node:path'
import { meant } from '../platform/nearest.ts'
import { QUEUE_FUNCTION } from '../platform/queue-settings.ts'
import { checkAcme } from './acme.ts'
import { ROOT } from './keys.ts'
import {
  below,
  ConfigError,
  MOST_REMARKS,
  type Place,
  type ReadonlyShape,
  type Remark,
  show,
} from './readers.ts'
import { checkTrust } from './trust.ts'
import { baseOf, readText } from './yaml/text.ts'
import { readYaml, valueIn } from './yaml/yaml.ts'

export { parseDuration } from '../platform/durations.ts'
export { carrierOf, type FunctionConfig } from './function.ts'
export { ConfigError } from './readers.ts'

/**
 * What is configured, with the defaults filled in. Durations are in seconds, sizes in bytes, paths absolute.
 */
export interface Config extends ReadonlyShape<typeof ROOT> {}

/** A configuration and what in it was not understood. */
export interface LoadedConfig {
  readonly config: Config
  /** A sentence for each unknown key, with its place. */
  readonly warnings: readonly string[]
  /** The paths of the stack file and of the files that it takes in: none of a function's business. */
  readonly files: readonly string[]
  /**
   * Where the value of a key comes from, as `hotpotato.yml:3:12`, or a variable.
   * @param path keys and indices of lists, joined with dots
   */
  at(path: string): string
  /**
   * The same of a value that is really given: the file with line and column, or the name of the variable.
   * @param path keys, from the root @returns undefined if it is what is taken by default
   */
  from(path: readonly string[]): string | undefined
}

type Variables = Readonly<Record<string, string | undefined>>

/** Remarks on a file that is refused, at most: the fault is what counts. */
const FEW_REMARKS = 3

/** The environment variables that go before the file, and the keys that they set. */
export const ENVIRONMENT: Readonly<Record<string, string>> = {
  HOTPOTATO_RUN_DIR: 'runDirectory',
  HOTPOTATO_CERTS_DIR: 'certificates',
  HOTPOTATO_HOST: 'gateway.host',
  HOTPOTATO_HTTP_PORT: 'gateway.http',
  HOTPOTATO_HTTPS_PORT: 'gateway.https',
  HOTPOTATO_ADMIN_PORT: 'admin.port',
  HOTPOTATO_DEFAULT_FUNCTION: 'gateway.defaultFunction',
  HOTPOTATO_CARRIER: 'carrier',
  HOTPOTATO_REHEARSALS: 'rehearsals',
  HOTPOTATO_DUPLICATE: 'duplicate',
  HOTPOTATO_TEACH: 'teach',
}

/**
 * Reads and judges a configuration file.
 * @param directory where relative paths start; by default that of the file
 * @throws ConfigError it cannot be read, or {@link parseConfig} refuses it
 */
export function loadConfig(file: string, variables: Variables = {}, directory = baseOf(file)): LoadedConfig {
  return parseConfig(readText(file), directory, variables, file)
}

/**
 * The run directory that a file says, also if the rest of it makes no sense, or is hardly YAML.
 * @returns undefined if what it says of that makes no sense
 */
export function loadRunDirectory(file: string, variables: Variables): string | undefined {
  try {
    const place = below(placeOf(baseOf(file), variables), 'runDirectory')
    return ROOT.keys!.runDirectory!(valueIn(readText(file), 'runDirectory'), place) as string
  } catch {
    return undefined
  }
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
  const place = placeOf(directory, variables)
  const remarks = place.warnings
  const at = (path: string): string => place.variables.get(path)?.[0] ?? inFile(path)
  const said = ({ path, text, at }: Remark): string => `${at ?? keyAt(path)}: ${text}`
  try {
    const config = ROOT(root, place)
    checkTogether(config)
    const all = [...remarks, ...foreignKeys(place.foreign)]
    const more = all.length - MOST_REMARKS
    const rest = more > 0 ? [`${file}: and ${more} more remarks like these`] : []
    const from = (path: readonly string[]): string | undefined => origin(root, path, place, at)
    const included = [...config.functions.values()].flatMap(one => one.environment_file)
    const files = [resolve(file), ...included.map(one => resolve(directory, one))]
    return { config, warnings: [...all.slice(0, MOST_REMARKS).map(said), ...rest], files, at, from }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const { path, message } = error
    // A key that is missing may be there, misspelt: then that is what is wrong.
    const misspelt = remarks.find(({ meant }) => meant !== undefined && meant === path)
    if (misspelt !== undefined && keyAt(path!) === file)
      throw new ConfigError(
        `${keyAt(misspelt.path)}: there is no key ${misspelt.path}; did you mean ${path}?`,
      )
    const lead = path === undefined ? message : `${at(path)}: ${message}`
    throw new ConfigError([lead, ...remarks.slice(0, FEW_REMARKS).map(said)].join('; '))
  }
}

/** The root. */
function placeOf(directory: string, variables: Variables): Place {
  return {
    path: '',
    directory,
    warnings: [],
    foreign: [],
    variables: variablesByPath(variables),
    readText,
  }
}

/** Where a value is given, if it is: `files: docs` gives the value of `files.directory`. */
function origin(
  root: unknown,
  path: readonly string[],
  { variables }: Place,
  at: (path: string) => string,
): string | undefined {
  const joined = path.join('.')
  if (variables.has(joined)) return variables.get(joined)![0]
  let value: unknown = root
  for (const [index, key] of path.entries()) {
    if (value !== undefined && value !== null && !(value instanceof Map))
      return at(path.slice(0, index).join('.'))
    value = value?.get(key)
  }
  return value === undefined || value === null ? undefined : at(joined)
}

/** One remark on all of them. @param paths where they stand */
function foreignKeys(paths: readonly string[]): Remark[] {
  if (paths.length === 0) return []
  const names = [...new Set(paths.map(path => path.slice(path.lastIndexOf('.') + 1)))]
  const are = names.length === 1 ? 'is a key of OpenFaaS that means' : 'are keys of OpenFaaS that mean'
  return [{ path: paths[0]!, text: `${names.join(', ')} ${are} nothing here` }]
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
function checkTogether(config: Config): void {
  const { gateway, functions, carrier, tls, trust } = config
  const wrong = (path: string, message: string): never => {
    throw new ConfigError(message, path)
  }
  checkTrust(trust, functions)
  checkAcme(config)
  if (functions.has(QUEUE_FUNCTION))
    wrong(`functions.${QUEUE_FUNCTION}`, `${QUEUE_FUNCTION} is the name of the platform's own queue`)
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
