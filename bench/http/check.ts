import { get } from 'node:http'
import { type ClientHttp2Session, connect } from 'node:http2'
import { get as getSecurely } from 'node:https'
import { BenchError } from '../harness/run.ts'
import { CONTENT, isHttp2, isSecure, type Protocol, SERVER_NAME } from './rows.ts'

/** Milliseconds for an answer. */
const PATIENCE = 10_000

/** What every server answers. */
export const ANSWER: Uint8Array = new Uint8Array(CONTENT).fill(0x2e)

/**
 * Asks a server once before it is measured: those who load it look at no more than status codes.
 * @param authority PEM @throws BenchError the answer is not {@link ANSWER}
 */
export async function check(protocol: Protocol, port: number, authority: string): Promise<void> {
  const content = await (isHttp2(protocol) ? second : first)(protocol, port, authority).catch(
    (error: Error) => {
      throw new BenchError(`${protocol}: ${error.message}`)
    },
  )
  if (!content.equals(ANSWER)) throw new BenchError(`${protocol}: a wrong answer: the run does not count`)
}

function first(protocol: Protocol, port: number, authority: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { port, host: SERVER_NAME, ca: authority, agent: false, timeout: PATIENCE }
    const ask = isSecure(protocol) ? getSecurely : get
    ask(options, response => response.toArray().then(parts => resolve(Buffer.concat(parts)), reject))
      .once('error', reject)
      .once('timeout', () => reject(new Error('no answer')))
  })
}

async function second(protocol: Protocol, port: number, authority: string): Promise<Buffer> {
  const session = connect(originOf(protocol, port), { ca: authority })
  try {
    return await contentOf(session)
  } finally {
    session.destroy()
  }
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
