import { type Problem, problem } from '../../http/problem.ts'

/** A request for a sealed function that is not let in; its message may be shown to the client. */
export class Denied extends Error {
  override readonly name = 'Denied'
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.detail)
    this.problem = problem
  }

  get response(): Response {
    const { status, headers = [], body } = problem(this.problem)
    return new Response(body as Uint8Array<ArrayBuffer>, {
      status,
      headers: headers.map(([name, value]) => [name, value] as [string, string]),
    })
  }
}

const SPELLING = 'x-hotpotato-key: data-key BASE64URL, or x-hotpotato-key: age-identity AGE-SECRET-KEY-1…'

export const keyMissing = (functionName: string): Denied =>
  new Denied({
    name: 'key-missing',
    status: 401,
    detail: `the function ${functionName} is sealed: the request has to bring its key (${SPELLING})`,
    headers: [['www-authenticate', `Hotpotato-Key realm="${functionName}"`]],
  })

export const keyInClear = (functionName: string, exposed: boolean): Denied =>
  new Denied({
    name: 'key-in-clear',
    status: 403,
    detail: exposed
      ? `the key for ${functionName} came in clear: it was exposed, and must be changed`
      : `the function ${functionName} is sealed, and takes requests over TLS alone`,
  })

export const keyForgotten = (functionName: string): Denied =>
  new Denied({
    name: 'misdirected-request',
    status: 421,
    detail:
      `the key for ${functionName} was left behind when this connection moved: send it on a new one, or as ` +
      'a field that is never indexed (RFC 7541 §6.2.3)',
  })

export const keyWrong = (functionName: string, spelled: boolean): Denied =>
  new Denied({
    name: 'key-wrong',
    status: 403,
    detail: spelled
      ? `this key does not open the function ${functionName}`
      : `no key is spelled so: ${SPELLING}`,
  })

export const tooManyKeys = (seconds: number): Denied =>
  new Denied({
    name: 'too-many-wrong-keys',
    status: 429,
    detail: `too many wrong keys have come from this address; try again in ${seconds} s`,
    headers: [['retry-after', String(seconds)]],
  })

export const bundleDamaged = (functionName: string): Denied =>
  new Denied({
    name: 'bundle-damaged',
    status: 503,
    detail: `the bundle of the function ${functionName} is damaged; it has to be deployed anew`,
  })

export const tooBusy = (functionName: string): Denied =>
  new Denied({
    name: 'sealed-function-busy',
    status: 503,
    detail: `the function ${functionName} is open as often as it may be; try again later`,
    headers: [['retry-after', '1']],
  })
