/**
 * The least that a relay on this runtime can be: no health, limits, timeouts, records or fairness; connect, then one read
 * and one write after another. What it costs is the runtime's; what sockbal costs more is sockbal's.
 *
 *   deno run … bare_relay.ts THREADS PORT=BYTES=BACKEND,BACKEND… PORT=BYTES=BACKEND…
 *
 * BYTES is the size of its buffers, which do not grow: small for requests, large for bulk data.
 */

type Buffer = Uint8Array<ArrayBuffer>;

/** TCP: the option that the type definitions leave out, with which threads share one socket. */
type SharedListenOptions = Deno.TcpListenOptions & { loadBalanced: true };

async function serve(port: number, bufferBytes: number, backends: readonly number[]): Promise<void> {
  const options: SharedListenOptions = { hostname: "127.0.0.1", port, tcpBacklog: 4096, loadBalanced: true };
  const listener = Deno.listen(options);
  const spare: Buffer[] = [];
  const takeBuffer = (): Buffer => spare.pop() ?? new Uint8Array(bufferBytes);
  for (let turn = 0;; turn++) {
    // deno-lint-ignore no-await-in-loop -- connections are accepted one after the other
    const client = await listener.accept();
    const buffers: [Buffer, Buffer] = [takeBuffer(), takeBuffer()];
    join(client, backends[turn % backends.length] ?? 0, buffers).then(() => spare.push(...buffers));
  }
}

/** When it has resolved the session is over, and its buffers are free. */
async function join(client: Deno.Conn, port: number, buffers: [Buffer, Buffer]): Promise<void> {
  using _client = client;
  try {
    using backend = await Deno.connect({ hostname: "127.0.0.1", port, autoSelectFamily: false });
    await new Promise<void>((resolve, reject) => {
      let going = 2;
      const onEnd = (): void => {
        if (--going === 0) resolve();
      };
      pump([client, backend], buffers[0], onEnd, reject);
      pump([backend, client], buffers[1], onEnd, reject);
    });
  } catch {
    // Somebody is gone, and so is what this was for.
  }
}

/** By callbacks, which cost less than awaiting (lib/engine/runtime/relay.ts). */
function pump(
  [source, sink]: [Deno.Conn, Deno.Conn],
  buffer: Buffer,
  onEnd: () => void,
  onGone: (reason: unknown) => void,
): void {
  let rest = buffer;
  const onRead = (filled: number | null): void => {
    if (filled === null) {
      sink.closeWrite().then(onEnd, onGone);
      return;
    }
    rest = buffer.subarray(0, filled);
    sink.write(rest).then(onWritten, onGone);
  };
  const onWritten = (written: number): void => {
    rest = rest.subarray(written);
    if (rest.length > 0) sink.write(rest).then(onWritten, onGone);
    else source.read(buffer).then(onRead, onGone);
  };
  source.read(buffer).then(onRead, onGone);
}

function serveAll(services: readonly string[]): void {
  for (const service of services) {
    const [port, bufferBytes, backends = ""] = service.split("=");
    void serve(Number(port), Number(bufferBytes), backends.split(",").map(Number));
  }
}

if ("WorkerGlobalScope" in globalThis) {
  self.addEventListener("message", (event) => serveAll((event as MessageEvent<string[]>).data));
} else {
  const [threads, ...services] = Deno.args;
  for (let thread = 0; thread < Number(threads); thread++) {
    new Worker(import.meta.url, { type: "module" }).postMessage(services);
  }
}
