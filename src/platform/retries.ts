/**
 * Which requests may be begun a second time: those whose methods are idempotent (RFC 9110 §9.2.2),
 * all, or none.
 */
export const RETRIES = ['idempotent', 'any', 'none'] as const
export type Retries = (typeof RETRIES)[number]
