import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadCertificate } from '../../src/certificates/load.ts'
import { freePorts, PEBBLE, PEBBLE_NOTE, Pebble } from '../support/pebble.ts'
import { type CommandResult, hotpotato, makeDirectory } from '../support/platform.ts'

/** A name that functions of other tests have, which no authority of the web would certify. */
const CONFIG = 'functions: { echo: {} }\n'

describe.skipIf(!PEBBLE)(`hotpotato cert and ${PEBBLE_NOTE}`, () => {
  let pebble: Pebble
  let directory: string
  const cert = (...args: string[]): Promise<CommandResult> => hotpotato(directory, ['cert', ...args])
  const issue = (...args: string[]): Promise<CommandResult> =>
    cert(
      'issue',
      'web',
      '--directory',
      pebble.url,
      '--ca',
      pebble.caFile,
      '--port',
      `${pebble.http}`,
      ...args,
    )

  beforeAll(async () => {
    pebble = await Pebble.start()
    directory = await makeDirectory(CONFIG, [])
  })
  afterAll(async () => {
    await pebble?.stop()
    if (directory) rmSync(directory, { recursive: true, force: true })
  })

  it('want the terms agreed to, in so many words', async () => {
    const { code, stderr } = await issue('--domain', 'web.test')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^the terms of service are not agreed to; read \S+, then say .*\n$/)
  })

  it('issue a certificate, tell of it, and leave it alone until it is time', async () => {
    const { code, stdout } = await issue('--domain', 'web.test,www.web.test', '--agree-to-terms')
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^web: web.test, www.web.test until 20/m)])
    expect(loadCertificate(join(directory, 'certs'), 'web').chain.length).toBe(2)
    const status = await cert('status', '--json')
    expect(JSON.parse(status.stdout)).toMatchObject([
      {
        name: 'web',
        names: ['web.test', 'www.web.test'],
        directory: pebble.url,
        failures: 0,
        suggested: false,
      },
    ])
    const renewed = await cert('renew')
    expect(renewed.stdout).toMatch(/^web is renewed on 20\S+, and is left alone; --force asks for it now\n$/)
  })

  const authority = (): string[] => ['--directory', pebble.url, '--ca', pebble.caFile]

  it('renew as it was issued: from the same authority, with the same kind of key', async () => {
    const kind = ['--key-type', 'ecdsa-p384']
    const names = ['other', '--domain', 'other.test']
    const at = [...authority(), '--port', `${pebble.http}`]
    expect(await cert('issue', ...names, ...at, ...kind, '--agree-to-terms')).toMatchObject({ code: 0 })
    const leaf = () => new X509Certificate(loadCertificate(join(directory, 'certs'), 'other').chain[0]!)
    const before = leaf()
    const { code, stderr } = await cert('renew', 'other', '--force', '--port', `${pebble.http}`)
    expect([code, stderr]).toEqual([0, ''])
    expect(leaf().serialNumber).not.toBe(before.serialNumber)
    expect(leaf().publicKey.asymmetricKeyDetails!.namedCurve).toBe('secp384r1')
  })

  it('end an order that becomes invalid in one line, and wait before the next', async () => {
    const [elsewhere] = await freePorts(1)
    const failed = await cert(
      ...['issue', 'lost', '--domain', 'lost.test', ...authority(), '--port', `${elsewhere}`],
    )
    expect(failed).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^lost\.test: \w+: [^\n]*refused[^\n]*\n$/),
    })
    const renewed = await cert('renew', 'lost')
    expect(renewed).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^lost has failed \(.*\), is tried again on 20\S+, and is left alone; --force asks for it now\n$/,
      ),
    })
    const forced = await cert('renew', 'lost', '--force', '--port', `${pebble.http}`)
    expect(forced).toMatchObject({ code: 0, stderr: '' })
  })

  it('leave a directory to another process, until that is killed', async () => {
    const acme = join(directory, 'certs', 'acme')
    const module = new URL('../../dist/src/cli/cert/alone.js', import.meta.url).href
    const program = `const { alone } = await import(${JSON.stringify(module)})
      await alone(${JSON.stringify(acme)}, () => new Promise(() => {
        console.log('alone')
        setInterval(() => {}, 1e9)
      }))`
    const holder = spawn(process.execPath, ['--input-type=module', '-e', program])
    await once(holder.stdout, 'data')
    const refused = {
      code: 1,
      stderr: 'another process of hotpotato is asking for certificates now\n',
    }
    const at = ['--port', `${pebble.http}`]
    expect(await cert('renew', 'other', '--force', ...at)).toMatchObject(refused)
    expect(await cert('revoke', 'other')).toMatchObject(refused)
    const left = [join(acme, 'other.order.json'), join(directory, 'certs', 'other.key')]
    const staged = (pid: number): string[] => left.map(file => `${file}.${pid}.tmp`)
    const own = staged(process.pid)
    for (const file of [...staged(holder.pid!), ...own]) writeFileSync(file, 'half of a key')
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    expect(await cert('revoke', 'other', '--reason', 'superseded')).toMatchObject({ code: 0, stderr: '' })
    // What a process that is there may be about to rename is left.
    expect(staged(holder.pid!).filter(existsSync)).toEqual([])
    expect(own.filter(existsSync)).toEqual(own)
    for (const file of own) rmSync(file)
  })

  it('refuse a wildcard, and say why', async () => {
    const { code, stderr } = await issue('--domain', '*.web.test', '--agree-to-terms')
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/^[^\n]*\*\.web\.test[^\n]*\n$/)
  })

  it('revoke a certificate: by its own key, or for the account that has another key now', async () => {
    const other = await cert('rollover', ...authority())
    expect(other).toMatchObject({ code: 0, stderr: '' })
    const byKey = await cert('revoke', 'web', ...authority(), '--by-key', '--reason', 'key-compromise')
    expect(byKey).toMatchObject({ code: 0, stdout: expect.stringMatching(/^web is revoked; .*\n$/) })
    // That it was revoked already is what was asked for.
    expect(await cert('revoke', 'web', ...authority())).toMatchObject({ code: 0, stderr: '' })
  })

  it('end the account, with which nothing is issued any more', async () => {
    expect(await cert('deactivate', ...authority())).toMatchObject({ code: 0, stderr: '' })
    const { code, stderr } = await cert('deactivate', ...authority())
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^there is no account with .*\n$/)])
  })
})
