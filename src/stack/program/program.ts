import { resolve } from 'node:path'
import { wordsOf } from '../../platform/command-words.ts'
import {
  type ForkSettings,
  PROGRAM_MODES,
  type ProgramMode,
  type ProgramSettings,
} from '../../platform/program-settings.ts'
import { PYTHON_HTTP_RUNNER, PYTHON_RUNNER } from '../../platform/python-runner.ts'
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
  whole,
} from '../readers.ts'
import { type Health, health, probePath, probesOf } from './probes.ts'
import { isTrue, remarker, type WatchdogWords, watchdogWords } from './watchdog.ts'

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

/** The keys of a function that is a program. */
export const PROGRAM_KEYS = {
  command: key('The program that is the function, in any language, with its arguments.', command),
  mode: key(
    'How it is asked: over HTTP on PORT (http) or a Unix socket (socket), or a process a request (fork).',
    oneOf(PROGRAM_MODES, undefined),
  ),
  pool: key('With mode: fork, processes that are started ahead and wait.', whole(0, 64, undefined)),
  ready: key(
    'A path that it must answer with 2xx before it counts as ready; by default it listens.',
    probePath,
  ),
  health: key('A path that is asked again and again: a program that fails at it is started anew.', health),
}

/** What is configured of a program: what only the platform as a whole knows is added by the plan. */
export interface ProgramConfig {
  readonly mode: ProgramMode
  readonly command: readonly string[]
  readonly directory: string
  readonly ready: string | undefined
  readonly health: Health | undefined
  /** Where it listens, whatever PORT says; undefined: it listens on PORT. */
  readonly port: number | undefined
  readonly bufferContent: boolean
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
/** Whether its folder has a `handler.py` that a template of OpenFaaS's calls. */
export function callsPython({ command }: Pick<ProgramConfig, 'command'>): boolean {
  return Object.values(PYTHON).some(([runner]) => command[2] === runner)
}

/** Processes at work at once, unless there is another bound. */
const MOST = 32

/** The part of a function that matters here. */
export interface ProgramKeys {
  readonly lang?: string | undefined
  readonly command: readonly string[] | undefined
  readonly mode: ProgramMode | undefined
  readonly pool: number | undefined
  readonly ready: string | undefined
  readonly health: Health | undefined
  readonly environment: Readonly<Record<string, string>>
  /** Where those variables stand that come out of files. */
  readonly filed: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly isolation: string
  readonly maxInflight?: number | undefined
}

/** A program, and what OpenFaaS's variables say of the function. */
export interface Runtime {
  /** undefined: it is a module. */
  readonly program: ProgramConfig | undefined
  /** That the function has, and what says so; undefined: as all have. */
  readonly time: WatchdogWords['time']
}

/** Of a function that has no watchdog. */
const NO_WORDS: WatchdogWords = {
  mode: undefined,
  port: undefined,
  bufferContent: false,
  marshal: false,
  ready: undefined,
  time: undefined,
}

/**
 * The program that a function is, if it is no module. What `command` does not say, `fprocess` in its
 * environment does, as with OpenFaaS's watchdogs, whose other variables count as well, and so do its
 * annotations.
 * @param handler as it was given: the folder in which the program is started @throws ConfigError
 */
export function runtimeOf(keys: ProgramKeys, handler: unknown, place: Place): Runtime {
  const { lang = '', environment, mode, ready, pool, filed, annotations } = keys
  const remark = remarker(place, filed)
  const fprocess = environment.fprocess || environment.function_process || ''
  const spoken = keys.command === undefined && SPOKEN.test(lang) ? wordsOf(fprocess) : undefined
  const [runner, asked = 'fork'] = (Object.hasOwn(PYTHON, lang) && PYTHON[lang]) || []
  const python = runner === undefined ? undefined : ['python3', '-c', runner]
  const command = keys.command ?? spoken ?? python
  // A module of ours may have variables with such names for itself.
  const words =
    command !== undefined || lang !== '' ? watchdogWords(environment, remark, spoken !== undefined) : NO_WORDS
  if (command === undefined) {
    for (const [name, value] of Object.entries({ mode, ready, pool, health: keys.health }))
      if (value !== undefined) alone(below(place, name).path)
    probesOf(annotations, 'module', place)
    return { program: undefined, time: words.time }
  }
  if (command === python && (mode === 'fork') !== (asked === 'fork') && mode !== undefined)
    refuse(
      below(place, 'mode').path,
      `${asked === 'fork' ? 'fork' : 'socket or http'} with lang: ${lang}`,
      mode,
    )
  const program =
    mode ?? (command === spoken ? words.mode : undefined) ?? (keys.command === undefined ? asked : 'http')
  const probes = probesOf(annotations, program === 'fork' ? 'fork' : 'server', place)
  // A template has a folder; without one, that of the file counts.
  const folder = isText(handler) ? handler : lang === '' ? '.' : place.functionName!
  if (words.port !== undefined && !ALONE.test(keys.isolation))
    remark(
      'upstream_url',
      `is the same port in every container, so a deploy or a second one fails: ${LISTEN}`,
    )
  return {
    program: {
      mode: program,
      command,
      directory: resolve(place.directory, folder),
      ready: ready ?? probes.ready ?? words.ready,
      health: keys.health ?? probes.health,
      port: program === 'http' ? words.port : undefined,
      bufferContent: words.bufferContent,
      fork: forkOf(keys, words.marshal),
    },
    time: words.time,
  }
}

/** Where a container has ports of its own. */
const ALONE = /^(sandbox|oci)$/
const LISTEN = 'let it listen on PORT, or use isolation: sandbox'

function alone(path: string): never {
  throw new ConfigError(`${path} is for a function with a command`, path)
}

function forkOf(
  { environment, pool = 0, maxInflight }: ProgramKeys,
  marshal: boolean,
): ProgramConfig['fork'] {
  const { content_type, combine_output, cgi_headers, max_inflight, write_debug } = environment
  const bound = maxInflight || Number(max_inflight) || MOST
  return {
    pool,
    most: Number.isInteger(bound) && bound > 0 ? bound : MOST,
    contentType: content_type === '' ? undefined : content_type,
    combineOutput: isTrue(combine_output, false),
    writeDebug: isTrue(write_debug, false),
    cgiHeaders: isTrue(cgi_headers, true),
    marshal,
  }
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
  const { health } = program
  return {
    ...program,
    health: health && {
      path: health.path,
      every: health.everySeconds * 1000,
      timeout: health.timeoutSeconds * 1000,
      failures: health.failures,
    },
    runDirectory,
    startMilliseconds: liveness.startSeconds * 1000 * START_SHARE,
    restart: { first: restart.firstSeconds * 1000, most: restart.mostSeconds * 1000 },
    fork: { ...program.fork, outputBytes: OUTPUT_BYTES },
  }
}
