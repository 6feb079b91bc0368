import { defineCommand } from '../../line/command.ts'
import { VERIFIED_NAMES } from '../../states/format-names.ts'

export const command = defineCommand({
  name: 'verify',
  synopsis: 'FILE',
  summary: "say what is wrong with a connection's state",
  words: { least: 1, most: 1, needs: 'a FILE', completes: ['file'] },
  options: {
    as: { kind: 'text', among: VERIFIED_NAMES, help: 'what the file holds; default: envelope' },
  },
  help: 'FILE is binary or hexadecimal; - is standard input. Status 1 says that a fault was found.',
  examples: ['hotpotato verify envelope.bin', 'hotpotato verify - --as picotls < export.bin'],
  async run({ as = 'envelope' }, [file]) {
    const { showFaults } = await import('../../states/inspect.ts')
    showFaults(file!, as)
  },
})
