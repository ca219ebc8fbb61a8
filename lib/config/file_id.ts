/** The same for two paths exactly when they lead to the same file, by a link as well; a path that leads to none is its own. */
export async function fileId(path: string): Promise<string> {
  return await Deno.stat(path).then(({ dev, ino }) => `${dev}:${ino ?? path}`, () => path);
}
