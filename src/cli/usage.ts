import type { CommandName } from './command-line.ts'
import { FORMAT_NAMES } from './format-names.ts'

const USAGE = `usage: hotpotato up [--carrier fd|relay] [--duplicate] [--config hotpotato.yml]
       hotpotato stop|logs [--config hotpotato.yml]
       hotpotato status [--connections] [--json] [--config hotpotato.yml]
       hotpotato drain CONTAINER… | deploy FUNCTION | scale FUNCTION N [--json] [--config hotpotato.yml]
       hotpotato move CONNECTION CONTAINER | restart gateway [--json] [--config hotpotato.yml]
       hotpotato certs [NAME…] [--renew] [options]          (hotpotato certs --help)
       hotpotato serve --cert FILE --key FILE [options]     (hotpotato serve --help)
       hotpotato connect HOST:PORT [options]                (hotpotato connect --help)
       hotpotato stress URL [-c 50] [-n 200] [options]      (hotpotato stress --help)
       hotpotato inspect|verify FILE [--as ${FORMAT_NAMES.join('|')}] [--secrets]

  up       start the gateway and the containers, and stay; --carrier and --duplicate override the
           configuration
  stop     stop the platform
  status   what is running, and what it has done; --connections lists every connection
  logs     follow the log

  drain    move all connections of some containers to other containers of their functions, and end them
  scale    start or drain containers of a function until there are N
  deploy   start new containers of a function, move all its connections to them, and end the old ones
  move     move one connection to another container of its function; the beginning of its id is enough
  restart  start a new gateway, which takes the ports over, and end the old one

  certs    make certificates for functions, servers or clients to try things with
  serve    a TLS server that answers over HTTP, to try clients with
  connect  a TLS client, to try servers with
  stress   make many requests at a time, and say how long they took

  inspect  an annotated dump of a connection's state in FILE (binary or hexadecimal; - for standard input);
           --secrets shows what is masked otherwise
  verify   say what is wrong with that state

  help     this text; help COMMAND, or COMMAND --help: that of a command
  version  which hotpotato this is, and on which Node it runs (-V, --version)

It ends with status 0 if it has done what it was asked for; 1 if that could not be done, or a fault was found;
2 if the command line makes no sense; 3 if the configuration makes none.`

/** How the commands are written, and what they do. @param command the only one to tell of */
export function usage(command?: CommandName): string {
  if (command === undefined) return USAGE
  const [written = '', ...told] = USAGE.split('\n\n')
  const ways = written.split('\n').filter(line => new RegExp(`[ |]${command}\\b`).test(line))
  const meanings = told.flatMap(block => block.split(/\n(?= {2}\w)/))
  const meaning = meanings.filter(text => text.startsWith(`  ${command} `))
  return [ways.join('\n').replace(/^(usage:)? +/, 'usage: '), ...meaning, told.at(-1)].join('\n\n')
}
