import type { Field, RequestHead } from './message.ts'

/** What a request's head says, told by whatever serves the request. */
export abstract class HeadView implements RequestHead {
  abstract get head(): RequestHead

  get method(): string {
    return this.head.method
  }
  get target(): string {
    return this.head.target
  }
  get version(): RequestHead['version'] {
    return this.head.version
  }
  get headers(): readonly Field[] {
    return this.head.headers
  }
  get host(): string | undefined {
    return this.head.host
  }
  get path(): string {
    return this.head.path
  }
  get query(): string {
    return this.head.query
  }
}
