import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { Duplex } from 'node:stream'
import { H1Client } from '../../src/http/h1/index.ts'
import type { Case } from './cases.ts'

export type Version = '1.0' | '1.1' | '2'

/** What each client of HTTP offers by ALPN. */
export const OFFERED: Readonly<Record<Version, readonly string[]>> = {
  '1.0': ['http/1.0'],
  '1.1': ['http/1.1'],
  '2': ['h2'],
}

export interface Answer {
  readonly status: number
  readonly content: string
}

/**
 * Asks all of that, one after the other, with Node's clients over streams that are not its own. HTTP/1.0,
 * which Node does not speak, has a connection for each. @param open opens one
 */
export async function askAll(
  version: Version,
  open: () => Promise<Duplex>,
  cases: readonly Case[],
  scheme: 'http' | 'https',
): Promise<Answer[]> {
  if (version === '2') return overHttp2(await open(), cases, scheme)
  if (version === '1.1') return overHttp1(await open(), cases)
  const answers: Answer[] = []
  for (const one of cases) answers.push(await overHttp10(await open(), one))
  return answers
}

async function overHttp2(stream: Duplex, cases: readonly Case[], scheme: string): Promise<Answer[]> {
  const session = connectHttp2(`${scheme}://echo.local`, { createConnection: () => stream })
  const failed = new Promise<never>((_, reject) => session.once('error', reject))
  failed.catch(() => {})
  const answers: Answer[] = []
  for (const { method, path, body } of cases) {
    const stream = session.request({ ':method': method, ':path': path }, { endStream: body === undefined })
    if (body !== undefined) stream.end(body)
    let status = 0
    stream.on('response', fields => {
      status = Number(fields[':status'])
    })
    const content = await Promise.race([textOf(stream), failed])
    answers.push({ status, content })
  }
  session.close()
  await once(session, 'close')
  return answers
}

async function overHttp1(stream: Duplex, cases: readonly Case[]): Promise<Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  Object.assign(agent, { createConnection: () => stream })
  const answers: Answer[] = []
  for (const { method, path, body } of cases) {
    const headers = { host: 'echo.local', ...(body === undefined ? {} : { 'content-length': body.length }) }
    const outgoing = httpRequest({ method, path, headers, agent })
    outgoing.end(body)
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
    answers.push({ status: incoming.statusCode ?? 0, content: await textOf(incoming) })
  }
  agent.destroy()
  stream.destroy()
  return answers
}

async function overHttp10(stream: Duplex, { method, path, body }: Case): Promise<Answer> {
  const client = new H1Client()
  const head = { method, target: path, headers: [['Host', 'echo.local']] as const, version: '1.0' } as const
  stream.write(client.request(head, body))
  const answer = await textOf(stream)
  stream.destroy()
  const [, status, content] = /^HTTP\/1\.[01] (\d{3})[\s\S]*?\r\n\r\n([\s\S]*)$/.exec(answer) ?? []
  return { status: Number(status), content: content ?? answer }
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces).toString('latin1')
}
