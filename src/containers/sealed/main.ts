import { Socket } from 'node:net'
import { STREAM_FD } from '../../functions/sealed/frames.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { node } from '../../tls13/crypto/node.ts'
import { surviveStrays } from '../process/strays.ts'
import { Worker } from './worker.ts'

/** Entry point of the process in which a sealed function is opened and runs. */
const [program, kind, ...readable] = process.argv.slice(2)
const started = async (file: string) =>
  new (await import('./python.ts')).Python(file, kind === 'http', readable)
const python = program === undefined ? undefined : await started(program)
const worker = new Worker(new Socket({ fd: STREAM_FD }), { crypto: node, clock: SYSTEM_CLOCK, python }, () =>
  process.exit(0),
)
surviveStrays(SYSTEM_CLOCK, worker.log)
