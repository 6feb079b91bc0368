import type { Problem } from '../../http/problem.ts'
import type { RefusalReason } from '../../transfer/control.ts'

/**
 * No container of a function could take a connection: why, for the client whose session stays where it is.
 */
export function unavailable(
  functionName: string,
  why: 'none ready' | 'gone' | { readonly reason: RefusalReason; readonly detail: string },
): Problem {
  if (typeof why === 'object' && why.reason === 'policy') return misdirected(functionName, why.detail)
  return {
    name: 'function-unavailable',
    status: 503,
    detail: `${sentence(functionName, why)}; the connection is intact`,
    headers: [['retry-after', '1']],
  }
}

/** A function does not take the request on this connection. */
export function misdirected(functionName: string, detail: string): Problem {
  return {
    name: 'misdirected-request',
    status: 421,
    detail:
      `the function ${functionName} does not accept this connection: ${detail}; ` +
      'open one to its own host name',
  }
}

function sentence(functionName: string, why: Parameters<typeof unavailable>[1]): string {
  if (why === 'none ready') return `no container of the function ${functionName} is ready`
  if (why === 'gone') return `the container of the function ${functionName} is gone`
  return `the container of the function ${functionName} refused the connection (${why.reason}: ${why.detail})`
}
