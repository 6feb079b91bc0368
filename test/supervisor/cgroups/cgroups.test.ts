import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sweep } from '../../../src/supervisor/cgroups/base.ts'
import { Cgroups } from '../../../src/supervisor/cgroups/cgroups.ts'
import type { Group } from '../../../src/supervisor/cgroups/group.ts'
import { type Controller, SYSTEM, survey } from '../../../src/supervisor/cgroups/hierarchy.ts'
import { ownName } from '../../../src/supervisor/cgroups/identity.ts'
import { family } from '../../../src/supervisor/isolation/usage.ts'
import { SYSTEM_CLOCK } from '../../../src/time/system-clock.ts'
import { probe } from '../../../src/transfer/native/libc.ts'
import { eventually } from '../../support/platform.ts'

const { trees, problem } = survey()
const holds = (one: Controller): boolean => trees.some(({ controllers }) => controllers.includes(one))
const lacking = (one: Controller): string =>
  holds(one) ? '' : ` (SKIPPED: no cgroup divides ${one} here: ${problem?.what ?? 'it is not mounted'})`
const silent = pino({ level: 'silent' })
const MiB = 2 ** 20

/** Cgroups of a supervisor, in all hierarchies. */
const bases = (pid = process.pid): string[] =>
  trees.flatMap(({ parent }) =>
    readdirSync(parent)
      .filter(name => name.startsWith(`hotpotato-${pid}-`))
      .map(name => join(parent, name)),
  )

let all: Cgroups | undefined
const children = new Set<ChildProcess>()
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  await all?.close()
})

/** A shell in a cgroup, which reads what it is to do once it is in. */
async function enclosed(share: Parameters<Cgroups['make']>[1]): Promise<[Group, ChildProcess]> {
  all = new Cgroups(SYSTEM_CLOCK, silent)
  const group = all.make('one-1', share)!
  const child = spawn('sh', [], { stdio: ['pipe', 'pipe', 'ignore'] })
  children.add(child)
  await group.take(() => family(child.pid!, 100))
  return [group, child]
}

describe('a cgroup', () => {
  it.skipIf(!holds('pids'))(
    `counts all that is in it, ends it, and is gone then${lacking('pids')}`,
    async () => {
      const [group, child] = await enclosed({ tasks: 20 })
      expect(group.processes).toBe(1)
      // Neither their parent nor their session leads to them.
      child.stdin!.write('for i in 1 2 3 4 5; do (setsid sleep 60 &); done\n')
      await eventually(async () => (group.processes === 6 ? true : undefined), 'five are not there')
      expect(group.excess()).toBeUndefined()
      child.stdin!.write('(for i in $(seq 40); do sleep 60 & done)\n')
      await eventually(async () => group.excess(), 'nothing is refused')
      expect(group.excess()).toBe('it has more than 20 processes and threads')
      expect(group.processes).toBeLessThanOrEqual(20)
      const ended = once(child, 'exit')
      group.kill()
      expect(await ended).toEqual([null, 'SIGKILL'])
      group.end()
      await eventually(async () => (group.removed ? true : undefined), 'it is still there')
      expect(
        bases()
          .flatMap(path => readdirSync(path))
          .filter(name => name === 'one-1'),
      ).toEqual([])
    },
  )

  it.skipIf(!holds('memory'))(`says that its memory was used up${lacking('memory')}`, async () => {
    const [group, child] = await enclosed({ memory: 40 * MiB })
    const eats = 'const all = []; for (;;) all.push(Buffer.alloc(1048576, 1))'
    child.stdin!.end(`exec ${process.execPath} -e '${eats}'\n`)
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL'])
    expect(group.excess()).toBe('it needs more than its memory of 40 MiB')
  })

  it.skipIf(!holds('cpu'))(`gets no more than its share of the processors${lacking('cpu')}`, async () => {
    const [, child] = await enclosed({ cpu: 0.1 })
    const spins = 'const end = Date.now() + 600; while (Date.now() < end); console.log(process.cpuUsage())'
    child.stdin!.end(
      `exec ${process.execPath} -p '${spins.replace('console.log(', '(').replaceAll("'", '')}'\n`,
    )
    let text = ''
    child.stdout!.on('data', piece => {
      text += piece
    })
    await once(child, 'close')
    const used = [...text.matchAll(/\d+/g)].reduce((sum, [number]) => sum + Number(number), 0)
    // The start of a Node and 600 ms of work at a tenth: at full speed it would be ten times that.
    expect(used).toBeLessThan(600_000)
  })

  it.skipIf(trees.length === 0)('of a supervisor that was killed goes when the next one begins', async () => {
    const built = (name: string): string => new URL(`../../../dist/src/${name}.js`, import.meta.url).href
    const code = `
      const { Cgroups } = await import('${built('supervisor/cgroups/cgroups')}')
      const { SYSTEM_CLOCK } = await import('${built('time/system-clock')}')
      const { spawn } = await import('node:child_process')
      const log = { warn: console.error, error: console.error, info() {} }
      const group = new Cgroups(SYSTEM_CLOCK, log).make('one-1', {})
      const { pid } = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' })
      await group.take(() => [pid])
      console.log(pid)
      setInterval(() => {}, 1000)`
    const supervisor = spawn(process.execPath, ['--input-type=module', '--eval', code])
    children.add(supervisor)
    const [said] = (await once(supervisor.stdout, 'data')) as [Buffer]
    expect(bases(supervisor.pid)).toHaveLength(trees.length)
    supervisor.kill('SIGKILL')
    await once(supervisor, 'exit')
    expect(() => process.kill(Number(said), 0)).not.toThrow()
    await enclosed({})
    await eventually(async () => (bases(supervisor.pid).length === 0 ? true : undefined), 'they are there')
    const lives = (): boolean => readdirSync('/proc').includes(`${Number(said)}`)
    await eventually(async () => (lives() ? undefined : true), 'what was in it lives on')
    // Ours is there, and no other's has gone.
    expect(bases()).toHaveLength(trees.length)
  })

  it.skipIf(trees.length === 0)('is not left behind, nor what it was made below', async () => {
    const [, child] = await enclosed({})
    expect(bases().length).toBe(trees.length)
    const ended = once(child, 'exit')
    await all!.close()
    expect(await ended).toEqual([null, 'SIGKILL'])
    expect(bases()).toEqual([])
  })
})

