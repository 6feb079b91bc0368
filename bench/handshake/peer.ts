import { obey, report, roleOf } from '../rig/child.ts'
import { listen, type Ticket, type Visitor, visitors } from './ends.ts'
import { CONCURRENCY, type Order, type Report, type Role } from './rows.ts'

/**
 * One end of the connections of one stack: a process of its own. A server answers; a client does what its
 * parent orders.
 */
async function main(): Promise<void> {
  const role = roleOf<Role>()
  if (role.role === 'server') {
    obey<Order, Report>(() => {
      throw new Error('a server takes no commands')
    })
    report({ say: 'listening', port: await listen(role.stack, role) })
    return
  }
  const visits = await visitors(role.stack, role.port, role.authority)
  let ticket: Ticket | undefined
  obey<Order, Report>(async ({ kind, count }) => {
    // A ticket of this very server; made when first needed, and good for all that follow.
    if (kind === 'resumed') ticket ??= (await visits.resumed(undefined, true)).ticket
    return { say: 'done', seconds: await run(visits[kind], kind === 'resumed' ? ticket : undefined, count) }
  })
}

async function run(visit: Visitor, ticket: Ticket | undefined, count: number): Promise<number> {
  let left = count
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const { resumed } = await visit(ticket, false)
      if (resumed !== (ticket !== undefined)) throw new Error(`resumed: ${resumed}, which was not intended`)
    }
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  return (performance.now() - start) / 1000
}

await main()
