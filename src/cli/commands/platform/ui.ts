import { CONFIG, defineCommand, NO_WORDS } from '../../line/command.ts'

export const command = defineCommand({
  name: 'ui',
  synopsis: '',
  summary: 'a page that shows connections as they move',
  words: NO_WORDS,
  options: {
    print: { kind: 'switch', help: 'print the address of the page, and open no browser' },
    ...CONFIG,
  },
  help: `Opens a page of the running platform in the browser: its containers, the connections that hop between
them, how long moves take, and the life of each connection. The page is on the admin port, which is of this
machine alone, and which this command opens where the stack file names none. The link has a token that opens
the page until the platform stops: it is for you.`,
  examples: ['hotpotato ui', 'hotpotato ui --print'],
  async run(options) {
    const { openPage } = await import('../../platform/ui.ts')
    await openPage(options)
  },
})
