import type { Restraint } from '../../platform/worker-settings.ts'
import { probe } from '../../transfer/native/libc.ts'

/** Lowers what this process may have, for good. Without foreign calls there is no way to. */
export function restrain({ processes, fileBytes }: Restraint = {}): void {
  const native = probe()
  if (!native.available) return
  const { libc } = native
  libc.limit('core', 0)
  if (fileBytes !== undefined) libc.limit('fileBytes', fileBytes)
  if (processes !== undefined) libc.limit('processes', processes)
}
