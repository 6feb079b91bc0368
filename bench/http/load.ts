import { execFile, execFileSync } from 'node:child_process'
import { BenchError } from '../harness/run.ts'
import { originOf } from './check.ts'
import { isHttp2, type Protocol, type Tool } from './rows.ts'

/** Connections, and requests under way on each over HTTP/2. */
export const CONNECTIONS = { 'HTTP/1.1': 32, 'HTTP/2': 8 } as const
export const STREAMS = 16

/** What a round came to. */
export interface Load {
  readonly requests: number
  readonly seconds: number
}

/**
 * Loads a server for a while: by `wrk` over HTTP/1.1, by `h2load` over HTTP/2, each with one thread, pinned
 * to one CPU.
 * @param alone by one client that waits for each answer
 * @throws BenchError if anything was answered otherwise than with 200, or not at all
 */
export async function load(
  protocol: Protocol,
  port: number,
  seconds: number,
  cpu: number,
  alone = false,
): Promise<Load> {
  const url = `${originOf(protocol, port)}/`
  if (!isHttp2(protocol)) return wrk(url, alone ? 1 : CONNECTIONS['HTTP/1.1'], seconds, cpu)
  const [connections, streams] = alone ? [1, 1] : [CONNECTIONS['HTTP/2'], STREAMS]
  return h2load(url, [`-c${connections}`, `-m${streams}`], seconds, cpu)
}

async function wrk(url: string, connections: number, seconds: number, cpu: number): Promise<Load> {
  // It knows whole seconds alone; by SIGINT it ends earlier, as if they were over.
  const end = ['timeout', '--preserve-status', '-s', 'INT', String(seconds)]
  const words = ['wrk', '-t1', `-c${connections}`, `-d${Math.ceil(seconds) + 1}s`, url]
  const said = await run(cpu, [...end, ...words]).catch((error: Error & { readonly code?: unknown }) => {
    if (error.code !== INTERRUPTED) throw error
    return '0 requests in 0s'
  })
  if (/Non-2xx|Socket errors/.test(said)) throw new BenchError(`wrk saw errors: ${said}`)
  // On a machine that is busy with other things, handshakes alone may take as long.
  if (/\b0 requests in/.test(said) && seconds < PATIENCE) return wrk(url, connections, 2 * seconds, cpu)
  const [, requests, time, unit] = /(\d+) requests in ([\d.]+)(m?s)/.exec(said) ?? []
  return counted(said, requests, unit === 'ms' ? String(Number(time) / 1000) : time)
}

async function h2load(url: string, many: readonly string[], seconds: number, cpu: number): Promise<Load> {
  const words = ['h2load', '-t1', ...many, `-D${seconds * 1000}ms`, url]
  const said = await run(cpu, words)
  const [, done, succeeded, failed, errored] =
    /requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored/.exec(said) ??
    []
  if (failed !== '0' || errored !== '0' || done !== succeeded)
    throw new BenchError(`h2load saw errors: ${said}`)
  if (done === '0' && seconds < PATIENCE) return h2load(url, many, 2 * seconds, cpu)
  return counted(said, done, String(seconds))
}

/** The exit code of a program that SIGINT has ended: it was no further than its start. */
const INTERRUPTED = 130

/** Seconds after which a server that has not answered once is one that does not answer. */
const PATIENCE = 10

function counted(said: string, requests: string | undefined, seconds: string | undefined): Load {
  const load = { requests: Number(requests), seconds: Number(seconds) }
  if (!(load.requests > 0 && load.seconds > 0)) throw new Error(`no figures in: ${said}`)
  return load
}

function run(cpu: number, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('taskset', ['-c', String(cpu), ...words], { timeout: 120_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(Object.assign(new Error(`${words[0]}: ${stderr || error.message}`), { code: error.code }))
    })
  })
}

/** Name and version of a program that loads servers; undefined if it is not there. */
export function versionOf(tool: Tool): string | undefined {
  const said = execFileSync('sh', ['-c', `${tool} --version 2>&1 || true`], { encoding: 'utf8' })
  const [, version] = /(?:wrk|nghttp2)[ /](?:debian\/)?([\d.]+)/.exec(said) ?? []
  return version && `${tool} ${version}`
}
