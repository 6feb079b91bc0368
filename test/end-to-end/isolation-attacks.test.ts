import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { IsolationName } from '../../src/stack/isolation.ts'
import { Battlefield, lacking, type Outcome, USERS } from './isolation/levels.ts'

/*
 * A function turns against its machine: what its level of isolation is worth. The level `process` shows that
 * these attacks are ones.
 */

const REFUSED = /^(EPERM|EACCES|ESRCH|ENOENT|ENOSYS|EROFS|empty)$/
const LEVELS_TRIED: readonly IsolationName[] = ['user', 'sandbox', 'oci']

/** What was tried and not refused. */
function successes(outcome: Outcome): string[] {
  return Object.entries(outcome).flatMap(([what, came]) => (REFUSED.test(came) ? [] : [`${what}: ${came}`]))
}

describe.each(USERS)('a function that attacks, of a platform that %s starts,', (_who, user) => {
  const lacks = new Map(LEVELS_TRIED.map(level => [level, lacking(level, user)]))
  const there = LEVELS_TRIED.filter(level => lacks.get(level) === '')
  let field: Battlefield
  let others: readonly number[]

  beforeAll(async () => {
    field = await Battlefield.start(['process', ...there], user)
    others = await field.others()
  })
  afterAll(() => field?.stop())

  it('reads others and their files at the level process, which keeps nothing apart', async () => {
    const options = { pids: others, gently: true }
    const { named } = await field.attack<{ named: Record<string, Outcome> }>('process', 'processes', options)
    for (const pid of others)
      expect(named[pid]).toEqual({ mem: 'EIO', environ: 'done', descriptors: 'done', signal: 'done' })
    const read = [field.file('certs', 'echo.key'), field.file('secrets', 'another')]
    const files = await field.attack<{ read: Outcome }>('process', 'files', { read, write: [] })
    expect(Object.values(files.read)).toEqual(['done', 'done'])
    const control = field.file('run', 'control.sock')
    const reach = { control, abstract: field.abstract, port: field.platform.http }
    expect(await field.attack('process', 'network', reach)).toMatchObject({
      ...{ control: 'done', abstract: 'done', tcp: 'done', udp: 'done' },
    })
  })

  describe.each(LEVELS_TRIED)('at the level %s', level => {
    const why = lacks.get(level)!
    const tried = it.skipIf(why !== '')

    tried(`reaches no other process${why}`, async () => {
      const { named, seen } = await field.attack<{ named: Record<string, Outcome>; seen: Outcome[] }>(
        level,
        'processes',
        { pids: others },
      )
      for (const pid of others) expect(successes(named[pid]!)).toEqual([])
      // In its own namespace it may reach bubblewrap's process, and gains nothing: the filter is the same.
      for (const { mem, filter } of seen) if (filter !== '2') expect(mem).toMatch(REFUSED)
      if (level !== 'user') expect(seen.length).toBeLessThanOrEqual(1)
      expect(await field.client.request('/echo')).toMatchObject({ status: 200 })
      expect(await field.others()).toEqual(others)
    })

    tried(`reads no file of the platform, and of the system no secret${why}`, async () => {
      const read = [
        field.file('certs', 'echo.key'),
        field.file('certs', `${level}.key`),
        field.file('run'),
        field.file('run', 'hotpotato.log'),
        field.file('run', 'control.sock'),
        field.file('hotpotato.yml'),
        field.file('secrets', 'another'),
        '/etc/shadow',
        '/root',
        '/proc/1/root/etc/shadow',
        // In a namespace of its own that is itself, or what wraps it.
        ...(level === 'user' ? ['/proc/1/environ'] : []),
      ]
      const write = ['/usr/bin/hotpotato-was-here', '/etc/passwd', field.file('hotpotato.yml')]
      const came = await field.attack<Record<string, Outcome>>(level, 'files', { read, write })
      // In a file system of its own, /root is not there; elsewhere it is closed.
      expect(successes(came.read!).filter(one => !/: (EISDIR|ENXIO)$/.test(one))).toEqual([])
      expect(successes(came.listed!).filter(one => !one.endsWith('ENOTDIR'))).toEqual([])
      expect(successes(came.write!)).toEqual([])
    })

    tried(`has no network but what level user leaves open${why}`, async () => {
      const control = field.file('run', 'control.sock')
      const options = { control, abstract: field.abstract, port: field.platform.http }
      const came = await field.attack(level, 'network', options)
      expect(came.control).toMatch(REFUSED)
      if (level === 'user') return expect(came).toMatchObject({ tcp: 'done', abstract: 'done' })
      expect(came.abstract).toBe('EACCES')
      for (const way of ['tcp', 'tcp6', 'outside', 'udp'])
        expect([way, came[way]]).toEqual([way, 'EAFNOSUPPORT'])
      expect(came.dns).not.toBe('done')
    })

    tried(`cannot turn its client’s socket to another address${why}`, async () => {
      if (level === 'user') return
      expect(await field.attack(level, 'socket', { port: field.platform.http })).toEqual({
        found: 'number',
        connect: 'EACCES',
        disconnect: 'EACCES',
        interfaces: 'EPERM',
        namespace: 'EPERM',
      })
      expect(await field.client.request('/echo')).toMatchObject({ status: 200 })
    })

    tried(`gains no rights${why}`, async () => {
      const came = await field.attack(level, 'kernel')
      const { status, su, parting, ...calls } = came
      expect(status).toMatch(/^0+$/)
      expect(su).not.toBe('0')
      if (level === 'user') {
        expect(successes({ setuid: calls.setuid!, core: calls.core! })).toEqual([])
        return
      }
      expect(parting).toBe('EPERM')
      // In a user namespace there may be no root (EINVAL), or one that is the supervisor's user outside.
      const { setuid, ...others } = calls
      expect(setuid).toMatch(/^(EPERM|EINVAL|done)$/)
      expect(successes(others)).toEqual([])
    })
  })
})
