/** Clients that speak TLS, as tests need them. */

import { once } from "node:events";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { opensslPath } from "./certificates.ts";

/** Opens TLS, without looking at the certificate; rejects when that fails. The caller destroys the socket. */
export async function connectTls(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options });
  // With TLS 1.3 a refusal may come in the turn in which TLS is open.
  socket.on("error", () => {});
  try {
    await once(socket, "secureConnect");
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return socket;
}

/** The name in the certificate that a client is shown. */
export async function shownTo(port: number, servername?: string): Promise<string | undefined> {
  const socket = await connectTls(port, servername === undefined ? {} : { servername });
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  await once(socket, "close");
  return [subject.CN].flat().at(0);
}

/** A connection that is read and written by hand; TLS ends in it as it does for everyone (close_notify, and nothing else). */
export async function startTls(port: number, hostname: string, authority: string): Promise<Deno.TlsConn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay(true);
  return await Deno.startTls(conn, { hostname, caCerts: [authority] });
}

/** `openssl s_client`, which says hello and ends when that has come back, or it was refused. Gives all that it has printed. */
export async function runClient(port: number, args: readonly string[]): Promise<string> {
  const child = new Deno.Command(opensslPath(), {
    args: ["s_client", "-connect", `127.0.0.1:${port}`, ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  const stdin = child.stdin.getWriter();
  // It fails when openssl is no more.
  stdin.write(new TextEncoder().encode("hello\n")).catch(() => {});
  let output = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    if (output.includes("hello\n")) await stdin.close().catch(() => {});
  }
  await stdin.close().catch(() => {});
  await child.status;
  return output + await stderr;
}
