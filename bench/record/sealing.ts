import { ContentType } from '../../src/tls13/codepoints.ts'
import type { CipherSuite, CryptoProvider } from '../../src/tls13/index.ts'
import { Protection } from '../../src/tls13/protection.ts'
import { readRecord } from '../../src/tls13/record.ts'
import { equal } from '../../src/wire/index.ts'
import { Series } from '../harness/stats.ts'
import { OPERATIONS, type Operation, piece, SIZES, type Size } from './rows.ts'

/** Records sealed or opened in a row for one sample: a few milliseconds with OpenSSL. */
const BATCH: Readonly<Record<Size, number>> = { 64: 1000, 1024: 700, 16384: 150 }
/** Pure TypeScript is so many times slower, and no goal hangs on it. */
const SLOWER = 20
const BATCHES = 5

/** One cipher suite of one provider: how long a record takes. */
export class Sealing {
  readonly provider: string
  readonly suite: string
  readonly series = new Map<string, Series>()
  readonly #protection: Protection
  readonly #slower: number

  constructor({ name }: CryptoProvider, suite: CipherSuite) {
    this.provider = name
    this.suite = suite.name
    this.#slower = name === 'noble' ? SLOWER : 1
    this.#protection = protectionOf(suite)
  }

  static key(operation: Operation, size: Size): string {
    return `${operation} ${size}`
  }

  /** @throws Error unless it seals what `known` seals, and opens it */
  check(known: CipherSuite): void {
    for (const size of SIZES) {
      const content = piece().subarray(0, size)
      const record = protectionOf(known).seal(ContentType.application_data, content)
      const into = new Uint8Array(record.length)
      const sealed = [this.#at0().seal(ContentType.application_data, content), into]
      this.#at0().sealInto(ContentType.application_data, content, 0, into, 0)
      const raw = readRecord(record, 0, true)!
      const opened = this.#at0().open(raw).content
      if (!sealed.every(one => equal(one, record)) || !equal(opened, content)) {
        throw new Error(`${this.provider} ${this.suite} is wrong at ${size} bytes`)
      }
    }
  }

  /** A round of everything. @param counts whether it counts, or was to warm up */
  round(counts: boolean): void {
    for (const size of SIZES) {
      for (const operation of OPERATIONS) {
        const samples = this.#time(operation, size)
        if (!counts) continue
        const key = Sealing.key(operation, size)
        const series = this.series.get(key) ?? new Series()
        series.add(samples)
        this.series.set(key, series)
      }
    }
  }

  /**
   * @returns µs of CPU time for one record, a sample for each batch; `openssl speed` counts the same, others
   * may work meanwhile
   */
  #time(operation: Operation, size: Size): number[] {
    const content = piece().subarray(0, size)
    const record = this.#at0().seal(ContentType.application_data, content)
    const raw = readRecord(record, 0, true)!
    const work: Record<Operation, (protection: Protection) => unknown> = {
      seal: protection => protection.seal(ContentType.application_data, content),
      sealInto: protection => protection.sealInto(ContentType.application_data, content, 0, record, 0),
      open: protection => protection.open(raw),
    }
    const run = work[operation]
    const count = Math.ceil(BATCH[size] / this.#slower)
    return Array.from({ length: BATCHES }, () => {
      const before = process.cpuUsage()
      for (let i = 0; i < count; i++) run(this.#at0())
      const { user, system } = process.cpuUsage(before)
      return (user + system) / count
    })
  }

  /** The same record again and again: only the time is of interest. */
  #at0(): Protection {
    this.#protection.state.sequenceNumber = 0
    return this.#protection
  }
}

function protectionOf(suite: CipherSuite): Protection {
  return new Protection(suite, {
    trafficSecret: new Uint8Array(suite.hash.length).fill(7),
    sequenceNumber: 0,
  })
}
