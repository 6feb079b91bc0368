import { ISOLATIONS, type IsolationName } from '../../stack/isolation.ts'
import { CONTROLLERS, type Survey, survey } from '../../supervisor/cgroups/hierarchy.ts'
import type { Circumstances, Isolation } from '../../supervisor/isolation/isolation.ts'
import { LEVELS } from '../../supervisor/isolation/levels.ts'
import { type Finding, fault, note, ok } from './finding.ts'

/**
 * Which levels of isolation can be had here, as each of them says itself.
 * @param wanted by functions of the stack file: without such a one `up` does not start
 */
export function checkLevels(
  circumstances: Circumstances,
  wanted: ReadonlySet<IsolationName>,
  levels: Readonly<Record<IsolationName, Pick<Isolation, 'check'>>> = LEVELS,
): Finding[] {
  return ISOLATIONS.map(level => {
    const what = `isolation: ${level}`
    const problem = levels[level].check(circumstances)
    if (problem === undefined) return ok(what, 'can be had')
    if (wanted.has(level)) return fault(what, problem.what, problem.remedy)
    return note(what, problem.what, `functions with ${what}`, problem.remedy)
  })
}

/** Which limits the kernel holds here. @param found where cgroups may be made */
export function checkGroups({ trees, problem }: Survey = survey()): Finding {
  const what = 'cgroups'
  const held = new Set(trees.flatMap(({ controllers }) => controllers))
  const missing = CONTROLLERS.filter(name => !held.has(name))
  const [tree] = trees
  const found = tree && `version ${tree.version}: ${[...held].join(', ')}, below ${tree.parent}`
  if (missing.length === 0) return ok(what, found!)
  const without = missing.map(name => WITHOUT[name]).join('; ')
  return note(what, problem?.what ?? found!, without, problem?.remedy)
}

const WITHOUT = {
  memory: 'limits.memory is looked at once a second, and requests.memory is not held',
  cpu: 'limits.cpu and requests.cpu are not held',
  pids: 'processes of a container are counted once a second',
} as const
