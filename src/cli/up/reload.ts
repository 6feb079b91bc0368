import { type Chosen, order } from '../platform/order.ts'
import { say } from '../terminal/output.ts'
import { reloadText } from './reload-text.ts'
import type { ReloadOutcome } from './running.ts'

/** Has the running platform take the stack file anew, and says what that did. @throws CommandError */
export async function reload(chosen: Chosen): Promise<void> {
  const outcome = await order<ReloadOutcome>('reload', chosen)
  if (chosen.json === true) say(JSON.stringify(outcome))
  else for (const line of reloadText(outcome)) say(line)
}
