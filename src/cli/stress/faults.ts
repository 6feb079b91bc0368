import { ClientError } from '../../client/error.ts'
import { ErrorCode } from '../../http/h2/index.ts'
import { TlsError } from '../../tls13/index.ts'
import { reasonOf, stringOf } from '../../wire/thrown.ts'
import type { Fault } from './load.ts'

/**
 * What went wrong with a request, as it is counted: `connect ECONNREFUSED`, `tls unknown_ca`, `protocol`,
 * `timeout`.
 */
export function faultOf(error: unknown): Fault {
  if (!(error instanceof ClientError)) {
    return { kind: 'fault', reason: reasonOf(error) || stringOf(error), late: false }
  }
  const { kind, message, cause, http2Code } = error
  const late = kind === 'timeout'
  const [named] = Object.entries(ErrorCode).find(([, code]) => code === http2Code) ?? []
  const detail = late ? undefined : (named ?? (cause instanceof TlsError ? cause.reason : error.code))
  return { kind: detail === undefined ? kind : `${kind} ${detail}`, reason: message, late }
}

/** What helps, by kind of error. */
const ADVICE: readonly (readonly [kind: RegExp, advice: (url: URL) => string])[] = [
  [
    / (ENOTFOUND|EAI_\w+)$/,
    ({ hostname, port, protocol }) => {
      const at = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
      return `no address is known for ${hostname}: --resolve ${at}:ADDRESS says where it is`
    },
  ],
  [
    /^tls (untrusted_issuer|.*(UNABLE_TO|SELF_SIGNED))/,
    () => 'the authority of the certificate is not trusted: --ca FILE names it (of hotpotato: certs/ca.crt)',
  ],
  [
    /^tls .*(ALTNAME|wrong_name)/,
    ({ hostname }) => `the certificate does not cover ${hostname}: name a host that it covers, or --insecure`,
  ],
  [/^tls no_common_version$/, () => 'the server knows no TLS 1.3: --tls node knows earlier ones'],
  [
    /EMFILE$/,
    () => 'this program may not open so many files: ulimit -n says how many, fewer --connections help',
  ],
  [
    /EADDRNOTAVAIL$/,
    () => 'all ports of this machine are in use or rest (TIME_WAIT): fewer requests, or without --reconnect',
  ],
]

/** Sentences that help with errors of these kinds. */
export function adviceFor(kinds: readonly string[], url: URL): string[] {
  return ADVICE.filter(([pattern]) => kinds.some(kind => pattern.test(kind))).map(([, advice]) => advice(url))
}
