/** What is answered when a request is not done: problem details for machines and people (RFC 9457). */

/** The statuses that the admin side refuses with. */
const TITLES = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  500: "Internal Server Error",
  503: "Service Unavailable",
} as const;
export type ProblemStatus = keyof typeof TITLES;

/** A response with one sentence of detail and, of a configuration, its faults. The caller may add headers. */
export function problem(status: ProblemStatus, detail: string, faults?: readonly string[]): Response {
  // "about:blank" says that the title is the status in words and nothing more.
  const body = { type: "about:blank", title: TITLES[status], status, detail, faults };
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/problem+json" },
  });
}

/** Thrown while a request is read, when it cannot be done as it stands; the routes answer it as a problem. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: ProblemStatus;

  constructor(status: ProblemStatus, detail: string) {
    super(detail);
    this.status = status;
  }
}
