import { defineCommand, JSON_AND_CONFIG } from '../../line/command.ts'

export const command = defineCommand({
  name: 'move',
  synopsis: 'CONNECTION CONTAINER',
  summary: 'move one connection to another container of its function',
  words: {
    least: 2,
    most: 2,
    needs:
      'the id of a connection or its beginning (hotpotato status --connections), and a container by name',
    forms: [/^[0-9a-f]{1,32}$/i],
    completes: [undefined, 'container'],
  },
  options: {
    dump: {
      kind: 'text',
      value: 'FILE',
      completes: 'file',
      help: 'write what travels to FILE, in clear; only a platform that teaches tells it',
    },
    ...JSON_AND_CONFIG,
  },
  help: `The id of the connection is in the first column of hotpotato status --connections; its beginning is
enough, as long as it is of one connection alone.

--dump is for a platform that was started with hotpotato up --teach. FILE has secrets in it. hotpotato inspect
reads it; one that ends in .html or .json is a recording, with the session before and after the move.`,
  examples: ['hotpotato move 3f2a echo-2', 'hotpotato move 3f2a echo-2 --dump move.html'],
  async run(options, [connection = '', container]) {
    const { moveConnection } = await import('../../platform/move.ts')
    await moveConnection(connection.toLowerCase(), container!, options)
  },
})
