/**
 * `deno task npm`: dist/npm/sockbal-VERSION.tgz, a package for machines that have only Node.js.
 *
 * It holds the bundle (made before), the launcher and the README; Deno itself comes as its dependency from npm.
 */

import project from "../deno.json" with { type: "json" };

const folder = "dist/npm/package";
const manifest = {
  name: project.name,
  version: project.version,
  description: "A socket server, client and load balancer in one program",
  license: project.license,
  bin: { sockbal: "sockbal.cjs" },
  files: ["sockbal.cjs", "sockbal.js"],
  engines: { node: ">=18" },
  dependencies: { deno: Deno.version.deno },
};

await Deno.mkdir(folder, { recursive: true });
await Promise.all([
  Deno.copyFile("dist/sockbal.js", `${folder}/sockbal.js`),
  Deno.copyFile("tools/npm/sockbal.cjs", `${folder}/sockbal.cjs`),
  Deno.copyFile("README.md", `${folder}/README.md`),
  Deno.copyFile("LICENSE", `${folder}/LICENSE`),
  Deno.writeTextFile(`${folder}/package.json`, JSON.stringify(manifest, null, 2) + "\n"),
]);
const pack = new Deno.Command("npm", { args: ["pack", "--silent", "--pack-destination", ".."], cwd: folder });
const { success, stdout, stderr } = await pack.output();
const text = success ? `dist/npm/${new TextDecoder().decode(stdout)}` : new TextDecoder().decode(stderr);
await new Blob([text]).stream().pipeTo(Deno.stdout.writable);
Deno.exit(success ? 0 : 1);
