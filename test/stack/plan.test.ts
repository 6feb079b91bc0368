import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/stack/config.ts'
import { plan } from '../../src/stack/plan.ts'

const OPTIONS = { channel: 'native', provider: 'node', logLevel: 'info' } as const
const { config } = parseConfig(
  `
version: 1
gateway: { http: 1, https: 2, defaultFunction: b }
connection: { idleSeconds: 1.5, requests: 7 }
restart: { firstSeconds: 50ms, mostSeconds: 3, healthySeconds: 4, crashLoop: 6 }
functions:
  a: { replicas: { min: 3, max: 5 }, hosts: [a.local, "*.a.local"], environment: { KEY: value } }
  b: { handler: echo, certificate: shared }
`,
  '/somewhere',
)

describe('a plan', () => {
  const { gateway, containers, bounds, restart } = plan(config, OPTIONS)

  it('has one process for each replica, and a gateway', () => {
    expect(containers.map(({ name }) => name)).toEqual(['a-1', 'a-2', 'a-3', 'b-1'])
    expect(gateway.name).toBe('gateway')
  })

  it('tells each container its function, its certificate and its limits', () => {
    expect(containers[0]!.settings).toMatchObject({
      ...OPTIONS,
      functionName: 'a',
      handler: 'a',
      environment: { KEY: 'value' },
      functionNames: ['a', 'b'],
      certificate: { directory: '/somewhere/certs', name: 'a' },
      timers: {
        headers: 10_000,
        'request-body': 30_000,
        'keep-alive': 1500,
        handler: 60_000,
        container: 5000,
      },
      http: { requests: 7 },
    })
    expect(containers[3]!.settings).toMatchObject({ handler: 'echo', certificate: { name: 'shared' } })
  })

  it('tells each container the functions that keep its connections warm: none unless a group says so', () => {
    const { config } = parseConfig(
      `
trust: [{ functions: [a, c], warm: true }, { functions: [a, b] }, { functions: [c, d], warm: true }]
functions: { a: {}, b: {}, c: {}, d: {} }`,
      '/somewhere',
    )
    const warm = plan(config, OPTIONS).containers.map(one => (one.settings as { warm?: string[] }).warm)
    expect(warm).toEqual([['a', 'c'], [], ['a', 'c', 'd'], ['c', 'd']])
  })

  it('tells the gateway where names lead, and nothing of certificates', () => {
    expect(gateway.settings).toMatchObject({
      gateway: {
        http: 1,
        https: 2,
        defaultFunction: 'b',
        routes: [
          { host: 'a.local', function: 'a' },
          { host: '*.a.local', function: 'a' },
          { host: 'b.local', function: 'b' },
          { host: 'b.localhost', function: 'b' },
        ],
        functionNames: ['a', 'b'],
      },
    })
    expect(JSON.stringify(gateway.settings)).not.toContain('certs')
  })

  it('says how many containers a function may have, and how they are started again', () => {
    expect([...bounds]).toEqual([
      ['a', { start: 3, min: 3, max: 5 }],
      ['b', { start: 1, min: 1, max: 64 }],
    ])
    expect(restart).toEqual({ first: 50, most: 3000, healthyAfter: 4000, crashLoop: 6 })
  })

  it('survives being handed over as JSON', () => {
    for (const { settings } of [gateway, ...containers])
      expect(JSON.parse(JSON.stringify(settings))).toEqual(settings)
  })

  it('names entry points that the sources have', () => {
    for (const { entry } of [gateway, ...containers])
      expect(existsSync(fileURLToPath(entry).replace(/\.js$/, '.ts'))).toBe(true)
  })
})

describe('other hosts', () => {
  const of = (hosts: string) =>
    plan(parseConfig(`version: 1\n${hosts}\nfunctions: { echo: {} }\n`, '/somewhere').config, OPTIONS)

  it('are reached by a link, and without them there is none', () => {
    expect(of('').link).toBeUndefined()
    expect(of('hosts: { name: a, etcd: ["http://127.0.0.1:2379"], leaseSeconds: 5 }').link).toMatchObject({
      name: 'link',
      role: 'link',
      settings: { hostName: 'a', port: 7443, leaseSeconds: 5, etcd: { prefix: '/hotpotato' } },
    })
  })

  it('need a name and an etcd', () => {
    expect(() => of('hosts: { etcd: ["http://127.0.0.1:2379"] }')).toThrow(/hosts must have name/)
    expect(() => of('hosts: { name: a }')).toThrow(/hosts must have etcd/)
    expect(() => of('hosts: { name: a/b, etcd: ["http://127.0.0.1:2379"] }')).toThrow(/hosts.name must be/)
    expect(() => of('hosts: { name: a, etcd: [there] }')).toThrow(/hosts.etcd must be a list/)
  })
})
