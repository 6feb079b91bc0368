import { describe, expect, it } from 'vitest'
import { isColoured } from '../../src/cli/terminal/output.ts'
import { Progress } from '../../src/cli/terminal/progress.ts'
import type { Step } from '../../src/supervisor/roll-out.ts'

const STEPS: readonly Step[] = [
  { stage: 'start', containers: ['echo-2', 'echo-3'] },
  { stage: 'rehearse', containers: ['echo-2', 'echo-3'], count: 1200 },
  { stage: 'rehearse', containers: ['echo-2', 'echo-3'], count: 2400 },
  { stage: 'move', containers: ['echo-1'], count: 7 },
]

function shown(isTTY: boolean, steps: readonly Step[]): string {
  let text = ''
  let now = 0
  const output = {
    isTTY,
    write: (more: string) => {
      text += more
    },
  }
  const progress = new Progress(output, () => now, false)
  for (const step of steps) {
    now += 1000
    progress.show(step)
  }
  progress.end()
  return text
}

describe('progress', () => {
  it('is one line on a terminal, which is gone at the end', () => {
    const text = shown(true, STEPS)
    expect(text.split('\r').map(line => line.replace('\x1b[K', ''))).toEqual([
      '',
      'starting echo-2, echo-3 (1 s)',
      'echo-2, echo-3 are ready and rehearsing moves: 1200 (2 s)',
      'echo-2, echo-3 are ready and rehearsing moves: 2400 (3 s)',
      'moving the connections of echo-1: 7 left (4 s)',
      '',
    ])
    expect(text).not.toContain('\n')
    expect(text.endsWith('\r\x1b[K')).toBe(true)
  })

  it('is a plain line for each stage elsewhere', () => {
    expect(shown(false, STEPS)).toBe(
      'starting echo-2, echo-3\necho-2, echo-3 are ready and rehearsing moves\n' +
        'moving the connections of echo-1\n',
    )
  })

  it('is nothing at all for what takes no time', () => {
    expect(shown(true, [])).toBe('')
    expect(shown(false, [])).toBe('')
  })

  it('fits one line of a terminal whatever the number of containers, and obeys no name', () => {
    const containers = Array.from({ length: 64 }, (_, index) => `echo-${index}\x1b[2J`)
    const text = shown(true, [{ stage: 'start', containers }])
    expect(text.split('\r')[1]!.replace('\x1b[K', '').length).toBeLessThanOrEqual(110)
    expect(text).not.toContain('\x1b[2J')
  })
})

it('fits into a narrow terminal, and is plain lines on a dumb one', () => {
  const step = { stage: 'start', containers: ['a-function-with-a-long-name-1'] } as const
  const written = (columns: number | undefined, dumb: boolean): string => {
    let text = ''
    const write = (more: string): unknown => (text += more)
    const progress = new Progress({ isTTY: true, ...(columns && { columns }), write }, () => 0, dumb)
    progress.show(step)
    progress.end()
    return text
  }
  expect(written(20, false)).toBe('\rstarting a-function\x1b[K\r\x1b[K')
  expect(written(undefined, false)).toContain('starting a-function-with-a-long-name-1 (0 s)')
  expect(written(20, true)).toBe('starting a-function-with-a-long-name-1\n')
})

it.each<[boolean, Readonly<Record<string, string>>, boolean]>([
  [true, {}, true],
  [false, {}, false],
  [true, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
  [true, { NO_COLOR: '' }, true],
  [false, { FORCE_COLOR: '1' }, true],
  [false, { CLICOLOR_FORCE: '1' }, true],
  [true, { FORCE_COLOR: '0' }, false],
  [true, { CLICOLOR: '0' }, false],
  [false, { CLICOLOR: '1' }, false],
  [true, { TERM: 'dumb' }, false],
])('on a terminal: %s, with %j, there are colours: %s', (terminal, variables, coloured) => {
  expect(isColoured(terminal, variables)).toBe(coloured)
})
