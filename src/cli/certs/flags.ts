import { KEY_ALGORITHMS } from '../../certificates/key-algorithms.ts'
import { CONFIG } from '../line/command.ts'
import type { Flags } from '../line/flags.ts'

/** What `certs` takes. */
export const CERTS_FLAGS = {
  algorithm: { kind: 'text', among: KEY_ALGORITHMS, help: `of the keys; default: ${KEY_ALGORITHMS[0]}` },
  renew: {
    kind: 'switch',
    help: 'make all files of ours anew, or those of NAMEs; .bak is what was there',
  },
  directory: {
    kind: 'text',
    value: 'DIRECTORY',
    help: 'where the files go; default: that of the stack file, certs',
    completes: 'file',
  },
  client: { kind: 'switch', help: 'make client certificates; needs NAMEs' },
  delegation: {
    kind: 'switch',
    help: 'for keys: signer: let containers have delegated credentials (RFC 9345)',
  },
  'no-localhost': { kind: 'switch', help: 'leave out localhost, 127.0.0.1 and ::1' },
  ...CONFIG,
} as const satisfies Flags
