/** What `inspect` can read, by the names that `--as` has for it. */
export const FORMAT_NAMES = ['envelope', 'session', 'sealed', 'control', 'picotls', 'bundle', 'tcp'] as const

/** What `verify` has rules for. */
export const VERIFIED_NAMES = ['envelope', 'session', 'picotls'] as const
