import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/*
 * Tests in a network namespace of their own: what they do to its sockets, no other process sees. Root makes
 * one as it is; other users need user namespaces, in which they are root.
 */

const ROOT = process.geteuid?.() === 0
const UNSHARE = ROOT ? ['-n'] : ['-rn']
const LOOPBACK = 'ip link set lo up && exec "$@"'

const inside = (words: readonly string[]): string[] => [...UNSHARE, 'sh', '-c', LOOPBACK, 'sh', ...words]

/** Whether this process can make one, and what to do if not. */
export const network = look()

function look(): { readonly available: boolean; readonly note: string } {
  const tried = spawnSync('unshare', inside(['true']), { encoding: 'utf8' })
  if (tried.status === 0) return { available: true, note: ROOT ? 'root' : 'user namespace' }
  const why = tried.error?.message ?? tried.stderr.trim().split('\n').at(-1)
  return {
    available: false,
    note: `no network namespace: ${why}; needs util-linux, iproute2, and root or user namespaces`,
  }
}

/** Whether other users can be had: in a user namespace there is one. */
export const otherUsers = ROOT && network.available

/** What a scenario of `test/hosts/children` says. */
export interface Told {
  readonly result: unknown
  /** Resets that its namespace has sent. */
  readonly resets: number
}

/** Runs a scenario there. @param before words of a program that starts it, with its descriptors */
export async function scenario(
  file: string,
  words: readonly string[],
  before: readonly string[] = [],
): Promise<Told> {
  const script = fileURLToPath(new URL(`../hosts/children/${file}`, import.meta.url))
  const { stdout } = await promisify(execFile)(
    'unshare',
    inside([...before, process.execPath, script, ...words]),
    { timeout: 300_000 },
  ).catch((error: { stdout?: string; message: string }) => {
    throw new Error(`${words.join(' ')}: ${error.stdout || error.message}`)
  })
  return JSON.parse(stdout) as Told
}
