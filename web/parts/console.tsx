import { type Body, useRead } from '../calls.ts';

type Console = Body<'getConsole'>;
export type Colleague = Console['staff'][number];

/** What the pages of staff know of this installation: colleagues by name, where links go, which borders hold. */
export function useConsole(): Console | undefined {
  return useRead('getConsole', {}).data;
}

/** Staff who may sign in; none while nobody has read them yet. */
export const useColleagues = (): readonly Colleague[] => useConsole()?.staff ?? [];
