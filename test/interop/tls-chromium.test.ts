import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NamedGroup } from '../../src/tls13/codepoints.ts'
import { hybridGroups } from '../../src/tls13/crypto/hybrid.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { CHROMIUM, CHROMIUM_NOTE, dump as dumpPage } from '../support/chromium.ts'
import { type Identities, makeIdentities } from '../support/interop/identities.ts'
import {
  type Abilities,
  cannot,
  KINDS,
  PATHS,
  type Row,
  rowsFor,
  SUITES,
  sameNames,
} from '../support/interop/matrix.ts'
import { checkServer, type OurServer, ourServer, serverFor } from '../support/interop/our-side.ts'

/*
 * Headless Chromium: one start of the browser loads a page that fetches from one server of ours for each row.
 */

const abilities: Abilities = {
  suites: sameNames(SUITES),
  groups: {
    ...sameNames(['x25519', 'secp256r1', 'secp384r1'] as const),
    secp521r1: cannot('Chromium does not offer it'),
    x448: cannot('Chromium does not offer it'),
  },
  certificates: {
    ...sameNames(KINDS),
    p521: cannot('Chromium does not offer ecdsa_secp521r1_sha512'),
    ed25519: cannot('Chromium does not offer ed25519'),
    ed448: cannot('Chromium does not offer ed448'),
    'rsa-pss': cannot('Chromium does not offer rsa_pss_pss schemes'),
  },
  paths: {
    ...sameNames(PATHS),
    'early data': cannot('it is an experiment that Chromium has switched off'),
    'client certificate': cannot(
      'a headless Chromium takes client certificates from a store of the system alone',
    ),
  },
  except: ({ group, path }) => {
    // It sends shares for X25519MLKEM768 and x25519.
    if (path === 'HelloRetryRequest') return group === 'x25519' ? 'it always sends that share' : undefined
    return path === 'full handshake' && group !== 'x25519' ? 'it never sends that share first' : undefined
  },
}

const KEY_SHARE = 51

let identities: Identities
const closers: (() => unknown)[] = []

beforeAll(async () => {
  if (CHROMIUM !== undefined) identities = await makeIdentities()
})
afterAll(() => {
  for (const close of closers) close()
  identities?.remove()
})

/** What Chromium makes of a page of ours, as HTML. */
const dump = (url: string): Promise<string> =>
  dumpPage(url, [identities.ca, ...KINDS.map(kind => identities.pem(kind, 'crt'))])

const text = (body: string) => ({ type: 'text/html', body })

describe.skipIf(CHROMIUM === undefined)(`${CHROMIUM_NOTE} and our server`, () => {
  it('its own hello, and a server that prefers hybrid groups: X25519MLKEM768', async () => {
    const keyShares: number[] = []
    const server = await ourServer(identities, {
      kinds: ['p256'],
      provider: { ...node, groups: [...hybridGroups(node.groups), ...node.groups] },
      page: () => text('<p>hot potato</p>'),
      shape: message => {
        if (message.type === 'server_hello') {
          const { extensionData } = message.extensions.find(one => one.extensionType === KEY_SHARE)!
          keyShares.push(extensionData[0]! * 256 + extensionData[1]!)
        }
        return message
      },
    })
    closers.push(server.close)
    const html = await dump(`https://p256.local:${server.port}/`)
    expect(server.failures).toEqual([])
    expect(html).toContain('<p>hot potato</p>')
    expect(new Set(keyShares)).toEqual(new Set([NamedGroup.X25519MLKEM768]))
  })

  describe('everything that it can do', () => {
    const rows = rowsFor(abilities)
    const servers = new Map<Row, OurServer>()
    let dom = ''
    beforeAll(async () => {
      const urls: string[][] = []
      for (const row of rows) {
        const server = await serverFor(identities, row)
        closers.push(server.close)
        servers.set(row, server)
        const url = `https://${row.certificate}.local:${server.port}`
        // Twice on one connection, or on two when the first answer ends it.
        urls.push(row.path === 'resumption' ? [`${url}/close`, `${url}/again`] : [`${url}/one`, `${url}/two`])
      }
      const script = `
        const results = []
        for (const urls of ${JSON.stringify(urls)}) {
          for (const url of urls) {
            try {
              const answer = await fetch(url)
              results.push((await answer.text()).trim())
            } catch (error) {
              results.push(url + ' ' + error)
            }
          }
        }
        document.body.textContent = 'results: ' + results.join('; ')`
      const page = `<!doctype html><body>nothing</body><script type="module">${script}</script>`
      const first = await ourServer(identities, { kinds: ['p256'], page: () => text(page) })
      closers.push(first.close)
      dom = await dump(`https://p256.local:${first.port}/`)
    })

    it('every answer arrives', () => {
      expect(dom.match(/results: .*/)?.[0]).toContain(
        Array(rows.length * 2)
          .fill('potato')
          .join('; '),
      )
    })
    for (const row of rows) {
      it(`${row.path}: ${row.suite}, ${row.group}, ${row.certificate}`, () =>
        checkServer(row, servers.get(row)!))
    }
  })
})
