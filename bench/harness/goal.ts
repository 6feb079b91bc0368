import { figure } from './table.ts'

/** Something to be reached, and what was. */
export interface GoalResult {
  readonly name: string
  readonly relation: '≤' | '≥'
  readonly goal: number
  readonly unit?: string
  /** Absent if it was not measured. */
  readonly reached?: number
  /** Absent if it was not measured, or not judged. */
  readonly met?: boolean
}

/** The share of the machine that other programs may use where goals are judged. */
export const MOST_FOREIGN = 0.1

export function goal(
  name: string,
  relation: '≤' | '≥',
  value: number,
  reached: number | undefined,
  unit?: string,
): GoalResult {
  const what = { name, relation, goal: value, ...(unit === undefined ? {} : { unit }) }
  if (reached === undefined) return what
  return { ...what, reached, met: relation === '≤' ? reached <= value : reached >= value }
}

/**
 * The same without a verdict, where other programs have used much of the machine: they make what is measured
 * slower, or the other side of a ratio. Sizes in bytes are as they are.
 * @param foreign the share that they used; undefined: unknown
 */
export function judged(goals: readonly GoalResult[], foreign: number | undefined): readonly GoalResult[] {
  if (foreign === undefined || foreign <= MOST_FOREIGN) return goals
  return goals.map(one => {
    const { met: _, ...unjudged } = one
    return one.unit === 'B' ? one : unjudged
  })
}

/** What is to be said of a goal. */
export function verdictOf({
  reached,
  met,
}: GoalResult): 'not measured' | 'not judged' | 'reached' | 'missed' {
  if (reached === undefined) return 'not measured'
  return met === undefined ? 'not judged' : met ? 'reached' : 'missed'
}

/** Goals as lines of text. */
export function goalLines(goals: readonly GoalResult[]): string {
  return goals
    .map(one => {
      const { name, relation, goal: value, unit, reached } = one
      const verdict = verdictOf(one).replace('missed', 'MISSED')
      const suffix = unit === undefined ? '' : ` ${unit}`
      return `${verdict.padEnd(12)} ${name}: ${figure(reached)}${suffix} (goal ${relation} ${value}${suffix})`
    })
    .join('\n')
}
