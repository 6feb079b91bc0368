import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkCertificates } from '../../src/certificates/authority.ts'
import { mayDelegate } from '../../src/certificates/short-lived.ts'
import { certs } from '../../src/cli/certs/certs.ts'
import { command } from '../../src/cli/commands/tools/certs.ts'
import { readArguments } from '../../src/cli/line/command-line.ts'

let directory: string
let config: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-make-'))
  config = join(directory, 'hotpotato.yml')
  writeFileSync(
    config,
    'functions: { one: { hosts: [a.local] }, two: { certificate: shared }, three: { certificate: shared } }',
  )
})
afterEach(() => rmSync(directory, { recursive: true }))

async function run(args: readonly string[], variables: NodeJS.ProcessEnv): Promise<string> {
  const { options, words } = readArguments(command, args, variables)
  return certs(words, options, variables)
}

const make = (...args: string[]) => run(['--config', config, ...args], {})
const made = (folder = 'certs') => readdirSync(join(directory, folder)).filter(file => file.endsWith('.crt'))

describe('npx --no hotpotato certs', () => {
  it('makes the certificates of the configuration, good for the hosts of all who use them', async () => {
    expect(await make()).toContain(`made ${join(directory, 'certs/one.crt')}`)
    expect(made()).toEqual(['ca.crt', 'one.crt', 'shared.crt'])
    const wanted = [
      { name: 'one', hosts: ['a.local'] },
      { name: 'shared', hosts: ['two.local', 'three.local'] },
    ]
    expect(checkCertificates(join(directory, 'certs'), wanted, Date.now())).toEqual([])
    expect(await make()).toContain(`kept ${join(directory, 'certs/one.crt')}`)
  })

  it('makes one more, also without a configuration, and where it is told', async () => {
    await make('--directory', join(directory, 'other'), 'four')
    expect(made('other')).toEqual(['ca.crt', 'four.crt'])
    await run(['--config', join(directory, 'none.yml'), '--directory', join(directory, 'other'), 'five'], {})
    expect(made('other')).toEqual(['ca.crt', 'five.crt', 'four.crt'])
    await run(['--config', config], { HOTPOTATO_CERTS_DIR: 'third' })
    expect(made('third')).toEqual(['ca.crt', 'one.crt', 'shared.crt'])
  })

  it('makes certificates for clients, which are good for no server', async () => {
    await make('--client', 'alice')
    const alice = new X509Certificate(readFileSync(join(directory, 'certs/alice.crt')))
    expect(alice.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
    expect(alice.subjectAltName).toBe('DNS:alice.local, DNS:alice.localhost')
    await expect(make('--client')).rejects.toThrow('--client needs the NAMEs of clients')
  })

  it('lets keys sign delegated credentials only if it is asked to', async () => {
    const delegates = (name: string): boolean =>
      mayDelegate(new X509Certificate(readFileSync(join(directory, 'certs', `${name}.crt`))).raw)
    await make()
    expect([delegates('one'), delegates('shared')]).toEqual([false, false])
    expect(await make('--delegation', 'one')).toContain('kept')
    await make('--delegation', '--renew', 'one')
    expect([delegates('one'), delegates('shared')]).toEqual([true, false])
    await expect(make('--delegation', '--client', 'alice')).rejects.toThrow('--delegation is for servers')
  })

  it('says what is wrong with the command line', async () => {
    await expect(make('--algorithm', 'dsa')).rejects.toThrow(
      '--algorithm must be one of p256, p384, ed25519, rsa, not dsa',
    )
    await expect(make('--speed')).rejects.toThrow(/--speed/)
    await expect(make('../x')).rejects.toThrow(/"\.\.\/x" is not a certificate name/)
    await expect(run(['--config', join(directory, 'none.yml')], {})).rejects.toThrow(
      /none\.yml cannot be read/,
    )
    expect(readdirSync(directory)).toEqual(['hotpotato.yml'])
  })
})
