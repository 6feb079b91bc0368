import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { connectionsOfKernel } from '../../src/hosts/repair/socket-table.ts'

/* What the kernel's tables say of connections, and what it means that they cannot be read. */

const directory = mkdtempSync(join(tmpdir(), 'hotpotato-tables-'))
afterAll(() => rmSync(directory, { recursive: true }))

it('are those of both families that are neither listening nor closed', async () => {
  const row = (state: string, local: string): string => `   0: ${local}:20FB 0A00004D:0050 ${state} 00000000`
  const lines = ['  sl  local_address rem_address   st', row('01', '0109004D'), row('0A', '0209004D')]
  writeFileSync(join(directory, 'tcp'), `${lines.join('\n')}\n`)
  expect(await connectionsOfKernel(directory)).toEqual(new Set(['4d000901:8443-4d00000a:80']))
})

it('are not thought ended where they cannot be read', async () => {
  mkdirSync(join(directory, 'tcp6'))
  await expect(connectionsOfKernel(directory)).rejects.toThrow('EISDIR')
})
