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
  readonly #gone = once(this.#process, 'exit').then(() => [{ error: 'a guest has ended' }])

  /** One order after the other. @throws BenchError it cannot be obeyed */
  async obey(order: Order): Promise<Answer> {
    this.#process.send(order)
    const answered = new AbortController()
    const message = once(this.#process, 'message', { signal: answered.signal })
    const [answer] = (await Promise.race([message, this.#gone])) as [Answer]
    message.catch(() => {})
    answered.abort()
    if (answer.error !== undefined) throw new BenchError(answer.error)
    return answer
  }

  /** Its connections end with it. */
  leave(): void {
    if (this.#process.connected) this.#process.disconnect()
  }
}
