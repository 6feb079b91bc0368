import { describe, expect, it } from 'vitest'
import { type Machine, survey } from '../../../src/supervisor/cgroups/hierarchy.ts'

/** A machine with such files; what may be written is said apart. */
function machine(files: Readonly<Record<string, string>>, writable: readonly string[]): Machine {
  return {
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
