/** Whether a function may be called that: it must serve as a label of a host name, in lower case. */
export function isFunctionName(name: string): boolean {
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)
}
