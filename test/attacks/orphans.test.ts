import { expect, it } from 'vitest'
import { childrenOf, eventually, isRunning } from '../support/platform.ts'
import { Neighbours } from './neighbours.ts'

it('with the supervisor every process ends, also one that is stopped, or busy for ever', async () => {
  const neighbours = await Neighbours.start()
  const { platform } = neighbours
  try {
    const children = childrenOf(platform.child.pid!)
    const stopped = (await platform.member('hello-1')).pid!
    expect(children).toContain(stopped)
    process.kill(stopped, 'SIGSTOP')
    await neighbours.attack('spin')
    await new Promise(resolve => setTimeout(resolve, 100))
    await platform.end('SIGKILL')
    await eventually(() => (children.some(isRunning) ? undefined : true), 'some live on')
  } finally {
    await neighbours.stop()
  }
})
