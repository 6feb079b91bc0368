/** Names of functions have at most 63 characters, those of containers a number more. */
const FUNCTION = ' [a-z0-9-]{1,63}'
const CONTAINER = ' [a-z0-9-]{1,80}'
/** One of this host, or HOST/CONTAINER. */
const ANYWHERE = ' ([a-z0-9-]{1,63}/)?[a-z0-9-]{1,80}'
/** Of a challenge (RFC 8555 §8.3). */
const TOKEN = ' [A-Za-z0-9_-]{1,512}'

/**
 * Orders that the running platform takes over its control socket, and what stands behind the verb of each, as
 * a pattern. Ids of connections have 32 digits, and their beginnings are enough.
 */
export const ORDERS = {
  status: '( connections)?',
  stop: '',
  describe: FUNCTION,
  remove: FUNCTION,
  drain: `(${CONTAINER}){1,64}`,
  leave: '',
  deploy: FUNCTION,
  scale: `${FUNCTION} (0|[1-9]\\d?)`,
  move: ` [0-9a-f]{1,32}${ANYWHERE}( dump)?`,
  reveal: ' [0-9a-f]{1,32}',
  reload: '',
  restart: ' gateway',
  renew: `(${FUNCTION})?`,
  show: `${TOKEN} [A-Za-z0-9_.-]{1,1024}`,
  withdraw: TOKEN,
  respond: ' (on|off)',
  ui: '',
} as const

export type Verb = keyof typeof ORDERS

/** One line: a verb of {@link ORDERS}, and what belongs to it. */
export type Command = Verb | `${Verb} ${string}`

/** An order that was read. */
export interface Order {
  readonly verb: Verb
  readonly words: readonly string[]
}

/** @returns undefined if there is no such order */
export function readOrder(line: string): Order | undefined {
  const [verb = '', ...words] = line.split(' ')
  if (!isVerb(verb)) return undefined
  return new RegExp(`^${verb}${ORDERS[verb]}$`).test(line) ? { verb, words } : undefined
}

/** @returns the first word of a command that nothing can be called, if that keeps it from being an order */
export function misnamed(command: Command): string | undefined {
  if (readOrder(command) !== undefined) return undefined
  const [, ...words] = command.split(' ')
  return words.find(word => !/^([a-z0-9-]{1,63}\/)?[a-z0-9-]{1,80}$/.test(word)) ?? words.join(' ')
}

function isVerb(word: string): word is Verb {
  return Object.hasOwn(ORDERS, word)
}
