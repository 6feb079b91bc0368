import { header } from '../../http/message.ts'
import type { Log } from '../../platform/log.ts'
import type { ProgramSettings } from '../../platform/program-settings.ts'
import type { Clock } from '../../time/clock.ts'
import { contentsOf } from '../adapters/node-request.ts'
import type { Context, Endings } from '../contract.ts'
import { LightResponse } from '../light/response.ts'
import { badGateway, refusing } from './answers.ts'
import { requestVariables } from './environment.ts'
import { OutputLog } from './output-log.ts'
import { ProgramProcess } from './process.ts'
import { PATIENCE } from './program.ts'
import { type Ending, Run } from './run.ts'
import { WarmPool } from './warm-pool.ts'

export interface ForksOptions {
  readonly settings: ProgramSettings
  readonly functionName: string
  readonly environment: Readonly<Record<string, string>>
  readonly clock: Clock
  readonly log: Log
}

/**
 * One process a request, as OpenFaaS's classic watchdog does: the content on standard input, the answer on
 * standard output. There are never more of them at work than are allowed: one request more is refused.
 */
export class Forks {
  readonly #options: ForksOptions
  readonly #pool: WarmPool
  readonly #output: OutputLog
  readonly #runs = new Set<Run>()
  #started = 0
  #refused = 0
  #failed = 0

  constructor(options: ForksOptions) {
    this.#options = options
    this.#output = new OutputLog(options.log, options.clock)
    const { settings, clock, log } = options
    this.#pool = new WarmPool(settings.fork.pool, () => this.#spawn({}, true), clock, log)
  }

  async fetch(request: Request, context: Context & Partial<Endings>): Promise<Response> {
    const { functionName, log } = this.#options
    const { most } = this.#options.settings.fork
    if (this.#runs.size >= most) {
      this.#refused++
      const detail = `the function ${functionName} has ${most} processes at work, and may have no more`
      return refusing({ name: 'too-many-requests', status: 429, detail, headers: [['retry-after', '1']] })
    }
    const { fields, content, target, host } = contentsOf(request)
    const at = target.indexOf('?')
    const length = content instanceof ReadableStream ? declared(fields) : (content?.length ?? 0)
    const query = at < 0 ? '' : target.slice(at + 1)
    const { cgiHeaders } = this.#options.settings.fork
    const told = { method: request.method, path: context.functionPath, query, host, fields, length }
    const variables = {
      ...(cgiHeaders ? requestVariables(told) : {}),
      HOTPOTATO_CALL_ID: context.callId,
    }
    let process: ProgramProcess
    try {
      process = this.#process(variables)
    } catch (error) {
      log.error({ err: error, callId: context.callId }, 'a process of the program cannot be started')
      if ((error as NodeJS.ErrnoException).code === 'E2BIG')
        return refusing({
          name: 'bad-request',
          status: 431,
          detail: 'the request head is too large for a process',
        })
      return refusing(badGateway(functionName, 'cannot be started'))
    }
    const run = this.#run(process, context)
    if (context.onAbort !== undefined) context.onAbort(() => run.cancel())
    else context.signal.addEventListener('abort', () => run.cancel(), { once: true })
    run.give(content)
    const ending = await run.ending
    return this.#answer(ending, header(fields, 'content-type'))
  }

  counters(): Record<string, number> {
    return {
      programs: this.#runs.size,
      programsWarm: this.#pool.size,
      programsStarted: this.#started,
      programsFailed: this.#failed,
      programsRefused: this.#refused,
    }
  }

  /** Ends those that wait; those at work have been waited for. */
  async stop(): Promise<void> {
    const processes = [...this.#pool.close(), ...[...this.#runs].map(run => run.process)]
    await Promise.all(processes.map(one => one.end(PATIENCE, this.#options.clock)))
  }

  #run(process: ProgramProcess, context: Context): Run {
    const { settings, functionName, clock } = this.#options
    const { timeMilliseconds, outputBytes, combineOutput } = settings.fork
    const run = new Run(process, { timeMilliseconds, outputBytes, combineOutput, clock })
    const fields = { function: functionName, program: process.pid, callId: context.callId }
    if (!combineOutput) this.#output.follow(process.child.stderr!, 'stderr', fields)
    this.#runs.add(run)
    void run.ending.then(() => this.#runs.delete(run))
    return run
  }

  /** One that waits, or a new one. */
  #process(variables: Record<string, string>): ProgramProcess {
    const warm = this.#pool.take()
    if (warm === undefined) return this.#spawn(variables, false)
    ;(warm.child.stdio[3] as NodeJS.WritableStream).end(`${JSON.stringify(variables)}\n`)
    return warm
  }

  #spawn(variables: Record<string, string>, told: boolean): ProgramProcess {
    const { environment, settings } = this.#options
    const { command, directory } = settings
    const where: Record<string, string> = told ? { HOTPOTATO_VARIABLES_FD: '3' } : {}
    const all = { ...variables, ...environment, ...where }
    this.#started++
    return new ProgramProcess({ command, directory, environment: all, told })
  }

  #answer(ending: Ending, requestType: string | undefined): Response {
    const { functionName, settings } = this.#options
    switch (ending.kind) {
      case 'answered': {
        const type = settings.fork.contentType ?? requestType ?? 'text/plain; charset=utf-8'
        return LightResponse.from(200, [['content-type', type]], ending.output) as unknown as Response
      }
      case 'late': {
        this.#failed++
        const seconds = settings.fork.timeMilliseconds / 1000
        const detail = `the program of ${functionName} was ended after ${seconds} s`
        return refusing({ name: 'program-timeout', status: 504, detail })
      }
      case 'unstarted':
        this.#failed++
        return refusing(badGateway(functionName, 'cannot be started; the log of its container says why'))
      case 'failed': {
        this.#failed++
        const detail = `the program of ${functionName} ${ending.how}; the log of its container may say why`
        return refusing({ name: 'function-failed', status: 500, detail })
      }
    }
  }
}

function declared(fields: readonly (readonly [string, string])[]): number | undefined {
  const said = header(fields, 'content-length')
  return said === undefined ? undefined : Number(said)
}
