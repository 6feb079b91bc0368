import { PROGRAM_MODES } from '../../../platform/program-settings.ts'
import { CONFIG, defineCommand } from '../../line/command.ts'

export const command = defineCommand({
  name: 'local-run',
  synopsis: 'NAME|FILE',
  summary: 'run one function alone, on a free port, until Ctrl-C',
  words: {
    least: 1,
    most: 1,
    needs: 'the name of a function, or a file',
    completes: ['file'],
  },
  options: {
    watch: { kind: 'switch', help: 'start it anew when one of its files changes' },
    port: { kind: 'text', value: 'PORT', help: 'without TLS; default: any free one' },
    env: { kind: 'each', short: 'e', value: 'NAME=VALUE', help: 'a variable for the function' },
    lang: { kind: 'text', value: 'LANG', help: 'the template that a file is written for, as node22' },
    mode: { kind: 'text', among: PROGRAM_MODES, help: 'how a program is asked; default: fork' },
    ...CONFIG,
  },
  help: `NAME is a function of the stack file, with what that says of it, or one that comes with hotpotato.
FILE needs no stack file: a module, a folder with one, or a program, as script.sh or app.py, which gets the
request on standard input. What the function prints stands on the terminal.`,
  examples: [
    'hotpotato local-run ./greet.mjs --watch',
    'hotpotato local-run greet -e GREETING=Welcome',
    'hotpotato local-run ./count.sh --port 9000',
  ],
  async run(options, [what]) {
    const { localRun } = await import('../../local-run/local-run.ts')
    await localRun(what!, options)
  },
})
