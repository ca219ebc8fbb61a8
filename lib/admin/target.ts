/** The target of a request, parsed once, so that the guard and the router see the same path. */

/** What a request asks for and of whom. */
export interface Target {
  /** `host:port` of the URL: that of the Host header, of `:authority` in HTTP/2, or of a target in absolute form. */
  readonly authority: string;
  /** Still percent-encoded; `/` when there is none, as of CONNECT. */
  readonly path: string;
  /** What follows the question mark. */
  readonly query: string;
}

/**
 * The parts of the URL of a request.
 *
 * The URL is put together by the runtime from what the client sent, which may be anything: `new URL` would throw at a Host
 * such as `[`, and would resolve `..` in a path whose names are ours.
 */
export function targetOf(url: string): Target {
  const [, authority = "", path = "", query = ""] = /^[^:]*:\/\/([^/?#]*)([^?#]*)\??([^#]*)/s.exec(url) ?? [];
  return { authority, path: path === "" ? "/" : path, query };
}

/** Whether everything that follows a `%` is two digits, and together they are UTF-8. */
export function isWellEncoded({ path, query }: Target): boolean {
  try {
    decodeURIComponent(path);
    decodeURIComponent(query);
    return true;
  } catch {
    return false;
  }
}
