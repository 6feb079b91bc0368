import type { Moved } from '../../supervisor/sessions.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { fromHex } from '../../wire/index.ts'
import { recordingOfMove } from '../states/moved.ts'
import { say } from '../terminal/output.ts'
import { openPrivate, writePrivate } from '../tls/private-file.ts'
import { RecordingFile } from '../tls/recording-file.ts'
import { type Chosen, order } from './order.ts'

/**
 * Moves one connection, and says where it is now.
 * @param chosen `dump`: a file for what travels, in clear; a platform tells it that was started to teach
 * @throws CommandError
 */
export async function moveConnection(
  connection: string,
  container: string,
  chosen: Chosen & { readonly dump?: string | undefined },
): Promise<void> {
  // What cannot be written is known before anything moves.
  const keep = chosen.dump === undefined ? undefined : dumpFile(chosen.dump)
  const words = `${connection} ${container}${keep === undefined ? '' : ' dump'}`
  const { dump, ...moved } = await order<Moved>(`move ${words}`, chosen)
  if (dump !== undefined) keep?.({ ...moved, ...dump })
  if (chosen.json === true) return say(JSON.stringify(moved))
  say(`moved ${moved.connection} from ${moved.from} to ${moved.to}, generation ${moved.generation}`)
}

type Told = Parameters<typeof recordingOfMove>[0]

/** Opens it. @returns what writes a move there: a recording, or the envelope alone @throws CommandError */
function dumpFile(path: string): (told: Told) => void {
  if (/\.(html|json)$/.test(path)) {
    const file = new RecordingFile(path, 'dump')
    return told => file.end(recordingOfMove(told, SYSTEM_CLOCK.wall()))
  }
  const descriptor = openPrivate('dump', path)
  return ({ envelope }) => writePrivate('dump', path, descriptor, fromHex(envelope))
}
