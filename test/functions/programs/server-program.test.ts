import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { socketDirectory } from '../../../src/functions/programs/endpoint.ts'
import { ServerProgram } from '../../../src/functions/programs/server-program.ts'
import { ProgramSocket } from '../../../src/functions/programs/web-socket.ts'
import type { ProgramSettings } from '../../../src/platform/program-settings.ts'
import type { Clock } from '../../../src/time/clock.ts'
import { SYSTEM_CLOCK } from '../../../src/time/system-clock.ts'
import { eventually, isRunning } from '../../support/platform.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-server-'))
})
afterAll(() => rmSync(directory, { recursive: true }))
const open: ServerProgram[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.stop()
})

function serving(command: readonly string[], more: Partial<ProgramSettings> = {}) {
  const entries: string[] = []
  const note = (...all: unknown[]): void => void entries.push(all.at(-1) as string)
  const program = new ServerProgram({
    settings: {
      mode: 'socket',
      command,
      directory,
      runDirectory: directory,
      ready: undefined,
      startMilliseconds: 20_000,
      restart: { first: 10, most: 100 },
      fork: {} as never,
      ...more,
    },
    functionName: 'app',
    environment: { PATH: process.env.PATH! },
    directory,
    clock: SYSTEM_CLOCK,
    log: { debug: note, info: note, warn: note, error: note },
    onGroup: () => {},
  })
  open.push(program)
  return { program, entries }
}

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const node = (text: string): string[] => ['node', '-e', text]
const gone = (pid: number): Promise<true> =>
  eventually(() => (isRunning(pid) ? undefined : true), `${pid} still runs`)

