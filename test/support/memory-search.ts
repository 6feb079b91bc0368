import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

/** Bytes that are read at a time. */
const BLOCK = 4 * 1024 * 1024
const PAGE = 4096
/** Of an entry of `/proc/PID/pagemap`, 8 bytes for each page: it is there, or has been swapped out. */
const PRESENT = 0xc0

/** Where something was found: an address, and what is mapped there. */
export interface MemoryFind {
  /** Which of the needles, by its place. */
  readonly needle: number
  readonly address: number
  readonly mapping: string
}

/**
 * Looks for bytes in all of a process's memory that has ever been touched, by `/proc/PID/mem`: the heap of
 * V8, of OpenSSL, stacks and buffers alike. It must be of the same user, or the caller root.
 * @param needles at least 8 bytes each: fewer are found by chance
 * @throws Error the memory cannot be opened
 */
export function findInMemory(pid: number, ...needles: readonly Uint8Array[]): MemoryFind[] {
  const longest = Math.max(...needles.map(({ length }) => length))
  if (needles.some(({ length }) => length < 8)) throw new RangeError('so few bytes are found by chance')
  const found: MemoryFind[] = []
  const [memory, pages] = [openSync(`/proc/${pid}/mem`, 'r'), openSync(`/proc/${pid}/pagemap`, 'r')]
  const block = Buffer.alloc(BLOCK + longest)
  try {
    for (const { start, end, mapping } of mappingsOf(pid))
      for (const [from, to] of touched(pages, start, end))
        for (let at = from; at < to; at += BLOCK) {
          const read = readAt(memory, block, at, Math.min(block.length, to - at))
          for (const [needle, bytes] of needles.entries())
            for (let i = read.indexOf(bytes); i >= 0; i = read.indexOf(bytes, i + 1))
              // What lies across the border is found once.
              if (i < BLOCK) found.push({ needle, address: at + i, mapping })
        }
  } finally {
    closeSync(memory)
    closeSync(pages)
  }
  return found
}

function readAt(memory: number, block: Buffer, at: number, length: number): Buffer {
  try {
    return block.subarray(0, readSync(memory, block, 0, length, at))
  } catch {
    // It has been unmapped meanwhile.
    return block.subarray(0, 0)
  }
}

/** The runs of pages between two addresses that are there: others were never written to. */
function touched(pages: number, start: number, end: number): [from: number, to: number][] {
  const runs: [number, number][] = []
  const entries = Buffer.alloc(Math.min(BLOCK, (8 * (end - start)) / PAGE))
  for (let at = start; at < end; at += (entries.length / 8) * PAGE) {
    const read = readSync(pages, entries, 0, entries.length, (at / PAGE) * 8)
    for (let i = 0; i + 8 <= read; i += 8) {
      const page = at + (i / 8) * PAGE
      if (page >= end || (entries[i + 7]! & PRESENT) === 0) continue
      const last = runs.at(-1)
      if (last?.[1] === page) last[1] = page + PAGE
      else runs.push([page, page + PAGE])
    }
  }
  return runs
}

function mappingsOf(pid: number): { start: number; end: number; mapping: string }[] {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').trimEnd().split('\n')
  return lines.flatMap(line => {
    const [range = '', mode = '', , , , ...name] = line.split(/ +/)
    const [start = 0, end = 0] = range.split('-').map(text => Number.parseInt(text, 16))
    const mapping = name.join(' ')
    const ofFile = mapping.startsWith('/') && !mode.includes('w')
    // The kernel's own pages, and files that the process cannot write to, hold nothing of its own.
    if (!mode.startsWith('r') || ofFile || /^\[v(var|syscall|dso)/.test(mapping)) return []
    return [{ start, end, mapping }]
  })
}
