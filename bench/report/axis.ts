/** How values are laid out along one direction. */
export interface Axis {
  readonly label: string
  readonly log?: boolean
  /** Where it begins and ends, if not with the values. */
  readonly from?: number
  readonly to?: number
}

/** An axis with its length in pixels. */
export interface Scale {
  readonly ticks: readonly { readonly at: number; readonly text: string }[]
  /** Pixels from the axis's beginning. */
  at(value: number): number
}

/** Ticks that are wanted on a linear axis, about. */
const TICKS = 6

/**
 * @param values all that will be drawn; on a logarithmic axis, those that are not above 0 are drawn at its
 * beginning
 */
export function scaleOf({ log = false, from, to }: Axis, values: readonly number[], length: number): Scale {
  const usable = log ? values.filter(value => value > 0) : values
  const low = from ?? Math.min(...usable)
  const high = to ?? Math.max(...usable)
  return log ? logarithmic(low, high, length) : linear(low, high, length)
}

function linear(low: number, high: number, length: number): Scale {
  const span = high > low ? high - low : Math.abs(high) || 1
  const rough = span / TICKS
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 2.5, 5, 10].map(one => one * power).find(one => one >= rough)!
  const end = Math.ceil((low + span) / step - 1e-9) * step
  const begin = Math.floor(low / step + 1e-9) * step
  const at = (value: number): number => ((value - begin) / (end - begin)) * length
  const ticks: { at: number; text: string }[] = []
  for (let i = 0; begin + i * step <= end + step / 1e6; i++) {
    const value = begin + i * step
    ticks.push({ at: at(value), text: tickText(value) })
  }
  return { ticks, at }
}

function logarithmic(low: number, high: number, length: number): Scale {
  const [begin, end] = low < high ? [low, high] : [low / 2, low * 2]
  const [from, to] = [Math.log10(begin), Math.log10(end)]
  const at = (value: number): number =>
    Math.max(0, ((Math.log10(Math.max(value, begin / 1e6)) - from) / (to - from)) * length)
  // Fewer marks within a decade, the more decades there are.
  const digits = to - from > 3.5 ? [1] : to - from > 1.5 ? [1, 3] : [1, 2, 3, 5, 7]
  const ticks: { at: number; text: string }[] = []
  for (let power = Math.floor(from); power <= Math.ceil(to); power++) {
    for (const digit of digits) {
      const value = digit * 10 ** power
      if (value >= begin * 0.999 && value <= end * 1.001) ticks.push({ at: at(value), text: tickText(value) })
    }
  }
  return { ticks, at }
}

/** As people write it: 0.5, 20, 3 k, 1 M. */
export function tickText(value: number): string {
  const size = Math.abs(value)
  const short = (number: number): string => String(Number(number.toPrecision(3)))
  if (size >= 1e6) return `${short(value / 1e6)} M`
  if (size >= 1e4) return `${short(value / 1e3)} k`
  return short(value)
}
