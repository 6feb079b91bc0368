import { meant } from '../../platform/nearest.ts'
import type { Change } from '../../supervisor/diary.ts'
import { LIFE_CYCLE, type ReplicaState } from '../../supervisor/life-cycle.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { CommandError } from '../line/usage-error.ts'
import { say } from '../terminal/output.ts'
import { duration, table } from '../terminal/table.ts'
import { sendCommand } from './control-socket.ts'
import { type Chosen, notRunning, runDirectoryOf } from './order.ts'
import { controlSocket } from './run-directory.ts'
import type { PlatformStatus } from './status.ts'

/** Milliseconds between two looks of `--watch`. */
const PERIOD = 500
/** Changes that are shown of what was before. */
const LATELY = 12

/** One function's containers: where each stands, what happened lately, and what can happen. */
export interface PoolStatus {
  readonly function: PlatformStatus['functions'][number]
  readonly members: PlatformStatus['members']
  readonly changes: readonly Change[]
}

/** Prints what has become of one function's containers. @throws CommandError */
export async function showPool(
  name: string,
  { json = false, watch, config }: Chosen & { readonly watch: boolean },
) {
  const look = async (): Promise<PoolStatus> => {
    const answer = await sendCommand(controlSocket(runDirectoryOf({ config })), 'status')
    if (answer === undefined) throw new CommandError(notRunning(config))
    return poolOf(answer as PlatformStatus, name)
  }
  const first = await look()
  say(json ? JSON.stringify(first) : poolText(first))
  let seen = first.changes.at(-1)?.number ?? 0
  while (watch) {
    await new Promise<void>(resolve => SYSTEM_CLOCK.after(PERIOD, resolve))
    const { changes } = await look()
    const fresh = changes.filter(({ number }) => number > seen)
    seen = fresh.at(-1)?.number ?? seen
    for (const one of fresh) say(json ? JSON.stringify(one) : changeCells(one).join('  '))
  }
}

/** @throws CommandError there is no such function */
export function poolOf({ functions, members, changes }: PlatformStatus, name: string): PoolStatus {
  const found = functions.find(one => one.name === name)
  if (found === undefined) {
    const names = functions.map(one => one.name)
    throw new CommandError(
      `there is no function ${name}${meant(name, names) || `; there are ${names.join(', ')}`}`,
    )
  }
  const own = ({ functionName }: { readonly functionName: string }): boolean => functionName === name
  return { function: found, members: members.filter(own), changes: changes.filter(own) }
}

/** For a person. */
export function poolText({ function: one, members, changes }: PoolStatus): string {
  const { name, ready, replicas, min, max, connections, broken } = one
  const parts = [
    ...(broken === undefined ? [] : [`${name}: broken: ${broken}`]),
    `${name}: ${ready} of ${replicas} ready, ${min} to ${max} allowed, ${connections} connections`,
    table(
      ['CONTAINER', 'STATE', 'PID', 'AGE', 'RESTARTS', 'CONNECTIONS', 'TAKEN', 'MOVED'],
      members.map(({ name: container, state, pid, age, restarts, counters }) => [
        container,
        state,
        pid,
        age === undefined ? undefined : duration(age),
        restarts,
        counters.connections,
        counters.accepted,
        counters.moved,
      ]),
    ),
    lifeCycleText(members.map(({ state }) => state)),
  ]
  if (changes.length > 0) parts.push(table(['LATELY', '', '', ''], changes.slice(-LATELY).map(changeCells)))
  return parts.join('\n\n')
}

/** The life of a replica, from the table by which the supervisor goes, with how many are where. */
export function lifeCycleText(states: readonly ReplicaState[]): string {
  const rows = Object.entries(LIFE_CYCLE).map(([state, events]) => {
    const next = Object.entries(events).map(([event, to]) => `${event} → ${to}`)
    return [state, states.filter(one => one === state).length || '', next.join(', ')]
  })
  return table(['STATE', 'NOW', 'WHAT CAN HAPPEN'], rows)
}

function changeCells({ at, name, from, event, to, how, delay }: Change): string[] {
  const why = how === undefined ? event : `${event} (${how})`
  const again = delay === undefined ? '' : `again in ${(delay / 1000).toFixed(1)}s`
  return [new Date(at).toISOString().slice(11, 23), name, `${from} → ${to}`, `${why} ${again}`.trimEnd()]
}
