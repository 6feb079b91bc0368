/**
 * Puts a function's variables into an environment. That is done before its module is loaded, and long after
 * Node, OpenSSL and the dynamic linker have read theirs: NODE_OPTIONS or LD_PRELOAD change only what the
 * function starts.
 * @param environment that of this process
 */
export function giveVariables(
  variables: Readonly<Record<string, string>>,
  environment: NodeJS.ProcessEnv,
): void {
  // Express and others show their users what went wrong, and cache nothing, unless they are told this.
  environment.NODE_ENV = 'production'
  for (const [name, value] of Object.entries(variables)) environment[name] = value
}
