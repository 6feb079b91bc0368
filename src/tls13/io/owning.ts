import type { Duplex } from 'node:stream'

/**
 * Makes what will own a stream. What is thrown meanwhile leaves none open that has no owner.
 * @param stream undefined: it is not there yet
 */
export function owning<T>(stream: Duplex | undefined, make: () => T): T {
  try {
    return make()
  } catch (error) {
    // An error of its own may still come, and would end the process without a listener.
    stream?.on('error', () => {}).destroy()
    throw error
  }
}
