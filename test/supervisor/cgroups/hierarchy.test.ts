import { describe, expect, it } from 'vitest'
import { type Machine, survey } from '../../../src/supervisor/cgroups/hierarchy.ts'

/** A machine with such files; what may be written is said apart. */
function machine(
  files: Readonly<Record<string, string>>,
  writable: readonly string[],
  delegated: readonly string[] = [],
): Machine {
  return {
    isDelegated: directory => delegated.includes(directory),
    read: file => files[file] ?? '',
    exists: file => files[file] !== undefined,
    mayWrite: file => writable.some(one => file === one || file.startsWith(`${one}/cgroup.`)),
    pid: 30,
  }
}

const V2 = '31 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate'
const V1 = (name: string, root = '/'): string =>
  `32 25 0:30 ${root} /sys/fs/cgroup/${name} rw,relatime - cgroup cgroup rw,${name}`
const stat = (pid: number, parent: number, session: number, terminal: number): Record<string, string> => ({
  [`/proc/${pid}/stat`]: `${pid} (a) b (c) S ${parent} ${pid} ${session} ${terminal} -1 0`,
})
/** One of version 2, with its processes. */
const group = (path: string, controllers: string, given: string, pids = ''): Record<string, string> => ({
  [`${path}/cgroup.type`]: 'domain\n',
  [`${path}/cgroup.controllers`]: `${controllers}\n`,
  [`${path}/cgroup.subtree_control`]: `${given}\n`,
  [`${path}/cgroup.procs`]: pids,
})
const ALL = 'cpuset cpu io memory pids'
const SLICE = '/sys/fs/cgroup/app.slice'
const SCOPE = `${SLICE}/a.scope`
const IN_SCOPE = { '/proc/self/mountinfo': V2, '/proc/self/cgroup': '0::/app.slice/a.scope\n' }

