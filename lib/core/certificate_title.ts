/** What a certificate is called: its subject, or its first name, since some have an empty subject (RFC 5280, 4.2.1.6). */
export function certificateTitle(
  { subject, names: [name = ""] }: { readonly subject: string; readonly names: readonly string[] },
): string {
  return subject === "" ? name : subject;
}
