/**
 * Runs the `handler.py` of OpenFaaS's template python3 as it is: what `handle(request)` gives for the text on
 * standard input goes to standard output. It is started in the folder of the handler, which is also the
 * package `function`. One that has been started ahead learns the variables of its request from a pipe.
 */
export const PYTHON_RUNNER = `
import importlib, json, os, sys, types
folder = os.getcwd()
sys.path[0:0] = [folder, os.path.join(folder, "python")]
package = types.ModuleType("function")
package.__path__ = [folder]
sys.modules["function"] = package
for stream in (sys.stdin, sys.stdout):
    stream.reconfigure(encoding="utf-8", errors="surrogateescape")
handler = importlib.import_module("function.handler")
told = os.environ.pop("HOTPOTATO_VARIABLES_FD", None)
if told is not None:
    with os.fdopen(int(told)) as pipe:
        variables = pipe.read()
    if not variables:
        sys.exit("no request has come")
    os.environ.update(json.loads(variables))
answer = handler.handle(sys.stdin.read())
if answer is not None:
    print(answer)
`
