/**
 * The API's objects by name: made from the API's OpenAPI document by test/client/operations.test.ts, which holds this file against it.
 * `npx vitest run --project servers test/client/operations.test.ts -u` writes it anew.
 */
export type * from './identity.ts';
export type * from './trading.ts';
export type * from './security.ts';
export type * from './rules.ts';
export type * from './operations.ts';
export type * from './general.ts';
