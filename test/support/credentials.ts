import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificates } from '../../src/certificates/authority.ts'

/** An authority and its certificate for `localhost`, as files. */
export interface Credentials {
  /** @param name `ca.crt`, `localhost.crt` or `localhost.key` */
  file(name: string): string
  /** What is in it. */
  pem(name: string): string
}

let made: Promise<Credentials> | undefined

/** Made once for all files of tests in a process, which removes them when it ends. */
export function credentials(): Promise<Credentials> {
  made ??= make()
  return made
}

async function make(): Promise<Credentials> {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-transport-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  await makeCertificates({ directory, certificates: [{ name: 'localhost' }], now: Date.now() })
  const file = (name: string): string => join(directory, name)
  return { file, pem: name => readFileSync(file(name), 'utf8') }
}
