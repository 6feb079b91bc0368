import { chmodSync, rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'

/** Commands that the running platform takes over its control socket, one line each; the answer is one line of JSON. */
export type Command =
  | 'stop'
  | 'status'
  | 'status connections'
  | 'restart gateway'
  | `drain ${string}`
  | `deploy ${string}`
  | `scale ${string} ${number}`
  | `move ${string} ${string}`

/** What each looks like: names of functions have at most 63 characters, those of containers a number more, ids of connections 32. */
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
 * Listens on a Unix socket that only this user can open. Closing the server removes it.
 * @param onCommand its result is the answer
 * @returns undefined if somebody listens there already
 */
export async function serveControl(
  path: string,
  onCommand: (command: Command) => Promise<unknown>,
): Promise<Server | undefined> {
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
  if (await listen(server, path)) return server
  // An odd answer is an answer: somebody is there.
  if ((await sendCommand(path, 'status').catch(() => 'odd')) !== undefined) return undefined
  // One that was killed has left it behind.
  rmSync(path, { force: true })
  return (await listen(server, path)) ? server : undefined
}

/** @returns false if there is something of that name */
function listen(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false)
      else reject(error)
    })
    // The mask is for the moment between bind and chmod.
    const mask = process.umask(0o177)
    server.listen(path, () => {
      chmodSync(path, 0o600)
      server.removeAllListeners('error')
      resolve(true)
    })
    process.umask(mask)
  })
}

/** Sends a command. @returns the answer, or undefined if nobody listens there */
export function sendCommand(path: string, command: Command): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    let answer = ''
    socket.setEncoding('utf8')
    socket.on('connect', () => socket.write(`${command}\n`))
    socket.on('data', (text: string) => {
      answer += text
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined)
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
