import { parentPort, workerData } from 'node:worker_threads'
import type { Plan } from './plan.ts'
import { Share } from './share.ts'

/**
 * A thread that makes a share of a load. It says what came of its connections, begins at `go`, ends
 * at `stop`, and sends its result.
 */
const port = parentPort!
const share = await Share.prepare(workerData as Plan)
port.on('message', (order: 'go' | 'stop') => {
  if (order === 'stop') share.stop()
  else
    void share.run().then(result => {
      port.postMessage(result)
      port.close()
    })
})
port.postMessage(share.opening)
