// deno-lint-ignore-file no-await-in-loop -- it is tried again and again

/** Real programs as neighbours of a balancer: HAProxy and nginx, each with a configuration of the test. */

import type { EngineName } from "../../lib/config/engine_names.ts";
import { RunningCommand } from "./command.ts";
import { ENGINES } from "./engines.ts";
import { findFile, findProgram, type Found, pathOf, skipWithout } from "./packages.ts";

export const HAPROXY = await findProgram("haproxy", "haproxy");
export const NGINX = await findProgram("nginx", "nginx");
export const NGINX_STREAM = await findFile(
  "/usr/lib/nginx/modules/ngx_stream_module.so",
  "libnginx-mod-stream",
);

/** Registers a test for each engine, which is skipped, and says so, where one of these is missing. */
export function onEachEngineWith(
  needs: readonly Found[],
  sentence: string,
  test: (engine: EngineName) => Promise<void>,
): void {
  const { ignore, why } = skipWithout(...needs);
  for (const engine of ENGINES) {
    Deno.test({ name: `${sentence} (${engine})${why}`, ignore, fn: () => test(engine) });
  }
}

/** Starts HAProxy, whose configuration has these sections, and waits until it accepts on the port. */
export async function startHaproxy(port: number, sections: string): Promise<AsyncDisposable> {
  const file = await Deno.makeTempFile({ suffix: ".cfg" });
  await Deno.writeTextFile(
    file,
    `defaults
  timeout connect 5s
  timeout client 30s
  timeout server 30s
${sections}
`,
  );
  const haproxy = new RunningCommand([pathOf(HAPROXY), "-db", "-f", file]);
  return await whenAccepting(haproxy, port, () => Deno.remove(file));
}

/** Starts nginx, whose configuration has these blocks, and waits until it accepts on the port. */
export async function startNginx(port: number, blocks: string): Promise<AsyncDisposable> {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(
    `${folder}/nginx.conf`,
    `load_module ${pathOf(NGINX_STREAM)};
daemon off;
master_process off;
pid ${folder}/pid;
error_log stderr;
events {}
${blocks}
`,
  );
  const nginx = new RunningCommand([
    pathOf(NGINX),
    ...["-p", folder, "-c", `${folder}/nginx.conf`, "-e", "stderr"],
  ]);
  return await whenAccepting(nginx, port, () => Deno.remove(folder, { recursive: true }));
}

/** An `http` block of nginx that writes nothing into folders of the system. */
export function nginxHttp(server: string): string {
  const folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((it) => `${it}_temp_path ${it};`);
  return `http { access_log off; ${folders.join(" ")} server { ${server} } }`;
}

/** As it is, once it accepts; it is ended when it does not. */
export async function whenAccepting(
  program: RunningCommand,
  port: number,
  clear: () => Promise<void> = () => Promise.resolve(),
): Promise<AsyncDisposable> {
  const end = async (): Promise<void> => {
    await program[Symbol.asyncDispose]();
    await clear();
  };
  let hasEnded = false;
  void program.finished.then(() => hasEnded = true);
  while (!hasEnded) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return { [Symbol.asyncDispose]: end };
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { stderr } = await program.finished;
  await clear();
  throw new Error(`Cannot start: ${stderr}`);
}
