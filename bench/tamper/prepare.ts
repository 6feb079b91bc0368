import type { Plan } from '../../src/stack/plan.ts'

/** What is to be otherwise in the processes of a platform, from before their programs run. */
export interface Preparation {
  /** Envelopes are copied instead of sealed. */
  readonly unsealed?: boolean
  /** Containers of relayed connections leave no checkpoints. */
  readonly uncovered?: boolean
  /** Where to leave a CPU profile, `NAME.cpuprofile`, when the process ends. */
  readonly profiles?: string
  /** Where to leave the moments that stages lie between, when asked by a signal. */
  readonly marks?: string
}

/** What a process is told. */
export interface Prepared extends Preparation {
  /** The program: a URL. */
  readonly program: string
}

/** Puts a program of ours before that of every process, where something is to be watched or left out. */
export function prepare(specs: readonly Plan['gateway'][], preparation: Preparation): void {
  if (!Object.values(preparation).some(Boolean)) return
  for (const spec of specs) {
    const prepared: Prepared = { ...preparation, program: spec.entry.href }
    const entry = new URL('./prepared.js', import.meta.url)
    Object.assign(spec, { entry, settings: { ...spec.settings, preparation: prepared } })
  }
}
