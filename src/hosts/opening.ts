import { openPair, type Pair } from '../transfer/pair.ts'
import type { Descriptor } from '../transfer/stream.ts'
import { reasonOf } from '../wire/thrown.ts'
import type { Meeting } from './meeting.ts'
import type { Carriage } from './span.ts'

/** By what a connection has come, and the end that its container gets; or why it has not. */
export type Opened = { readonly span: Carriage; readonly theirs: Descriptor } | { readonly against: string }

/** A span with a new stream, or why there is none. */
export async function openSpan(meeting: Meeting, number: number): Promise<Opened> {
  let pair: Pair | undefined
  try {
    pair = await openPair()
    return { span: meeting.accept(number, pair[0]), theirs: pair[1] }
  } catch (error) {
    for (const end of pair ?? []) end.close()
    if (error instanceof RangeError) meeting.end(`it speaks nonsense: ${error.message}`)
    return { against: `no stream can be made: ${reasonOf(error)}` }
  }
}
