import { defineCommand, JSON_AND_CONFIG } from '../../line/command.ts'

export const command = defineCommand({
  name: 'queue',
  synopsis: 'list|show|replay|remove [ID …]',
  summary: 'asynchronous calls that wait or were given up: look at them, send them anew',
  words: {
    least: 1,
    most: 64,
    needs: 'one of the words list, show, replay and remove',
    forms: [/^(list|show|replay|remove)$/],
    completes: [['list', 'show', 'replay', 'remove']],
  },
  options: {
    all: { kind: 'switch', help: 'with replay and remove: every dead letter' },
    body: { kind: 'switch', help: 'with show: the content of the call, and nothing else' },
    ...JSON_AND_CONFIG,
  },
  help: `list tells every call that waits or was given up (a dead letter), with its X-Call-Id. show tells all
of one, replay sends a dead letter anew, and remove takes one away, also one that waits. The calls lie on the
disk: these commands work whether the platform runs or not (docs/async.md).`,
  examples: ['hotpotato queue list', 'hotpotato queue replay --all', 'hotpotato queue show ID --body | jq'],
  async run(options, [what, ...ids]) {
    const queue = await import('../../queue/queue.ts')
    if (what === 'list') await queue.list(options)
    else if (what === 'show') await queue.show(options, ids)
    else if (what === 'replay') await queue.replay(options, ids)
    else await queue.remove(options, ids)
  },
})
