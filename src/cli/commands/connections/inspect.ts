import { defineCommand } from '../../line/command.ts'
import { FORMAT_NAMES } from '../../states/format-names.ts'

export const command = defineCommand({
  name: 'inspect',
  synopsis: 'FILE',
  summary: "an annotated dump of a connection's state",
  words: { least: 1, most: 1, needs: 'a FILE', completes: ['file'] },
  options: {
    as: { kind: 'text', among: FORMAT_NAMES, help: 'what it is; default: envelope' },
    secrets: { kind: 'switch', help: 'show the bytes of secrets, masked otherwise' },
  },
  help: `FILE is binary or hexadecimal, or one of golden vectors as vectors/transfer has them; - is standard
input. For each field the dump has its offset and length in bytes, its first bytes, its notation (RFC 8446
§3) and its value. connect --dump writes such a file.`,
  examples: [
    'hotpotato inspect envelope.bin',
    'hotpotato inspect - --as session < session.hex',
    'hotpotato inspect vectors/transfer/envelope-v5.json',
  ],
  async run({ as = 'envelope', secrets }, [file]) {
    const { showDump } = await import('../../states/inspect.ts')
    showDump(file!, as, secrets)
  },
})
