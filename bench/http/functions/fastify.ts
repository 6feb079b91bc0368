import { fromNode } from '../../../src/functions/adapters/node-http.ts'
import { fastifyApplication } from '../applications.ts'

export default fromNode(fastifyApplication())
