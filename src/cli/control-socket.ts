import { connect, createServer } from 'node:net'
import { basename, dirname } from 'node:path'
import { type Seat, takeSeat } from './seat.ts'
import { shortPath } from './socket-path.ts'

/**
 * Commands that the running platform takes over its control socket, one line each; the answer is one line of
 * JSON.
 */
export type Command =
  | 'stop'
  | 'status'
  | 'status connections'
  | 'restart gateway'
  | `drain ${string}`
  | `deploy ${string}`
  | `scale ${string} ${number}`
  | `move ${string} ${string}`

/**
 * What each looks like: names of functions have at most 63 characters, those of containers a number more, ids
 * of connections 32.
 */
const COMMAND = new RegExp(
  `^(${[
    'stop',
    'status( connections)?',
    'restart gateway',
    'drain( [a-z0-9-]{1,80}){1,64}',
    'deploy [a-z0-9-]{1,63}',
    'scale [a-z0-9-]{1,63} [1-9]\\d?',
    'move [0-9a-f]{1,32} [a-z0-9-]{1,80}',
  ].join('|')})$`,
)

/** Bytes of the longest command. */
const COMMAND_LIMIT = 8192
/** Milliseconds that a command may take to arrive, and to be carried out. */
const COMMAND_TIMEOUT = 5000
const WORK_TIMEOUT = 120_000

function isCommand(text: string): text is Command {
  return COMMAND.test(text)
}

/**
 * Listens on a Unix socket that only this user can open, for as long as it has the seat of the socket's
 * directory.
 * @param onCommand its result is the answer
 * @returns undefined if another process has that seat
 */
export function serveControl(
  path: string,
  onCommand: (command: Command) => Promise<unknown>,
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
      const answer = isCommand(command)
        ? await onCommand(command).catch((error: Error) => ({ error: error.message }))
        : { error: `no such command: ${command}` }
      socket.end(`${JSON.stringify(answer)}\n`)
    }
  })
  return takeSeat(dirname(path), basename(path), server)
}

/** Errors of a connection to a socket on which no platform listens. */
const NOT_LISTENING = new Set(['ENOENT', 'ENOTDIR', 'ECONNREFUSED'])

/** Sends a command. @returns the answer, or undefined if no platform listens there */
export function sendCommand(path: string, command: Command): Promise<unknown> {
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
    let answer = ''
    socket.setEncoding('utf8')
    socket.on('connect', () => socket.write(`${command}\n`))
    socket.on('data', (text: string) => {
      answer += text
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (NOT_LISTENING.has(error.code ?? '')) resolve(undefined)
      else reject(error)
    })
    socket.on('end', () => {
      try {
        resolve(JSON.parse(answer))
      } catch {
        reject(new Error('the answer over the control socket was cut off'))
      }
    })
  })
}
