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
  options: JSON_AND_CONFIG,
  help: `The id of the connection is in the first column of hotpotato status --connections; its beginning is
enough, as long as it is of one connection alone.`,
  examples: ['hotpotato move 3f2a echo-2'],
  async run(options, [connection = '', container]) {
    const { moveConnection } = await import('../../platform/move.ts')
    await moveConnection(connection.toLowerCase(), container!, options)
  },
})
