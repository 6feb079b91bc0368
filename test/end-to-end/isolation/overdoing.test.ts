import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ISOLATIONS, type IsolationName } from '../../../src/stack/isolation.ts'
import { survey } from '../../../src/supervisor/cgroups/hierarchy.ts'
import { LONG } from '../../support/long.ts'
import { eventually } from '../../support/platform.ts'
import { Battlefield, columnOf, lacking, lackingFront, USERS } from './levels.ts'

/*
 * A function takes more than its share: it is ended and named, and its neighbours' connections live on. The
 * table of docs/isolation.md says where that holds, and this is what it has to do.
 */

/** Bytes of memory that each may have. */
const MEMORY = '220Mi'
const HUNGRY = /its memory of 220|of memory, and may hold 220/
const PROLIFIC = /more than (256 processes|1024 processes and threads)/

/** What a function can overdo, by the table's words, and what is said of its end. */
const OVERDOING = [
  { does: 'takes more memory than it may', attack: 'eat', reason: HUNGRY },
  { does: 'keeps memory in files without names', attack: 'hoard', reason: HUNGRY },
  { does: 'forks without end', attack: 'fork', reason: PROLIFIC },
  { does: 'leaves processes behind whose parents have ended', attack: 'orphans', reason: PROLIFIC },
  { does: 'is a fork bomb', attack: 'bomb', reason: PROLIFIC },
  { does: 'never returns', attack: 'spin', reason: /it did not respond/ },
] as const

/** The platforms that it is tried on: what holds a function differs. */
interface Ground {
  readonly where: 'with a cgroup' | 'without'
  readonly started: string
  readonly user: number | undefined
  readonly levels: readonly IsolationName[]
  readonly hidesCgroups: boolean
  /** For the name of a test: why it cannot be had; empty if it can. */
  readonly lacks: string
}

const isRoot = process.getuid?.() === 0
const noCgroups =
  isRoot && survey().trees.length > 0
    ? ''
    : ' (SKIPPED: no cgroup can be made here: that takes root, and a place for them)'
const unprivileged = USERS.at(-1)![1]
const GROUNDS: readonly Ground[] = [
  {
    ...{ where: 'with a cgroup', started: 'root', user: undefined, hidesCgroups: false },
    ...{ levels: ISOLATIONS, lacks: noCgroups },
  },
  {
    ...{ where: 'without', started: 'root', user: undefined, hidesCgroups: true },
    ...{ levels: ['user'], lacks: isRoot ? lackingFront() : ' (SKIPPED: root alone can do that)' },
  },
  {
    ...{ where: 'without', started: 'a user without rights', user: unprivileged, hidesCgroups: false },
    ...{ levels: ['process', 'sandbox', 'oci'], lacks: '' },
  },
]

/** What the short run has: memory and processes, with a cgroup and without. */
const SHORT = new Set(['with a cgroup eat sandbox', 'without fork sandbox'])

/** All that run with such a command line, as `/proc` has it. */
function processesOf(line: string): string[] {
  return readdirSync('/proc').filter(pid => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1') === line
    } catch {
      return false
    }
  })
}

/** Whether the table promises that it is ended. */
function isEnded(does: string, { where }: Ground, level: IsolationName): boolean {
  const said = columnOf('a function that', level).get(`${does}, ${where}`)
  expect(['ended', 'not held']).toContain(said)
  return said === 'ended'
}

it('the table of docs/isolation.md has a row for each of them, and no other', () => {
  const rows = OVERDOING.flatMap(({ does }) => [`${does}, with a cgroup`, `${does}, without`])
  for (const level of ISOLATIONS) expect([...columnOf('a function that', level).keys()]).toEqual(rows)
})

describe.each(GROUNDS)('$where, on a platform that $started starts,', ground => {
  const { levels, user, hidesCgroups, where } = ground
  const isTried = (level: IsolationName): boolean =>
    LONG || [...SHORT].some(one => one.startsWith(`${where} `) && one.endsWith(` ${level}`))
  const there = levels.filter(level => isTried(level) && ground.lacks === '' && whyNot(level) === '')
  let field: Battlefield
  let others: readonly number[]

  function whyNot(level: IsolationName): string {
    return level === 'process' ? '' : lacking(level, user)
  }

  beforeAll(async () => {
    if (there.length === 0) return
    const limits = `, limits: { memory: ${MEMORY} }`
    field = await Battlefield.start(there, user, limits, hidesCgroups)
    others = await field.others()
  })
  afterAll(() => field?.stop())

  const rows = levels.flatMap(level => OVERDOING.map(one => ({ ...one, level })))
  describe.each(rows.filter(({ does, level }) => isEnded(does, ground, level)))(
    'a function of level $level that $does',
    ({ level, attack, reason }) => {
      const why = ground.lacks || whyNot(level)
      const isLeftOut = why !== '' || !(LONG || SHORT.has(`${where} ${attack} ${level}`))

      it.skipIf(isLeftOut)(`is ended and named, and no other notices${why}`, async () => {
        expect(await field.client.request('/echo')).toMatchObject({ status: 200, container: 'echo-1' })
        // What no cgroup holds could take the machine of who runs this.
        if (where === 'with a cgroup') expect(field.platform.log).not.toContain('is not in its cgroup')
        const { restarts } = await field.platform.member(`${level}-1`)
        await field.ruin(level, attack)
        const next = await field.platform.until(`${level}-1`, one => one.ready && one.restarts > restarts)
        expect(next.lastEnd).toMatch(reason)
        expect(field.platform.log).toMatch(new RegExp(`"${level}-1 (is killed|ended|does not respond)`))
        const none = (): true | undefined => processesOf('sleep\0' + '97\0').length === 0 || undefined
        await eventually(none, 'something of it is left')
        expect(await field.client.request('/echo')).toMatchObject({ status: 200, container: 'echo-1' })
        expect(field.client.handshakes).toBe(1)
        expect(await field.others()).toEqual(others)
      })
    },
  )
})
