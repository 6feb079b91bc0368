import { ftruncateSync, writeSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { probe } from '../../src/transfer/native/libc.ts'
import {
  AREA_LENGTH,
  decodeArea,
  decodeHeader,
  frame,
  HEADER_LENGTH,
  SlotCheckpoint,
  SlotHeader,
  unframe,
} from '../../src/transfer/slot.ts'
import { SlotFile } from '../../src/transfer/slot-file.ts'
import { Descriptor } from '../../src/transfer/stream.ts'
import { encode } from '../../src/wire/index.ts'

const SESSION = new Uint8Array(16).fill(9)
const header = (more: Partial<SlotHeader> = {}): SlotHeader => ({
  state: 'live',
  sessionId: SESSION,
  generation: 7,
  target: 0,
  ...more,
})
const checkpoint = (sent: number, size = 300): SlotCheckpoint => ({
  sessionId: SESSION,
  functionName: 'echo',
  generation: 2,
  received: 1000,
  sent,
  sealed: new Uint8Array(size).fill(sent),
})

describe('a frame', () => {
  const content = Uint8Array.from({ length: 50 }, (_, i) => i)
  const whole = (sequence = 3): Uint8Array => {
    const into = new Uint8Array(100)
    return into.subarray(0, frame(sequence, content, into)!)
  }

  it('gives back what was put in', () => {
    expect(unframe(whole())).toEqual({ sequence: 3, content })
    // What lies behind it is of no importance.
    expect(unframe(new Uint8Array([...whole(), 1, 2, 3]))).toEqual({ sequence: 3, content })
  })

  it('shows that it was torn, wherever that was', () => {
    const [before, after] = [new Uint8Array(100).fill(0x55), whole()]
    for (let written = 0; written < after.length; written++) {
      const torn = before.slice()
      torn.set(after.subarray(0, written))
      expect(unframe(torn), `${written} bytes`).toBeUndefined()
    }
  })

  it('shows that one was written over another in part, and any bit that is not its own', () => {
    const old = whole(1)
    const next = new Uint8Array(100)
    const length = frame(
      2,
      content.map(one => one ^ 0xff),
      next,
    )!
    for (let written = 1; written < length; written++) {
      const torn = old.slice()
      torn.set(next.subarray(0, written))
      expect(unframe(torn), `${written} bytes`).toBeUndefined()
    }
    for (let bit = 0; bit < 8 * old.length; bit++) {
      const wrong = old.slice()
      wrong[bit >> 3]! ^= 1 << (bit & 7)
      expect(unframe(wrong), `bit ${bit}`).toBeUndefined()
    }
  })

  it('is not made where there is no room, and not read where there is nothing', () => {
    expect(frame(1, content, new Uint8Array(12 + content.length - 1))).toBeUndefined()
    expect(frame(1, content, new Uint8Array(12 + content.length))).toBe(62)
    expect(unframe(new Uint8Array(64).fill(0xff))).toBeUndefined()
  })

  it('of zeros, as memory begins, is neither a header nor a checkpoint', () => {
    expect(decodeHeader(new Uint8Array(HEADER_LENGTH))).toBeUndefined()
    expect(decodeArea(new Uint8Array(AREA_LENGTH))).toBeUndefined()
  })

  it('around nonsense is neither, too', () => {
    const into = new Uint8Array(HEADER_LENGTH)
    frame(0, Uint8Array.of(77), into)
    expect(decodeHeader(into)).toBeUndefined()
    expect(decodeArea(into)).toBeUndefined()
  })
})

const native = probe()
describe.runIf(native.available)('a file of slots', () => {
  const libc = native.available ? native.libc : (undefined as never)
  const open: SlotFile[] = []
  const file = (slots = 4): SlotFile => {
    const made = SlotFile.create(libc, slots)
    open.push(made)
    return made
  }
  afterEach(() => {
    for (const one of open.splice(0)) one.close()
  })

  it('is empty at first', () => {
    const made = file()
    expect(made.header(0)).toBeUndefined()
    expect(made.checkpoints(3)).toEqual([])
    expect([...made.done(4, () => SESSION)]).toEqual([])
  })

  it('keeps a header for each slot, which others see who have its descriptor', () => {
    const made = file()
    const copy = Descriptor.fromFd(libc.duplicate(made.descriptor.fd))
    const other = SlotFile.open(copy, 4)
    open.push(other)
    expect(other.writeHeader(1, header({ generation: 1 }))).toBe(true)
    expect(made.writeHeader(2, header({ state: 'offered', generation: 2, target: 9 }))).toBe(true)
    expect(made.header(1)).toEqual(header({ generation: 1 }))
    expect(other.header(2)).toEqual(header({ state: 'offered', generation: 2, target: 9 }))
    expect(made.header(0)).toBeUndefined()
  })

  it('finds the slots whose connections are over, among the first so many', () => {
    const made = file()
    for (const slot of [0, 2, 3]) made.writeHeader(slot, header({ state: 'done' }))
    made.writeHeader(1, header())
    const inSlot = () => SESSION
    expect([...made.done(3, inSlot)]).toEqual([0, 2])
    expect([...made.done(100, inSlot)]).toEqual([0, 2, 3])
    // What is said of others is old.
    const other = new Uint8Array(16)
    expect([...made.done(100, slot => (slot === 2 ? SESSION : slot === 3 ? other : undefined))]).toEqual([2])
  })

  it('writes checkpoints in turn, and gives the newest first', () => {
    const made = file()
    for (let sequence = 1; sequence <= 5; sequence++) {
      expect(made.writeCheckpoint(1, sequence, checkpoint(sequence))).toBe(true)
      const found = made.checkpoints(1)
      expect(found[0]).toEqual({ sequence, checkpoint: checkpoint(sequence) })
      expect(found[1]).toEqual(
        sequence === 1 ? undefined : { sequence: sequence - 1, checkpoint: checkpoint(sequence - 1) },
      )
    }
    expect([made.checkpoints(0), made.checkpoints(2)]).toEqual([[], []])
  })

  it('still has the one before when its writer is killed in the middle of one', () => {
    const made = file()
    made.writeCheckpoint(0, 1, checkpoint(1))
    made.writeCheckpoint(0, 2, checkpoint(2))
    // The half of a third one, over the first: the areas lie behind one page of headers, that of odd numbers
    // second.
    const into = new Uint8Array(AREA_LENGTH)
    const length = frame(3, encode(SlotCheckpoint, checkpoint(3)), into)!
    for (const written of [1, 12, 100, length - 1]) {
      writeSync(made.descriptor.fd, into, 0, written, 4096 + AREA_LENGTH)
      expect(made.checkpoints(0)).toEqual([{ sequence: 2, checkpoint: checkpoint(2) }])
    }
    writeSync(made.descriptor.fd, into, 0, length, 4096 + AREA_LENGTH)
    expect(made.checkpoints(0).map(({ sequence }) => sequence)).toEqual([3, 2])
  })

  it('does not write what is too large, and leaves what is there', () => {
    const made = file()
    made.writeCheckpoint(0, 1, checkpoint(1))
    expect(made.writeCheckpoint(0, 3, checkpoint(3, AREA_LENGTH))).toBe(false)
    expect(made.checkpoints(0)).toEqual([{ sequence: 1, checkpoint: checkpoint(1) }])
  })

  it('has no slot but its own', () => {
    const made = file()
    for (const slot of [-1, 4, 0.5]) {
      expect(() => made.writeHeader(slot, header())).toThrow(RangeError)
      expect(() => made.checkpoints(slot)).toThrow(RangeError)
    }
  })

  it('is not taken for one if it has another size, and is closed then', () => {
    const copy = Descriptor.fromFd(libc.duplicate(file(4).descriptor.fd))
    expect(() => SlotFile.open(copy, 5)).toThrow('a file for 5 slots has')
    expect(copy.open).toBe(false)
  })

  it('keeps its size, in every process', () => {
    const { fd } = file(1).descriptor
    expect(() => ftruncateSync(fd, 1)).toThrow('EPERM')
    expect(() => ftruncateSync(fd, 2 ** 20)).toThrow('EPERM')
    expect(() => writeSync(fd, new Uint8Array(1), 0, 1, 2 ** 20)).toThrow('EPERM')
  })

  it('says so when it is closed', () => {
    const made = file()
    made.close()
    expect(made.writeHeader(0, header())).toBe(false)
    expect(made.writeCheckpoint(0, 1, checkpoint(1))).toBe(false)
    expect(made.header(0)).toBeUndefined()
    expect(made.checkpoints(0)).toEqual([])
    expect([...made.done(1, () => SESSION)]).toEqual([])
  })
})

it('a header fits', () => {
  expect(frame(0, encode(SlotHeader, header()), new Uint8Array(HEADER_LENGTH))).toBeDefined()
})
