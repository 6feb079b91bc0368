import type { Context } from '../contract.ts'

/** The keys that requests have brought, beside what their functions are told: no function finds them. */
const keys = new WeakMap<Context, Uint8Array>()

/** @param key handed over: it is wiped by what takes it */
export function giveKey(context: Context, key: Uint8Array): void {
  keys.set(context, key)
}

/** What {@link giveKey} has given for that call, once. */
export function takeKey(context: Context): Uint8Array | undefined {
  const key = keys.get(context)
  keys.delete(context)
  return key
}
