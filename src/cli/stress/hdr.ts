import { optionalPackage } from '../../platform/optional-package.ts'

/** As much of the package `hdr-histogram-js` as is used here; it need not be there. */
export interface Hdr {
  build(options: object): HdrHistogram
  encodeIntoCompressedBase64(histogram: HdrHistogram): string
  decodeFromCompressedBase64(text: string): HdrHistogram
  readonly HistogramLogWriter: new (write: (text: string) => void) => HdrLogWriter
}

interface HdrHistogram {
  tag: string
  recordValue(value: number): void
  add(other: HdrHistogram): void
}

interface HdrLogWriter {
  baseTime: number
  outputComment(text: string): void
  outputLogFormatVersion(): void
  outputStartTime(milliseconds: number): void
  outputLegend(): void
  outputIntervalHistogram(histogram: HdrHistogram, from: number, to: number, ratio: number): void
}

/** Nanoseconds, which is what is recorded, in a millisecond, which is what tools show. */
const NANOSECONDS = 1e6

/** @throws MissingPackageError */
export function loadHdr(): Promise<Hdr> {
  // Its types need it where only types are checked.
  const load = (): Promise<Hdr> => import('hdr-histogram-js' as string) as Promise<Hdr>
  return optionalPackage('hdr-histogram-js', '--hdr', load)
}

/** What ended in one second of the load. */
export interface Interval {
  readonly tag: string
  /** Since the end of the warm-up. */
  readonly second: number
  /** A histogram, in the compressed form of HdrHistogram. */
  readonly encoded: string
}

/** Histograms of each second, for a log. */
export class Seconds {
  readonly #hdr: Hdr
  readonly #open = new Map<string, { readonly second: number; readonly histogram: HdrHistogram }>()
  readonly #closed: Interval[] = []

  constructor(hdr: Hdr) {
    this.#hdr = hdr
  }

  /** @param at milliseconds since the end of the warm-up */
  record(tag: string, milliseconds: number, at: number): void {
    const second = Math.max(0, Math.floor(at / 1000))
    let open = this.#open.get(tag)
    if (open === undefined || open.second < second) {
      this.#close(tag)
      open = { second, histogram: newHistogram(this.#hdr) }
      this.#open.set(tag, open)
    }
    open.histogram.recordValue(Math.max(1, Math.round(milliseconds * NANOSECONDS)))
  }

  /** All of it; nothing is recorded any more. */
  take(): readonly Interval[] {
    for (const tag of this.#open.keys()) this.#close(tag)
    return this.#closed
  }

  #close(tag: string): void {
    const open = this.#open.get(tag)
    if (open === undefined) return
    const { second, histogram } = open
    this.#closed.push({ tag, second, encoded: this.#hdr.encodeIntoCompressedBase64(histogram) })
  }
}

function newHistogram({ build }: Hdr): HdrHistogram {
  return build({ bitBucketSize: 'packed', autoResize: true, numberOfSignificantValueDigits: 3 })
}

/**
 * A log as HdrHistogram's tools read it (format 1.3), a line for each second and tag.
 * @param threads what each has recorded @param began milliseconds since 1970
 */
export function logText(hdr: Hdr, threads: readonly (readonly Interval[])[], began: number): string {
  const merged = new Map<string, { readonly second: number; readonly histogram: HdrHistogram }>()
  for (const { tag, second, encoded } of threads.flat()) {
    const key = `${tag} ${second}`
    const found = merged.get(key) ?? { second, histogram: newHistogram(hdr) }
    merged.set(key, found)
    found.histogram.tag = tag
    found.histogram.add(hdr.decodeFromCompressedBase64(encoded))
  }
  let text = ''
  const writer = new hdr.HistogramLogWriter(more => {
    text += more
  })
  writer.outputComment('hotpotato stress: nanoseconds; corrected: from when requests were due')
  writer.outputLogFormatVersion()
  writer.outputStartTime(began)
  writer.outputLegend()
  for (const { second, histogram } of [...merged.values()].sort((a, b) => a.second - b.second))
    writer.outputIntervalHistogram(histogram, second, second + 1, NANOSECONDS)
  // The writer leaves an empty line, which some readers take for an interval.
  return text.replaceAll(/\n{2,}/g, '\n')
}
