import { type Flow, SECRET } from './flow.ts'
import { copy } from './slab.ts'

/** Bytes of a connection's state on its way, without the request that it carries. */
export const STATE = 241

// What stands where, in bytes from the state's beginning.
const FORMAT_AT = 0
const ID_AT = 1
const GENERATION_AT = 17
const HOPS_AT = 21
const IDLE_AT = 23
const REQUESTS_AT = 27
const READ_NEXT_AT = 31
const WRITE_NEXT_AT = 39
const READ_SECRET_AT = 47
const WRITE_SECRET_AT = READ_SECRET_AT + SECRET
const REST_AT = WRITE_SECRET_AT + SECRET
const ID = 16
const FORMAT = 1

/** What a connection is, apart from its socket. */
export class State {
  readonly id = new Uint8Array(ID)
  /** Grows with every move. */
  generation = 0
  hops = 0
  /** Milliseconds that it may still be idle. */
  idle = 60_000
  requests = 0
  /** What a host passes on without looking at it: exporter, resumption, names. */
  readonly rest = new Uint8Array(STATE - REST_AT)

  /** Writes all of it, with the secrets and counters of its two directions. */
  write(to: Uint8Array, view: DataView, at: number, read: Flow, write: Flow): void {
    to[at + FORMAT_AT] = FORMAT
    copy(this.id, 0, to, at + ID_AT, ID)
    view.setUint32(at + GENERATION_AT, this.generation)
    view.setUint16(at + HOPS_AT, this.hops)
    view.setUint32(at + IDLE_AT, this.idle)
    view.setUint32(at + REQUESTS_AT, this.requests)
    view.setFloat64(at + READ_NEXT_AT, read.next)
    view.setFloat64(at + WRITE_NEXT_AT, write.next)
    copy(read.bytes, 0, to, at + READ_SECRET_AT, SECRET)
    copy(write.bytes, 0, to, at + WRITE_SECRET_AT, SECRET)
    copy(this.rest, 0, to, at + REST_AT, STATE - REST_AT)
  }

  /** Takes over what {@link write} wrote; both directions have keys then. @throws Error another format */
  read(from: Uint8Array, view: DataView, at: number, read: Flow, write: Flow): void {
    if (from[at + FORMAT_AT] !== FORMAT) throw new Error(`state of format ${from[at + FORMAT_AT]}`)
    copy(from, at + ID_AT, this.id, 0, ID)
    this.generation = view.getUint32(at + GENERATION_AT)
    this.hops = view.getUint16(at + HOPS_AT)
    this.idle = view.getUint32(at + IDLE_AT)
    this.requests = view.getUint32(at + REQUESTS_AT)
    read.begin(from, at + READ_SECRET_AT, view.getFloat64(at + READ_NEXT_AT))
    write.begin(from, at + WRITE_SECRET_AT, view.getFloat64(at + WRITE_NEXT_AT))
    copy(from, at + REST_AT, this.rest, 0, STATE - REST_AT)
  }
}
