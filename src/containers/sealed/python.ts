import type { RawHandler, RawResponse } from '../../functions/contract.ts'
import type { ToldRequest } from '../../functions/programs/environment.ts'
import { Forks, type Interpreter } from '../../functions/programs/forks.ts'
import { ProgramProcess } from '../../functions/programs/process.ts'
import { uint32 } from '../../functions/sealed/frames.ts'
import type { Opening } from '../../functions/sealed/opening.ts'
import type { Log } from '../../platform/log.ts'
import type { ForkSettings } from '../../platform/program-settings.ts'
import type { Archive } from '../../sealed/archive.ts'
import type { Clock } from '../../time/clock.ts'
import { concat, utf8 } from '../../wire/index.ts'
import { sealedPythonRunner } from './python-runner.ts'

/** Without its user's environment, packages beside those of the bundle, and files of compiled code. */
const FLAGS = ['-I', '-S', '-B', '-X', 'utf8']

const decoder = new TextDecoder()

/**
 * The interpreters of one worker of a sealed function in Python. Each serves one request; the first one is
 * started while there is neither bundle nor key.
 */
export class Python implements Interpreter {
  readonly #command: readonly string[]
  readonly #http: boolean
  #spare: ProgramProcess | undefined
  #archive: Archive | undefined

  /**
   * @param program the path of the interpreter
   * @param http the template is python3-http @param readable further folders that functions may read
   */
  constructor(program: string, http: boolean, readable: readonly string[]) {
    this.#command = [program, ...FLAGS, '-c', sealedPythonRunner(http), ...readable]
    this.#http = http
    this.#spare = this.#spawn()
  }

  /** The function of a bundle. @throws RangeError its entry is not in Python */
  open(archive: Archive, opening: Opening, { clock, log }: { clock: Clock; log: Log }): RawHandler {
    const { functionName, environment, secretsDirectory, fork = '' } = opening
    if (!archive.entry.endsWith('.py'))
      throw new RangeError(
        `lang: ${opening.lang} stands for Python, and the bundle's function is ${archive.entry}`,
      )
    this.#archive = archive
    const settings = {
      mode: 'fork',
      command: this.#command,
      directory: '/',
      runDirectory: '/',
      ready: undefined,
      startMilliseconds: 0,
      restart: { first: 0, most: 0 },
      fork: { ...(JSON.parse(fork) as ForkSettings), pool: 0 },
    } as const
    const variables = {
      ...Object.fromEntries(environment.map(({ name, value }) => [name, value])),
      HOTPOTATO_FUNCTION: functionName,
      ...(secretsDirectory === undefined ? {} : { secret_mount_path: secretsDirectory }),
    }
    return new Forks({ settings, functionName, environment: variables, clock, log, interpreter: this })
  }

  start(): ProgramProcess {
    const process = this.#spare?.how === undefined ? this.#spare : undefined
    this.#spare = undefined
    return process ?? this.#spawn()
  }

  tell(process: ProgramProcess, request: ToldRequest, variables: Readonly<Record<string, string>>): void {
    const { entry, files } = this.#archive!
    const { method, path, query, fields } = request
    const asked = this.#http ? { method, path, query, headers: fields } : undefined
    const head = utf8(
      JSON.stringify({
        entry,
        files: files.map(one => [one.path, one.content.length]),
        variables,
        request: asked,
      }),
    )
    const pipe = process.child.stdio[3] as NodeJS.WritableStream
    pipe.write(concat(uint32(head.length), head))
    for (const { content } of files) if (content.length > 0) pipe.write(content)
    pipe.end()
  }

  answerOf(output: Uint8Array): Partial<RawResponse> {
    if (!this.#http) return {}
    const view = new DataView(output.buffer, output.byteOffset, output.length)
    const end = 4 + view.getUint32(0)
    return { ...JSON.parse(decoder.decode(output.subarray(4, end))), body: output.subarray(end) }
  }

  #spawn(): ProgramProcess {
    return new ProgramProcess({ command: this.#command, directory: '/', environment: {}, told: true })
  }
}
