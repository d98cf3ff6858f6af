import {
  ActionIcon,
  AppShell,
  Badge,
  Burger,
  Group,
  Kbd,
  Menu,
  NavLink,
  ScrollArea,
  Text,
  Tooltip,
  UnstyledButton,
  useComputedColorScheme,
  useMantineColorScheme,
  VisuallyHidden,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { MagnifyingGlassIcon, MoonIcon, PersonIcon, SunIcon } from '@radix-ui/react-icons';
import { lazy, Suspense, useCallback, useEffect } from 'react';
import { Link, Outlet, NavLink as RouterLink, useLocation } from 'react-router';
import { LiveProvider, useLive } from '../live/live.tsx';
import { Loading } from '../parts/read.tsx';
import { useMe, useSession } from '../session/session.tsx';
import { useGoKeys } from './go-keys.ts';
import { ACCOUNT, CONSOLE, isStaff, type Place, placesFor } from './navigation.ts';
import { NotFound } from './not-found.tsx';

const Palette = lazy(() => import('./palette.tsx'));

/** The frame around the pages of staff; it follows the live events while it is open. */
export function ConsoleShell() {
  const { role } = useMe();
  const { ended } = useSession();
  const onEnded = useCallback(() => ended('Your session has ended.'), [ended]);
  if (!isStaff(role)) return <NotFound alone why="This console is for staff." />;
  return (
    <LiveProvider onEnded={onEnded}>
      <Frame places={placesFor(CONSOLE, role)} others={placesFor(ACCOUNT, role)} othersLabel="My account">
        <LiveBadge />
      </Frame>
    </LiveProvider>
  );
}

/** The frame around the pages of somebody's own account. */
export function AccountShell() {
  const { role } = useMe();
  return (
    <Frame
      places={placesFor(ACCOUNT, role)}
      others={isStaff(role) ? placesFor(CONSOLE, role).slice(0, 1) : []}
      othersLabel="Console"
    />
  );
}

interface FrameProps {
  readonly places: readonly Place[];
  readonly others: readonly Place[];
  readonly othersLabel: string;
  readonly children?: React.ReactNode;
}

function Frame({ places, others, othersLabel, children }: FrameProps) {
  const [opened, { toggle, close }] = useDisclosure();
  const { pathname } = useLocation();
  useGoKeys(places);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page closes the menu of small screens
  useEffect(close, [pathname, close]);
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 232, breakpoint: 'md', collapsed: { mobile: !opened } }}
      padding={{ base: 'sm', sm: 'md', lg: 'lg' }}
    >
      <a className="skip-link" href="#main">
        Skip to the content
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" gap="sm" wrap="nowrap" justify="space-between">
          <Group gap="sm" wrap="nowrap">
            <Burger opened={opened} onClick={toggle} hiddenFrom="md" size="sm" aria-label="Menu" />
            <Text component={Link} to="/" fw={700} size="lg" className="brand">
              Tradeguard
            </Text>
          </Group>
          <Group gap="xs" wrap="nowrap">
            {children}
            <SearchButton />
            <ColourScheme />
            <PersonMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Pages">
        <AppShell.Section grow component={ScrollArea} type="auto">
          {places.map((place) => (
            <PlaceLink key={place.path} place={place} />
          ))}
        </AppShell.Section>
        {others.length > 0 && (
          <AppShell.Section>
            <Text size="xs" c="dimmed" fw={600} px="sm" py={4}>
              {othersLabel}
            </Text>
            {others.map((place) => (
              <PlaceLink key={place.path} place={place} />
            ))}
          </AppShell.Section>
        )}
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1}>
        <Suspense fallback={<Loading />}>
          <Outlet />
        </Suspense>
      </AppShell.Main>
      <Suspense fallback={null}>
        <Palette places={[...places, ...others]} />
      </Suspense>
    </AppShell>
  );
}

function PlaceLink({ place }: { place: Place }) {
  const { pathname } = useLocation();
  const active = pathname === place.path || pathname.startsWith(`${place.path}/`);
  return (
    <NavLink
      component={RouterLink}
      to={place.path}
      label={place.label}
      active={active}
      variant="light"
      className="place"
      aria-keyshortcuts={`g ${place.key}`}
    />
  );
}

const CONNECTION = {
  connecting: { label: 'Connecting', color: 'gray' },
  live: { label: 'Live', color: 'teal' },
  reconnecting: { label: 'Reconnecting', color: 'orange' },
} as const;

function LiveBadge() {
  const { connection } = useLive();
  const { label, color } = CONNECTION[connection];
  return (
    <Badge variant="dot" color={color} role="status" aria-live="polite">
      {label}
    </Badge>
  );
}

function SearchButton() {
  return (
    <Tooltip label={<>Go to a page: Ctrl K, or g and its letter; ? shows all</>}>
      <UnstyledButton
        className="search-button"
        onClick={() => void import('@mantine/spotlight').then(({ spotlight }) => spotlight.open())}
      >
        <MagnifyingGlassIcon aria-hidden />
        <VisuallyHidden>Go to</VisuallyHidden>
        <Kbd size="xs" visibleFrom="sm">
          Ctrl K
        </Kbd>
      </UnstyledButton>
    </Tooltip>
  );
}

function ColourScheme() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');
  const other = scheme === 'light' ? 'dark' : 'light';
  return (
    <ActionIcon
      variant="default"
      size="lg"
      aria-label={other === 'dark' ? 'Dark colours' : 'Light colours'}
      onClick={() => setColorScheme(other)}
    >
      {scheme === 'light' ? <MoonIcon aria-hidden /> : <SunIcon aria-hidden />}
    </ActionIcon>
  );
}

function PersonMenu() {
  const { fullName, email, role } = useMe();
  const { signOut } = useSession();
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="default" size="lg" aria-label={`${fullName}, ${role}`}>
          <PersonIcon aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {fullName}
          <br />
          {email}, {role}
        </Menu.Label>
        <Menu.Item component={Link} to="/account/security">
          Security of my account
        </Menu.Item>
        <Menu.Item component="a" href="/api/docs">
          API reference
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item onClick={() => void signOut()}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
