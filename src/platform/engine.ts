import { setFlagsFromString } from 'node:v8'

/**
 * What V8 is told, by the oldest version that knows it. The count of calls after which it compiles for
 * good is a seventh of what it takes by itself: so that what a container rehearses is compiled when its first
 * client comes, and not some thousand moves later.
 */
const EARLY: readonly (readonly [since: number, flags: readonly string[]])[] = [
  [
    12,
    [
      '--invocation-count-for-turbofan=400',
      '--invocation-count-for-maglev=100',
      '--minimum-invocations-after-ic-update=100',
    ],
  ],
  [11, ['--interrupt-budget=20000']],
]
/** The newest version that this has been tried with: another one says aloud what it does not know. */
const NEWEST = 14

/**
 * Has the engine compile early what runs again and again; a process calls it before it does anything else.
 * @param v8 its version @returns what it was told
 */
export function compileEarly(v8: string = process.versions.v8): readonly string[] {
  const major = Number.parseInt(v8, 10)
  const [, flags] = EARLY.find(([since]) => major >= since && major <= NEWEST) ?? [0, []]
  for (const flag of flags) setFlagsFromString(flag)
  return flags
}
