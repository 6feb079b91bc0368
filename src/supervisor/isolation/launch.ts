import { closeSync, openSync, realpathSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isFunctionName } from '../../platform/function-name.ts'
import type { CertificateSettings, WorkerSettings } from '../../platform/worker-settings.ts'
import type { Confinement, MemberSpec, OfOneProcess } from '../../stack/spec.ts'
import { giveSecrets } from '../secrets/mounts.ts'
import { shareOf, TASKS } from './bounds.ts'
import type { Command, Launch } from './isolation.ts'
import { LEVELS } from './levels.ts'
import { mayChangeUser, type Uids } from './uids.ts'
import { firstClosed, functionFiles, namedFiles, outermost, platformFiles, withoutHidden } from './visible.ts'

/** How a container is started, and what it is told more. */
export interface Prepared {
  readonly command: Command
  /** Removes what is left when it has ended. */
  readonly ended?: (() => void) | undefined
  /** Open descriptors of ours that it inherits, the first of them as number `firstFree`. */
  readonly descriptors: readonly number[]
  readonly settings: Pick<WorkerSettings, 'restraint'> &
    Partial<Pick<WorkerSettings, 'certificate' | 'handler'>>
}

/** Bytes of the largest file that a function with a user of its own may write. */
const FILE_BYTES = 2 ** 30
/** Of a limit on memory, what JavaScript's old objects may take; the rest is for all else. */
const HEAP_SHARE = 0.75

/**
 * How a process is started that nothing sets apart.
 * @param module the path of a compiled one @param memory bytes that it may use, if that is limited
 */
export function plain(module: string, environment: NodeJS.ProcessEnv, memory?: number): Prepared {
  const args = [...heap(memory), module]
  const command = { file: process.execPath, args, environment, feeds: [], wrappers: 0, parent: undefined }
  return { command, descriptors: [], settings: {} }
}

/**
 * What it takes to start a container at its level. The caller closes the descriptors.
 * @param firstFree the first number of a descriptor that is free there
 * @throws Error a file is missing, or no user id is free
 */
export function prepare(
  id: number,
  spec: MemberSpec & { readonly confinement: Confinement },
  environment: NodeJS.ProcessEnv,
  firstFree: number,
  uids: Uids,
): Prepared {
  const { level, limits, made, hidden, connects, runDirectory } = spec.confinement
  const settings = spec.settings as Omit<WorkerSettings, OfOneProcess>
  const { handler, clientAuthorities, certificate, functionName, secretsDirectory, sealed } = settings
  const module = realpathSync(fileURLToPath(spec.entry))
  if (level === 'process') return plain(module, environment, limits.memory)
  const files = made.flatMap(functionFiles)
  const visible = outermost([
    ...platformFiles(module),
    ...namedFiles(environment),
    ...files,
    ...[clientAuthorities, sealed?.bundle].flatMap(file => (file === undefined ? [] : [realpathSync(file)])),
  ])
  // In a file system of its own, a function whose files are closed to other users keeps the supervisor's.
  const mayHaveUser = mayChangeUser() && (level === 'user' || firstClosed(visible, false) === undefined)
  const uid = mayHaveUser ? uids.of(functionName, spec.confinement.uids) : undefined
  // Closed to all others, so it is no reason against a user of its own.
  if (secretsDirectory !== undefined && uid !== undefined) giveSecrets(secretsDirectory, uid)
  const shown = withoutHidden(visible, hidden)
  // With `keys: signer` there is none that it may read.
  const descriptors = certificate === undefined ? [] : openCertificate(certificate)
  const launch: Launch = {
    name: spec.name,
    id,
    command: [process.execPath, ...heap(limits.memory), module],
    environment,
    firstFree: firstFree + descriptors.length,
    visible: secretsDirectory === undefined ? shown : [...shown, secretsDirectory],
    secrets: secretsDirectory,
    workingDirectory: made[0] === undefined ? '/' : folderOf(made[0]),
    uid,
    connects,
    share: shareOf(spec.confinement),
    bundles: join(runDirectory, 'oci'),
  }
  const { command, ended } = LEVELS[level]
  const inherited = { chain: firstFree, key: firstFree + 1 }
  return {
    command: command(launch),
    ended: ended && (() => ended(launch)),
    descriptors,
    settings: {
      restraint: { processes: TASKS, fileBytes: FILE_BYTES },
      ...(certificate === undefined ? {} : { certificate: { ...certificate, inherited } }),
      ...(isFunctionName(handler) ? {} : { handler: realpathSync(handler) }),
    },
  }
}

function heap(memory: number | undefined): string[] {
  if (memory === undefined) return []
  return [`--max-old-space-size=${Math.max(16, Math.floor((memory * HEAP_SHARE) / 2 ** 20))}`]
}

function folderOf(handler: string): string {
  const real = realpathSync(handler)
  return statSync(real).isDirectory() ? real : dirname(real)
}

/** Opened here: a user of its own may not, and a file system of its own does not have them. */
function openCertificate({ directory, name }: CertificateSettings): number[] {
  const chain = openSync(join(directory, `${name}.crt`), 'r')
  try {
    return [chain, openSync(join(directory, `${name}.key`), 'r')]
  } catch (error) {
    closeSync(chain)
    throw error
  }
}