describe('a program that is to listen', () => {
  it.each([
    ['that ends', ['sh', '-c', 'exit 3'], /^sh: it ended before it listened: exit code 3$/],
    ['that is not there', ['./nothing'], /it ended before it listened: it cannot be started: .*ENOENT/],
  ])('one %s is told of', async (_, command, message) => {
    await expect(serving(command).program.start()).rejects.toThrow(message)
  })

  it('is ended, and told of, if it does not in time', async () => {
    const { program } = serving(['sh', '-c', 'echo $$ > silent; sleep 1000 & wait'], {
      startMilliseconds: 2000,
    })
    await expect(program.start()).rejects.toThrow(
      /^sh: it did not listen on .*program\.sock within 2 s \(.*startSeconds\)$/,
    )
    await gone(Number(readFileSync(join(directory, 'silent'), 'utf8')))
  })

  it('is ready when it says so, if a path is named', async () => {
    const server = `let asked = 0
      require('node:http').createServer((request, response) => {
        response.statusCode = request.url === '/healthz' && ++asked >= 3 ? 204 : 503
        response.setHeader('x-asked', asked)
        response.end()
      }).listen(process.env.PORT, '::1')`
    const { program, entries } = serving(node(server), { mode: 'http', ready: '/healthz' })
    await program.start()
    expect(program.endpoint).toMatchObject({ host: '::1' })
    expect(entries).toContain('the program listens')
  })

  it('is not taken for what another process says on its port', async () => {
    const server = `const { writeFileSync } = require('node:fs')
      writeFileSync('port', process.env.PORT)
      setTimeout(() => {}, 60000)`
    const { program, entries } = serving(node(server), { mode: 'http', startMilliseconds: 6000 })
    const started = program.start()
    started.catch(() => {})
    const port = await eventually(() => {
      const file = join(directory, 'port')
      return existsSync(file) ? Number(readFileSync(file, 'utf8')) || undefined : undefined
    }, 'it has not begun')
    const thief = createServer().listen(port, '127.0.0.1')
    await once(thief, 'listening')
    await expect(started).rejects.toThrow(/did not listen on port/)
    expect(entries).toContain('another process listens on the port of the program')
    thief.close()
  })

  it('is started again, at a pace, and what it leaves behind is ended', async () => {
    const server = `require('node:child_process').spawn('sleep', ['1000'])
      require('node:http').createServer().listen(process.env.SOCKET)`
    const { program } = serving(node(server))
    await program.start()
    for (let i = 1; i <= 3; i++) {
      const pid = program.pid!
      process.kill(pid, 'SIGKILL')
      await eventually(() => program.restarts === i || undefined, 'it was not noticed')
      expect(await program.ready()).toBeDefined()
      expect(program.pid).not.toBe(pid)
    }
  })

  it('is tried on when it does not come back', async () => {
    writeFileSync(
      join(directory, 'once.cjs'),
      `
      const { existsSync, writeFileSync } = require('node:fs')
      if (existsSync('once')) process.exit(9)
      writeFileSync('once', '')
      require('node:http').createServer().listen(process.env.SOCKET)`,
    )
    const { program, entries } = serving(['node', 'once.cjs'])
    await program.start()
    process.kill(program.pid!, 'SIGKILL')
    await eventually(() => program.restarts >= 3 || undefined, 'it was not tried on')
    expect(entries).toContain('node: it ended before it listened: exit code 9')
    rmSync(join(directory, 'once'))
    expect(await program.ready()).toBeDefined()
  })

  it.each([
    ['says that it is not well', `if (request.url === '/well') response.statusCode = 500`, 20_000],
    ['does not answer', `if (request.url === '/well') return`, 200],
  ])('is started anew when it %s, as often in a row as it may', async (_, unwell, timeout) => {
    const server = `let asked = 0
      process.on('SIGTERM', () => process.exit())
      require('node:http').createServer((request, response) => {
        require('node:fs').appendFileSync('asked', process.pid + ' ' + request.url + '\\n')
        if (++asked === 1) return response.end()
        ${unwell}
        response.end()
      }).listen(process.env.SOCKET)`
    rmSync(join(directory, 'asked'), { force: true })
    const { program, entries } = serving(node(server), {
      health: { path: '/well', every: 50, timeout, failures: 2 },
    })
    await program.start()
    const pid = program.pid!
    await eventually(() => program.restarts > 0 || undefined, 'it was left as it is')
    expect(entries).toContain('the program is not well, and is ended')
    await gone(pid)
    const asked = readFileSync(join(directory, 'asked'), 'utf8').split('\n')
    // Of a time that is over a busy machine may be the reason.
    if (timeout > 200) expect(asked.filter(line => line === `${pid} /well`)).toHaveLength(3)
    expect(await program.ready()).toBeDefined()
  })

  // More than is read at once.
  const WORDS = 6000
  const says = `for (let word = 0; word < ${WORDS}; word++)
      require('node:fs').writeSync(1, 'word '.repeat(40) + word + '\\n')`

  it.each([
    ['ends by itself', `request.destroy(); process.exit(1)`, 'go'],
    ['is asked to end', '', 'stop'],
    ['never listens', '', 'begin'],
  ])('has its last words in the log, all of them, when it %s', async (_, code, how) => {
    const server = `
      const last = () => { ${says}; process.exit() }
      if ('${how}' === 'begin') last()
      // Its successor, which is asked to end as well, has nothing to say.
      if ('${how}' === 'stop') process.on('SIGTERM', last)
      require('node:http').createServer((request, response) => { ${says}; ${code} })
        .listen(process.env.SOCKET)`
    const { program, entries } = serving(node(server))
    if (how === 'begin') await expect(program.start()).rejects.toThrow('it ended before it listened')
    else await program.start()
    if (how === 'stop') await program.stop()
    if (how === 'go') {
      request({ socketPath: (program.endpoint as { path: string }).path })
        .on('error', () => {})
        .end()
      await eventually(
        () => (entries.includes('the program listens') && program.restarts > 0) || undefined,
        'it lives',
      )
      await program.stop()
    }
    expect(entries.filter(one => one.startsWith('word '))).toHaveLength(WORDS)
  })

  it('hears the goodbye of its WebSockets before it is asked to end', async () => {
    const server = `
      const { createHash } = require('node:crypto')
      const { writeFileSync } = require('node:fs')
      require('node:http').createServer().on('upgrade', (request, socket) => {
        const key = request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
        const accept = createHash('sha1').update(key).digest('base64')
        socket.write('HTTP/1.1 101 OK\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n' +
          'Sec-WebSocket-Accept: ' + accept + '\\r\\n\\r\\n')
        socket.once('data', () => setTimeout(() => {
          writeFileSync('goodbye', '')
          socket.end()
        }, 100))
      }).listen(process.env.SOCKET)`
    // What it is waited for is a second at most: here as long as a busy machine takes.
    const patient: Clock = {
      wall: () => SYSTEM_CLOCK.wall(),
      steady: () => SYSTEM_CLOCK.steady(),
      exact: () => SYSTEM_CLOCK.exact(),
      after: (delay, work) => SYSTEM_CLOCK.after(delay === 1000 ? 60_000 : delay, work),
      every: (period, work) => SYSTEM_CLOCK.every(period, work),
      timer: work => SYSTEM_CLOCK.timer(work),
    }
    const { program } = serving(node(server))
    await program.start()
    const request = { headers: [], query: '' }
    const context = { request, functionPath: '/', connection: {}, callId: 'c1', log: SILENT }
    const admission = await ProgramSocket.open(context as never, [], {
      ready: () => program.ready(),
      clock: patient,
      goodbyes: program.goodbyes,
    })
    const socket = (admission as { state: ProgramSocket }).state
    socket.join({ protocol: undefined, send: () => undefined, close: () => {} })
    socket.closed(1001, '')
    await program.stop()
    expect(existsSync(join(directory, 'goodbye'))).toBe(true)
  })

  it('ends when it is asked to, or is made to', async () => {
    const server = `process.on('SIGTERM', () => {})
      require('node:http').createServer().listen(process.env.SOCKET)`
    const { program } = serving(node(server))
    await program.start()
    const pid = program.pid!
    await program.stop()
    expect(isRunning(pid)).toBe(false)
  })
})

it('sockets are in the run directory, or among the temporary files where that is too long', () => {
  const made = socketDirectory(directory, 'app-1')
  expect(made.startsWith(join(directory, 'programs'))).toBe(true)
  const long = socketDirectory(join(directory, 'x'.repeat(100)), 'app-1')
  expect(long.startsWith(tmpdir()) && !long.startsWith(directory)).toBe(true)
  rmSync(long, { recursive: true })
})
