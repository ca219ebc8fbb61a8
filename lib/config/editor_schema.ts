import { configJsonSchema } from "./schema.ts";

/** `${NAME}` somewhere in a value; what comes of it is not known to an editor. */
const VARIABLE = { type: "string", pattern: "(?:^|[^$])\\$\\{\\w" };

/** The JSON Schema of balancer.yaml for editors, which know no environment: any value may have variables in it. */
export function editorJsonSchema(): unknown {
  return withVariables(configJsonSchema());
}

function withVariables(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withVariables);
  if (typeof schema !== "object" || schema === null) return schema;
  const inner = Object.fromEntries(
    Object.entries(schema).map(([key, it]) => [key, NOT_SCHEMAS.includes(key) ? it : withVariables(it)]),
  );
  const { title, description, default: otherwise, ...checked } = inner;
  const isFree = checked.type === "string" && !["pattern", "enum", "const"].some((key) => key in checked);
  const isValue = ["string", "integer", "number", "boolean"].includes(String(checked.type)) ||
    "const" in checked;
  if (!isValue || isFree) return inner;
  const said = Object.entries({ title, description, default: otherwise }).filter(([, it]) =>
    it !== undefined
  );
  return { ...Object.fromEntries(said), anyOf: [checked, VARIABLE] };
}

/** Keywords whose values are no schemas. */
const NOT_SCHEMAS = ["default", "enum", "required", "const", "type", "propertyNames"];
