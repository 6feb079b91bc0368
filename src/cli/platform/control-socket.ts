import { connect, createServer } from 'node:net'
import { basename, dirname } from 'node:path'
import { type Seat, takeSeat } from '../../platform/seat/seat.ts'
import { shortPath } from '../../platform/seat/socket-path.ts'
import { ConfigError } from '../../stack/readers.ts'
import type { Report, Step } from '../../supervisor/roll-out.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { CommandError } from '../line/usage-error.ts'
import { type Command, type Order, readOrder } from './orders.ts'

export type { Command } from './orders.ts'

/*
 * An order is one line. The answer is one line of JSON. While an order lasts, lines before that say what it
 * is at: `{"step": …}`.
 */

/** Bytes of the longest order. */
const LIMIT = 8192
/** Milliseconds that an order may take to arrive, and to be carried out. */
const ARRIVAL_TIMEOUT = 5000
const WORK_TIMEOUT = 120_000
/** Milliseconds between two lines of what an order is at; one that is shorter has none. */
const STEP_PERIOD = 500

/**
 * Listens on a Unix socket that only this user can open, for as long as it has the seat of the socket's
 * directory.
 * @param onOrder its result is the answer; it reports what it is at
 * @returns undefined if another process has that seat
 */
export function serveControl(
  path: string,
  onOrder: (order: Order, report: Report) => Promise<unknown>,
): Promise<Seat | undefined> {
  const server = createServer(socket => {
    let text = ''
    socket.setEncoding('utf8').setTimeout(ARRIVAL_TIMEOUT, () => socket.destroy())
    socket.on('error', () => {})
    socket.on('data', (more: string) => {
      text += more
      if (text.length > LIMIT) socket.destroy()
      else if (text.endsWith('\n')) void reply(text.trim())
    })
    const reply = async (line: string): Promise<void> => {
      socket.setTimeout(WORK_TIMEOUT)
      let step: Step | undefined
      const telling = SYSTEM_CLOCK.every(STEP_PERIOD, () => {
        if (step !== undefined && socket.writable) socket.write(`${JSON.stringify({ step })}\n`)
      })
      const report = (now: Step): void => {
        step = now
      }
      const order = readOrder(line)
      const answer =
        order === undefined
          ? { error: `no such order: ${line}` }
          : await onOrder(order, report).catch(refusalOf)
      telling.stop()
      socket.end(`${JSON.stringify(answer)}\n`)
    }
  })
  return takeSeat(dirname(path), basename(path), server)
}

/** An order that could not be carried out. */
export interface Refusal {
  readonly error: string
  /** The stack file is what makes no sense. */
  readonly configuration?: true
}

function refusalOf(error: Error): Refusal {
  return { error: error.message, ...(error instanceof ConfigError ? { configuration: true } : {}) }
}

/** The platform was there, and has ended before it answered. */
export class PlatformEndedError extends CommandError {
  constructor() {
    super('the platform ended before it had answered')
  }
}

/** Errors of a connection to a socket whose process has ended. */
const ENDED = new Set(['ECONNRESET', 'EPIPE'])
/** Errors of a connection to a socket on which no platform listens. */
const NOT_LISTENING = new Set(['ENOENT', 'ENOTDIR', 'ECONNREFUSED'])

/**
 * Sends an order. @param onStep called with what it is at, while it lasts
 * @returns the answer, or undefined if no platform listens there @throws PlatformEndedError
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
      else reject(ENDED.has(error.code ?? '') ? new PlatformEndedError() : error)
    })
    socket.on('end', () => {
      if (answer === undefined) reject(new PlatformEndedError())
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
