/** Sockets for datagrams, as tests use them beside a server or a client. */

export interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: Deno.NetAddr;
}

/** A socket on the loopback, at a port of the system's choice. */
export class TestSocket implements Disposable {
  readonly #socket: Deno.DatagramConn;
  readonly port: number;

  constructor(readonly hostname = "127.0.0.1", port = 0) {
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname, port });
    this.port = (this.#socket.addr as Deno.NetAddr).port;
  }

  async send(bytes: Uint8Array, port: number, hostname = this.hostname): Promise<void> {
    await this.#socket.send(bytes, { transport: "udp", hostname, port });
  }

  async receive(): Promise<Datagram> {
    const [bytes, from] = await this.#socket.receive(new Uint8Array(65_535));
    return { bytes, from: from as Deno.NetAddr };
  }

  /** Sends a datagram and gives the next one that comes. */
  async ask(bytes: Uint8Array, port: number): Promise<Uint8Array> {
    await this.send(bytes, port);
    return (await this.receive()).bytes;
  }

  /** Answers each datagram that comes with those that `answers` gives, until the socket is closed. */
  async serve(answers: (bytes: Uint8Array) => readonly Uint8Array[]): Promise<void> {
    try {
      for (;;) {
        // deno-lint-ignore no-await-in-loop -- one after the other
        const { bytes, from: { hostname, port } } = await this.receive();
        // deno-lint-ignore no-await-in-loop -- the same
        for (const answer of answers(bytes)) await this.send(answer, port, hostname);
      }
    } catch {
      // It was closed.
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
