import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const LIBC = new URL('../../dist/src/transfer/native/libc.js', import.meta.url)
/** A process that hides its memory, or not, and waits. */
const hiding = (hides: boolean): string => `
  const { probe } = await import(${JSON.stringify(LIBC.href)})
  if (${hides}) probe().libc.hideMemory()
  console.log('there')
  setInterval(() => {}, 1000)
`
const READS = `require('fs').closeSync(require('fs').openSync('/proc/' + process.argv[1] + '/mem', 'r'))`
/** Root may read everything: it looks as another user, if that may read what is built. */
const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

/** Whether another process of the same user can open its memory. */
async function canBeRead(hides: boolean): Promise<boolean> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', hiding(hides)], {
    ...user,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    await once(child.stdout!, 'data')
    return spawnSync(process.execPath, ['-e', READS, String(child.pid)], user).status === 0
  } finally {
    child.kill('SIGKILL')
  }
}

/** Whether the other user can reach what is built: not below a folder that is this user's alone. */
function reachable(): boolean {
  accessSync(fileURLToPath(LIBC), constants.R_OK)
  const { status } = spawnSync('cat', [fileURLToPath(LIBC)], { ...user, stdio: 'ignore' })
  return status === 0
}

/** Where the kernel lets no process but a parent look anyway, there is nothing to compare with. */
const lets = (): boolean => {
  const scope = '/proc/sys/kernel/yama/ptrace_scope'
  return !existsSync(scope) || readFileSync(scope, 'utf8').trim() === '0'
}

it.skipIf(!reachable())('the memory of a signer is not for other processes of its user', async () => {
  expect(await canBeRead(false)).toBe(lets())
  expect(await canBeRead(true)).toBe(false)
})
