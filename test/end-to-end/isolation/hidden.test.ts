import { cpSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client, textOf } from '../../support/client.ts'
import { makeDirectory, Platform } from '../../support/platform.ts'
import { lacking } from './levels.ts'

/** Says what can be read of paths, and what lies in its own folder. */
const PEEK = `
import { readdirSync, readFileSync, statSync } from 'node:fs'
const look = path => {
  try {
    return statSync(path).isDirectory() ? readdirSync(path).length > 0 : readFileSync(path, 'utf8').length > 0
  } catch { return false }
}
export default async request => {
  const paths = await request.json()
  return Response.json({ seen: paths.filter(look), beside: readdirSync(import.meta.dirname).sort() })
}
`
const LEVELS = ['sandbox', 'oci'] as const

describe.each(LEVELS)('at the level %s', level => {
  const why = lacking(level, undefined)
  /* Its handler lies beside the stack file; secretsDirectory is not there, and has a dot in its name. */
  const config = `
version: 1
gateway: { defaultFunction: peek }
secretsDirectory: secrets.d
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  peek: { handler: ./peek.mjs, isolation: ${level}, environment_file: [peek.env.yml] }
  other: { handler: ./other.d, hosts: [] }
`
  let directory: string
  let platform: Platform
  beforeAll(async () => {
    if (why !== '') return
    directory = await makeDirectory(
      config,
      ['peek', 'other'].map(name => ({ name, hosts: [`${name}.local`] })),
    )
    const files = { 'peek.mjs': PEEK, 'data.txt': 'data', 'peek.env.yml': 'environment: { PEEK: a }' }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
    mkdirSync(join(directory, 'other.d'))
    writeFileSync(join(directory, 'other.d', 'index.mjs'), 'export default () => new Response("other")')
    symlinkSync('.', join(directory, 'itself'))
    symlinkSync('data.txt', join(directory, 'alias.txt'))
    symlinkSync('hotpotato.yml', join(directory, 'alias.yml'))
    // By another name than its real one.
    symlinkSync(directory, `${directory}-link`)
    platform = await Platform.start({ directory: `${directory}-link` })
  })
  afterAll(async () => {
    await platform?.stop()
    if (directory === undefined) return
    for (const path of [directory, `${directory}-link`]) rmSync(path, { recursive: true, force: true })
  })

  const HIDDEN = [
    'hotpotato.yml',
    'peek.env.yml',
    'certs',
    'run',
    'other.d',
    'itself/hotpotato.yml',
    'alias.yml',
  ]
  async function peek(): Promise<{ seen: string[]; beside: string[] }> {
    const client = await Client.open({
      port: platform.https,
      tls: { ca: platform.ca, serverName: 'peek.local' },
    })
    const paths = [...HIDDEN, 'secrets.d', 'late.txt'].map(name => join(directory, name))
    const body = new TextEncoder().encode(JSON.stringify(paths))
    const answer = await client.request('/', { method: 'POST', body })
    await client.close()
    expect(answer.status).toBe(200)
    return JSON.parse(textOf(answer)) as { seen: string[]; beside: string[] }
  }
  const beside = ['alias.txt', 'data.txt', 'peek.mjs']

  it.skipIf(why !== '')(`what is hidden beside a handler is not there${why}`, async () => {
    expect(await peek()).toEqual({ seen: [], beside })
  })

  it.skipIf(why !== '')(`and does not come to light when it is replaced or made anew${why}`, async () => {
    for (const name of ['hotpotato.yml', 'peek.env.yml', 'certs', 'other.d']) {
      const path = join(directory, name)
      // As editors save: the new one takes the place of the old one, which is still open elsewhere.
      cpSync(path, `${path}.new`, { recursive: true })
      renameSync(path, `${path}.old`)
      renameSync(`${path}.new`, path)
      rmSync(`${path}.old`, { recursive: true })
    }
    cpSync(join(directory, 'certs'), join(directory, 'secrets.d'), { recursive: true })
    writeFileSync(join(directory, 'late.txt'), 'late')
    expect(await peek()).toEqual({ seen: [], beside })
  })
})
