import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** Classes to an octave of the picture. */
const CLASSES = 8
export const PERCENTILES = [50, 75, 90, 95, 99, 99.9] as const

/** Characters of a sentence on what failed. */
const MOST = 200

/** A row of the picture: answers that took at most so many milliseconds, and more than the row before. */
export interface Class {
  readonly upTo: number
  readonly count: number
}

/** What came of all requests; its memory does not grow with their number. */
export class Tally {
  readonly statuses = new Map<number, number>()
  readonly errors = new Map<string, number>()
  /** By kind of error, what was said of the first one. */
  readonly reasons = new Map<string, string>()
  /** Of content. */
  bytes = 0
  readonly #times: RecordableHistogram = createHistogram()
  readonly #classes = new Map<number, number>()
  #sum = 0

  /**
   * @param milliseconds from the beginning of the request to the end of the answer
   * @param problem the beginning of the content, if the status is 400 or more
   */
  answered(status: number, bytes: number, milliseconds: number, problem = ''): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
    this.bytes += bytes
    this.#sum += milliseconds
    // Nanoseconds: a histogram counts whole numbers.
    this.#times.record(Math.max(1, Math.round(milliseconds * 1e6)))
    const index = Math.ceil(Math.log2(Math.max(milliseconds, 1e-3)) * CLASSES)
    this.#classes.set(index, (this.#classes.get(index) ?? 0) + 1)
    if (status >= 400) this.failed(`status ${status}`, detailOf(problem))
  }

  /** @param reason a sentence on it; empty: none */
  failed(kind: string, reason: string): void {
    const before = this.errors.get(kind) ?? 0
    this.errors.set(kind, before + 1)
    if (before === 0 && reason !== '' && reason !== kind) this.reasons.set(kind, reason.slice(0, MOST))
  }

  /** Answers that came whole, whatever they say. */
  get answers(): number {
    return [...this.statuses.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Requests that failed, or were answered with a status of 400 or more. */
  get failures(): number {
    return [...this.errors.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Milliseconds. @returns undefined if nothing was answered */
  get times() {
    if (this.answers === 0) return undefined
    const milliseconds = (nanoseconds: number): number => Math.round(nanoseconds / 1000) / 1000
    const at = (percent: number): number => milliseconds(this.#times.percentile(percent))
    return {
      fastest: milliseconds(this.#times.min),
      slowest: milliseconds(this.#times.max),
      average: Math.round((this.#sum / this.answers) * 1000) / 1000,
      percentiles: Object.fromEntries(PERCENTILES.map(percent => [percent, at(percent)])),
    }
  }

  /** The distribution in at most `rows` classes, each as many times as wide as the one before. */
  classes(rows: number): Class[] {
    const indices = [...this.#classes.keys()]
    if (indices.length === 0) return []
    const [low, high] = [Math.min(...indices), Math.max(...indices)]
    const step = Math.max(1, Math.ceil((high - low + 1) / rows))
    const found: Class[] = []
    for (let from = low; from <= high; from += step) {
      let count = 0
      for (let index = from; index < from + step; index++) count += this.#classes.get(index) ?? 0
      found.push({ upTo: 2 ** ((from + step - 1) / CLASSES), count })
    }
    return found
  }
}

/** What an answer says is wrong: the detail of a problem (RFC 9457), or the first line of its content. */
function detailOf(content: string): string {
  try {
    const { detail, title } = JSON.parse(content) as { readonly detail?: unknown; readonly title?: unknown }
    return String(detail ?? title ?? '')
  } catch {
    return content.trim().split('\n', 1)[0]!
  }
}
