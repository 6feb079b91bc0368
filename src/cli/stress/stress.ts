import { writeFileSync } from 'node:fs'
import { mustBeDistinct, type NamedFile } from '../line/distinct.ts'
import { type FlagValues, wholeNumber } from '../line/flags.ts'
import { CommandError, STATUS } from '../line/usage-error.ts'
import { say } from '../terminal/output.ts'
import { makeShares } from './crew.ts'
import type { STRESS_FLAGS } from './flags.ts'
import { type Hdr, loadHdr, logText } from './hdr.ts'
import { planOf, tolerance } from './reading.ts'
import { type Done, toJson, toText } from './report.ts'
import type { Result } from './share.ts'
import { Tally } from './tally.ts'

type Values = FlagValues<typeof STRESS_FLAGS>

/** `hotpotato stress`. @throws UsageError, CommandError, MissingPackageError */
export async function stress(addresses: readonly string[], values: Values): Promise<void> {
  const stop = new AbortController()
  let begun = false
  const end = (): void => {
    // Before the load there is nothing to tell; the second time the user means it.
    if (stop.signal.aborted || !begun) process.exit(STATUS.interrupted)
    stop.abort()
  }
  process.on('SIGINT', end)
  try {
    const { report, tolerable } = await stressed(addresses, values, stop.signal, () => {
      begun = true
    })
    say(report)
    if (!tolerable) process.exitCode = 1
  } finally {
    process.off('SIGINT', end)
  }
}

/**
 * Makes a load. @param stop ends it with what there is so far @param onBegin it begins
 * @returns what is to be printed, and whether no more failed than may
 * @throws UsageError, CommandError, MissingPackageError
 */
export async function stressed(
  addresses: readonly string[],
  values: Values,
  stop: AbortSignal,
  onBegin: () => void = () => {},
): Promise<{ readonly report: string; readonly tolerable: boolean }> {
  const read: NamedFile[] = [
    ['--mix', values.mix],
    ['--ca', values.ca],
    ['--data', /^@(.+)/s.exec(values.data ?? '')?.[1]],
  ]
  mustBeDistinct([['--hdr', values.hdr]], read)
  const plan = planOf(addresses, values)
  const workers = wholeNumber('workers', values.workers ?? '1', 1, 64)
  const threads = Math.min(workers, plan.connections)
  const isTolerable = tolerance(values['max-errors'] ?? '0')
  const hdr = values.hdr === undefined ? undefined : await loadHdr()
  // What cannot be written is known before the work.
  if (values.hdr !== undefined) write(values.hdr, '')
  let began = 0
  const begin = (): void => {
    began = Date.now() + plan.warmup
    onBegin()
  }
  const results = await makeShares(plan, threads, begin, stop)
  if (hdr !== undefined) write(values.hdr!, log(hdr, results, began))
  const tally = new Tally()
  for (const one of results) tally.add(one.tally)
  const seconds = Math.max(...results.map(one => one.seconds))
  const done: Done = { plan, threads, seconds, brokenOff: stop.aborted }
  const report = values.json ? toJson(done, tally) : toText(done, tally)
  return { report, tolerable: isTolerable(tally) }
}

function log(hdr: Hdr, results: readonly Result[], began: number): string {
  return logText(
    hdr,
    results.map(one => one.log),
    began,
  )
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (error) {
    throw new CommandError(`--hdr ${file}: cannot be written (${(error as NodeJS.ErrnoException).code})`)
  }
}
