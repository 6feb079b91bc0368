import { type Isolation, NEEDS_NATIVE } from './isolation.ts'
import { asUser, mayChangeUser, mayNot } from './uids.ts'

/** A process with a user and a group of its own, without rights of other groups, that cannot gain any. */
export const userLevel: Isolation = {
  level: 'user',
  check({ uids, native }) {
    if (!native) return NEEDS_NATIVE
    if (mayChangeUser()) return mayNot(uids)
    return {
      what: 'root alone can give each function a user id',
      remedy: 'start hotpotato as root, or choose isolation: sandbox, which needs no rights',
    }
  },
  command({ command, environment, uid, workingDirectory }) {
    const [file, ...args] = [...asUser(uid), ...command]
    return {
      file: file!,
      args,
      environment: { ...environment, HOME: '/', PWD: workingDirectory, USER: undefined, LOGNAME: undefined },
      directory: workingDirectory,
      detached: true,
      feeds: [],
      wrappers: 0,
      parent: undefined,
    }
  },
}
