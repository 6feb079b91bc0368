import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client, textOf } from '../../support/client.ts'
import { makeDirectory, Platform } from '../../support/platform.ts'
import { lacking } from './levels.ts'

/** Says what its descriptors are. */
const OWN = `
import { readdirSync, readlinkSync } from 'node:fs'
const own = fd => {
  try { return readlinkSync('/proc/self/fd/' + fd) } catch { return '' }
}
export default () => Response.json(readdirSync('/proc/self/fd').map(own))
`
const LEVELS = (['process', 'user', 'sandbox', 'oci'] as const).filter(
  level => lacking(level, undefined) === '',
)

describe('a descriptor that the supervisor was started with', () => {
  let directory: string
  let platform: Platform
  beforeAll(async () => {
    const functions = LEVELS.map(level => `  ${level}: { handler: ./own.mjs, isolation: ${level} }`)
    const config = [
      'version: 1',
      'functions:',
      ...functions,
      '  program: { command: [ls, -l, /proc/self/fd], mode: fork }',
    ].join('\n')
    const names = [...LEVELS, 'program']
    directory = await makeDirectory(
      config,
      names.map(name => ({ name, hosts: [`${name}.local`] })),
    )
    chmodSync(directory, 0o755)
    writeFileSync(join(directory, 'own.mjs'), OWN)
    const lock = join(directory, 'lock')
    writeFileSync(lock, 'of a script')
    // As `flock` is used in scripts. Node closes the first few by itself.
    const front = ['bash', '-c', 'exec 9<"$0" 200<"$0" 1000<"$0"; exec "$@"', lock]
    platform = await Platform.start({ directory, front })
  })
  afterAll(async () => {
    await platform?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  it.each([...LEVELS, 'program'])('does not come to a function (%s)', async name => {
    const client = await Client.open({
      port: platform.https,
      tls: { ca: platform.ca, serverName: `${name}.local` },
    })
    const answer = await client.request('/', { method: 'GET' })
    await client.close()
    expect(answer.status).toBe(200)
    expect(textOf(answer)).toMatch(/socket:/)
    expect(textOf(answer)).not.toContain('lock')
  })
})
