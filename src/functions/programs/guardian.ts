import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../time/clock.ts'

/** The variable that every program of a container has, and whatever it starts unless it takes it away. */
export const MARK = 'HOTPOTATO_CONTAINER_ID'

/**
 * Reads until its container is no more: only the container can write there. Then it ends the process group
 * that it was told of last and all that have the mark, until there is none: a process may start others
 * meanwhile. At last it removes the directory of their sockets.
 */
const SCRIPT = `
trap '' HUP INT TERM
group=
while read -r line; do group=$line; done
if [ -n "$group" ]; then kill -KILL "-$group"; fi
rounds=0
clean=0
while [ "$clean" -lt 2 ] && [ "$rounds" -lt 200 ]; do
  clean=$((clean + 1))
  rounds=$((rounds + 1))
  for file in $(grep -lszxF -- "$1" /proc/[0-9]*/environ); do
    pid=\${file#/proc/}
    kill -KILL "\${pid%/environ}" && clean=0
  done
  sleep 0.05 || sleep 1
done
if [ -n "$2" ]; then rm -rf -- "$2"; fi
`

/** Milliseconds until one that was killed is followed by another. */
const AGAIN = 100

/**
 * A small process beside a container that sees to it that no program outlives the container, also when that
 * is killed: the kernel closes the pipe between them then. It is a shell that reads, and costs nothing but
 * its memory.
 */
export class Guardian {
  /** The mark as it stands in an environment. */
  readonly mark: string
  readonly #directory: string
  readonly #clock: Clock
  readonly #onLost: (how: string) => void
  #child: ChildProcess | undefined
  #group: number | undefined
  #closed = false

  /**
   * @param container its name @param directory is removed at the end; none if empty
   * @param onLost told when the guardian itself has ended; another one follows soon
   */
  constructor(container: string, directory: string, clock: Clock, onLost: (how: string) => void) {
    this.#clock = clock
    this.mark = `${container}:${process.pid}:${randomBytes(8).toString('hex')}`
    this.#directory = directory
    this.#onLost = onLost
    this.#start()
  }

  /** Its own process. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Tells it of a process group that is to end even where the mark cannot be read. */
  watch(group: number): void {
    this.#group = group
    this.#child?.stdin?.write(`${group}\n`)
  }

  /** The container ends: what is left of its programs does, too. */
  close(): void {
    this.#closed = true
    this.#child?.stdin?.end()
  }

  #start(): void {
    const args = ['-c', SCRIPT, 'hotpotato-guardian', `${MARK}=${this.mark}`, this.#directory]
    const child = spawn('/bin/sh', args, {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: process.env.PATH },
    })
    this.#child = child
    child.unref()
    ;(child.stdin as unknown as { unref(): void }).unref()
    child.stdin!.on('error', () => {})
    if (this.#group !== undefined) child.stdin!.write(`${this.#group}\n`)
    let lost = false
    const end = (how: string): void => {
      if (lost || this.#closed) return
      lost = true
      this.#onLost(how)
      // Where no shell can be started there is no use in trying on.
      if (child.pid !== undefined) this.#clock.after(AGAIN, () => this.#closed || this.#start())
    }
    child.once('error', error => end(error.message))
    child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`))
  }
}
