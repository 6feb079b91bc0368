import { readFileSync } from 'node:fs'
import type { UidRange } from '../../stack/uids.ts'
import type { Problem } from './isolation.ts'
import { findProgram } from './programs.ts'

/** Gives each function a user id of its own, and the same one again. */
export class Uids {
  readonly #given = new Map<string, number>()

  /** @throws Error there are more functions than ids */
  of(functionName: string, { first, last }: UidRange): number {
    const found = this.#given.get(functionName)
    if (found !== undefined) return found
    const taken = new Set(this.#given.values())
    for (let uid = first; uid <= last; uid++) {
      if (taken.has(uid)) continue
      this.#given.set(functionName, uid)
      return uid
    }
    throw new Error(`isolationUids has no id left for ${functionName}: it ends at ${last}`)
  }
}

/** Whether this process may give others another user id. */
export function mayChangeUser(): boolean {
  return process.getuid?.() === 0
}

/** The front of a command that runs it as that user, without any rights, for good; empty: as the same one. */
export function asUser(uid: number | undefined): readonly string[] {
  if (uid === undefined) return []
  // Node itself could renounce rights for one of its threads only.
  return [
    ...[findProgram('setpriv') ?? 'setpriv', '--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups'],
    ...['--no-new-privs', '--inh-caps=-all', '--bounding-set=-all', '--'],
  ]
}

/** Why root cannot give functions these user ids. */
export function mayNot(uids: UidRange): Problem | undefined {
  if (findProgram('setpriv') === undefined)
    return { what: 'setpriv is not installed', remedy: 'install the package util-linux' }
  return taken(uids)
}

/** Accounts that stand where functions have their ids. @param accounts as `/etc/passwd` */
export function taken(
  { first, last }: UidRange,
  accounts: string = readFileSync('/etc/passwd', 'utf8'),
): Problem | undefined {
  for (const line of accounts.split('\n')) {
    const [name, , id] = line.split(':')
    const uid = Number(id)
    if (id === undefined || id === '' || uid < first || uid > last) continue
    return {
      what: `the user ${name} has the id ${uid}, which is one of isolationUids`,
      remedy: 'choose ids that no account has, as isolationUids: 58000-58999',
    }
  }
  return undefined
}
