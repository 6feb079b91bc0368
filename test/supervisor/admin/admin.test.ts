import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Admin } from '../../../src/supervisor/admin/admin.ts'
import { Tally } from '../../../src/supervisor/admin/tally.ts'
import type { MemberStatus } from '../../../src/supervisor/status.ts'

let admin: Admin
const observatory = { subscribe: () => undefined, life: async () => undefined }
let members: Partial<MemberStatus>[] | undefined
beforeAll(async () => {
  const source = { tally: new Tally([]), status: async () => members as MemberStatus[], observatory }
  admin = await Admin.open({ host: '127.0.0.1', port: 0 }, () => members && source)
})
afterAll(() => admin?.close())

/** One request, as it is written, and all of the answer. */
function ask(target: string, host = `127.0.0.1:${admin.port}`, method = 'GET'): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(admin.port, '127.0.0.1')
    socket.on('error', reject)
    socket.on('data', data => {
      text += data
    })
    socket.on('close', () => resolve(text))
    const fields = host === '' ? '' : `Host: ${host}\r\n`
    socket.write(`${method} ${target} HTTP/1.1\r\n${fields}Connection: close\r\n\r\n`)
  })
}

describe('the admin port', () => {
  it('says whether the gateway takes connections', async () => {
    members = undefined
    expect(await ask('/healthz')).toMatch(/^HTTP\/1.1 503 [\s\S]*not ready\n$/)
    members = [{ role: 'gateway', ready: false, name: 'gateway', functionName: '', counters: {} }]
    expect(await ask('/healthz')).toMatch(/^HTTP\/1.1 503 /)
    members = [{ role: 'gateway', ready: true, name: 'gateway', functionName: '', counters: {} }]
    expect(await ask('/healthz')).toMatch(/^HTTP\/1.1 200 [\s\S]*\r\n\r\nOK\n$/)
  })

  it('tells metrics in the form of Prometheus', async () => {
    const answer = await ask('/metrics?a=b')
    expect(answer).toMatch(/^HTTP\/1.1 200 /)
    expect(answer).toMatch(/content-type: text\/plain; version=0\.0\.4; charset=utf-8/)
    expect(answer).toContain('# TYPE gateway_service_count gauge\n')
  })

  it.each(['localhost', 'LOCALHOST:1', '127.0.0.1', '127.1.2.3:80', '[::1]:9'])(
    'takes %s for the machine itself',
    async host => expect(await ask('/healthz', host)).toMatch(/^HTTP\/1.1 200 /),
  )

  it.each([
    'evil.example',
    'evil.example:8082',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1',
    '127.1:80',
    'localhost:80:80',
    '[::2]',
  ])('answers nothing to a page of %s', async host => {
    const answer = await ask('/metrics', host)
    expect(answer).toMatch(/^HTTP\/1.1 403 /)
    expect(answer).not.toContain('gateway_')
  })

  it('has no other page, and changes nothing', async () => {
    expect(await ask('/')).toMatch(/^HTTP\/1.1 404 /)
    expect(await ask('/metrics', undefined, 'POST')).toMatch(/^HTTP\/1.1 405 [\s\S]*allow: GET, HEAD/)
    expect(await ask('/metrics', '')).toMatch(/^HTTP\/1.1 400 /)
    expect(await ask('/healthz', undefined, 'HEAD')).toMatch(/content-length: 3\r\n[\s\S]*\r\n\r\n$/)
  })

  it('says which port is in use, and what to do', async () => {
    await expect(Admin.open({ host: '127.0.0.1', port: admin.port }, () => undefined)).rejects.toThrow(
      `port ${admin.port} is in use: choose another one with HOTPOTATO_ADMIN_PORT=PORT, or admin.port`,
    )
  })

  it('lets go of clients that say nothing, so that they keep no place for long', async () => {
    const idle = Array.from({ length: 64 }, () => connect(admin.port, '127.0.0.1').resume())
    await Promise.all(idle.map(one => new Promise(resolve => one.on('error', () => {}).on('close', resolve))))
    expect(await ask('/healthz')).toMatch(/^HTTP\/1\.1 /)
  })
})
