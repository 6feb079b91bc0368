import { BlockList, isIP } from 'node:net'

/**
 * Which hosts may be called back. `hooks.example.com`, `hooks.example.com:8443`, `*.example.com`, an address:
 * wherever that leads. `*`: any host, on addresses of the public internet alone.
 */
export class CallbackRule {
  readonly #hosts: readonly string[]

  constructor(hosts: readonly string[]) {
    this.#hosts = hosts.map(host => host.toLowerCase())
  }

  /** What is against a URL that {@link flaw} finds nothing wrong with; undefined: nothing. */
  objection(text: string): string | undefined {
    const url = new URL(text)
    if (this.#names(url) || this.#hosts.includes('*')) return undefined
    return `queue.callbacks in the stack file does not name ${url.host}`
  }

  /** Whether that URL may lead to that address. @param text one without an objection */
  mayReach(text: string, address: string): boolean {
    return this.#names(new URL(text)) || isPublic(address)
  }

  #names({ hostname, host, protocol }: URL): boolean {
    const bare = hostname.replace(/^\[|\]$/g, '')
    const port = host === hostname ? (protocol === 'https:' ? ':443' : ':80') : host.slice(hostname.length)
    return this.#hosts.some(one => {
      if (one === '*') return false
      if (one === bare || one === hostname || one === `${hostname}${port}`) return true
      return one.startsWith('*.') && isIP(bare) === 0 && hostname.endsWith(one.slice(1))
    })
  }
}

/** Why that can be no callback, wherever it leads; undefined: it can. @param text of X-Callback-Url */
export function flaw(text: string): string | undefined {
  if (text.length > 4096) return 'X-Callback-Url has more than 4096 characters'
  const none = 'X-Callback-Url is no URL: it is written as https://hooks.example.com/a'
  // A parser would mend these, and the answer would go where the client has not said.
  if (!/^[\x21-\x5b\x5d-\x7e]+$/.test(text) || !URL.canParse(text)) return none
  const { protocol, username, password } = new URL(text)
  if (protocol !== 'http:' && protocol !== 'https:') return 'X-Callback-Url is neither http nor https'
  if (!/^[a-z]+:\/\/[^/]/i.test(text)) return none
  if (username !== '' || password !== '') return 'X-Callback-Url has credentials in it'
  if (text.includes('#')) return 'X-Callback-Url has a fragment, from # on, which no server is told'
  return undefined
}

/** Addresses that are not of the public internet (RFC 6890 and its registries). */
const SPECIAL = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  SPECIAL.addSubnet(network, prefix, 'ipv4')
/** Of IPv6, what is given out as global unicast is public, but for what stands for IPv4 or is for books. */
const GLOBAL = new BlockList()
GLOBAL.addSubnet('2000::', 3, 'ipv6')
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  SPECIAL.addSubnet(network, prefix, 'ipv6')

function isPublic(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !SPECIAL.check(address, 'ipv4')
  return family === 6 && GLOBAL.check(address, 'ipv6') && !SPECIAL.check(address, 'ipv6')
}
