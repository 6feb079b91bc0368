import { say } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'
import { ask, type Chosen } from './order.ts'
import type { PlatformStatus } from './status.ts'

/** Lists the functions that run. @throws CommandError nothing runs */
export async function list(chosen: Chosen & { readonly quiet: boolean }): Promise<void> {
  const { functions } = await ask<PlatformStatus>('status', chosen)
  if (chosen.json === true) return say(JSON.stringify(functions))
  if (chosen.quiet) return say(functions.map(({ name }) => name).join('\n'))
  const rows = functions.map(one => [one.name, one.replicas, one.ready, one.connections])
  say(table(['FUNCTION', 'REPLICAS', 'READY', 'CONNECTIONS'], rows))
}
