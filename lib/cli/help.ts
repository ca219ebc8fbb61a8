/** The texts of the help that no flag carries itself. */

import { lineBreak, type Message, message } from "@optique/core/message";

/** `sockbal --help`. */
export const OVERVIEW = `sockbal: a socket server, client and load balancer in one program

Usage:
  sockbal --role server   [--listen ADDR] [--handler NAME] [--name NAME] …
  sockbal --role client   --connect ADDR [--message TEXT]…
  sockbal --role client   --connect ADDR --duration TIME [--connections N] [--rate N] …
  sockbal --role client   --compare A.json B.json
  sockbal --role balancer [--config FILE] | [--listen ADDR] [--backend ADDR]…
  sockbal --demo          the sample configuration, its backends and some traffic
  sockbal --rehearse PLAN servers, balancer and load in one process, and whether what must hold does

  -r, --role ROLE         server, client or balancer; with --help that role's flags
  -h, --help              show this text
      --version           show the version

ADDR is host:port, [v6]:port, :port (all addresses) or unix:/path; of servers and clients also
udp:host:port, which is for datagrams.

Three servers behind one port, each command in a terminal of its own:
  sockbal --role server --listen 127.0.0.1:8001 --handler whoami --name one
  sockbal --role server --listen 127.0.0.1:8002 --handler whoami --name two
  sockbal --role server --listen 127.0.0.1:8003 --handler whoami --name three
  sockbal --role balancer
  sockbal --role client --connect 127.0.0.1:5678 --message hi
`;

/** What has flags of its own. */
export type Parsed = "server" | "client" | "compare" | "balancer" | "demo" | "rehearsal";

/** What stands above the flags of each role. */
export const BRIEFS: Record<Parsed, Message> = {
  server:
    message`sockbal --role server [FLAGS]: accepts connections, or datagrams, and answers what it reads`,
  client:
    message`sockbal --role client --connect ADDR [FLAGS]: sends messages, or stdin, and prints what comes back; or loads the peer, and reports`,
  compare: message`sockbal --role client --compare A.json B.json: the reports of two loads beside each other`,
  balancer: message`sockbal --role balancer [FLAGS]: shares the connections of one port among many backends`,
  demo:
    message`sockbal --demo [FLAGS]: the sample configuration, its backends and some traffic, in one process`,
  rehearsal:
    message`sockbal --rehearse PLAN [FLAGS]: servers, a balancer and a load in one process, what happens to them, and whether what must hold does`,
};

const UDP = message`udp:host:port is for datagrams.`;
const LISTEN = message`ADDR is host:port, [v6]:port, :port (all addresses) or unix:/path.`;
const DIAL = message`ADDR is host:port, [v6]:port or unix:/path.`;
const TIME = message`TIME is 250ms, 30s, 1m30s or 2h.`;

/** What stands below the flags of each role. */
export const EXAMPLES: Record<Parsed, Message> = {
  server:
    message`${LISTEN} ${UDP} ${TIME}${lineBreak()}Example: sockbal --role server --listen :8001 --handler whoami --name one`,
  client:
    message`${DIAL} ${UDP} ${TIME}${lineBreak()}Example: sockbal --role client --connect 127.0.0.1:5678 --message hi${lineBreak()}A load: sockbal --role client --connect 127.0.0.1:5678 --duration 10s --connections 50 --expect eof${lineBreak()}Two loads beside each other: sockbal --role client --compare A.json B.json`,
  compare: message`Each is what a load with --json has written.`,
  balancer:
    message`${LISTEN} ${UDP}${lineBreak()}Example: sockbal --role balancer --listen :80 --backend 10.0.0.1:80 --backend 10.0.0.2:80`,
  demo: message`Stop it with Ctrl-C.`,
  rehearsal:
    message`Exit status: 0 when everything holds, 1 when something does not, 2 when the plan is wrong.${lineBreak()}Example: sockbal --rehearse rehearsals/backend-dies.yaml`,
};
