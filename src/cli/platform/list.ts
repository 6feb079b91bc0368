import { say } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'
import { ask, type Chosen } from './order.ts'
import { type PlatformStatus, readyCell } from './status.ts'

/** Lists the functions that run. @throws CommandError nothing runs */
export async function list(chosen: Chosen & { readonly quiet: boolean }): Promise<void> {
  const { functions, members } = await ask<PlatformStatus>('status', chosen)
  const listed = functions.map(one => {
    const own = members.filter(({ functionName }) => functionName === one.name)
    return { ...one, calls: own.reduce((sum, { counters }) => sum + (counters.calls ?? 0), 0) }
  })
  if (chosen.json === true) return say(JSON.stringify(listed))
  if (chosen.quiet) return say(listed.map(({ name }) => name).join('\n'))
  const rows = listed.map(one => [one.name, one.replicas, readyCell(one), one.calls, one.connections])
  say(table(['FUNCTION', 'REPLICAS', 'READY', 'CALLS', 'CONNECTIONS'], rows))
}
