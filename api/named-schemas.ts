import { z } from 'zod';

/**
 * Names schemas: the OpenAPI document describes each once under this name and refers to it wherever it recurs, and the client
 * has a type of that name. Of a schema that refines or extends another one, only the result is named.
 */
export function nameSchemas(named: Readonly<Record<string, z.ZodType>>): void {
  for (const [id, schema] of Object.entries(named)) schema.register(z.globalRegistry, { ...schema.meta(), id });
}

/** A named page of a list: `items`, and where the next page begins. */
export function listSchema<T extends z.ZodType>(id: string, item: T) {
  const nextCursor = z.string().nullable().describe('`cursor` of the next page; null on the last one');
  const schema = z.object({ items: z.array(item), nextCursor });
  nameSchemas({ [id]: schema });
  return schema;
}
