/** What an argument of a system call must be for a rule to hold. Its low 32 bits alone are looked at. */
export interface Condition {
  /** From 0. */
  readonly argument: number
  /** Bits that are looked at; by default all 32. */
  readonly mask?: number
  /** `is`, `isNot`: against `value`, behind the mask. `any`: whether any bit of the mask is set. */
  readonly test: 'is' | 'isNot' | 'any'
  readonly value?: number
}

/** System calls that are refused, by name. */
export interface Rule {
  readonly calls: readonly string[]
  /** What the caller is told. */
  readonly error: ErrorName
  /** It holds only if all of these do. */
  readonly when?: readonly Condition[]
}

export type ErrorName = keyof typeof ERRORS

/** On every Linux. */
export const ERRORS = { EPERM: 1, EACCES: 13, ENOSYS: 38, EAFNOSUPPORT: 97 } as const
