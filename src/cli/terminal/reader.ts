import { probe } from '../../transfer/native/libc.ts'

/**
 * Whether the reader of standard output is gone. Node hears of that when it writes the next time; here the
 * kernel is asked, where foreign calls work.
 */
export function isUnread(): boolean {
  if (process.stdout.isTTY === true) return false
  const found = probe()
  return found.available && found.libc.isUnread(1)
}
