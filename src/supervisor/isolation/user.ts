import { type Isolation, NEEDS_NATIVE } from './isolation.ts'
import { findProgram } from './programs.ts'
import { mayChangeUser, taken } from './uids.ts'

/** A process with a user and a group of its own, without rights of other groups, that cannot gain any. */
export const userLevel: Isolation = {
  level: 'user',
  check({ uids, native }) {
    if (!native) return NEEDS_NATIVE
    if (!mayChangeUser())
      return {
        what: 'root alone can give each function a user id',
        remedy: 'start hotpotato as root, or choose isolation: sandbox, which needs no rights',
      }
    if (findProgram('setpriv') === undefined)
      return { what: 'setpriv is not installed', remedy: 'install the package util-linux' }
    return taken(uids)
  },
  command: ({ command, environment, uid, workingDirectory }) => ({
    file: findProgram('setpriv') ?? 'setpriv',
    // Node itself could renounce rights for one of its threads only.
    args: [
      ...['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups', '--no-new-privs'],
      ...['--inh-caps=-all', '--bounding-set=-all', '--', ...command],
    ],
    environment: { ...environment, HOME: '/', PWD: workingDirectory, USER: undefined, LOGNAME: undefined },
    directory: workingDirectory,
    feeds: [],
    wrappers: 0,
    parent: undefined,
  }),
}
