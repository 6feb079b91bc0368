import { figure } from './table.ts'

/** Something to be reached, and what was. */
export interface GoalResult {
  readonly name: string
  readonly relation: '≤' | '≥'
  readonly goal: number
  readonly unit?: string
  /** Absent if it was not measured. */
  readonly reached?: number
  readonly met?: boolean
}

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

/** Goals as lines of text. */
export function goalLines(goals: readonly GoalResult[]): string {
  return goals
    .map(({ name, relation, goal: value, unit, reached, met }) => {
      const verdict = met === undefined ? 'not measured' : met ? 'reached' : 'MISSED'
      const suffix = unit === undefined ? '' : ` ${unit}`
      return `${verdict.padEnd(12)} ${name}: ${figure(reached)}${suffix} (goal ${relation} ${value}${suffix})`
    })
    .join('\n')
}
