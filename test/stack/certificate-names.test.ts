import { expect, it } from 'vitest'
import { certificateNames } from '../../src/stack/certificate-names.ts'
import { parseConfig } from '../../src/stack/config.ts'

it('tells hosts that a configuration names from those that functions have without', () => {
  const text = `functions:
  one: { certificate: shared, hosts: [one.example, "*.one.example"] }
  two: { certificate: shared }
  three: {}
`
  expect(certificateNames(parseConfig(text, '/base').config)).toEqual([
    { name: 'shared', hosts: ['one.example', '*.one.example'], defaults: ['two.local', 'two.localhost'] },
    { name: 'three', hosts: [], defaults: ['three.local', 'three.localhost'] },
  ])
})
