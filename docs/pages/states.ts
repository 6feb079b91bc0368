import { REST } from '../../src/gateway/hibernation/rest.ts'
import { TRANSITIONS } from '../../src/http/h2/stream.ts'
import { LIFE_CYCLE } from '../../src/supervisor/life-cycle.ts'
import { CLIENT_ANSWERS, CLIENT_TRANSITIONS } from '../../src/tls13/client.ts'
import { SERVER_ANSWERS, SERVER_TRANSITIONS } from '../../src/tls13/server.ts'
import { CUSTODY } from '../../src/transfer/custody.ts'
import { CLIENT_STEPS, SERVER_STEPS, type Step } from './handshake-steps.ts'

type Table = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** `docs/states.md`: each state machine as a diagram and as a table. */
export function states(): string {
  return `# States

Generated from the tables of transitions by \`npm run docs\`; a test fails when this page is not current.

## The handshake

A message that is not in the row of the state is answered with \`unexpected_message\`. Where a message leads
is for its transition to say, in the file named; the diagrams have what all combinations of hellos,
certificates, tickets and questions do, which a test goes through. From every state a fatal alert, or what is
wrong with a message, leads to CLOSED. \`(answer)\` is what was asked outside: a signature, a verdict on a
certificate, whether early data is new. A session answers itself where it has the key or the verifier.

### Server (RFC 8446 Appendix A.2): \`src/tls13/server.ts\`

${drawn('START', SERVER_STEPS)}

${rows(SERVER_TRANSITIONS)}

${waiting(SERVER_ANSWERS)}

### Client (RFC 8446 Appendix A.1): \`src/tls13/client.ts\`

${drawn('WAIT_SH', CLIENT_STEPS)}

${rows(CLIENT_TRANSITIONS)}

${waiting(CLIENT_ANSWERS)}

## A stream of HTTP/2 (RFC 9113 §5.1): \`src/http/h2/stream.ts\`

H is a HEADERS frame, ES its END_STREAM or that of DATA, R is RST_STREAM. What is not drawn is an error of
the stream or of the connection.

${drawn('idle', stepsOf(TRANSITIONS))}

## A session that moves: \`src/transfer/custody.ts\`

In the hands of the process that offers it; what each event means is in [moves.md](moves.md).

${drawn('owned', stepsOf(CUSTODY))}

${leading(CUSTODY)}

## A replica: \`src/supervisor/life-cycle.ts\`

A place that one process after the other fills. What is not in the table changes nothing.

${drawn('starting', stepsOf(LIFE_CYCLE))}

${leading(LIFE_CYCLE)}

## A connection whose function sleeps: \`src/gateway/hibernation/rest.ts\`

In the hands of the gateway that keeps it; what each event means is in [hibernation.md](hibernation.md).

${drawn('resting', stepsOf(REST))}

${leading(REST)}
`
}

function waiting(answers: Readonly<Record<string, unknown>>): string {
  return `Answers from outside (\`Session.answer\`) are taken in
${Object.keys(answers).join(', ')}; in \`CONNECTED\`, those to questions of
an authentication after the handshake.`
}

/** The steps of a table whose entries are states, or say what is wrong. */
function stepsOf(table: Table): Step[] {
  return Object.entries(table).flatMap(([from, row]) =>
    Object.entries(row).flatMap(([by, to]) => (typeof to === 'string' ? [[from, by, to] as const] : [])),
  )
}

/** A Mermaid diagram, with one arrow from a state to another, or more where its label would be too long. */
function drawn(first: string, steps: readonly Step[]): string {
  const arrows = new Map<string, string[]>()
  for (const [from, by, to] of steps) {
    const arrow = `${idOf(from)} --> ${idOf(to)}`
    arrows.set(arrow, [...(arrows.get(arrow) ?? []), ...by.split(', ')])
  }
  const names = [...new Set(steps.flatMap(([from, , to]) => [from, to]))].filter(name => idOf(name) !== name)
  return [
    '```mermaid',
    'stateDiagram-v2',
    ...names.map(name => `  state "${name}" as ${idOf(name)}`),
    `  [*] --> ${idOf(first)}`,
    ...[...arrows].flatMap(([arrow, by]) => inFours(by).map(some => `  ${arrow}: ${some.join(', ')}`)),
    '```',
  ].join('\n')
}

const inFours = <T>(all: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(all.length / 4) }, (_, i) => all.slice(4 * i, 4 * i + 4))

const idOf = (name: string): string => name.replace(/\W+/g, '_')

/** A table whose entries are states. */
function leading(table: Table): string {
  const lines = Object.entries(table).flatMap(([state, row]) =>
    Object.keys(row).length === 0
      ? [`| ${state} | (nothing) | |`]
      : Object.entries(row).map(([event, next]) => `| ${state} | ${event} | ${next} |`),
  )
  return ['| in state | event | next |', '| --- | --- | --- |', ...lines].join('\n')
}

function rows(table: Table): string {
  const lines = Object.entries(table).map(
    ([state, row]) => `| ${state} | ${Object.keys(row).join(', ') || '(nothing)'} |`,
  )
  return ['| in state | takes |', '| --- | --- |', ...lines].join('\n')
}
