import { type ClientHttp2Session, connect } from 'node:http2'
import { Agent, request } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds that one request may take: not how fast it should be, but when it counts as unanswered. */
const PATIENCE = 30_000
/** Milliseconds between two requests of one watcher. */
const PAUSE = 25

/** What the clients have seen that behave themselves while others do not. */
export interface Watched {
  readonly answered: number
  /**
   * Requests that were asked a second time, because their connection ended before there was an answer, as any
   * client would.
   */
  readonly again: number
  /** Why, and how often. */
  readonly reasons: Readonly<Record<string, number>>
  /** What went wrong, each kind once. */
  readonly failures: readonly string[]
  /** Milliseconds. */
  readonly slowest: number
}

/** Where the watchers look. */
interface Place {
  readonly port: number
  readonly ca: string
}

/**
 * Clients that go on as ever until they are told to stop: over both versions of HTTP, on old and new
 * connections, with moves and without.
 */
export class Watchers {
  readonly #place: Place
  readonly #failures = new Set<string>()
  #answered = 0
  #again = 0
  readonly #reasons: Record<string, number> = {}
  #slowest = 0
  #stopped = false
  readonly #work: Promise<unknown>

  constructor(place: Place) {
    this.#place = place
    const kept = new Agent({ keepAlive: true, maxSockets: 1 })
    const moving = new Agent({ keepAlive: true, maxSockets: 1 })
    const fresh = new Agent({ keepAlive: false })
    this.#work = Promise.all([
      this.#watch('kept', () => this.#http1(kept, 'echo.local', '/')),
      this.#watch('moving', turn => this.#http1(moving, 'echo.local', turn % 2 === 0 ? '/hello' : '/echo')),
      this.#watch('fresh', () => this.#http1(fresh, 'hello.local', '/')),
      this.#watch('raw', () => this.#http1(fresh, 'echo-raw.local', '/')),
      this.#watch('large', () => this.#http1(fresh, 'resize.local', '/?bytes=100000')),
      this.#overHttp2(),
    ]).finally(() => {
      kept.destroy()
      moving.destroy()
    })
  }

  /** Stops when what is underway is answered. */
  async stop(): Promise<Watched> {
    this.#stopped = true
    await this.#work
    const [answered, again, slowest] = [this.#answered, this.#again, Math.round(this.#slowest)]
    return { answered, again, reasons: this.#reasons, failures: [...this.#failures], slowest }
  }

  async #watch(name: string, ask: (turn: number) => Promise<number>): Promise<void> {
    for (let turn = 0; !this.#stopped; turn++) {
      const begun = performance.now()
      try {
        const status = await ask(turn).catch((error: Error) => {
          this.#again++
          const after = Math.round(performance.now() - begun)
          const reason = `${name}: ${error.message}, after ${after > 4000 ? 'more' : 'less'} than 4 s`
          this.#reasons[reason] = (this.#reasons[reason] ?? 0) + 1
          return ask(turn)
        })
        if (status === 200) this.#answered++
        else this.#failures.add(`${name}: ${status}`)
      } catch (error) {
        this.#failures.add(`${name}: ${(error as Error).message}`)
      }
      this.#slowest = Math.max(this.#slowest, performance.now() - begun)
      await sleep(PAUSE)
    }
  }

  #http1(agent: Agent, host: string, path: string): Promise<number> {
    const { port, ca } = this.#place
    const options = { agent, host: '127.0.0.1', port, path, ca, servername: host, headers: { host } }
    return new Promise((resolve, reject) => {
      const asked = request({ ...options, timeout: PATIENCE }, response => {
        response.once('error', reject)
        response.once('end', () => resolve(response.statusCode ?? 0)).resume()
      })
      asked.once('timeout', () => asked.destroy(new Error('no answer'))).once('error', reject)
      asked.end()
    })
  }

  async #overHttp2(): Promise<void> {
    const session = connect(`https://127.0.0.1:${this.#place.port}`, {
      ca: this.#place.ca,
      servername: 'echo.local',
    })
    session.on('error', () => {})
    await this.#watch('HTTP/2', () => http2(session))
    await new Promise<void>(resolve => (session.destroyed ? resolve() : session.close(resolve)))
  }
}

function http2(session: ClientHttp2Session): Promise<number> {
  return new Promise((resolve, reject) => {
    let status = 0
    const stream = session.request({ ':path': '/', ':authority': 'echo.local' })
    stream.once('response', head => {
      status = head[':status'] ?? 0
    })
    stream.setTimeout(PATIENCE, () => stream.destroy(new Error('no answer')))
    stream.once('error', reject)
    stream.once('end', () => resolve(status)).resume()
  })
}
