import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { sendCommand, serveControl } from '../../src/cli/platform/control-socket.ts'
import { type Seat, takeSeat } from '../../src/platform/seat/seat.ts'

const BUILT = new URL('../../dist/src/platform/seat/seat.js', import.meta.url).href
const NAME = 'control.sock'

let directory: string
let seats: Seat[]
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-seat-'))
  seats = []
})
afterEach(() => {
  for (const seat of seats) seat.leave()
  rmSync(directory, { recursive: true })
})

async function take(server: Server = createServer()): Promise<Seat | undefined> {
  const seat = await takeSeat(directory, NAME, server)
  if (seat !== undefined) seats.push(seat)
  return seat
}

/** A process that takes the seat and is killed. */
async function dies(): Promise<void> {
  const program = `
    const { takeSeat } = await import(${JSON.stringify(BUILT)})
    const { createServer } = await import('node:net')
    const seat = await takeSeat(${JSON.stringify(directory)}, '${NAME}', createServer())
    if (seat) process.kill(process.pid, 'SIGKILL')`
  const [, signal] = await once(spawn(process.execPath, ['--input-type=module', '-e', program]), 'exit')
  expect(signal).toBe('SIGKILL')
}

it('one takes it; who comes later does not, and leaves nothing behind', async () => {
  const server = createServer()
  expect(await take(server)).toBeDefined()
  const second = createServer()
  expect(await take(second)).toBeUndefined()
  expect([server.listening, second.listening]).toEqual([true, false])
  expect(readdirSync(directory).sort()).toEqual([NAME, 'up'])
  expect(statSync(join(directory, NAME)).mode & 0o777).toBe(0o600)
})

it('who leaves makes room for another one', async () => {
  const server = createServer()
  const first = await take(server)
  first!.leave()
  expect(server.listening).toBe(false)
  expect(existsSync(join(directory, NAME))).toBe(false)
  expect(await take()).toBeDefined()
  // what it does later does not concern the new one
  first!.leave()
  expect(readdirSync(join(directory, 'up'))).toHaveLength(1)
  expect(existsSync(join(directory, NAME))).toBe(true)
})

it('of many at once one takes it, and answers', async () => {
  const all = await Promise.all(
    Array.from({ length: 12 }, (_, index) => serveControl(join(directory, NAME), async () => ({ index }))),
  )
  const winner = all.findIndex(one => one !== undefined)
  seats.push(...all.filter(one => one !== undefined))
  expect(seats).toHaveLength(1)
  expect(await sendCommand(join(directory, NAME), 'status')).toEqual({ index: winner })
})

it('of many at once one takes it from a dead one', async () => {
  for (let round = 0; round < 3; round++) {
    await dies()
    expect(readdirSync(join(directory, 'up'))).toHaveLength(1)
    const all = await Promise.all(Array.from({ length: 12 }, () => take()))
    expect(all.filter(one => one !== undefined)).toHaveLength(1)
    expect(readdirSync(join(directory, 'up'))).toHaveLength(1)
    seats.pop()!.leave()
  }
})
