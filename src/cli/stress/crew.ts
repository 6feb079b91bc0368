import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { CommandError } from '../line/usage-error.ts'
import { adviceFor } from './faults.ts'
import { type Plan, shares } from './plan.ts'
import { type Opened, type Result, Share } from './share.ts'

const WORKER = new URL('./worker.js', import.meta.url)

/**
 * Makes a load, in as many threads as there are to be; one needs none of its own.
 * @param onBegin all connections are there or have failed, and it begins
 * @param stop ends it with what there is so far
 * @throws CommandError no connection could be opened
 */
export function makeShares(
  plan: Plan,
  threads: number,
  onBegin: () => void,
  stop: AbortSignal,
): Promise<readonly Result[]> {
  return threads === 1 ? makeAlone(plan, onBegin, stop) : makeTogether(plan, threads, onBegin, stop)
}

async function makeAlone(plan: Plan, onBegin: () => void, stop: AbortSignal): Promise<readonly Result[]> {
  const share = await Share.prepare(plan)
  mustHaveOpened(plan, [share.opening])
  onBegin()
  const result = share.run()
  obey(stop, () => share.stop())
  return [await result]
}

async function makeTogether(
  plan: Plan,
  threads: number,
  onBegin: () => void,
  stop: AbortSignal,
): Promise<readonly Result[]> {
  const workers = shares(plan, threads).map(workerData => new Worker(WORKER, { workerData }))
  try {
    const opened = workers.map(async worker => ((await once(worker, 'message')) as [Opened])[0])
    mustHaveOpened(plan, await Promise.all(opened))
    onBegin()
    const results = workers.map(async worker => ((await once(worker, 'message')) as [Result])[0])
    for (const worker of workers) worker.postMessage('go')
    obey(stop, () => {
      for (const worker of workers) worker.postMessage('stop')
    })
    return await Promise.all(results)
  } finally {
    await Promise.all(workers.map(worker => worker.terminate()))
  }
}

/** Without a connection there is nothing to measure. @throws CommandError none came about */
function mustHaveOpened({ origin }: Plan, openings: readonly Opened[]): void {
  const fault = openings.find(one => one.fault !== undefined)?.fault
  if (fault === undefined || openings.some(one => one.opened > 0)) return
  const url = new URL(origin)
  const [advice = ''] = adviceFor([fault.kind], url)
  throw new CommandError(
    `no connection to ${url.origin} could be opened: ${fault.reason}${advice && `; ${advice}`}`,
  )
}

function obey(stop: AbortSignal, end: () => void): void {
  if (stop.aborted) end()
  else stop.addEventListener('abort', end, { once: true })
}
