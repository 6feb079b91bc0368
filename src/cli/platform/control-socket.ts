import { connect, createServer } from 'node:net'
import { basename, dirname } from 'node:path'
import { ConfigError } from '../../stack/readers.ts'
import type { Report, Step } from '../../supervisor/roll-out.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { CommandError } from '../line/usage-error.ts'
import { type Seat, takeSeat } from './seat.ts'
import { shortPath } from './socket-path.ts'

/**
 * Commands that the running platform takes over its control socket, one line each. The answer is one line of
 * JSON. While a command lasts, lines before that say what it is at: `{"step": …}`.
 */
export type Command =
  | 'stop'
  | 'status'
  | 'status connections'
  | 'restart gateway'
  | `describe ${string}`
  | `remove ${string}`
  | 'reload'
  | `drain ${string}`
  | `deploy ${string}`
  | `scale ${string} ${number}`
  | `move ${string} ${string}`
  | 'renew'
  | `renew ${string}`
  | `show ${string} ${string}`
  | `withdraw ${string}`

/**
 * What each looks like: names of functions have at most 63 characters, those of containers a number more, ids
 * of connections 32.
 */
const COMMAND = new RegExp(
  `^(${[
    'stop',
    'status( connections)?',
    'restart gateway',
    '(describe|remove) [a-z0-9-]{1,63}',
    'reload',
    'drain( [a-z0-9-]{1,80}){1,64}',
    'deploy [a-z0-9-]{1,63}',
    'scale [a-z0-9-]{1,63} (0|[1-9]\\d?)',
    'move [0-9a-f]{1,32} [a-z0-9-]{1,80}',
    'renew( [a-z0-9-]{1,63})?',
    'show [A-Za-z0-9_-]{1,512} [A-Za-z0-9_.-]{1,1024}',
    'withdraw [A-Za-z0-9_-]{1,512}',
  ].join('|')})$`,
)

/** Bytes of the longest command. */
const COMMAND_LIMIT = 8192
/** Milliseconds that a command may take to arrive, and to be carried out. */
const COMMAND_TIMEOUT = 5000
const WORK_TIMEOUT = 120_000
/** Milliseconds between two lines of what a command is at; one that is shorter has none. */
const STEP_PERIOD = 500

function isCommand(text: string): text is Command {
  return COMMAND.test(text)
}

/**
 * Listens on a Unix socket that only this user can open, for as long as it has the seat of the socket's
 * directory.
 * @param onCommand its result is the answer; it reports what it is at
 * @returns undefined if another process has that seat
 */
export function serveControl(
  path: string,
  onCommand: (command: Command, report: Report) => Promise<unknown>,
): Promise<Seat | undefined> {
  const server = createServer(socket => {
    let line = ''
    socket.setEncoding('utf8').setTimeout(COMMAND_TIMEOUT, () => socket.destroy())
    socket.on('error', () => {})
    socket.on('data', (text: string) => {
      line += text
      if (line.length > COMMAND_LIMIT) socket.destroy()
      else if (line.endsWith('\n')) void reply(line.trim())
    })
    const reply = async (command: string): Promise<void> => {
      socket.setTimeout(WORK_TIMEOUT)
      let step: Step | undefined
      const telling = SYSTEM_CLOCK.every(STEP_PERIOD, () => {
        if (step !== undefined && socket.writable) socket.write(`${JSON.stringify({ step })}\n`)
      })
      const report = (now: Step): void => {
        step = now
      }
      const answer = isCommand(command)
        ? await onCommand(command, report).catch(refusalOf)
        : { error: `no such command: ${command}` }
      telling.stop()
      socket.end(`${JSON.stringify(answer)}\n`)
    }
  })
  return takeSeat(dirname(path), basename(path), server)
}

/** A command that could not be carried out. */
export interface Refusal {
  readonly error: string
  /** The stack file is what makes no sense. */
  readonly configuration?: true
}

function refusalOf(error: Error): Refusal {
  return { error: error.message, ...(error instanceof ConfigError ? { configuration: true } : {}) }
}

/** Errors of a connection to a socket on which no platform listens. */
const NOT_LISTENING = new Set(['ENOENT', 'ENOTDIR', 'ECONNREFUSED'])

/**
 * Sends a command. @param onStep called with what it is at, while it lasts
 * @returns the answer, or undefined if no platform listens there
 */
export function sendCommand(
  path: string,
  command: Command,
  onStep: (step: Step) => void = () => {},
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let short: ReturnType<typeof shortPath>
    try {
      short = shortPath(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      resolve(undefined)
      return
    }
    const socket = connect(short.path)
    socket.on('close', short.close)
    let rest = ''
    let answer: unknown
    socket.setEncoding('utf8')
    socket.on('connect', () => socket.write(`${command}\n`))
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop()!
      for (const line of lines) {
        const said = parse(line)
        if (isStep(said)) onStep(said.step)
        else answer = said
      }
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (NOT_LISTENING.has(error.code ?? '')) resolve(undefined)
      else reject(error)
    })
    socket.on('end', () => {
      if (answer === undefined) reject(new CommandError('the answer over the control socket was cut off'))
      else resolve(answer)
    })
  })
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function isStep(said: unknown): said is { readonly step: Step } {
  return typeof said === 'object' && said !== null && 'step' in said
}
