import type { Field } from '../../http/message.ts'
import { type Problem, problem } from '../../http/problem.ts'
import { LightResponse } from '../../web/response.ts'

/** The platform's answer in a program's place. */
export function refusing(what: Problem): Response {
  const { status, headers = [], body = null } = problem(what)
  return LightResponse.from(status, [...headers] as Field[], body) as unknown as Response
}

/** 429: a container has as many requests at work as it may have. */
export function tooMany(functionName: string, most: number): Problem {
  return {
    name: 'too-many-requests',
    status: 429,
    detail: `this container of the function ${functionName} works on ${most} requests, as many as it may`,
    headers: [['retry-after', '1']],
  }
}

/** 502: the program was there and did not answer as it should have. */
export function badGateway(functionName: string, why: string): Problem {
  return { name: 'program-failed', status: 502, detail: `the program of ${functionName} ${why}` }
}

/** 503: there is no process of it now. */
export function noProgram(functionName: string, why: string): Problem {
  const detail = `the program of ${functionName} ${why}; the connection is intact`
  return { name: 'program-not-ready', status: 503, detail, headers: [['retry-after', '1']] }
}