describe('where a hierarchy refuses', () => {
  const warned: string[] = []
  const log = pino({ level: 'warn' }, { write: line => warned.push(JSON.parse(line).msg) })
  const refusing = {
    version: 1,
    parent: '/proc/there-is-no-such',
    controllers: ['cpu'],
    leaves: false,
  } as const
  beforeEach(() => {
    warned.length = 0
  })

  it.skipIf(!holds('memory'))(`the others hold what they can${lacking('memory')}`, async () => {
    const memory = trees.filter(({ controllers }) => controllers.includes('memory'))
    all = new Cgroups(SYSTEM_CLOCK, log, { trees: [refusing, ...memory], problem: undefined })
    const group = all.make('one-1', { memory: 40 * MiB, cpu: 0.5 })!
    expect([group.holds('memory'), group.holds('cpu')]).toEqual([true, false])
    expect([...all.held]).toEqual(memory.flatMap(({ controllers }) => controllers))
    expect(warned).toEqual([
      expect.stringMatching(/^the kernel holds no limits of cpu: a cgroup could not be/),
    ])
    expect(bases().length).toBeGreaterThan(0)
    await all.close()
    expect(bases()).toEqual([])
  })

  it.skipIf(!holds('memory') || !holds('pids'))(
    `one limit, the others are set${lacking('memory')}${lacking('pids')}`,
    () => {
      all = new Cgroups(SYSTEM_CLOCK, log)
      const group = all.make('one-1', { tasks: -5, memory: 40 * MiB })!
      expect([group.holds('memory'), group.holds('pids')]).toEqual([true, false])
      expect(warned).toEqual(['a limit of one-1 could not be set: the kernel does not hold it'])
      all.set(group, 'one-1', { tasks: 20 })
      expect([group.holds('pids'), warned.length]).toEqual([true, 1])
    },
  )

  it('and no other is there, none is held, and the log says so once', () => {
    all = new Cgroups(SYSTEM_CLOCK, log, { trees: [refusing], problem: undefined })
    expect([all.make('one-1', {}), all.make('two-1', {}), all.held.size]).toEqual([undefined, undefined, 0])
    expect(warned).toHaveLength(1)
  })
})

describe('in a directory of cgroups', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hotpotato-cgroups-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('what a supervisor that was killed has left goes, also where it itself was', () => {
    const space = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))![0]
    const living = [ownName(), `${ownName()}-supervisor`]
    const dead = `hotpotato-${process.pid}-1-${space}`
    for (const name of [...living, dead, `${dead}-supervisor`, 'a.scope']) mkdirSync(join(folder, name))
    const other = `hotpotato-${process.pid}-2-${space}-supervisor`
    mkdirSync(join(folder, other))
    expect(sweep({ version: 2, parent: folder, controllers: [], leaves: true })).toBe(true)
    expect(readdirSync(folder).sort()).toEqual([...living, 'a.scope'].sort())
  })

  const set = (name: string): boolean => {
    if (!probe().available) return false
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    const type = 'int setxattr(const char *, const char *, const char *, size_t, int)'
    return koffi.load(null).func(type)(folder, name, '1', 1, 0) === 0
  }

  it('systemd says that it has delegated one by an attribute', context => {
    expect(SYSTEM.isDelegated(folder)).toBe(false)
    if (!set('user.delegate')) return context.skip('SKIPPED: attributes cannot be set here')
    expect(SYSTEM.isDelegated(folder)).toBe(true)
  })
})
