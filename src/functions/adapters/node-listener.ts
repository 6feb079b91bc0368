/** What the listener of a `node:http` server looks like. */
// biome-ignore lint/suspicious/noExplicitAny: frameworks have request and response types of their own
export type NodeListener = (request: any, response: any) => unknown
