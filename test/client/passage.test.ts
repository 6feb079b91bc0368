import { describe, expect, it } from 'vitest'
import { Passage } from '../../src/client/passage.ts'
import { pair } from '../../src/transport/kinds/memory.ts'

const turn = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 5))

describe('a passage that is paused', () => {
  it.each(['a failure', 'an end'])('tells of %s when it goes on, after what came before it', async how => {
    const [near, far] = pair()
    const passage = new Passage(near)
    const heard: string[] = []
    passage.read({
      bytes: view => {
        heard.push(Buffer.from(view).toString())
        passage.pause()
      },
      end: () => heard.push('an end'),
      error: () => heard.push('a failure'),
    })
    far.write([Buffer.from('first')])
    await turn()
    // Below, it is not paused: as what has come before the pause was known there.
    near.resume()
    if (how === 'an end') far.end()
    else far.destroy()
    await turn()
    expect(heard).toEqual(['first'])
    passage.resume()
    await turn()
    expect(heard[1]).toBe(how)
  })
})
