import { resolve } from 'node:path'
import { wordsOf } from '../platform/command-words.ts'
import {
  type ForkSettings,
  PROGRAM_MODES,
  type ProgramMode,
  type ProgramSettings,
} from '../platform/program-settings.ts'
import { PYTHON_HTTP_RUNNER, PYTHON_RUNNER } from '../platform/python-runner.ts'
import { parseDuration } from './durations.ts'
import {
  below,
  ConfigError,
  isText,
  key,
  oneOf,
  type Place,
  type Reader,
  reader,
  refuse,
  scalar,
  whole,
} from './readers.ts'

const COMMAND = 'a program and its arguments, as "python3 app.py" or [python3, app.py]'

const command: Reader<readonly string[] | undefined> = reader(
  {
    anyOf: [
      { type: 'string', minLength: 1 },
      { type: 'array', minItems: 1, items: { type: 'string' } },
      { type: 'null' },
    ],
  },
  (value, place) => {
    if (value === undefined || value === null) return undefined
    if (typeof value === 'string' && !value.includes('\0'))
      return wordsOf(value) ?? refuse(place.path, COMMAND, value)
    if (!Array.isArray(value) || value.length === 0) return refuse(place.path, COMMAND, value)
    return value.map((one, index) => {
      const word = typeof one === 'number' || typeof one === 'boolean' ? String(one) : one
      const fine = index === 0 ? isText(word) : typeof word === 'string' && !word.includes('\0')
      return fine ? (word as string) : refuse(place.path, COMMAND, one, `${place.path}.${index}`)
    })
  },
)

const ready = scalar(
  'a path, as /healthz',
  undefined,
  value => (typeof value === 'string' && /^\/[\x21-\x7e]*$/.test(value) ? value : undefined),
  { type: 'string', pattern: '^/[!-~]*$' },
)

/** The keys of a function that is a program. */
export const PROGRAM_KEYS = {
  command: key('The program that is the function, in any language, with its arguments.', command),
  mode: key(
    'How it is asked: over HTTP on PORT (http) or a Unix socket (socket), or a process a request (fork).',
    oneOf(PROGRAM_MODES, undefined),
  ),
  pool: key('With mode: fork, processes that are started ahead and wait.', whole(0, 64, undefined)),
  ready: key('A path that it must answer with 2xx before it counts as ready; by default it listens.', ready),
}

/** What is configured of a program: what only the platform as a whole knows is added by the plan. */
export interface ProgramConfig {
  readonly mode: ProgramMode
  readonly command: readonly string[]
  readonly directory: string
  readonly ready: string | undefined
  readonly fork: Omit<ForkSettings, 'outputBytes'>
}

/** What runs the templates of OpenFaaS for Python, and how that is asked. */
const PYTHON: Readonly<Record<string, readonly [runner: string, mode: ProgramMode]>> = {
  python: [PYTHON_RUNNER, 'fork'],
  python3: [PYTHON_RUNNER, 'fork'],
  'python3-debian': [PYTHON_RUNNER, 'fork'],
  'python3-http': [PYTHON_HTTP_RUNNER, 'socket'],
  'python3-http-debian': [PYTHON_HTTP_RUNNER, 'socket'],
}
/** Those whose `fprocess` is a command: the others have a watchdog of their own. */
const SPOKEN = /^(|dockerfile|bash|python3|python3-debian|python)$/
/** Processes at work at once, unless there is another bound. */
const MOST = 32

/** The part of a function that matters here. */
export interface ProgramKeys {
  readonly lang?: string | undefined
  readonly command: readonly string[] | undefined
  readonly mode: ProgramMode | undefined
  readonly pool: number | undefined
  readonly ready: string | undefined
  readonly environment: Readonly<Record<string, string>>
  readonly maxInflight?: number | undefined
}

/**
 * The program that a function is; undefined if it is a module. What `command` does not say, `fprocess` in its
 * environment does, as with OpenFaaS's classic watchdog, whose other variables count as well.
 * @param handler as it was given: the folder in which the program is started @throws ConfigError
 */
