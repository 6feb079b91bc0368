import { expect, it } from 'vitest'
import { versionOf } from '../support/interop/program.ts'

it('the version of a program is what it says when it runs, and no complaint', () => {
  const says = (script: string): string | undefined => versionOf('sh', ['-c', script])
  expect(says('echo; echo 1.2')).toBe('1.2')
  expect(says('echo 1.2 >&2')).toBe('1.2')
  expect(says('echo libnothing.so: cannot open shared object file >&2; exit 127')).toBeUndefined()
  expect(says('kill -9 $$')).toBeUndefined()
  expect(versionOf('a-program-that-is-not-there')).toBeUndefined()
})
