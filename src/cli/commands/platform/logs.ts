import { CONFIG, defineCommand } from '../../line/command.ts'

export const command = defineCommand({
  name: 'logs',
  synopsis: '[NAME]',
  summary: 'what all processes, or one function or container, have logged; -f follows it',
  words: { least: 0, most: 1, completes: ['container'] },
  options: {
    follow: { kind: 'switch', short: 'f', help: 'go on with what comes, until Ctrl-C' },
    since: { kind: 'text', value: 'WHEN', help: 'a duration, as 5m, or a time, as 2026-01-31T12:00:00Z' },
    tail: { kind: 'text', short: 'n', value: 'N', help: 'the last N lines alone of what is there' },
    access: { kind: 'switch', help: 'the access log alone (accessLog in the stack file)' },
    json: { kind: 'switch', help: 'the entries as they stand in the file, as in a pipe' },
    pretty: { kind: 'switch', help: 'in lines for people, as on a terminal' },
    ...CONFIG,
  },
  help: `NAME is a function, a container, gateway or supervisor. What functions print is in the log, too. On a
terminal it is shown in lines for people, in colour unless NO_COLOR or CLICOLOR=0 is set; in a pipe as JSON,
one entry a line. With -f and nothing else the last 16 KiB come first; else all that the log files have.`,
  examples: [
    'hotpotato logs -f echo',
    'hotpotato logs --since 10m --tail 100',
    'hotpotato logs gateway | head -3',
    'hotpotato logs --access -f echo',
  ],
  async run(options, [name]) {
    const { showLogs } = await import('../../logs/logs.ts')
    await showLogs(name, options)
  },
})
