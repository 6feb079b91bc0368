import { defineCommand } from '../../line/command.ts'
import { FORMAT_NAMES } from '../../states/format-names.ts'

export const command = defineCommand({
  name: 'inspect',
  synopsis: 'FILE',
  summary: "an annotated dump of a connection's state",
  words: { least: 1, most: 1, needs: 'a FILE', completes: ['file'] },
  options: {
    as: { kind: 'text', among: FORMAT_NAMES, help: 'what it is; default: envelope' },
    diff: { kind: 'text', value: 'FILE', completes: 'file', help: 'print what has changed since that one' },
    secrets: { kind: 'switch', help: 'show the bytes of secrets, masked otherwise' },
  },
  help: `FILE is binary or hexadecimal, or one of golden vectors as vectors/transfer has them, or a recording
(.json, .html): then all its states and envelopes are shown, and what has changed between; - is standard
input. For each field the dump has its offset and length in bytes, its first bytes, its notation (RFC 8446
§3) and its value. connect --dump (--as session) and move --dump write such files.`,
  examples: [
    'hotpotato inspect envelope.bin',
    'hotpotato inspect - --as session < session.hex',
    'hotpotato inspect vectors/transfer/envelope-v5.json',
    'hotpotato inspect move.json',
    'hotpotato inspect after.bin --diff before.bin --as session',
  ],
  async run({ as = 'envelope', secrets, diff }, [file]) {
    const { showDump } = await import('../../states/inspect.ts')
    showDump(file!, as, secrets, diff)
  },
})
