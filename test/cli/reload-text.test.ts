import { expect, it } from 'vitest'
import { reloadText } from '../../src/cli/up/reload-text.ts'

const one = { name: 'a', changed: ['environment'], started: [], ended: [], moved: 0 } as const

it('says of each function what was done, and why', () => {
  const functions = [
    { ...one, did: 'deployed', moved: 12, started: ['a-2'] },
    { ...one, did: 'deployed' },
    { ...one, did: 'deployed', moved: 1, started: ['a-2'], changed: ['a', 'b', 'c', 'd', 'e', 'f'] },
    { ...one, did: 'added', changed: [], started: ['a-1', 'a-2'] },
    { ...one, did: 'removed', changed: [], ended: ['a-1'] },
    { ...one, did: 'scaled', changed: ['replicas'], started: ['a-2'] },
    { ...one, did: 'scaled', changed: ['replicas'], ended: ['a-2'], moved: 3 },
    { ...one, did: 'scaled', changed: ['replicas'] },
    { ...one, did: 'told', changed: ['hosts'] },
    { ...one, did: 'kept', changed: ['annotations'] },
  ] as const
  const gateway = ['gateway.limits.connections']
  expect(reloadText({ functions, gateway, notes: ['x.yml:1:1: y is unknown'] })).toEqual([
    'note: x.yml:1:1: y is unknown',
    'a: environment changed, deployed anew, moved 12 connections',
    'a: environment changed, it sleeps, and wakes with that',
    'a: a, b, c, d and 2 more changed, deployed anew, moved 1 connection',
    'a: added, started a-1, a-2',
    'a: removed, ended a-1',
    'a: replicas changed, started a-2',
    'a: replicas changed, moved 3 connections, ended a-2',
    'a: replicas changed, as many containers as before',
    'a: hosts changed, all processes know',
    'a: annotations changed, noted',
    'gateway: gateway.limits.connections changed, started anew on the same ports',
  ])
})

it('says that nothing has changed', () => {
  expect(reloadText({ functions: [], gateway: undefined, notes: [] })).toEqual(['nothing has changed'])
})
