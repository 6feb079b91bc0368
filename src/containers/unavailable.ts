import type { Problem } from '../http/problem.ts'
import type { RefusalReason } from '../transfer/control.ts'

/** No container of a function could take a connection: why, for the client whose session stays where it is. */
export function unavailable(
  functionName: string,
  why: 'none ready' | 'gone' | { readonly reason: RefusalReason; readonly detail: string },
): Problem {
  return {
    name: 'function-unavailable',
    status: 503,
    detail: `${sentence(functionName, why)}; the connection is intact`,
    headers: [['retry-after', '1']],
  }
}

function sentence(functionName: string, why: Parameters<typeof unavailable>[1]): string {
  if (why === 'none ready') return `no container of the function ${functionName} is ready`
  if (why === 'gone') return `the container of the function ${functionName} is gone`
  return `the container of the function ${functionName} refused the connection (${why.reason}: ${why.detail})`
}
