import { escapeHtml, htmlPage } from './html.ts';
import type { JsonSchema, OpenApiDocument, Operation } from './openapi-document.ts';

/** The API reference for people, made from the OpenAPI document. */
export function openApiPage(document: OpenApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const tags = [...new Set(operations.map(({ operation }) => operation.tags[0] ?? ''))].sort();
  const sections = tags.map((tag) => {
    const ofTag = operations.filter(({ operation }) => operation.tags[0] === tag);
    return `<h2 id="${escapeHtml(tag)}">${escapeHtml(tag)}</h2>\n${ofTag.map(operationHtml).join('\n')}`;
  });
  return htmlPage(
    `${document.info.title} API`,
    `<h1>${escapeHtml(document.info.title)} API ${escapeHtml(document.info.version)}</h1>
<p>${escapeHtml(document.info.description)} <a href="/api/openapi.json">OpenAPI 3.1</a></p>
<p>${tags.map((tag) => `<a href="#${escapeHtml(tag)}">${escapeHtml(tag)}</a>`).join(' · ')}</p>
${sections.join('\n')}`,
  );
}

function operationHtml({ path, method, operation }: { path: string; method: string; operation: Operation }): string {
  const body = operation.requestBody?.content['application/json']?.schema;
  return `<details id="${escapeHtml(operation.operationId)}">
<summary><span class="method">${method}</span> <code>${escapeHtml(path)}</code> ${escapeHtml(operation.summary)}</summary>
<p>${escapeHtml(operation.description)}</p>
${parametersHtml(operation)}
${body ? `<h4>Body</h4>${schemaHtml(body)}` : ''}
<h4>Answers</h4>
${responsesHtml(operation)}
</details>`;
}

function parametersHtml({ parameters }: Operation): string {
  if (parameters.length === 0) return '';
  const rows = parameters.flatMap((parameter) =>
    '$ref' in parameter
      ? []
      : [
          `<tr><td><code>${escapeHtml(parameter.name)}</code>${parameter.required ? ' *' : ''}</td><td>${parameter.in}</td>` +
            `<td>${escapeHtml(typeText(parameter.schema))}</td><td>${escapeHtml(parameter.description ?? '')}</td></tr>`,
        ],
  );
  return `<table><tr><th>Parameter</th><th>In</th><th>Type</th><th></th></tr>${rows.join('')}</table>`;
}

function responsesHtml({ responses }: Operation): string {
  const rows = Object.entries(responses).map(([status, response]) => {
    if ('$ref' in response) return `<tr><td>${escapeHtml(status)}</td><td></td></tr>`;
    const { description, content } = response;
    const schema = content?.['application/json']?.schema;
    return `<tr><td>${escapeHtml(status)}</td><td>${escapeHtml(description)}${schema ? schemaHtml(schema) : ''}</td></tr>`;
  });
  return `<table>${rows.join('')}</table>`;
}

function schemaHtml(schema: JsonSchema): string {
  return `<pre>${escapeHtml(JSON.stringify(schema, null, 2))}</pre>`;
}

function typeText(schema: JsonSchema): string {
  if (Array.isArray(schema.enum)) return schema.enum.map(String).join(' | ');
  const format = typeof schema.format === 'string' ? ` (${schema.format})` : '';
  return `${typeof schema.type === 'string' ? schema.type : 'any'}${format}`;
}
