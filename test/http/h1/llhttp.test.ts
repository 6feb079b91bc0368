import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { H1Client } from '../../../src/http/h1/index.ts'
import { bytes, conversation } from '../../support/h1-messages.ts'
import { type LlhttpCase, llhttpCases } from './llhttp-cases.ts'

type Verdict = 'accepts' | 'refuses'

interface Difference {
  readonly name: string
  readonly llhttp: Verdict
  readonly here: Verdict
}

/** The rows of one of the tables of `docs/http1-differences.md`. */
function listed(heading: string): Difference[] {
  const page = readFileSync(new URL('../../../docs/http1-differences.md', import.meta.url), 'utf8')
  const [, section = ''] = page.split(`\n## ${heading}\n`)
  const rows = section
    .split('\n## ')[0]!
    .matchAll(/^\| (.+?) \| (accepts|refuses) \| (accepts|refuses) \| (.+) \|$/gm)
  return Array.from(rows, ([, name, llhttp, here, why]) => {
    if (why!.length < 5) throw new Error(`no reason for ${name}`)
    return { name: name!, llhttp: llhttp as Verdict, here: here as Verdict }
  })
}

/**
 * llhttp does not ask for Host; the cases that lack it get one, so that everything else in them is judged.
 */
function withHost(input: string): string {
  const head = /^([A-Z-]+ \S+ HTTP\/1\.1\r\n)((?:[^\r\n]+\r\n)*)/gm
  return input.replace(head, (whole, line: string, fields: string) =>
    /^host:/im.test(fields) ? whole : `${line}Host: a\r\n${fields}`,
  )
}

function refusesRequest(input: string): boolean {
  return conversation(bytes(withHost(input))).events.some(event => event.type === 'error')
}

function refusesResponse(input: string): boolean {
  const client = new H1Client()
  for (let i = 0; i < 3; i++) client.request({ method: 'GET', target: '/', headers: [['Host', 'a']] })
  return client.receive(bytes(input)).some(event => event.type === 'error')
}

/** llhttp judges each byte as it comes, we a line at its end: what we wait for is given to us. */
function differences(cases: readonly LlhttpCase[], refuses: (input: string) => boolean): Difference[] {
  return cases.flatMap(({ name, input, error }) => {
    const llhttp = error === undefined ? 'accepts' : 'refuses'
    const refused = refuses(input) || (error !== undefined && refuses(`${input}\r\n\r\n`))
    const here = refused ? 'refuses' : 'accepts'
    return here === llhttp ? [] : [{ name, llhttp, here }]
  })
}

const byName = (one: Difference, other: Difference): number => (one.name < other.name ? -1 : 1)

describe('who accepts what, compared with llhttp, as docs/http1-differences.md tells it', () => {
  it.each([
    ['Requests', 'request', 119, 40, refusesRequest],
    ['Responses', 'response', 65, 15, refusesResponse],
  ] as const)('%s', (heading, kind, count, refused, refuses) => {
    const cases = llhttpCases(kind)
    expect(cases.length).toBe(count)
    expect(cases.filter(one => one.error !== undefined).length).toBeGreaterThan(refused)
    expect(differences(cases, refuses).sort(byName)).toEqual(listed(heading).sort(byName))
  })
})
