import { figure } from './table.ts'

/** Something to be reached, and what was. */
export interface GoalResult {
  readonly name: string
  readonly relation: '≤' | '≥'
  readonly goal: number
  /** Absent if it was not measured. */
  readonly reached?: number
  readonly met?: boolean
}

export function goal(
  name: string,
  relation: '≤' | '≥',
  value: number,
  reached: number | undefined,
): GoalResult {
  if (reached === undefined) return { name, relation, goal: value }
  return { name, relation, goal: value, reached, met: relation === '≤' ? reached <= value : reached >= value }
}

/** Goals as lines of text. */
export function goalLines(goals: readonly GoalResult[]): string {
  return goals
    .map(({ name, relation, goal: value, reached, met }) => {
      const verdict = met === undefined ? 'not measured' : met ? 'reached' : 'MISSED'
      return `${verdict.padEnd(12)} ${name}: ${figure(reached)} (goal ${relation} ${value})`
    })
    .join('\n')
}
