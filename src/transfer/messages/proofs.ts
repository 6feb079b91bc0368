import { struct, type TypeOf, text, vector } from '../../wire/index.ts'

/** What an authority of the web reads at a host that a certificate is asked for (RFC 8555 §8.3). */
const ProofPage = struct('ProofPage', { token: text(1, 512), content: text(1, 1024) })

/** All that gateways show to authorities, in place of what they showed before. Nothing of it is secret. */
export const Proofs = struct('Proofs', {
  pages: vector(ProofPage, 0, 2 ** 24 - 1),
  /**
   * The path of a Unix socket, whose owner answers handshakes for `acme-tls/1` (RFC 8737). Empty: they are
   * those of functions, as all others.
   */
  responder: text(0, 4096),
})
export type Proofs = TypeOf<typeof Proofs>
export const NO_PROOFS: Proofs = { pages: [], responder: '' }
