import { DEFAULT_LIMITS } from '../http/h1/index.ts'
import { DEFAULT_H2_LIMITS } from '../http/h2/index.ts'
import { TIMER_NAMES } from '../http/timers.ts'
import { reasonOf } from '../wire/thrown.ts'
import type { DriveOptions } from './driver.ts'

/** Milliseconds: the longest that a timer of Node's waits. */
export const LONGEST = 2 ** 31 - 1

/** @throws TypeError that names it, unless it is undefined, or from 0 to `most` */
export function checkMilliseconds(name: string, value: unknown, most = LONGEST): void {
  if (value !== undefined && !(typeof value === 'number' && value >= 0 && value <= most))
    throw new TypeError(`${name} is no number of milliseconds: ${reasonOf(value)}`)
}

/** @throws TypeError that names it, unless it is a number of things from `least` on, or endlessly many */
export function checkCount(name: string, value: unknown, least: number): void {
  const whole = Number.isInteger(value) || value === Number.POSITIVE_INFINITY
  if (!whole || (value as number) < least)
    throw new TypeError(`${name} is no whole number from ${least} on: ${reasonOf(value)}`)
}

/** What these are made of, each time all of it. */
const RATE = ['bytesPerSecond', 'grace']
const BUDGET = ['burst', 'perSecond']
const BUDGETS = Object.keys(DEFAULT_H2_LIMITS.budgets)

/**
 * What one connection is served by: a limit that is no number would be none at all.
 * @throws TypeError that names what makes no sense
 */
export function checkDriving({ limits, timers, stall, linger, memory }: Partial<DriveOptions>): void {
  const endless = Number.POSITIVE_INFINITY
  checkMilliseconds('stall', stall, endless)
  checkMilliseconds('linger', linger, endless)
  for (const [name, value] of fieldsOf('timers', timers, [...TIMER_NAMES, 'rate']))
    if (name !== 'rate') checkNumber(`timers.${name}`, value)
    else if (value !== undefined) checkAll('timers.rate', value, RATE)
  for (const [name, value] of fieldsOf('limits', limits, ['http1', 'http2'])) {
    if (value === undefined) continue
    if (name === 'http1') checkNumbers('limits.http1', value, { ...DEFAULT_LIMITS, tunnels: false })
    else checkNumbers('limits.http2', value, DEFAULT_H2_LIMITS)
  }
  if (memory !== undefined && typeof memory?.open !== 'function')
    throw new TypeError('memory: a MemoryBudget, one for all connections')
}

/** Each of the same kind as in `like`, whose names there are. */
function checkNumbers(what: string, value: unknown, like: object): void {
  for (const [name, one] of fieldsOf(what, value, Object.keys(like))) {
    const model = (like as Readonly<Record<string, unknown>>)[name]
    const called = `${what}.${name}`
    if (typeof model === 'number') checkNumber(called, one)
    else if (typeof model === 'boolean') {
      if (typeof one !== 'boolean' && one !== undefined) throw new TypeError(`${called}: true or false`)
    } else {
      const given = new Map(fieldsOf(called, one ?? null, BUDGETS))
      for (const budget of BUDGETS) checkAll(`${called}.${budget}`, given.get(budget), BUDGET)
    }
  }
}

/** A number for each name. */
function checkAll(what: string, value: unknown, names: readonly string[]): void {
  const given = new Map(fieldsOf(what, value ?? null, names))
  for (const name of names) checkNumber(`${what}.${name}`, given.get(name))
}

function fieldsOf(what: string, value: unknown, names: readonly string[]): [string, unknown][] {
  if (value === undefined) return []
  if (typeof value !== 'object' || value === null)
    throw new TypeError(`${what}: an object with some of ${names.join(', ')}`)
  const unknown = Object.keys(value).find(name => !names.includes(name))
  if (unknown !== undefined) throw new TypeError(`${what}.${unknown}: there are ${names.join(', ')}`)
  return Object.entries(value)
}

function checkNumber(name: string, value: unknown): void {
  if (typeof value !== 'number' || !(value >= 0))
    throw new TypeError(`${name} is no number from 0 on: ${reasonOf(value)}`)
}
