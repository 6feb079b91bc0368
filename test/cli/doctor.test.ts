import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findingsText } from '../../src/cli/doctor/doctor.ts'
import type { Finding } from '../../src/cli/doctor/finding.ts'
import { checkPorts, holderOf } from '../../src/cli/doctor/ports.ts'
import { hotpotato, makeDirectory } from '../support/platform.ts'

let directory: string
beforeAll(async () => {
  const certificates = [{ name: 'echo', hosts: ['echo.local', 'echo.localhost'] }]
  directory = await makeDirectory('functions: { echo: {} }', certificates)
})
afterAll(() => rmSync(directory, { recursive: true }))

describe('doctor', () => {
  it('says what is there, with status 0 if hotpotato starts here, in JSON for programs', async () => {
    const { code, stdout, stderr } = await hotpotato(directory, ['doctor', '--json'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: readonly Finding[] }
    expect(ok).toBe(true)
    const about = (what: string) => findings.find(one => one.what === what)
    expect(about('node')).toEqual({ what: 'node', state: 'ok', found: process.versions.node })
    expect(about('certificates')?.found).toMatch(/^echo is good for \d+ days$/)
    expect(about('port https')).toEqual({ what: 'port https', state: 'ok', found: 'any free one' })
    for (const what of [
      'foreign calls',
      'user namespaces',
      'cgroups',
      'descriptors',
      'isolation: oci',
      'age',
    ])
      expect(about(what)?.state, what).toMatch(/^(ok|note)$/)
    for (const { state, without } of findings) expect(without === undefined).toBe(state !== 'note')
  })

  it('names directories that cannot be made', async () => {
    const below = (name: string): string => `${directory}/hotpotato.yml/${name}`
    const where = { HOTPOTATO_RUN_DIR: below('run'), HOTPOTATO_CERTS_DIR: below('certs') }
    const { code, stdout, stderr } = await hotpotato(directory, ['doctor'], where)
    expect([code, stderr]).toEqual([1, ''])
    expect(stdout).toMatch(/^fault +run directory +\S+\/hotpotato.yml\/run cannot be made$/m)
    expect(stdout).toMatch(/^fault +certificates +\S+\/hotpotato.yml\/certs cannot be written$/m)
    expect(stdout).toMatch(/: 2 faults\n$/)
  })

  it('names the process that holds a port, with status 1', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const { code, stdout } = await hotpotato(directory, ['doctor'], { HOTPOTATO_HTTP_PORT: String(port) })
    expect(holderOf(port)).toContain(`(process ${process.pid})`)
    server.close()
    expect(code).toBe(1)
    const [found, advice] = /^fault +port http +(.*)\n +(.*)$/m.exec(stdout)!.slice(1)
    expect(found).toMatch(new RegExp(`^127.0.0.1 port ${port} is held by .+ \\(process ${process.pid}\\)$`))
    expect(advice).toBe('choose another: HOTPOTATO_HTTP_PORT=PORT, or in the stack file')
    expect(stdout).toMatch(/\n\nhotpotato up does not start like this: 1 fault\n$/)
  })
})

it('a port of a platform that runs is its own', async () => {
  const wanted = [{ name: 'http', port: 8080, variable: 'X' }] as const
  const [found] = await checkPorts('127.0.0.1', wanted, { http: 8080, https: 8443 })
  expect(found).toEqual({
    what: 'port http',
    state: 'ok',
    found: '8080, held by this platform, which runs',
  })
})

it('what is missing is told with what one loses and what to do', () => {
  const text = findingsText([
    { what: 'a', state: 'ok', found: 'there' },
    { what: 'bwrap', state: 'note', found: 'is not installed', without: 'that', advice: 'apt install it' },
  ])
  expect(text).toBe(`ok     a      there
note   bwrap  is not installed
              without it: that
              apt install it

hotpotato up starts here; what is noted is for those who want it`)
})
