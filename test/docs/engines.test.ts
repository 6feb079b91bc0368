import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

interface Lock {
  readonly packages: Readonly<Record<string, Package>>
}

interface Package {
  readonly engines?: { readonly node?: string }
  readonly os?: readonly string[]
}

const lockOf = (file: string): Lock =>
  JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')) as Lock

/** The oldest release of each version that we run on. */
const OURS = ['20.19.0', '22.13.0', '24.0.0', '26.0.0']

const numbers = (version: string): number[] => [0, 1, 2].map(place => Number(version.split('.')[place] ?? 0))

function compare(one: string, other: string): number {
  const [ours, theirs] = [numbers(one), numbers(other)]
  return ours.map((number, place) => number - theirs[place]!).find(difference => difference !== 0) ?? 0
}

/** Whether a version is in a range as packages write them: alternatives of `>=`, `^`, `~`, bare numbers. */
function satisfies(version: string, range: string): boolean {
  return range.split('||').some(alternative =>
    alternative
      .trim()
      .replace(/(>=|\^|~|<)\s+/g, '$1')
      .split(/\s+/)
      .every(part => {
        const [, sign = '', bound = ''] = /^(>=|\^|~|<|)v?([\d.x*]*)$/.exec(part) ?? []
        if (bound === '' || bound === '*') return part === '' || part === '*'
        if (sign === '>=') return compare(version, bound) >= 0
        if (sign === '<') return compare(version, bound) < 0
        return numbers(version)[0] === numbers(bound)[0] && compare(version, bound) >= 0
      }),
  )
}

it('knows ranges', () => {
  expect(satisfies('20.19.0', '>=22')).toBe(false)
  expect(satisfies('20.19.0', '^18.0.0 || ^20.0.0 || >= 21')).toBe(true)
  expect(satisfies('20.19.0', '^20.20.0 || >=22')).toBe(false)
  expect(satisfies('24.0.0', '18 || 20 || >=22')).toBe(true)
})

it.each(['package-lock.json', 'docs/api/package-lock.json'])('%s has no package that npm warns of', file => {
  const packages = Object.entries(lockOf(file).packages).filter(([, { os }]) => os?.includes('linux') ?? true)
  expect(packages.length).toBeGreaterThan(5)
  const warned = packages.flatMap(([path, { engines }]) =>
    OURS.filter(version => !satisfies(version, engines?.node ?? '*')).map(
      version => `${path} wants ${engines?.node}, not ${version}`,
    ),
  )
  expect(warned).toEqual([])
})
