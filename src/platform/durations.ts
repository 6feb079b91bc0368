/** Seconds of each unit. */
const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 0.001,
  s: 1,
  m: 60,
  h: 3600,
}

/** A duration as Go writes it, in a JSON Schema. */
export const DURATION = '^([0-9]+([.][0-9]+)?(ns|us|µs|ms|s|m|h))+$'

/** Seconds as Go writes them: `1h30m`, `250ms`; what is less than a nanosecond is lost. */
export function durationText(seconds: number): string {
  if (seconds === 0) return '0s'
  let rest = Math.round(seconds * 1e9)
  let text = ''
  for (const [unit, size] of Object.entries({ h: 3.6e12, m: 6e10, s: 1e9, ms: 1e6, us: 1e3, ns: 1 })) {
    const count = Math.floor(rest / size)
    if (count > 0) text += `${count}${unit}`
    rest -= count * size
  }
  return text
}

/** Seconds of a duration as Go writes it, such as `1m30s`; undefined if it is none. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined
  let total = 0
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g))
    total += Number(number) * UNITS[unit!]!
  return total
}
