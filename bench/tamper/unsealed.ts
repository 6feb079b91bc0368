import { Sealer } from '../../src/transfer/seal.ts'

/**
 * From now on this process copies what it should seal, and takes what was copied: no AEAD, no counters, no
 * check of who sent it. For measuring what sealing costs, and for nothing else.
 */
export function leaveUnsealed(): void {
  Sealer.prototype.seal = (_target, _associated, plaintext) => plaintext.slice()
  Sealer.prototype.open = (_source, _associated, sealed) => sealed.slice()
}
