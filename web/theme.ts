import {
  Anchor,
  type CSSVariablesResolver,
  createTheme,
  Drawer,
  InputWrapper,
  type MantineColorsTuple,
  Modal,
  Notification,
} from '@mantine/core';

/** The brand's colour: a deep teal whose sixth to tenth shades read well on white, and the second to fourth on black. */
const brand: MantineColorsTuple = [
  '#e6f7f9',
  '#cfebef',
  '#9fd6de',
  '#6bc0cd',
  '#3aa7b6',
  '#1d8fa0',
  '#0f7787',
  '#0b6473',
  '#08525f',
  '#053d47',
];

export const theme = createTheme({
  primaryColor: 'brand',
  colors: { brand },
  primaryShade: { light: 7, dark: 6 },
  autoContrast: true,
  defaultRadius: 'md',
  cursorType: 'pointer',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace',
  headings: { fontWeight: '650' },
  respectReducedMotion: true,
  components: {
    Anchor: Anchor.extend({ defaultProps: { inherit: true } }),
    // Nearly every field is required: those that are not say `optional`, and no asterisk is read out.
    InputWrapper: InputWrapper.extend({ defaultProps: { withAsterisk: false } }),
    // The head of a dialog is no banner of the page.
    ModalHeader: Modal.Header.extend({ defaultProps: { role: 'presentation' } }),
    DrawerHeader: Drawer.Header.extend({ defaultProps: { role: 'presentation' } }),
    ModalCloseButton: Modal.CloseButton.extend({ defaultProps: { 'aria-label': 'Close' } }),
    DrawerCloseButton: Drawer.CloseButton.extend({ defaultProps: { 'aria-label': 'Close' } }),
    Notification: Notification.extend({ defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } }),
  },
});

/** Text on the pale backgrounds of badges and alerts, by their colour. */
const ON_LIGHT = {
  green: '#1b5e2b',
  teal: '#0b5c45',
  blue: '#0b4a82',
  yellow: '#714000',
  orange: '#8a3200',
  red: '#9b1c1c',
  gray: '#343a40',
};

/** White on these is readable; the library's own red is too bright for it. */
const FILLED = {
  '--mantine-color-red-filled': 'var(--mantine-color-red-9)',
  '--mantine-color-red-filled-hover': '#b02525',
};

/**
 * The library's greys and reds for text are too pale for WCAG 2.2 AA (4.5:1); these are not. Colours of app.css that depend on the
 * scheme are here, too: `light-dark()` does not outlive the build's CSS.
 */
export const contrast: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    ...FILLED,
    '--page': '#f6f8f9',
    '--map-land': '#d5dde2',
    '--mantine-color-dimmed': '#4b5560',
    '--mantine-color-error': '#b42318',
    '--mantine-color-placeholder': '#5f6b76',
    '--mantine-color-anchor': 'var(--mantine-color-brand-7)',
    ...Object.fromEntries(
      Object.entries(ON_LIGHT).map(([color, text]) => [`--mantine-color-${color}-light-color`, text]),
    ),
  },
  dark: {
    ...FILLED,
    '--page': 'var(--mantine-color-dark-8)',
    '--map-land': 'var(--mantine-color-dark-4)',
    '--mantine-color-dimmed': '#b4bcc4',
    '--mantine-color-error': '#ff9b90',
    '--mantine-color-placeholder': '#9aa4ae',
    '--mantine-color-anchor': 'var(--mantine-color-brand-3)',
  },
});
