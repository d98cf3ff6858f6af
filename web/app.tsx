import { Center, Loader } from '@mantine/core';
import { createBrowserRouter, Navigate, Outlet, type RouteObject, RouterProvider } from 'react-router';
import { LetterPage } from './letters/letter.tsx';
import { accountRoutes, consoleRoutes } from './routes.ts';
import { useSession } from './session/session.tsx';
import { ChooseOwnPassword, SignIn } from './session/sign-in.tsx';
import { isStaff } from './shell/navigation.ts';
import { NotFound } from './shell/not-found.tsx';
import { AccountShell, ConsoleShell } from './shell/shell.tsx';

const pages: RouteObject[] = [
  { path: '/confirm', Component: () => <LetterPage kind="confirm" /> },
  { path: '/reset-password', Component: () => <LetterPage kind="reset-password" /> },
  { path: '/recover', Component: () => <LetterPage kind="recover" /> },
  {
    Component: NeedsSession,
    children: [
      { path: '/', Component: Home },
      { path: '/console', Component: ConsoleShell, children: [...consoleRoutes, { path: '*', Component: NotFound }] },
      { path: '/account', Component: AccountShell, children: [...accountRoutes, { path: '*', Component: NotFound }] },
      { path: '*', Component: () => <NotFound alone /> },
    ],
  },
];

const router = createBrowserRouter(pages);

export function App() {
  return <RouterProvider router={router} />;
}

/** Whoever is not signed in signs in where they are, and then sees what they came for. */
function NeedsSession() {
  const { state } = useSession();
  if (state.kind === 'unknown') {
    return (
      <Center h="100vh">
        <Loader role="status" aria-label="Loading" />
      </Center>
    );
  }
  if (state.kind === 'signed-out')
    return <SignIn key={state.why} {...(state.why === undefined ? {} : { why: state.why })} />;
  if (state.me.scope === 'password_change') return <ChooseOwnPassword />;
  return <Outlet />;
}

function Home() {
  const { state } = useSession();
  if (state.kind !== 'signed-in') return null;
  return <Navigate to={isStaff(state.me.role) ? '/console/overview' : '/account/portfolio'} replace />;
}
