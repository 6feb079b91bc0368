import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { BenchError } from '../harness/run.ts'

/** What a guest is to do. */
export type Order =
  /** Open connections: those that rest, and those that ask. */
  | { kind: 'connect'; port: number; authority: string; idle: number; asking: number }
  /** Ask, so that each request moves its connection. */
  | { kind: 'move'; requests: number }
  /** Open pages. */
  | { kind: 'watch'; page: string; count: number }
  /** Say what pages were told so far. */
  | { kind: 'count' }

export interface Answer {
  /** Requests a second. */
  readonly rate?: number
  /** Bytes that pages were told. */
  readonly told?: number
  readonly error?: string
}

/** A process of clients or of pages, which is not the platform's. */
export class Guest {
  readonly #process: ChildProcess = fork(fileURLToPath(new URL('./guest.js', import.meta.url)))

  /** One order after the other. @throws BenchError it cannot be obeyed */
  async obey(order: Order): Promise<Answer> {
    this.#process.send(order)
    const gone = once(this.#process, 'exit').then(() => [{ error: 'a guest has ended' }])
    const [answer] = (await Promise.race([once(this.#process, 'message'), gone])) as [Answer]
    if (answer.error !== undefined) throw new BenchError(answer.error)
    return answer
  }

  /** Its connections end with it. */
  leave(): void {
    if (this.#process.connected) this.#process.disconnect()
  }
}
