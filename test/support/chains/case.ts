import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TlsError } from '../../../src/tls13/alert.ts'
import { verifier } from '../../../src/tls13/io/verify.ts'
import { TODAY } from '../certificates.ts'
import { type Made, make, pem, type Shape } from './make.ts'

/** A chain, and what is right. */
export interface Case {
  /** The one that ends the chain. */
  readonly leaf: Made
  /** Sent with it, in this order. */
  readonly others: readonly Made[]
  readonly trusted: readonly Made[]
  /** The host name or address that it has to be for; undefined: any. */
  readonly host?: string | undefined
  readonly purpose?: 'server' | 'client'
  /** Have OpenSSL look at policies, which it does only when asked. */
  readonly policies?: boolean
  /** `fine`, or the reason of the refusal. */
  readonly ours: string
  /** What OpenSSL says, if it is not the same. */
  readonly openssl?: 'accepts' | 'refuses'
}

export type Cases = Readonly<Record<string, () => Case>>

export const HOST = 'www.good.example'

/** An authority, one that it vouched for, and a certificate of that one. */
export interface Parts {
  readonly root?: Shape
  /** None: the root itself signs. */
  readonly middle?: Shape | undefined
  readonly leaf?: Shape
}

/** root, middle, leaf: what is not said of them is as it should be. */
export function chain({ root = {}, middle, leaf = {} }: Parts): Pick<Case, 'leaf' | 'others' | 'trusted'> {
  const top = make('root', { authority: true, ...root })
  const between = middle && make('middle', { authority: true, ...middle }, top)
  const end = make('leaf', leaf, between ?? top)
  return { leaf: end, others: between === undefined ? [] : [between], trusted: [top] }
}

/** `fine`, or the reason. */
export function judged({ leaf, others, trusted, host, purpose = 'server' }: Case): string {
  try {
    const verify = verifier({
      ca: trusted.map(({ der }) => der),
      purpose,
      checkName: host !== undefined,
      ...(host === undefined ? {} : { name: host }),
    })
    verify(
      [leaf, ...others].map(({ der }) => der),
      { serverName: undefined, now: TODAY },
    )
    return 'fine'
  } catch (error) {
    if (error instanceof TlsError) return error.reason
    throw error
  }
}

/** What a program says of a chain. */
interface Said {
  readonly accepts: boolean
  readonly said: string
}

/**
 * What `openssl verify` says of the same. One shell asks for all of them: a fork of this process takes longer
 * than what OpenSSL has to do.
 * @param directory for files; each chain has a folder in it
 */
export function askOpenssl(directory: string, cases: readonly Case[]): Promise<readonly Said[]> {
  const folders = cases.map((_, index) => join(directory, String(index)))
  const lines = cases.map((one, index) => {
    const folder = folders[index]!
    mkdirSync(folder, { recursive: true })
    const words = wordsFor(folder, one).map(word => `'${word}'`)
    return `openssl ${words.join(' ')} >'${folder}/said' 2>&1; echo $? >'${folder}/status'`
  })
  const script = join(directory, 'ask.sh')
  writeFileSync(script, lines.join('\n'))
  return new Promise((resolve, reject) => {
    execFile('sh', [script], error => {
      if (error !== null) return reject(error)
      resolve(
        folders.map(folder => ({
          accepts: readFileSync(join(folder, 'status'), 'utf8') === '0\n',
          said: readFileSync(join(folder, 'said'), 'utf8'),
        })),
      )
    })
  })
}

/** The command line. */
function wordsFor(directory: string, one: Case): string[] {
  const file = (name: string, certificates: readonly Made[]): string => {
    const path = join(directory, name)
    writeFileSync(path, certificates.map(({ der }) => pem(der)).join(''))
    return path
  }
  const { host, purpose = 'server', policies = false } = one
  const address = host !== undefined && /^[\d.]+$|:/.test(host)
  return [
    ...['verify', '-no-CApath', '-no-CAstore', '-CAfile', file('trusted.pem', one.trusted)],
    ...['-attime', String(TODAY / 1000), '-purpose', `ssl${purpose}`],
    // What is given is trusted, whether it signed itself or not: so it is here.
    '-partial_chain',
    ...(one.others.length === 0 ? [] : ['-untrusted', file('others.pem', one.others)]),
    ...(host === undefined ? [] : [address ? '-verify_ip' : '-verify_hostname', host]),
    // Any policy will do.
    ...(policies ? ['-policy_check', '-policy', '2.5.29.32.0'] : []),
    file('leaf.pem', [one.leaf]),
  ]
}
