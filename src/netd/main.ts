import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { NETD } from '../platform/netd/messages.ts'
import { takeSeat } from '../platform/seat/seat.ts'
import { Netd } from './netd.ts'
import { rightsFor } from './rights.ts'

/*
 * Entry point of the process that `hotpotato netd` becomes when it has given away all other rights.
 * Its words: the run directory, the descriptor of the program that makes connections deaf (or `classic`: it
 * could not be loaded), then the ports.
 */

/** The signals that end it in order. */
const ENDS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

async function main(): Promise<void> {
  const [runDirectory, loaded, ...words] = process.argv.slice(2)
  const ports = new Set(words.map(Number))
  checkRights(rightsFor(ports))
  const user = process.geteuid!()
  const program = loaded === 'classic' ? undefined : Number(loaded)
  const netd = new Netd({ user, ports, program, log: line => process.stderr.write(`netd: ${line}\n`) })
  const directory = join(runDirectory!, NETD.directory)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const seat = await takeSeat(directory, NETD.socket, netd.server)
  if (seat === undefined) throw new Error(`another one serves ${runDirectory} already`)
  for (const signal of ENDS)
    process.on(signal, () => {
      netd.close()
      seat.leave()
      process.exit(0)
    })
  process.stdout.write(`netd serves user ${user} in ${directory}, ports ${[...ports].join(', ')}\n`)
}

/** @throws Error it has more rights than it needs, or fewer */
function checkRights(wanted: readonly number[]): void {
  const status = readFileSync('/proc/self/status', 'utf8')
  const mask = wanted.reduce((sum, right) => sum | (1n << BigInt(right)), 0n)
  for (const name of ['CapPrm', 'CapEff', 'CapBnd']) {
    const found = BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? 0}`)
    // What cannot be had, since there is nothing to execute it by, is no right.
    const right = name === 'CapBnd' ? process.geteuid!() !== 0 || found === mask : found === mask
    if (!right)
      throw new Error(`it is to have the capabilities ${mask.toString(16)}, and has ${found.toString(16)}`)
  }
  if (!/^NoNewPrivs:\s*1$/m.test(status)) throw new Error('it could still gain rights')
}

main().catch((error: unknown) => {
  process.stderr.write(`netd: ${(error as Error).message}\n`)
  process.exit(1)
})
