import { createPrivateKey } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findInMemory } from '../support/memory-search.ts'
import { freePorts, PEBBLE, PEBBLE_NOTE, Pebble } from '../support/pebble.ts'
import { eventually, hotpotato, makeDirectory, Platform } from '../support/platform.ts'

const LONG = process.env.HOTPOTATO_LONG === '1'

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
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  echo: { hosts: [web.test, www.web.test${more}] }
  hello: { hosts: [signed.test], keys: signer }
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

  /** A connection with another certificate than that one. */
  const another = (name: string, serial: string): Promise<Client> =>
    eventually(async () => {
      const client = await Client.open(platform.https, name)
      if (client.serial !== serial) return client
      client.close()
      return undefined
    }, platform.log)

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
    await eventually(async () => {
      const client = await Client.open(platform.https, 'signed.test')
      client.close()
      return /Pebble/.test(client.issuer) || undefined
    }, platform.log)
    const { stdout } = await hotpotato(directory, ['cert', 'status', '--json'])
    expect(JSON.parse(stdout)).toMatchObject([
      { name: 'echo', names: ['web.test', 'www.web.test'], failures: 0 },
      { name: 'hello', names: ['signed.test'], failures: 0 },
    ])
  })

  it('takes others under load: live connections go on, and no handshake fails', async () => {
    const names = ['web.test', 'signed.test']
    const before = await Promise.all(names.map(name => Client.open(platform.https, name)))
    for (const one of before) expect(await one.ask('/one')).toMatch(/^HTTP\/1.1 200/)
    const errors: unknown[] = []
    let [handshakes, over] = [0, false]
    const load = names.map(async name => {
      while (!over) {
        const client = await Client.open(platform.https, name).catch(error => void errors.push(error))
        client?.close()
        handshakes++
        await setTimeout(10)
      }
    })
    const { code, stdout } = await hotpotato(directory, ['cert', 'renew', '--force'], environment())
    const told = /^echo: web.test, www.web.test until 20[^\n]*\nhello: signed.test until 20/
    expect([code, stdout]).toEqual([0, expect.stringMatching(told)])
    // The signer reads anew what lies there, in its own time.
    const after = await Promise.all(names.map((name, i) => another(name, before[i]!.serial)))
    over = true
    await Promise.all(load)
    expect(errors).toEqual([])
    expect(handshakes).toBeGreaterThan(names.length)
    for (const one of before) {
      expect(one.ended).toBe(false)
      expect(await one.ask('/two')).toMatch(/^HTTP\/1.1 200/)
    }
    for (const one of [...before, ...after]) one.close()
  })

  it('goes on showing a page while the gateway is another one', async () => {
    const token = 'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA'
    await platform.order(`show ${token} content`)
    const page = async (): Promise<string> => {
      const url = `http://127.0.0.1:${platform.http}/.well-known/acme-challenge/${token}`
      return (await fetch(url, { headers: { connection: 'close' } })).text()
    }
    let over = false
    const restarted = platform.order('restart gateway').finally(() => {
      over = true
    })
    const seen = new Set<string>()
    do {
      seen.add(await page())
      await setTimeout(10)
    } while (!over)
    await restarted
    seen.add(await page())
    expect([...seen]).toEqual(['content'])
    await platform.order(`withdraw ${token}`)
    expect(await page()).not.toBe('content')
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

  it('lets a command show it so for a name that no function has', async () => {
    const asked = ['cert', 'issue', 'other', '--domain', 'nowhere.test', '--agree-to-terms']
    const how = ['--directory', pebble.url, '--ca', pebble.caFile, '--challenge', 'tls-alpn-01']
    const shown = await platform.total('proofsShown')
    const { code, stdout, stderr } = await hotpotato(directory, [...asked, ...how], environment())
    expect([code, stdout, stderr]).toEqual([0, expect.stringMatching(/^other: nowhere\.test until 20/m), ''])
    expect(await platform.total('proofsShown')).toBeGreaterThan(shown)
    // What it was shown with is gone, and such a handshake is one like any other again.
    const port = platform.https
    const socket = connect({
      host: '127.0.0.1',
      port,
      servername: 'nowhere.test',
      ALPNProtocols: ['acme-tls/1'],
    })
    await new Promise<void>(resolve => socket.once('close', () => resolve()).once('error', () => {}))
    expect(socket.authorized).toBe(false)
    expect(readdirSync(join(directory, 'run'))).not.toContain('acme-command.sock')
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

  it('serves on while the authority is away, and goes on with one that knows nothing of it', async () => {
    const said = platform.log.length
    await pebble.stop(true)
    const { code, stderr } = await hotpotato(directory, ['cert', 'renew', 'hello', '--force'], environment())
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^hello: [^\n]*ECONNREFUSED[^\n]*\n$/)])
    const lines = platform.log.slice(said).split('\n')
    expect(lines.filter(line => line.includes('ECONNREFUSED')).length).toBe(1)
    const [, hello] = JSON.parse((await hotpotato(directory, ['cert', 'status', '--json'])).stdout)
    expect(hello).toMatchObject({ name: 'hello', failures: 1, tryAt: expect.any(Number) })
    const before = await Client.open(platform.https, 'signed.test')
    expect(before.issuer).toMatch(/Pebble/)

    // Another one in its place, at the same address, which knows neither account nor order.
    const again = { directory: pebble.directory, port: pebble.port }
    pebble = await Pebble.start({ http: ports[0]!, tls: ports[1]!, again })
    const renewed = await hotpotato(directory, ['cert', 'renew', 'hello', '--force'], environment())
    expect(renewed).toMatchObject({ code: 0, stderr: '' })
    ;(await another('signed.test', before.serial)).close()
    before.close()
  })

  it('starts while the authority is away, serves, and gets one when it is back', async () => {
    await pebble.stop(true)
    const other = await makeDirectory(stack(authority()), [])
    // The ports are those at which the authority looks.
    await platform.stop()
    platform = await Platform.start({ directory: other, environment: environment() })
    rmSync(directory, { recursive: true, force: true })
    directory = other
    expect(platform.welcome).toMatch(/made throw-away certificates for echo, hello/)
    const attempts = async (): Promise<readonly { failures: number; tryAt: number }[]> =>
      JSON.parse((await hotpotato(directory, ['cert', 'status', '--json'])).stdout)
    await eventually(async () => {
      const all = await attempts()
      return (all.length === 2 && all.every(({ failures, tryAt }) => failures > 0 && tryAt > 0)) || undefined
    }, platform.log)
    const before = await Client.open(platform.https, 'web.test')
    expect(before.issuer).not.toMatch(/Pebble/)
    expect(await before.ask('/one')).toMatch(/^HTTP\/1.1 200/)
    before.close()
    const again = { directory: pebble.directory, port: pebble.port }
    pebble = await Pebble.start({ http: ports[0]!, tls: ports[1]!, again })
    // By itself it asks again within a minute or so, which only the long run waits for.
    if (!LONG) await hotpotato(directory, ['cert', 'renew', '--force'], environment())
    await issued().catch(() => (LONG ? issued() : Promise.reject(new Error(platform.log))))
    const after = await Client.open(platform.https, 'web.test')
    expect(await after.ask('/two')).toMatch(/^HTTP\/1.1 200/)
    after.close()
  })
})
