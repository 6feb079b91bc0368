import { CONFIG, defineCommand, NO_WORDS } from '../../line/command.ts'

export const command = defineCommand({
  name: 'ui',
  synopsis: '',
  summary: 'a page that shows connections as they move',
  words: NO_WORDS,
  options: {
    print: { kind: 'switch', help: 'print the address of the page, and open no browser' },
    teach: { kind: 'switch', help: 'a page that makes connections and shows them whole; secrets are shown' },
    ...CONFIG,
  },
  help: `Opens a page of the running platform in the browser: its containers, the connections that hop between
them, how long moves take, and the life of each connection. The page is on the admin port, which is of this
machine alone, and which this command opens where the stack file names none. The link has a token that opens
the page until the platform stops: it is for you.

With --teach it is another page, which this command serves until Ctrl-C: its buttons make fresh connections to
the platform, and it shows their records, keys and states byte by byte (docs/recordings.md).`,
  examples: ['hotpotato ui', 'hotpotato ui --print', 'hotpotato ui --teach'],
  async run(options) {
    const { openPage } = await import('../../platform/ui.ts')
    await openPage(options)
  },
})