export function programOf(keys: ProgramKeys, handler: unknown, place: Place): ProgramConfig | undefined {
  const { lang = '', environment, mode, ready, pool } = keys
  const { fprocess = '' } = environment
  const spoken = SPOKEN.test(lang) ? wordsOf(fprocess) : undefined
  const [runner, asked = 'fork'] = (Object.hasOwn(PYTHON, lang) && PYTHON[lang]) || []
  const python = runner === undefined ? undefined : ['python3', '-c', runner]
  const command = keys.command ?? spoken ?? python
  if (command === undefined) {
    for (const [name, value] of Object.entries({ mode, ready, pool }))
      if (value !== undefined) alone(below(place, name).path)
    return undefined
  }
  if (command === python && (mode === 'fork') !== (asked === 'fork') && mode !== undefined)
    refuse(
      below(place, 'mode').path,
      `${asked === 'fork' ? 'fork' : 'socket or http'} with lang: ${lang}`,
      mode,
    )
  // A template has a folder; without one, that of the file counts.
  const folder = isText(handler) ? handler : lang === '' ? '.' : place.functionName!
  const directory = resolve(place.directory, folder)
  const fork = forkOf(keys, place)
  return { mode: mode ?? (keys.command === undefined ? asked : 'http'), command, directory, ready, fork }
}

function alone(path: string): never {
  throw new ConfigError(`${path} is for a function with a command`, path)
}

function forkOf({ environment, pool = 0, maxInflight }: ProgramKeys, place: Place): ProgramConfig['fork'] {
  const {
    exec_timeout,
    write_timeout,
    content_type,
    combine_output,
    cgi_headers,
    max_inflight,
    write_debug,
  } = environment
  const bound = maxInflight || Number(max_inflight) || MOST
  const time = seconds(exec_timeout, 'exec_timeout', place) || seconds(write_timeout, 'write_timeout', place)
  return {
    pool,
    most: Number.isInteger(bound) && bound > 0 ? bound : MOST,
    timeMilliseconds: time * 1000,
    contentType: content_type === '' ? undefined : content_type,
    combineOutput: isTrue(combine_output, false),
    writeDebug: isTrue(write_debug, false),
    cgiHeaders: isTrue(cgi_headers, true),
  }
}

/** As the watchdog reads them. */
function isTrue(text: string | undefined, fallback: boolean): boolean {
  return text === undefined || text === '' ? fallback : text === 'true' || text === '1'
}

/** Seconds, as a number or a duration of Go's; 0 for what is none. */
function seconds(text: string | undefined, name: string, place: Place): number {
  if (text === undefined || text === '') return 0
  const read = /^\d{1,9}$/.test(text) ? Number(text) : parseDuration(text)
  const path = below(below(place, 'environment'), name).path
  if (read === undefined)
    place.warnings.push({ path, text: `${path} is no duration, as 30 or "1m30s", and is ignored` })
  return read ?? 0
}

/** Bytes that a process may write for one request. */
export const OUTPUT_BYTES = 16_777_216
/** The part of a container's time to become ready that its program has. */
const START_SHARE = 0.8

/** The part of the whole configuration that a program has to know. */
interface Whole {
  readonly runDirectory: string
  readonly liveness: { readonly startSeconds: number }
  readonly restart: { readonly firstSeconds: number; readonly mostSeconds: number }
}

/** What a container is told of its program; undefined if its function is a module. */
export function programSettings(
  { program }: { readonly program: ProgramConfig | undefined },
  { runDirectory, liveness, restart }: Whole,
): ProgramSettings | undefined {
  if (program === undefined) return undefined
  return {
    ...program,
    runDirectory,
    startMilliseconds: liveness.startSeconds * 1000 * START_SHARE,
    restart: { first: restart.firstSeconds * 1000, most: restart.mostSeconds * 1000 },
    fork: { ...program.fork, outputBytes: OUTPUT_BYTES },
  }
}
