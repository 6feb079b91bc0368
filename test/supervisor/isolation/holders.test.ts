import { describe, expect, it } from 'vitest'
import { checkGroups, checkLevels } from '../../../src/cli/doctor/isolation.ts'
import type { Survey } from '../../../src/supervisor/cgroups/hierarchy.ts'
import { holders, unheld } from '../../../src/supervisor/isolation/holders.ts'
import { LEVELS } from '../../../src/supervisor/isolation/levels.ts'

const WHOLE: Survey = {
  trees: [{ version: 2, parent: '/g', controllers: ['memory', 'cpu', 'pids'], leaves: false }],
  problem: undefined,
}
const WITHOUT_CPU: Survey = {
  trees: [{ version: 2, parent: '/g', controllers: ['memory', 'pids'], leaves: false }],
  problem: undefined,
}
const NONE: Survey = { trees: [], problem: { what: 'no cgroups are mounted', remedy: 'mount them' } }

const asked = (
  limits: { memory?: number; cpu?: number },
  requests: { memory?: number; cpu?: number } = {},
  isolation: 'process' | 'sandbox' = 'sandbox',
) => ({ name: 'echo', isolation, limits, requests })

describe('a limit that nothing holds is named:', () => {
  it.each([
    ['none is set', asked({}), NONE, []],
    ['memory, which the supervisor looks at', asked({ memory: 1 }), NONE, []],
    [
      'cpu, without cgroups',
      asked({ cpu: 0.5 }),
      NONE,
      ['functions.echo.limits.cpu is not held: no cgroups are mounted; mount them'],
    ],
    ['cpu, with them', asked({ cpu: 0.5 }, { cpu: 1, memory: 1 }, 'process'), WHOLE, []],
    [
      'cpu, where others are held',
      asked({ cpu: 0.5 }, { cpu: 1, memory: 1 }),
      WITHOUT_CPU,
      ['limits', 'requests'].map(
        of => `functions.echo.${of}.cpu is not held: the cgroups that may be made here do not divide that`,
      ),
    ],
  ])('%s', (_, one, survey, said) => {
    expect(unheld(one, survey)).toEqual(said)
  })

  it('and who holds the others is known', () => {
    expect(holders('user', new Set(['pids']))).toEqual({
      ...{ memory: 'supervisor', cpu: 'nothing', processes: 'kernel' },
    })
  })
})

describe('doctor', () => {
  it('asks each level itself, and finds fault with one that a function wants', () => {
    const problem = { what: 'there is none', remedy: 'get one' }
    const levels = { ...LEVELS, user: { check: () => problem }, sandbox: { check: () => problem } }
    const circumstances = { uids: { first: 1, last: 2 }, native: false }
    const [process, user, sandbox, oci] = checkLevels(circumstances, new Set(['sandbox'] as const), levels)
    expect(process).toEqual({ what: 'isolation: process', state: 'ok', found: 'can be had' })
    const noted = { found: 'there is none', advice: 'get one' }
    expect(user).toMatchObject({ ...noted, state: 'note', without: 'functions with isolation: user' })
    expect(sandbox).toMatchObject({ ...noted, state: 'fault' })
    // Without foreign calls.
    expect(oci).toMatchObject({ state: 'note', advice: LEVELS.oci.check(circumstances)!.remedy })
  })

  it.each([
    ['all limits', WHOLE, 'ok', undefined],
    ['some limits', WITHOUT_CPU, 'note', 'limits.cpu and requests.cpu are not held'],
  ])('says that the kernel holds %s', (_, survey, state, without) => {
    expect(checkGroups(survey)).toMatchObject({ what: 'cgroups', state })
    expect(checkGroups(survey).without).toBe(without)
  })
})
