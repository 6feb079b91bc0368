import { mkdirSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { join } from 'node:path'
import { type MemberSettings, readSettings } from '../../src/platform/membership.ts'
import type { Prepared } from './prepare.ts'

/** Runs a program of the platform, prepared as the settings say that the supervisor leaves. */
async function main(): Promise<void> {
  const { name, preparation } = readSettings<MemberSettings & { readonly preparation: Prepared }>()
  const { program, unsealed, uncovered, profiles, marks } = preparation
  if (profiles !== undefined) profile(profiles, name)
  if (unsealed) (await import('./unsealed.ts')).leaveUnsealed()
  if (uncovered) (await import('./uncovered.ts')).leaveUncovered()
  if (marks !== undefined) (await import('./marks.ts')).noteMarks(marks, name)
  await import(program)
}

/** Looks every 100 µs what is being done. */
function profile(directory: string, name: string): void {
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.setSamplingInterval', { interval: 100 })
  session.post('Profiler.start')
  process.on('exit', () => {
    session.post('Profiler.stop', (error, result) => {
      if (error !== null) return
      mkdirSync(directory, { recursive: true })
      writeFileSync(join(directory, `${name}.cpuprofile`), JSON.stringify(result.profile))
    })
  })
}

await main()
