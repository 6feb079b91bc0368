import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { demandOf } from '../../../src/containers/process/client-rules.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import { hex } from '../../../src/wire/index.ts'
import { type Entity, makeEntity, TODAY } from '../../support/certificates.ts'

const directory = mkdtempSync(join(tmpdir(), 'hotpotato-rules-'))
let one: Entity
let other: Entity
beforeAll(async () => {
  one = await makeEntity({ subject: 'CN=one', authority: true })
  other = await makeEntity({ subject: 'CN=other', authority: true })
})
afterAll(() => rmSync(directory, { recursive: true }))

async function digest(functionName: string, ...authorities: readonly Entity[]): Promise<string> {
  const file = join(directory, 'authorities.crt')
  writeFileSync(file, `a comment\n${authorities.map(({ pem }) => pem).join('\n\n')}\n`)
  return hex((await demandOf(node, functionName, authorities.length === 0 ? undefined : file)).digest)
}

it('the rules of a function are its name, whether it demands certificates, and whose', async () => {
  const all = [
    await digest('echo'),
    await digest('hello'),
    await digest('echo', one),
    await digest('hello', one),
    await digest('echo', other),
    await digest('echo', one, other),
  ]
  expect(new Set(all).size).toBe(all.length)
  expect(new Set(all.map(({ length }) => length))).toEqual(new Set([64]))
  // How the file is written is of no importance.
  expect(await digest('echo', other, one)).toBe(all[5])
})

it('a function that demands nothing has no verifier; one that does judges by its file', async () => {
  expect((await demandOf(node, 'echo', undefined)).clientCertificates).toBeUndefined()
  await digest('echo', one)
  const { clientCertificates } = await demandOf(node, 'echo', join(directory, 'authorities.crt'))
  expect(clientCertificates?.required).toBe(true)
  const verify = clientCertificates!.verify as Exclude<typeof clientCertificates, undefined>['verify']
  if (verify === 'ask') throw new Error('it judges itself')
  const now = TODAY
  expect(() => verify([other.der], { serverName: undefined, now })).toThrow('no trusted authority')
})

it('a file that holds no certificate, or is none, is named', async () => {
  const file = join(directory, 'none.crt')
  await expect(demandOf(node, 'echo', file)).rejects.toThrow(`clientAuthorities ${file}: ENOENT`)
  writeFileSync(file, 'nothing')
  await expect(demandOf(node, 'echo', file)).rejects.toThrow(
    `${file}: a text that contains no PEM certificate`,
  )
})
