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
  try {
    if (dump !== undefined) keep?.({ ...moved, ...dump })
  } finally {
    // It has moved, whatever became of the file.
    const { connection: id, from, to, generation } = moved
    say(chosen.json ? JSON.stringify(moved) : `moved ${id} from ${from} to ${to}, generation ${generation}`)
  }
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
