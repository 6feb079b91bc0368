import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Program } from './program.ts'

/*
 * Some servers listen on all interfaces and cannot be told otherwise. They run in a network namespace of
 * their own, with nothing but a loopback in it, and are reached through a Unix socket.
 */

const UNSHARE = ['--map-root-user', '--net', '--pid', '--fork', '--kill-child', 'sh', '-c']
const BRIDGE = new URL('../../interop/programs/bridge.mjs', import.meta.url).pathname
/** The port inside: there is no other server. */
export const FENCED_PORT = 4433

/** Why there are no such namespaces here; undefined if there are. */
export const NO_FENCE: string | undefined =
  spawnSync('unshare', [...UNSHARE, 'ip link set lo up']).status === 0
    ? undefined
    : 'SKIPPED: it listens on all interfaces; unshare and ip (util-linux, iproute2) cannot fence it in here'

let count = 0

export interface Fenced {
  readonly program: Program
  /** The Unix socket that leads to it. */
  readonly path: string
  stop(): Promise<void>
}

/** Starts a server that listens on port {@link FENCED_PORT} in there; it is ready when this returns. */
export async function startFenced(command: string, args: readonly string[]): Promise<Fenced> {
  const path = join(tmpdir(), `hotpotato-fenced-${process.pid}-${count++}.sock`)
  const inside = [process.execPath, BRIDGE, path, String(FENCED_PORT), command, ...args]
  const program = new Program('unshare', [...UNSHARE, 'ip link set lo up && exec "$@"', 'sh', ...inside])
  const stop = async (): Promise<void> => {
    await program.kill()
    rmSync(path, { force: true })
  }
  try {
    await program.says('bridge ready')
  } catch (error) {
    await stop()
    throw error
  }
  return { program, path, stop }
}
