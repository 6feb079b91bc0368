import { type ControlMessage, decodeControl, writeControl } from '../../transfer/control.ts'

/** Often enough for the engine to have noted what each of them does. */
const ROUNDS = 20
const BYTES = new Uint8Array(32)
const ID = new Uint8Array(16)
const TICKET = new Uint8Array(8)
const LONG = new Uint8Array(300)
const peer = { id: 1, role: 'container', name: 'one-1', functionName: 'one', publicKey: BYTES } as const
const parcel = { kind: 'parcel', ticket: TICKET, sessionId: ID, generation: 1, sealed: LONG } as const

/** What a container hears and says between its start and its end, each kind once. */
const WORDS: readonly ControlMessage[] = [
  { kind: 'ready', publicKey: BYTES },
  { kind: 'introduce', peer },
  { kind: 'gone', id: 1 },
  parcel,
  { kind: 'verdict', ticket: TICKET, verdict: { outcome: 'accepted' } },
  { kind: 'taken', parcels: [{ ticket: TICKET }, { ticket: TICKET }] },
  {
    kind: 'verdict',
    ticket: TICKET,
    verdict: { outcome: 'refused', reason: 'draining', detail: 'it stops' },
  },
  { kind: 'drain' },
  { kind: 'statusRequest' },
  { kind: 'status', counters: [{ name: 'connections', value: 1 }] },
  { kind: 'keys', sealed: LONG },
  { kind: 'draining', id: 1 },
  { kind: 'loads', loads: [{ id: 1, connections: 1 }] },
  { kind: 'move', sessionId: ID, target: 1 },
  { kind: 'moved', sessionId: ID, outcome: 'moved', generation: 1, detail: '' },
]

/**
 * Writes and reads all of them. They are written by one function, and read by one: the engine compiles it for
 * the kinds that it has seen, and throws it away at the first one of another kind, which would be in the
 * middle of the first roll-out.
 */
export function warmWords(): void {
  for (let round = 0; round < ROUNDS; round++) for (const word of WORDS) decodeControl(writeControl(word))
}
