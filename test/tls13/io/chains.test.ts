import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { askOpenssl, type Case, judged } from '../../support/chains/case.ts'
import { CONSTRAINED } from '../../support/chains/constrained.ts'
import { ENCODED } from '../../support/chains/encoded.ts'
import { PROFILE } from '../../support/chains/profile.ts'
import { TANGLES } from '../../support/chains/tangled.ts'
import { SAMPLE, sample } from '../../support/long.ts'
import { has } from '../../support/tls-programs.ts'

const KINDS = { ...ENCODED, ...CONSTRAINED, ...PROFILE, ...TANGLES }
const directory = mkdtempSync(join(tmpdir(), 'hotpotato-chains-'))
afterAll(() => rmSync(directory, { recursive: true }))

const made = new Map<() => Case, Case>()
/** The chain of a case, whose keys and signatures are made once. */
function chainOf(make: () => Case): Case {
  const known = made.get(make) ?? make()
  made.set(make, known)
  return known
}

describe.each(Object.entries(KINDS))('%s', (kind, cases) => {
  it.each(Object.keys(cases))('%s', title => {
    const one = chainOf(cases[title]!)
    expect(judged(one)).toBe(one.ours)
  })

  it.skipIf(!has('openssl'))(`and what openssl verify says (Debian package openssl)${SAMPLE}`, async () => {
    const titles = sample(Object.keys(cases), 6)
    const chains = titles.map(title => chainOf(cases[title]!))
    const answers = await askOpenssl(join(directory, kind), chains)
    const wrong = titles.flatMap((title, index) => {
      const { ours, openssl = ours === 'fine' ? 'accepts' : 'refuses' } = chains[index]!
      const { accepts, said } = answers[index]!
      return accepts === (openssl === 'accepts') ? [] : [`${title}: ${said}`]
    })
    expect(wrong).toEqual([])
  })
})

it('each difference from openssl verify is in the table of docs/certificates.md, and no other', () => {
  const page = readFileSync(fileURLToPath(new URL('../../../docs/certificates.md', import.meta.url)), 'utf8')
  const rows = page.match(/^\| .* \| (refused|accepted) \| (refused|accepted) \| [A-Z] \|$/gm) ?? []
  const differences = Object.entries(KINDS).flatMap(([kind, cases]) =>
    Object.entries(cases).flatMap(([title, build]) => {
      const { ours, openssl } = chainOf(build)
      const here = ours === 'fine' ? 'accepted' : 'refused'
      const there = openssl === undefined ? here : openssl === 'accepts' ? 'accepted' : 'refused'
      return here === there ? [] : [`${kind}: ${title} | ${here} | ${there}`]
    }),
  )
  expect(rows.map(row => row.slice(2, -6)).sort()).toEqual(differences.sort())
  const reasons = new Set(page.match(/^\* \*\*[A-Z]\*\*/gm)?.map(line => line[4]))
  for (const row of rows) expect(reasons).toContain(row.at(-3))
})
