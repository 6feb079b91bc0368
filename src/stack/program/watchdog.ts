import { parseDuration } from '../../platform/durations.ts'
import type { ProgramMode } from '../../platform/program-settings.ts'
import { below, type Place } from '../readers.ts'

/**
 * What a variable of OpenFaaS's watchdogs, the classic one and of-watchdog, is here: `read`, or what is to be
 * said to those who set it.
 */
type Meaning = 'read' | { readonly why: string; readonly unless?: RegExp }

const OFF = /^(false|0|)$/
const unless = (why: string, silent: RegExp): Meaning => ({ why, unless: silent })

/** Every variable that one of them reads; docs/programs.md has the same table for people. */
export const WATCHDOG: Readonly<Record<string, Meaning>> = {
  fprocess: 'read',
  function_process: 'read',
  mode: 'read',
  upstream_url: 'read',
  http_upstream_url: 'read',
  exec_timeout: 'read',
  write_timeout: 'read',
  max_inflight: 'read',
  content_type: 'read',
  cgi_headers: 'read',
  combine_output: 'read',
  write_debug: 'read',
  marshal_request: 'read',
  http_buffer_req_body: 'read',
  buffer_http: 'read',
  ready_path: 'read',
  read_timeout: { why: 'connection.timers.requestBody says how long content is waited for' },
  healthcheck_interval: { why: 'what is to go takes no more requests at once' },
  port: { why: 'the program is told in PORT where to listen, and clients come to the ports of gateway' },
  metrics_port: { why: 'admin.port says where metrics are' },
  static_path: { why: 'the shipped function files shows a directory' },
  suppress_lock: unless('there is no lock file', /^(true|1|)$/),
  log_buffer_size: { why: 'a line of more than 16384 bytes is logged in pieces' },
  prefix_logs: unless('each line is an entry of the log, with its time and its process', OFF),
  log_call_id: unless('entries of mode: fork have the call in callId', OFF),
  debug_headers: unless('write_debug and accessLog say what is logged', OFF),
  jwt_auth: unless('NO request is authenticated; clientAuthorities asks for certificates', OFF),
  jwt_auth_local: unless('NO request is authenticated; clientAuthorities asks for certificates', OFF),
  jwt_auth_debug: unless('there is no such authentication', OFF),
}

/** Modes of of-watchdog that there are here. */
const MODES: Readonly<Record<string, ProgramMode>> = { http: 'http', streaming: 'fork', serializing: 'fork' }

/** What OpenFaaS's variables say of a function, as far as that is not read elsewhere. */
export interface WatchdogWords {
  readonly mode: ProgramMode | undefined
  /** Where the program listens, whatever PORT says. */
  readonly port: number | undefined
  /** The content of a request is gathered before the program gets it. */
  readonly bufferContent: boolean
  /** The content is told as JSON, with the fields. */
  readonly marshal: boolean
  readonly ready: string | undefined
  /** That the function has, and what says so; undefined: as all have. */
  readonly time: { readonly seconds: number; readonly key: string } | undefined
}

type Variables = Readonly<Record<string, string>>

/** Says something of a variable: where it stands, in the stack file or in the file that has it. */
export type Remarker = (name: string, text: string) => void

/** @param filed where variables stand that come out of files */
export function remarker(place: Place, filed: Variables): Remarker {
  return (name, text) => {
    const { path } = below(below(place, 'environment'), name)
    const at = Object.hasOwn(filed, name) ? { at: filed[name]! } : {}
    place.warnings.push({ path, text: `${path} ${text}`, ...at })
  }
}

/**
 * Reads them, and remarks on those that mean nothing here.
 * @param spoken whether the command is one of them: then how it is asked is, too
 */
export function watchdogWords(environment: Variables, remark: Remarker, spoken: boolean): WatchdogWords {
  for (const [name, meaning] of Object.entries(WATCHDOG)) {
    const value = environment[name]
    if (value === undefined || meaning === 'read' || meaning.unless?.test(value) === true) continue
    remark(name, `means nothing here: ${meaning.why}`)
  }
  const mode = spoken ? modeOf(environment.mode, remark) : undefined
  return {
    mode,
    port: mode === 'http' ? portOf(environment, remark) : undefined,
    bufferContent: isTrue(environment.http_buffer_req_body ?? environment.buffer_http, false),
    marshal: isTrue(environment.marshal_request, false),
    ready: pathOf(environment.ready_path, text => remark('ready_path', text)),
    time: timeOf(environment, remark),
  }
}

function modeOf(text: string | undefined, remark: Remarker): ProgramMode | undefined {
  if (text === undefined || text === '') return undefined
  if (Object.hasOwn(MODES, text)) return MODES[text]
  remark('mode', `is ignored: ${JSON.stringify(text)} is none of ${Object.keys(MODES).join(', ')}`)
  return undefined
}

function portOf(environment: Variables, remark: Remarker): number | undefined {
  const name = environment.upstream_url ? 'upstream_url' : 'http_upstream_url'
  const text = environment[name]
  if (text === undefined || text === '') return undefined
  const url = /^https?:\/\//.test(text) ? text : `http://${text}`
  const { protocol, hostname, port, pathname } = URL.canParse(url) ? new URL(url) : new URL('none:')
  const here = /^(127\.\d+\.\d+\.\d+|localhost|0\.0\.0\.0|\[::1?\])$/.test(hostname)
  if (protocol === 'http:' && here && pathname === '/') return Number(port) || 80
  remark(name, 'is ignored: it must be http://127.0.0.1:PORT, where the program listens')
  return undefined
}

/** A path that is asked of the program; undefined also for the two that the platform answers. */
export function pathOf(text: string | undefined, remark: (text: string) => void): string | undefined {
  if (text === undefined || text === '' || text === '/_/ready' || text === '/_/health') return undefined
  if (/^\/[\x21-\x7e]*$/.test(text)) return text
  remark(`is ignored: it must be a path, as /healthz, not ${JSON.stringify(text)}`)
  return undefined
}

function timeOf(environment: Variables, remark: Remarker): WatchdogWords['time'] {
  for (const name of ['exec_timeout', 'write_timeout']) {
    const seconds = secondsOf(environment[name], text => remark(name, text))
    if (seconds > 0) return { seconds, key: `environment.${name}` }
  }
  return undefined
}

/** Seconds, as a number or a duration of Go's; 0 for what is none. */
export function secondsOf(text: string | undefined, remark: (text: string) => void): number {
  if (text === undefined || text === '') return 0
  const read = /^\d{1,9}$/.test(text) ? Number(text) : parseDuration(text)
  if (read === undefined) remark('is no duration, as 30 or "1m30s", and is ignored')
  return read ?? 0
}

/** As the watchdogs read them. */
export function isTrue(text: string | undefined, fallback: boolean): boolean {
  return text === undefined || text === '' ? fallback : text === 'true' || text === '1'
}
