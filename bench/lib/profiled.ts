import { mkdirSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { join } from 'node:path'
import { SETTINGS_VARIABLE } from '../../src/containers/membership.ts'

/**
 * Runs a program of the platform under the CPU profiler, every 100 µs, and leaves `NAME.cpuprofile` when the process ends. The name,
 * the program and the directory are in the settings that the supervisor leaves.
 */
async function main(): Promise<void> {
  const { name, profile } = JSON.parse(process.env[SETTINGS_VARIABLE] ?? '{}') as {
    readonly name: string
    readonly profile: { readonly program: string; readonly directory: string }
  }
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.setSamplingInterval', { interval: 100 })
  session.post('Profiler.start')
  process.on('exit', () => {
    session.post('Profiler.stop', (error, result) => {
      if (error !== null) return
      mkdirSync(profile.directory, { recursive: true })
      writeFileSync(join(profile.directory, `${name}.cpuprofile`), JSON.stringify(result.profile))
    })
  })
  await import(profile.program)
}

await main()
