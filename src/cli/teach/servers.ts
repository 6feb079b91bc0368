import { join } from 'node:path'
import { makeCertificates } from '../../certificates/authority.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { Program } from './program.ts'

/** What the servers of lessons are like. */
const KINDS = {
  /** Takes early data, and asks for a certificate. */
  early: ['--early-data', '4096', '--mtls', 'request'],
  /** Its tickets are good for a second. */
  short: ['--ticket-seconds', '1'],
  /** For clients that are not ours. */
  guests: [],
} as const

export type ServerKind = keyof typeof KINDS

/** A `hotpotato serve` that listens. */
export interface Listening {
  readonly program: Program
  readonly port: number
}

/** The servers that lessons are made with, where the platform does not serve: one of each kind. */
export class Servers {
  readonly #directory: string
  readonly #running = new Map<ServerKind, Listening>()
  #made: Promise<unknown> | undefined

  /** @param directory of this process, for their certificates */
  constructor(directory: string) {
    this.#directory = directory
  }

  /** Where a file of their certificates is, as `ca.crt`. */
  file(name: string): string {
    return join(this.#directory, name)
  }

  /** The one that listens, if there is one. */
  running(kind: ServerKind): Listening | undefined {
    const found = this.#running.get(kind)
    return found?.program.ended === false ? found : undefined
  }

  /** The one that listens, or another one. @throws Error it does not listen */
  async get(kind: ServerKind): Promise<Listening> {
    return this.running(kind) ?? this.renew(kind)
  }

  /** Another one in its place. @throws Error it does not listen */
  async renew(kind: ServerKind): Promise<Listening> {
    this.#running.get(kind)?.program.close()
    this.#running.delete(kind)
    this.#made ??= this.#make()
    await this.#made
    const words = [
      ...['serve', '--port', '0', ...KINDS[kind]],
      ...(kind === 'early' ? ['--client-ca', this.file('clients/ca.crt')] : []),
      ...['--cert', this.file('localhost.crt'), '--key', this.file('localhost.key')],
    ]
    const program = new Program(words, this.#directory)
    let said = ''
    for await (const text of program.output.setEncoding('utf8')) {
      said += text as string
      const port = /listening on https:\/\/\S+:(\d+)\//.exec(said)?.[1]
      if (port === undefined) continue
      const listening = { program, port: Number(port) }
      this.#running.set(kind, listening)
      return listening
    }
    throw new Error(program.said || 'serve has ended before it listened')
  }

  close(): void {
    for (const { program } of this.#running.values()) program.close()
  }

  async #make(): Promise<void> {
    const now = SYSTEM_CLOCK.wall()
    await makeCertificates({
      ...{ directory: this.#directory, now },
      certificates: [{ name: 'localhost', hosts: ['localhost'] }],
    })
    await makeCertificates({
      ...{ directory: this.file('clients'), now, purpose: 'client' },
      certificates: [{ name: 'alice', hosts: ['alice'] }],
    })
  }
}
