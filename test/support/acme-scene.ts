import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ObtainOptions } from '../../src/acme/obtain.ts'
import { AcmeServer } from '../../src/acme/server.ts'
import { AcmeStore } from '../../src/acme/store.ts'
import type { AcmeWishes } from '../../src/acme/wishes.ts'
import { DIRECTORY, SmallAcmeServer } from './acme-server.ts'
import { HandClock } from './hand-clock.ts'

/** How certificates are asked for, unless a test says otherwise. */
export const WISHES: AcmeWishes = {
  email: undefined,
  agreeToTerms: true,
  directory: DIRECTORY,
  keyType: 'ecdsa-p256',
  challenge: 'http-01',
  profile: undefined,
  ca: undefined,
}

/** A directory for certificates. */
export function acmeDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'hotpotato-acme-'))
}

/** What asks for certificates, with an authority, a clock and a directory that are its own. */
export class AcmeScene {
  readonly directory: string = acmeDirectory()
  readonly clock: HandClock = new HandClock()
  readonly server: SmallAcmeServer = new SmallAcmeServer()
  readonly store: AcmeStore = new AcmeStore(this.directory).open()

  /** @param chance of whatever is left to it, 0 to 1 */
  options(chance = 0.5): ObtainOptions {
    const { clock, store } = this
    return {
      server: new AcmeServer({ fetch: this.server.fetch, clock, directory: DIRECTORY }),
      store,
      wishes: WISHES,
      // This authority asks for no proof.
      responder: { show: async () => {}, withdraw: async () => {} },
      clock,
      chance: () => chance,
    }
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}
