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
/** Has young objects stay within 2 MiB, where the engine would take 32, and keep them. */
const SMALL = ['--semi-space-growth-factor=1']
/** The oldest version that that was tried with. */
const OLDEST = 11
/** The newest version that both were tried with: another one says aloud what it does not know. */
const NEWEST = 14

/**
 * Has the engine compile early what runs again and again. To be called once Node's own modules have come:
 * with other flags than Node was built with, what was compiled of them beforehand is not taken, and they take
 * twice as long to load.
 * @param v8 its version @returns what it was told
 */
export function compileEarly(v8: string = process.versions.v8): readonly string[] {
  const major = Number.parseInt(v8, 10)
  const [, flags] = EARLY.find(([since]) => major >= since && major <= NEWEST) ?? [0, []]
  for (const flag of flags) setFlagsFromString(flag)
  return flags
}

/**
 * Has the engine take little memory for objects that are soon gone: for a process that keeps much which is
 * not an object of JavaScript, and lives for long. To be called before anything else.
 * @param v8 its version @returns what it was told
 */
export function staySmall(v8: string = process.versions.v8): readonly string[] {
  const major = Number.parseInt(v8, 10)
  const flags = major >= OLDEST && major <= NEWEST ? SMALL : []
  for (const flag of flags) setFlagsFromString(flag)
  return flags
}
