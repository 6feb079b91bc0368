import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createContext, runInContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Server } from '../../src/transport/server.ts'
import { http } from '../../src/transport/services.ts'
import { CHROMIUM, CHROMIUM_NOTE, dump } from '../support/chromium.ts'

const TYPES: Readonly<Record<string, string>> = { '.js': 'text/javascript', html: 'text/html' }

/** Tells the server when the page has done all that it does. */
const WATCH = `<img src="held"><script>
  new MutationObserver(() => fetch('done')).observe(document.body, { attributes: true })
</script>`

describe('examples/browser', () => {
  let directory = ''
  let server: Server
  const served: string[] = []
  /** Lets the browser go, which holds the page until all of its pictures are there. */
  let release = (): void => {}

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'hotpotato-browser-'))
    // Plain JavaScript for its readers, and without types for that.
    const { build } = (await import(new URL('../../examples/browser/build.js', import.meta.url).href)) as {
      build(directory: string): Promise<void>
    }
    await build(directory)
    server = await http({
      port: 0,
      request({ path }, response) {
        served.push(path)
        if (path === '/held') {
          release = () => response.reply({ status: 204 })
          return
        }
        if (path === '/done') release()
        const file = path === '/' ? 'index.html' : path.slice(1)
        if (!['index.html', 'page.bundle.js', 'worker.js'].includes(file))
          return response.reply({ status: 404 })
        const headers = [['content-type', TYPES[file.slice(-4)] ?? TYPES[file.slice(-3)]!]] as const
        const text = readFileSync(join(directory, file), 'utf8')
        response.reply({ status: 200, headers, body: file === 'index.html' ? `${text}${WATCH}` : text })
      },
    })
  })

  afterAll(async () => {
    await server.stop(0)
    rmSync(directory, { recursive: true })
  })

  it('is bundled out of what was built, and nothing of Node comes along', () => {
    for (const file of ['page.bundle.js', 'worker.js'])
      expect(readFileSync(join(directory, file), 'utf8')).not.toMatch(/['"]node:/)
  })

  it('has a service worker that serves over TLS where nothing is but what such workers have', async () => {
    const listeners = new Map<string, (event: object) => void>()
    const claimed: string[] = []
    const { Response, URL, TextEncoder, TextDecoder, crypto, performance, MessageChannel } = globalThis
    const { queueMicrotask, setTimeout, clearTimeout, AbortController, AbortSignal } = globalThis
    const self = {
      addEventListener: (type: string, listener: (event: object) => void) => listeners.set(type, listener),
      skipWaiting: () => void claimed.push('skipped'),
      clients: { claim: () => void claimed.push('claimed') },
    }
    const context = createContext({
      ...{ self, Response, URL, TextEncoder, TextDecoder, crypto, performance, MessageChannel },
      ...{ queueMicrotask, setTimeout, clearTimeout, AbortController, AbortSignal },
    })
    const missing = 'typeof process + typeof require + typeof Buffer + typeof global'
    expect(runInContext(missing, context)).toBe('undefined'.repeat(4))
    runInContext(readFileSync(join(directory, 'worker.js'), 'utf8'), context)
    listeners.get('install')!({})
    listeners.get('activate')!({ waitUntil() {} })
    expect(claimed).toEqual(['skipped', 'claimed'])
    const asked = async (url: string): Promise<string | undefined> => {
      let answer: Promise<Response> | undefined
      const respondWith = (given: Promise<Response>): void => {
        answer = given
      }
      listeners.get('fetch')!({ request: { url }, respondWith })
      return answer === undefined ? undefined : (await answer).text()
    }
    const [one, two] = await Promise.all(['a', 'b'].map(path => asked(`http://localhost/x/inside/${path}`)))
    expect(one).toMatch(/^service worker: GET \/a over HTTP\/1\.1, decrypted here \(TLS_\w+\)$/)
    expect(two).toContain('GET /b over')
    expect(await asked('http://localhost/page.bundle.js')).toBeUndefined()
  })

  const what = 'does a handshake with itself and explains it, and so does its service worker'
  const title = `${what}: ${CHROMIUM_NOTE}`
  it.skipIf(CHROMIUM === undefined)(title, async () => {
    const html = await dump(`http://localhost:${server.address.port}/`, [])
    const text = html.replaceAll(/<[^>]+>/g, ' ')
    expect(text).toContain('( undefined undefined )')
    const said = [...html.matchAll(/<li>(client|server): (\w+)/g)].map(([, from, what]) => `${from} ${what}`)
    expect(said).toEqual([
      'client client_hello',
      'server server_hello',
      'server encrypted_extensions',
      'server certificate',
      'server certificate_verify',
      'server finished',
      'client finished',
    ])
    expect(text).toMatch(/200 GET \/hello over HTTP\/1\.1, decrypted here \(TLS_\w+, http\/1\.1\)/)
    expect(text).toContain('service worker: GET /from-the-page over HTTP/1.1, decrypted here')
    // Nothing of it was asked of the server of the files.
    expect(served.filter(path => path.includes('inside'))).toEqual([])
  })
})
