import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { IsolationName } from '../../src/stack/isolation.ts'
import { textOf } from '../support/client.ts'
import { CARRIER } from '../support/platform.ts'
import { Battlefield, lacking, type Outcome, USERS, worthOf } from './isolation/levels.ts'

/*
 * A function turns against its machine: what its level of isolation is worth. The level `process` shows that
 * these attacks are ones.
 */

const REFUSED = /^(EPERM|EACCES|ESRCH|ENOENT|ENOSYS|EROFS|empty)$/
const LEVELS_TRIED: readonly IsolationName[] = ['user', 'sandbox', 'oci']

/** What a function says of itself. */
interface Said {
  readonly container: string
  readonly pid: number
  readonly uid: number
  readonly processes: number
  readonly NoNewPrivs: string
}

/** What was tried and not refused. */
function successes(outcome: Outcome): string[] {
  return Object.entries(outcome).flatMap(([what, came]) => (REFUSED.test(came) ? [] : [`${what}: ${came}`]))
}

describe.each(USERS)('of a platform that %s starts, a function', (_who, user) => {
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
    // The kernel hides the signer's memory from its own user; root sees it.
    const { pid: signer } = await field.platform.member('signer')
    const open = others.filter(pid => pid !== signer || user === undefined)
    const options = { pids: open, gently: true }
    const { named } = await field.attack<{ named: Record<string, Outcome> }>('process', 'processes', options)
    for (const pid of open)
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

  it.skipIf(there.length === 0)(
    'may be a program, on a socket in a folder that it can write to',
    async () => {
      const served = await field.client.request('/served')
      expect(served).toMatchObject({ status: 200, container: 'served-1' })
      const { processes, socket } = JSON.parse(textOf(served)) as { processes: number; socket: string }
      expect(socket).toMatch(/^\/tmp\//)
      // The container, its guardian and the program itself; in a sandbox, what wraps them.
      expect(processes).toBe(there.at(-1) === 'sandbox' ? 4 : 3)
    },
  )

  describe.each(['process', ...LEVELS_TRIED] as const)('at the level %s', level => {
    const why = lacks.get(level) ?? ''

    it.skipIf(why !== '')(`can do what the table of docs/isolation.md says, and no more${why}`, async () => {
      const trace = `hotpotato-was-here-${process.pid}`
      const said = await field.attack<Record<string, boolean>>(level, 'worth', {
        pids: others,
        files: [field.file('certs', 'echo.key'), field.file('secrets', 'another')],
        control: field.file('run', 'control.sock'),
        abstract: field.abstract,
        port: field.platform.http,
        trace,
      })
      const left = existsSync(join('/tmp', trace))
      rmSync(join('/tmp', trace), { force: true })
      expect({ ...said, 'leave files in the `/tmp` of the machine': left }).toEqual(worthOf(level))
      expect(await field.client.request('/echo')).toMatchObject({ status: 200, container: 'echo-1' })
      expect(await field.others()).toEqual(others)
    })
  })

  describe.each(LEVELS_TRIED)('at the level %s', level => {
    const why = lacks.get(level)!
    const tried = it.skipIf(why !== '')

    tried(`gets a connection from a function of level process, and gives it back${why}`, async () => {
      expect(await field.client.request('/echo')).toMatchObject({ status: 200, container: 'echo-1' })
      const said = await field.attack<Said>(level, 'nothing')
      expect(said).toMatchObject({ container: `${level}-1`, NoNewPrivs: '1', CapEff: '0000000000000000' })
      if (level === 'user') expect(said.uid).not.toBe(process.getuid!())
      else {
        expect(said).toMatchObject({ Seccomp: '2' })
        expect(said).toMatchObject(level === 'sandbox' ? { pid: 2, processes: 2 } : { pid: 1, processes: 1 })
      }
      expect(await field.client.request('/echo')).toMatchObject({ status: 200, container: 'echo-1' })
      expect(field.client.handshakes).toBe(1)
    })

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

    tried(`reads its own secrets, those of no other function, and changes none${why}`, async () => {
      const { usual, told, others, ...tried } = await field.attack<Outcome & { others: number }>(
        level,
        'secrets',
        { name: `of-${level}` },
      )
      expect([told, others]).toEqual(['done', 0])
      // Without a file system of its own there is no such folder.
      expect(usual).toBe(level === 'user' ? 'ENOENT' : 'done')
      expect([Object.keys(tried).length, successes(tried as Outcome)]).toEqual([10, []])
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

    // With a relay it has no such socket.
    const turning = it.skipIf(why !== '' || level === 'user' || CARRIER === 'relay')
    turning(`cannot turn its client’s socket to another address${why}`, async () => {
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

  // Once is enough, and the unprivileged one has fewer means.
  const isLast = user === USERS.at(-1)![1]
  it.skipIf(!isLast || there.length === 0)('that is killed is started again in its isolation', async () => {
    const name = `${there.at(-1)}-1`
    // The client's connection is elsewhere: without a duplicate it would end with the container.
    expect(await field.client.request('/echo')).toMatchObject({ status: 200, container: 'echo-1' })
    const { pid } = await field.platform.member(name)
    // It is the container's own process, not what wraps it.
    expect(readFileSync(`/proc/${pid}/cmdline`, 'latin1')).toMatch(/^[^\0]*node\0/)
    await field.platform.kill(name)
    const next = await field.platform.until(name, one => one.ready && one.pid !== pid)
    expect(next.lastEnd).toMatch(/SIGKILL|exit code 137/)
    expect(await field.attack<Said>(there.at(-1)!, 'nothing')).toMatchObject({ NoNewPrivs: '1' })
  })
})
