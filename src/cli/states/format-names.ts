/** What `inspect` and `verify` can read, by the names that `--as` has for it. */
export const FORMAT_NAMES = ['envelope', 'session', 'sealed', 'control', 'picotls', 'bundle'] as const
