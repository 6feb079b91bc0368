import type { Duplex } from 'node:stream'
import type { RawHandler, RawResponse } from '../../functions/contract.ts'
import type { ToldRequest } from '../../functions/programs/environment.ts'
import { Forks, type Interpreter } from '../../functions/programs/forks.ts'
import { ProgramProcess } from '../../functions/programs/process.ts'
import { type Frame, KEPT, uint32 } from '../../functions/sealed/frames.ts'
import { Link } from '../../functions/sealed/link.ts'
import type { Opening } from '../../functions/sealed/opening.ts'
import type { Store } from '../../functions/sealed/store.ts'
import type { Log } from '../../platform/log.ts'
import type { ForkSettings } from '../../platform/program-settings.ts'
import type { Archive } from '../../sealed/archive.ts'
import type { Clock } from '../../time/clock.ts'
import { concat, utf8 } from '../../wire/index.ts'
import { reasonOf } from '../../wire/thrown.ts'
import { sealedPythonRunner } from './python-runner.ts'

/** Without its user's environment, packages beside those of the bundle, and files of compiled code. */
const FLAGS = ['-I', '-S', '-B', '-X', 'utf8']

const decoder = new TextDecoder()

/** Most bytes that a function may keep under a name, with the name and what stands before it. */
const MOST_KEPT = 2 ** 20 + 65_540

/** What a function has around it. */
interface Surroundings {
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
}

/**
 * The interpreters of one worker of a sealed function in Python. Each serves one request; the first one is
 * started while there is neither bundle nor key.
 */
export class Python implements Interpreter {
  readonly #command: readonly string[]
  readonly #http: boolean
  #spare: ProgramProcess | undefined
  #archive: Archive | undefined
  #store: Store | undefined

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
  open(archive: Archive, opening: Opening, { clock, log, store }: Surroundings): RawHandler {
    const { functionName, environment, secretsDirectory, fork = '' } = opening
    if (!archive.entry.endsWith('.py'))
      throw new RangeError(
        `lang: ${opening.lang} stands for Python, and the bundle's function is ${archive.entry}`,
      )
    this.#archive = archive
    this.#store = store
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
    const pipe = process.child.stdio[3] as Duplex
    pipe.write(concat(uint32(head.length), head))
    for (const { content } of files) if (content.length > 0) pipe.write(content)
    const link = new Link(pipe, MOST_KEPT)
    link.onFrame = frame => void this.#keep(frame, link)
  }

  /** The function asks for what it keeps. */
  async #keep({ type, payload }: Frame, link: Link): Promise<void> {
    const answer = type === 'load' ? 'loaded' : 'saved'
    try {
      const value =
        type === 'load' ? await this.#store!.get(decoder.decode(payload)) : await this.#save(payload)
      const kept =
        value === undefined ? Uint8Array.of(KEPT.nothing) : concat(Uint8Array.of(KEPT.value), value)
      link.send(answer, 0, kept)
    } catch (error) {
      link.send(answer, 0, concat(Uint8Array.of(KEPT.failed), utf8(reasonOf(error))))
    }
  }

  /** @param payload the name's length, the name, whether there is a value, and the value */
  async #save(payload: Uint8Array): Promise<undefined> {
    const end = 2 + new DataView(payload.buffer, payload.byteOffset).getUint16(0)
    const name = decoder.decode(payload.subarray(2, end))
    if (payload[end] === 0) await this.#store!.delete(name)
    else await this.#store!.set(name, payload.slice(end + 1))
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
