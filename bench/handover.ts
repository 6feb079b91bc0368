import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { pino } from 'pino'
import { makeCertificates } from '../certs/authority.ts'
import { parseConfig } from '../src/gateway/config.ts'
import { plan } from '../src/gateway/plan.ts'
import { Supervisor } from '../src/gateway/supervisor.ts'
import { probeEvp } from '../src/tls13/crypto/evp.ts'
import { chooseChannel } from '../src/transfer/channel.ts'
import { goal, goalLines } from './lib/goal.ts'
import { figuresOf } from './lib/measurement.ts'
import { whole } from './lib/options.ts'
import { runBench } from './lib/run.ts'
import { figure } from './lib/table.ts'

/** Milliseconds between two looks at how many have arrived: that much a round may be too long. */
const LOOK = 5
const COMMON = { warmUp: 0, least: 6, precision: 0.02, connections: 1000 }

/**
 * `npm run bench:handover`: how long does it take to hand all idle TLS connections of a container to a new one? Every round
 * starts a container, drains the old one, and then asks for an answer on every connection: none may be lost.
 */
async function main(): Promise<void> {
  await runBench(
    {
      name: 'handover',
      question: 'How long does it take to hand all idle TLS connections of a container to a new one?',
      options: { connections: { value: 'N', help: 'how many idle connections' } },
      plans: {
        quick: { ...COMMON, least: 2, rounds: 2, seconds: 10, connections: 300 },
        default: { ...COMMON, rounds: 7, seconds: 60 },
        full: { ...COMMON, rounds: 100, seconds: 3600, precision: 0.005 },
      },
    },
    async run => {
      const count =
        run.values.connections === undefined
          ? run.plan.connections
          : whole('connections', run.values.connections, 1, 15_000)
      const times: number[] = []
      const platform = await Platform.start()
      try {
        run.progress.say(`opening ${count} connections`)
        const clients = await platform.open(count)
        await run.rounds(
          async () => {
            times.push((await platform.handOver(count)) / count)
            for (const client of clients) await client.ask(times.length)
          },
          () => [times],
        )
        for (const client of clients) client.close()
      } finally {
        await platform.stop()
      }
      const title = `one of ${count} idle connections handed over`
      const measurements =
        times.length === 0
          ? []
          : [figuresOf({ name: 'handover', title, labels: { connections: count }, unit: 'µs' }, times)]
      const goals = [
        goal(`to hand over one of ${count} idle connections`, '≤', 40, measurements[0]?.value, 'µs'),
      ]
      return {
        parameters: { connections: count },
        measurements,
        goals,
        details: {},
        print: () =>
          [
            `${count} idle connections handed to a new container, ${times.length} times, none lost`,
            `µs for each: ${times.map(figure).join(', ')}`,
            goalLines(goals),
          ].join('\n'),
      }
    },
  )
}

/** One function on a gateway, and its containers. */
class Platform {
  readonly #directory: string
  readonly #supervisor: Supervisor
  readonly #log: number
  readonly #port: number
  #current = 'echo-1'

  private constructor(directory: string, supervisor: Supervisor, log: number, port: number) {
    this.#directory = directory
    this.#supervisor = supervisor
    this.#log = log
    this.#port = port
  }

  static async start(): Promise<Platform> {
    const directory = mkdtempSync(join(tmpdir(), 'hotpotato-bench-'))
    await makeCertificates({ directory, certificates: [{ name: 'echo' }], now: Date.now() })
    const { config } = parseConfig(
      JSON.stringify({
        runDirectory: directory,
        certificates: directory,
        gateway: { http: 0, https: 0 },
        connection: { requests: 1_000_000, idleSeconds: 600 },
        functions: { echo: { handler: 'echo-raw' } },
      }),
      directory,
    )
    const channel = chooseChannel().kind
    const provider = probeEvp().available ? 'evp' : 'node'
    const log = openSync(join(directory, 'log'), 'a', 0o600)
    const supervisor = new Supervisor({
      ...plan(config, { channel, provider, logLevel: 'warn' }),
      liveness: { period: 3_600_000, failure: 36_000_000 },
      channel,
      logDescriptor: log,
      log: pino({ level: 'silent' }),
    })
    const { https } = await supervisor.start()
    return new Platform(directory, supervisor, log, https)
  }

  async open(count: number): Promise<Client[]> {
    const ca = readFileSync(join(this.#directory, 'ca.crt'))
    const clients: Client[] = []
    // A few at a time: handshakes are not what is measured.
    while (clients.length < count) {
      const some = Array.from({ length: Math.min(50, count - clients.length) }, () =>
        Client.open(this.#port, ca),
      )
      clients.push(...(await Promise.all(some)))
    }
    return clients
  }

  /** @returns µs until the new container had all of them */
  async handOver(count: number): Promise<number> {
    const { started = [] } = await this.#supervisor.scale('echo', 2)
    const [next] = started as [string]
    const start = performance.now()
    const drained = this.#supervisor.drain(this.#current)
    for (;;) {
      const member = (await this.#supervisor.status()).find(({ name }) => name === next)
      if ((member?.counters.connections ?? 0) >= count) break
      if (performance.now() - start > 30_000) throw new Error('not every connection has arrived')
      await setTimeout(LOOK)
    }
    const time = (performance.now() - start) * 1000
    const { moved } = await drained
    if (moved !== count) throw new Error(`${moved} of ${count} connections have moved`)
    this.#current = next
    return time
  }

  async stop(): Promise<void> {
    await this.#supervisor.stop()
    closeSync(this.#log)
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** One connection that is idle most of the time. */
class Client {
  readonly #socket: TLSSocket
  #text = ''
  #wake: () => void = () => {}

  private constructor(socket: TLSSocket) {
    this.#socket = socket
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.#text += text
      this.#wake()
    })
    socket.on('close', () => this.#wake())
    socket.on('error', () => {}) // it closes, too
  }

  static async open(port: number, ca: Buffer): Promise<Client> {
    const socket = connect({ port, host: '127.0.0.1', servername: 'echo.local', ca, minVersion: 'TLSv1.3' })
    const client = new Client(socket)
    await client.ask(0)
    return client
  }

  /** @throws Error the connection is gone, or the answer is not what it should be after so many moves */
  async ask(hops: number): Promise<void> {
    this.#text = ''
    this.#socket.write('POST / HTTP/1.1\r\nHost: echo.local\r\nContent-Length: 6\r\n\r\npotato')
    while (!this.#text.endsWith('\r\n\r\npotato')) {
      if (this.#socket.destroyed) throw new Error(`a connection was lost after ${hops} moves`)
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    if (!this.#text.includes(`x-hotpotato-hops: ${hops}\r\n`))
      throw new Error(`not ${hops} moves: ${this.#text}`)
  }

  close(): void {
    this.#socket.destroy()
  }
}

await main()
