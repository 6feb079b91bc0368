import { parseArgs } from 'node:util'
import { OptionError } from './option-error.ts'
import { type PlaceKind, placeOf } from './places.ts'

export { OptionError }

/** How much is measured. */
export type Mode = 'quick' | 'default' | 'full'

/** One option of a bench besides those that all have; without `value` it is a switch. */
export interface Option {
  /** What stands for its value in the usage, as `N`. */
  readonly value?: string
  /** What the value names, if it is a place. */
  readonly place?: PlaceKind
  readonly help: string
}

export type Options = Readonly<Record<string, Option>>
export type Values<O extends Options> = {
  readonly [K in keyof O]?: O[K] extends { readonly value: string } ? string : boolean
}

const COMMON = {
  quick: { help: 'few samples, under 20 s: whether it works, and roughly how fast' },
  full: { help: 'as long as published figures deserve: hours, overnight' },
  rounds: { value: 'N', help: 'exactly this many rounds' },
  seconds: { value: 'N', help: 'no round begins later than this after the first one' },
  output: { value: 'DIR', place: 'folder', help: 'where the JSON goes; default: bench/results' },
  csv: { value: 'FILE', place: 'file', help: 'write the measurements as CSV, too' },
  help: { help: 'this' },
} as const satisfies Options

export interface Arguments<O extends Options> {
  readonly mode: Mode
  readonly help: boolean
  readonly rounds: number | undefined
  readonly seconds: number | undefined
  readonly output: string | undefined
  readonly csv: string | undefined
  readonly values: Values<O>
}

/** @throws OptionError */
export function readArguments<O extends Options>(options: O, words: readonly string[]): Arguments<O> {
  const all: Options = { ...options, ...COMMON }
  const types = Object.entries(all).map(
    ([name, { value }]) => [name, { type: value === undefined ? 'boolean' : 'string' } as const] as const,
  )
  let values: Record<string, unknown>
  try {
    values = parseArgs({ args: [...words], options: Object.fromEntries(types) }).values
  } catch (error) {
    throw new OptionError((error as Error).message.split('. ')[0])
  }
  const { quick, full, help, rounds, seconds, output, csv, ...own } = values
  if (help !== true)
    for (const [name, { place }] of Object.entries(all))
      if (place !== undefined && values[name] !== undefined)
        values[name] = placeOf(place, name, values[name] as string)
  if (quick === true && full === true) throw new OptionError('use either --quick or --full, not both')
  const text = (value: unknown): string | undefined => value as string | undefined
  return {
    mode: quick === true ? 'quick' : full === true ? 'full' : 'default',
    help: help === true,
    rounds: rounds === undefined ? undefined : whole('rounds', rounds as string, 1, 1e6),
    seconds: seconds === undefined ? undefined : whole('seconds', seconds as string, 1, 1e6),
    output: text(output),
    csv: text(csv),
    values: own as Values<O>,
  }
}

/** A whole number of an option. @throws OptionError */
export function whole(option: string, text: string, least: number, most: number): number {
  const number = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN
  if (!(number >= least && number <= most))
    throw new OptionError(`--${option} must be a whole number from ${least} to ${most}, not ${text}`)
  return number
}

/** Whole numbers, separated by commas. @throws OptionError */
export function wholes(option: string, text: string, least: number, most: number): number[] {
  return text.split(',').map(one => whole(option, one, least, most))
}

/** Names out of those that there are, separated by commas. @throws OptionError */
export function names<const N extends string>(option: string, text: string, known: readonly N[]): N[] {
  return text.split(',').map(one => {
    const found = known.find(name => name === one)
    if (found === undefined) throw new OptionError(`--${option} must be of ${known.join(', ')}, not ${one}`)
    return found
  })
}

/** How a bench is called. */
export function usage(bench: string, question: string, options: Options): string {
  const all = Object.entries({ ...options, ...COMMON } as Options)
  const left = ([name, { value }]: [string, Option]): string =>
    `--${name}${value === undefined ? '' : ` ${value}`}`
  const width = Math.max(...all.map(one => left(one).length))
  const lines = all.map(one => `  ${left(one).padEnd(width)}  ${one[1].help}`)
  return `usage: npm run bench:${bench} -- [options]\n\n${question}\n\n${lines.join('\n')}`
}
