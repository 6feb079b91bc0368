import type { Log } from '../../platform/log.ts'
import type { ProgramSettings } from '../../platform/program-settings.ts'
import type { Clock, Timer } from '../../time/clock.ts'
import { FunctionError } from '../module-file.ts'
import { answers, type Endpoint, freePort, listens, socketIn } from './endpoint.ts'
import { MARK } from './guardian.ts'
import { isOwn } from './listener.ts'
import { OutputLog } from './output-log.ts'
import { ProgramProcess } from './process.ts'
import { PATIENCE } from './program.ts'

/** Milliseconds between two looks whether it listens, at first and at most. */
const FIRST_LOOK = 10
const MOST_BETWEEN = 200
/** Ready for so many milliseconds: what ended before is forgotten. */
const HEALTHY = 10_000
/** Milliseconds that a request waits for a program that is being started again. */
const HOLD = 5000

/** Milliseconds that a process has to end that takes no connection, or has broken one. */
const REFUSED = 500
const BROKEN = 50

export interface ServerOptions {
  readonly settings: ProgramSettings
  readonly functionName: string
  readonly environment: Readonly<Record<string, string>>
  /** Where its socket is made. */
  readonly directory: string
  readonly clock: Clock
  readonly log: Log
  /** Told of each process group that is started. */
  readonly onGroup: (group: number) => void
}

/** A program that serves HTTP: one process, which is started again when it has ended. */
export class ServerProgram {
  readonly #options: ServerOptions
  readonly #output: OutputLog
  readonly #waiting = new Set<(endpoint: Endpoint | undefined) => void>()
  #process: ProgramProcess | undefined
  #endpoint: Endpoint | undefined
  #failures = 0
  #restart: Timer | undefined
  #health: Timer | undefined
  #stopped = false
  /** What its WebSockets still tell it of their end; each takes a second at most. */
  readonly goodbyes = new Set<Promise<void>>()
  /** How often it has ended and was to be followed by another. */
  restarts = 0
  /** Called when a process has ended: what was said to it is lost. */
  onEnded: () => void = () => {}

