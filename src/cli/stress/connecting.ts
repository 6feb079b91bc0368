import type { CryptoProvider } from '../../tls13/crypto/provider.ts'
import type { CertificateVerifier } from '../../tls13/index.ts'
import { ConnectError, type Connector } from '../../transport/connector.ts'
import { nodeTls } from '../../transport/kinds/node-tls.ts'
import { tcp } from '../../transport/kinds/tcp.ts'
import { tls } from '../../transport/kinds/tls.ts'
import { context } from '../../transport/network.ts'
import { Tickets } from '../../transport/tickets.ts'
import { publicKeyOf } from '../connect/report.ts'
import type { Plan } from './plan.ts'
import { resolver } from './resolve.ts'

/** Trusts any server. */
const anyServer: CertificateVerifier = ([leaf]) => ({ publicKey: publicKeyOf(leaf!) })

/**
 * What opens connections as a plan wants them; one for each place, so that each has tickets of its own.
 * @throws TypeError for an authority that makes no sense
 */
export function connectorOf(plan: Plan, provider: CryptoProvider): Connector {
  const { ca, insecure, resolve, resume, http2 } = plan
  const { port, protocol } = new URL(plan.origin)
  const dial = { resolver: resolver(resolve, Number(port) || (protocol === 'https:' ? 443 : 80)) }
  const trust = ca === undefined ? {} : { ca }
  const ways = context().over('http', tcp, { dial })
  if (plan.tls === 'node')
    ways.over('https', nodeTls(tcp), { dial, tls: { ...trust, rejectUnauthorized: !insecure } })
  else
    ways.over('https', tls(tcp), {
      dial,
      tls: { provider, ...trust, ...(insecure ? { verify: anyServer } : {}) },
      ...(resume ? { tickets: new Tickets() } : {}),
    })
  const alpn = [http2 ? 'h2' : 'http/1.1']
  return {
    async connect(target, options) {
      const connected = await ways.connect(target, { ...options, alpn })
      // Without TLS, HTTP/2 is spoken with prior knowledge (RFC 9113 §3.3).
      if (!http2 || connected.alpn === 'h2') return connected
      if (!connected.secure) return { ...connected, alpn: 'h2' }
      connected.transport.destroy()
      throw new ConnectError('tls', 'the server does not speak HTTP/2: ALPN says nothing of it')
    },
  }
}
