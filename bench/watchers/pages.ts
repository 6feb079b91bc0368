import { Admin } from '../../src/supervisor/admin/admin.ts'
import type { Supervisor } from '../../src/supervisor/supervisor.ts'
import { BenchError } from '../harness/run.ts'

/** Open pages of a platform, as far as it has to do with them: what they read is counted, and not drawn. */
export class Pages {
  readonly #admin: Admin
  #open: AbortController | undefined
  /** Bytes that all pages have been told. */
  told = 0

  private constructor(admin: Admin) {
    this.#admin = admin
  }

  static async of(supervisor: Supervisor): Promise<Pages> {
    return new Pages(await Admin.open({ host: '127.0.0.1', port: 0 }, () => supervisor))
  }

  /** Opens so many at once, besides none. @throws BenchError the platform refuses one */
  async open(count: number): Promise<void> {
    const { origin, pathname, hash } = new URL(this.#admin.page)
    const headers = { authorization: `Bearer ${hash.slice(1)}` }
    this.#open = new AbortController()
    const { signal } = this.#open
    for (let i = 0; i < count; i++) {
      const answer = await fetch(`${origin}${pathname}events`, { headers, signal })
      if (!answer.ok || answer.body === null) throw new BenchError(`a page is refused: ${answer.status}`)
      void this.#read(answer.body).catch(() => undefined)
    }
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    for await (const bytes of body) this.told += bytes.length
  }

  close(): void {
    this.#open?.abort()
    this.#open = undefined
  }

  stop(): void {
    this.close()
    this.#admin.close()
  }
}
