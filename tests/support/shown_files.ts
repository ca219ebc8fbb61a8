/** The files that a document shows, as they stand there. */

const docs = new URL("../../docs/", import.meta.url);

/** The block whose first line is the name of the file as a comment; or its second, in a script. */
export async function shownFile(document: string, name: string): Promise<string> {
  const blocks = (await Deno.readTextFile(new URL(document, docs))).matchAll(/^```\w*\n([^]*?)^```$/gm);
  for (const [, text = ""] of blocks) {
    if (text.replace(/^#!.*\n/, "").startsWith(`# ${name}\n`)) return text;
  }
  throw new Error(`Cannot find ${name} in ${document}`);
}

/** The lines of the only block of shell commands in a section. */
export async function shownCommands(document: string, section: string): Promise<string> {
  const text = await Deno.readTextFile(new URL(document, docs));
  const [, commands] =
    new RegExp(`^## ${section}\n(?:(?!^## )[^])*?^\`\`\`sh\n([^]*?)^\`\`\`$`, "m").exec(text) ??
      [];
  if (commands === undefined) throw new Error(`Cannot find commands in ${section} of ${document}`);
  return commands;
}
