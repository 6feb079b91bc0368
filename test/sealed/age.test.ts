import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { identitiesOf, newIdentity, recipientOf, unwrapKey, wrapKey } from '../../src/sealed/age.ts'
import { hex } from '../../src/wire/index.ts'
import { isInstalled, missing, run } from '../support/programs.ts'
import { seeded } from '../support/random.ts'

const key = seeded(4)(32)
const folder = mkdtempSync(join(tmpdir(), 'hotpotato-age-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('a data key', () => {
  it('wrapped for two is opened by either, and by no third', async () => {
    const [one, other, third] = await Promise.all([newIdentity(), newIdentity(), newIdentity()])
    const wrapped = await wrapKey(key, [one.recipient, other.recipient])
    for (const { identity } of [one, other])
      expect(hex((await unwrapKey(wrapped, [identity]))!)).toBe(hex(key))
    expect(await unwrapKey(wrapped, [third.identity])).toBeUndefined()
    expect(await recipientOf(one.identity)).toBe(one.recipient)
  })

  it('that was changed is damaged, and what is no key is refused without being repeated', async () => {
    const { identity, recipient } = await newIdentity()
    const wrapped = await wrapKey(key, [recipient])
    wrapped[wrapped.length - 1]! ^= 1
    await expect(unwrapKey(wrapped, [identity])).rejects.toMatchObject({ reason: 'wrapping_damaged' })
    expect(await unwrapKey(new Uint8Array(), [identity])).toBeUndefined()
    const secret = identity.replace('1', '2')
    for (const attempt of [unwrapKey(wrapped, [secret]), wrapKey(key, [secret]), recipientOf(secret)])
      await expect(attempt).rejects.toThrow(/^(?!.*SECRET-KEY-2).*(no identity|no recipient) of age/s)
  })
})

const there = isInstalled('age', ['--version']) && isInstalled('age-keygen', ['--version'])
describe.skipIf(!there)(`the program age${missing(there, 'age', 'age')}`, () => {
  it('opens what is wrapped here, and wraps what is opened here', async () => {
    const file = join(folder, 'key.txt')
    expect((await run('age-keygen', ['-o', file])).code).toBe(0)
    const [identity] = identitiesOf(readFileSync(file, 'utf8'))
    const recipient = await recipientOf(identity!)
    const opened = await run('age', ['-d', '-i', file], await wrapKey(key, [recipient]))
    expect(hex(opened.stdout)).toBe(hex(key))
    const wrapped = await run('age', ['-r', recipient], key)
    expect(hex((await unwrapKey(wrapped.stdout, [identity!]))!)).toBe(hex(key))
  })

  it('takes the identities that are made here', async () => {
    const { identity, recipient } = await newIdentity()
    const file = join(folder, 'ours.txt')
    writeFileSync(file, `# made here\n${identity}\n`)
    expect((await run('age-keygen', ['-y', file])).stdout.toString().trim()).toBe(recipient)
  })
})
