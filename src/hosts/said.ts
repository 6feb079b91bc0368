import {
  type Consignment,
  type ControlMessage,
  decodeControl,
  isConsignment,
  type RefusalReason,
  writeControl,
} from '../transfer/control.ts'
import { DecodeError } from '../wire/index.ts'
import type { Frame } from './frames.ts'

type Passed = Extract<Frame, { kind: 'message' | 'parcel' }>

/** A connection that another host offers, to one of our processes. */
export type SaidParcel = Extract<Passed, { kind: 'parcel' }> & { readonly said: Consignment }
/** What one process says to another one: as it came, and what it means. */
export type Said = (Extract<Passed, { kind: 'message' }> & { readonly said: ControlMessage }) | SaidParcel

/** What can change its host. */
const TRAVELS: ReadonlySet<ControlMessage['kind']> = new Set(['parcel', 'takeOver'])

/** Whether a connection in such a message can leave its host. */
export function travels({ kind }: ControlMessage): boolean {
  return TRAVELS.has(kind)
}

/**
 * What another host passes on. No connection comes without a span: for such the directory is asked.
 * @throws DecodeError it is no message, or none that a host passes on so
 */
export function heard(frame: Passed): Said {
  const said = decodeControl(frame.payload)
  if (frame.kind === 'message') {
    if (isConsignment(said)) throw new DecodeError(`a ${said.kind} without a span`, 0)
    return { ...frame, said }
  }
  if (!isConsignment(said) || !travels(said)) throw new DecodeError(`a ${said.kind} with a span`, 0)
  return { ...frame, said }
}

/** The message that refuses a connection. @param detail for the user; as much of it as fits */
export function refusal(ticket: Uint8Array, reason: RefusalReason, detail: string): Uint8Array {
  // One character is to be one byte: an error of another program may say anything.
  const text = detail.replace(/[^ -~]/g, '?').slice(0, 255)
  const verdict = { outcome: 'refused', reason, detail: text } as const
  return writeControl({ kind: 'verdict', ticket, verdict }).slice()
}

/** The message that says that a container has a connection. */
export function acceptance(ticket: Uint8Array): Uint8Array {
  return writeControl({ kind: 'verdict', ticket, verdict: { outcome: 'accepted' } }).slice()
}
