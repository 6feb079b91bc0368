import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

const NO_STRACE = 'there is no strace (Debian package strace)'
const NO_ACCESS = 'strace may not look at another process here (kernel.yama.ptrace_scope): root may'

/**
 * The system calls of one move, of all threads. `strace` looks at the program once it has warmed up, because
 * each call that it looks at stops its thread twice.
 * @param program `moves.js` with its words, `stepped` among them
 * @returns undefined, and a line on stderr, where there is no `strace` or it may not look
 */
export async function systemCalls(program: readonly string[], moves: number): Promise<number | undefined> {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-counts-'))
  const child = spawn(process.execPath, program, { stdio: ['pipe', 'pipe', 'inherit'] })
  let strace: ChildProcess | undefined
  try {
    const lines = createInterface(child.stdout)
    const ended = once(child, 'exit').then(() => {
      throw new Error('the process of moves ended unexpectedly')
    })
    ended.catch(() => {})
    await Promise.race([once(lines, 'line'), ended])
    const file = join(directory, 'counts')
    strace = spawn('strace', ['-f', '-c', '-o', file, '-p', String(child.pid)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const reason = await attached(strace)
    if (reason !== undefined) {
      process.stderr.write(`system calls: skipped, because ${reason}\n`)
      return undefined
    }
    const moved = once(lines, 'line')
    child.stdin.write('\n')
    await Promise.race([moved, ended])
    const written = once(strace, 'exit')
    strace.kill('SIGINT')
    await written
    return Math.round((100 * callsOf(readFileSync(file, 'latin1'))) / moves) / 100
  } finally {
    strace?.kill('SIGINT')
    child.stdin.end()
    rmSync(directory, { recursive: true, force: true })
  }
}

/**
 * The sum of what `strace -c` has counted. What is 0 is left blank, and not all versions print all columns: a
 * number stands below the end of its head.
 */
export function callsOf(table: string): number {
  const lines = table.split('\n')
  const end = (lines.find(line => line.startsWith('% time'))?.indexOf(' calls') ?? 0) + ' calls'.length
  const total = lines.find(line => line.endsWith(' total'))
  const calls = /\d+$/.exec(total?.slice(0, end) ?? '')?.[0]
  if (calls === undefined) throw new Error(`strace has counted nothing: ${table.slice(0, 200)}`)
  return Number(calls)
}

/** @returns undefined once it looks at the process, or why it does not */
async function attached(strace: ChildProcess): Promise<string | undefined> {
  try {
    await once(strace, 'spawn')
  } catch {
    return NO_STRACE
  }
  for await (const line of createInterface(strace.stderr as Readable))
    if (/Process \d+ attached/.test(line)) return undefined
  return NO_ACCESS
}
