import type { IsolationName } from '../../stack/isolation.ts'
import type { Resources } from '../../stack/spec.ts'
import type { Controller, Survey } from '../cgroups/hierarchy.ts'
import { mayChangeUser } from './uids.ts'

/** Who sees to it that a container keeps to a limit; the supervisor looks once a second. */
export type Holder = 'kernel' | 'supervisor' | 'nothing'

/** Of each limit of a container. @param held by cgroups of ours */
export function holders(
  level: IsolationName,
  held: ReadonlySet<Controller>,
): Readonly<Record<'memory' | 'cpu' | 'processes', Holder>> {
  // A runtime of OCI that root starts makes a cgroup of its own.
  const holds = (one: Controller): boolean => (level === 'oci' ? mayChangeUser() : held.has(one))
  return {
    memory: holds('memory') ? 'kernel' : 'supervisor',
    cpu: holds('cpu') ? 'kernel' : 'nothing',
    processes: holds('pids') ? 'kernel' : 'supervisor',
  }
}

/** What a function asks for that nothing holds here, a sentence for each, with why and what to do. */
export function unheld(
  { name, isolation, limits, requests }: Asked,
  { trees, problem }: Survey,
): readonly string[] {
  const held = new Set(trees.flatMap(({ controllers }) => controllers))
  const { memory, cpu } = holders(isolation, held)
  const keys = [
    ...(limits.cpu !== undefined && cpu !== 'kernel' ? ['limits.cpu'] : []),
    ...(requests.cpu !== undefined && cpu !== 'kernel' ? ['requests.cpu'] : []),
    ...(requests.memory !== undefined && memory !== 'kernel' ? ['requests.memory'] : []),
  ]
  const why =
    isolation === 'oci'
      ? 'that takes a cgroup; root has to start hotpotato'
      : problem === undefined
        ? 'the cgroups that may be made here do not divide that'
        : `${problem.what}; ${problem.remedy}`
  return keys.map(key => `functions.${name}.${key} is not held: ${why}`)
}

/** Of a function in the stack file. */
interface Asked {
  readonly name: string
  readonly isolation: IsolationName
  readonly limits: Resources
  readonly requests: Resources
}
