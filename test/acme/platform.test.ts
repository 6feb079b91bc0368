import { createPrivateKey } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findInMemory } from '../support/memory-search.ts'
import { freePorts, PEBBLE, PEBBLE_NOTE, Pebble } from '../support/pebble.ts'
import { eventually, hotpotato, makeDirectory, Platform } from '../support/platform.ts'

/** A connection with a client that takes any certificate, and tells which it was. */
class Client {
  readonly #socket: TLSSocket
  readonly issuer: string
  readonly serial: string
  /** Its alternative names. */
  readonly names: string
  #text = ''

  static async open(port: number, servername: string): Promise<Client> {
    const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false })
    await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
    return new Client(socket)
  }

  private constructor(socket: TLSSocket) {
    this.#socket = socket
    const { issuer, serialNumber, subjectaltname } = socket.getPeerCertificate()
    this.issuer = String(issuer.CN)
    this.serial = serialNumber
    this.names = String(subjectaltname)
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text
    })
  }

  get ended(): boolean {
    return this.#socket.destroyed || this.#socket.readableEnded
  }

  /** @returns what was answered to a request for that path */
  async ask(path: string): Promise<string> {
    this.#text = ''
    this.#socket.write(`GET ${path} HTTP/1.1\r\nhost: web.test\r\n\r\n`)
    return eventually(() => (/\r\n\r\n.+/s.test(this.#text) ? this.#text : undefined), 'no answer')
  }

  close(): void {
    this.#socket.destroy()
  }
}

const stack = (acme: string, more = ''): string => `
gateway: { defaultFunction: echo }
functions:
  echo: { hosts: [web.test, www.web.test${more}] }
  hello: {}
tls:
  acme: { ${acme}, email: admin@example.com, agreeToTerms: true }
`

describe.skipIf(!PEBBLE)(`a platform with certificates of ${PEBBLE_NOTE}`, () => {
  let pebble: Pebble
  let platform: Platform
  let directory: string
  let ports: number[]
  const environment = (): Record<string, string> => ({
    HOTPOTATO_HTTP_PORT: `${ports[0]}`,
    HOTPOTATO_HTTPS_PORT: `${ports[1]}`,
  })
  const authority = (more = ''): string => `directory: "${pebble.url}", ca: "${pebble.caFile}"${more}`
  const issuer = async (): Promise<string> => {
    const client = await Client.open(platform.https, 'web.test')
    client.close()
    return client.issuer
  }
  const issued = (): Promise<unknown> =>
    eventually(async () => (/Pebble/.test(await issuer()) ? true : undefined), platform.log)

  beforeAll(async () => {
    ports = await freePorts(2)
    pebble = await Pebble.start({ http: ports[0]!, tls: ports[1]! })
    directory = await makeDirectory(stack(authority()), [])
    platform = await Platform.start({ directory, environment: environment() })
  })
  afterAll(async () => {
    await platform?.stop()
    await pebble?.stop()
    if (directory) rmSync(directory, { recursive: true, force: true })
  })

  it('has one soon after its start, and a throw-away one until then', async () => {
    expect(platform.welcome).toMatch(/made throw-away certificates for echo, hello/)
    await issued()
    const { stdout } = await hotpotato(directory, ['cert', 'status', '--json'])
    expect(JSON.parse(stdout)).toMatchObject([
      { name: 'echo', names: ['web.test', 'www.web.test'], failures: 0 },
    ])
  })

  it('takes another one while connections go on', async () => {
    const before = await Client.open(platform.https, 'web.test')
    expect(await before.ask('/one')).toMatch(/^HTTP\/1.1 200/)
    const { code, stdout } = await hotpotato(directory, ['cert', 'renew', '--force'], environment())
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^echo: web.test, www.web.test until 20/)])
    const after = await Client.open(platform.https, 'web.test')
    expect(after.serial).not.toBe(before.serial)
    expect(before.ended).toBe(false)
    expect(await before.ask('/two')).toMatch(/^HTTP\/1.1 200/)
    for (const one of [before, after]) one.close()
  })

  it('shows it by TLS-ALPN-01, too', async () => {
    // What it has seen of other names it may believe for a while.
    const text = stack(authority(', challenge: tls-alpn-01'), ', new.test')
    writeFileSync(join(directory, 'hotpotato.yml'), text)
    const shown = await platform.total('proofsShown')
    await platform.order('reload')
    await eventually(async () => {
      const client = await Client.open(platform.https, 'new.test')
      client.close()
      return client.names.includes('new.test') || undefined
    }, platform.log)
    expect(await platform.total('proofsShown')).toBeGreaterThan(shown)
    expect(platform.log).toContain('showing that new.test is ours, by tls-alpn-01')
  })

  it('gives no key of an account or a certificate to the gateway', async () => {
    const certs = join(directory, 'certs')
    const kept = join(certs, 'acme')
    const account = readdirSync(kept).find(name => name.startsWith('account-'))!
    const pem = readFileSync(join(certs, 'echo.key'), 'utf8')
    // Of each the number that is secret, and as it stands in its file.
    const numbers = [
      createPrivateKey(pem).export({ format: 'jwk' }).d!,
      JSON.parse(readFileSync(join(kept, account), 'utf8')).key.d as string,
    ]
    const needles = [
      Buffer.from(pem.split('\n')[1]!),
      ...numbers.flatMap(number => [Buffer.from(number), Buffer.from(number, 'base64url')]),
    ]
    const { pid } = await platform.member('gateway')
    expect(findInMemory(process.pid, ...needles).length).toBeGreaterThan(0)
    expect(findInMemory(pid!, ...needles)).toEqual([])
  })
})
