import type { Moved } from '../../supervisor/sessions.ts'
import { say } from '../terminal/output.ts'
import { type Chosen, order } from './order.ts'

/** Moves one connection, and says where it is now. @throws CommandError */
export async function moveConnection(connection: string, container: string, chosen: Chosen): Promise<void> {
  const moved = await order<Moved>(`move ${connection} ${container}`, chosen)
  if (chosen.json === true) return say(JSON.stringify(moved))
  say(`moved ${moved.connection} from ${moved.from} to ${moved.to}, generation ${moved.generation}`)
}
