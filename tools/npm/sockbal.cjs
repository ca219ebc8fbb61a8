#!/usr/bin/env node
// deno-lint-ignore-file explicit-function-return-type -- plain JavaScript, which has no types to write
// The launcher of the npm package: runs the bundle with Deno, under the narrowest permissions that its role allows.
"use strict";

const { spawn } = require("node:child_process");
const { constants } = require("node:os");
const { join } = require("node:path");

/** Where the executable of Deno is; the package that brings it may not have unpacked it yet. */
function findDeno() {
  try {
    return require("deno/install_api.cjs").runInstall();
  } catch (error) {
    process.stderr.write(`sockbal: cannot find Deno: ${error.message}\n`);
    process.exit(1);
  }
}

/**
 * Every role needs the network, and a Unix socket is a file. A balancer reads its configuration and its own modules;
 * it is started able to write only because a configuration may name a Unix socket, and gives that up if none does. A load reads
 * the bundle, from which its threads start, and some flags name files. Of the environment a
 * balancer reads what its configuration names.
 * The engine epoll calls the C library, which is permitted only where the command line asks for this engine.
 */
function permissions(args, bundle) {
  const has = (flags) => args.some((arg) => flags.test(arg));
  const hasUnixSocket = has(/unix:/);
  const isBalancer = has(/^(balancer|--role=balancer|--demo)$/);
  const namesFiles = has(/^--(ca|cert|key|tls-cert|tls-key|compare)(=|$)/);
  const isLoad = has(/^--(requests|duration|hold)(=|$)/);
  const hasEpoll = args.some((arg, i) => {
    return arg === "--engine=epoll" || (arg === "epoll" && args[i - 1] === "--engine");
  });
  const reads = hasUnixSocket || isBalancer || namesFiles
    ? ["--allow-read"]
    // Deno reads two commas as one that is part of a path.
    : isLoad
    ? [`--allow-read=${bundle.replaceAll(",", ",,")}`]
    : [];
  const writes = hasUnixSocket || isBalancer ? ["--allow-write"] : [];
  const env = isBalancer ? ["--allow-env"] : [];
  return [
    "--allow-net",
    ...reads,
    ...writes,
    ...env,
    ...((isBalancer || isLoad) && hasEpoll ? ["--allow-ffi"] : []),
  ];
}

const args = process.argv.slice(2);
const bundle = join(__dirname, "sockbal.js");
const child = spawn(
  findDeno(),
  [
    // A small young generation: sessions leave little garbage, and the space would be kept by each worker.
    ...[
      "run",
      "--v8-flags=--max-semi-space-size=4",
      "--no-prompt",
      "--no-config",
      "--no-lock",
      "--unstable-net",
      "--unstable-worker-options",
    ],
    ...permissions(args, bundle),
    bundle,
    ...args,
  ],
  { stdio: "inherit" },
);

// From a terminal Ctrl-C reaches both processes at once; what was sent to the launcher alone has to be passed on.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  });
}
child.on("error", (error) => {
  process.stderr.write(`sockbal: cannot start Deno: ${error.message}\n`);
  process.exit(1);
});
child.on("exit", (status, signal) => {
  process.exit(status ?? 128 + (signal === null ? 0 : constants.signals[signal]));
});