describe('where cgroups may be made', () => {
  it('version 1: in the own one of each hierarchy, as far as it is mounted', () => {
    const lines = [V1('memory', '/docker/1'), V1('pids', '/docker/1'), V1('cpu,cpuacct'), V1('freezer')]
    const files = {
      '/proc/self/mountinfo': lines.join('\n'),
      '/proc/self/cgroup': '4:memory:/docker/1/a\n3:pids:/docker/2\n2:cpu,cpuacct:/\n1:freezer:/\n',
    }
    const [memory, cpu] = ['/sys/fs/cgroup/memory/a', '/sys/fs/cgroup/cpu,cpuacct']
    const found = survey(machine(files, [memory, `${cpu}`]))
    expect(found).toEqual({
      trees: [
        { version: 1, parent: memory, controllers: ['memory'], leaves: false },
        { version: 1, parent: cpu, controllers: ['cpu'], leaves: false },
      ],
      problem: undefined,
    })
  })

  it('version 2: in the own one, if nobody but we and what started us is there', () => {
    const own = group(SCOPE, ALL, '', '20\n30\n')
    const kin = { ...stat(30, 20, 20, 5), ...stat(20, 1, 9, 5) }
    const files = { ...IN_SCOPE, ...own, ...group(SLICE, ALL, ALL), ...kin }
    expect(survey(machine(files, [SCOPE, SLICE])).trees).toEqual([
      { version: 2, parent: SCOPE, controllers: ['memory', 'cpu', 'pids'], leaves: true },
    ])
  })

  it.each([
    ['others are there', '30\n40\n', stat(20, 1, 9, 0)],
    ['the shell of a terminal is there', '20\n30\n', stat(20, 1, 20, 34_816)],
  ])('version 2: beside the own one, if %s', (_, pids, parent) => {
    const kin = { ...stat(30, 20, 20, 0), ...parent }
    const files = { ...IN_SCOPE, ...group(SCOPE, ALL, '', pids), ...group(SLICE, ALL, 'memory pids'), ...kin }
    expect(survey(machine(files, [SCOPE, SLICE])).trees).toEqual([
      { version: 2, parent: SLICE, controllers: ['memory', 'cpu', 'pids'], leaves: false },
    ])
    // What cannot be divided there anew is what is divided already.
    const fixed = machine(files, [SLICE])
    const mayWrite = (file: string): boolean => fixed.mayWrite(file) && !file.endsWith('subtree_control')
    expect(survey({ ...fixed, mayWrite }).trees[0]?.controllers).toEqual(['memory', 'pids'])
  })

  describe('where systemd manages', () => {
    const SYSTEMD = { '/run/systemd/system': '' }
    const alone = { ...IN_SCOPE, ...group(SCOPE, ALL, '', '30\n'), ...group(SLICE, ALL, ALL), ...SYSTEMD }
    const everywhere = ['/sys/fs/cgroup', SLICE, SCOPE]

    it('in the cgroup of a unit with Delegate=yes, and in no other', () => {
      expect(survey(machine(alone, everywhere, [SCOPE])).trees).toMatchObject([
        { parent: SCOPE, leaves: true },
      ])
      const { trees, problem } = survey(machine(alone, everywhere))
      expect([trees, problem?.what]).toEqual([
        [],
        `systemd manages ${SCOPE} and has not delegated it to us: its unit has no Delegate=yes`,
      ])
      expect(problem?.remedy).toContain('-p Delegate=yes')
    })

    it('below such a one, and not beside it', () => {
      const below = `${SCOPE}/ours`
      const files = {
        ...alone,
        '/proc/self/cgroup': '0::/app.slice/a.scope/ours\n',
        ...group(SCOPE, ALL, ALL),
        ...group(below, ALL, '', '30\n40\n'),
      }
      const there = machine(files, [...everywhere, below], [SCOPE])
      expect(survey(there).trees).toMatchObject([{ parent: SCOPE, leaves: false }])
      const shared = { ...alone, ...group(SCOPE, ALL, '', '30\n40\n') }
      expect(survey(machine(shared, everywhere, [SCOPE])).trees).toEqual([])
    })

    it('not in what is delegated to the manager of a user', () => {
      const user = '/sys/fs/cgroup/user@1000.service'
      const own = `${user}/run-1.scope`
      const files = {
        ...SYSTEMD,
        '/proc/self/mountinfo': V2,
        '/proc/self/cgroup': '0::/user@1000.service/run-1.scope\n',
        ...group(user, ALL, ALL),
        ...group(own, ALL, '', '30\n40\n'),
      }
      expect(survey(machine(files, [user, own], [user])).trees).toEqual([])
    })

    it('version 1: if its own hierarchy says so', () => {
      const named = '33 25 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd'
      const files = {
        ...SYSTEMD,
        '/proc/self/mountinfo': [V1('memory'), named].join('\n'),
        '/proc/self/cgroup': '4:memory:/a.service\n1:name=systemd:/a.service\n',
      }
      const memory = '/sys/fs/cgroup/memory/a.service'
      const says = '/sys/fs/cgroup/systemd/a.service'
      expect(survey(machine(files, [memory], [says])).trees).toMatchObject([{ parent: memory }])
      const { trees, problem } = survey(machine(files, [memory]))
      expect([trees, problem?.what]).toEqual([[], expect.stringContaining('has not delegated it')])
    })
  })

  it('version 2: beside the place where a supervisor that was killed has left us', () => {
    const refuge = `${SCOPE}/hotpotato-7-8-9-supervisor`
    const files = {
      '/proc/self/mountinfo': V2,
      '/proc/self/cgroup': '0::/app.slice/a.scope/hotpotato-7-8-9-supervisor\n',
      ...group(SCOPE, ALL, ALL),
      ...group(refuge, ALL, '', '30\n'),
    }
    expect(survey(machine(files, [SCOPE, refuge])).trees).toMatchObject([{ parent: SCOPE, leaves: false }])
  })

  it('version 2: in the first of all, which may have processes', () => {
    const { '/sys/fs/cgroup/cgroup.type': _, ...root } = group('/sys/fs/cgroup', ALL, 'memory pids', '1\n2\n')
    const files = { ...root, '/proc/self/mountinfo': V2, '/proc/self/cgroup': '0::/\n' }
    expect(survey(machine(files, ['/sys/fs/cgroup'])).trees).toEqual([
      { version: 2, parent: '/sys/fs/cgroup', controllers: ['memory', 'cpu', 'pids'], leaves: false },
    ])
  })

  it.each([
    [
      'that may not be written',
      { ...IN_SCOPE, ...group(SCOPE, ALL, '', '30\n') },
      /no cgroup that this user may/,
    ],
    ['at all', { '/proc/self/cgroup': '0::/\n' }, /no cgroups are mounted/],
  ])('says why there are none %s', (_, files, what) => {
    const { trees, problem } = survey(machine(files, []))
    expect([trees, problem?.what]).toEqual([[], expect.stringMatching(what)])
    expect(problem?.remedy).toContain('systemd-run')
  })
})
