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

function digest(functionName: string, ...authorities: readonly Entity[]): string {
  const file = join(directory, 'authorities.crt')
  writeFileSync(file, `a comment\n${authorities.map(({ pem }) => pem).join('\n\n')}\n`)
  return hex(demandOf(node, functionName, authorities.length === 0 ? undefined : file).digest)
}

it('the rules of a function are its name, whether it demands certificates, and whose', () => {
  const all = [
    digest('echo'),
    digest('hello'),
    digest('echo', one),
    digest('hello', one),
    digest('echo', other),
    digest('echo', one, other),
  ]
  expect(new Set(all).size).toBe(all.length)
  expect(new Set(all.map(({ length }) => length))).toEqual(new Set([64]))
  // How the file is written is of no importance.
  expect(digest('echo', other, one)).toBe(all[5])
})

it('who demands nothing has no verifier; who does judges by what the file holds', () => {
  expect(demandOf(node, 'echo', undefined).clientCertificates).toBeUndefined()
  digest('echo', one)
  const { clientCertificates } = demandOf(node, 'echo', join(directory, 'authorities.crt'))
  expect(clientCertificates?.required).toBe(true)
  const verify = clientCertificates!.verify as Exclude<typeof clientCertificates, undefined>['verify']
  if (verify === 'ask') throw new Error('it judges itself')
  const now = TODAY
  expect(() => verify([other.der], { serverName: undefined, now })).toThrow('nobody that is trusted')
})

it('a file that holds no certificate, or is none, is named', () => {
  const file = join(directory, 'none.crt')
  expect(() => demandOf(node, 'echo', file)).toThrow(`clientAuthorities ${file}: ENOENT`)
  writeFileSync(file, 'nothing')
  expect(() => demandOf(node, 'echo', file)).toThrow(`${file}: a text that holds no PEM certificate`)
})
