import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { type Recording, readRecording } from '../../trace/recording.ts'
import { CommandError } from '../line/usage-error.ts'
import { Program } from './program.ts'
import { commandOf } from './words.ts'

/** Milliseconds for an answer, and for the end. */
const PATIENCE = 30_000
const END = 5000
/** Milliseconds in which a request leaves. */
const PAUSE = 300
/** Characters of the longest head of an answer. */
const LONGEST = 65_536

/** What one answer says of the platform. */
export interface Answer {
  readonly status: number
  readonly container: string
  readonly hops: number
}

/** A connection that `hotpotato connect` keeps open: one HEAD after the other, over HTTP/1.1. */
export class Conversation {
  readonly command: string
  readonly #program: Program
  readonly #request: string
  #text = ''
  #heard = (): void => {}

  /** @param target what `connect` is told of the server @param directory of this process */
  constructor(
    target: readonly string[],
    { host, prefix }: { readonly host: string; readonly prefix: string },
    directory: string,
  ) {
    this.command = commandOf(['connect', ...target])
    this.#program = new Program(['connect', ...target, '--quiet'], directory)
    this.#request = `HEAD ${prefix}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`
    this.#program.output.setEncoding('utf8').on('data', (text: string) => {
      this.#text = `${this.#text}${text}`.slice(-LONGEST)
      this.#heard()
    })
    this.#program.output.on('close', () => this.#heard())
  }

  get open(): boolean {
    return !this.#program.ended
  }

  /** What became of it in the end. */
  get said(): string {
    return this.#program.said || 'the connection has ended'
  }

  /** Sends a request, and does not wait for its answer. */
  send(): void {
    this.#text = ''
    this.#program.input.write(this.#request)
  }

  /** @throws Error it has ended, or there is no answer */
  async ask(): Promise<Answer> {
    this.send()
    for (const end = SYSTEM_CLOCK.steady() + PATIENCE; ; ) {
      const head = /^HTTP\/1\.1 (\d{3})[^\n]*\r\n([\s\S]*?)\r\n\r\n/.exec(this.#text)
      if (head !== null) return answerOf(Number(head[1]), head[2]!)
      if (!this.open) throw new CommandError(this.said)
      if (SYSTEM_CLOCK.steady() > end) throw new CommandError('there is no answer')
      await this.#more()
    }
  }

  /** Has `connect` do something to the connection, and waits until it has. */
  async tell(what: object): Promise<void> {
    this.#program.tell(what)
    await this.#program.look(-1)
  }

  /** JSON: so far, or to its end. */
  async recording(): Promise<string> {
    const now = this.open ? await this.#program.look(-1).catch(() => undefined) : undefined
    if (now?.recording !== undefined) return now.recording
    await this.over()
    return this.#program.recording()
  }

  /** How many records the server has sent. */
  async serverRecords(): Promise<number> {
    const { connections }: Recording = readRecording(await this.recording())
    const events = connections.at(-1)?.events ?? []
    return events.filter(one => one.kind === 'record' && one.side === 'server').length
  }

  /** Sends a request, and waits until it has left, answered or not. */
  async sent(): Promise<void> {
    this.send()
    // What is written together would be one record.
    await new Promise<void>(resolve => SYSTEM_CLOCK.after(PAUSE, resolve))
  }

  /** Waits for its end, which must be near. */
  async over(): Promise<void> {
    await this.#program.over(END)
  }

  /** With close_notify. */
  async end(): Promise<void> {
    this.#program.input.end()
    await this.over()
  }

  close(): void {
    this.#program.close()
  }

  /** Something has come, or it has ended. */
  #more(): Promise<void> {
    return new Promise<void>(resolve => {
      const timer = SYSTEM_CLOCK.after(100, resolve)
      this.#heard = () => {
        timer.stop()
        resolve()
      }
    })
  }
}

function answerOf(status: number, fields: string): Answer {
  const field = (name: string): string => new RegExp(`^${name}: *(.*)$`, 'im').exec(fields)?.[1]?.trim() ?? ''
  return {
    status,
    container: field('x-hotpotato-container'),
    hops: Number(field('x-hotpotato-hops') || 0),
  }
}
