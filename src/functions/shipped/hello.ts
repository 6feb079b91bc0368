import type { FetchHandler } from '../contract.ts'
import { methodNotAllowed, text } from './lib/answers.ts'

/** Greets the name in `?name=`, or the world. */
const hello: FetchHandler = {
  fetch(request) {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return methodNotAllowed(request.method, 'GET, HEAD')
    const name = new URL(request.url).searchParams.get('name') || 'world'
    return text(`Hello, ${name.slice(0, 100)}!\n`, request.method)
  },
}

export default hello
