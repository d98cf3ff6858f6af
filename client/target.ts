/**
 * The request target of an operation: path and query as they are sent and signed, in ASCII.
 *
 * @param template with placeholders: `/api/devices/{id}`
 * @throws RangeError for a value that would be another path: an empty one, `.` or `..`
 */
export function targetOf(
  template: string,
  path: Readonly<Record<string, unknown>> = {},
  query: Readonly<Record<string, unknown>> = {},
): string {
  const filled = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = String(path[name] ?? '');
    if (/^\.{0,2}$/.test(value)) throw new RangeError(`${name} of ${template} is '${value}', which is no id`);
    return encodeURIComponent(value);
  });
  const search = new URLSearchParams(
    Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as [string, string]],
    ),
  ).toString();
  return search === '' ? filled : `${filled}?${search}`;
}
