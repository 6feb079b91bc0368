import { get } from 'node:http'
import { type ClientHttp2Session, connect } from 'node:http2'
import { get as getSecurely } from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { BenchError } from '../harness/run.ts'
import { CONTENT, isHttp2, isSecure, type Protocol, type Row, SERVER_NAME, SUITE } from './rows.ts'

/** Milliseconds for an answer. */
const PATIENCE = 10_000

/** What every server answers. */
export const ANSWER: Uint8Array = new Uint8Array(CONTENT).fill(0x2e)

/** The same as text. */
export const TEXT = '.'.repeat(CONTENT)

/** What a client of Node was told. */
interface Told {
  readonly content: Buffer
  /** As RFC 8446 §B.4 names it; undefined without TLS. */
  readonly suite: string | undefined
}

/**
 * Asks a server once before it is measured: `wrk` and `h2load` look at no more than status codes.
 * @param authority PEM
 * @throws BenchError the answer is not {@link ANSWER}, or TLS has another cipher suite than {@link SUITE}
 */
export async function check({ protocol, server }: Row, port: number, authority: string): Promise<void> {
  const name = `${protocol}, ${server}`
  const { content, suite } = await (isHttp2(protocol) ? second : first)(protocol, port, authority).catch(
    (error: Error) => {
      throw new BenchError(`${name}: ${error.message}`)
    },
  )
  if (!content.equals(ANSWER)) throw new BenchError(`${name}: a wrong answer: the run does not count`)
  if (suite !== (isSecure(protocol) ? SUITE : undefined))
    throw new BenchError(`${name}: the cipher suite is ${suite}, not ${SUITE}`)
}

function first(protocol: Protocol, port: number, authority: string): Promise<Told> {
  return new Promise((resolve, reject) => {
    const options = { port, host: SERVER_NAME, ca: authority, agent: false, timeout: PATIENCE }
    const ask = isSecure(protocol) ? getSecurely : get
    ask(options, response => {
      const suite = suiteOf(response.socket)
      response.toArray().then(parts => resolve({ content: Buffer.concat(parts), suite }), reject)
    })
      .once('error', reject)
      .once('timeout', () => reject(new Error('no answer')))
  })
}

async function second(protocol: Protocol, port: number, authority: string): Promise<Told> {
  const session = connect(originOf(protocol, port), { ca: authority })
  try {
    const content = await contentOf(session)
    return { content, suite: suiteOf(session.socket) }
  } finally {
    session.destroy()
  }
}

function suiteOf(socket: Socket): string | undefined {
  return (socket as Partial<TLSSocket>).getCipher?.().standardName
}

function contentOf(session: ClientHttp2Session): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    session.once('error', reject)
    const stream = session.request({ ':path': '/' })
    stream.setTimeout(PATIENCE, () => reject(new Error('no answer')))
    stream.once('error', reject)
    stream.toArray().then(parts => resolve(Buffer.concat(parts)), reject)
  })
}

/** Scheme, host and port. */
export function originOf(protocol: Protocol, port: number): string {
  return `${isSecure(protocol) ? 'https' : 'http'}://${SERVER_NAME}:${port}`
}
