/**
 * Flow control (RFC 9113 §5.2). A window is a number of bytes; one for sending may be below zero
 * (§6.9.2).
 */

/** The largest window. */
export const MAX_WINDOW: number = 2 ** 31 - 1

/** What the receiver of DATA keeps, for a stream or for the connection. */
export interface ReceiveWindow {
  /** Bytes that the peer may still send. */
  receiveWindow: number
  /** Bytes consumed since the last WINDOW_UPDATE. */
  returned: number
}

/** A window after it has grown; undefined if it is too large then, which is a FLOW_CONTROL_ERROR. */
export function grown(window: number, increment: number): number | undefined {
  return window + increment > MAX_WINDOW ? undefined : window + increment
}

/**
 * Takes a DATA frame out of the window. @param bytes of its whole payload, padding and all. @returns false if
 * they do not fit
 */
export function takeIn(window: ReceiveWindow, bytes: number): boolean {
  if (bytes > window.receiveWindow) return false
  window.receiveWindow -= bytes
  return true
}

/**
 * Gives consumed bytes back. They are saved up, so that an update is sent only for half a window at once.
 * @param capacity bytes of the whole window
 * @returns the increment of the WINDOW_UPDATE to send; 0 for none
 */
export function giveBack(window: ReceiveWindow, bytes: number, capacity: number): number {
  window.returned += bytes
  if (window.returned === 0 || window.returned < capacity / 2) return 0
  const increment = window.returned
  window.receiveWindow += increment
  window.returned = 0
  return increment
}
