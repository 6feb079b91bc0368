import { STREAM_FD } from '../../functions/sealed/frames.ts'
import { assemble, filter } from '../../platform/seccomp/filter.ts'
import { becomeLocked } from '../../transfer/native/become.ts'
import { sealedRules } from './rules.ts'

/**
 * Entry point of a process that takes system calls from itself and becomes the program of its arguments: the
 * worker of a sealed function, which may load nothing that could do that. On another architecture it has all.
 */
const [program = process.execPath, ...words] = process.argv.slice(2)
const { arch, pid } = process
const locked = arch === 'x64' || arch === 'arm64' ? assemble(filter(sealedRules(pid), arch)) : undefined
becomeLocked(locked, [0, 1, 2, STREAM_FD], program, words)
