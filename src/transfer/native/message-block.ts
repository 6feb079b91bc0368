import { Scratch } from '../../wire/index.ts'
import { MAX_DESCRIPTORS } from '../channels/limits.ts'

/** Bytes of the largest message, header and body together. */
export const MESSAGE = 65_536
/** Descriptors that one message may carry. */
export const DESCRIPTORS = MAX_DESCRIPTORS

const SOL_SOCKET = 1
const SCM_RIGHTS = 1

/** `CMSG_LEN(n)` and `CMSG_SPACE(n)` of 32-bit descriptors, in bytes: a 16-byte head, then padding to 8. */
export const controlLength = (count: number): number => 16 + 4 * count
export const CONTROL = Math.ceil(controlLength(DESCRIPTORS) / 8) * 8

// One block per direction: msghdr (56 bytes), iovec (16), control, and the message itself.
const IOVEC = 64
const CONTROL_AT = 80
export const DATA_AT = 192
const BLOCK = DATA_AT + MESSAGE

/** The memory of one direction, with the pointers between its parts written once. */
export class MessageBlock {
  readonly pointer: number
  readonly data: Uint8Array
  /** The same, in views of its beginning. */
  readonly scratch: Scratch
  readonly #view: DataView

  constructor(koffi: {
    alloc(type: string, count: number): bigint
    view(pointer: bigint, length: number): ArrayBuffer
  }) {
    const pointer = koffi.alloc('uint8', BLOCK)
    const memory = koffi.view(pointer, BLOCK)
    this.pointer = Number(pointer)
    this.data = new Uint8Array(memory, DATA_AT, MESSAGE)
    this.scratch = new Scratch(this.data)
    this.#view = new DataView(memory, 0, DATA_AT)
    new Uint8Array(memory).fill(0)
    this.#setPointer(16, this.pointer + IOVEC) // msg_iov
    this.#view.setUint32(24, 1, true) // msg_iovlen
    this.#setPointer(IOVEC, this.pointer + DATA_AT) // iov_base
  }

  /** `data` and `control` in bytes, both checked by the caller against what this block holds. */
  setLengths(data: number, control: number): void {
    this.#view.setUint32(IOVEC + 8, data, true) // iov_len
    // The kernel refuses a control block of length 0 only where its pointer is looked at; null is plain.
    this.#setPointer(32, control === 0 ? 0 : this.pointer + CONTROL_AT) // msg_control
    this.#view.setUint32(40, control, true) // msg_controllen
    this.#view.setUint32(48, 0, true) // msg_flags
  }

  /** An address of 64 bits, without an object for it. */
  #setPointer(at: number, address: number): void {
    this.#view.setUint32(at, address % 2 ** 32, true)
    this.#view.setUint32(at + 4, Math.floor(address / 2 ** 32), true)
  }

  get flags(): number {
    return this.#view.getUint32(48, true)
  }

  setDescriptors(descriptors: readonly number[]): void {
    if (descriptors.length === 0) return
    this.#view.setUint32(CONTROL_AT, controlLength(descriptors.length), true) // cmsg_len
    this.#view.setUint32(CONTROL_AT + 8, SOL_SOCKET, true) // cmsg_level
    this.#view.setUint32(CONTROL_AT + 12, SCM_RIGHTS, true) // cmsg_type
    for (let i = 0; i < descriptors.length; i++) {
      this.#view.setInt32(CONTROL_AT + 16 + 4 * i, descriptors[i]!, true)
    }
  }

  /** The descriptors that came with the message that was received last. */
  descriptors(): number[] {
    const descriptors: number[] = []
    if (this.#view.getUint32(40, true) < controlLength(1)) return descriptors
    const length = this.#view.getUint32(CONTROL_AT, true)
    const level = this.#view.getUint32(CONTROL_AT + 8, true)
    const type = this.#view.getUint32(CONTROL_AT + 12, true)
    if (level !== SOL_SOCKET || type !== SCM_RIGHTS || length > controlLength(DESCRIPTORS)) return descriptors
    for (let at = 16; at + 4 <= length; at += 4) descriptors.push(this.#view.getInt32(CONTROL_AT + at, true))
    return descriptors
  }
}
