import type { ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import { Lines } from '../platform/lines.ts'
import { Throttle } from '../platform/throttle.ts'
import type { Clock, Timer } from '../time/clock.ts'

/** Takes one line for the log, with its end. Must neither throw nor block. */
export type LogSink = (line: string) => void

/** Bytes of a line that a process writes. */
const LINE_LIMIT = 16_384
/** Seconds' worth of what a process may write that it may write at once. */
const BURST = 16
/**
 * Milliseconds for the last words of a process that has ended, and bytes of each stream: more than its pipe
 * holds. A child of its own may hold the pipe open, and write on.
 */
const LAST_WORDS = 1000
const LAST_BYTES = 524_288
/** Levels of nesting that an entry of the log may have; what is deeper is text, and costs no stack. */
const DEEPEST = 32

/** Whose output it is. */
export interface OutputSource {
  /** As `echo-1`. */
  readonly name: string
  /** The function that it serves; empty for the gateway. */
  readonly functionName: string
}

/**
 * Reads what a process writes on standard output and error, line by line, and hands it to the log. A process
 * that writes more than it may is read more slowly: its pipe fills, and it drops what does not fit (see
 * `own-output.ts`).
 * @param rate bytes a second
 * @returns when all has been read, soon after the process has ended
 */
export async function readOutput(
  child: ChildProcess,
  source: OutputSource,
  rate: number,
  clock: Clock,
  sink: LogSink,
): Promise<void> {
  const { stdout, stderr } = child
  // There are none if it could not be started.
  if (!stdout || !stderr) return
  const throttle = new Throttle(rate, BURST, clock.steady())
  await Promise.all([
    follow(stdout, 'stdout', child, source, throttle, clock, sink),
    follow(stderr, 'stderr', child, source, throttle, clock, sink),
  ])
}

function follow(
  from: Readable,
  stream: 'stdout' | 'stderr',
  child: ChildProcess,
  source: OutputSource,
  throttle: Throttle,
  clock: Clock,
  sink: LogSink,
): Promise<void> {
  const lines = new Lines(LINE_LIMIT)
  let waiting: Timer | undefined
  let ended = false
  let last = LAST_BYTES
  const take = (text: string | undefined): void => {
    if (text !== undefined && text !== '') sink(logLine(text, stream, source, child.pid ?? 0, clock.wall()))
  }
  from.on('data', (bytes: Uint8Array) => {
    for (const line of lines.push(bytes)) take(line)
    if (ended) last -= bytes.length
    if (last < 0) from.destroy()
    const pause = throttle.take(bytes.length, clock.steady())
    if (pause === 0 || ended) return
    from.pause()
    waiting?.stop()
    waiting = clock.after(pause, () => from.resume())
  })
  from.on('error', () => {})
  child.once('exit', () => {
    // What is in the pipe says why the process has ended.
    ended = true
    waiting?.stop()
    from.resume()
    clock.after(LAST_WORDS, () => from.destroy()).unref()
  })
  return new Promise(resolve => {
    from.on('close', () => {
      waiting?.stop()
      take(lines.end())
      resolve()
    })
  })
}

/** Levels of pino: what a function prints is news on standard output, and a warning on standard error. */
const LEVELS = { stdout: 30, stderr: 40 } as const

/**
 * One line for the log. A line that is a log entry already keeps what it says, but not whose it is: a
 * function cannot write in another's name. All else is text, and becomes the message of an entry.
 * @param now milliseconds since 1970
 */
export function logLine(
  text: string,
  stream: 'stdout' | 'stderr',
  { name, functionName }: OutputSource,
  pid: number,
  now: number,
): string {
  const entry = text.startsWith('{"level":') ? parsed(text) : undefined
  const whose = functionName === '' ? { name } : { name, function: functionName }
  if (entry !== undefined)
    return `${JSON.stringify({ ...entry, pid, ...('function' in entry ? whose : { name }) })}\n`
  return `${JSON.stringify({ level: LEVELS[stream], time: now, pid, ...whose, stream, msg: text })}\n`
}

function parsed(text: string): object | undefined {
  try {
    const entry = JSON.parse(text) as { readonly level?: unknown }
    return typeof entry.level === 'number' && isShallow(entry, DEEPEST) ? entry : undefined
  } catch {
    return undefined
  }
}

/** Whether a value of JSON has at most so many levels. */
function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  return levels > 0 && Object.values(value).every(one => isShallow(one, levels - 1))
}
