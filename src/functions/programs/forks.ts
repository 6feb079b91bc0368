import { header, type RequestView } from '../../http/message.ts'
import { problem } from '../../http/problem.ts'
import type { Log } from '../../platform/log.ts'
import type { ProgramSettings } from '../../platform/program-settings.ts'
import type { Clock } from '../../time/clock.ts'
import type { Context, Endings, RawHandler, RawResponse } from '../contract.ts'
import { WarmPool } from '../warm-pool.ts'
import { badGateway, tooMany } from './answers.ts'
import { marshalled, requestVariables, type ToldRequest } from './environment.ts'
import { OutputLog } from './output-log.ts'
import { ProgramProcess } from './process.ts'
import { PATIENCE } from './program.ts'
import { type Ending, Run } from './run.ts'

/** What starts processes that learn all of a request from a pipe, and may put a head before the answer. */
export interface Interpreter {
  /** @throws Error as {@link ProgramProcess} does */
  start(): ProgramProcess
  /** All but the content. */
  tell(process: ProgramProcess, request: ToldRequest, variables: Readonly<Record<string, string>>): void
  /** @throws Error the output is no answer */
  answerOf(output: Uint8Array): Partial<RawResponse>
}

export interface ForksOptions {
  readonly settings: ProgramSettings
  readonly functionName: string
  readonly environment: Readonly<Record<string, string>>
  readonly clock: Clock
  readonly log: Log
  /** undefined: the program's command is started, and its output is the content of the answer. */
  readonly interpreter?: Interpreter
}

/** How often its share all processes at work may have written together, in bytes that are kept. */
const TOGETHER = 4

/**
 * One process a request, as OpenFaaS's classic watchdog does: the content on standard input, the answer on
 * standard output. There are never more of them at work than are allowed: one request more is refused. A
 * process is started when the request has come whole, so that slow clients hold none.
 */
export class Forks implements RawHandler {
  readonly #options: ForksOptions
  readonly #pool: WarmPool<ProgramProcess>
  readonly #output: OutputLog
  readonly #runs = new Set<Run>()
  #kept = 0
  #started = 0
  #refused = 0
  #failed = 0

  constructor(options: ForksOptions) {
    this.#options = options
    this.#output = new OutputLog(options.log, options.clock)
    const { settings, clock, log } = options
    this.#pool = new WarmPool(settings.fork.pool, () => this.#spawn({}, true), clock, log)
  }

  async handle(request: RequestView, context: Context & Partial<Endings>): Promise<RawResponse> {
    const { functionName, log, settings } = this.#options
    const { most, cgiHeaders, marshal } = settings.fork
    while (this.#runs.size >= most) {
      // What nothing waits for any more is about to go.
      const ending = [...this.#runs].filter(run => run.over).map(run => run.ending)
      if (ending.length === 0) {
        this.#refused++
        return problem(tooMany(functionName, most))
      }
      await Promise.race(ending)
    }
    const asked = told(request, context.functionPath)
    const variables = {
      ...(cgiHeaders ? requestVariables(asked) : {}),
      HOTPOTATO_CALL_ID: context.callId,
    }
    let process: ProgramProcess
    try {
      process = this.#process(asked, variables)
    } catch (error) {
      log.error({ err: error, callId: context.callId }, 'a process of the program cannot be started')
      if ((error as NodeJS.ErrnoException).code !== 'E2BIG')
        return problem(badGateway(functionName, 'cannot be started'))
      const detail = 'the request head is too large for a process'
      return problem({ name: 'bad-request', status: 431, detail })
    }
    const run = this.#run(process, context)
    if (context.onAbort !== undefined) context.onAbort(() => run.cancel())
    else context.signal.addEventListener('abort', () => run.cancel(), { once: true })
    process.child.stdin!.end(marshal ? marshalled(request) : request.body)
    return this.#answer(await run.ending, header(request.headers, 'content-type'))
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
    const { outputBytes, combineOutput, writeDebug } = settings.fork
    const keep = (bytes: number): boolean => {
      this.#kept += bytes
      return this.#kept <= TOGETHER * outputBytes
    }
    const run = new Run(process, { outputBytes, combineOutput, keep, clock })
    const fields = { function: functionName, program: process.pid, callId: context.callId }
    if (writeDebug) this.#output.follow(process, 'stdout', fields)
    if (!combineOutput) this.#output.follow(process, 'stderr', fields)
    this.#runs.add(run)
    void run.ending.then(() => {
      this.#runs.delete(run)
      this.#kept -= run.kept
    })
    return run
  }

  /** One that waits, or a new one. */
  #process(request: ToldRequest, variables: Record<string, string>): ProgramProcess {
    const { interpreter, environment } = this.#options
    if (interpreter !== undefined) {
      const process = interpreter.start()
      this.#started++
      interpreter.tell(process, request, { ...variables, ...environment })
      return process
    }
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

  #answer(ending: Ending, requestType: string | undefined): RawResponse {
    const { functionName, settings } = this.#options
    if (ending.kind === 'answered') {
      const type = settings.fork.contentType ?? requestType ?? 'text/plain; charset=utf-8'
      const answer = this.#options.interpreter?.answerOf(ending.output)
      return { status: 200, headers: [['content-type', type]], body: ending.output, ...answer }
    }
    this.#failed++
    switch (ending.kind) {
      case 'unstarted':
        this.#options.log.error({ how: ending.how }, 'a process of the program cannot be started')
        return problem(badGateway(functionName, 'cannot be started; the log of its container says why'))
      case 'failed': {
        const detail = `the program of ${functionName} ${ending.how}; the log of its container may say why`
        return problem({ name: 'function-failed', status: 500, detail })
      }
    }
  }
}

function told({ method, query, host = '', headers, body }: RequestView, path: string): ToldRequest {
  return { method, path, query, host: header(headers, 'host') ?? host, fields: headers, length: body.length }
}