  constructor(options: ServerOptions) {
    this.#options = options
    this.#output = new OutputLog(options.log, options.clock)
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Where it listens; undefined while it does not. */
  get endpoint(): Endpoint | undefined {
    return this.#endpoint
  }

  /** Starts it for the first time. @throws FunctionError it does not get ready */
  async start(): Promise<void> {
    const failure = await this.#begin()
    if (failure !== undefined) throw new FunctionError('unloadable', failure)
  }

  /** Where it listens, as soon as it does; undefined if that takes too long. */
  ready(): Promise<Endpoint | undefined> | Endpoint {
    if (this.#endpoint !== undefined) return this.#endpoint
    return new Promise(settle => {
      const timer = this.#options.clock.after(HOLD, () => done(undefined))
      const done = (endpoint: Endpoint | undefined): void => {
        timer.stop()
        this.#waiting.delete(done)
        settle(endpoint)
      }
      this.#waiting.add(done)
    })
  }

  /** The same when a connection was refused: it may be about to end. */
  async refused(): Promise<Endpoint | undefined> {
    await this.#endsWithin(REFUSED)
    return this.ready()
  }

  /** Whether its process goes on, when a connection has broken. */
  async lives(): Promise<boolean> {
    return !(await this.#endsWithin(BROKEN))
  }

  async #endsWithin(milliseconds: number): Promise<boolean> {
    const process = this.#process
    if (process === undefined || process.how !== undefined) return true
    const soon = new Promise<void>(settle => void this.#options.clock.after(milliseconds, settle))
    await Promise.race([process.ended, soon])
    return process.how !== undefined
  }

  /** Ends it, when its WebSockets have said goodbye: it would not hear that any more. */
  async stop(): Promise<void> {
    const { clock } = this.#options
    const since = clock.steady()
    this.#stopped = true
    this.#restart?.stop()
    this.#health?.stop()
    this.#endpoint = undefined
    for (const settle of [...this.#waiting]) settle(undefined)
    await Promise.all(this.goodbyes)
    await this.#process?.end(Math.max(PATIENCE / 2, PATIENCE - (clock.steady() - since)), clock)
  }

  /** Starts a process and waits until it can work. @returns why it cannot */
  async #begin(): Promise<string | undefined> {
    const { settings, clock, log } = this.#options
    const began = clock.steady()
    let process: ProgramProcess
    let endpoint: Endpoint
    try {
      const place = await this.#place()
      endpoint = place.endpoint
      process = this.#spawn(place.variables)
    } catch (error) {
      return `it cannot be started: ${(error as Error).message}`
    }
    this.#process = process
    const ready = await this.#listening(process, endpoint, began + settings.startMilliseconds)
    if (ready !== undefined) {
      this.#endpoint = ready
      for (const settle of [...this.#waiting]) settle(ready)
      log.info({ program: process.pid, milliseconds: clock.steady() - began }, 'the program listens')
      void process.ended.then(how => this.#ended(process, how, clock.steady()))
      this.#watch(process, ready, 0)
      return undefined
    }
    const where = 'path' in endpoint ? endpoint.path : `port ${endpoint.port}`
    const awaited =
      settings.ready === undefined ? `listen on ${where}` : `answer ${settings.ready} on ${where} with 2xx`
    const seconds = settings.startMilliseconds / 1000
    const late = `it did not ${awaited} within ${seconds} s (four fifths of liveness.startSeconds)`
    const why = process.how === undefined ? late : `it ended before it listened: ${process.how}`
    process.signal('SIGKILL')
    await process.ended
    await process.bury(clock)
    return `${settings.command[0]}: ${why}`
  }

  async #place(): Promise<{ endpoint: Endpoint; variables: Record<string, string> }> {
    const { settings, directory } = this.#options
    if (settings.mode === 'socket') {
      const endpoint = socketIn(directory)
      return { endpoint, variables: { SOCKET: endpoint.path, HOTPOTATO_SOCKET: endpoint.path } }
    }
    const port = settings.port ?? (await freePort())
    return { endpoint: { host: '127.0.0.1', port }, variables: { PORT: String(port) } }
  }

  #spawn(variables: Record<string, string>): ProgramProcess {
    const { settings, functionName, environment, onGroup } = this.#options
    const { command, directory } = settings
    const process = new ProgramProcess({ command, directory, environment: { ...environment, ...variables } })
    if (process.pid !== undefined) onGroup(process.pid)
    process.child.stdin!.end()
    const fields = { function: functionName, program: process.pid }
    this.#output.follow(process, 'stdout', fields)
    this.#output.follow(process, 'stderr', fields)
    return process
  }

  /** Looks again and again. @returns where it listens; undefined if it has ended, or the time is over */
  async #listening(process: ProgramProcess, endpoint: Endpoint, end: number): Promise<Endpoint | undefined> {
    const { settings, clock } = this.#options
    // Programs that listen on `localhost` may mean either.
    const places = 'path' in endpoint ? [endpoint] : [endpoint, { ...endpoint, host: '::1' }]
    let pause = FIRST_LOOK
    while (process.how === undefined && !this.#stopped && clock.steady() < end) {
      for (const place of places) {
        const there =
          settings.ready === undefined
            ? await listens(place)
            : await answers(place, settings.ready, Math.max(1, Math.min(1000, end - clock.steady())))
        if (there && process.how === undefined && this.#isOwn(place, process)) return place
      }
      await Promise.race([process.ended, new Promise<void>(settle => void clock.after(pause, settle))])
      pause = Math.min(MOST_BETWEEN, pause * 2)
    }
    return undefined
  }

  #isOwn(place: Endpoint, process: ProgramProcess): boolean {
    if ('path' in place || isOwn(place.port, process.pid ?? 0, this.#options.environment[MARK] ?? ''))
      return true
    this.#options.log.warn({ port: place.port }, 'another process listens on the port of the program')
    return false
  }

  /** Asks it again and again whether it is well. @param failed questions in a row that it has failed */
  #watch(process: ProgramProcess, endpoint: Endpoint, failed: number): void {
    const { settings, clock, log } = this.#options
    const { health } = settings
    if (health === undefined) return
    const ask = async (): Promise<void> => {
      const well = await answers(endpoint, health.path, health.timeout)
      if (process.how !== undefined || this.#stopped) return
      if (well || failed + 1 < health.failures) {
        this.#watch(process, endpoint, well ? 0 : failed + 1)
        return
      }
      const { path } = health
      log.error({ program: process.pid, path, failed: failed + 1 }, 'the program is not well, and is ended')
      this.#endpoint = undefined
      await process.end(PATIENCE, clock)
    }
    this.#health = clock.after(health.every, () => void ask())
  }

  #ended(process: ProgramProcess, how: string, readyAt: number): void {
    const { clock, log } = this.#options
    this.#endpoint = undefined
    this.#health?.stop()
    // What it has left behind holds the socket or the port.
    void process.bury(clock)
    this.onEnded()
    if (this.#stopped) return
    if (clock.steady() - readyAt >= HEALTHY) this.#failures = 0
    log.error({ program: process.pid, how }, 'the program ended')
    this.#again()
  }

  #again(): void {
    const { settings, clock, log } = this.#options
    this.restarts++
    const { first, most } = settings.restart
    const pause = Math.min(most, first * 2 ** Math.min(30, this.#failures++))
    this.#restart = clock.after(pause, () => {
      void this.#begin().then(failure => {
        if (failure === undefined || this.#stopped) return
        log.error({ pause }, failure)
        this.#again()
      })
    })
  }
}
