import type { RouteObject } from 'react-router';

/** A page that is loaded when it is opened. Its module's default export is the component. */
const page = (path: string, load: () => Promise<{ default: React.ComponentType }>): RouteObject => ({
  path,
  lazy: async () => ({ Component: (await load()).default }),
});

export const consoleRoutes: RouteObject[] = [page('reviews', () => import('./staff/reviews.tsx'))];

export const accountRoutes: RouteObject[] = [];
